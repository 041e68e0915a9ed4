// Each loss: numbers worked out apart from it, derivatives against differences, and nothing that is no number at extremes.

precision f64

use std.losses.{cross_entropy, soft_cross_entropy, binary_cross_entropy, focal, binary_focal, hinge, squared_hinge}
use std.losses.{multiclass_hinge, squared_error, absolute_error, huber, log_cosh, pinball, epsilon_insensitive}
use std.losses.{poisson_loss, dice, distillation, distance, direction, cosine_similarity, contrastive, triplet}
use std.losses.{info_nce, pairwise_logistic, pairwise_hinge}
use std.testing.gradients_match

let l = [1.0, -0.5, 2.0]
// exp(1), exp(-1/2) and exp(2), and their sum.
let e = [2.718281828459045, 0.6065306597126334, 7.38905609893065]
let total = 10.71386858710233

test "cross entropies" {
  assert close(cross_entropy(l, 0), log(total) - 1.0, 1e-14)
  assert close(cross_entropy(l, 1), 2.871539031852683, 1e-14)
  // A share of 0.3 goes to all three labels alike: weights 0.8, 0.1, 0.1.
  assert close(cross_entropy(l, 0, smoothing: 0.3), log(total) - 0.8 * 1.0 - 0.1 * -0.5 - 0.1 * 2.0, 1e-14)
  assert close(cross_entropy(l, 0, smoothing: 1.0), log(total) - 2.5 / 3.0, 1e-14)
  assert close(soft_cross_entropy(l, [0.8, 0.1, 0.1]), cross_entropy(l, 0, smoothing: 0.3), 1e-14)
  // A class that is ruled out.
  let masked = [0.0, -inf, 0.0]
  assert close(cross_entropy(masked, 0), log(2.0), 1e-15)
  assert close(grad(cross_entropy(masked, 0), wrt: masked), [-0.5, 0.0, 0.5], 1e-15)
  let p = 1.0 / (1.0 + exp(-0.7))
  assert close(binary_cross_entropy(0.7, 1), -log(p), 1e-14)
  assert close(binary_cross_entropy(0.7, 0), -log(1.0 - p), 1e-14)
  assert close(binary_cross_entropy(0.7, 0.25), -0.25 * log(p) - 0.75 * log(1.0 - p), 1e-14)
  assert close(binary_cross_entropy(0.7, 1, smoothing: 0.2), -0.9 * log(p) - 0.1 * log(1.0 - p), 1e-14)
  assert close(binary_cross_entropy([0.7, 0.7], [1, 0]), -0.5 * log(p) - 0.5 * log(1.0 - p), 1e-14)
  // A probability next to one keeps its digits.
  assert close(binary_cross_entropy(30.0, 1) / 9.357622968839842e-14, 1.0, 1e-12)
}

test "derivatives of cross entropies are probabilities less targets" {
  let x = l
  assert close(grad(cross_entropy(x, 1), wrt: x), e / total - [0.0, 1.0, 0.0], 1e-14)
  assert close(grad(cross_entropy(x, 1, smoothing: 0.3), wrt: x), e / total - [0.1, 0.8, 0.1], 1e-14)
  let s = 0.7
  assert close(grad(binary_cross_entropy(s, 1), wrt: s), 1.0 / (1.0 + exp(-0.7)) - 1.0, 1e-14)
}

test "focal losses" {
  let p = e[0] / total
  assert close(focal(l, 0), -square(1.0 - p) * log(p), 1e-14)
  assert close(focal(l, 0, gamma: 0.0), cross_entropy(l, 0), 1e-14)
  assert close(focal(l, 0, gamma: 0.5), -sqrt(1.0 - p) * log(p), 1e-14)
  let q = 1.0 / (1.0 + exp(-0.7))
  assert close(binary_focal(0.7, 1), -square(1.0 - q) * log(q), 1e-14)
  assert close(binary_focal(0.7, 0), -square(q) * log(1.0 - q), 1e-14)
  assert close(binary_focal(0.7, 1, alpha: 0.25), -0.25 * square(1.0 - q) * log(q), 1e-14)
  assert close(binary_focal(0.7, 0, alpha: 0.25), -0.75 * square(q) * log(1.0 - q), 1e-14)
  assert close(binary_focal(0.7, 1, gamma: 3.0), focal([0.0, 0.7], 1, gamma: 3.0), 1e-14)
}

