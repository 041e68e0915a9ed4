stage fit(lr) = train b in rows.batch(32) for 300 steps { minimize loss(b) over net using adam(lr); log loss(b) }
let final = for lr in [1e-3, 1e-2, 1e-1] { fit(lr).log.loss[-1] }
stage tune = train for 100 steps after fit(1e-2) { minimize loss(rows) over head using sgd(lr: 0.1) }
