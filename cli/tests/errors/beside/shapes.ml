fn _half(x) = x / 2.0

fn area(w, h) = w * h
