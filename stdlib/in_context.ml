// Learning in context: a model reads examples (x_i, y_i) and a query, and predicts the query's y without a step of its parameters.

/// A layer of linear self-attention, without a softmax (Mahankali, Hashimoto and Ma 2023, section 2): tokens are rows (x_i, y_i), the query
/// is (x, 0), and the prediction the last entry of the mean over i of (q Q k_i) v_i with k_i = (x_i, y_i) K and v_i = (x_i, y_i) V.
net linear_attention(n, d)(x: real[n, d], y: real[n], query: real[d]) {
  param queries: real[d + 1, d + 1] = 0.3 * randn([d + 1, d + 1])
  param keys: real[d + 1, d + 1] = 0.3 * randn([d + 1, d + 1])
  param values: real[d + 1, d + 1] = 0.3 * randn([d + 1, d + 1])
  let tokens = for (a, b) in (x, y) { concat(a, [b]) }
  let scores = (tokens @ keys) @ (concat(query, [0.0]) @ queries)
  (scores @ (tokens @ values))[d] / real(n)
}

/// The matrix m with the prediction sum_i y_i x_i m query, if what the layer does with other products of its inputs is left out.
fn effective_matrix(attention, n, d) {
  let p = attention.params
  (p.keys @ transpose(p.queries))[..d, ..d] * p.values[d, d] / real(n)
}

/// The prediction at `query` after one step of gradient descent, at the rate `rate`, on half the sum of squares of a linear model that
/// starts at 0: rate sum_i y_i x_i query. `x` may be preconditioned.
fn gradient_step(x: real[n, d], y: real[n], query: real[d], rate) = rate * dot(y @ x, query)

/// The best rate of `gradient_step` where x and the true weights are standard normal and y has noise of standard deviation `noise`:
/// 1 / (n + d + 1 + noise^2), since E (X'X)^2 = n (n + d + 1) I.
fn best_rate(n, d, noise) = 1.0 / (real(n + d + 1) + noise^2)

/// The mean squared error of `gradient_step` there: d - 2 rate n d + rate^2 n d (n + d + 1 + noise^2) + noise^2.
fn step_risk(rate, n, d, noise) = d * (1.0 - 2.0 * rate * n + rate^2 * n / best_rate(n, d, noise)) + noise^2
