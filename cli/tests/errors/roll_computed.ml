let y = for k in 0..3 { roll(ones(4), k) }
