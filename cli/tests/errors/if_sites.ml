use std.dist.{normal, bernoulli}
model m() {
  c ~ bernoulli(0.5)
  if c > 0.5 {
    x ~ normal(0.0, 1.0)
  } else {
    y ~ normal(0.0, 1.0)
  }
}
test "one name" { assert is_finite(sample(m())[1]) }
model n() {
  c ~ bernoulli(0.5)
  if c > 0.5 {
    x ~ normal(zeros(2), 1.0)
  } else {
    x ~ normal(zeros(3), 1.0)
  }
}
test "one shape" { assert is_finite(sample(n())[1]) }
