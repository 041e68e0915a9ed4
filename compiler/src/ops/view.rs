//! Index maps: each result element is one operand element (or zero).

use super::factors::{Which, sum_of_shared};
use super::rules::{bad_attr, f64s, inverse, sized};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, Lane, OpDef, View, Wrt};
use crate::ir::{Attr, Graph, Type, Value};

const WIDE: Domain = Domain::Between(-1.0, 1.0);

fn case(attr: Attr, shape: &[usize]) -> Case {
    Case {
        attr,
        operands: vec![(f64s(shape), WIDE)],
    }
}

/// The same elements in another shape.
pub static RESHAPE: OpDef = OpDef {
    name: "reshape",
    doc: "The same elements, row by row, in another shape.",
    arity: Arity::Exactly(1),
    shape: |attr, types| match (attr, types) {
        (Attr::Shape(s), [t]) => {
            let ty = sized(t.dtype, s.clone())?;
            if ty.len() == t.len() {
                Ok(ty)
            } else {
                Err(format!("a `{t}` cannot become a `{ty}`"))
            }
        }
        (other, _) => bad_attr("reshape", other),
    },
    kernel: Kernel::View(View::Reshape),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, _, x, ct| {
            let shape = g.ty(x[0]).shape.clone();
            vec![Some(g.reshape(ct, shape))]
        },
    },
    batch: Batch::Shift(|attr, n| match attr {
        Attr::Shape(s) => {
            let mut shape = vec![n];
            shape.extend(s);
            Attr::Shape(shape)
        }
        other => other.clone(),
    }),
    cases: || {
        vec![
            case(Attr::Shape(vec![3, 2]), &[2, 3]),
            case(Attr::Shape(vec![6]), &[2, 3]),
            case(Attr::Shape(vec![]), &[1]),
            case(Attr::Shape(vec![0, 2]), &[0]),
        ]
    },
};

/// Axes in another order.
pub static TRANSPOSE: OpDef = OpDef {
    name: "transpose",
    doc: "Axes in another order.",
    arity: Arity::Exactly(1),
    shape: |attr, types| match (attr, types) {
        (Attr::Perm(p), [t]) => {
            let mut seen = p.clone();
            seen.sort_unstable();
            if seen != (0..t.rank()).collect::<Vec<_>>() {
                return Err(format!("{p:?} is no order of the axes of `{t}`"));
            }
            Ok(Type::new(
                t.dtype,
                p.iter().map(|&i| t.shape[i]).collect::<Vec<_>>(),
            ))
        }
        (other, _) => bad_attr("transpose", other),
    },
    kernel: Kernel::View(View::Transpose),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, _, ct| {
            let Attr::Perm(p) = g.node(v).attr.clone() else {
                return vec![None];
            };
            vec![Some(g.transpose(ct, inverse(&p)))]
        },
    },
    batch: Batch::Shift(|attr, _| match attr {
        Attr::Perm(p) => Attr::Perm(std::iter::once(0).chain(p.iter().map(|i| i + 1)).collect()),
        other => other.clone(),
    }),
    cases: || {
        vec![
            case(Attr::Perm(vec![]), &[]),
            case(Attr::Perm(vec![1, 0]), &[2, 3]),
            case(Attr::Perm(vec![2, 0, 1]), &[2, 3, 4]),
        ]
    },
};

