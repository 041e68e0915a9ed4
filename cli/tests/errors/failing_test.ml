test "sums" { assert close(sum(ones(3)), 4.0, 1e-6) }
