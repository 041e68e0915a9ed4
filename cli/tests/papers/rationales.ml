// std.rationales. Covered by examples/papers/trice.ml: that the mean of `trice` and of `trice_without` is the exact derivative, and what
// training by these and by `star` leads to.
precision f64

use std.rationales.{independence_step, mean_of_others, trice, trice_without, star}

test "a step of the memory" {
  assert all(independence_step([1, 2], [3, 4], true) == [3, 4]) and all(independence_step([1, 2], [3, 4], false) == [1, 2])
}

test "means of the others" {
  assert close(mean_of_others([1.0, 2.0, 6.0]), [4.0, 3.5, 1.5], 1e-12)
  let c = randn([7])
  assert close(mean(mean_of_others(c)), mean(c), 1e-12)
}

test "the weights of log probabilities" {
  let (memory, proposed) = ([-1.0, -2.0, -0.5], [-0.7, -0.3, -3.0])
  let (right, accepted) = ([1.0, 0.0, 1.0], [1.0, 0.0, 0.0])
  let value = trice(memory, right, proposed, accepted)
  assert close(grad(value, wrt: memory), right / 3.0, 1e-12)
  assert close(grad(value, wrt: proposed), -mean_of_others(accepted) / 3.0, 1e-12)
  // How likely it is to be accepted has no derivative.
  assert close(grad(value, wrt: accepted), zeros(3), 0.0)
  assert close(trice_without(memory, right), -0.5, 1e-12)
}

test "where all is right both terms are the same" {
  let l = [-1.0, -2.0, -0.5]
  assert close(grad(trice(l, ones(3), l, ones(3)), wrt: l), zeros(3), 1e-12)
}

test "filtered imitation" {
  let l = [-1.0, -2.0, -0.5]
  assert close(star(l, [1.0, 0.0, 1.0]), -0.75, 1e-12) and star(l, zeros(3)) == 0.0
  assert close(grad(star(l, [1.0, 0.0, 1.0]), wrt: l), [0.5, 0.0, 0.5], 1e-12)
}