test "margins" {
  assert close(hinge(0.3, 1), 0.7, 1e-15) and close(hinge(0.3, 0), 1.3, 1e-15)
  assert hinge(1.5, 1) == 0.0 and hinge(-1.5, 0) == 0.0
  assert close(hinge([0.3, 1.5, 0.5], [1, 1, 0]), (0.7 + 0.0 + 1.5) / 3.0, 1e-15)
  assert close(squared_hinge([0.3, 1.5, 0.5], [1, 1, 0]), (0.49 + 0.0 + 2.25) / 3.0, 1e-15)
  assert close(multiclass_hinge(l, 0), 2.0, 1e-15) and close(multiclass_hinge(l, 2), 0.0, 1e-15)
  assert close(multiclass_hinge(l, 2, margin: 1.5), 0.5, 1e-15)
  assert close(multiclass_hinge([-1.0, -3.0, -2.0], 0, margin: 1.5), 0.5, 1e-15)
  let x = l
  assert close(grad(multiclass_hinge(x, 0), wrt: x), [-1.0, 0.0, 1.0], 0.0)
}

test "regressions" {
  let (x, y) = ([1.0, 2.0, 5.0], [1.5, 2.0, 2.0])
  assert close(squared_error(x, y), (0.25 + 9.0) / 3.0, 1e-15)
  assert close(absolute_error(x, y), 3.5 / 3.0, 1e-15)
  assert close(huber(x, y), (0.125 + 2.5) / 3.0, 1e-15)
  assert close(huber(x, y, delta: 2.0), (0.125 + 4.0) / 3.0, 1e-15)
  assert close(log_cosh(x, y), (0.12011450695827745 + 2.309328504577785) / 3.0, 1e-14)
  // d = 0.5, 0, -3.
  assert close(pinball(x, y, q: 0.9), (0.45 + 0.0 + 0.3) / 3.0, 1e-15)
  assert close(pinball(x, y), 0.5 * absolute_error(x, y), 1e-15)
  assert close(epsilon_insensitive(x, y), (0.4 + 2.9) / 3.0, 1e-15)
  assert close(epsilon_insensitive(x, y, epsilon: 1.0), 2.0 / 3.0, 1e-15)
  assert close(poisson_loss([0.0, log(2.0)], [3, 5]), (1.0 + 2.0 - 5.0 * log(2.0)) / 2.0, 1e-14)
  assert close(squared_error(1.0, 3.0), 4.0, 0.0)
}

test "the quantile is where the quantile loss is least" {
  let sorted = real(iota(11))
  fn at(x) = mean(for y in sorted { pinball(x, y, q: 0.3) })
  assert at(3.0) < at(2.9) and at(3.0) < at(3.1)
}

test "overlap" {
  // Probabilities 1/2 and 3/4, a mask of 0 and 1.
  assert close(dice([0.0, log(3.0)], [0, 1]), 1.0 - (1.5 + 1.0) / (1.25 + 1.0 + 1.0), 1e-14)
  assert close(dice([1e4, -1e4], [1, 0]), 0.0, 1e-14)
  assert close(dice([-1e4, -1e4], [0, 0]), 0.0, 1e-14)
}

test "distillation" {
  // Two classes: teacher 3/4 and 1/4, student 1/2 and 1/2, at temperature 1; then both twice as spread at 2.
  let t = [log(3.0), 0.0]
  let kl = 0.75 * log(1.5) + 0.25 * log(0.5)
  assert close(distillation([0.0, 0.0], t), kl, 1e-14)
  assert close(distillation([0.0, 0.0], 2.0 * t, temperature: 2.0), 4.0 * kl, 1e-14)
  assert close(distillation(l, l, temperature: 3.0), 0.0, 1e-14)
  let u = t
  assert close(grad(distillation(l[0..2], u), wrt: u), [0.0, 0.0], 0.0)
}

