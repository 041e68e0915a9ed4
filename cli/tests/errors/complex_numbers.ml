data z = npy("complex.npy")
stage s = compute { log v = z }
