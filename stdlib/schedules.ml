// Schedules: functions from a step, counted from 0, to a number. Where a schedule is asked for, a number is a constant one. Schedules of
// a fixed length keep their last value afterwards.

/// How much of `steps` steps is done, between 0 and 1.
fn progress(t, steps) = clip(real(t) / real(steps), 0.0, 1.0)

/// The same value at every step.
fn constant(value) = |t| value

/// From one value to another in a straight line.
fn linear(from, to, steps) = |t| lerp(from, to, progress(t, steps))

/// Half a cosine from one value down to another (Loshchilov and Hutter 2017, equation 5, without restarts).
fn cosine(from, steps, to = 0.0) = |t| to + 0.5 * (from - to) * (1.0 + cos(pi * progress(t, steps)))

/// from * rate^(t / steps)
fn exponential(from, rate, steps = 1) = |t| from * exp(log(rate) * real(t) / real(steps))

/// from * rate^floor(t / steps): the value falls by the factor `rate` every `steps` steps.
fn step_decay(from, rate, steps) = |t| from * exp(log(rate) * floor(real(t) / real(steps)))

/// From one value to another along a power of the way left.
fn polynomial(from, steps, to = 0.0, power = 1.0) = |t| to + (from - to) * (1.0 - progress(t, steps))^power

/// A straight line from nothing up to the first value of `then` for `steps` steps, after which `then` starts.
fn warmup(steps, then: schedule) = |t| if t < steps {
  then(0) * (real(t) + 1.0) / real(steps)
} else {
  then(t - steps)
}

/// Up from peak / start to the peak and down to peak / (start * end), each half a cosine; `up` is the share of the steps that go up
/// (Smith and Topin 2019, with cosines in place of lines).
fn one_cycle(peak, steps, up = 0.3, start = 25.0, end = 1e4) = |t| one_cycle_at(progress(t, steps), peak, up, start, end)

/// `one_cycle` where a share `u` of the steps is done.
fn one_cycle_at(u, peak, up, start, end) {
  let low = peak / start
  let rise = low + 0.5 * (peak - low) * (1.0 - cos(pi * clip(u / up, 0.0, 1.0)))
  let last = low / end
  let fall = last + 0.5 * (peak - last) * (1.0 + cos(pi * clip((u - up) / (1.0 - up), 0.0, 1.0)))
  if u < up { rise } else { fall }
}

/// values[i] from step bounds[i - 1] on: `piecewise([100, 200], [1.0, 0.1, 0.01])`. There is one bound less than there are values.
fn piecewise(bounds, values) = |t| gather(stack(values), sum(int(for b in bounds { t >= b })))

/// An int rounded up to one of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, ..: 2^k or 3 * 2^k. `batch(size: rung(n))` compiles a step for few sizes,
/// none of which is more than half as large again as `n`, or 2 larger. What is below 1 stays as it is.
fn rung(n) {
  let twos = for k in 0..30 { shift_left(1, k) }
  let threes = 3 * twos
  let top = threes[-1]
  let up = min(min(select(twos >= n, twos, top)), min(select(threes >= n, threes, top)))
  if n < 1 { n } else { up }
}
