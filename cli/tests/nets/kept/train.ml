// A net with running statistics is trained and exported; `use.ml` has it without the data.

use std.nn.{apply, batch_norm, dense, rows, sequential}
use std.optim.adam

let table = {x: for i in 0..20 { [sin(real(i)), cos(real(3 * i))] }}

net f = sequential([rows(dense(2, 3)), batch_norm(3), apply(tanh), rows(dense(3, 1))])

stage fit = train b in table.batch(5) for 3 epochs {
  let (loss, moved) = nexts(mean(square(f(b.x, train: true) - 1.0)))
  minimize loss over f using adam(lr: 0.05)
  set f.states = moved
}

stage out = compute after fit {
  export f, to: "f.safetensors"
  export {y: f(table.x)}, to: "y.safetensors"
}
