state m = zeros(3)
stage s = train for 2 steps {
  let v = for i in 0..3 {
    set m[i] = 1.0
    2.0
  }
}
