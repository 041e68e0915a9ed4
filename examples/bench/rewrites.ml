// The same computations written in different ways: by the functions of the library, and by hand. How one is written should not change
// what it takes. The stages of one computation share all of their name but the last word; the first of them is the reference.
// `python docs/results/rewrites.py MLC` times them in turn and says which differ.

use std.dist.normal
use std.estimators.reparam
use std.losses.cross_entropy
use std.nn.layer_norm
use std.optim.adam
use std.vi.elbo

let x = randn([1024, 512])
let ct = randn([1024, 512])

state y = zeros(1024, 512)
state dx = zeros(1024, 512)

/// The derivative of `f` at `x` along a given cotangent.
fn back(f) = grad(sum(f(x) * ct), wrt: x)

// Softmax of each row.

fn soft_library(x) = for row in x { softmax(row) }

fn soft_axis(x) = softmax(x, axis: 1)

fn soft_exp(x) =
  for row in x {
    let e = exp(row - max(row))
    e / sum(e)
  }

fn soft_stop(x) =
  for row in x {
    let e = exp(row - stop(max(row)))
    e / sum(e)
  }

fn soft_scaled(x) =
  for row in x {
    let e = exp(row - stop(max(row)))
    e * (1.0 / sum(e))
  }

fn soft_logsumexp(x) = for row in x { exp(row - logsumexp(row)) }

fn soft_matrices(x) {
  let e = exp(x - spread(stop(max(x, axis: 1)), like: x, axis: 1))
  e / spread(sum(e, axis: 1), like: x, axis: 1)
}

stage softmax_forward_library = train for 20 steps { set y = soft_library(x) }

stage softmax_forward_axis = train for 20 steps { set y = soft_axis(x) }

stage softmax_forward_exp = train for 20 steps { set y = soft_exp(x) }

stage softmax_forward_stop = train for 20 steps { set y = soft_stop(x) }

stage softmax_forward_scaled = train for 20 steps { set y = soft_scaled(x) }

stage softmax_forward_logsumexp = train for 20 steps { set y = soft_logsumexp(x) }

stage softmax_forward_matrices = train for 20 steps { set y = soft_matrices(x) }

stage softmax_backward_library = train for 20 steps { set dx = back(soft_library) }

stage softmax_backward_axis = train for 20 steps { set dx = back(soft_axis) }

stage softmax_backward_exp = train for 20 steps { set dx = back(soft_exp) }

stage softmax_backward_stop = train for 20 steps { set dx = back(soft_stop) }

stage softmax_backward_scaled = train for 20 steps { set dx = back(soft_scaled) }

stage softmax_backward_logsumexp = train for 20 steps { set dx = back(soft_logsumexp) }

stage softmax_backward_matrices = train for 20 steps { set dx = back(soft_matrices) }

// Layer norm of each row. The library's is a net with parameters; the others have theirs as tensors.

net library_norm = layer_norm(512)
param gamma = ones(512)
param beta = zeros(512)

state dgamma = zeros(512)
state dbeta = zeros(512)

fn norm_library(x) = for row in x { library_norm(row) }

fn norm_steps(x) =
  for row in x {
    let m = sum(row) / 512.0
    let centred = row - m
    let v = sum(centred * centred) / 512.0
    let r = 1.0 / sqrt(v + 1e-5)
    centred * r * gamma + beta
  }

fn norm_quotient(x) =
  for row in x {
    let centred = row - mean(row)
    centred / sqrt(mean(centred^2) + 1e-5) * gamma + beta
  }

fn norm_power(x) =
  for row in x {
    let centred = row - mean(row)
    centred * (mean(square(centred)) + 1e-5)^(-0.5) * gamma + beta
  }

fn norm_matrices(x) {
  let centred = x - spread(mean(x, axis: 1), like: x, axis: 1)
  let r = 1.0 / sqrt(mean(square(centred), axis: 1) + 1e-5)
  centred * spread(r, like: x, axis: 1) * spread(gamma, like: x, axis: 0) + spread(beta, like: x, axis: 0)
}

