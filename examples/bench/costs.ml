// Chains of `n` calls of one operation over 4096 numbers, which the first-level cache holds. The slope of the time by `n` is what a
// call takes; `python docs/results/costs.py MLC` fits it and prints what each operation takes against an addition. Arguments stay
// where the operation is finite; where that needs an addition or a product more, its time is taken off.

let n = 8
let x = rand(4096)

state y = zeros(4096)

// What does not change from step to step would be computed once, before them.
fn chain(link) = scan (h = select(y > 1e30, y, x)) for i in 0..n, unroll: true { next h = link(h) }

stage op_add = train for 1000 steps { set y = chain(|x| x + 0.001) }

stage op_sub = train for 1000 steps { set y = chain(|x| 0.7 - x) }

stage op_mul = train for 1000 steps { set y = chain(|x| x * 0.999) }

stage op_div = train for 1000 steps { set y = chain(|x| 0.5 / x) }

stage op_sqrt = train for 1000 steps { set y = chain(|x| sqrt(x)) }

stage op_mod = train for 1000 steps { set y = chain(|x| mod(x + 0.3, 0.7)) }

stage op_max = train for 1000 steps { set y = chain(|x| max(x - 0.01, 0.2)) }

stage op_min = train for 1000 steps { set y = chain(|x| min(x + 0.01, 0.8)) }

stage op_neg = train for 1000 steps { set y = chain(|x| -(x - 0.9)) }

stage op_abs = train for 1000 steps { set y = chain(|x| abs(x - 0.4)) }

stage op_sign = train for 1000 steps { set y = chain(|x| sign(x - 0.3)) }

stage op_floor = train for 1000 steps { set y = chain(|x| floor(1.7 * x)) }

stage op_ceil = train for 1000 steps { set y = chain(|x| ceil(0.7 * x)) }

stage op_round = train for 1000 steps { set y = chain(|x| round(1.7 * x)) }

stage op_select = train for 1000 steps { set y = chain(|x| select(x < 0.5, 0.9, x)) }

stage op_exp = train for 1000 steps { set y = chain(|x| exp(-x)) }

stage op_expm1 = train for 1000 steps { set y = chain(|x| expm1(0.3 - x)) }

stage op_log = train for 1000 steps { set y = chain(|x| log(x + 2.0)) }

stage op_log1p = train for 1000 steps { set y = chain(|x| log1p(x + 1.0)) }

stage op_sin = train for 1000 steps { set y = chain(|x| sin(x + 1.0)) }

stage op_cos = train for 1000 steps { set y = chain(|x| cos(x)) }

stage op_tanh = train for 1000 steps { set y = chain(|x| tanh(x + 0.5)) }

stage op_sigmoid = train for 1000 steps { set y = chain(|x| sigmoid(x)) }

stage op_softplus = train for 1000 steps { set y = chain(|x| softplus(x)) }

stage op_pow = train for 1000 steps { set y = chain(|x| x^0.7) }

stage op_erf = train for 1000 steps { set y = chain(|x| erf(x + 0.5)) }

stage op_erfinv = train for 1000 steps { set y = chain(|x| erfinv(0.5 * x)) }

stage op_lgamma = train for 1000 steps { set y = chain(|x| lgamma(x + 2.0)) }

stage op_digamma = train for 1000 steps { set y = chain(|x| digamma(x + 2.0)) }

stage op_trigamma = train for 1000 steps { set y = chain(|x| trigamma(x + 1.0)) }

stage op_tan = train for 1000 steps { set y = chain(|x| tan(0.5 * x)) }

stage op_asin = train for 1000 steps { set y = chain(|x| asin(0.5 * x)) }

stage op_acos = train for 1000 steps { set y = chain(|x| acos(0.5 * x)) }

stage op_atan = train for 1000 steps { set y = chain(|x| atan(x + 0.5)) }

stage op_atan2 = train for 1000 steps { set y = chain(|x| atan2(x, 0.7)) }

stage op_sinh = train for 1000 steps { set y = chain(|x| sinh(0.5 * x)) }

stage op_cosh = train for 1000 steps { set y = chain(|x| cosh(0.5 * x)) }

stage op_asinh = train for 1000 steps { set y = chain(|x| asinh(x + 0.5)) }

stage op_acosh = train for 1000 steps { set y = chain(|x| acosh(x + 1.5)) }

stage op_atanh = train for 1000 steps { set y = chain(|x| atanh(0.5 * x)) }

stage op_exp2 = train for 1000 steps { set y = chain(|x| exp2(-x)) }

stage op_log2 = train for 1000 steps { set y = chain(|x| log2(x + 2.0)) }

stage op_erfc = train for 1000 steps { set y = chain(|x| erfc(x)) }

stage op_erfcx = train for 1000 steps { set y = chain(|x| erfcx(x)) }

stage op_ndtr = train for 1000 steps { set y = chain(|x| ndtr(x)) }

stage op_log_ndtr = train for 1000 steps { set y = chain(|x| log_ndtr(-x)) }

stage op_ndtri = train for 1000 steps { set y = chain(|x| ndtri(0.1 * x + 0.3)) }

stage op_i0e = train for 1000 steps { set y = chain(|x| i0e(x)) }

stage op_i1e = train for 1000 steps { set y = chain(|x| i1e(x)) }

stage op_polygamma = train for 1000 steps { set y = chain(|x| polygamma(2, 1.5 - x)) }

stage op_logaddexp = train for 1000 steps { set y = chain(|x| logaddexp(x, 0.3)) }

stage op_lbeta = train for 1000 steps { set y = chain(|x| lbeta(x + 2.5, 1.5)) }

stage op_gammainc = train for 1000 steps { set y = chain(|x| gammainc(1.5, x + 0.5)) }

stage op_gammaincc = train for 1000 steps { set y = chain(|x| gammaincc(1.5, x + 0.5)) }

stage op_betainc = train for 1000 steps { set y = chain(|x| betainc(1.5, 2.5, x)) }
