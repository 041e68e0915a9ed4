let l = d.logpdf(x)                       // ; here
(k(x) - b) * exp(tangent(l)) + b          // a new expression, not a call
maximize mean(ls)
  over encode, decode                     // `over` continues the line above
  using adam(lr: 1e-3)
