// Paper: Xu, Nie, Vahdat, "One-step Diffusion Models with f-Divergence Distribution Matching" (2025).
// Claim: A student of one step learns from scores by any f-divergence; the weight of a draw decides how much it seeks modes.
// Shown: For normal students of two bumps the estimates are within 2 standard errors of the derivatives of the divergence, for five of
//   them. From wherever it starts reverse KL ends on the larger bump (-2.00, 0.60), forward KL from a wide start on the moments (-0.80,
//   1.93); from the bump it is slow. Nets that learn from learned scores and ratios put 80 % of their draws on five bumps (the teacher:
//   86 %; a ring: 40 %), whatever the divergence.
// Not shown: That Jensen-Shannon is the best of all: normal students of it stay where they start, and one bump (0.234) is better for it
//   than both (0.311); nets differ less by divergence (shares 0.79 to 0.82) than by seed. Nor any pictures.
// Takes: 12 to 25 seconds; 2 with `--set small=true`.
// Vary: `--seed` for other draws, `--set start=0.5` for another start of the normal students.

use std.dist.normal
use std.distillation.{
  reverse_kl, forward_kl, jensen_shannon, squared_hellinger, softened_reverse_kl, draw_weight, f_distill, by_weight, balanced,
}
use std.nn.mlp
use std.optim.adam
use std.schedules.cosine

let small = false
let steps = if small { 500 } else { 1500 }
let rounds = if small { 600 } else { 1500 }
let batch = if small { 64 } else { 128 }
let nets = if small { 2 } else { 5 }
let start = -1.5

let kinds = [reverse_kl, softened_reverse_kl, jensen_shannon, squared_hellinger, forward_kl]

// The first teacher: two bumps. The students are normal, so that their scores and the divergence are known.

fn log_p(x) = logaddexp(log(0.7) + normal(-2.0, 0.6).logpdf(x), log(0.3) + normal(2.0, 0.6).logpdf(x))
fn log_q(x, mu, s) = normal(mu, s).logpdf(x)

let moments = {mean: -0.8, std: sqrt(0.36 + 0.84 * 4.0)}

/// By quadrature, in 64 bits.
fn divergence(f, mu, s) {
  let (m, t) = (f64(mu), f64(s))
  0.01 * sum(for x in f64(linspace(-12.0, 12.0, 2401)) { exp(log_q(x, m, t)) * f(exp(log_p(x) - log_q(x, m, t))) })
}

fn estimate(f, mu, s) {
  let x = mu + s * randn()
  let (y, m, t) = (stop(x), stop(mu), stop(s))
  f_distill(f, x, grad(log_p(y), wrt: y), grad(log_q(y, m, t), wrt: y), log_p(y) - log_q(y, m, t))
}

/// Draws of the gradient at (-1, 1.3), and how far their mean is from that of the divergence, in standard errors.
stage gradients(f) = compute {
  let (mu, s) = (-1.0, 1.3)
  let exact = stack(grad(divergence(f, mu, s), wrt: (mu, s)))
  let draws = for i in 0..100000 { stack(grad(estimate(f, mu, s), wrt: (mu, s))) }
  log exact = exact, estimate = mean(draws, axis: 0)
  log standard_errors = (mean(draws, axis: 0) - exact) / (std(draws, axis: 0) / sqrt(100000.0))
}

/// Five students that start at the larger bump, and five that start wide.
param mu = full(start, 5)
param s in positive = full(0.7, 5)
param wide_mu = full(0.0, 5)
param wide_s in positive = full(2.5, 5)

fn objective(f, mu, s) = sum(for (m, t) in (mu, s) { mean(for i in 0..256 { estimate(f, m, t) }) })

stage learn(f) = train for steps steps {
  let o = adam(lr: cosine(if small { 0.05 } else { 0.02 }, steps))
  minimize objective(f, mu, s) over mu, s using o
  minimize objective(f, wide_mu, wide_s) over wide_mu, wide_s using o
}