/// Repetition along new axes.
pub static BROADCAST: OpDef = OpDef {
    name: "broadcast",
    doc: "Repeats the operand along new axes.",
    arity: Arity::Exactly(1),
    shape: |attr, types| match (attr, types) {
        (Attr::Broadcast { shape, axes }, [t]) => {
            let fits = axes.len() == t.rank()
                && axes.windows(2).all(|w| w[0] < w[1])
                && axes
                    .iter()
                    .zip(&t.shape)
                    .all(|(&a, &n)| shape.get(a) == Some(&n));
            if fits {
                sized(t.dtype, shape.clone())
            } else {
                Err(format!("a `{t}` does not repeat to {shape:?}"))
            }
        }
        (other, _) => bad_attr("broadcast", other),
    },
    kernel: Kernel::View(View::Broadcast),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, _, ct| {
            let Attr::Broadcast { shape, axes } = g.node(v).attr.clone() else {
                return vec![None];
            };
            let gone: Vec<usize> = (0..shape.len()).filter(|i| !axes.contains(i)).collect();
            let shared = match g.strict || gone.is_empty() {
                true => None,
                false => sum_of_shared(g, ct, &gone, Which::OfDerivatives),
            };
            vec![shared.or_else(|| Some(g.sum(ct, gone)))]
        },
    },
    batch: Batch::Shift(|attr, n| match attr {
        Attr::Broadcast { shape, axes } => Attr::Broadcast {
            shape: std::iter::once(n).chain(shape.iter().copied()).collect(),
            axes: std::iter::once(0)
                .chain(axes.iter().map(|a| a + 1))
                .collect(),
        },
        other => other.clone(),
    }),
    cases: || {
        let b = |shape: &[usize], axes: &[usize]| Attr::Broadcast {
            shape: shape.to_vec(),
            axes: axes.to_vec(),
        };
        vec![
            case(b(&[4], &[]), &[]),
            case(b(&[2, 3], &[1]), &[3]),
            case(b(&[2, 3], &[0]), &[2]),
            case(b(&[2, 0, 3], &[0, 2]), &[2, 3]),
        ]
    },
};

/// A part of each axis.
pub static SLICE: OpDef = OpDef {
    name: "slice",
    doc: "A range of each axis, with a step.",
    arity: Arity::Exactly(1),
    shape: |attr, types| match (attr, types) {
        (Attr::Slice { start, stop, step }, [t]) => {
            let mut shape = Vec::new();
            for i in 0..t.rank() {
                let (Some(&a), Some(&b), Some(&k)) = (start.get(i), stop.get(i), step.get(i))
                else {
                    return Err(format!("the slice does not fit `{t}`"));
                };
                if a > b || b > t.shape[i] || k == 0 {
                    return Err(format!(
                        "the slice {a}..{b} by {k} does not fit axis {i} of `{t}`"
                    ));
                }
                shape.push((b - a).div_ceil(k));
            }
            Ok(Type::new(t.dtype, shape))
        }
        (other, _) => bad_attr("slice", other),
    },
    kernel: Kernel::View(View::Slice),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, x, ct| {
            let Attr::Slice { start, step, .. } = g.node(v).attr.clone() else {
                return vec![None];
            };
            let (have, want) = (g.ty(ct).shape.clone(), g.ty(x[0]).shape.clone());
            let between: Vec<usize> = step.iter().map(|k| k - 1).collect();
            let high = (0..want.len())
                .map(|i| {
                    let spread = if have[i] == 0 {
                        0
                    } else {
                        have[i] + (have[i] - 1) * between[i]
                    };
                    want[i] - start[i] - spread
                })
                .collect();
            vec![Some(g.pad(ct, start, high, between))]
        },
    },
    batch: Batch::Shift(|attr, n| match attr {
        Attr::Slice { start, stop, step } => Attr::Slice {
            start: prepend(0, start),
            stop: prepend(n, stop),
            step: prepend(1, step),
        },
        other => other.clone(),
    }),
    cases: || {
        let s = |a: &[usize], b: &[usize], k: &[usize]| Attr::Slice {
            start: a.to_vec(),
            stop: b.to_vec(),
            step: k.to_vec(),
        };
        vec![
            case(s(&[1], &[4], &[1]), &[5]),
            case(s(&[0, 1], &[2, 5], &[1, 2]), &[2, 6]),
            case(s(&[2], &[2], &[1]), &[5]),
        ]
    },
};

fn prepend(x: usize, xs: &[usize]) -> Vec<usize> {
    std::iter::once(x).chain(xs.iter().copied()).collect()
}

/// Axes reversed.
pub static FLIP: OpDef = OpDef {
    name: "flip",
    doc: "Axes reversed.",
    arity: Arity::Exactly(1),
    shape: |attr, types| match (attr, types) {
        (Attr::Axes(axes), [t]) if axes.iter().all(|&a| a < t.rank()) => Ok((*t).clone()),
        (other, _) => bad_attr("flip", other),
    },
    kernel: Kernel::View(View::Flip),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, _, ct| {
            let attr = g.node(v).attr.clone();
            vec![Some(g.add(&FLIP, attr, &[ct]))]
        },
    },
    batch: Batch::Shift(|attr, _| match attr {
        Attr::Axes(axes) => Attr::Axes(axes.iter().map(|a| a + 1).collect()),
        other => other.clone(),
    }),
    cases: || {
        vec![
            case(Attr::Axes(vec![0]), &[5]),
            case(Attr::Axes(vec![1]), &[2, 3]),
            case(Attr::Axes(vec![0, 1]), &[2, 3]),
        ]
    },
};

