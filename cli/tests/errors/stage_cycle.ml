stage a = compute after b { log y = 1.0 }
stage b = compute after a { log y = 1.0 }
