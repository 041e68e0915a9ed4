let m = marginal(hmm() given {y}, sum: .s)
