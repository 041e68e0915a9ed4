// Normalisation. `scale` and `shift` are parameters; `eps` is added to variances.

/// A number for each of the places along an axis of `x`.
fn _along(v, x, axis) = spread(v, like: x, axis: _others(x, axis))

/// All axes but one.
fn _others(x, axis) = scan (all = []) for i in 0..rank(x), unroll: true {
  next all = if i == axis { all } else { append(all, i) }
}

/// One example to mean 0 and variance 1 over its `n` numbers, scaled and shifted (Ba et al. 2016).
net layer_norm(n, eps = 1e-5)(x: real[n], train = false) {
  param scale: real[n] = ones(n)
  param shift: real[n] = zeros(n)
  (x - mean(x)) / sqrt(var(x) + eps) * scale + shift
}

/// One example divided by the root of the mean of its squares, and scaled (Zhang and Sennrich 2019).
net rms_norm(n, eps = 1e-6)(x: real[n], train = false) {
  param scale: real[n] = ones(n)
  x / sqrt(mean(square(x)) + eps) * scale
}

/// One example, whose first axis is channels, to mean 0 and variance 1 over each of `groups` of neighbouring channels, scaled and
/// shifted by channel (Wu and He 2018). One group is all of it, as many groups as channels normalise each.
net group_norm(groups, channels, eps = 1e-5)(x, train = false) {
  param scale: real[channels] = ones(channels)
  param shift: real[channels] = zeros(channels)
  let rows = reshape(x, groups, -1)
  let y = reshape(for r in rows { (r - mean(r)) / sqrt(var(r) + eps) }, shape(x))
  y * _along(scale, x, 0) + _along(shift, x, 0)
}

/// A batch of examples, each with channels on its first axis, to mean 0 and variance 1 of each channel, scaled and shifted (Ioffe and Szegedy
/// 2015, algorithm 1). In training by the batch's own mean and variance; then the state `running` becomes
/// (1 - rate) running + rate (mean, variance n / (n - 1) of these), by which it goes otherwise: `nexts` collects that for a `set`.
net batch_norm(channels, rate = 0.1, eps = 1e-5)(x, train = false) {
  param scale: real[channels] = ones(channels)
  param shift: real[channels] = zeros(channels)
  state running = {mean: zeros(channels), var: ones(channels)}
  let used = if train {
    let others = _others(x, 1)
    let own = {mean: mean(x, axis: others), var: var(x, axis: others)}
    let n = size(x, axis: others)
    let unbiased = own.var * (n / max(n - 1.0, 1.0))
    next running = lerp(running, {mean: own.mean, var: unbiased}, rate)
    own
  } else {
    running
  }
  (x - _along(used.mean, x, 1)) * _along(scale / sqrt(used.var + eps), x, 1) + _along(shift, x, 1)
}
