test "lanes" { let ys = for x in ones(2) { assert x > 0.0; x } }
