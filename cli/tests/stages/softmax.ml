// A softmax of rows and its gradient, written in three ways; a layer norm and its gradients: one loop nest each.

param x = zeros(96, 64)
param gamma = ones(64)
param beta = zeros(64)

let ct = for i in 0..96 { for j in 0..64 { real(i * j) / 100.0 } }

fn direct(row) {
  let e = exp(row - max(row))
  e / sum(e)
}

fn by_log(row) = exp(row - logsumexp(row))

fn normed(row, gamma, beta) {
  let centred = row - mean(row)
  centred / sqrt(mean(centred^2) + 1e-5) * gamma + beta
}

stage library = compute {
  log y = for row in x { softmax(row) }
  log dx = grad(sum((for row in x { softmax(row) }) * ct), wrt: x)
}

stage quotient = compute {
  log y = for row in x { direct(row) }
  log dx = grad(sum((for row in x { direct(row) }) * ct), wrt: x)
}

stage logarithm = compute {
  log y = for row in x { by_log(row) }
  log dx = grad(sum((for row in x { by_log(row) }) * ct), wrt: x)
}

stage norm = compute {
  log y = for row in x { normed(row, gamma, beta) }
  let loss = sum((for row in x { normed(row, gamma, beta) }) * ct)
  let (gx, gg, gb) = grad(loss, wrt: (x, gamma, beta))
  log dx = gx
  log dgamma = gg
  log dbeta = gb
}
