"""Writes special.csv: values of special functions to 20 digits, by mpmath with 60.

A line: function, arguments, the value rounded to f64, what is missing from it. Arguments are exact in f32, so that one
table serves both types.

    pip install mpmath && python make.py > special.csv
"""

import random
import struct

import mpmath as mp

mp.mp.dps = 60
random.seed(1)


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def log_spaced(low, high, n):
    step = (mp.log(high) - mp.log(low)) / (n - 1)
    return [f32(float(mp.exp(mp.log(low) + i * step))) for i in range(n)]


def spaced(low, high, n):
    return [f32(low + (high - low) * (i + random.random() * 0.5) / n) for i in range(n)]


def both(xs):
    return [s * x for x in xs for s in (1.0, -1.0)]


TINY = [0.0, 2.0**-149, 1e-40, 2.0**-126, 1e-30, 1e-20, 1e-10]
EVERYWHERE = both(TINY + log_spaced(1e-8, 1e6, 60)) + spaced(-4, 4, 60)
POSITIVE = [2.0**-149, 2.0**-126] + log_spaced(1e-30, 1e30, 90) + spaced(0.05, 4, 50)
MODERATE = both(TINY + log_spaced(1e-6, 80, 60)) + spaced(-4, 4, 60)
INSIDE = both(TINY + log_spaced(1e-8, 0.5, 30) + [1 - x for x in log_spaced(6e-8, 0.4, 30)])
INSIDE = [f32(x) for x in INSIDE]
UNIT = log_spaced(1e-37, 0.4, 70) + [f32(1 - x) for x in log_spaced(6e-8, 0.5, 40)] + spaced(0.05, 0.95, 40)
SHAPES = [f32(x) for x in (1e-3, 0.02, 0.3, 0.5, 1.0, 1.5, 2.5, 7.0, 9.9, 10.1, 33.0, 120.0, 1000.0, 30000.0)]


def near_halves(points, offsets):
    return [f32(p + s * d) for p in points for d in offsets for s in (1, -1)]


def erfcx(x):
    return mp.exp(x * x) * mp.erfc(x)