fn norm_products(x) {
  let one = ones(512)
  let centred = x - outer(x @ one / 512.0, one)
  let r = 1.0 / sqrt(square(centred) @ one / 512.0 + 1e-5)
  for (row, s) in (centred, r) { row * s * gamma + beta }
}

stage layernorm_forward_library = train for 20 steps { set y = norm_library(x) }

stage layernorm_forward_steps = train for 20 steps { set y = norm_steps(x) }

stage layernorm_forward_quotient = train for 20 steps { set y = norm_quotient(x) }

stage layernorm_forward_power = train for 20 steps { set y = norm_power(x) }

stage layernorm_forward_matrices = train for 20 steps { set y = norm_matrices(x) }

stage layernorm_forward_products = train for 20 steps { set y = norm_products(x) }

stage layernorm_backward_library = train for 20 steps {
  let (gx, g) = grad(sum(norm_library(x) * ct), wrt: (x, library_norm))
  set dx = gx
  set dgamma = g.scale
  set dbeta = g.shift
}

stage layernorm_backward_steps = train for 20 steps {
  let (gx, gg, gb) = grad(sum(norm_steps(x) * ct), wrt: (x, gamma, beta))
  set dx = gx
  set dgamma = gg
  set dbeta = gb
}

stage layernorm_backward_quotient = train for 20 steps {
  let (gx, gg, gb) = grad(sum(norm_quotient(x) * ct), wrt: (x, gamma, beta))
  set dx = gx
  set dgamma = gg
  set dbeta = gb
}

stage layernorm_backward_power = train for 20 steps {
  let (gx, gg, gb) = grad(sum(norm_power(x) * ct), wrt: (x, gamma, beta))
  set dx = gx
  set dgamma = gg
  set dbeta = gb
}

stage layernorm_backward_matrices = train for 20 steps {
  let (gx, gg, gb) = grad(sum(norm_matrices(x) * ct), wrt: (x, gamma, beta))
  set dx = gx
  set dgamma = gg
  set dbeta = gb
}

stage layernorm_backward_products = train for 20 steps {
  let (gx, gg, gb) = grad(sum(norm_products(x) * ct), wrt: (x, gamma, beta))
  set dx = gx
  set dgamma = gg
  set dbeta = gb
}

// A classifier's loss, for ten classes and for 512.

let few = randn([8192, 10])
let labels = randint(0, 10, 8192)
let many_labels = randint(0, 512, 1024)

state loss = 0.0
state dfew = zeros(8192, 10)

/// The same numbers in every step, which no compiler can know: it would compute before the steps what does not change.
fn now(written) = few + select(written > 1e30, 1.0, 0.0)

fn grad_of(loss, few) = grad(loss(few, labels), wrt: few)

fn loss_library(l, y) = mean(for (row, k) in (l, y) { -log_softmax(row)[k] })

fn loss_entropy(l, y) = mean(for (row, k) in (l, y) { cross_entropy(row, k) })

fn loss_picked(l, y) = mean(for (row, k) in (l, y) { logsumexp(row) - row[k] })

fn loss_onehot(l, y) = mean(for (row, k) in (l, y) { -sum(one_hot(k, len(row)) * log_softmax(row)) })

fn loss_steps(l, y) =
  mean(for (row, k) in (l, y) {
    let centred = row - stop(max(row))
    log(sum(exp(centred))) - centred[k]
  })

fn loss_matrices(l, y) {
  let p = log_softmax(l, axis: 1)
  -sum(p * one_hot(y, shape(l)[1])) / real(len(y))
}

stage loss10_forward_library = train for 20 steps { set loss = loss_library(now(loss), labels) }

stage loss10_forward_entropy = train for 20 steps { set loss = loss_entropy(now(loss), labels) }

stage loss10_forward_picked = train for 20 steps { set loss = loss_picked(now(loss), labels) }

