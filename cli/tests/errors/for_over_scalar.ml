let y = for x in 1.5 { x }
