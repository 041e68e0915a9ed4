test "t" {
  assert zeros(2) < 1.0
}
