// Visible in every pipeline without `use`. Everything here is written in the language.

/// max(x, 0)
fn relu(x) = max(x, 0.0)

/// x where it is positive, `slope` times x elsewhere; `slope` is between 0 and 1.
fn leaky_relu(x, slope = 0.01) = max(x, slope * x)

/// x * sigmoid(x) (Hendrycks and Gimpel 2016, there SiL).
fn silu(x) = x * sigmoid(x)

/// x * x, leaf by leaf.
fn square(x) = x * x

/// log(sigmoid(x)), finite wherever its value is.
fn log_sigmoid(x) = -softplus(-x)

/// log(sum(exp(x))) over all elements. Exact where all are -inf, or some are inf.
fn logsumexp(x) {
  let top = stop(max(x))
  let m = select(is_finite(top), top, 0.0)
  m + log(sum(exp(x - m)))
}

/// log(mean(exp(x))) over all elements.
fn logmeanexp(x) = logsumexp(x) - log(real(size(x)))

/// log of the softmax of a vector.
fn log_softmax(x: real[n]) = x - logsumexp(x)

/// exp(x) / sum(exp(x)) of a vector.
fn softmax(x: real[n]) = exp(log_softmax(x))

/// The variance of all elements, divided by their number.
fn var(x) {
  let m = mean(x)
  mean(square(x - m))
}

/// The square root of `var`.
fn std(x) = sqrt(var(x))

/// The sum of squares, over all leaves of a record.
fn sqnorm(x) = dot(x, x)

/// The Euclidean length, over all leaves of a record.
fn norm(x) = sqrt(sqnorm(x))

/// a + t * (b - a), leaf by leaf.
fn lerp(a, b, t) = a + t * (b - a)

/// The nearest value in [low, high].
fn clip(x, low, high) = min(max(x, low), high)

/// Standard normal draws of a shape: the inverse distribution function at uniform draws.
fn randn(n) = sqrt(2.0) * erfinv(2.0 * rand(n) - 1.0)