test "distances" {
  let (a, b) = ([1.0, 2.0], [4.0, 6.0])
  assert close(distance(a, b), 5.0, 1e-15)
  assert close(direction(b), b / sqrt(52.0), 1e-15)
  assert close(cosine_similarity(a, b), 16.0 / sqrt(5.0 * 52.0), 1e-15)
  assert cosine_similarity(a, [0.0, 0.0]) == 0.0
  assert close(contrastive(a, b, 1), 12.5, 1e-15) and close(contrastive(a, b, 0), 0.0, 0.0)
  assert close(contrastive(a, b, false, margin: 7.0), 2.0, 1e-15)
  // Half as far as the margin.
  assert close(contrastive([0.0], [0.5], 1), 0.125, 1e-15) and close(contrastive([0.0], [0.5], 0), 0.125, 1e-15)
  assert close(contrastive([0.0], [0.25], 1), 0.03125, 1e-15) and close(contrastive([0.0], [0.25], 0), 0.28125, 1e-15)
  assert close(triplet(a, b, [1.0, 4.0]), 25.0 - 4.0 + 0.2, 1e-14)
  assert close(triplet(a, [1.0, 2.5], b), 0.0, 0.0)
  assert close(pairwise_logistic(1.0, 0.3), log(1.0 + exp(-0.7)), 1e-15)
  assert close(pairwise_hinge([1.0, 2.0], [0.3, 0.5]), 0.15, 1e-15)
  assert close(pairwise_hinge(1.0, 0.5, margin: 0.2), 0.0, 0.0)
}

test "partners" {
  // Cosines 1, 0 / 0, 1 at temperature 1/2.
  let m = [[2.0, 0.0], [0.0, 3.0]]
  assert close(info_nce(m, m, temperature: 0.5), log(1.0 + exp(-2.0)), 1e-14)
  assert close(info_nce(m, [[0.0, 1.0], [1.0, 0.0]], temperature: 0.5), log(1.0 + exp(2.0)), 1e-14)
}

test "derivatives agree with differences" {
  assert gradients_match(|x| cross_entropy(x, 1), at: l)
  assert gradients_match(|x| cross_entropy(x, 2, smoothing: 0.1), at: l)
  assert gradients_match(|(x, y)| soft_cross_entropy(x, y), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y)| binary_cross_entropy(x, y, smoothing: 0.1), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|x| focal(x, 0), at: l)
  assert gradients_match(|x| focal(x, 0, gamma: 0.5), at: l)
  assert gradients_match(|x| binary_focal(x, [1, 0, 1], gamma: 1.5, alpha: 0.3), at: l)
  assert gradients_match(|x| hinge(x, [1, 0, 1]), at: l - 0.2)
  assert gradients_match(|x| squared_hinge(x, [1, 0, 1]), at: l - 0.2)
  assert gradients_match(|x| multiclass_hinge(x, 1), at: l)
  assert gradients_match(|(x, y)| squared_error(x, y), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y)| absolute_error(x, y), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y)| huber(x, y), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y)| log_cosh(x, y), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y)| pinball(x, y, q: 0.2), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y)| epsilon_insensitive(x, y), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|x| poisson_loss(x, [3, 0, 1]), at: l)
  assert gradients_match(|x| dice(x, [1, 0, 1]), at: l)
  assert gradients_match(|x| distillation(x, [0.1, 0.2, 0.3], temperature: 2.0), at: l)
  assert gradients_match(|(x, y)| distance(x, y), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y)| cosine_similarity(x, y), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|x| dot(direction(x), [0.2, 0.3, 0.5]), at: l)
  assert gradients_match(|(x, y)| contrastive(x, y, 1), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y)| contrastive(x, y, 0, margin: 4.0), at: (l, [0.2, 0.3, 0.5]))
  assert gradients_match(|(x, y, z)| triplet(x, y, z, margin: 9.0), at: (l, [0.2, 0.3, 0.5], [1.0, 1.0, 0.0]))
  assert gradients_match(
    |(x, y)| info_nce(x, y),
    at: ([[1.0, 2.0, 0.5], [-1.0, 0.3, 0.2]], [[0.1, 1.0, 0.4], [-1.0, -1.0, 2.0]]),
  )
  assert gradients_match(|(x, y)| pairwise_logistic(x, y), at: (0.3, 0.7))
  assert gradients_match(|(x, y)| pairwise_hinge(x, y), at: (0.3, 0.7))
}

