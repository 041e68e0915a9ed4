// Learning rates for the last iterate, from the lengths of gradients.

/// A row for each value: the `width` values around it; the ends are mirrored about their last value. `width` is odd and at most
/// 2 len(x) - 1.
fn windows(x: real[n], width) {
  let h = div(width, 2)
  if mod(width, 2) == 0 or h >= n { refuse("`width` must be odd and at most 2 len(x) - 1", hint: "`odd_below(w)` makes a number odd") }
  let wide = concat(flip(x[1..h + 1]), x, flip(x[n - 1 - h..n - 1]))
  for i in 0..n { wide[i + iota(width)] }
}

/// The median of the `width` values around each one.
fn median_filter(x: real[n], width) = median(windows(x, width), axis: 1)

/// The root of the mean square of the `width` values around each one: the lengths that the bound asks for, where single ones are mostly 0.
fn rms_filter(x: real[n], width) = sqrt(mean(square(windows(x, width)), axis: 1))

/// The largest odd number up to `n`, at least 1.
fn odd_below(n) = max(n - 1 + mod(n, 2), 1)

/// The bound on how far the loss of the last iterate is above the least one, where `distance` is that of the start from the best point:
/// (distance^2 + sum w_t^2 length_t^2) / (2 sum w_t), for steps at the rates w_t sum_{s > t} w_s / sum w (Defazio et al. 2023, theorem 1).
fn last_iterate_bound(w: real[n], lengths: real[n], distance) = (distance^2 + sum(square(w * lengths))) / (2.0 * sum(w))

/// The schedule that makes the bound on the last iterate of stochastic descent least, for gradients of the lengths `lengths`: rates
/// w_t sum_{s > t} w_s with w = 1 / length^2, divided by the largest (Defazio et al. 2023, theorem 3 and algorithm 1). Lengths are
/// smoothed over a share `tau` of the steps first, and what is below `floor` times the largest is taken for that. With `power` 1 it is the
/// form for Adam, whose lengths are of the l1 norm. For lengths that are all the same it is the straight line 1 - t / (n - 1).
fn refined(lengths: real[n], tau = 0.1, power = 2.0, smooth = median_filter, floor = 1e-3) {
  let smoothed = smooth(lengths, odd_below(int(tau * real(n))))
  let size = log(max(smoothed, floor * max(smoothed)))
  let w = exp(-power * (size - min(size)))
  let later = flip(cumsum(flip(w))) - w
  let rates = w * later
  rates / max(rates)
}

/// A table of rates as a schedule, times `peak`.
fn looked_up(rates: real[n], peak = 1.0) = |t| peak * rates[min(t, n - 1)]
