//! Identities that differ in their derivative.

use super::rules::{any_alike, pointwise, real_alike};
use super::{Ad, Arity, Batch, Domain, Kernel, Lane, OpDef, Scalar, Wrt};
use crate::ir::{Attr, DType, Graph, Value};

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

/// `assume_smooth(x)`
pub static SMOOTH: OpDef = OpDef {
    name: "assume_smooth",
    doc: "The operand, taken for smooth in the draws that it is made of.",
    arity: Arity::Exactly(1),
    shape: real_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |_, _, _, ct| vec![Some(ct)],
    },
    batch: Batch::Pointwise,
    cases: || pointwise(1, DType::F64, WIDE),
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

/// The logarithm of an estimate of a density or of its reciprocal, as the attribute says: see `transform/kinds.rs`.
pub static LOG_ESTIMATE: OpDef = OpDef {
    name: "log_estimate",
    doc: "The operand, as the logarithm of an estimate.",
    arity: Arity::Exactly(1),
    shape: real_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |_, _, _, ct| vec![Some(ct)],
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

/// A parameter that moves the support of a distribution, where its score is used.
pub static MOVES: OpDef = OpDef {
    name: "moves",
    doc: "The operand, which moves the support of a distribution whose score is used: no derivative may reach it.",
    arity: Arity::Exactly(1),
    shape: any_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Refused(
        "the support of a distribution moves with this, and a score does not see its ends move: use `reparam` at the site, or write `stop(..)` around the argument",
    ),
    batch: Batch::Pointwise,
    cases: super::rules::no_cases,
};

/// A parameter that an estimator of limited order uses.
pub static ORDERED: OpDef = OpDef {
    name: "ordered",
    doc: "The operand, through which derivatives pass so many times only.",
    arity: Arity::Exactly(1),
    shape: any_alike,
    kernel: Kernel::Map(Scalar::Identity),
    ad: Ad::Custom {
        jvp: |g, v, xs, ts| ts[0].map(|t| spend(g, v, t, xs[0])),
        vjp: |g, v, xs, ct| vec![Some(spend(g, v, ct, xs[0]))],
    },
    batch: Batch::Pointwise,
    cases: super::rules::no_cases,
};

/// A derivative that passed an [`ORDERED`] parameter. Operands: the derivative, the parameter.
pub static SPENT: OpDef = OpDef {
    name: "spent",
    doc: "A derivative by the second operand that may be differentiated so many times more.",
    arity: Arity::Exactly(2),
    shape: any_alike,
    kernel: Kernel::Map(Scalar::First),
    ad: Ad::Custom {
        jvp: |g, v, xs, ts| ts[0].map(|t| spend(g, v, t, xs[1])),
        vjp: |g, v, xs, ct| vec![Some(spend(g, v, ct, xs[1])), None],
    },
    batch: Batch::Pointwise,
    cases: super::rules::no_cases,
};

/// The same where no more derivative may pass.
pub static EXHAUSTED: OpDef = OpDef {
    name: "exhausted",
    doc: "A derivative by the second operand that may not be differentiated again.",
    arity: Arity::Exactly(2),
    shape: any_alike,
    kernel: Kernel::Map(Scalar::First),
    ad: Ad::Refused(
        "an estimator of this `expect` is right for fewer derivatives than are taken: its `order` says how many; use another estimator, e.g. `reinforce` or `enumerate`, which are right at every order",
    ),
    batch: Batch::Pointwise,
    cases: super::rules::no_cases,
};

/// The mean over the other lanes of the `for` around it.
pub static OTHERS: OpDef = OpDef {
    name: "others",
    doc: "The mean of the operand over the other lanes of the `for` around it; gone when the region is batched.",
    arity: Arity::Exactly(1),
    shape: real_alike,
    kernel: Kernel::Leaf,
    ad: Ad::Refused(
        "a derivative inside the `for` knows nothing of its other lanes; take it outside",
    ),
    batch: Batch::Custom(batch_others),
    cases: super::rules::no_cases,
};

/// Of n values: (their sum - the lane's own) / (n - 1).
fn batch_others(g: &mut Graph, _: Value, lanes: &[Lane], n: usize) -> Value {
    if !lanes[0].batched {
        return g.trail(lanes[0].value, n);
    }
    let x = lanes[0].value;
    let sum = g.sum(x, vec![0]);
    let sum = g.trail(sum, n);
    let others = g.sub(sum, x);
    let count = g.constant_like(n as f64 - 1.0, others);
    g.div(others, count)
}

/// A derivative that passes `v`, which counts.
fn spend(g: &mut Graph, v: Value, derivative: Value, parameter: Value) -> Value {
    match g.node(v).attr {
        Attr::Order(n) if n > 1 => g.add(&SPENT, Attr::Order(n - 1), &[derivative, parameter]),
        _ => g.binary(&EXHAUSTED, derivative, parameter),
    }
}

fn batch_bind(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let attr = g.node(v).attr.clone();
    let x = lanes[0].with_axis(g, n);
    g.add(&BIND, attr, &[x])
}
