// Optimizers for objectives with a part that has no gradient, and for parameters that may not lie everywhere.
//
// A proximal map is a function of a tensor q and a rate r, the x that makes |x - q|^2 / (2 r) + h(x) least. A projection is a
// function of a tensor, the nearest place that is allowed.

/// The proximal map of weight * |x|_1: elements go toward 0 by r weight, and stay there.
fn soft_threshold(weight) = |q, r| sign(q) * relu(abs(q) - r * weight)

/// The proximal map of weight * |x|_2: the whole tensor goes toward 0 by r weight, and stays there.
fn shrink(weight) = |q, r| relu(1.0 - r * weight / max(norm(q), 1e-30)) * q

/// The proximal map of weight / 2 * |x|^2.
fn ridge(weight) = |q, r| q / (1.0 + r * weight)

/// A projection as a proximal map, whatever the rate.
fn within_set(project) = |q, r| project(q)

/// The projection onto the elements between two values.
fn box(low = -inf, high = inf) = |q| clip(q, low, high)

/// The projection onto tensors of at most that length.
fn ball(radius = 1.0) = |q| min(1.0, radius / max(norm(q), 1e-30)) * q

/// The projection onto vectors of elements that are not negative and sum to `total` (Duchi et al. 2008, figure 1).
fn simplex_of(total = 1.0) = |q| _onto_simplex(q, total)

fn _onto_simplex(q: real[n], total) {
  let s = sort(q, descending: true)
  let levels = (cumsum(s) - total) / (1.0 + real(iota(n)))
  let inside = sum(select(s > levels, 1, 0))
  relu(q - levels[inside - 1])
}

/// `inner`, after which each tensor goes to the nearest place that is allowed: projected gradient descent around `sgd` (Goldstein
/// 1964).
optimizer projected(inner, onto) for p, g {
  onto(inner(p, g))
}

/// prox(p - lr g, lr): the gradient of the smooth part, then the proximal map of the rest (ISTA: Beck and Teboulle 2009, equation
/// 1.4 and section 3).
optimizer proximal(lr: schedule = 0.01, prox) for p, g {
  let rate = lr(step)
  prox(p - rate * g, rate)
}

/// `proximal` with momentum (FISTA: Beck and Teboulle 2009, equations 4.1 to 4.3). The parameters in training are where gradients are
/// taken; those to use are the state `x`: `fit.states.w.fista.x`.
optimizer fista(lr: schedule = 0.01, prox) for p, g {
  state x = p
  state t = 1.0
  let rate = lr(step)
  let before = x
  let old = t
  set x = prox(p - rate * g, rate)
  set t = 0.5 * (1.0 + sqrt(1.0 + 4.0 * old * old))
  x + (old - 1.0) / t * (x - before)
}

/// back(to(p) - lr g): descent where `to` is the gradient of the mirror map, `back` its inverse (Nemirovski and Yudin 1983; Beck and
/// Teboulle 2003). By default the entropy of positive numbers: p exp(-lr g).
optimizer mirror_descent(lr: schedule = 0.01, to = log, back = exp) for p, g {
  back(to(p) - lr(step) * g)
}

/// p exp(-lr g) over its sum along the last axis: mirror descent on the simplex (Kivinen and Warmuth 1997).
optimizer exponentiated(lr: schedule = 0.01) for p, g {
  softmax(log(p) - lr(step) * g)
}

/// The parameters that make the sum of all gradients so far, the squared distances from where they were taken and the penalties
/// l1 |p|_1 + l2 / 2 |p|^2 least: FTRL-proximal (McMahan et al. 2013, algorithm 1), with rates lr / (beta + sqrt(sum of g^2)). It
/// starts at p.
optimizer ftrl(lr = 0.1, beta = 1.0, l1 = 0.0, l2 = 0.0) for p, g {
  state n = zeros_like(p)
  state z = -(beta / lr + l2) * p - l1 * sign(p)
  let more = n + square(g)
  set z = z + g - (sqrt(more) - sqrt(n)) / lr * p
  set n = more
  let size = (beta + sqrt(n)) / lr + l2
  -sign(z) * relu(abs(z) - l1) / size
}
