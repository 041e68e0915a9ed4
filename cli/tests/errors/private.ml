use beside.shapes.{area, _half}
use beside.shapes
let a = area(2.0, 3.0)
let b = shapes._half(a)
