//! Shifts that cancel: the derivative passes no extreme on which, all else being equal, no result depends.
//!
//! e = exp(x - max(x)); e / sum(e)          max(x) + log(sum(exp(x - max(x))))
//!
//! In exact arithmetic, both have one value whatever stands for `max(x)`, so their derivative by it is 0: it is not computed. A value
//! is followed from the extreme `m` on as long as it is `v + k m` or `v exp(k m)` for a number `k` and some `v` without `m`; each
//! element with the element of `m` of its row. With `k = 0` it is free of `m`. Does not: look through loops and calls, nor
//! where guards differ or something is strict.

use crate::ir::{Attr, Graph, Literal, Node, Value};
use crate::ops::{Ad, Kernel, Monoid, Scalar, View};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Nodes at most that are looked at for one extreme.
const SEARCH: usize = 64;

/// How often what an extreme is made into, as by `select(is_finite(m), m, 0.0)`, is followed in its place.
const STAND_INS: usize = 4;

/// How a value changes with the shift `m`.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    /// Is it `v exp(k m)`, not `v + k m`?
    times: bool,
    k: f64,
    /// Where the axes of `m` are among the value's; those of extent 1 are left out.
    axes: Vec<usize>,
}

/// The extremes among the nodes given, between `wrt` and the outputs, that no derivative has to pass.
pub fn cancelling(g: &Graph, nodes: &[Value], outputs: &[Value], wrt: &[Value]) -> HashSet<Value> {
    let extreme = |v: &Value| {
        let kernel = g.node(*v).def.kernel;
        matches!(kernel, Kernel::Reduce(Monoid::Max | Monoid::Min))
    };
    let mut found: HashSet<Value> = nodes.iter().copied().filter(extreme).collect();
    if found.is_empty() {
        return found;
    }
    let inside: HashSet<Value> = nodes.iter().copied().collect();
    let walk = Walk {
        g,
        inside: &inside,
        outputs,
    };
    found.retain(|m| !wrt.contains(m) && walk.cancels(*m));
    found
}

struct Walk<'a> {
    g: &'a Graph,
    /// The nodes through which derivatives pass.
    inside: &'a HashSet<Value>,
    outputs: &'a [Value],
}

impl Walk<'_> {
    /// Whether no output depends on `m`.
    fn cancels(&self, m: Value) -> bool {
        let mut of = m;
        for _ in 0..=STAND_INS {
            if self.outputs.contains(&of) {
                return false;
            }
            if self.ends(of) {
                return true;
            }
            // What alone reads it stands for it: what does not depend on that does not depend on this.
            let readers: BTreeSet<Value> = self.readers(of).collect();
            match readers.first() {
                Some(&only) if readers.len() == 1 && self.guarded_alike(only, m) => of = only,
                _ => return false,
            }
        }
        false
    }

    fn readers(&self, v: Value) -> impl Iterator<Item = Value> {
        let users = self.g.users(v).into_iter();
        users.filter(|u| self.inside.contains(u))
    }

    fn guarded_alike(&self, v: Value, m: Value) -> bool {
        let node = self.g.node(v);
        node.guard == self.g.node(m).guard && !node.strict
    }

    /// Whether all that depends on `m` comes to something free of it.
    fn ends(&self, m: Value) -> bool {
        let shape = &self.g.ty(m).shape;
        let itself = Change {
            times: false,
            k: 1.0,
            axes: (0..shape.len()).filter(|&a| shape[a] != 1).collect(),
        };
        let mut changes = HashMap::from([(m, itself)]);
        let mut next: BTreeSet<Value> = self.readers(m).collect();
        let mut looked = 0;
        while let Some(v) = next.pop_first() {
            looked += 1;
            if looked > SEARCH || !self.guarded_alike(v, m) {
                return false;
            }
            let node = self.g.node(v);
            if matches!(node.def.ad, Ad::Zero) {
                continue;
            }
            let operands = self.g.operands(v);
            let of: Vec<Option<&Change>> = operands.iter().map(|o| changes.get(o)).collect();
            let Some(change) = follow(self.g, node, &operands, &of) else {
                return false;
            };
            if change.k == 0.0 {
                continue;
            }
            if self.outputs.contains(&v) {
                return false;
            }
            changes.insert(v, change);
            next.extend(self.readers(v));
        }
        true
    }
}

