fn scale(a, b) = a * b
stage s = compute { log v = scale(zeros(3), ones(4)) }