/// Zeros around and between.
pub static PAD: OpDef = OpDef {
    name: "pad",
    doc: "Zeros before, after and between the elements of each axis.",
    arity: Arity::Exactly(1),
    shape: |attr, types| match (attr, types) {
        (Attr::Pad { low, high, between }, [t])
            if low.len() == t.rank() && high.len() == t.rank() && between.len() == t.rank() =>
        {
            let shape = (0..t.rank())
                .map(|i| low[i] + high[i] + t.shape[i] + t.shape[i].saturating_sub(1) * between[i])
                .collect();
            sized(t.dtype, shape)
        }
        (other, _) => bad_attr("pad", other),
    },
    kernel: Kernel::Pad,
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, x, ct| {
            let Attr::Pad { low, between, .. } = g.node(v).attr.clone() else {
                return vec![None];
            };
            let n = g.ty(x[0]).shape.clone();
            let stop = (0..n.len())
                .map(|i| {
                    if n[i] == 0 {
                        low[i]
                    } else {
                        low[i] + n[i] + (n[i] - 1) * between[i]
                    }
                })
                .collect();
            let step = between.iter().map(|b| b + 1).collect();
            vec![Some(g.add(
                &SLICE,
                Attr::Slice {
                    start: low,
                    stop,
                    step,
                },
                &[ct],
            ))]
        },
    },
    batch: Batch::Shift(|attr, _| match attr {
        Attr::Pad { low, high, between } => Attr::Pad {
            low: prepend(0, low),
            high: prepend(0, high),
            between: prepend(0, between),
        },
        other => other.clone(),
    }),
    cases: || {
        let p = |l: &[usize], h: &[usize], b: &[usize]| Attr::Pad {
            low: l.to_vec(),
            high: h.to_vec(),
            between: b.to_vec(),
        };
        vec![
            case(p(&[1], &[2], &[0]), &[3]),
            case(p(&[0, 1], &[1, 0], &[1, 2]), &[2, 3]),
            case(p(&[1], &[1], &[0]), &[0]),
        ]
    },
};

/// One after the other.
pub static CONCAT: OpDef = OpDef {
    name: "concat",
    doc: "The operands one after the other along an axis.",
    arity: Arity::AtLeast(1),
    shape: |attr, types| match (attr, types) {
        (Attr::Axis(axis), [first, ..]) => {
            let mut shape = first.shape.clone();
            if *axis >= shape.len() {
                return Err(format!("`{first}` has no axis {axis}"));
            }
            shape[*axis] = 0;
            for t in types {
                let fits = t.dtype == first.dtype
                    && t.rank() == shape.len()
                    && (0..shape.len()).all(|i| i == *axis || t.shape[i] == shape[i]);
                if !fits {
                    return Err(format!("`{first}` and `{t}` do not join along axis {axis}"));
                }
                shape[*axis] += t.shape[*axis];
            }
            sized(first.dtype, shape)
        }
        (other, _) => bad_attr("concat", other),
    },
    kernel: Kernel::Concat,
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, xs, ct| {
            let Attr::Axis(axis) = g.node(v).attr else {
                return vec![None; xs.len()];
            };
            let mut at = 0;
            xs.iter()
                .map(|&x| {
                    let n = g.ty(x).shape[axis];
                    at += n;
                    Some(g.slice_axis(ct, axis, at - n, at))
                })
                .collect()
        },
    },
    batch: Batch::Custom(batch_concat),
    cases: || {
        vec![
            Case {
                attr: Attr::Axis(0),
                operands: vec![(f64s(&[2]), WIDE), (f64s(&[3]), WIDE), (f64s(&[0]), WIDE)],
            },
            Case {
                attr: Attr::Axis(1),
                operands: vec![(f64s(&[2, 1]), WIDE), (f64s(&[2, 3]), WIDE)],
            },
        ]
    },
};

fn batch_concat(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let Attr::Axis(axis) = g.node(v).attr else {
        return v;
    };
    let xs: Vec<Value> = lanes.iter().map(|l| l.with_axis(g, n)).collect();
    g.add(&CONCAT, Attr::Axis(axis + 1), &xs)
}
