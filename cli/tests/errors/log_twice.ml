stage a = compute { log y = 1.0, y = 2.0 }
