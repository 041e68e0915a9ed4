use std.dist.{normal, gamma, exponential}
use std.auto.{amortised, beside, full_rank, outline}
use std.nn.dense
use std.vi.elbo
use std.optim.adam
use std.schedules

// --- Forty groups around a centre: the best guide in which the centre is independent of the groups is known ---

let table = {y: for i in 0..40 { 1.5 + 2.0 * sin(3.7 * real(i)) }}

model groups(y: real[n]) {
  mu ~ normal(0.0, 1.0)
  for v in y, of: 40 {
    z ~ normal(mu, 1.0)
    seen ~ normal(z, 1.0)
  }
}

net lane = dense(1, 2)
model centre = full_rank(outline(groups(table.y), keep: [.mu]))

fn posterior(y) = groups(y) given {seen: y}
fn guide(y) = beside(centre, amortised(posterior(y), [.z], |v| lane(stack([v])), y, of: 40))

stage fit = train b in table.shuffle().batch(10) for 400 epochs {
  maximize mean(for i in 0..4 { elbo(posterior(b.y), guide(b.y)) })
    over centre, lane
    using adam(lr: schedules.cosine(0.05, 1600))
}

fn best_centre() = sum(table.y) / 82.0 / (1.0 - 40.0 / 82.0)

test "each lane is where it should be" {
  let t = for i in 0..20000 { sample(fit.centre)[0] }
  assert close(mean(t.mu), best_centre(), 0.05)
  assert close(std(t.mu), 1.0 / sqrt(41.0), 0.02)
  let (mean_of, spread_of) = for v in table.y {
    let out = fit.lane(stack([v]))
    (out[0], softplus(out[1]))
  }
  assert max(abs(mean_of - 0.5 * (best_centre() + table.y))) < 0.15
  assert max(abs(spread_of - sqrt(0.5))) < 0.05
}

test "a batch counts for all" {
  let (t, w) = sample(guide(table.y[0..8]))
  assert len(t.z) == 8
  assert close(logdensity(guide(table.y[0..8]), t), w, 1e-3)
  let a = logdensity(centre, {mu: t.mu})
  let local = logdensity(amortised(posterior(table.y[0..8]), [.z], |v| lane(stack([v])), table.y[0..8]), {z: t.z})
  assert close(w, a + 5.0 * local, 1e-3)
}

// --- Lanes with several sites, behind bounds ---

model counts(x: real[n, d]) {
  rate ~ gamma(2.0, 1.0)
  for row in x {
    w ~ normal(zeros(2), 1.0)
    s ~ exponential(rate)
    y ~ normal(dot(w, row), s)
  }
}

let rows = [[1.0, 0.5], [0.2, -1.0], [1.5, 1.4]]
net wide = dense(2, 6)

test "several sites of a lane" {
  let m = counts(rows) given {y: ones(3)}
  let q = amortised(m, [.w, .s], wide, rows)
  let (t, w) = sample(q)
  assert shape(t.w)[1] == 2 and len(t.s) == 3 and min(t.s) > 0.0
  assert close(logdensity(q, t), w, 1e-4)
}

// --- Lanes that also see the draw of the centre: with these the whole posterior of ten groups is found ---

let ten = table.y[0..10]

model few(y: real[n]) {
  mu ~ normal(0.0, 1.0)
  for v in y {
    z ~ normal(mu, 1.0)
    seen ~ normal(z, 1.0)
  }
}

let of_ten = few(ten) given {seen: ten}

net lane_at = dense(2, 2)
model middle = full_rank(outline(of_ten, keep: [.mu]))

fn whole(middle, lane_at) = beside(
  middle,
  |t| amortised(of_ten, [.z], |v| lane_at(stack([v, t.mu])), ten),
)

stage fit_ten = train for 1200 steps {
  maximize mean(for i in 0..4 { elbo(of_ten, whole(middle, lane_at)) })
    over middle, lane_at
    using adam(lr: schedules.cosine(0.05, 1200))
}

test "the bound is the evidence" {
  // Without the groups' own places: a centre of variance 1, and noise of variance 2.
  let total = sum(ten)
  let exact = -0.5 * (sqnorm(ten) / 2.0 - square(total) / 24.0) - 5.0 * log(4.0 * pi) - 0.5 * log(6.0)
  let r = for i in 0..2000 { elbo(of_ten, whole(fit_ten.middle, fit_ten.lane_at)) }
  assert close(mean(r), exact, 0.03) and std(r) < 0.3
}
