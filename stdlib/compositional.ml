// Objectives that hold a function of an expectation, such as log E w: a running estimate of the inner expectation in the place of that of
// one batch, whose bias would not fade.

/// The logarithm of a running mean of weights, after a batch of the logarithms `log_w`: u <- (1 - gamma) u + gamma mean(w) (Jiang, Qin, Wu,
/// Chen, Yang and Zhang 2023).
fn tracked(log_u, log_w: real[n], gamma) = logaddexp(log1p(-gamma) + log_u, log(gamma) + logmeanexp(stop(log_w)))

/// log E w as a number whose value is `log_u`, and whose derivative is that of mean(w) over u: it has the right mean where u is E w.
fn log_mean(log_w: real[n], log_u) = stop(log_u) + tangent(mean(exp(log_w - stop(log_u))))

/// What maximum likelihood minimises where p is f / Z: -E log f + log Z, for draws of the data and draws of noise with the density q.
/// `log_w` are log f - log q of the noise, `log_u` is what `tracked` left of them.
fn negative_log_likelihood(log_f_data: real[n], log_w: real[m], log_u) = log_mean(log_w, log_u) - mean(log_f_data)

/// The same with the mean of one batch's weights in the place of the running one, whose derivative is biased.
fn plug_in_likelihood(log_f_data: real[n], log_w: real[m]) = logmeanexp(log_w) - mean(log_f_data)

/// Noise-contrastive estimation (Gutmann and Hyvarinen 2010): data and noise told apart by log f - c - log q, where c learns to be log Z.
fn noise_contrastive(log_f_data: real[n], log_q_data: real[n], log_f_noise: real[m], log_q_noise: real[m], c) =
  mean(softplus(log_q_data + c - log_f_data)) + mean(softplus(log_f_noise - c - log_q_noise))
