//! Between element types.

use super::rules::{bad_attr, f64s};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, OpDef, Scalar};
use crate::ir::{Attr, DType, Type};

/// To another element type.
pub static CAST: OpDef = OpDef {
    name: "cast",
    doc: "To another element type. A real to an int truncates and saturates, NaN gives 0; to bool: nonzero.",
    arity: Arity::Exactly(1),
    shape: |attr, types| match (attr, types) {
        (Attr::DType(d), [t]) => Ok(Type::new(*d, t.shape.clone())),
        (other, _) => bad_attr("cast", other),
    },
    kernel: Kernel::Map(Scalar::Cast),
    // Linear between real types; locally constant from or to the others, whose cotangents never reach a real.
    ad: Ad::Custom {
        jvp: |g, v, x, ts| {
            let t = ts[0]?;
            let d = g.ty(v).dtype;
            (d.is_real() && g.ty(x[0]).dtype.is_real()).then(|| g.cast(t, d))
        },
        vjp: |g, v, x, ct| {
            let d = g.ty(x[0]).dtype;
            vec![(d.is_real() && g.ty(v).dtype.is_real()).then(|| g.cast(ct, d))]
        },
    },
    batch: Batch::Pointwise,
    cases: || {
        let case = |from: DType, to: DType, domain| Case {
            attr: Attr::DType(to),
            operands: vec![(Type::new(from, vec![5]), domain)],
        };
        vec![
            case(DType::F64, DType::F64, Domain::Between(-2.0, 2.0)),
            case(DType::F64, DType::I32, Domain::Between(-2.0, 2.0)),
            case(DType::I32, DType::F64, Domain::Below(9)),
            case(DType::Bool, DType::F64, Domain::Below(2)),
            case(DType::F64, DType::Bool, Domain::Between(0.1, 0.9)),
            Case {
                attr: Attr::DType(DType::F64),
                operands: vec![(f64s(&[]), Domain::Between(0.0, 1.0))],
            },
        ]
    },
};

/// Random bits to numbers.
pub static BITS_TO_UNIT: OpDef = OpDef {
    name: "bits_to_unit",
    doc: "32 random bits to a real in the open unit interval.",
    arity: Arity::Exactly(1),
    shape: |attr, types| match (attr, types) {
        (Attr::DType(d), [t]) if d.is_real() && t.dtype == DType::I32 => {
            Ok(Type::new(*d, t.shape.clone()))
        }
        (other, _) => bad_attr("bits_to_unit", other),
    },
    kernel: Kernel::Map(Scalar::BitsToUnit),
    ad: Ad::Zero,
    batch: Batch::Pointwise,
    cases: || {
        vec![Case {
            attr: Attr::DType(DType::F64),
            operands: vec![(Type::new(DType::I32, vec![7]), Domain::Below(1000))],
        }]
    },
};