stage loss10_forward_onehot = train for 20 steps { set loss = loss_onehot(now(loss), labels) }

stage loss10_forward_steps = train for 20 steps { set loss = loss_steps(now(loss), labels) }

stage loss10_forward_matrices = train for 20 steps { set loss = loss_matrices(now(loss), labels) }

stage loss10_backward_library = train for 20 steps { set dfew = grad_of(loss_library, now(dfew[0, 0])) }

stage loss10_backward_entropy = train for 20 steps { set dfew = grad_of(loss_entropy, now(dfew[0, 0])) }

stage loss10_backward_picked = train for 20 steps { set dfew = grad_of(loss_picked, now(dfew[0, 0])) }

stage loss10_backward_onehot = train for 20 steps { set dfew = grad_of(loss_onehot, now(dfew[0, 0])) }

stage loss10_backward_steps = train for 20 steps { set dfew = grad_of(loss_steps, now(dfew[0, 0])) }

stage loss10_backward_matrices = train for 20 steps { set dfew = grad_of(loss_matrices, now(dfew[0, 0])) }

stage loss512_forward_library = train for 20 steps { set loss = loss_library(x, many_labels) }

stage loss512_forward_entropy = train for 20 steps { set loss = loss_entropy(x, many_labels) }

stage loss512_forward_picked = train for 20 steps { set loss = loss_picked(x, many_labels) }

stage loss512_forward_onehot = train for 20 steps { set loss = loss_onehot(x, many_labels) }

stage loss512_forward_steps = train for 20 steps { set loss = loss_steps(x, many_labels) }

stage loss512_forward_matrices = train for 20 steps { set loss = loss_matrices(x, many_labels) }

stage loss512_backward_library = train for 20 steps { set dx = grad(loss_library(x, many_labels), wrt: x) }

stage loss512_backward_entropy = train for 20 steps { set dx = grad(loss_entropy(x, many_labels), wrt: x) }

stage loss512_backward_picked = train for 20 steps { set dx = grad(loss_picked(x, many_labels), wrt: x) }

stage loss512_backward_onehot = train for 20 steps { set dx = grad(loss_onehot(x, many_labels), wrt: x) }

stage loss512_backward_steps = train for 20 steps { set dx = grad(loss_steps(x, many_labels), wrt: x) }

stage loss512_backward_matrices = train for 20 steps { set dx = grad(loss_matrices(x, many_labels), wrt: x) }

// Sums, maxima and a function of short rows.

let shift = randn(10)

state few_rows = zeros(8192)

fn map_library(l) = for row in l { exp(row - shift) }

fn map_flat(l) = reshape(exp(flatten(l) - tile(shift, len(l))), shape(l))

stage shortsum_forward_library = train for 20 steps { set few_rows = sum(now(few_rows[0]), axis: 1) }

stage shortsum_forward_columns = train for 20 steps { set few_rows = sum(now(few_rows[0]).T, axis: 0) }

stage shortsum_forward_product = train for 20 steps { set few_rows = now(few_rows[0]) @ ones(10) }

stage shortmax_forward_library = train for 20 steps { set few_rows = max(now(few_rows[0]), axis: 1) }

stage shortmax_forward_columns = train for 20 steps { set few_rows = max(now(few_rows[0]).T, axis: 0) }

stage shortmap_forward_library = train for 20 steps { set dfew = map_library(now(dfew[0, 0])) }

stage shortmap_forward_flat = train for 20 steps { set dfew = map_flat(now(dfew[0, 0])) }

// A step of Adam for a million parameters whose gradient is given.

let g = randn(1000000)
param p = zeros(1000000)

state q = zeros(1000000)
state m = zeros(1000000)
state v = zeros(1000000)

stage adam_update_library = train for 20 steps { update p by g using adam(lr: 1e-3) }

