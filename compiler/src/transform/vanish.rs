//! What is worth exactly 0 because it is a multiple of a `tangent`.
//!
//! y + c * tangent(x)   =>   y          exp(tangent(x))   =>   1
//!
//! Only after all derivatives are taken, or where none will be: the derivative of `c * tangent(x)` is not 0. Does not: take
//! a literal 0 for such a zero; 0 times infinity is NaN, and a multiple of a `tangent` is 0 whatever else it multiplies.

use super::Pass;
use super::affine::above;
use super::simplify::rebuild;
use crate::ir::{Graph, Literal, Node, Type, Value};
use crate::ops::{self, Kernel, Monoid, Scalar};
use std::collections::{HashMap, HashSet};

/// Multiples of tangents.
pub const VANISH: Pass = Pass {
    name: "vanish",
    about: "drops multiples of tangents, which are worth 0",
    run: |g| rebuild(g, &|g, node, xs, _| law(g, node, xs)),
};

/// A zero of this kind: a tangent itself.
fn none(g: &Graph, v: Value) -> bool {
    g.node(v).def.kernel == Kernel::Map(Scalar::Zero)
}

fn zero(g: &mut Graph, ty: &Type) -> Value {
    let literal = g.fill(Literal::Real(0.0), ty.clone());
    g.unary(&ops::TANGENT, literal)
}

/// What a node becomes whose operands may be zeros of this kind.
fn law(g: &mut Graph, node: &Node, xs: &[Value]) -> Option<Value> {
    if !xs.iter().any(|x| none(g, *x)) || !node.ty.dtype.is_real() {
        return None;
    }
    let all = xs.iter().all(|x| none(g, *x));
    match node.def.kernel {
        Kernel::Map(Scalar::Mul) | Kernel::Contract => Some(zero(g, &node.ty)),
        Kernel::Map(Scalar::Div) if none(g, xs[0]) => Some(zero(g, &node.ty)),
        Kernel::Map(Scalar::Add) if none(g, xs[0]) => Some(xs[1]),
        Kernel::Map(Scalar::Add) => Some(xs[0]),
        Kernel::Map(Scalar::Sub) if none(g, xs[1]) => Some(xs[0]),
        Kernel::Map(Scalar::Sub) => Some(g.neg(xs[1])),
        Kernel::Map(Scalar::Exp) => Some(g.fill(Literal::Real(1.0), node.ty.clone())),
        Kernel::Map(
            Scalar::Neg | Scalar::Identity | Scalar::First | Scalar::Cast | Scalar::Zero,
        ) if none(g, xs[0]) => Some(zero(g, &node.ty)),
        Kernel::Map(Scalar::Select) if none(g, xs[1]) && none(g, xs[2]) => Some(zero(g, &node.ty)),
        Kernel::View(_)
        | Kernel::Pad
        | Kernel::Reduce(Monoid::Sum | Monoid::Max | Monoid::Min)
        | Kernel::Cumulate(Monoid::Sum) => Some(zero(g, &node.ty)),
        Kernel::Concat if all => Some(zero(g, &node.ty)),
        _ => None,
    }
}

/// The results without what only derivatives need.
pub fn values_only(g: &mut Graph, results: &[Value]) -> Vec<Value> {
    let mut map: HashMap<Value, Value> = HashMap::new();
    let (span, guard, strict) = (g.origin, g.guard.take(), g.strict);
    for v in above(g, results, &HashSet::new()) {
        let operands = g.operands(v);
        let xs: Vec<Value> = operands.iter().map(|o| *map.get(o).unwrap_or(o)).collect();
        if xs == operands && !xs.iter().any(|x| none(g, *x)) {
            continue;
        }
        let node = g.node(v).clone();
        (g.origin, g.strict) = (node.origin, node.strict);
        let new = match law(g, &node, &xs) {
            Some(new) => new,
            None => {
                g.guard = node.guard;
                let new = g.add(node.def, node.attr.clone(), &xs);
                g.guard = None;
                new
            }
        };
        map.insert(v, new);
    }
    (g.origin, g.guard, g.strict) = (span, guard, strict);
    results
        .iter()
        .map(|r| {
            let r = *map.get(r).unwrap_or(r);
            if none(g, r) {
                g.fill(Literal::Real(0.0), g.ty(r).clone())
            } else {
                r
            }
        })
        .collect()
}

/// The nodes among `of` of whose derivatives the results may need something: not those that only multiply a tangent.
pub fn differentiated(g: &Graph, results: &[Value], of: &[Value]) -> HashSet<Value> {
    let (Some(last), Some(first)) = (results.iter().max(), of.iter().min()) else {
        return HashSet::new();
    };
    let mut zeros: HashSet<Value> = HashSet::new();
    for i in 0..=last.0 {
        let v = Value(i);
        let xs = g.operands(v);
        let known = |i: usize| zeros.contains(&xs[i]);
        let found = match g.node(v).def.kernel {
            Kernel::Map(Scalar::Zero) => true,
            Kernel::Map(Scalar::Mul) | Kernel::Contract => known(0) || known(1),
            Kernel::Map(Scalar::Neg | Scalar::Identity | Scalar::Div)
            | Kernel::View(_)
            | Kernel::Reduce(Monoid::Sum) => known(0),
            Kernel::Map(Scalar::Add | Scalar::Sub) => known(0) && known(1),
            _ => false,
        };
        if found {
            zeros.insert(v);
        }
    }
    let mut full: HashSet<Value> = results.iter().copied().collect();
    for i in (first.0..=last.0).rev() {
        let v = Value(i);
        if !full.contains(&v) {
            continue;
        }
        let xs = g.operands(v);
        let product = matches!(
            g.node(v).def.kernel,
            Kernel::Map(Scalar::Mul) | Kernel::Contract
        );
        for (j, x) in xs.iter().enumerate() {
            let only_value = product && zeros.contains(&xs[1 - j]) && !zeros.contains(x);
            if !only_value {
                full.insert(*x);
            }
        }
    }
    of.iter().copied().filter(|v| full.contains(v)).collect()
}
