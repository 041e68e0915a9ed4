//! Places of extremes, and orders.

use super::rules::{along, shift_axis};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, OpDef};
use crate::ir::{Attr, DType, Type};

fn case(dtype: DType, axis: usize, shape: &[usize], domain: Domain) -> Case {
    Case {
        attr: Attr::Axis(axis),
        operands: vec![(Type::new(dtype, shape.to_vec()), domain)],
    }
}

/// Where the maximum is.
pub static ARGMAX: OpDef = OpDef {
    name: "argmax",
    doc: "The index of the first maximum along an axis; a NaN counts as the largest.",
    arity: Arity::Exactly(1),
    shape: |attr, types| {
        let a = along(attr, types)?;
        if types[0].shape[a] == 0 {
            return Err(format!("`{}` has no maximum along axis {a}", types[0]));
        }
        let mut shape = types[0].shape.clone();
        shape.remove(a);
        Ok(Type::new(DType::I32, shape))
    },
    kernel: Kernel::ArgMax,
    ad: Ad::Zero,
    batch: Batch::Shift(shift_axis),
    cases: || {
        vec![
            case(DType::F64, 0, &[5], Domain::Distinct),
            case(DType::F64, 1, &[2, 3], Domain::Distinct),
            case(DType::I32, 0, &[7], Domain::Below(3)),
            case(DType::I32, 1, &[2, 5, 3], Domain::Below(4)),
        ]
    },
};

/// The order of the elements.
pub static ARGSORT: OpDef = OpDef {
    name: "argsort",
    doc: "Indices that sort along an axis: ascending, equal elements in their order, NaN last.",
    arity: Arity::Exactly(1),
    shape: |attr, types| along(attr, types).map(|_| Type::new(DType::I32, types[0].shape.clone())),
    kernel: Kernel::ArgSort,
    ad: Ad::Zero,
    batch: Batch::Shift(shift_axis),
    cases: || {
        vec![
            case(DType::F64, 0, &[5], Domain::Distinct),
            case(DType::F64, 1, &[2, 3], Domain::Distinct),
            case(DType::F64, 0, &[0], Domain::Distinct),
            case(DType::I32, 1, &[2, 9, 3], Domain::Below(4)),
        ]
    },
};
