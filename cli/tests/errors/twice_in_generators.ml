let y = for i in 0..3, i in 0..2 { i }
