// Adding 32-bit numbers: one after another (`strict`), from the last to the first, in pairs, with Kahan's compensation
// in a `scan`, and as the compiler likes it (sixteen lanes and a tree). What each gives is certain to the last bit.
// Runs in a moment.

/// Each addend is corrected by what the addition before it lost (Kahan 1965).
fn kahan(x: real[n]) {
  let r = scan (s = 0.0, lost = 0.0) for v in x {
    let y = v - lost
    let t = s + y
    next s = t
    next lost = (t - s) - y
  }
  r.s
}

/// Sums of neighbours, then sums of neighbours of those; `n` is a power of two.
fn pairwise(x: real[n]) = if n == 1 { x[0] } else { pairwise(x[0..n: 2] + x[1..n: 2]) }

/// A sum in each order.
fn sums(x: real[n]) = {
  first_to_last: strict { sum(x) },
  last_to_first: strict { sum(flip(x)) },
  pairs: pairwise(x),
  lanes: sum(x),
  kahan: kahan(x),
}

// 2^24, from which on a 32-bit real has no odd numbers, and 1023 ones.
let steep = concat([16777216.0], ones(1023))
let harmonic = 1.0 / real(iota(65536) + 1)

/// What each is worth more than the sum in 64 bits.
fn errors(x: real[n]) = map(|s| f64(s) - sum(f64(x)), sums(x))

stage compare = compute {
  let (s, h) = (errors(steep), errors(harmonic))
  log steep = [s.first_to_last, s.last_to_first, s.pairs, s.lanes, s.kahan]
  log harmonic = [h.first_to_last, h.last_to_first, h.pairs, h.lanes, h.kahan]
}

test "after 2^24, ones are lost one by one, and none if they meet first or are compensated" {
  let s = sums(steep)
  assert s.first_to_last == 16777216.0
  assert s.pairs == 16778238.0
  // One lane of sixteen begins with 2^24 and loses its 63 ones.
  assert s.lanes == 16778176.0
  // The sum is 16778239, halfway between two 32-bit numbers; the even one is its rounding.
  assert s.last_to_first == 16778240.0
  assert s.kahan == 16778240.0
  assert sum(f64(steep)) == 16778239.0
}

test "small addends first, or compensated" {
  let s = sums(harmonic)
  assert s.first_to_last == 11.667428016662598
  assert s.last_to_first == 11.667588233947754
  assert s.pairs == 11.667581558227539
  assert s.kahan == 11.66757869720459
  assert s.kahan == f32(sum(f64(harmonic)))
}
