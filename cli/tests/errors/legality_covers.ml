// Guides whose supports do not cover those of the model's sites.
use std.dist.{normal, gamma, beta, bernoulli, poisson, uniform, dirichlet}
use std.vi.elbo
model reals() { z ~ normal(0.0, 1.0) }
model positives() { z ~ gamma(2.0, 1.0) }
model units() { z ~ beta(2.0, 2.0) }
model counts() { z ~ poisson(2.0) }
model coins() { z ~ bernoulli(0.5) }
model shares() { z ~ dirichlet([1.0, 1.0, 1.0]) }
model vectors() { z ~ normal(zeros(3), 1.0) }
test "positive numbers for reals" { assert is_finite(elbo(reals(), positives())) }
test "the unit interval for positive numbers" { assert is_finite(elbo(positives(), units())) }
test "coins for counts" { assert is_finite(elbo(counts(), coins())) }
test "reals for coins" { assert is_finite(elbo(coins(), reals())) }
test "vectors for shares" { assert is_finite(elbo(shares(), vectors())) }
test "shares for vectors" { assert is_finite(elbo(vectors(), shares())) }
