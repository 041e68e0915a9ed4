//! Element-wise functions of two operands.

use super::rules::{int_alike, number_alike, pointwise, real_alike};
use super::{Ad, Arity, Batch, Domain, Kernel, OpDef, Scalar, Wrt};
use crate::ir::{DType, Graph, Value};

macro_rules! binary {
    ($id:ident, $name:literal, $doc:literal, $shape:expr, $scalar:ident, $dtype:ident, $domain:expr, $ad:expr) => {
        #[doc = $doc]
        pub static $id: OpDef = OpDef {
            name: $name,
            doc: $doc,
            arity: Arity::Exactly(2),
            shape: $shape,
            kernel: Kernel::Map(Scalar::$scalar),
            ad: $ad,
            batch: Batch::Pointwise,
            cases: || pointwise(2, DType::$dtype, $domain),
        };
    };
}

const WIDE: Domain = Domain::Between(-2.0, 2.0);

binary!(
    ADD,
    "add",
    "`x + y`",
    number_alike,
    Add,
    F64,
    WIDE,
    Ad::Linear {
        wrt: Wrt::All,
        transpose: |_, _, _, ct| vec![Some(ct), Some(ct)],
    }
);
binary!(
    SUB,
    "sub",
    "`x - y`",
    number_alike,
    Sub,
    F64,
    WIDE,
    Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, _, _, ct| vec![Some(ct), Some(g.neg(ct))],
    }
);
binary!(
    MUL,
    "mul",
    "`x * y`",
    number_alike,
    Mul,
    F64,
    WIDE,
    Ad::Bilinear {
        left: |g, _, x, ct| g.mul(ct, x[1]),
        right: |g, _, x, ct| g.mul(ct, x[0]),
    }
);
binary!(
    DIV,
    "div",
    "`x / y`",
    real_alike,
    Div,
    F64,
    Domain::Between(0.5, 2.0),
    Ad::Pointwise(|g, x, y| {
        // -x / y^2 without a division of its own.
        let by_x = g.recip(x[1]);
        let by_y = g.mul(y, by_x);
        vec![Some(by_x), Some(g.neg(by_y))]
    })
);
binary!(
    INT_DIV,
    "int_div",
    "The whole part of `x / y`, toward minus infinity; 0 where `y` is 0.",
    int_alike,
    IntDiv,
    I32,
    Domain::Below(7),
    Ad::Zero
);
binary!(
    MOD,
    "mod",
    "The remainder, with the sign of `y`.",
    number_alike,
    Mod,
    F64,
    Domain::Between(0.6, 0.9),
    Ad::Pointwise(|g, x, _| {
        // x - y * floor(x / y): slope 1 in x, and -floor(x / y) in y.
        let q = g.div(x[0], x[1]);
        let q = g.unary(&super::FLOOR, q);
        vec![Some(g.constant_like(1.0, x[0])), Some(g.neg(q))]
    })
);
binary!(
    POW,
    "pow",
    "`x ^ y`. Error at most 0.6 ulp in f32 and 0.6 in f64.",
    real_alike,
    Pow,
    F64,
    Domain::Between(0.5, 2.0),
    Ad::Pointwise(|g, x, p| {
        let one = g.constant_like(1.0, x[1]);
        let less = g.sub(x[1], one);
        let lower = g.pow(x[0], less);
        let by_x = g.mul(x[1], lower);
        // Where x is 0 the power does not move with y (for y > 0), though log(x) is infinite.
        let zero = g.constant_like(0.0, x[0]);
        let is_zero = g.binary(&super::EQ, x[0], zero);
        let safe = g.select(is_zero, one, x[0]);
        let l = g.log(safe);
        vec![Some(by_x), Some(g.mul(p, l))]
    })
);
binary!(
    MAX,
    "max",
    "The larger; NaN if either is NaN.",
    number_alike,
    Max,
    F64,
    Domain::Distinct,
    Ad::Pointwise(|g, x, _| { extreme(g, x[1], x[0], x) })
);
binary!(
    MIN,
    "min",
    "The smaller; NaN if either is NaN.",
    number_alike,
    Min,
    F64,
    Domain::Distinct,
    Ad::Pointwise(|g, x, _| { extreme(g, x[0], x[1], x) })
);

/// Slope 1 where the first operand wins (`low <= high`), equal operands counting for the first.
fn extreme(g: &mut Graph, low: Value, high: Value, x: &[Value]) -> Vec<Option<Value>> {
    let first = g.binary(&super::LE, low, high);
    let (one, zero) = (g.constant_like(1.0, x[0]), g.constant_like(0.0, x[0]));
    vec![
        Some(g.select(first, one, zero)),
        Some(g.select(first, zero, one)),
    ]
}
