//! Reductions over axes.

use super::rules::{bad_attr, f64s, inverse};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, Monoid, OpDef, Wrt};
use crate::ir::{Attr, DType, Graph, Type, Value};

fn rule(attr: &Attr, types: &[&Type], truth: bool) -> Result<Type, String> {
    let (Attr::Axes(axes), [t]) = (attr, types) else {
        return bad_attr("a reduction", attr);
    };
    if axes.iter().any(|&a| a >= t.rank()) || axes.windows(2).any(|w| w[0] >= w[1]) {
        return Err(format!("the axes {axes:?} do not fit `{t}`"));
    }
    if (t.dtype == DType::Bool) != truth {
        return Err(format!("this reduction does not take `{t}`"));
    }
    let shape = (0..t.rank())
        .filter(|i| !axes.contains(i))
        .map(|i| t.shape[i])
        .collect::<Vec<_>>();
    Ok(Type::new(t.dtype, shape))
}

fn numbers(attr: &Attr, types: &[&Type]) -> Result<Type, String> {
    rule(attr, types, false)
}

fn truths(attr: &Attr, types: &[&Type]) -> Result<Type, String> {
    rule(attr, types, true)
}

fn shift(attr: &Attr, _: usize) -> Attr {
    match attr {
        Attr::Axes(axes) => Attr::Axes(axes.iter().map(|a| a + 1).collect()),
        other => other.clone(),
    }
}

fn cases(dtype: DType, domain: Domain) -> Vec<Case> {
    let case = |shape: &[usize], axes: &[usize]| Case {
        attr: Attr::Axes(axes.to_vec()),
        operands: vec![(Type::new(dtype, shape.to_vec()), domain)],
    };
    vec![
        case(&[], &[]),
        case(&[5], &[0]),
        case(&[2, 3], &[0]),
        case(&[2, 3], &[1]),
        case(&[2, 3], &[0, 1]),
        case(&[2, 3, 4], &[1]),
        case(&[2, 1, 5], &[0, 2]),
    ]
}

/// Repeats `ct` along the axes that node `v` took away.
fn spread(g: &mut Graph, v: Value, x: Value, ct: Value) -> Value {
    let shape = g.ty(x).shape.clone();
    let axes = match &g.node(v).attr {
        Attr::Axes(axes) => (0..shape.len()).filter(|i| !axes.contains(i)).collect(),
        _ => vec![],
    };
    g.broadcast(ct, shape, axes)
}

/// 1 where the element is the extreme (ties share the derivative equally), else 0.
fn winners(g: &mut Graph, v: Value, x: Value) -> Value {
    let best = spread(g, v, x, v);
    let hit = g.binary(&super::EQ, x, best);
    let dtype = g.ty(x).dtype;
    let hit = g.cast(hit, dtype);
    let axes = match &g.node(v).attr {
        Attr::Axes(axes) => axes.clone(),
        _ => vec![],
    };
    let count = g.sum(hit, axes);
    let count = spread(g, v, x, count);
    g.div(hit, count)
}

macro_rules! extreme {
    ($id:ident, $name:literal, $doc:literal, $monoid:ident) => {
        #[doc = $doc]
        pub static $id: OpDef = OpDef {
            name: $name,
            doc: $doc,
            arity: Arity::Exactly(1),
            shape: numbers,
            kernel: Kernel::Reduce(Monoid::$monoid),
            ad: Ad::Custom {
                jvp: |g, v, x, ts| {
                    let w = winners(g, v, x[0]);
                    let p = g.mul(w, ts[0]?);
                    let axes = match &g.node(v).attr {
                        Attr::Axes(axes) => axes.clone(),
                        _ => vec![],
                    };
                    Some(g.sum(p, axes))
                },
                vjp: |g, v, x, ct| {
                    let w = winners(g, v, x[0]);
                    let c = spread(g, v, x[0], ct);
                    vec![Some(g.mul(w, c))]
                },
            },
            batch: Batch::Shift(shift),
            cases: || cases(DType::F64, Domain::Distinct),
        };
    };
}

