//! Comparisons, truth values, selection.

use super::rules::{bool_alike, compare, compare_any, pointwise};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, OpDef, Scalar, Wrt};
use crate::ir::{Attr, DType, Type};

macro_rules! logic {
    ($id:ident, $name:literal, $doc:literal, $arity:literal, $shape:expr, $scalar:ident, $dtype:ident, $domain:expr) => {
        #[doc = $doc]
        pub static $id: OpDef = OpDef {
            name: $name,
            doc: $doc,
            arity: Arity::Exactly($arity),
            shape: $shape,
            kernel: Kernel::Map(Scalar::$scalar),
            ad: Ad::Zero,
            batch: Batch::Pointwise,
            cases: || pointwise($arity, DType::$dtype, $domain),
        };
    };
}

logic!(LT, "lt", "`x < y`", 2, compare, Lt, F64, Domain::Distinct);
logic!(LE, "le", "`x <= y`", 2, compare, Le, F64, Domain::Distinct);
logic!(
    EQ,
    "eq",
    "`x == y`",
    2,
    compare_any,
    Eq,
    I32,
    Domain::Below(3)
);
logic!(
    NE,
    "ne",
    "`x != y`",
    2,
    compare_any,
    Ne,
    I32,
    Domain::Below(3)
);
logic!(
    AND,
    "and",
    "Both.",
    2,
    bool_alike,
    And,
    Bool,
    Domain::Below(2)
);
logic!(
    OR,
    "or",
    "Either.",
    2,
    bool_alike,
    Or,
    Bool,
    Domain::Below(2)
);
logic!(
    NOT,
    "not",
    "The opposite.",
    1,
    bool_alike,
    Not,
    Bool,
    Domain::Below(2)
);
logic!(
    IS_FINITE,
    "is_finite",
    "Neither infinite nor NaN.",
    1,
    compare,
    IsFinite,
    F64,
    Domain::Between(-1.0, 1.0)
);

/// One of two, element by element.
pub static SELECT: OpDef = OpDef {
    name: "select",
    doc: "The second operand where the first is true, else the third.",
    arity: Arity::Exactly(3),
    shape: |_, types| match types {
        [c, a, b] => {
            if c.dtype != DType::Bool || c.shape != a.shape || a != b {
                return Err(format!("a selection by `{c}` between `{a}` and `{b}`"));
            }
            Ok((*a).clone())
        }
        _ => Err("a selection takes three operands".into()),
    },
    kernel: Kernel::Map(Scalar::Select),
    ad: Ad::Linear {
        wrt: Wrt::Only(&[1, 2]),
        transpose: |g, _, x, ct| {
            let zero = g.constant_like(0.0, ct);
            vec![
                None,
                Some(g.select(x[0], ct, zero)),
                Some(g.select(x[0], zero, ct)),
            ]
        },
    },
    batch: Batch::Pointwise,
    cases: || {
        super::rules::SHAPES
            .iter()
            .map(|s| Case {
                attr: Attr::None,
                operands: vec![
                    (Type::new(DType::Bool, s.to_vec()), Domain::Below(2)),
                    (
                        Type::new(DType::F64, s.to_vec()),
                        Domain::Between(-1.0, 1.0),
                    ),
                    (
                        Type::new(DType::F64, s.to_vec()),
                        Domain::Between(-1.0, 1.0),
                    ),
                ],
            })
            .collect()
    },
};
