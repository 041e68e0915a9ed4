// Losses of one example: of a set, take the mean over a `for`. Values and derivatives are finite wherever the exact ones are.
// Logits are unbounded scores, whose softmax, or sigmoid if there is one, is a probability; labels are integers below the
// number of logits, or 0 and 1 where there is one logit. Losses of tensors are means over the elements.

/// Minus the log probability of a label: -log softmax(logits)[label]. With `smoothing`, a share s of the label's weight goes to all
/// k labels evenly: (1 - s) of that plus s times its mean over the labels (Szegedy et al. 2016, section 7).
fn cross_entropy(logits: real[k], label, smoothing = 0.0) {
  let costs = logsumexp(logits) - logits
  if _some(smoothing) { lerp(costs[label], mean(costs), smoothing) } else { costs[label] }
}

/// Is a share other than zero? What a zero multiplies is left out.
fn _some(s) = within(s, 0.0, 1.0) != 0.0

/// The cross entropy of probabilities `target` and a softmax: -sum(target * log softmax(logits)).
fn soft_cross_entropy(logits: real[k], target: real[k]) = dot(target, logsumexp(logits) - logits)

/// Minus the log probability of y, 0 or 1 or between: -y log p - (1 - y) log(1 - p) for p = sigmoid(logit). With `smoothing` s, y
/// becomes (1 - s) y + s / 2.
fn binary_cross_entropy(logit, y, smoothing = 0.0) {
  let t = (1.0 - smoothing) * real(y) + 0.5 * smoothing
  mean(t * softplus(-logit) + (1.0 - t) * softplus(logit))
}

/// The cross entropy with a weight (1 - p)^gamma, where p is the probability of the label, so that what is known counts little (Lin
/// et al. 2017, equation 4).
fn focal(logits: real[k], label, gamma = 2.0) {
  let total = logsumexp(logits)
  let others = logsumexp(select(one_hot(label, k) > 0.5, -inf, logits))
  exp(gamma * (others - total)) * (total - logits[label])
}

/// `focal` of one logit, for y = 0 or 1. `alpha`, if given, is the weight of y = 1, and 1 - alpha that of y = 0 (Lin et al. 2017,
/// equation 5).
fn binary_focal(logit, y, gamma = 2.0, alpha = none) {
  let toward = _signs(y) * logit
  let weight = if provided(alpha) { 1.0 - alpha + real(y) * (2.0 * alpha - 1.0) } else { ones_like(toward) }
  mean(weight * exp(-gamma * softplus(toward)) * softplus(-toward))
}

/// -1 for 0 and 1 for 1.
fn _signs(y) = 2.0 * real(y) - 1.0

/// max(0, 1 - score) for y = 1, max(0, 1 + score) for y = 0 (Cortes and Vapnik 1995).
fn hinge(score, y) = mean(relu(1.0 - _signs(y) * score))

/// The square of `hinge`, element by element.
fn squared_hinge(score, y) = mean(square(relu(1.0 - _signs(y) * score)))

/// How far the label's score fails to be above all others by `margin`: max(0, margin + the largest other score - that of the label)
/// (Crammer and Singer 2001).
fn multiclass_hinge(scores: real[k], label, margin = 1.0) {
  let others = select(one_hot(label, k) > 0.5, -inf, scores)
  relu(margin + max(others) - scores[label])
}

/// The mean of (x - y)^2.
fn squared_error(x, y) = mean(square(x - y))

/// The mean of |x - y|.
fn absolute_error(x, y) = mean(abs(x - y))

/// The mean of d^2 / 2 where |d| = |x - y| is at most delta, and delta (|d| - delta / 2) beyond (Huber 1964).
fn huber(x, y, delta = 1.0) {
  let d = abs(x - y)
  let near = min(d, delta)
  mean(near * (d - 0.5 * near))
}

/// The mean of log cosh(x - y).
fn log_cosh(x, y) = mean(logaddexp(x - y, y - x) - log(2.0))