/// The sum over axes.
pub static SUM: OpDef = OpDef {
    name: "sum",
    doc: "The sum over axes; 0 of nothing.",
    arity: Arity::Exactly(1),
    shape: numbers,
    kernel: Kernel::Reduce(Monoid::Sum),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, x, ct| vec![Some(spread(g, v, x[0], ct))],
    },
    batch: Batch::Shift(shift),
    cases: || {
        let mut c = cases(DType::F64, Domain::Between(-1.0, 1.0));
        c.push(Case {
            attr: Attr::Axes(vec![0]),
            operands: vec![(f64s(&[0, 3]), Domain::Between(0.0, 1.0))],
        });
        c
    },
};

/// The product over axes.
pub static PROD: OpDef = OpDef {
    name: "prod",
    doc: "The product over axes; 1 of nothing.",
    arity: Arity::Exactly(1),
    shape: numbers,
    kernel: Kernel::Reduce(Monoid::Prod),
    // The derivative by an element is the product of the others, which is never found by dividing.
    ad: Ad::Custom {
        jvp: |g, v, x, ts| {
            let others = others(g, v, x[0]);
            let p = g.mul(others, ts[0]?);
            let axes = axes_of(g, v);
            Some(g.sum(p, axes))
        },
        vjp: |g, v, x, ct| {
            let others = others(g, v, x[0]);
            let c = spread(g, v, x[0], ct);
            vec![Some(g.mul(others, c))]
        },
    },
    batch: Batch::Shift(shift),
    cases: || {
        let mut c = cases(DType::F64, Domain::Between(-1.5, 1.5));
        c.push(Case {
            attr: Attr::Axes(vec![0, 2]),
            operands: vec![(f64s(&[2, 3, 0]), Domain::Between(0.0, 1.0))],
        });
        c
    },
};

fn axes_of(g: &Graph, v: Value) -> Vec<usize> {
    match &g.node(v).attr {
        Attr::Axes(axes) => axes.clone(),
        _ => vec![],
    }
}

/// For each element of `x`, the product of the others that node `v` multiplies it with.
fn others(g: &mut Graph, v: Value, x: Value) -> Value {
    let axes = axes_of(g, v);
    let shape = g.ty(x).shape.clone();
    // The axes that go away last, and made one.
    let order: Vec<usize> = (0..shape.len())
        .filter(|a| !axes.contains(a))
        .chain(axes.iter().copied())
        .collect();
    let kept: Vec<usize> = (0..shape.len())
        .filter(|a| !axes.contains(a))
        .map(|a| shape[a])
        .collect();
    let together = axes.iter().map(|&a| shape[a]).product();
    let moved = g.transpose(x, order.clone());
    let full = g.ty(moved).shape.clone();
    let line = kept.iter().copied().chain([together]).collect();
    let line = g.reshape(moved, line);
    let others = super::running::all_but_each(g, line, kept.len());
    let others = g.reshape(others, full);
    g.transpose(others, inverse(&order))
}

extreme!(
    MAX_OVER,
    "reduce_max",
    "The largest over axes; minus infinity of nothing.",
    Max
);
extreme!(
    MIN_OVER,
    "reduce_min",
    "The smallest over axes; infinity of nothing.",
    Min
);

/// Is any true?
pub static ANY: OpDef = OpDef {
    name: "any",
    doc: "Is any true?",
    arity: Arity::Exactly(1),
    shape: truths,
    kernel: Kernel::Reduce(Monoid::Any),
    ad: Ad::Zero,
    batch: Batch::Shift(shift),
    cases: || cases(DType::Bool, Domain::Below(2)),
};

/// Are all true?
pub static ALL: OpDef = OpDef {
    name: "all",
    doc: "Are all true?",
    arity: Arity::Exactly(1),
    shape: truths,
    kernel: Kernel::Reduce(Monoid::All),
    ad: Ad::Zero,
    batch: Batch::Shift(shift),
    cases: || cases(DType::Bool, Domain::Below(2)),
};
