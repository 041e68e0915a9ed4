param w = 0.0
fn half(lr) = fit(lr / 2.0).w
stage fit(lr) = train for 2 steps { set w = half(lr) }
stage s = compute { log v = fit(0.1).w }
