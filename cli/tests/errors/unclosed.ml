model p() {
  let a = (1 + 2
}
