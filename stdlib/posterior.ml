// Using a fit: draws of the posterior, and of what it predicts. `export` writes them to files for other programs.

/// `n` draws of a guide, or of any model: its trace with an axis of draws first.
fn draws(q, n = 1000) = for i in 0..n {
  let (t, _) = sample(q)
  t
}

/// What the model `p` gives for each of the draws `d` of some of its sites: the traces of the others. Sites must not be observed:
/// `predicted(line(x), d)` where the guide was fitted to `line(x) given {y}`.
fn predicted(p, d) = for t in d {
  let (s, _) = sample(p given t)
  s
}
