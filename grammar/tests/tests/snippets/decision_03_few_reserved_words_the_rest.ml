let (train_set, test_set) = split(digits, at: 9000)
let prior = normal(zeros(20), 1)
let (t, lq) = sample(q(x))
