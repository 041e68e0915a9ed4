let y = for i in 0..99999999999 { i }
