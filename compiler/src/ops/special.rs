//! Special functions, element by element. Each has derivatives of any order, but for those of incomplete functions by their
//! parameters, which have no derivatives of their own.

use super::rules::{pointwise, real_alike};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, OpDef, Scalar, Special};
use crate::ir::{Attr, DType, Graph, Type, Value};

macro_rules! special {
    ($id:ident, $name:literal, $doc:literal, $f:ident, [$($domain:expr),+], $ad:expr) => {
        #[doc = $doc]
        pub static $id: OpDef = OpDef {
            name: $name,
            doc: $doc,
            arity: Arity::Exactly([$($domain),+].len()),
            shape: real_alike,
            kernel: Kernel::Map(Scalar::Special(Special::$f)),
            ad: $ad,
            batch: Batch::Pointwise,
            cases: || cases(&[$($domain),+]),
        };
    };
}

/// The cases of an element-wise operation whose operands have domains of their own.
fn cases(domains: &[Domain]) -> Vec<Case> {
    let mut all = pointwise(1, DType::F64, domains[0]);
    for c in &mut all {
        let ty: Type = c.operands[0].0.clone();
        c.operands = domains.iter().map(|d| (ty.clone(), *d)).collect();
        c.attr = Attr::None;
    }
    all
}

const WIDE: Domain = Domain::Between(-2.0, 2.0);
const INSIDE: Domain = Domain::Between(-0.9, 0.9);
const POSITIVE: Domain = Domain::Between(0.3, 3.0);
const UNIT: Domain = Domain::Between(0.1, 0.9);

/// `1 / sqrt((p + x) * (q + sign * x))`, and its kin: products are of sums that are exact near the ends.
fn ends(g: &mut Graph, x: Value, below: f64, above: f64) -> Value {
    let (below, above) = (g.constant_like(below, x), g.constant_like(above, x));
    let low = g.add2(x, below);
    let high = g.sub(above, x);
    g.mul(low, high)
}

fn recip_sqrt(g: &mut Graph, x: Value) -> Value {
    let root = g.unary(&super::SQRT, x);
    g.recip(root)
}

fn scaled(g: &mut Graph, c: f64, x: Value) -> Value {
    let c = g.constant_like(c, x);
    g.mul(c, x)
}

/// `1 + x^2`
fn one_and_square(g: &mut Graph, x: Value) -> Value {
    let one = g.constant_like(1.0, x);
    let xx = g.mul(x, x);
    g.add2(one, xx)
}

