let y = for i in 0..3, lanes: 4 { i }