/// How a node changes, given how its operands do, of which some may not. `None` if that cannot be said.
fn follow(g: &Graph, node: &Node, xs: &[Value], of: &[Option<&Change>]) -> Option<Change> {
    match node.def.kernel {
        Kernel::Map(f) => map(g, f, node, xs, of),
        Kernel::View(view) => seen(g, view, node, xs[0], of[0]?),
        Kernel::Reduce(monoid) => reduced(g, monoid, node, xs[0], of[0]?),
        Kernel::Contract => contracted(g, node, xs, of),
        Kernel::Gather => {
            let Attr::Axis(axis) = node.attr else {
                return None;
            };
            let (change, more) = (of[0]?, g.ty(xs[1]).rank());
            let place = |&a: &usize| match a.cmp(&axis) {
                std::cmp::Ordering::Less => Some(a),
                std::cmp::Ordering::Equal => None,
                std::cmp::Ordering::Greater => Some(a + more - 1),
            };
            moved(change, change.axes.iter().map(place))
        }
        _ => None,
    }
}

fn moved(change: &Change, axes: impl Iterator<Item = Option<usize>>) -> Option<Change> {
    Some(Change {
        axes: axes.collect::<Option<_>>()?,
        ..change.clone()
    })
}

fn map(g: &Graph, f: Scalar, node: &Node, xs: &[Value], of: &[Option<&Change>]) -> Option<Change> {
    let number = |i: usize| match g.literal(xs[i]) {
        Some(Literal::Real(x)) => Some(x),
        _ => None,
    };
    let first = of.iter().flatten().next()?;
    // All have the result's shape.
    if of.iter().flatten().any(|c| c.axes != first.axes) {
        return None;
    }
    let plus = |k: f64| Some((false, k));
    let times = |k: f64| Some((true, k));
    let kind = |i: usize| of[i].map(|c| (c.times, c.k));
    let (is_times, k) = match (f, kind(0), of.get(1).and_then(|_| kind(1))) {
        (Scalar::Identity, Some(c), _) if matches!(node.def.ad, Ad::Linear { .. }) => Some(c),
        (Scalar::Add, Some((false, k)), Some((false, l))) => plus(k + l),
        (Scalar::Sub, Some((false, k)), Some((false, l))) => plus(k - l),
        (Scalar::Add | Scalar::Sub, Some((false, k)), None) => plus(k),
        (Scalar::Add, None, Some((false, k))) => plus(k),
        (Scalar::Sub, None, Some((false, k))) => plus(-k),
        (Scalar::Add | Scalar::Sub | Scalar::Max | Scalar::Min, x, y) if x == y => x,
        (Scalar::Neg, Some((false, k)), _) => plus(-k),
        (Scalar::Neg | Scalar::Abs, Some((true, k)), _) => times(k),
        (Scalar::Mul, Some((true, k)), Some((true, l))) => times(k + l),
        (Scalar::Mul | Scalar::Div, Some((true, k)), None) => times(k),
        (Scalar::Mul, None, Some((true, k))) => times(k),
        (Scalar::Mul, Some((false, k)), None) => plus(k * number(1)?),
        (Scalar::Mul, None, Some((false, k))) => plus(k * number(0)?),
        (Scalar::Div, Some((true, k)), Some((true, l))) => times(k - l),
        (Scalar::Div, None, Some((true, k))) => times(-k),
        (Scalar::Div, Some((false, k)), None) => plus(k / number(1)?),
        (Scalar::Exp, Some((false, k)), _) => times(k),
        (Scalar::Log, Some((true, k)), _) => plus(k),
        (Scalar::Sqrt, Some((true, k)), _) => times(k / 2.0),
        (Scalar::Pow, Some((true, k)), None) => times(k * number(1)?),
        (Scalar::Select, None, Some(x)) if kind(2) == Some(x) => Some(x),
        _ => None,
    }?;
    Some(Change {
        times: is_times,
        k,
        axes: first.axes.clone(),
    })
}

