//! Values that come from outside, and constants.

use super::rules::{bad_attr, no_cases, sized};
use super::{Ad, Arity, Batch, Case, Kernel, Lane, OpDef};
use crate::ir::{Attr, DType, Graph, Type, Value};

/// What a graph is applied to.
pub static INPUT: OpDef = OpDef {
    name: "input",
    doc: "A tensor given to the program.",
    arity: Arity::Exactly(0),
    shape: |attr, _| match attr {
        Attr::Input(_, ty) => Ok(ty.clone()),
        other => bad_attr("input", other),
    },
    kernel: Kernel::Leaf,
    ad: Ad::Zero,
    batch: Batch::Custom(same_for_all),
    cases: no_cases,
};

/// A stand-in for one lane of a `for`.
pub static LANE: OpDef = OpDef {
    name: "lane",
    doc: "A stand-in for one lane of a `for`; gone when the region is batched.",
    arity: Arity::Exactly(0),
    shape: |attr, _| match attr {
        Attr::Placeholder(_, ty) => Ok(ty.clone()),
        other => bad_attr("lane", other),
    },
    kernel: Kernel::Leaf,
    ad: Ad::Zero,
    batch: Batch::Custom(same_for_all),
    cases: no_cases,
};

/// A sample site of an `expect`. Operands: the tensors among the distribution's arguments.
pub static SITE: OpDef = OpDef {
    name: "site",
    doc: "A draw whose gradient estimator has not been put in.",
    arity: Arity::AtLeast(0),
    shape: |attr, _| match attr {
        Attr::Site(_, ty) => Ok(ty.clone()),
        other => bad_attr("site", other),
    },
    kernel: Kernel::Leaf,
    ad: Ad::Refused(
        "a derivative is taken inside an `expect` whose sites are still open; take it of the `expect`",
    ),
    batch: Batch::Custom(batch_site),
    cases: no_cases,
};

/// The rest of an `expect` at a value of a site, in what its estimator makes of it.
pub static CONTINUE: OpDef = OpDef {
    name: "continue",
    doc: "The rest of an `expect` at a value of its site; gone when the estimator has been put in.",
    arity: Arity::Exactly(1),
    shape: |attr, _| match attr {
        Attr::Continue(_, _, ty) => Ok(ty.clone()),
        other => bad_attr("continue", other),
    },
    kernel: Kernel::Leaf,
    ad: Ad::Refused(
        "a derivative is taken of a continuation inside an estimator; give it a surrogate instead: `k(x) * tangent(..)`",
    ),
    batch: Batch::Custom(batch_site),
    cases: no_cases,
};

/// A constant, the same everywhere.
pub static FILL: OpDef = OpDef {
    name: "fill",
    doc: "One literal in every element.",
    arity: Arity::Exactly(0),
    shape: |attr, _| match attr {
        Attr::Fill(_, ty) => sized(ty.dtype, ty.shape.clone()),
        other => bad_attr("fill", other),
    },
    kernel: Kernel::Fill,
    ad: Ad::Zero,
    batch: Batch::Custom(same_for_all),
    cases: no_cases,
};

/// A dense constant.
pub static TABLE: OpDef = OpDef {
    name: "table",
    doc: "A dense constant.",
    arity: Arity::Exactly(0),
    shape: |attr, _| match attr {
        Attr::Table(bits, ty) if bits.len() == ty.len() => Ok(ty.clone()),
        other => bad_attr("table", other),
    },
    kernel: Kernel::Table,
    ad: Ad::Zero,
    batch: Batch::Custom(same_for_all),
    cases: no_cases,
};

/// The index along an axis.
pub static IOTA: OpDef = OpDef {
    name: "iota",
    doc: "The index along one axis.",
    arity: Arity::Exactly(0),
    shape: |attr, _| match attr {
        Attr::Iota { shape, axis } if *axis < shape.len() => sized(DType::I32, shape.clone()),
        other => bad_attr("iota", other),
    },
    kernel: Kernel::Iota,
    ad: Ad::Zero,
    batch: Batch::Custom(same_for_all),
    cases: || {
        let case = |shape: &[usize], axis| Case {
            attr: Attr::Iota {
                shape: shape.to_vec(),
                axis,
            },
            operands: vec![],
        };
        vec![
            case(&[0], 0),
            case(&[5], 0),
            case(&[3, 4], 1),
            case(&[3, 4], 0),
        ]
    },
};

/// Leaves depend on no lane: repeated.
fn same_for_all(g: &mut Graph, v: Value, _: &[Lane], n: usize) -> Value {
    g.trail(v, n)
}

fn batch_site(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let operands: Vec<Value> = lanes.iter().map(|l| l.with_axis(g, n)).collect();
    let attr = match &g.node(v).attr {
        Attr::Site(id, ty) => {
            let mut shape = vec![n];
            shape.extend(&ty.shape);
            Attr::Site(*id, Type::new(ty.dtype, shape))
        }
        Attr::Continue(id, leaf, ty) => {
            let mut shape = vec![n];
            shape.extend(&ty.shape);
            Attr::Continue(*id, *leaf, Type::new(ty.dtype, shape))
        }
        other => other.clone(),
    };
    let def = g.node(v).def;
    g.add(def, attr, &operands)
}
