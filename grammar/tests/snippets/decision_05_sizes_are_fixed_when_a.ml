data diabetes = csv("data/diabetes.csv")                       // 442 rows: a number, not a guess
let clean = filter(diabetes, |r| r.bmi > 0)                     // data phase only
let x = stack(clean.except{progression})                        // real[n, 10], n known before any stage
