// Special functions that are sums and products of built-in ones, arranged so that no digits are lost. The built-in ones:
// tan asin acos atan atan2 sinh cosh asinh acosh atanh exp2 log2 erf erfc erfcx erfinv ndtr log_ndtr ndtri lgamma digamma
// trigamma polygamma lbeta gammainc gammaincc betainc i0e i1e logaddexp.

/// log(1 - exp(-x)) for positive x (Mächler 2012).
fn log1mexp(x) = select(x < log(2.0), log(-expm1(-x)), log1p(-exp(-x)))

/// log(exp(x) - exp(y)) for x above y.
fn logsubexp(x, y) = x + log1mexp(x - y)

/// x * log1p(y), and 0 where x is 0, whatever y is; its derivative there is 0 as well.
fn xlog1py(x, y) = x * log1p(select(x == 0.0, 0.0, y))

/// log(p / (1 - p)), the inverse of `sigmoid`; keeps its digits near 1/2 and near 0.
fn logit(p) {
  let near = p > 0.25 and p < 0.75
  let middle = 2.0 * atanh(select(near, 2.0 * p - 1.0, 0.0))
  let q = select(near, 0.5, p)
  select(near, middle, log(q) - log1p(-q))
}

/// The x with softplus(x) = y, for positive y.
fn softplus_inverse(y) = y + log1mexp(y)

/// The logarithm of the number of ways to choose k of n, for real n and k.
fn lchoose(n, k) = -log1p(n) - lbeta(n - k + 1.0, k + 1.0)

/// The sine of x over x, and 1 at 0.
fn sinc(x) {
  let safe = select(x == 0.0, 1.0, x)
  select(x == 0.0, 1.0, sin(safe) / safe)
}
