// Denoising without clean data: the score of the noisy data, d log p(y) / dy, is learned from noisy data alone, and says what the clean
// value is expected to be (Kim and Ye 2021).

/// The loss of a residual denoising autoencoder (Lim et al. 2020; Kim and Ye 2021): |u + size * score(y + size * u)|^2 for
/// standard normal u. Its minimum over `score` is the score of y seen through noise of that size: that of y as `size` goes to 0.
fn score_loss(score, y: real[n], size) {
  let u = randn([n])
  sqnorm(u + size * score(y + size * u))
}

/// The posterior mean of the natural parameter, times T'(y), of p(y | eta) = exp(log_base(y) + eta T(y) - ..): score - log_base'(y)
/// (Robbins 1956; Efron 2011). All below follow from it.
fn natural_mean(y, score, log_base) = score - grad(sum(log_base(y)), wrt: y)

/// The clean value behind y = x + sigma * noise: y + sigma^2 score.
fn clean_normal(y, score, sigma) = y + sigma^2 * score

/// The clean value behind y = zeta n, n from a Poisson distribution of mean x / zeta: (y + zeta / 2) exp(zeta score), where log n! is taken
/// to have the derivative log(n + 1/2). The exponential of E[log x | y], so for large counts only E[x | y].
fn clean_poisson(y, score, zeta) = (y + 0.5 * zeta) * exp(zeta * score)

/// The clean value behind y from a gamma distribution of shape k and mean x: k y / (k - 1 - y score), which is 1 / E[1 / x | y].
fn clean_gamma(y, score, k) = k * y / (k - 1.0 - y * score)

/// Peak signal to noise in decibels, for values between 0 and `peak`: -10 log10 of the mean squared error.
fn psnr(x, clean, peak = 1.0) = -10.0 / log(10.0) * log(mean(square(x - clean)) / square(peak))

/// The sum of magnitudes of differences between neighbours.
fn total_variation(picture: real[h, w]) = sum(abs(picture[1..] - picture[..-1])) + sum(abs(picture[.., 1..] - picture[.., ..-1]))
