// What is left out of this version: see the end of the reference.
let place = .z
