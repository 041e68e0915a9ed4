let y = scan (c = [1.0, 2.0]) for i in 0..100, unroll: true { next c = [c, c] }
