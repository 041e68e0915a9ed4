// std.bilevel. Covered by examples/papers/lv_hba.ml: `saddle_step` and `value_slope`, by differences.
precision f64

use std.bilevel.{lv_hba, saddle_step, value_slope}

// y is twice x, and the pair should be near (3, 4). Where c is held the loop goes to the least of upper / c + lower - v, with
// lower - v = k (y - 2 x)^2 / 2 and k = prox / (1 + prox).
let c = 5.0
let k = 10.0 / 11.0

fn upper(x, y) = (x - 3.0)^2 + (y - 4.0)^2
fn lower(x, y) = 0.5 * (y - 2.0 * x)^2
fn never(x, y) = 0.0 * y - 1.0

fn held(x, y) = lv_hba(upper, lower, never, x, y, 20000, c0: c, growth: 0.0)

test "without a constraint" {
  let r = held(0.0, 0.0)
  let s = -2.0 / (1.0 + 2.5 * c * k)
  assert close(r.x, 3.0 + c * k * s, 1e-6) and close(r.y, 4.0 - 0.5 * c * k * s, 1e-6)
  assert r.l == 0.0 and close(r.t, (2.0 * 10.0 * r.x + r.y) / 11.0, 1e-6)
  let elsewhere = held(-1.0, 5.0)
  assert close(elsewhere.x, r.x, 1e-6)
}

fn gap(c) {
  let r = lv_hba(upper, lower, never, 0.0, 0.0, 20000, c0: c, growth: 0.0)
  abs(r.y - 2.0 * r.x)
}

test "the larger c, the nearer to the answers" {
  assert gap(20.0) < 0.5 * gap(5.0)
}

test "what is watched, and no steps" {
  let r = lv_hba(upper, lower, never, 1.0, 2.0, 5, watch: |x, y| x)
  assert len(r.watched) == 5 and r.watched[-1] == r.x
  let none = lv_hba(upper, lower, never, 1.0, 2.0, 0)
  assert none.x == 1.0 and none.y == 2.0
}

test "pairs stay in their set" {
  let cut = |x, y| (min(x, 1.0), y)
  let r = lv_hba(upper, lower, never, 0.0, 0.0, 20000, c0: c, growth: 0.0, project: cut, watch: |x, y| x)
  assert max(r.watched) <= 1.0 and r.x == 1.0
  assert close(r.y, (8.0 / c + 2.0 * k) / (2.0 / c + k), 1e-6)
}

test "at the saddle a step stays" {
  let (x, y, prox) = (2.0, 1.0, 3.0)
  let t = (2.0 * prox * x + y) / (prox + 1.0)
  let (t2, l2) = saddle_step(lower, never, x, y, 0.0, t, 0.0, 0.1, prox, 1.0, |l| max(l, 0.0))
  assert close(t2, t, 1e-12) and l2 == 0.0
  // The smoothed value is (2 x - y)^2 / (2 (1 + prox)).
  let value = (2.0 * x - y)^2 / (2.0 * (1.0 + prox))
  let (vx, vy, vz) = value_slope(lower, never, x, y, 0.0, t, 0.0, prox, 1.0)
  assert close(vx, grad(value, wrt: x), 1e-12) and close(vy, grad(value, wrt: y), 1e-12) and vz == 0.0
}
