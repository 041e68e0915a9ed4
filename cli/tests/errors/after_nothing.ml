let b = 1.0
stage a = compute after b { log y = 1.0 }
