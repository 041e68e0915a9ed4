// Models written otherwise.

/// The model with sites drawn around 0 with spread 1, and moved and scaled for the model (Papaspiliopoulos, Roberts
/// and Skold 2007): the trace has the draw before that. `part` between 0 and 1, which may be a parameter, leaves as
/// much of the centre and the spread in the draw (Gorinova, Moore and Hoffman 2020). The distribution declares
/// `apart(part)`, as `normal` does.
fn noncentred(m, site, part = 0.0) = exchange(m, site, |d| d.apart(part))

/// The model in which a site's log density counts `by` times: 0 leaves out what is missing; `by` may go from 0 to 1
/// in training.
fn scaled(m, site, by) = exchange(m, site, |d| (weighed(d, by), |x| x))

/// `d`, whose log density counts `by` times. Draws are those of `d`.
dist weighed(d, by) on d.on {
  logpdf(x) = by * d.logpdf(x)
  sample() = d.sample()
  noise() where reparameterised(d) = d.noise()
  transform(e) where reparameterised(d) = d.transform(e)
}
