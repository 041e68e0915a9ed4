use std.dist.normal

model m() { z ~ normal(0.0, 1.0) }

stage s = compute { export m(), to: "m.safetensors" }
