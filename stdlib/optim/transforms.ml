// Transforms: they give a new gradient instead of new parameters, and stand before an optimizer: `clip_norm(1.0) |> adam(lr: 1e-3)`.

use std.optim.debias

/// The gradient scaled down where its length over all parameters is above `limit` (Pascanu, Mikolov and Bengio 2013, algorithm 1).
transform clip_norm(limit = 1.0) for all p, g {
  let length = norm(g)
  g * (limit / max(length, limit))
}

/// Every element of the gradient within [-limit, limit].
transform clip_value(limit = 1.0) for p, g {
  clip(g, -limit, limit)
}

/// A tensor's gradient scaled down where it is longer than `limit` times the tensor, which counts as at least `least` long (Brock et al.
/// 2021, there for the rows of a matrix).
transform clip_ratio(limit = 0.01, least = 1e-3) for p, g {
  let most = limit * max(norm(p), least)
  g * (most / max(norm(g), most))
}

/// The gradient of length 1 over all parameters.
transform normalized(eps = 1e-12) for all p, g {
  g / (norm(g) + eps)
}

/// The gradient of a tensor of two or more axes with the mean over all but the first taken off (Yong et al. 2020).
transform centralized() for p, g {
  if rank(g) >= 2 {
    reshape(for row in reshape(g, shape(g)[0], -1) { row - mean(row) }, shape(g))
  } else {
    g
  }
}

/// The gradient with that of rate / 2 * |p|^2 added.
transform weight_decay(rate = 1e-4) for p, g {
  g + rate * p
}

/// The gradient with normal noise of variance eta / (1 + t)^power added (Neelakantan et al. 2015).
transform noise(eta = 0.01, power = 0.55) for p, g {
  g + sqrt(eta / (real(step) + 1.0)^power) * randn(shape(p))
}

/// A running mean of the gradient in its place, corrected for its start at 0.
transform average(decay = 0.9) for p, g {
  state m = zeros_like(p)
  set m = lerp(g, m, decay)
  debias(m, decay, step)
}

/// The gradient times a number or a schedule.
transform scale(rate: schedule) for p, g {
  rate(step) * g
}
