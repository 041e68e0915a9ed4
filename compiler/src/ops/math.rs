//! Element-wise functions of one operand.

use super::rules::{number_alike, pointwise, real_alike};
use super::{Ad, Arity, Batch, Domain, Kernel, OpDef, Scalar};
use crate::ir::DType;

macro_rules! unary {
    ($id:ident, $name:literal, $doc:literal, $shape:expr, $scalar:ident, $domain:expr, $ad:expr) => {
        #[doc = $doc]
        pub static $id: OpDef = OpDef {
            name: $name,
            doc: $doc,
            arity: Arity::Exactly(1),
            shape: $shape,
            kernel: Kernel::Map(Scalar::$scalar),
            ad: $ad,
            batch: Batch::Pointwise,
            cases: || pointwise(1, DType::F64, $domain),
        };
    };
}

const WIDE: Domain = Domain::Between(-2.0, 2.0);
const POSITIVE: Domain = Domain::Between(0.3, 3.0);

unary!(
    NEG,
    "neg",
    "`-x`",
    number_alike,
    Neg,
    WIDE,
    Ad::Pointwise(|g, x, _| vec![Some(g.constant_like(-1.0, x[0]))])
);
unary!(
    ABS,
    "abs",
    "The absolute value.",
    number_alike,
    Abs,
    POSITIVE,
    Ad::Pointwise(|g, x, _| vec![Some(g.sign(x[0]))])
);
unary!(
    SIGN,
    "sign",
    "-1, 0 or 1.",
    number_alike,
    Sign,
    POSITIVE,
    Ad::Zero
);
unary!(
    SQRT,
    "sqrt",
    "The square root. Error at most 0.5 ulp in f32 and 0.5 in f64.",
    real_alike,
    Sqrt,
    POSITIVE,
    Ad::Pointwise(|g, _, y| {
        let half = g.constant_like(0.5, y);
        vec![Some(g.div(half, y))]
    })
);
unary!(
    EXP,
    "exp",
    "e to the power of each element. Error at most 1.1 ulp in f32 and 0.7 in f64.",
    real_alike,
    Exp,
    WIDE,
    Ad::Pointwise(|_, _, y| vec![Some(y)])
);
unary!(
    LOG,
    "log",
    "The natural logarithm. Error at most 1 ulp in f32 and 0.8 in f64.",
    real_alike,
    Log,
    POSITIVE,
    Ad::Pointwise(|g, x, _| vec![Some(g.recip(x[0]))])
);
unary!(
    LOG1P,
    "log1p",
    "`log(1 + x)`, accurate near 0. Error at most 1.5 ulp in f32 and 0.7 in f64.",
    real_alike,
    Log1p,
    Domain::Between(-0.5, 2.0),
    Ad::Pointwise(|g, x, _| {
        let one = g.constant_like(1.0, x[0]);
        let d = g.add2(one, x[0]);
        vec![Some(g.recip(d))]
    })
);
unary!(
    EXPM1,
    "expm1",
    "`exp(x) - 1`, accurate near 0. Error at most 1.7 ulp in f32 and 0.8 in f64.",
    real_alike,
    Expm1,
    WIDE,
    Ad::Pointwise(|g, x, _| vec![Some(g.exp(x[0]))])
);
unary!(
    SIN,
    "sin",
    "Sine of each element, in radians. Error at most 0.6 ulp in f32 and 0.6 in f64.",
    real_alike,
    Sin,
    WIDE,
    Ad::Pointwise(|g, x, _| vec![Some(g.cos(x[0]))])
);
unary!(
    COS,
    "cos",
    "Cosine of each element, in radians. Error at most 0.6 ulp in f32 and 0.7 in f64.",
    real_alike,
    Cos,
    WIDE,
    Ad::Pointwise(|g, x, _| {
        let s = g.sin(x[0]);
        vec![Some(g.neg(s))]
    })
);
unary!(
    TANH,
    "tanh",
    "The hyperbolic tangent. Error at most 1.4 ulp in f32 and 1.4 in f64.",
    real_alike,
    Tanh,
    WIDE,
    Ad::Pointwise(|g, _, y| {
        let one = g.constant_like(1.0, y);
        let yy = g.mul(y, y);
        vec![Some(g.sub(one, yy))]
    })
);
unary!(
    SIGMOID,
    "sigmoid",
    "`1 / (1 + exp(-x))`. Error at most 2.9 ulp in f32 and 1.5 in f64.",
    real_alike,
    Sigmoid,
    WIDE,
    Ad::Pointwise(|g, _, y| {
        let one = g.constant_like(1.0, y);
        let rest = g.sub(one, y);
        vec![Some(g.mul(y, rest))]
    })
);
unary!(
    SOFTPLUS,
    "softplus",
    "`log(1 + exp(x))`. Error at most 2.9 ulp in f32 and 1.2 in f64.",
    real_alike,
    Softplus,
    WIDE,
    Ad::Pointwise(|g, x, _| vec![Some(g.sigmoid(x[0]))])
);
unary!(
    ERF,
    "erf",
    "The error function. Error at most 1.1 ulp in f32 and 0.8 in f64.",
    real_alike,
    Erf,
    WIDE,
    Ad::Pointwise(|g, x, _| {
        // d erf(x) / dx = 2 / sqrt(pi) * exp(-x^2)
        let xx = g.mul(x[0], x[0]);
        let e = g.neg(xx);
        let e = g.exp(e);
        let c = g.constant_like(std::f64::consts::FRAC_2_SQRT_PI, e);
        vec![Some(g.mul(c, e))]
    })
);
unary!(
    ERFINV,
    "erfinv",
    "The inverse of the error function. Error at most 3 ulp in f32 and 1.4 in f64.",
    real_alike,
    Erfinv,
    Domain::Between(-0.8, 0.8),
    Ad::Pointwise(|g, _, y| {
        // The inverse of erf's derivative, at the result.
        let yy = g.mul(y, y);
        let e = g.exp(yy);
        let c = g.constant_like(1.0 / std::f64::consts::FRAC_2_SQRT_PI, e);
        vec![Some(g.mul(c, e))]
    })
);
unary!(
    LGAMMA,
    "lgamma",
    "The logarithm of the absolute gamma function. Error at most 0.6 ulp of max(|y|, 1) in f32 and 2 in f64.",
    real_alike,
    Lgamma,
    POSITIVE,
    Ad::Pointwise(|g, x, _| { vec![Some(g.unary(&DIGAMMA, x[0]))] })
);
unary!(
    DIGAMMA,
    "digamma",
    "The derivative of `lgamma`. Error at most 0.6 ulp of max(|y|, 1) in f32 and 4.6 in f64.",
    real_alike,
    Digamma,
    POSITIVE,
    Ad::Pointwise(|g, x, _| { vec![Some(g.unary(&TRIGAMMA, x[0]))] })
);
unary!(
    TRIGAMMA,
    "trigamma",
    "The derivative of `digamma`. Error at most 0.6 ulp in f32 and 4.1 in f64.",
    real_alike,
    Trigamma,
    POSITIVE,
    Ad::Pointwise(|g, x, _| {
        let two = g.constant_like(2.0, x[0]);
        vec![Some(g.binary(&super::POLYGAMMA, two, x[0]))]
    })
);
unary!(
    FLOOR,
    "floor",
    "The largest integer not above.",
    real_alike,
    Floor,
    Domain::Between(0.1, 0.9),
    Ad::Zero
);
unary!(
    CEIL,
    "ceil",
    "The smallest integer not below.",
    real_alike,
    Ceil,
    Domain::Between(0.1, 0.9),
    Ad::Zero
);
unary!(
    ROUND,
    "round",
    "The nearest integer; halves to even.",
    real_alike,
    Round,
    Domain::Between(0.6, 0.9),
    Ad::Zero
);
