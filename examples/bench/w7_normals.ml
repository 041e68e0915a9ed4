// 2^24 standard normal numbers.

state z = zeros(16777216)

stage normal = train for 5 steps { set z = randn(16777216) }
