// Draws from a guide and scores with it, without the data that it was trained on.

use line.line
use std.auto.{full_rank, outline}
use std.nn.dense
use std.posterior.{draws, predicted}

data saved = safetensors("fit.safetensors")
data check = safetensors("check.safetensors")

net n = dense(2, 1)
model guide = full_rank(outline(line([0.0]), keep: [.slope, .noise]))

let trained = guide.with(saved.guide)

stage sampled = compute {
  let posterior = draws(trained, 2000)
  log slope = mean(posterior.slope), ahead = mean(predicted(line([3.0]), posterior).y)
}

test "the guide is the one that was trained" {
  let density = for t in check.t { logdensity(trained, t) }
  assert close(density, check.density, 1e-3)
  assert close(sampled.log.slope[0], mean(check.t.slope), 0.2)
  assert close(sampled.log.ahead[0], 3.0 * mean(check.t.slope), 0.6)
}

test "so is all else" {
  assert close(n.with(saved.n)([1.0, 1.0]), check.at_one, 1e-6)
  assert close(sum(saved.weights), 1.0, 1e-5) and saved.weights[0] > 0.4
}
