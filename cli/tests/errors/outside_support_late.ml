param a: real[3] in positive = randn([3]) - 10.0
stage s = compute { log a = a }
