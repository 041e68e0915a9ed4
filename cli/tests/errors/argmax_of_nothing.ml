let y = argmax(zeros(0))
