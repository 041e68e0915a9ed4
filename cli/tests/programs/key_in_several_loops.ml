// A draw by a key that another loop had drawn by before was one for all lanes.

stage s = compute {
  let one = for a in 0..2 { with_key(1) rand() }
  let two = for a in 0..2, i in 0..3 { with_key(1) rand() }
  let again = for a in 0..2 { for i in 0..3 { with_key(1) rand() } }
  log same = all(two == again), lanes = one[0] != one[1] and two[0, 0] != two[0, 1] and two[0, 0] != two[1, 0]
}
