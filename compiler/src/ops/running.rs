//! Running sums, products and extremes along an axis, each element included.

use super::index::take_along;
use super::rules::{along, f64s, inverse, shift_axis};
use super::{Ad, Arity, Batch, Case, Domain, Kernel, Monoid, OpDef, Wrt};
use crate::ir::{Attr, DType, Graph, Literal, Type, Value};

fn cases(domain: Domain) -> Vec<Case> {
    let case = |axis: usize, shape: &[usize]| Case {
        attr: Attr::Axis(axis),
        operands: vec![(f64s(shape), domain)],
    };
    vec![
        case(0, &[5]),
        case(1, &[2, 3]),
        case(0, &[0]),
        case(0, &[1]),
        case(1, &[2, 4, 3]),
    ]
}

fn axis_of(g: &Graph, v: Value) -> usize {
    match g.node(v).attr {
        Attr::Axis(a) => a,
        _ => 0,
    }
}

fn flip(g: &mut Graph, x: Value, axis: usize) -> Value {
    g.add(&super::FLIP, Attr::Axes(vec![axis]), &[x])
}

/// Running sums.
pub static CUMSUM: OpDef = OpDef {
    name: "cumsum",
    doc: "The running sum along an axis, each element included.",
    arity: Arity::Exactly(1),
    shape: |attr, types| along(attr, types).map(|_| types[0].clone()),
    kernel: Kernel::Cumulate(Monoid::Sum),
    ad: Ad::Linear {
        wrt: Wrt::All,
        transpose: |g, v, _, ct| {
            let axis = axis_of(g, v);
            let r = flip(g, ct, axis);
            let s = g.add(&CUMSUM, Attr::Axis(axis), &[r]);
            vec![Some(flip(g, s, axis))]
        },
    },
    batch: Batch::Shift(shift_axis),
    cases: || cases(Domain::Between(-1.0, 1.0)),
};

/// Running products.
pub static CUMPROD: OpDef = OpDef {
    name: "cumprod",
    doc: "The running product along an axis, each element included.",
    arity: Arity::Exactly(1),
    shape: |attr, types| along(attr, types).map(|_| types[0].clone()),
    kernel: Kernel::Cumulate(Monoid::Prod),
    // dy[i] = x[i] dy[i-1] + y[i-1] dx[i], a linear recurrence: nothing is divided by an element, so zeros do no harm.
    ad: Ad::Custom {
        jvp: |g, v, x, ts| {
            let axis = axis_of(g, v);
            let before = shifted(g, v, axis, 1, 1.0);
            let b = g.mul(before, ts[0]?);
            Some(recurrence(g, x[0], b, axis))
        },
        // s[j] = ct[j] + x[j+1] s[j+1], and the cotangent of x[j] is y[j-1] s[j]: the same recurrence from the end.
        vjp: |g, v, x, ct| {
            let axis = axis_of(g, v);
            let back = flip(g, x[0], axis);
            let a = shifted(g, back, axis, 1, 1.0);
            let b = flip(g, ct, axis);
            let s = recurrence(g, a, b, axis);
            let s = flip(g, s, axis);
            let before = shifted(g, v, axis, 1, 1.0);
            vec![Some(g.mul(before, s))]
        },
    },
    batch: Batch::Shift(shift_axis),
    cases: || cases(Domain::Between(-1.5, 1.5)),
};

/// The elements moved up along an axis by `k`, with a literal in the places that become free.
fn shifted(g: &mut Graph, x: Value, axis: usize, k: usize, fill: f64) -> Value {
    let ty = g.ty(x).clone();
    let n = ty.shape[axis];
    let mut shape = ty.shape.clone();
    shape[axis] = k.min(n);
    let new = g.fill(Literal::Real(fill), Type::new(ty.dtype, shape));
    if n <= k {
        return new;
    }
    let rest = g.slice_axis(x, axis, 0, n - k);
    g.add(&super::CONCAT, Attr::Axis(axis), &[new, rest])
}

