// What `train.ml` exported gives the same values here.

use std.nn.{apply, batch_norm, dense, rows, sequential}

data kept = safetensors("f.safetensors")
data told = safetensors("y.safetensors")

let x = for i in 0..20 { [sin(real(i)), cos(real(3 * i))] }

net f = sequential([rows(dense(2, 3)), batch_norm(3), apply(tanh), rows(dense(3, 1))])

test "the net is what it was" {
  let g = f.with(kept)
  assert close(g(x), told.y, 1e-6)
  assert not close(f(x), told.y, 1e-3)
  assert not close(g.states.layer[1].running.mean, zeros(3), 1e-3)
}
