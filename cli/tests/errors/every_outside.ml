stage s = compute {
  every 3 steps { log y = 1.0 }
}
