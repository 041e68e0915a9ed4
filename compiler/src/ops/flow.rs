//! Identities that differ in their derivative.

use super::rules::{any_alike, pointwise, real_alike};
use super::{Ad, Arity, Batch, Domain, Kernel, Lane, OpDef, Scalar, Wrt};
use crate::ir::{DType, Graph, Value};

const WIDE: Domain = Domain::Between(-2.0, 2.0);

/// `stop(x)`
pub static STOP: OpDef = OpDef {
    name: "stop",
    doc: "The operand, without its derivatives.",
    arity: Arity::Exactly(1),
    shape: any_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Zero,
    batch: Batch::Pointwise,
    cases: super::rules::no_cases,
};

/// A binding that a derivative may be taken by.
pub static BIND: OpDef = OpDef {
    name: "bind",
    doc: "The operand, as the value of one binding.",
    arity: Arity::Exactly(1),
    shape: any_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |_, _, _, ct| vec![Some(ct)],
    },
    batch: Batch::Custom(batch_bind),
    cases: super::rules::no_cases,
};

/// `tangent(x)`: worth 0, with the derivative of `x`.
pub static TANGENT: OpDef = OpDef {
    name: "tangent",
    doc: "Zero, with the operand's derivatives.",
    arity: Arity::Exactly(1),
    shape: real_alike,
    kernel: Kernel::Map(Scalar::Zero),
    ad: Ad::Custom {
        jvp: |_, _, _, ts| ts[0],
        vjp: |_, _, _, ct| vec![Some(ct)],
    },
    batch: Batch::Pointwise,
    cases: super::rules::no_cases,
};

/// A value that an `expect` gives: a draw that stands for an expected value. The attribute numbers the `expect`. Its
/// derivatives are estimates, too: they are marked as it is.
pub static ESTIMATE: OpDef = OpDef {
    name: "estimate",
    doc: "The operand, as an estimate of an expected value.",
    arity: Arity::Exactly(1),
    shape: real_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, _, ct| {
            let attr = g.node(v).attr.clone();
            vec![Some(g.add(&ESTIMATE, attr, &[ct]))]
        },
    },
    batch: Batch::Pointwise,
    cases: super::rules::no_cases,
};

/// `plug_in(x)`: an estimate that is taken for the value.
pub static PLUG_IN: OpDef = OpDef {
    name: "plug_in",
    doc: "The operand, whose draw is taken for the value that it estimates.",
    arity: Arity::Exactly(1),
    shape: real_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Custom {
        jvp: |_, _, _, ts| ts[0],
        vjp: |_, _, _, ct| vec![Some(ct)],
    },
    batch: Batch::Pointwise,
    cases: super::rules::no_cases,
};

/// A plain draw.
pub static OPAQUE: OpDef = OpDef {
    name: "opaque",
    doc: "A plain draw: no derivative may reach its parameters.",
    arity: Arity::Exactly(1),
    shape: any_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Refused(
        "a derivative would vanish through a plain draw: write `stop(..)` around it, or make it a site with `~` in an `expect`",
    ),
    batch: Batch::Pointwise,
    cases: || pointwise(1, DType::F64, WIDE),
};

fn batch_bind(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let attr = g.node(v).attr.clone();
    let x = if lanes[0].batched {
        lanes[0].value
    } else {
        g.trail(lanes[0].value, n)
    };
    g.add(&BIND, attr, &[x])
}
