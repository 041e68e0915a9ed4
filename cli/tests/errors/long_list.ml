let y = for i in list(0..1000000000) { real(i) }
