//! Indexing by values.

use super::rules::{bad_attr, f64s};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, Lane, OpDef, Wrt};
use crate::ir::{Attr, DType, Graph, Type, Value};

const WIDE: Domain = Domain::Between(-1.0, 1.0);

fn indexed(attr: Attr, shape: &[usize], index: &[usize], below: usize) -> Case {
    Case {
        attr,
        operands: vec![
            (f64s(shape), WIDE),
            (Type::new(DType::I32, index.to_vec()), Domain::Below(below)),
        ],
    }
}

/// Elements at indices along an axis.
pub static GATHER: OpDef = OpDef {
    name: "gather",
    doc: "The operand at indices along an axis, whose place the index's axes take. An index outside means the nearest inside.",
    arity: Arity::Exactly(2),
    shape: |attr, types| match (attr, types) {
        (Attr::Axis(axis), [t, i]) => {
            if i.dtype != DType::I32 || i.rank() > 1 || *axis >= t.rank() {
                return Err(format!(
                    "a `{t}` cannot be indexed by `{i}` along axis {axis}"
                ));
            }
            if t.shape[*axis] == 0 && !i.is_empty() {
                return Err(format!("a `{t}` has nothing to index along axis {axis}"));
            }
            let mut shape = t.shape[..*axis].to_vec();
            shape.extend(&i.shape);
            shape.extend(&t.shape[axis + 1..]);
            super::rules::sized(t.dtype, shape)
        }
        (other, _) => bad_attr("gather", other),
    },
    kernel: Kernel::Gather,
    ad: Ad::Linear {
        wrt: Wrt::Only(&[0]),
        transpose: |g, v, x, ct| {
            let Attr::Axis(axis) = g.node(v).attr else {
                return vec![None, None];
            };
            let extent = g.ty(x[0]).shape[axis];
            vec![
                Some(g.add(&SCATTER_ADD, Attr::Scatter { axis, extent }, &[ct, x[1]])),
                None,
            ]
        },
    },
    batch: Batch::Custom(batch_gather),
    cases: || {
        vec![
            indexed(Attr::Axis(0), &[5], &[3], 5),
            indexed(Attr::Axis(0), &[5, 2], &[], 5),
            indexed(Attr::Axis(1), &[2, 4, 3], &[6], 4),
            indexed(Attr::Axis(0), &[5], &[4], 9),
            indexed(Attr::Axis(0), &[0], &[0], 1),
        ]
    },
};

/// The transpose of `gather`.
pub static SCATTER_ADD: OpDef = OpDef {
    name: "scatter_add",
    doc: "Zeros, with the operand's parts added at indices along an axis. An index outside means the nearest inside.",
    arity: Arity::Exactly(2),
    shape: |attr, types| match (attr, types) {
        (Attr::Scatter { axis, extent }, [t, i]) => {
            let fits = i.dtype == DType::I32
                && i.rank() <= 1
                && t.rank() >= i.rank() + axis
                && i.shape.iter().all(|n| t.shape.get(*axis) == Some(n));
            if !fits || (*extent == 0 && !t.is_empty()) {
                return Err(format!(
                    "`{t}` cannot be scattered by `{i}` along axis {axis} of {extent}"
                ));
            }
            let mut shape = t.shape[..*axis].to_vec();
            shape.push(*extent);
            shape.extend(&t.shape[axis + i.rank()..]);
            super::rules::sized(t.dtype, shape)
        }
        (other, _) => bad_attr("scatter_add", other),
    },
    kernel: Kernel::ScatterAdd,
    ad: Ad::Linear {
        wrt: Wrt::Only(&[0]),
        transpose: |g, v, x, ct| {
            let Attr::Scatter { axis, .. } = g.node(v).attr else {
                return vec![None, None];
            };
            vec![Some(g.add(&GATHER, Attr::Axis(axis), &[ct, x[1]])), None]
        },
    },
    batch: Batch::Custom(batch_scatter),
    cases: || {
        vec![
            indexed(Attr::Scatter { axis: 0, extent: 5 }, &[3], &[3], 5),
            indexed(Attr::Scatter { axis: 0, extent: 4 }, &[2], &[], 4),
            indexed(Attr::Scatter { axis: 1, extent: 4 }, &[2, 6, 3], &[6], 4),
        ]
    },
};

/// Lane numbers times `extent`, added to clamped indices: rows of a table whose lanes lie one after the other.
pub fn lane_index(g: &mut Graph, index: Value, n: usize, extent: usize) -> Value {
    let ty = g.ty(index).clone();
    let (zero, last) = (
        g.constant_like(0.0, index),
        g.constant_like(extent.saturating_sub(1) as f64, index),
    );
    let low = g.binary(&super::MAX, index, zero);
    let safe = g.binary(&super::MIN, low, last);
    let lane = g.add(
        &super::IOTA,
        Attr::Iota {
            shape: ty.shape.clone(),
            axis: 0,
        },
        &[],
    );
    let step = g.constant_like(extent as f64, index);
    let offset = g.binary(&super::MUL, lane, step);
    let at = g.binary(&super::ADD, safe, offset);
    g.reshape(at, vec![n * ty.shape[1..].iter().product::<usize>()])
}