/// The mean of q d where d = y - x is positive, and (q - 1) d elsewhere, which the q-quantile of y makes least (Koenker and Bassett
/// 1978): the quantile loss.
fn pinball(x, y, q = 0.5) {
  let d = y - x
  mean(max(q * d, (q - 1.0) * d))
}

/// The mean of what |x - y| exceeds `epsilon` by (Vapnik 1995).
fn epsilon_insensitive(x, y, epsilon = 0.1) = mean(relu(abs(x - y) - epsilon))

/// Minus the log probability of counts y, up to what depends on y alone: the mean of exp(log_rate) - y log_rate.
fn poisson_loss(log_rate, y) = mean(exp(log_rate) - real(y) * log_rate)

/// 1 - (2 sum(p y) + smooth) / (sum(p) + sum(y) + smooth) for p = sigmoid(logits): one less the overlap of a picture and its mask of
/// 0 and 1 (Milletari et al. 2016, with sums in the place of sums of squares).
fn dice(logits, y, smooth = 1.0) {
  let p = sigmoid(logits)
  1.0 - (2.0 * dot(p, real(y)) + smooth) / (sum(p) + sum(real(y)) + smooth)
}

/// The divergence of a student's probabilities from a teacher's, both softened by a temperature, times its square (Hinton et al.
/// 2015). No derivative goes to the teacher.
fn distillation(student: real[k], teacher: real[k], temperature = 1.0) {
  let s = log_softmax(student / temperature)
  let t = log_softmax(stop(teacher) / temperature)
  temperature^2 * dot(exp(t), t - s)
}

/// The Euclidean distance, whose derivative is zero where the points are one.
fn distance(a: real[n], b: real[n]) {
  let s = sqnorm(a - b)
  select(s > 0.0, sqrt(select(s > 0.0, s, 1.0)), 0.0)
}

/// The cosine of the angle between two vectors; 0, with derivative 0, where one of them is zero.
fn cosine_similarity(a: real[n], b: real[n]) = dot(direction(a), direction(b))

/// A vector divided by its length; zero stays zero. Large and small elements do not overflow.
fn direction(a: real[n]) {
  let size = max(abs(a))
  let some = size > 0.0
  let u = a / select(some, stop(size), 1.0)
  let s = sqnorm(u)
  select(some, 1.0, 0.0) * u / sqrt(select(some, s, 1.0))
}

/// D^2 / 2 of a pair that is `same`, and max(0, margin - D)^2 / 2 of one that is not, for the distance D (Hadsell et al. 2006,
/// equation 4).
fn contrastive(a: real[n], b: real[n], same, margin = 1.0) {
  let t = real(same)
  0.5 * (t * sqnorm(a - b) + (1.0 - t) * square(relu(margin - distance(a, b))))
}

/// max(0, D(anchor, positive)^2 - D(anchor, negative)^2 + margin) for the distance D (Schroff et al. 2015, equation 3).
fn triplet(anchor: real[n], positive: real[n], negative: real[n], margin = 0.2) =
  relu(sqnorm(anchor - positive) - sqnorm(anchor - negative) + margin)

/// Of rows that belong together in pairs: the mean cross entropy of a row's partner among all, by cosines divided by a temperature
/// (van den Oord et al. 2018, equation 4; cosines as in Chen et al. 2020).
fn info_nce(a: real[m, n], b: real[m, n], temperature = 0.1) {
  let (u, v) = (for r in a { direction(r) }, for r in b { direction(r) })
  mean(for (scores, i) in (u @ v.T / temperature, 0..m) { cross_entropy(scores, i) })
}

/// -log sigmoid(better - worse): the pair is in the right order (Burges et al. 2005; Rendle et al. 2009).
fn pairwise_logistic(better, worse) = mean(softplus(worse - better))

/// max(0, margin - (better - worse)).
fn pairwise_hinge(better, worse, margin = 1.0) = mean(relu(margin - better + worse))
