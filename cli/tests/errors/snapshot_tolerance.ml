test "sums" { snapshot sum(ones(3)), tol: -1.0 }
