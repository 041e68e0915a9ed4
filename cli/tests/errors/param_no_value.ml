param a = "text"
