//! Sums of products.

use super::rules::{bad_attr, f64s};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, Lane, OpDef};
use crate::ir::{Attr, Contract, Graph, Type, Value};

/// Free axes of one side, in order.
fn free(rank: usize, used: impl Iterator<Item = usize>) -> Vec<usize> {
    let used: Vec<usize> = used.collect();
    (0..rank).filter(|i| !used.contains(i)).collect()
}

fn left_free(c: &Contract, rank: usize) -> Vec<usize> {
    free(rank, c.batch.iter().chain(&c.sum).map(|p| p.0))
}

fn right_free(c: &Contract, rank: usize) -> Vec<usize> {
    free(rank, c.batch.iter().chain(&c.sum).map(|p| p.1))
}

/// Sum of products over pairs of axes.
pub static CONTRACT: OpDef = OpDef {
    name: "contract",
    doc: "Products summed over pairs of axes; the result has the batch axes, the left's free axes, the right's.",
    arity: Arity::Exactly(2),
    shape: |attr, types| {
        let (Attr::Contract(c), [l, r]) = (attr, types) else {
            return bad_attr("contract", attr);
        };
        let fits = c
            .batch
            .iter()
            .chain(&c.sum)
            .all(|&(i, j)| i < l.rank() && j < r.rank() && l.shape[i] == r.shape[j]);
        if !fits || l.dtype != r.dtype || !l.dtype.is_real() {
            return Err(format!(
                "a product of `{l}` and `{r}` over axes that do not match"
            ));
        }
        let mut shape: Vec<usize> = c.batch.iter().map(|p| l.shape[p.0]).collect();
        shape.extend(left_free(c, l.rank()).iter().map(|&i| l.shape[i]));
        shape.extend(right_free(c, r.rank()).iter().map(|&i| r.shape[i]));
        super::rules::sized(l.dtype, shape)
    },
    kernel: Kernel::Contract,
    ad: Ad::Bilinear {
        left: |g, v, x, ct| cotangent(g, v, x, ct, true),
        right: |g, v, x, ct| cotangent(g, v, x, ct, false),
    },
    batch: Batch::Custom(batch),
    cases: || {
        let case =
            |batch: &[(usize, usize)], sum: &[(usize, usize)], l: &[usize], r: &[usize]| Case {
                attr: Attr::Contract(Contract {
                    batch: batch.to_vec(),
                    sum: sum.to_vec(),
                }),
                operands: vec![
                    (f64s(l), Domain::Between(-1.0, 1.0)),
                    (f64s(r), Domain::Between(-1.0, 1.0)),
                ],
            };
        vec![
            case(&[], &[(1, 0)], &[2, 3], &[3, 4]),
            case(&[], &[(0, 0)], &[5], &[5]),
            case(&[], &[], &[2], &[3]),
            case(&[(0, 0)], &[(2, 1)], &[2, 3, 4], &[2, 4, 5]),
            case(&[(0, 1)], &[(1, 0)], &[2, 3], &[3, 2]),
            case(&[], &[(0, 1), (1, 0)], &[2, 3], &[3, 2]),
            case(&[], &[(1, 0)], &[2, 0], &[0, 3]),
        ]
    },
};

/// The cotangent of one side: the other side contracted with `ct` over its free axes, axes put back in order.
fn cotangent(g: &mut Graph, v: Value, x: &[Value], ct: Value, left: bool) -> Value {
    let Attr::Contract(c) = g.node(v).attr.clone() else {
        return ct;
    };
    let (lr, rr) = (g.ty(x[0]).rank(), g.ty(x[1]).rank());
    let (lf, rf) = (left_free(&c, lr), right_free(&c, rr));
    let nb = c.batch.len();
    // In `ct`: batch axes, then the left's free axes, then the right's.
    let (other, mine_rank, own, other_free, ct_other) = if left {
        (x[1], lr, lf.clone(), rf.clone(), nb + lf.len())
    } else {
        (x[0], rr, rf.clone(), lf.clone(), nb)
    };
    let other_side = |p: &(usize, usize)| if left { p.1 } else { p.0 };
    let my_side = |p: &(usize, usize)| if left { p.0 } else { p.1 };
    let batch = c
        .batch
        .iter()
        .enumerate()
        .map(|(i, p)| (i, other_side(p)))
        .collect();
    let sum = other_free
        .iter()
        .enumerate()
        .map(|(i, &a)| (ct_other + i, a))
        .collect();
    let d = g.add(
        &CONTRACT,
        Attr::Contract(Contract { batch, sum }),
        &[ct, other],
    );
    // The result has: batch axes, my free axes, then the other side's summed axes in their own order.
    let mut order: Vec<usize> = c.batch.iter().map(my_side).collect();
    order.extend(&own);
    let mut summed: Vec<(usize, usize)> =
        c.sum.iter().map(|p| (other_side(p), my_side(p))).collect();
    summed.sort_unstable();
    order.extend(summed.iter().map(|p| p.1));
    let mut perm = vec![0; mine_rank];
    order
        .iter()
        .enumerate()
        .for_each(|(at, &axis)| perm[axis] = at);
    g.transpose(d, perm)
}

fn batch(g: &mut Graph, v: Value, lanes: &[Lane], _: usize) -> Value {
    let Attr::Contract(c) = g.node(v).attr.clone() else {
        return v;
    };
    let [l, r] = lanes else { return v };
    let up = |a: usize, lane: &Lane| a + usize::from(lane.batched);
    let mut new = Contract {
        batch: c.batch.iter().map(|p| (up(p.0, l), up(p.1, r))).collect(),
        sum: c.sum.iter().map(|p| (up(p.0, l), up(p.1, r))).collect(),
    };
    if l.batched && r.batched {
        new.batch.insert(0, (0, 0));
        return g.add(&CONTRACT, Attr::Contract(new), &[l.value, r.value]);
    }
    // The lane's axis is a free axis of one side; move it to the front.
    let lf = left_free(&new, g.ty(l.value).rank()).len();
    let at = if l.batched {
        c.batch.len()
    } else {
        c.batch.len() + lf
    };
    let d = g.add(&CONTRACT, Attr::Contract(new), &[l.value, r.value]);
    let rank = g.ty(d).rank();
    let perm = std::iter::once(at)
        .chain((0..rank).filter(|&i| i != at))
        .collect();
    g.transpose(d, perm)
}

/// Used by tests of the table.
#[allow(dead_code)]
fn _types(_: &Type) {}