stage adam_update_sets = train for 20 steps {
  let t = real(step) + 1.0
  let m1 = 0.9 * m + 0.1 * g
  let v1 = 0.999 * v + 0.001 * g * g
  set m = m1
  set v = v1
  set q = q - 1e-3 * (m1 / (1.0 - 0.9^t)) / (sqrt(v1 / (1.0 - 0.999^t)) + 1e-8)
}

stage adam_update_folded = train for 20 steps {
  let t = real(step) + 1.0
  let rate = 1e-3 / (1.0 - 0.9^t)
  let root = sqrt(1.0 - 0.999^t)
  let m1 = m + 0.1 * (g - m)
  let v1 = v + 0.001 * (g * g - v)
  set m = m1
  set v = v1
  set q = q - rate * m1 / (sqrt(v1) / root + 1e-8)
}

stage adam_update_lanes = train for 20 steps {
  let t = real(step) + 1.0
  let a = 1.0 - 0.9^t
  let b = 1.0 - 0.999^t
  let (q1, m1, v1) = for (q, m, v, g) in (q, m, v, g) {
    let m1 = lerp(g, m, 0.9)
    let v1 = lerp(g * g, v, 0.999)
    (q - 1e-3 * (m1 / a) / (sqrt(v1 / b) + 1e-8), m1, v1)
  }
  set q = q1
  set m = m1
  set v = v1
}

// The bound of the noisy cone.

model cone() {
  x ~ normal(0.0, 10.0)
  y ~ normal(0.0, 10.0)
  let r = x^2 + y^2
  z ~ normal(r, 0.1 + r / 100.0)
}

param at = [3.0, 0.0]
param scale = [1.0, 1.0]

model guide() {
  x ~ normal(at[0], exp(scale[0])) via reparam
  y ~ normal(at[1], exp(scale[1])) via reparam
}

fn posterior() = cone() given {z: 5.0}

fn bound_library() = elbo(posterior(), guide())

fn bound_expect() =
  expect {
    let (t, lq) = sample(guide())
    logdensity(posterior(), t) - lq
  }

fn bound_densities() =
  expect {
    let (t, lq) = sample(guide())
    let r = t.x^2 + t.y^2
    let prior = normal(0.0, 10.0).logpdf(t.x) + normal(0.0, 10.0).logpdf(t.y)
    prior + normal(r, 0.1 + r / 100.0).logpdf(5.0) - lq
  }

fn normal_log(x, mean, std) = -0.5 * ((x - mean) / std)^2 - log(std) - 0.9189385332

fn bound_draws() {
  let noise = randn([2])
  let s = exp(scale)
  let t = at + s * noise
  let r = t[0]^2 + t[1]^2
  let prior = normal_log(t[0], 0.0, 10.0) + normal_log(t[1], 0.0, 10.0)
  let seen = normal_log(5.0, r, 0.1 + r / 100.0)
  prior + seen - sum(normal_log(t, at, s))
}

stage elbo_one_library = train for 1000 steps { maximize bound_library() over at, scale using adam(lr: 1e-2) }

stage elbo_one_expect = train for 1000 steps { maximize bound_expect() over at, scale using adam(lr: 1e-2) }

stage elbo_one_densities = train for 1000 steps { maximize bound_densities() over at, scale using adam(lr: 1e-2) }

stage elbo_one_draws = train for 1000 steps { maximize bound_draws() over at, scale using adam(lr: 1e-2) }

stage elbo_mean64_library = train for 1000 steps {
  maximize mean(for i in 0..64 { bound_library() }) over at, scale using adam(lr: 1e-2)
}

stage elbo_mean64_expect = train for 1000 steps {
  maximize mean(for i in 0..64 { bound_expect() }) over at, scale using adam(lr: 1e-2)
}

stage elbo_mean64_densities = train for 1000 steps {
  maximize mean(for i in 0..64 { bound_densities() }) over at, scale using adam(lr: 1e-2)
}

stage elbo_mean64_draws = train for 1000 steps {
  maximize mean(for i in 0..64 { bound_draws() }) over at, scale using adam(lr: 1e-2)
}
