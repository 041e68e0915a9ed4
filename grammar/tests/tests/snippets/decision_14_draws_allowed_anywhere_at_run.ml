let start = for i in 0..128 { stop(normal(g(x[i]), s).sample()) }
set chain = langevin(energy, chain, steps: 20)