/// Are a loss and its derivative finite at all of these?
fn finite(loss, points) = all(for x in points {
  let (v, g) = value_and_grad(loss(x), wrt: x)
  is_finite(v) and all(is_finite(g))
})

let far = [[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, 0.0, 0.0], [1e4, 1e4, 1e4], [-1e4, -1e4, -1e4]]

test "extremes" {
  let y = [1, 0, 1]
  let z = [0.2, 0.3, 0.5]
  let others = [0.0, 0.0, 0.0]
  assert finite(|x| cross_entropy(x, 1), far)
  assert finite(|x| cross_entropy(x, 1, smoothing: 0.1), far)
  assert finite(|x| soft_cross_entropy(x, z), far)
  assert finite(|x| binary_cross_entropy(x, y), far)
  assert finite(|x| binary_cross_entropy(x, y, smoothing: 0.1), far)
  assert all(for g in [0.0, 0.5, 1.0, 2.0] { finite(|x| focal(x, 1, gamma: g), far) })
  assert all(for g in [0.0, 0.5, 1.0, 2.0] { finite(|x| binary_focal(x, y, gamma: g, alpha: 0.2), far) })
  assert finite(|x| hinge(x, y), far)
  assert finite(|x| squared_hinge(x, y), far)
  assert finite(|x| multiclass_hinge(x, 1), far)
  assert finite(|x| squared_error(x, z), far)
  assert finite(|x| absolute_error(x, z), far)
  assert finite(|x| huber(x, z), far)
  assert finite(|x| log_cosh(x, z), far)
  assert finite(|x| pinball(x, z, q: 0.3), far)
  assert finite(|x| epsilon_insensitive(x, z), far)
  assert finite(|x| poisson_loss(0.01 * x, y), far)
  assert finite(|x| dice(x, y), far)
  assert finite(|x| distillation(x, far[1]), far)
  assert finite(|x| distance(x, others), far)
  assert finite(|x| sum(direction(x)), far)
  assert finite(|x| cosine_similarity(x, z), far)
  assert finite(|x| contrastive(x, others, 0, margin: 2.0), far)
  assert finite(|x| triplet(x, z, others), far)
  assert finite(|x| info_nce(stack([x, z]), stack([z, x])), far)
  assert finite(|x| pairwise_logistic(x, z), far)
  assert finite(|x| pairwise_hinge(x, z), far)
}

test "values at extremes" {
  assert close(cross_entropy(far[0], 1), 2e4, 0.0) and close(cross_entropy(far[0], 0), 0.0, 0.0)
  assert close(binary_cross_entropy(-1e4, 1), 1e4, 0.0) and close(binary_cross_entropy(1e4, 1), 0.0, 0.0)
  assert close(focal(far[0], 1), 2e4, 0.0) and close(focal(far[0], 0), 0.0, 0.0)
  assert close(log_cosh(1e4, 0.0), 1e4 - log(2.0), 1e-9)
  let x = [0.0, 0.0]
  assert close(grad(distance(x, [0.0, 0.0]), wrt: x), [0.0, 0.0], 0.0)
  assert close(grad(contrastive(x, [0.0, 0.0], 0), wrt: x), [0.0, 0.0], 0.0)
}

test "a batch is a loop" {
  let rows = for (x, y) in (far[0..2], [1, 2]) { cross_entropy(x, y, smoothing: 0.1) }
  assert close(rows[1], cross_entropy(far[1], 2, smoothing: 0.1), 0.0)
}
