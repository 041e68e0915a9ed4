// What training loops have besides objectives and optimizers: gradients over several steps, averages of parameters,
// stopping early.

/// The optimizer `inner`, which moves once in `every` steps, by the mean of the gradients since it moved last: a batch
/// `every` times as large, of which only a part is in memory.
optimizer accumulate(inner, every = 4) for all p, g {
  state total = zeros_like(p)
  state kept = inner.start(p)
  let sum = total + g / real(every)
  let now = mod(step + 1, every) == 0
  let (moved, after) = inner.step(p, sum, kept)
  set total = if now { zeros_like(p) } else { sum }
  set kept = if now { after } else { kept }
  if now { moved } else { p }
}

/// A running mean of parameters: `state mean = net`, then after each update `set mean = ema(mean, net.params)`.
fn ema(average, now, decay = 0.999) = lerp(now, average, decay)

/// A decay for `ema` that starts small, so that first values are soon forgotten: min(decay, (1 + t) / (10 + t)).
fn ema_decay(t, decay = 0.999) = min(decay, (1.0 + real(t)) / (10.0 + real(t)))

/// What stopping early remembers: `state waiting = patience()`.
fn patience() = {best: inf, waited: 0}

/// After one more value that should fall: how often in a row it has not fallen below the best so far by `margin`.
fn watched(p, value, margin = 0.0) {
  let better = value < p.best - margin
  {best: select(better, value, p.best), waited: select(better, 0, p.waited + 1)}
}

/// Has the value not fallen for `times` checks? `stop when exhausted(waiting, 5)`, with `keep lowest value`, leaves the
/// best parameters.
fn exhausted(p, times) = p.waited >= times