/// `s[i] = a[i] s[i-1] + b[i]`, from 0, in a number of steps that is the logarithm of the length: the maps
/// s -> a s + b are composed in pairs at growing distances (Kogge and Stone 1973).
fn recurrence(g: &mut Graph, a: Value, b: Value, axis: usize) -> Value {
    let n = g.ty(a).shape[axis];
    let (mut a, mut b) = (a, b);
    let mut k = 1;
    while k < n {
        let earlier_b = shifted(g, b, axis, k, 0.0);
        let more = g.mul(a, earlier_b);
        b = g.add2(b, more);
        if 2 * k < n {
            let earlier_a = shifted(g, a, axis, k, 1.0);
            a = g.mul(a, earlier_a);
        }
        k *= 2;
    }
    b
}

/// Products of all elements but each along an axis: of those before times those after.
pub fn all_but_each(g: &mut Graph, x: Value, axis: usize) -> Value {
    let up = g.add(&CUMPROD, Attr::Axis(axis), &[x]);
    let before = shifted(g, up, axis, 1, 1.0);
    let back = flip(g, x, axis);
    let down = g.add(&CUMPROD, Attr::Axis(axis), &[back]);
    let after = shifted(g, down, axis, 1, 1.0);
    let after = flip(g, after, axis);
    g.mul(before, after)
}

/// For a running extreme `v` of `x`: the index along the axis of the element that it is, the last of equal ones.
fn leaders(g: &mut Graph, v: Value, x: Value, axis: usize) -> Value {
    let shape = g.ty(x).shape.clone();
    let at = g.add(&super::IOTA, Attr::Iota { shape, axis }, &[]);
    let leads = g.binary(&super::EQ, x, v);
    let none = g.constant_like(0.0, at);
    let at = g.select(leads, at, none);
    g.add(&CUMMAX, Attr::Axis(axis), &[at])
}

/// The cotangent of a running extreme: each element gets the sum of those that it leads.
fn to_leaders(g: &mut Graph, index: Value, ct: Value, axis: usize) -> Value {
    // The transpose of `take_along`: rows of lines, each with its own indices, scattered to lines one after the other.
    let ty = g.ty(ct).clone();
    let n = ty.shape[axis];
    let last: Vec<usize> = (0..ty.rank())
        .filter(|&a| a != axis)
        .chain([axis])
        .collect();
    let outer = ty.len().checked_div(n).unwrap_or(0);
    let lines = g.transpose(ct, last.clone());
    let moved = g.ty(lines).shape.clone();
    let lines = g.reshape(lines, vec![outer * n]);
    let at = g.transpose(index, last.clone());
    let at = g.reshape(at, vec![outer, n]);
    let at = super::index::lane_index(g, at, outer, n);
    let extent = outer * n;
    let got = g.add(
        &super::SCATTER_ADD,
        Attr::Scatter { axis: 0, extent },
        &[lines, at],
    );
    let got = g.reshape(got, moved);
    g.transpose(got, inverse(&last))
}

macro_rules! running_extreme {
    ($id:ident, $name:literal, $doc:literal, $monoid:ident) => {
        #[doc = $doc]
        pub static $id: OpDef = OpDef {
            name: $name,
            doc: $doc,
            arity: Arity::Exactly(1),
            shape: |attr, types| along(attr, types).map(|_| types[0].clone()),
            kernel: Kernel::Cumulate(Monoid::$monoid),
            ad: Ad::Custom {
                jvp: |g, v, x, ts| {
                    let t = ts[0]?;
                    if g.ty(v).is_empty() {
                        return Some(t);
                    }
                    let axis = axis_of(g, v);
                    let at = leaders(g, v, x[0], axis);
                    Some(take_along(g, t, at, axis))
                },
                vjp: |g, v, x, ct| {
                    if g.ty(v).is_empty() {
                        return vec![Some(ct)];
                    }
                    let axis = axis_of(g, v);
                    let at = leaders(g, v, x[0], axis);
                    vec![Some(to_leaders(g, at, ct, axis))]
                },
            },
            batch: Batch::Shift(shift_axis),
            cases: || {
                let mut c = cases(Domain::Distinct);
                c.push(Case {
                    attr: Attr::Axis(0),
                    operands: vec![(Type::new(DType::I32, vec![9]), Domain::Below(5))],
                });
                c
            },
        };
    };
}

running_extreme!(
    CUMMAX,
    "cummax",
    "The largest so far along an axis; NaN from the first NaN on.",
    Max
);
running_extreme!(
    CUMMIN,
    "cummin",
    "The smallest so far along an axis; NaN from the first NaN on.",
    Min
);
