// The first principal component of thirty measurements of tumours, twice: as an eigenvector of the covariance, and by
// ascending the variance along a direction, which is put back on the unit sphere after each step. Runs in a moment.

precision f64

use std.optim.sgd

data cancer = csv("../data/breast_cancer.csv")
let raw = stack(cancer.except{benign})
let centre = mean(raw, axis: 0)
let scale = std(raw, axis: 0)
let xs = for r in raw { (r - centre) / scale }
let covariance = transpose(xs) @ xs / real(len(xs))

param u = full(sqrt(1.0 / 30.0), 30)

/// The variance of the data along a direction.
fn variance(u) = mean(for x in xs { square(dot(x, u)) })

stage ascend = train for 100 steps {
  maximize variance(u) over u using sgd(lr: 0.1)
  set u = u / norm(u)
}

stage result = compute after ascend {
  let (values, vectors) = eigh(covariance)
  log share_of_variance = values[-1] / sum(values), largest_eigenvalue = values[-1], variance_along_u = variance(u)
  log cosine = dot(u, vectors[.., -1]), component = vectors[.., -1]
}

test "both agree, up to sign" {
  assert close(abs(result.log.cosine[0]), 1.0, 1e-10)
  assert close(result.log.variance_along_u[0], result.log.largest_eigenvalue[0], 1e-9)
}

test "of standardised data the variances sum to their number, and components are not correlated" {
  let (values, vectors) = eigh(covariance)
  assert close(sum(values), 30.0, 1e-10)
  let scores = xs @ vectors
  let (a, b) = (scores[.., -1], scores[.., -2])
  assert close(mean(a * b), 0.0, 1e-10)
  assert close(mean(a * a), values[-1], 1e-10)
}
