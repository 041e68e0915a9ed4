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

/// values[t], and the last value afterwards: `table(rates)`.
fn table(values) = |t| values[min(t, len(values) - 1)]

/// A straight line up to the peak for `warmup` steps, the peak for `stable` steps, a straight line down to `to` for `decay` steps (Hu et
/// al. 2024, with a line for the decay).
fn warmup_stable_decay(peak, warmup, stable, decay, to = 0.0) = |t| if t < warmup {
  peak * (real(t) + 1.0) / real(warmup)
} else {
  lerp(peak, to, progress(t - warmup - stable, decay))
}

/// A straight line up to the peak for `warmup` steps, then peak * sqrt(warmup / t) (Vaswani et al. 2017, equation 3).
fn inverse_sqrt(peak, warmup) = |t| peak * min((real(t) + 1.0) / real(warmup), sqrt(real(warmup) / (real(t) + 1.0)))

/// `again` from its start every `period` steps: `restarts(cosine(0.1, 100), 100)` has warm restarts (Loshchilov and Hutter 2017).
fn restarts(again: schedule, period) = |t| again(mod(t, period))

/// Up from `low` to `high` and down again in straight lines of `half` steps each, over and over (Smith 2017).
fn triangular(low, high, half) = |t| high - (high - low) * abs(real(mod(t, 2 * half)) / real(half) - 1.0)

/// What `plateau` starts from: a record with the rate.
fn plateau_start(rate) = {rate: 1.0 * rate, lowest: inf, waited: 0}

/// A rate that falls by `factor`, down to `least`, whenever a recorded value has not fallen below its lowest by a share `threshold` for
/// `patience` times. It is a state of the stage, which may be set at each step or in an `every`:
/// `state s = plateau_start(0.1)`, `minimize .. using sgd(lr: |t| s.rate)`, `every 1 epoch { set s = plateau(s, loss) }`.
fn plateau(s, value, factor = 0.1, patience = 10, threshold = 1e-4, least = 0.0) {
  let seen = is_finite(s.lowest)
  let lowest = if seen { s.lowest } else { value + 1.0 }
  let better = not seen or value < lowest - threshold * abs(lowest)
  let waited = if better { 0 } else { s.waited + 1 }
  let tired = waited > patience
  {
    rate: if tired { max(factor * s.rate, least) } else { s.rate },
    lowest: if better { value } else { lowest },
    waited: if tired { 0 } else { waited }
  }
}

/// The schedule, as one value for each step, that an analysis of the last iterate finds best for gradients of the lengths `norms`,
/// which an earlier run of as many steps recorded: w_t times the sum of all later w, w_t = norm_t^-power, with norms smoothed by a
/// running median of `width` steps, a tenth of all if left out (Defazio et al. 2023, algorithm 1). `power` is 2 for gradient descent with
/// Euclidean lengths, 1 for Adam with sums of absolute values. Scaled to the highest value of linear decay, which is what equal
/// norms give: 1 - (t + 1) / T. Kept as a state it is computed once: `state rates = refined(first.log.length)`,
/// `using sgd(lr: |t| 0.1 * rates[t])`.
fn refined(norms: real[n], width = none, power = 2.0) {
  let w = running_median(norms, if provided(width) { width } else { max(div(n, 10), 1) })^(-power)
  let later = flip(cumsum(flip(w))) - w
  let rates = w / max(w) * later
  rates / max(rates) * (1.0 - 1.0 / real(n))
}

/// The median of `width` values around each, with those at the ends mirrored.
fn running_median(x: real[n], width) {
  let around = iota(width) - div(width, 2)
  let (_, out) = scan (c = 0) for i in 0..n {
    let j = i + around
    let inside = select(j < 0, -1 - j, select(j >= n, 2 * n - 1 - j, j))
    next c = c
    yield median(gather(x, inside))
  }
  out
}

/// An int rounded up to one of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, ..: 2^k or 3 * 2^k. `batch(size: rung(n))` compiles a step for few sizes,
/// none of which is more than half as large again as `n`, or 2 larger. What is below 1 stays as it is.
fn rung(n) {
  let twos = for k in 0..30 { shift_left(1, k) }
  let threes = 3 * twos
  let top = threes[-1]
  let up = min(min(select(twos >= n, twos, top)), min(select(threes >= n, threes, top)))
  if n < 1 { n } else { up }
}
