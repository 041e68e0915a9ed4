precision f64

use std.dist.{normal, half_normal, multivariate_normal}
use std.auto.{full_rank, noncentred}
use std.nn.dense
use std.vi.elbo
use std.linalg.eye

let x = [[1.0, 0.5], [0.2, -1.0], [1.5, 1.4], [-0.3, 0.8]]
let y = [1.0, -0.5, 2.0, 0.7]

param w = [0.3, -0.2]
param scale in positive = 0.5
net n = dense(2, 1)

model line() { for row in x { y ~ normal(dot(row, w), scale) } }

model by_net() { for row in x { y ~ normal(n(row)[0], 0.5) } }

let bayes = lift(line(), {w: normal(zeros(2), 2.0)}) given {y}
let both = lift(line() given {y}, {w: |p| normal(zeros_like(p), 2.0), scale: half_normal(1.0)})
let all_of_net = lift(by_net() given {y}, {n: |p| normal(zeros_like(p), 2.0)})

let precision_of = x.T @ x / 0.25 + 0.25 * eye(2)
let centre = solve(precision_of, x.T @ y / 0.25)

model guide = full_rank(bayes)
model guide_of_net = full_rank(all_of_net)

test "a parameter is a site" {
  let v = [0.4, 0.1]
  let here = normal(zeros(2), 2.0).logpdf(v) + normal(x @ v, 0.5).logpdf(y)
  assert close(logdensity(bayes, {w: v}), here, 1e-12)
  let more = normal(zeros(2), 2.0).logpdf(v) + half_normal(1.0).logpdf(0.7) + normal(x @ v, 0.7).logpdf(y)
  assert close(logdensity(both, {w: v, scale: 0.7}), more, 1e-12)
  assert close(logdensity(both given {scale: 0.7}, {w: v}), more, 1e-12)
  assert close(sample(guide)[0].w, centre, 5.0)
  assert close(guide.kept.frame.at, centre, 1e-5)
  // Outside the model the parameter is what it was.
  assert close(logdensity(line() given {y}, {}), normal(x @ [0.3, -0.2], 0.5).logpdf(y), 1e-12)
  assert len(sites(both)) == 2
}

test "the evidence of a model whose parameter is drawn" {
  let joint = multivariate_normal(zeros(4), covariance: 4.0 * x @ x.T + 0.25 * eye(4))
  assert close(mean(for i in 0..20 { elbo(bayes, guide) }), joint.logpdf(y), 1e-6)
}

test "a net is a site" {
  let (t, _) = sample(guide_of_net)
  assert len(t.n) == 3
  let m = n.with(unflatten(t.n, like: n.params))
  let mu = for row in x { m(row)[0] }
  assert close(logdensity(all_of_net, t), normal(zeros(3), 2.0).logpdf(t.n) + normal(mu, 0.5).logpdf(y), 1e-9)
  let g = grad(logdensity(all_of_net, t), wrt: t)
  assert sqnorm(g.n) > 0.0
}

test "as other sites" {
  let other = noncentred(lift(line() given {y}, {scale: half_normal(1.0), w: normal(1.0 * ones(2), 2.0)}), .w)
  let e = [0.4, 0.1]
  let l = logdensity(both, {w: 1.0 + 2.0 * e, scale: 0.7})
  let shift = normal(1.0 * ones(2), 2.0).logpdf(1.0 + 2.0 * e) - normal(zeros(2), 2.0).logpdf(1.0 + 2.0 * e)
  assert close(logdensity(other, {w: e, scale: 0.7}), l + shift + 2.0 * log(2.0), 1e-9)
}
