// Functions of the rows of a 4096 by 1024 matrix, and their derivatives along a given cotangent, all results kept.

let x = randn([4096, 1024])
let ct = randn([4096, 1024])
let ct_rows = randn(4096)
let gamma = randn(1024)
let beta = randn(1024)

state y = zeros(4096, 1024)
state y_rows = zeros(4096)
state dx = zeros(4096, 1024)
state dgamma = zeros(1024)
state dbeta = zeros(1024)

fn layer_norm(row: real[n], gamma: real[n], beta: real[n]) {
  let centred = row - mean(row)
  centred / sqrt(mean(centred^2) + 1e-5) * gamma + beta
}

fn lse(x) = for row in x { logsumexp(row) }

fn soft(x) = for row in x { softmax(row) }

fn normed(x, gamma, beta) = for row in x { layer_norm(row, gamma, beta) }

stage logsumexp_fwd = train for 20 steps { set y_rows = lse(x) }

stage logsumexp_fwd_bwd = train for 20 steps {
  set y_rows = lse(x)
  set dx = grad(dot(lse(x), ct_rows), wrt: x)
}

stage softmax_fwd = train for 20 steps { set y = soft(x) }

stage softmax_fwd_bwd = train for 20 steps {
  set y = soft(x)
  set dx = grad(sum(soft(x) * ct), wrt: x)
}

stage layernorm_fwd = train for 20 steps { set y = normed(x, gamma, beta) }

stage layernorm_fwd_bwd = train for 20 steps {
  set y = normed(x, gamma, beta)
  let (gx, gg, gb) = grad(sum(normed(x, gamma, beta) * ct), wrt: (x, gamma, beta))
  set dx = gx
  set dgamma = gg
  set dbeta = gb
}
