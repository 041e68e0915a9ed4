test "a mean" {
  assert others_mean(1.0) > 0.0
}
