let rate = 0.1
let steps = 10
let rate = 0.2
test "a" { assert steps == 10 }
test "a" { assert rate == 0.2 }
