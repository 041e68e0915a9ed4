use std.dist.{normal, half_normal}
use std.auto.{mean_field, noncentred}
use std.vi.elbo
use std.optim.adam
use std.schedules

// Non-centring in part: half of the groups are seen well, half hardly.
let sigma = [0.4, 0.4, 0.4, 0.4, 5.0, 5.0, 5.0, 5.0]
let y = [2.5, -1.0, 0.3, 1.7, 4.0, -3.0, 1.0, 2.0]

model groups() {
  mu ~ normal(0.0, 2.0)
  tau ~ half_normal(2.0)
  theta ~ normal(mu * ones(8), tau)
  for (t, s) in (theta, sigma) { y ~ normal(t, s) }
}

let seen = groups() given {y}

param part in unit = 0.5 * ones(8)
fn partly(part) = noncentred(seen, .theta, part: part)
model centred = mean_field(seen)
model apart = mean_field(partly(0.0))
model between = mean_field(partly(part))

stage fit = train for 1500 steps {
  maximize mean(for i in 0..8 { elbo(seen, centred) }) over centred using adam(lr: schedules.cosine(0.05, 1500))
  maximize mean(for i in 0..8 { elbo(partly(0.0), apart) }) over apart using adam(lr: schedules.cosine(0.05, 1500))
  maximize mean(for i in 0..8 { elbo(partly(part), between) })
    over between using adam(lr: schedules.cosine(0.05, 1500)), part using adam(lr: schedules.cosine(0.1, 1500))
}

test "a part of the centre for each group" {
  let (all, none_of, some) = for i in 0..20000 {
    (elbo(seen, fit.centred), elbo(partly(0.0), fit.apart), elbo(partly(fit.part), fit.between))
  }
  // Standard errors are below 0.02.
  assert mean(some) > mean(all) + 0.3 and mean(some) > mean(none_of) + 1.0
  // What is seen well keeps its centre, what is hardly seen does not.
  assert min(fit.part[0..4]) > 0.7 and max(fit.part[4..]) < 0.2
}