def phi(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def ndtri(p):
    return -mp.sqrt(2) * erfinv(1 - 2 * p) if p < 0.5 else mp.sqrt(2) * erfinv(2 * p - 1)


def erfinv(y):
    if abs(y) < mp.mpf("0.999"):
        return mp.erfinv(y)
    # Newton's method on log erfc keeps its digits.
    target = mp.log(1 - abs(y))
    x = mp.sqrt(-target)
    for _ in range(60):
        e = mp.erfc(x)
        step = (mp.log(e) - target) / (-2 / mp.sqrt(mp.pi) * mp.exp(-x * x) / e)
        x -= step
        if abs(step) < mp.mpf(10) ** -50:
            break
    return x * mp.sign(y)


def lower(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def upper(a, x):
    return mp.gammainc(a, x, mp.inf, regularized=True)


def beta(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def slope(f, at):
    h = mp.mpf(10) ** -20 * max(1, abs(at))
    return (f(at + h) - f(at - h)) / (2 * h)


def around(a):
    """Points at which P(a, x) is neither 0 nor 1 to the last bit, and some beyond."""
    s = mp.sqrt(a)
    return sorted({f32(float(x)) for x in [a * f for f in (0.01, 0.3, 0.7, 1, 1.4, 3)] + [a + k * s for k in (-3, -1, 1, 5)] if x > 1e-30})


PAIRS = [(a, x) for a in SHAPES for x in around(a)]
TRIPLES = [
    (a, b, x)
    for a in (0.25, 1.0, 2.5, 9.0, 40.0, 1000.0)
    for b in (0.5, 1.0, 3.0, 20.0, 700.0)
    for x in sorted({f32(y) for y in (1e-5, a / (a + b) * 0.5, a / (a + b), a / (a + b) * 0.5 + 0.5, 0.9, 0.999)})
]

FUNCTIONS = {
    "exp": (mp.exp, both(TINY + log_spaced(1e-6, 700, 60)) + spaced(-87, 88, 60)),
    "log": (mp.log, POSITIVE + near_halves([1], [1e-7, 1e-4, 0.01])),
    "log1p": (mp.log1p, [x for x in EVERYWHERE if x > -1] + [f32(x - 1) for x in log_spaced(6e-8, 0.5, 20)]),
    "expm1": (mp.expm1, MODERATE),
    "exp2": (lambda x: mp.mpf(2) ** x, both(TINY + log_spaced(1e-6, 120, 60)) + [float(k) for k in range(-20, 20)]),
    "log2": (lambda x: mp.log(x) / mp.log(2), POSITIVE + [2.0**k for k in range(-20, 20)]),
    "sin": (mp.sin, EVERYWHERE + [f32(k * 1.5707963267948966) for k in range(-20, 20)]),
    "cos": (mp.cos, EVERYWHERE + [f32(k * 1.5707963267948966) for k in range(-20, 20)]),
    "tan": (mp.tan, EVERYWHERE + [f32(k * 1.5707963267948966) for k in range(-20, 20)]),
    "asin": (mp.asin, INSIDE + [1.0, -1.0]),
    "acos": (mp.acos, INSIDE + [1.0, -1.0]),
    "atan": (mp.atan, EVERYWHERE + both(log_spaced(1e7, 1e30, 10))),
    "sinh": (mp.sinh, MODERATE),
    "cosh": (mp.cosh, MODERATE),
    "tanh": (mp.tanh, MODERATE),
    "asinh": (mp.asinh, EVERYWHERE + both(log_spaced(1e7, 1e30, 10))),
    "acosh": (mp.acosh, [1.0] + [f32(1 + x) for x in log_spaced(1.2e-7, 1, 40)] + log_spaced(2, 1e30, 60)),
    "atanh": (mp.atanh, INSIDE),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-x)), MODERATE),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), MODERATE),
    "erf": (mp.erf, MODERATE),
    "erfc": (mp.erfc, both(TINY + log_spaced(1e-6, 26, 60)) + spaced(-4, 9, 60)),
    "erfcx": (erfcx, both(TINY + log_spaced(1e-6, 9, 60)) + log_spaced(9, 1e20, 50)),
    "erfinv": (erfinv, INSIDE),
    "ndtr": (phi, both(TINY + log_spaced(1e-6, 12, 50)) + spaced(-37, 8, 80)),
    "log_ndtr": (lambda x: mp.log(phi(x)) if x < 0 else mp.log1p(-phi(-x)), MODERATE + [-1e3, -1e5]),
    "ndtri": (ndtri, UNIT),
    "lgamma": (lambda x: mp.log(abs(mp.gamma(x))), POSITIVE + near_halves([1, 2], [1e-6, 1e-4, 0.01]) + spaced(-6, 0, 40)),
    "digamma": (mp.digamma, POSITIVE + near_halves([1.4616321449683623], [1e-6, 1e-4, 0.01]) + spaced(-6, 0, 40)),
    "trigamma": (lambda x: mp.polygamma(1, x), POSITIVE[30:] + spaced(-6, 0, 40)),
    "i0e": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), MODERATE + log_spaced(80, 1e20, 30)),
    "i1e": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), MODERATE + log_spaced(80, 1e20, 30)),
    "pow": (lambda x, y: x**y, [(x, f32(y)) for x in (1e-30, 0.01, 0.75, 1.0, 1.5, 10.0, 12345.0) for y in (-7.5, -1, -0.3, 0, 1e-5, 0.5, 2, 3.7, 6)]),
    "atan2": (mp.atan2, [(y, x) for y in both([1e-30, 1e-3, 1.0, 7.0, 1e20]) for x in both([1e-25, 0.01, 1.0, 300.0, 1e15])]),
    "polygamma": (lambda n, x: mp.polygamma(int(n), x), [(n, x) for n in (1.0, 2.0, 3.0, 5.0, 12.0, 30.0) for x in [f32(y) for y in (0.01, 0.3, 1.0, 1.5, 4.2, 9.0, 30.0, 250.0, -0.3, -1.7, -5.2)]]),
    "logaddexp": (lambda x, y: mp.log(mp.exp(x) + mp.exp(y)), [(f32(x), f32(y)) for x in (-80, -3.3, 0, 1e-3, 2.5, 60) for y in (-90, -3.2, -1, 0, 0.7, 3, 80)]),
    "lbeta": (lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b), [(a, b) for a in SHAPES for b in SHAPES]),
    "gammainc": (lower, PAIRS),
    "gammaincc": (upper, PAIRS),
    "gammainc_by_x": (lambda a, x: mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a)), PAIRS),
    "gammainc_by_a": (lambda a, x: slope(lambda t: lower(t, x), a), [p for p in PAIRS if p[0] < 2000]),
    "betainc": (beta, TRIPLES),
    "betainc_by_x": (lambda a, b, x: mp.exp((a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x)) / mp.beta(a, b), TRIPLES),
    "betainc_by_a": (lambda a, b, x: slope(lambda t: beta(t, b, x), a), TRIPLES),
    "betainc_by_b": (lambda a, b, x: slope(lambda t: beta(a, t, x), b), TRIPLES),
}


def number(x):
    return repr(float(x)).removesuffix(".0")


def main():
    for name, (f, points) in FUNCTIONS.items():
        seen = set()
        for p in points:
            p = tuple(f32(float(x)) for x in (p if isinstance(p, tuple) else (p,)))
            text = " ".join(number(x) for x in p)
            if text in seen:
                continue
            seen.add(text)
            try:
                y = f(*[mp.mpf(x) for x in p])
                y = mp.re(y) if isinstance(y, mp.mpc) else y
            except (ValueError, ZeroDivisionError, mp.libmp.NoConvergence):
                continue
            # A difference quotient has no digits where the function is 1 to the last of 60.
            blurred = name.endswith(("_by_a", "_by_b")) and abs(y) < mp.mpf(10) ** -18
            if mp.isfinite(y) and not blurred:
                high = float(y)
                print(f"{name},{text},{number(high)},{float(mp.mpf(y) - high):.4g}", flush=True)


main()