fn seen(g: &Graph, view: View, node: &Node, x: Value, change: &Change) -> Option<Change> {
    let from = &g.ty(x).shape;
    let axes = change.axes.iter();
    match (view, &node.attr) {
        (View::Broadcast, Attr::Broadcast { axes: to, .. }) => {
            moved(change, axes.map(|&a| Some(to[a])))
        }
        (View::Transpose, Attr::Perm(p)) => {
            moved(change, axes.map(|a| p.iter().position(|b| a == b)))
        }
        (View::Slice, _) => {
            let whole = |a: &&usize| from[**a] == node.ty.shape[**a];
            moved(
                change,
                axes.map(|a| Some(&a).filter(|a| whole(a)).map(|a| **a)),
            )
        }
        // Axes of extent 1 come and go.
        (View::Reshape, _) => {
            let long = |shape: &[usize]| -> Vec<usize> {
                (0..shape.len()).filter(|&a| shape[a] != 1).collect()
            };
            let (before, behind) = (long(from), long(&node.ty.shape));
            let same = before.len() == behind.len()
                && before
                    .iter()
                    .zip(&behind)
                    .all(|(&a, &b)| from[a] == node.ty.shape[b]);
            let place = |a: &usize| {
                let at = before.iter().position(|b| a == b)?;
                Some(behind[at])
            };
            same.then(|| moved(change, axes.map(place)))?
        }
        _ => None,
    }
}

fn reduced(g: &Graph, monoid: Monoid, node: &Node, x: Value, change: &Change) -> Option<Change> {
    let Attr::Axes(gone) = &node.attr else {
        return None;
    };
    let k = match (monoid, change.times) {
        (Monoid::Max | Monoid::Min, _) | (Monoid::Sum, true) => change.k,
        (Monoid::Sum, false) => {
            let shape = &g.ty(x).shape;
            let count: usize = gone.iter().map(|&a| shape[a]).product();
            change.k * count as f64
        }
        _ => return None,
    };
    let place = |a: &usize| {
        let before = gone.iter().filter(|b| *b < a).count();
        (!gone.contains(a)).then_some(a - before)
    };
    let moved = moved(change, change.axes.iter().map(place))?;
    Some(Change { k, ..moved })
}

