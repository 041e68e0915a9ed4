param w: real = 1.0
stage s = train for 2 steps {
  minimize w * w over w
}
