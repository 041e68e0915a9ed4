// A derivative and its derivative; lanes of a `for` become an axis.

param w = 2.0

stage s = compute {
  log slope = grad(sum(for x in [1.0, 2.0, 3.0] { exp(w * x) }), wrt: w)
  log curvature = grad(grad(w^3, wrt: w), wrt: w)
}
