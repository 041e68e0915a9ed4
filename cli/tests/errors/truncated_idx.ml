data t = idx("truncated.idx")
stage s = compute { log v = t }