special!(
    TAN,
    "tan",
    "The tangent of an angle in radians. Error at most 0.6 ulp in f32 and 0.7 in f64.",
    Tan,
    [Domain::Between(-1.2, 1.2)],
    Ad::Pointwise(|g, _, y| vec![Some(one_and_square(g, y))])
);
special!(
    ASIN,
    "asin",
    "The angle in [-pi/2, pi/2] with a sine; NaN outside [-1, 1]. Error at most 0.6 ulp in f32 and 0.6 in f64.",
    Asin,
    [INSIDE],
    Ad::Pointwise(|g, x, _| {
        let p = ends(g, x[0], 1.0, 1.0);
        vec![Some(recip_sqrt(g, p))]
    })
);
special!(
    ACOS,
    "acos",
    "The angle in [0, pi] with a cosine; NaN outside [-1, 1]. Error at most 0.6 ulp in f32 and 0.6 in f64.",
    Acos,
    [INSIDE],
    Ad::Pointwise(|g, x, _| {
        let p = ends(g, x[0], 1.0, 1.0);
        let d = recip_sqrt(g, p);
        vec![Some(g.neg(d))]
    })
);
special!(
    ATAN,
    "atan",
    "The angle in (-pi/2, pi/2) with a tangent. Error at most 0.6 ulp in f32 and 0.7 in f64.",
    Atan,
    [WIDE],
    Ad::Pointwise(|g, x, _| {
        let p = one_and_square(g, x[0]);
        vec![Some(g.recip(p))]
    })
);
special!(
    ATAN2,
    "atan2",
    "The angle of the point (x, y), in [-pi, pi]: `atan2(y, x)`. Error at most 0.6 ulp in f32 and 0.8 in f64.",
    Atan2,
    [WIDE, POSITIVE],
    Ad::Pointwise(|g, x, _| {
        // Angles do not change with the length: the point is brought to the unit circle before squares are taken.
        let (y, x) = (x[0], x[1]);
        let (ay, ax) = (g.unary(&super::ABS, y), g.unary(&super::ABS, x));
        let size = g.binary(&super::MAX, ay, ax);
        let size = g.unary(&super::STOP, size);
        let (v, u) = (g.div(y, size), g.div(x, size));
        let (vv, uu) = (g.mul(v, v), g.mul(u, u));
        let length = g.add2(vv, uu);
        let length = g.mul(length, size);
        let (by_y, by_x) = (g.div(u, length), g.div(v, length));
        vec![Some(by_y), Some(g.neg(by_x))]
    })
);
special!(
    SINH,
    "sinh",
    "The hyperbolic sine. Error at most 0.6 ulp in f32 and 1.7 in f64.",
    Sinh,
    [WIDE],
    Ad::Pointwise(|g, x, _| vec![Some(g.unary(&COSH, x[0]))])
);
special!(
    COSH,
    "cosh",
    "The hyperbolic cosine. Error at most 0.6 ulp in f32 and 1.1 in f64.",
    Cosh,
    [WIDE],
    Ad::Pointwise(|g, x, _| vec![Some(g.unary(&SINH, x[0]))])
);
special!(
    ASINH,
    "asinh",
    "The inverse of `sinh`. Error at most 0.6 ulp in f32 and 1.2 in f64.",
    Asinh,
    [WIDE],
    Ad::Pointwise(|g, x, _| {
        let p = one_and_square(g, x[0]);
        vec![Some(recip_sqrt(g, p))]
    })
);
special!(
    ACOSH,
    "acosh",
    "The inverse of `cosh` that is not negative; NaN below 1. Error at most 0.6 ulp in f32 and 1 in f64.",
    Acosh,
    [Domain::Between(1.3, 3.0)],
    Ad::Pointwise(|g, x, _| {
        let p = ends(g, x[0], 1.0, 1.0);
        let p = g.neg(p);
        vec![Some(recip_sqrt(g, p))]
    })
);
special!(
    ATANH,
    "atanh",
    "The inverse of `tanh`; NaN outside [-1, 1]. Error at most 0.6 ulp in f32 and 1 in f64.",
    Atanh,
    [INSIDE],
    Ad::Pointwise(|g, x, _| {
        let p = ends(g, x[0], 1.0, 1.0);
        vec![Some(g.recip(p))]
    })
);
special!(
    EXP2,
    "exp2",
    "2 to the power of each element; exact at integers. Error at most 0.6 ulp in f32 and 0.6 in f64.",
    Exp2,
    [WIDE],
    Ad::Pointwise(|g, _, y| vec![Some(scaled(g, std::f64::consts::LN_2, y))])
);
special!(
    LOG2,
    "log2",
    "The logarithm to base 2; exact at powers of 2. Error at most 0.6 ulp in f32 and 0.6 in f64.",
    Log2,
    [POSITIVE],
    Ad::Pointwise(|g, x, _| {
        let d = g.recip(x[0]);
        vec![Some(scaled(g, std::f64::consts::LOG2_E, d))]
    })
);
special!(
    ERFC,
    "erfc",
    "`1 - erf(x)`, accurate where it is small. Error at most 0.6 ulp in f32 and 1.5 in f64.",
    Erfc,
    [WIDE],
    Ad::Pointwise(|g, x, _| {
        let xx = g.mul(x[0], x[0]);
        let e = g.neg(xx);
        let e = g.exp(e);
        vec![Some(scaled(g, -std::f64::consts::FRAC_2_SQRT_PI, e))]
    })
);
special!(
    ERFCX,
    "erfcx",
    "`exp(x^2) * erfc(x)`. Its derivative loses digits as x^2 for large x. Error at most 0.6 ulp in f32 and 2.1 in f64.",
    Erfcx,
    [WIDE],
    Ad::Pointwise(|g, x, y| {
        // 2 x erfcx(x) - 2 / sqrt(pi)
        let xy = g.mul(x[0], y);
        let c = g.constant_like(std::f64::consts::FRAC_2_SQRT_PI, y);
        let d = scaled(g, 2.0, xy);
        vec![Some(g.sub(d, c))]
    })
);
special!(
    NDTR,
    "ndtr",
    "The normal distribution function, accurate far to the left. Error at most 0.6 ulp in f32 and 3.5 in f64.",
    Ndtr,
    [WIDE],
    Ad::Pointwise(|g, x, _| {
        let xx = g.mul(x[0], x[0]);
        let e = scaled(g, -0.5, xx);
        let e = g.exp(e);
        vec![Some(scaled(g, 0.398_942_280_401_432_7, e))]
    })
);
special!(
    LOG_NDTR,
    "log_ndtr",
    "The logarithm of the normal distribution function, stable far to the left. Error at most 0.6 ulp in f32 and 2.7 in f64.",
    LogNdtr,
    [WIDE],
    Ad::Pointwise(|g, x, _| {
        // The density over the distribution function: sqrt(2 / pi) / erfcx(-x / sqrt(2)).
        let t = scaled(g, -std::f64::consts::FRAC_1_SQRT_2, x[0]);
        let e = g.unary(&ERFCX, t);
        let c = g.constant_like(0.797_884_560_802_865_4, e);
        vec![Some(g.div(c, e))]
    })
);
special!(
    NDTRI,
    "ndtri",
    "The inverse of the normal distribution function; NaN outside [0, 1]. Error at most 0.6 ulp in f32 and 2.7 in f64.",
    Ndtri,
    [UNIT],
    Ad::Pointwise(|g, _, y| {
        let yy = g.mul(y, y);
        let e = scaled(g, 0.5, yy);
        let e = g.exp(e);
        vec![Some(scaled(g, 2.506_628_274_631_000_2, e))]
    })
);
special!(
    I0E,
    "i0e",
    "The modified Bessel function I0 times exp(-|x|). Error at most 0.6 ulp in f32 and 1.8 in f64.",
    I0e,
    [POSITIVE],
    Ad::Pointwise(|g, x, y| {
        let s = g.sign(x[0]);
        let s = g.mul(s, y);
        let i1 = g.unary(&I1E, x[0]);
        vec![Some(g.sub(i1, s))]
    })
);
special!(
    I1E,
    "i1e",
    "The modified Bessel function I1 times exp(-|x|). Error at most 0.6 ulp in f32 and 1.6 in f64.",
    I1e,
    [POSITIVE],
    Ad::Pointwise(|g, x, y| {
        // i0e - i1e / x - sign(x) i1e; 1/2 at 0, where i1e / x is 1/2.
        let (zero, one) = (g.constant_like(0.0, x[0]), g.constant_like(1.0, x[0]));
        let half = g.constant_like(0.5, x[0]);
        let at_zero = g.binary(&super::EQ, x[0], zero);
        let safe = g.select(at_zero, one, x[0]);
        let ratio = g.div(y, safe);
        let ratio = g.select(at_zero, half, ratio);
        let i0 = g.unary(&I0E, x[0]);
        let s = g.sign(x[0]);
        let s = g.mul(s, y);
        let d = g.sub(i0, ratio);
        vec![Some(g.sub(d, s))]
    })
);
special!(
    POLYGAMMA,
    "polygamma",
    "The n-th derivative of `digamma`, n in 0..=100: `polygamma(n, x)`; NaN for another n. Error at most 0.6 ulp in f32 and 24 in f64.",
    Polygamma,
    [Domain::Below(5), POSITIVE],
    Ad::Pointwise(|g, x, _| {
        let one = g.constant_like(1.0, x[0]);
        let next = g.add2(x[0], one);
        // Between integers there is nothing to differentiate by n.
        vec![None, Some(g.binary(&POLYGAMMA, next, x[1]))]
    })
);
special!(
    LOGADDEXP,
    "logaddexp",
    "`log(exp(x) + exp(y))`. Error at most 0.6 ulp of max(|y|, 0.001) in f32 and 0.7 in f64.",
    Logaddexp,
    [WIDE, WIDE],
    Ad::Pointwise(|g, x, _| {
        // Equal operands, though both be infinite, share the derivative.
        let equal = g.binary(&super::EQ, x[0], x[1]);
        let zero = g.constant_like(0.0, x[0]);
        let d = g.sub(x[0], x[1]);
        let d = g.select(equal, zero, d);
        let by_x = g.sigmoid(d);
        let d = g.neg(d);
        vec![Some(by_x), Some(g.sigmoid(d))]
    })
);
special!(
    LBETA,
    "lbeta",
    "The logarithm of the beta function of two positive numbers. Error at most 0.6 ulp of max(|y|, 0.1) in f32 and 29 in f64.",
    Lbeta,
    [POSITIVE, POSITIVE],
    Ad::Pointwise(|g, x, _| {
        let sum = g.add2(x[0], x[1]);
        let both = g.unary(&super::DIGAMMA, sum);
        let by = |g: &mut Graph, x: Value| {
            let d = g.unary(&super::DIGAMMA, x);
            Some(g.sub(d, both))
        };
        vec![by(g, x[0]), by(g, x[1])]
    })
);
special!(
    GAMMAINC,
    "gammainc",
    "The regularised lower incomplete gamma function P(a, x), for a > 0 and x >= 0. Error at most 0.6 ulp in f32 and 2900 in f64.",
    Gammainc,
    [POSITIVE, POSITIVE],
    Ad::Pointwise(|g, x, _| {
        vec![
            Some(g.binary(&GAMMAINC_BY_A, x[0], x[1])),
            Some(g.binary(&GAMMAINC_BY_X, x[0], x[1])),
        ]
    })
);
special!(
    GAMMAINCC,
    "gammaincc",
    "The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x). Error at most 0.6 ulp in f32 and 430 in f64.",
    Gammaincc,
    [POSITIVE, POSITIVE],
    Ad::Pointwise(|g, x, _| {
        let (by_a, by_x) = (
            g.binary(&GAMMAINC_BY_A, x[0], x[1]),
            g.binary(&GAMMAINC_BY_X, x[0], x[1]),
        );
        vec![Some(g.neg(by_a)), Some(g.neg(by_x))]
    })
);
special!(
    GAMMAINC_BY_X,
    "gammainc_by_x",
    "The derivative of P(a, x) by x: `x^(a - 1) * exp(-x) / gamma(a)`. Error at most 0.6 ulp in f32 and 4500 in f64.",
    GammaincByX,
    [POSITIVE, POSITIVE],
    Ad::Pointwise(|g, x, y| {
        let (a, x) = (x[0], x[1]);
        let log = g.log(x);
        let d = g.unary(&super::DIGAMMA, a);
        let by_a = g.sub(log, d);
        let one = g.constant_like(1.0, a);
        let less = g.sub(a, one);
        let ratio = g.div(less, x);
        let by_x = g.sub(ratio, one);
        vec![Some(g.mul(y, by_a)), Some(g.mul(y, by_x))]
    })
);
special!(
    GAMMAINC_BY_A,
    "gammainc_by_a",
    "The derivative of P(a, x) by a. Error at most 0.6 ulp in f32 and 190 in f64.",
    GammaincByA,
    [POSITIVE, POSITIVE],
    Ad::Refused(
        "the derivative of an incomplete gamma function by its parameter has no derivative of its own: take that by x first, or `stop` one of the two"
    )
);
special!(
    BETAINC,
    "betainc",
    "The regularised incomplete beta function I_x(a, b): `betainc(a, b, x)`, for positive a and b. Error at most 0.6 ulp in f32 and 550 in f64.",
    Betainc,
    [POSITIVE, POSITIVE, UNIT],
    Ad::Pointwise(|g, x, _| {
        [&BETAINC_BY_A, &BETAINC_BY_B, &BETAINC_BY_X]
            .map(|def| Some(g.add(def, Attr::None, x)))
            .to_vec()
    })
);
special!(
    BETAINC_BY_X,
    "betainc_by_x",
    "The derivative of I_x(a, b) by x: `x^(a - 1) * (1 - x)^(b - 1) / B(a, b)`. Error at most 0.6 ulp in f32 and 820 in f64.",
    BetaincByX,
    [POSITIVE, POSITIVE, UNIT],
    Ad::Pointwise(|g, x, y| {
        let (a, b, x) = (x[0], x[1], x[2]);
        let one = g.constant_like(1.0, a);
        let minus = g.neg(x);
        let (log, log1m) = (g.log(x), g.unary(&super::LOG1P, minus));
        let sum = g.add2(a, b);
        let both = g.unary(&super::DIGAMMA, sum);
        let by = |g: &mut Graph, p: Value, log: Value| {
            let d = g.unary(&super::DIGAMMA, p);
            let d = g.sub(log, d);
            let d = g.add2(d, both);
            Some(g.mul(y, d))
        };
        let (by_a, by_b) = (by(g, a, log), by(g, b, log1m));
        let (la, lb) = (g.sub(a, one), g.sub(b, one));
        let rest = g.sub(one, x);
        let (up, down) = (g.div(la, x), g.div(lb, rest));
        let by_x = g.sub(up, down);
        vec![by_a, by_b, Some(g.mul(y, by_x))]
    })
);
special!(
    BETAINC_BY_A,
    "betainc_by_a",
    "The derivative of I_x(a, b) by a. Error at most 0.6 ulp in f32 and 11000 in f64.",
    BetaincByA,
    [POSITIVE, POSITIVE, UNIT],
    Ad::Refused(BETA_AGAIN)
);
special!(
    BETAINC_BY_B,
    "betainc_by_b",
    "The derivative of I_x(a, b) by b. Error at most 0.6 ulp in f32 and 19000 in f64.",
    BetaincByB,
    [POSITIVE, POSITIVE, UNIT],
    Ad::Refused(BETA_AGAIN)
);

const BETA_AGAIN: &str = "the derivative of an incomplete beta function by its parameter has no derivative of its own: take that by x first, or `stop` one of the two";
