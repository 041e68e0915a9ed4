let y = -true
