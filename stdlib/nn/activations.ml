// Functions between layers, besides those that are visible everywhere (`relu`, `leaky_relu`, `silu`, `softplus`, `sigmoid`, `tanh`).

/// x times the probability that a standard normal is below x (Hendrycks and Gimpel 2016).
fn gelu(x) = x * ndtr(x)

/// x where it is positive, alpha (exp(x) - 1) elsewhere (Clevert et al. 2016).
fn elu(x, alpha = 1.0) = max(x, 0.0) + alpha * expm1(min(x, 0.0))

/// `elu` with the slope and scale that keep mean 0 and variance 1 (Klambauer et al. 2017, equation 2).
fn selu(x) = 1.0507009873554805 * elu(x, alpha: 1.6732632423543772)

/// x tanh(softplus(x)) (Misra 2020).
fn mish(x) = x * tanh(softplus(x))
