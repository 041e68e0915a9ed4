// First values of weights `real[inputs, outputs]`.

/// Uniform with variance 2 / (inputs + outputs) (Glorot and Bengio 2010, equation 16).
fn glorot(inputs, outputs) {
  let bound = sqrt(6.0 / (inputs + outputs))
  bound * (2.0 * rand(inputs, outputs) - 1.0)
}

/// Normal with variance 2 / inputs, for relu (He et al. 2015, equation 10).
fn he(inputs, outputs) = sqrt(2.0 / inputs) * randn([inputs, outputs])