/// A sum of products, of which one side changes by factors that are the same in each of its sums.
fn contracted(g: &Graph, node: &Node, xs: &[Value], of: &[Option<&Change>]) -> Option<Change> {
    let Attr::Contract(c) = &node.attr else {
        return None;
    };
    let (left, change) = match (of[0], of[1]) {
        (Some(x), None) => (true, x),
        (None, Some(y)) => (false, y),
        _ => return None,
    };
    if !change.times {
        return None;
    }
    let mine = |p: &(usize, usize)| if left { p.0 } else { p.1 };
    let bound = |rank: usize, side: fn(&(usize, usize)) -> usize| -> Vec<usize> {
        let used: Vec<usize> = c.batch.iter().chain(&c.sum).map(side).collect();
        (0..rank).filter(|a| !used.contains(a)).collect()
    };
    let left_free = bound(g.ty(xs[0]).rank(), |p| p.0);
    let (free, behind) = match left {
        true => (left_free, c.batch.len()),
        false => {
            let behind = c.batch.len() + left_free.len();
            (bound(g.ty(xs[1]).rank(), |p| p.1), behind)
        }
    };
    let place = |a: &usize| {
        let batch = c.batch.iter().position(|p| mine(p) == *a);
        batch.or_else(|| Some(behind + free.iter().position(|b| a == b)?))
    };
    moved(change, change.axes.iter().map(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{DType, Type};
    use crate::ops;
    use crate::transform::differentiate::grad;

    /// The operations of the gradient of what is computed of rows and their largest elements.
    fn gradient(of: impl Fn(&mut Graph, Value, Value) -> Value) -> Vec<&'static str> {
        let mut g = Graph::new();
        let x = g.input("x", Type::new(DType::F32, vec![3, 4]));
        let m = g.add(&ops::MAX_OVER, Attr::Axes(vec![1]), &[x]);
        let y = of(&mut g, x, m);
        let w = g.input("w", g.ty(y).clone());
        let p = g.mul(y, w);
        let rank = g.ty(p).rank();
        let loss = g.sum(p, (0..rank).collect());
        let d = grad(&mut g, loss, &[x]).unwrap();
        g.outputs.push(("d".into(), d[0]));
        let live = crate::ir::print::live(&g);
        live.iter().map(|v| g.node(*v).def.name).collect()
    }

    fn centred(g: &mut Graph, x: Value, m: Value) -> Value {
        let m = g.broadcast(m, vec![3, 4], vec![0]);
        g.sub(x, m)
    }

    fn softmax(g: &mut Graph, x: Value, m: Value) -> Value {
        let c = centred(g, x, m);
        let e = g.exp(c);
        let s = g.sum(e, vec![1]);
        let s = g.broadcast(s, vec![3, 4], vec![0]);
        g.div(e, s)
    }

    fn logsumexp(g: &mut Graph, x: Value, m: Value) -> Value {
        let finite = g.unary(&ops::IS_FINITE, m);
        let zero = g.constant_like(0.0, m);
        let m = g.select(finite, m, zero);
        let c = centred(g, x, m);
        let e = g.exp(c);
        let s = g.sum(e, vec![1]);
        let l = g.log(s);
        g.add2(m, l)
    }

    fn attention(g: &mut Graph, x: Value, m: Value) -> Value {
        let values = g.input("values", Type::new(DType::F32, vec![4, 5]));
        let c = centred(g, x, m);
        let e = g.exp(c);
        let s = g.sum(e, vec![1]);
        let y = g.contract(e, values, vec![], vec![(1, 0)]);
        let s = g.broadcast(s, vec![3, 5], vec![0]);
        g.div(y, s)
    }

    #[test]
    fn no_derivative_passes_an_extreme_that_cancels() {
        for (what, names) in [
            ("softmax", gradient(softmax)),
            ("logsumexp", gradient(logsumexp)),
            ("attention", gradient(attention)),
        ] {
            assert!(!names.contains(&"eq"), "{what}: {names:?}");
        }
    }

    #[test]
    fn a_derivative_passes_an_extreme_on_which_results_depend() {
        let exp = |g: &mut Graph, x: Value, m: Value| {
            let c = centred(g, x, m);
            g.exp(c)
        };
        // The sum is one of all rows, which are shifted by numbers of their own.
        let of_all = |g: &mut Graph, x: Value, m: Value| {
            let c = centred(g, x, m);
            let e = g.exp(c);
            let s = g.sum(e, vec![0, 1]);
            let s = g.broadcast(s, vec![3, 4], vec![]);
            g.div(e, s)
        };
        let beside = |g: &mut Graph, x: Value, m: Value| {
            let y = softmax(g, x, m);
            let m = g.broadcast(m, vec![3, 4], vec![0]);
            g.add2(y, m)
        };
        let other_power = |g: &mut Graph, x: Value, m: Value| {
            let y = softmax(g, x, m);
            let c = centred(g, x, m);
            let e = g.exp(c);
            g.mul(y, e)
        };
        for (what, names) in [
            ("exp", gradient(exp)),
            ("of all", gradient(of_all)),
            ("beside", gradient(beside)),
            ("other power", gradient(other_power)),
        ] {
            assert!(names.contains(&"eq"), "{what}: {names:?}");
        }
    }
}
