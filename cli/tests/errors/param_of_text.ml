param a: bool = true
