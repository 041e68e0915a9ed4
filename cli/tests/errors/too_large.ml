let y = for i in 0..1000000 { for j in 0..1000000 { for k in 0..1000000 { for l in 0..10 { i + j + k + l } } } }
