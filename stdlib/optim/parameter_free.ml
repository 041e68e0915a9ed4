// Optimizers that find their learning rate by how far the parameters have come from where they started.

/// p - scale r / sqrt(sum of |g|^2) g, r the largest distance from the start so far, at least `first` (1 + |start|) (Ivgi, Hinder and
/// Carmon 2023, the step size DoG). Steps of average iterates are better: `swa(dog())` keeps them.
optimizer dog(scale = 1.0, first = 1e-6, eps = 1e-8) for all p, g {
  state start = p
  state far = first * (1.0 + norm(p))
  state total = 0.0
  set far = max(far, norm(p - start))
  set total = total + sqnorm(g)
  p - scale * far / sqrt(total + eps) * g
}

/// p - scale r^2 / sqrt(sum of r^2 |g|^2) g, r as in `dog`: late gradients count more (Khaled, Mishchenko and Jin 2023, algorithm 1).
optimizer dowg(scale = 1.0, first = 1e-4, eps = 1e-8) for all p, g {
  state start = p
  state far = first * (1.0 + norm(p))
  state total = 0.0
  set far = max(far, norm(p - start))
  set total = total + far * far * sqnorm(g)
  p - scale * far * far / sqrt(total + eps) * g
}

/// Adam that estimates the distance d from the start to the solution and takes it for its learning rate (Mishchenko and Defazio 2024,
/// Prodigy, the version for Adam). `lr` is a factor, 1 or a schedule below it; `first` is smaller than the distance. `decay` is
/// decoupled.
optimizer prodigy(lr: schedule = 1.0, b1 = 0.9, b2 = 0.999, eps = 1e-8, first = 1e-6, decay = 0.0) for all p, g {
  state start = p
  state d = first
  state m = zeros_like(p)
  state v = zeros_like(p)
  state s = zeros_like(p)
  state r = 0.0
  let rate = lr(step)
  let b = sqrt(b2)
  set m = b1 * m + (1.0 - b1) * d * g
  set v = b2 * v + (1.0 - b2) * d * d * square(g)
  set r = b * r + (1.0 - b) * rate * d * d * dot(g, start - p)
  set s = b * s + (1.0 - b) * rate * d * d * g
  let move = map(|m, v| m / (sqrt(v) + d * eps), m, v)
  let before = d
  set d = max(d, r / max(sum(abs(flatten(s))), 1e-30))
  p - rate * before * (move + decay * p)
}
