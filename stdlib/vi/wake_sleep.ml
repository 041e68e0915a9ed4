// Training of a model and of its guide, each by an objective of its own (Hinton, Dayan, Frey and Neal 1995). All are to be
// maximised, and no derivative passes through a draw, so sites may be of any kind. Guides that are both drawn from and scored have
// exact densities.

use std.vi.held

let _instead = "weights take one over the guide's density; use `iwelbo(p, q, n)`, or `sleep`, which only scores the guide"

/// `n` traces of the guide with their log densities by the model and by the guide.
fn _traces(p, q, n) = for i in 0..n {
  let (t, _) = stop(sample(q, strategy: held))
  (logdensity(p, t), logdensity(q, t))
}

/// For the model, given the guide: its gradient is that of the importance-weighted bound by the model's parameters (Bornschein and Bengio
/// 2015).
fn wake_model(p, q, n) {
  needs_exact(q, hint: _instead)
  let (lp, lq) = _traces(p, q, n)
  logmeanexp(lp - stop(lq))
}

/// For the guide, given the model: E_posterior[log q], whose greatest is the least KL(posterior, q) (Bornschein and Bengio
/// 2015). Biased: the posterior is `n` weighted traces of the guide.
fn wake_guide(p, q, n) {
  needs_exact(q, hint: _instead)
  let (lp, lq) = _traces(p, q, n)
  plug_in(dot(stop(softmax(lp - lq)), lq))
}

/// For the guide: E[log q(t; x)] over traces drawn from the model `p`, of which nothing is conditioned (Bornschein and Bengio
/// 2015). `q` is a function from the part `observed` to a guide: `sleep(p(), |x| guide(x.x), [.x])`.
fn sleep(p, q, observed) {
  let (t, _) = stop(sample(p, strategy: held))
  logdensity(q(only(t, observed)), without(t, observed))
}

/// Reweighted wake-sleep: worth the importance-weighted bound, with the gradient of `wake_model` by the model's parameters and
/// of `wake_guide` by the guide's (Bornschein and Bengio 2015).
fn rws(p, q, n) {
  needs_exact(q, hint: _instead)
  let (lp, lq) = _traces(p, q, n)
  logmeanexp(lp - stop(lq)) + plug_in(dot(stop(softmax(lp - lq)), tangent(lq)))
}
