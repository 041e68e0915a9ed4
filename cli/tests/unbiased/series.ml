precision f64

use integrands.{unbiased_at, straight_at, between}
use strategies.{reparam, reinforce, average, auto}
use std.dist.{gaussian_random_walk, hmm, linear_gaussian, gaussian_process, squared_exponential, normal, mixture}

let all = [reparam, reinforce, average, auto]

fn line(t) = between(0.5)

// A sum of the elements, by weights, is normal.
let w = [0.8, -0.5, 0.6]

test "gaussian_random_walk" {
  // The steps come with the weights of all that follow them.
  let steps = [0.9, 0.1, 0.6]
  fn made(t) = gaussian_random_walk(t[0], 3, drift: t[1])
  fn law(t) = normal(t[1] * sum(steps), t[0] * norm(steps))
  assert unbiased_at(made, [0.9, 0.2], all, line, law: law, see: |x| dot(w, x))
  assert straight_at(made, [0.9, 0.2], line, law: law, see: |x| dot(w, x))
}

// Of two observations, over the four paths of the states.
test "hmm" {
  fn start(t) = [t[0], 1.0 - t[0]]
  fn moves(t) = [[t[1], 1.0 - t[1]], [t[2], 1.0 - t[2]]]
  fn made(t) = hmm(start(t), moves(t), for i in 0..2 { normal(t[3 + i], 0.7) }, 2)
  fn law(t) {
    let p = flatten(for (a, row) in (start(t), moves(t)) { a * row })
    let means = flatten(for a in t[3..5], b in t[3..5] { a + b })
    mixture(for m in means { normal(m, 0.7 * sqrt(2.0)) }, p: p)
  }
  let at = [0.6, 0.7, 0.2, -0.4, 0.9]
  assert unbiased_at(made, at, [reinforce, average, auto], line, law: law, see: |x| sum(x))
  assert straight_at(made, at, line, law: law, see: |x| sum(x))
}

// Of two observations of one state z that moves by z' = a z + noise.
test "linear_gaussian" {
  fn one(x) = reshape(x, 1, 1)
  fn made(t) = linear_gaussian(one(t[0]), one(t[1]), one(t[2]), one(t[3]), t[4..5], one(t[5]), 2)
  // The sum of the two is h (1 + a) z plus h times a step plus two noises.
  fn law(t) {
    let both = t[2] * (1.0 + t[0])
    normal(both * t[4], sqrt(both * both * t[5] + t[2] * t[2] * t[1] + 2.0 * t[3]))
  }
  let at = [0.8, 0.3, 0.9, 0.4, 0.2, 0.7]
  assert unbiased_at(made, at, all, line, law: law, see: |y| sum(y))
  assert straight_at(made, at, line, law: law, see: |y| sum(y))
}

test "gaussian_process" {
  let x = [[0.0], [0.5], [2.0]]
  fn made(t) = gaussian_process(x, squared_exponential(t[0], t[1]), t[2])
  fn law(t) {
    let c = for a in x { for b in x { t[0]^2 * exp(-0.5 * sqnorm(a - b) / t[1]^2) } }
    normal(0.0, sqrt(dot(w, c @ w) + t[2]^2 * sqnorm(w)))
  }
  let at = [1.2, 0.8, 0.5]
  assert unbiased_at(made, at, all, line, law: law, see: |y| dot(w, y))
  assert straight_at(made, at, line, law: law, see: |y| dot(w, y))
}
