// tanh(a x + b) exp(-x^2) + log1p(exp(x)) of 2^24 numbers, and the derivative of its sum.

let x = randn(16777216)
param a = 1.3
param b = 0.2
state y = zeros(16777216)

fn chain(x) = tanh(a * x + b) * exp(-x * x) + log1p(exp(x))

stage forward = train for 5 steps { set y = chain(x) }

stage grad = train for 5 steps { set y = grad(sum(chain(x)), wrt: x) }
