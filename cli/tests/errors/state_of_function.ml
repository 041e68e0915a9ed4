state f = |x| x
