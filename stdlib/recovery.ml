// Energies by recovery: along a ladder of noise, an energy for each rung tells what the point one rung below was.
// x_{k+1} = shrink_k x_k + sigma_k noise, and what is recovered from it is shrink_k x_k. An energy is a function `f(y, k)` of a point and
// its rung, the logarithm of a density up to a constant; a first guess `g(x, k)` of what x was comes from another net.

/// The ladder for `n` rungs whose noise grows geometrically from `low` to `high`: {shrink, sigma}, with shrink^2 + sigma^2 = 1.
fn ladder(n, low = 0.1, high = 0.7) {
  let sigma = low * exp(log(high / low) * real(iota(n)) / real(max(n - 1, 1)))
  {shrink: sqrt(1.0 - square(sigma)), sigma: sigma}
}

/// log p(y | x) up to a constant: the energy, and that y lies within the noise of x (Gao et al. 2021, equation 7).
fn recovery_density(f, y: real[d], x: real[d], k, sigma) = f(y, k) - 0.5 * sqnorm(y - x) / sigma^2

/// `steps` steps of Langevin dynamics on `recovery_density` from `y`, of the size b sigma (Gao et al. 2021, equation 17).
fn recovered_by(f, y: real[d], x: real[d], k, sigma, steps, b) {
  let s = b * sigma
  scan (y = y) for i in 0..steps {
    next y = y + 0.5 * s * s * grad(recovery_density(f, y, x, k, sigma), wrt: y) + s * randn([d])
  }
}

/// The loss of an energy by a point and what was drawn for it: its gradient is that of minus the log likelihood (Gao et al. 2021,
/// equation 10).
fn energy_contrast(f, truth: real[d], drawn: real[d], k) = f(drawn, k) - f(truth, k)

/// From noise `x` up the ladder to a sample: at each rung from the noisiest on, the first guess `g(x, k)` with noise of the scale
/// c sigma, and Langevin steps from it (Zhu et al. 2024, CDRL, algorithm 2).
fn climbed(f, g, rungs, x: real[d], steps, b, c) {
  let n = len(rungs.sigma)
  scan (x = x) for j in 0..n {
    let k = n - 1 - j
    let s = rungs.sigma[k]
    let y = recovered_by(f, g(x, k) + c * s * randn([d]), x, k, s, steps, b)
    next x = y / rungs.shrink[k]
  }
}
