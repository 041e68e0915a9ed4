//! Indexing by values.

use super::rules::{bad_attr, f64s, inverse};
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

/// A tensor with rows replaced.
pub static SCATTER_SET: OpDef = OpDef {
    name: "scatter_set",
    doc: "The first operand, with its rows at the indices of the second replaced by those of the third. Of rows for one index the \
          last stays. An index outside means the nearest inside.",
    arity: Arity::Exactly(3),
    shape: |_, types| match types {
        [t, i, v] => {
            let fits = i.dtype == DType::I32
                && i.rank() == 1
                && t.rank() >= 1
                && v.dtype == t.dtype
                && v.rank() == t.rank()
                && v.shape[0] == i.shape[0]
                && v.shape[1..] == t.shape[1..];
            if !fits || (t.shape[0] == 0 && v.shape[0] > 0) {
                return Err(format!(
                    "rows of a `{t}` at `{i}` cannot be replaced by a `{v}`"
                ));
            }
            Ok((*t).clone())
        }
        _ => Err("three operands".into()),
    },
    kernel: Kernel::ScatterSet,
    // Linear in the first and the third together: what is replaced counts for nothing.
    ad: Ad::Linear {
        wrt: Wrt::Only(&[0, 2]),
        transpose: |g, _, x, ct| {
            let zeros = g.constant_like(0.0, x[2]);
            let kept = g.add(&SCATTER_SET, Attr::None, &[ct, x[1], zeros]);
            let got = g.add(&GATHER, Attr::Axis(0), &[ct, x[1]]);
            let wins = last_of_index(g, x[0], x[1]);
            let shape = g.ty(got).shape.clone();
            let wins = g.lead(wins, &shape);
            let zero = g.constant_like(0.0, got);
            vec![Some(kept), None, Some(g.select(wins, got, zero))]
        },
    },
    batch: Batch::Custom(batch_set),
    cases: || {
        let set = |shape: &[usize], n: usize| {
            let mut rows = shape.to_vec();
            rows[0] = n;
            Case {
                attr: Attr::None,
                operands: vec![
                    (f64s(shape), WIDE),
                    (Type::new(DType::I32, vec![n]), Domain::Below(shape[0])),
                    (f64s(&rows), WIDE),
                ],
            }
        };
        vec![
            set(&[5], 3),
            set(&[3], 7),
            set(&[4, 2, 3], 6),
            set(&[4, 2], 0),
        ]
    },
};

/// For each index, whether it is the last that names its row.
fn last_of_index(g: &mut Graph, table: Value, index: Value) -> Value {
    let (rows, n) = (g.ty(table).shape[0], g.ty(index).shape[0]);
    let iota = Attr::Iota {
        shape: vec![n],
        axis: 0,
    };
    let numbers = g.add(&super::IOTA, iota, &[]);
    let none = g.fill(
        crate::ir::Literal::Int(-1),
        Type::new(DType::I32, vec![rows]),
    );
    let last = g.add(&SCATTER_SET, Attr::None, &[none, index, numbers]);
    let mine = g.add(&GATHER, Attr::Axis(0), &[last, index]);
    g.binary(&super::EQ, mine, numbers)
}

/// Rows of all lanes, one lane after the other.
fn batch_set(g: &mut Graph, _: Value, lanes: &[Lane], n: usize) -> Value {
    let all: Vec<Value> = lanes.iter().map(|l| l.with_axis(g, n)).collect();
    let shape = g.ty(all[0]).shape.clone();
    let at = lane_index(g, all[1], n, shape[1]);
    let mut flat = |v: Value| {
        let shape = g.ty(v).shape.clone();
        let rows = std::iter::once(n * shape[1]).chain(shape[2..].iter().copied());
        g.reshape(v, rows.collect())
    };
    let (table, rows) = (flat(all[0]), flat(all[2]));
    let set = g.add(&SCATTER_SET, Attr::None, &[table, at, rows]);
    g.reshape(set, shape)
}

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
    let x = x.with_axis(g, n);
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
    g.transpose(got, inverse(&last))
}
