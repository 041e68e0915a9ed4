param w = 0.0
stage base = train for 1 steps { set w = w + 1.0 }
stage up = train for 2 steps after base { set w = w + 1.0 }
stage down = train for 2 steps { set w = w - 1.0 }
stage beside = train for 2 steps after base { log w = w }
stage fine = compute after base, beside { log w = w }
stage both = compute after up, down { log w = w }