fn batch_gather(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let Attr::Axis(axis) = g.node(v).attr else {
        return v;
    };
    let [table, index] = lanes else { return v };
    if !index.batched {
        return g.add(&GATHER, Attr::Axis(axis + 1), &[table.value, index.value]);
    }
    let ity = g.ty(index.value).clone();
    let count: usize = ity.shape[1..].iter().product();
    if !table.batched {
        // All lanes' indices at once, then the lane axis to the front.
        let tty = g.ty(table.value).clone();
        let flat = g.reshape(index.value, vec![n * count]);
        let got = g.add(&GATHER, Attr::Axis(axis), &[table.value, flat]);
        let mut shape = tty.shape[..axis].to_vec();
        shape.extend(&ity.shape);
        shape.extend(&tty.shape[axis + 1..]);
        let got = g.reshape(got, shape);
        return front(g, got, axis);
    }
    // Lanes and the indexed axis become one axis of rows.
    let tty = g.ty(table.value).clone();
    let extent = tty.shape[axis + 1];
    let perm: Vec<usize> = [0, axis + 1]
        .into_iter()
        .chain((1..tty.rank()).filter(|&i| i != axis + 1))
        .collect();
    let rows = g.transpose(table.value, perm);
    let rest: Vec<usize> = (1..tty.rank())
        .filter(|&i| i != axis + 1)
        .map(|i| tty.shape[i])
        .collect();
    let rows = g.reshape(
        rows,
        std::iter::once(n * extent)
            .chain(rest.iter().copied())
            .collect(),
    );
    let at = lane_index(g, index.value, n, extent);
    let got = g.add(&GATHER, Attr::Axis(0), &[rows, at]);
    let mut shape = ity.shape.clone();
    shape.extend(&rest);
    let got = g.reshape(got, shape);
    // Now: lane, index axes, the table's axes without the indexed one. The index axes go to the indexed one's place.
    let k = ity.rank() - 1;
    let mut perm = vec![0];
    perm.extend((0..axis).map(|i| 1 + k + i));
    perm.extend((0..k).map(|i| 1 + i));
    perm.extend((axis..rest.len()).map(|i| 1 + k + i));
    g.transpose(got, perm)
}

fn batch_scatter(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let Attr::Scatter { axis, extent } = g.node(v).attr else {
        return v;
    };
    let [x, index] = lanes else { return v };
    if !index.batched {
        return g.add(
            &SCATTER_ADD,
            Attr::Scatter {
                axis: axis + 1,
                extent,
            },
            &[x.value, index.value],
        );
    }
    let x = if x.batched {
        x.value
    } else {
        g.trail(x.value, n)
    };
    let ity = g.ty(index.value).clone();
    let xty = g.ty(x).clone();
    let k = ity.rank() - 1;
    // Index axes next to the lane axis, both made one; scatter to lanes of rows; put the axis back.
    let outer: Vec<usize> = (1..=axis).collect();
    let inner: Vec<usize> = (1 + axis + k..xty.rank()).collect();
    let perm = std::iter::once(0)
        .chain((0..k).map(|i| 1 + axis + i))
        .chain(outer.iter().copied())
        .chain(inner.iter().copied());
    let moved = g.transpose(x, perm.collect());
    let rest: Vec<usize> = outer.iter().chain(&inner).map(|&i| xty.shape[i]).collect();
    let count: usize = ity.shape[1..].iter().product();
    let flat = g.reshape(
        moved,
        std::iter::once(n * count)
            .chain(rest.iter().copied())
            .collect(),
    );
    let at = lane_index(g, index.value, n, extent);
    let got = g.add(
        &SCATTER_ADD,
        Attr::Scatter {
            axis: 0,
            extent: n * extent,
        },
        &[flat, at],
    );
    let got = g.reshape(
        got,
        [n, extent]
            .into_iter()
            .chain(rest.iter().copied())
            .collect(),
    );
    let mut perm = vec![0];
    perm.extend((0..axis).map(|i| 2 + i));
    perm.push(1);
    perm.extend((axis..rest.len()).map(|i| 2 + i));
    g.transpose(got, perm)
}

/// Moves an axis to the front.
fn front(g: &mut Graph, v: Value, axis: usize) -> Value {
    let rank = g.ty(v).rank();
    g.transpose(
        v,
        std::iter::once(axis)
            .chain((0..rank).filter(|&i| i != axis))
            .collect(),
    )
}

/// Elements at indices along an axis that differ from line to line: `index` has the operand's shape but for its extent
/// along the axis. An index outside means the nearest inside; the operand's axis is not empty, or the index is.
pub fn take_along(g: &mut Graph, x: Value, index: Value, axis: usize) -> Value {
    let (tx, ti) = (g.ty(x).clone(), g.ty(index).clone());
    if tx.rank() == 1 {
        return g.add(&GATHER, Attr::Axis(0), &[x, index]);
    }
    // The axis last; then all lines one after the other.
    let last: Vec<usize> = (0..tx.rank())
        .filter(|&a| a != axis)
        .chain([axis])
        .collect();
    let (extent, count) = (tx.shape[axis], ti.shape[axis]);
    let outer: usize = (0..tx.rank())
        .filter(|&a| a != axis)
        .map(|a| tx.shape[a])
        .product();
    let lines = g.transpose(x, last.clone());
    let lines = g.reshape(lines, vec![outer * extent]);
    let at = g.transpose(index, last.clone());
    let moved = g.ty(at).shape.clone();
    let at = g.reshape(at, vec![outer, count]);
    let at = lane_index(g, at, outer, extent);
    let got = g.add(&GATHER, Attr::Axis(0), &[lines, at]);
    let got = g.reshape(got, moved);
    let mut back = vec![0; last.len()];
    last.iter().enumerate().for_each(|(i, &a)| back[a] = i);
    g.transpose(got, back)
}
