stage s = compute {
  assert 1.0 < 2.0
}
