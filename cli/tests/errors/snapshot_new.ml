test "sums" { snapshot sum(ones(3)) }