stage normal_students = compute {
  log standard_errors = for f in kinds { gradients(f).log.standard_errors[0] }
  log mu = for f in kinds { learn(f).mu }, s = for f in kinds { learn(f).s }
  log wide_mu = for f in kinds { learn(f).wide_mu }, wide_s = for f in kinds { learn(f).wide_s }
  log divergence = for f in kinds { mean(for (m, t) in (learn(f).mu, learn(f).s) { divergence(f, m, t) }) }
  log wide_divergence = for f in kinds { mean(for (m, t) in (learn(f).wide_mu, learn(f).wide_s) { divergence(f, m, t) }) }
}

// The second teacher: five bumps on a ring, seen through noise. The students are nets; their scores are learned by denoising, and the ratio
// by a critic that tells draws apart.

let width = 0.25
let centres = for i in 0..5 { 2.0 * stack([cos(0.4 * pi * real(i)), sin(0.4 * pi * real(i))]) }

fn ring_draw() = centres[randint(0, 5)] + width * randn([2])

fn log_ring(x, noise) {
  let v = width^2 + noise^2
  logmeanexp(for c in centres { -0.5 * sqnorm(x - c) / v - log(2.0 * pi * v) })
}

fn silu(x) = x * sigmoid(x)

net students[nets] = mlp([2, 48, 48, 2], act: tanh)
net fakes[nets] = mlp([3, 48, 48, 2], act: silu)
net critics[nets] = mlp([3, 48, 48, 1], act: silu)

fn seen(x, noise) = concat(x, [log(noise)])
fn fake_score(fake, x, noise) = fake(seen(x, noise)) / noise
fn log_ratio(critic, x, noise) = critic(seen(x, noise))[0]

fn denoising(fake, x, noise, e) = sqnorm(noise * fake_score(fake, x + noise * e, noise) + e)

fn telling_apart(critic, x, noise, e) =
  softplus(-log_ratio(critic, ring_draw() + noise * randn([2]), noise)) + softplus(log_ratio(critic, x + noise * e, noise))

/// A batch of draws, seen through noise, with scores times the noise and weights over their mean.
fn distilled(f, student, fake, critic, noise, e) {
  let t = for (t, u) in (noise, e) {
    let x = student(randn([2])) + t * u
    let y = stop(x)
    let weight = draw_weight(f, exp(clip(log_ratio(critic, y, t), -8.0, 8.0)))
    {x, p: t * grad(log_ring(y, t), wrt: y), q: t * fake_score(fake, y, t), weight}
  }
  mean(for (r, w) in (t, balanced(t.weight)) { by_weight(r.x, r.p, r.q, w) })
}

stage distil(f) = train for rounds steps {
  let noise = exp(log(0.1) + log(10.0) * rand(batch))
  let e = randn([batch, 2])
  let made = stop(for s in students { for i in 0..batch { s(randn([2])) } })
  minimize sum(for (n, xs) in (fakes, made) { mean(for (x, t, u) in (xs, noise, e) { denoising(n, x, t, u) }) })
    over fakes
    using adam(lr: 4e-3)
  minimize sum(for (n, xs) in (critics, made) { mean(for (x, t, u) in (xs, noise, e) { telling_apart(n, x, t, u) }) })
    over critics
    using adam(lr: 4e-3)
  minimize sum(for (s, n, c) in (students, fakes, critics) { distilled(f, s, n, c, noise, e) })
    over students
    using adam(lr: cosine(3e-3, rounds))
}

/// Of draws of five students: the share within two widths of a bump, how many bumps have a tenth of what is due to them, and the total
/// variation between the bumps' shares and even ones.
fn judged(ss) = for s in ss {
  let xs = for i in 0..2000 { s(randn([2])) }
  let near = for c in centres { mean(for x in xs { real(norm(x - c) < 2.0 * width) }) }
  {on_bumps: sum(near), covered: count(near > 0.02), uneven: 0.5 * sum(abs(near / (sum(near) + 1e-9) - 0.2))}
}

let net_kinds = [reverse_kl, jensen_shannon, forward_kl]

