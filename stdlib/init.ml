// First values of weights `real[inputs, outputs]`.

/// Uniform with variance 2 / (inputs + outputs) (Glorot and Bengio 2010, equation 16).
fn glorot(inputs, outputs) {
  let bound = sqrt(6.0 / (inputs + outputs))
  bound * (2.0 * rand(inputs, outputs) - 1.0)
}

/// Normal with variance 2 / (inputs + outputs) (Glorot and Bengio 2010, equation 12).
fn glorot_normal(inputs, outputs) = sqrt(2.0 / (inputs + outputs)) * randn([inputs, outputs])

/// Normal with variance 2 / inputs, for relu (He et al. 2015, equation 10).
fn he(inputs, outputs) = sqrt(2.0 / inputs) * randn([inputs, outputs])

/// Uniform with variance 2 / inputs (He et al. 2015, equation 10).
fn he_uniform(inputs, outputs) = sqrt(6.0 / inputs) * (2.0 * rand(inputs, outputs) - 1.0)

/// Normal with variance 1 / inputs (LeCun et al. 1998, section 4.6).
fn lecun(inputs, outputs) = sqrt(1.0 / inputs) * randn([inputs, outputs])

/// Uniform with variance 1 / inputs (LeCun et al. 1998, section 4.6).
fn lecun_uniform(inputs, outputs) = sqrt(3.0 / inputs) * (2.0 * rand(inputs, outputs) - 1.0)

/// Normal with a standard deviation, without what lies beyond twice that: the inverse distribution function at uniform draws. The
/// truncation shrinks the standard deviation by the factor 0.8796.
fn truncated_normal(shape, sd = 1.0) {
  let edge = erf(sqrt(2.0))
  sd * sqrt(2.0) * erfinv(edge * (2.0 * rand(shape) - 1.0))
}

/// A matrix with orthonormal rows or columns, whichever are fewer, distributed evenly (Saxe, McClelland and Ganguli 2014; the signs of
/// Mezzadri 2007, section 5).
fn orthogonal(inputs, outputs) {
  let k = min(inputs, outputs)
  let (q, r) = qr(randn([max(inputs, outputs), k]))
  let signs = for i in 0..k { sign(r[i, i]) }
  let w = for row in q { row * signs }
  if inputs >= outputs { w } else { transpose(w) }
}