stage net_students = compute {
  let (a, b, c, none_yet) = (judged(distil(reverse_kl).students), judged(distil(jensen_shannon).students),
    judged(distil(forward_kl).students), judged(students))
  log on_bumps = stack([a.on_bumps, b.on_bumps, c.on_bumps]), on_bumps_at_first = none_yet.on_bumps
  log covered = stack([a.covered, b.covered, c.covered]), uneven = stack([a.uneven, b.uneven, c.uneven])
}

let line = linspace(-5.0, 5.0, 201)

fn density(f, wide) {
  let r = learn(f)
  let (m, t) = if wide { (r.wide_mu[0], r.wide_s[0]) } else { (r.mu[0], r.s[0]) }
  exp(for x in line { log_q(x, m, t) })
}

/// Where draws fall, on a grid of 48 by 48 over [-3, 3]^2.
fn map_of(s) {
  let xs = for i in 0..8000 { s(randn([2])) }
  let cell = |v| clip(int(floor((v + 3.0) * 8.0)), 0, 47)
  min(real(reshape(bincount(cell(xs[.., 0]) * 48 + cell(xs[.., 1]), 48 * 48), 48, 48)) / 20.0, 1.0)
}

fn teacher() = exp(for x in line { log_p(x) })

fn densities(wide) = {
  x: line, teacher: teacher(), reverse_kl: density(reverse_kl, wide), jensen_shannon: density(jensen_shannon, wide),
  forward_kl: density(forward_kl, wide),
}

fn maps() = for f in net_kinds { map_of(distil(f).students[0]) }

stage show = report after net_students {
  plot densities(false), title: "normal students that start at the larger bump"
  plot densities(true), title: "normal students that start wide"
  image maps(), title: "draws of nets: reverse KL, Jensen-Shannon, forward KL"
  table {
    reverse_kl: net_students.log.uneven[0][0], jensen_shannon: net_students.log.uneven[0][1],
    forward_kl: net_students.log.uneven[0][2],
  }, title: "how uneven the bumps are visited, five students"
}

test "weights" {
  let r = f64(exp(linspace(-3.0, 3.0, 13)))
  let weights = |f| for a in r { draw_weight(f, a) }
  assert close(weights(reverse_kl), f64(ones(13)), 1e-12)
  assert close(weights(forward_kl) / r, f64(ones(13)), 1e-12)
  assert close(weights(jensen_shannon) * (r + 1.0) / r, f64(ones(13)), 1e-12)
  assert close(weights(squared_hellinger) * 4.0 / sqrt(r), f64(ones(13)), 1e-12)
  assert close(weights(softened_reverse_kl) * (r + 1.0), f64(ones(13)), 1e-11)
}

test "gradients are those of the divergence" {
  // Ten comparisons at five standard errors each: wrong with a probability of 6e-6.
  assert max(abs(normal_students.log.standard_errors[0])) < 5.0
}

test "reverse KL seeks a mode, forward KL matches moments" {
  let r = normal_students.log
  let tolerance = if small { 0.15 } else { 0.1 }
  assert max(abs(r.mu[0][0] + 2.0)) < 0.02 and max(abs(r.s[0][0] - 0.6)) < 0.02
  assert max(abs(r.wide_mu[0][0] + 2.0)) < 0.02 and max(abs(r.wide_s[0][0] - 0.6)) < 0.02
  assert max(abs(r.wide_mu[0][4] - moments.mean)) < tolerance and max(abs(r.wide_s[0][4] - moments.std)) < tolerance
  // Under the students of reverse KL the smaller bump has hardly anything.
  assert max(1.0 - ndtr((0.5 - r.mu[0][0]) / r.s[0][0])) < 1e-4
}

test "nets with learned scores and ratios find the bumps" {
  let r = net_students.log
  // Of draws evenly from the ring 0.4 would be near a bump, of the teacher's 0.86.
  assert min(r.covered[0]) >= if small { 4 } else { 5 }
  assert min(r.on_bumps[0]) > if small { 0.25 } else { 0.6 }
  assert max(r.on_bumps_at_first[0]) < 0.05
}
