//! Views and signs move behind what commutes with them: toward the results, where there is less to move or nothing to tell.
//!
//! sum[0](x.T)   =>   sum[1](x)          exp(x.T)        =>   exp(x).T          transpose(broadcast(x))   =>   broadcast(x)
//!
//! sum[0](broadcast[0](x))   =>   broadcast(sum(x))          sum[1](broadcast[0](x))   =>   n * x
//!
//! x * -y        =>   -(x * y)           sum(-x)         =>   -sum(x)           f(reshape(x))   =>   reshape(f(x))

use crate::ir::{Attr, Graph, Node, Shape, Type, Value};
use crate::ops::factors::{Which, sum_of_shared};
use crate::ops::{self, Kernel, Monoid, Scalar, View};

/// A reduction of what another order of axes, another shape or a sign was given to. (Its sums are not in order.)
pub fn reduction(g: &mut Graph, node: &Node, x: Value) -> Option<Value> {
    let Attr::Axes(axes) = &node.attr else {
        return None;
    };
    if node.def.kernel == Kernel::Reduce(Monoid::Sum)
        && let Some(y) = sum_of_shared(g, x, axes, Which::Those(super::functions::scales_softmax))
    {
        return Some(y);
    }
    let inner = g.node(x).clone();
    let y = *g.operands(x).first()?;
    match (inner.def.kernel, &inner.attr) {
        (Kernel::View(View::Transpose), Attr::Perm(p)) => {
            let mut over: Vec<usize> = axes.iter().map(|&a| p[a]).collect();
            over.sort_unstable();
            let left = (0..p.len()).filter(|a| !axes.contains(a));
            let left: Vec<usize> = left.map(|a| p[a]).collect();
            let before = |a: &usize| left.iter().filter(|b| *b < a).count();
            let r = g.add(node.def, Attr::Axes(over), &[y]);
            Some(g.transpose(r, left.iter().map(before).collect()))
        }
        (Kernel::View(View::Broadcast), Attr::Broadcast { shape, axes: own }) => {
            of_broadcast(g, node, axes, y, shape, own)
        }
        (Kernel::View(View::Reshape), _) if axes.len() == g.ty(x).rank() => {
            let all = (0..g.ty(y).rank()).collect();
            Some(g.add(node.def, Attr::Axes(all), &[y]))
        }
        (Kernel::Map(Scalar::Neg), _) if node.def.kernel == Kernel::Reduce(Monoid::Sum) => {
            let r = g.add(node.def, node.attr.clone(), &[y]);
            let r = super::again(g, r);
            Some(g.neg(r))
        }
        _ => None,
    }
}

/// A reduction of what repeats `y`, whose axes are `own`: that of `y`. Sums are multiplied by how often an element is repeated in one.
fn of_broadcast(
    g: &mut Graph,
    node: &Node,
    axes: &[usize],
    y: Value,
    shape: &[usize],
    own: &[usize],
) -> Option<Value> {
    let repeated = axes.iter().filter(|a| !own.contains(a));
    let times: usize = repeated.map(|&a| shape[a]).product();
    let over = (0..own.len()).filter(|&i| axes.contains(&own[i])).collect();
    let factor = match node.def.kernel {
        _ if times == 1 => None,
        Kernel::Reduce(Monoid::Max | Monoid::Min | Monoid::Any | Monoid::All) if times > 0 => None,
        Kernel::Reduce(Monoid::Sum) => Some(times as f64),
        _ => return None,
    };
    let mut r = match g.ty(y).rank() {
        0 => y,
        _ => g.add(node.def, Attr::Axes(over), &[y]),
    };
    if let Some(factor) = factor {
        let factor = g.constant_like(factor, r);
        r = g.mul(r, factor);
    }
    let left: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
    let places = own.iter().filter_map(|a| left.iter().position(|l| l == a));
    let places = places.collect();
    Some(g.broadcast(r, node.ty.shape.clone(), places))
}

/// `x` with its axes at those given, which may be in any order, of a shape along whose other axes it repeats.
fn placed(g: &mut Graph, x: Value, shape: Shape, axes: &[usize]) -> Value {
    let mut order: Vec<usize> = (0..axes.len()).collect();
    order.sort_by_key(|&i| axes[i]);
    let sorted = order.iter().map(|&i| axes[i]).collect();
    let x = g.transpose(x, order);
    g.broadcast(x, shape, sorted)
}

/// A transpose of a broadcast.
pub fn transposed_broadcast(g: &mut Graph, x: Value, perm: &[usize]) -> Option<Value> {
    let Attr::Broadcast { shape, axes } = g.node(x).attr.clone() else {
        return None;
    };
    let y = g.operands(x)[0];
    let place = |a: &usize| perm.iter().position(|p| p == a);
    let axes: Vec<usize> = axes.iter().map(place).collect::<Option<_>>()?;
    let shape = perm.iter().map(|&p| shape[p]).collect();
    Some(placed(g, y, shape, &axes))
}

/// An element-wise function of what was transposed or given another shape.
pub fn map(g: &mut Graph, node: &Node, xs: &[Value], once: &[bool]) -> Option<Value> {
    sign(g, node, xs, once)
        .or_else(|| of_transposes(g, node, xs, once))
        .or_else(|| of_reshapes(g, node, xs))
}

/// The sign of a factor that nothing else reads.
fn sign(g: &mut Graph, node: &Node, xs: &[Value], once: &[bool]) -> Option<Value> {
    let negated = |i: usize| -> Option<Value> {
        let is = g.is(xs[i], &ops::NEG) && once[i];
        is.then(|| g.operands(xs[i])[0])
    };
    match node.def.kernel {
        Kernel::Map(Scalar::Mul | Scalar::Div) => {
            let (x, y) = match (negated(0), negated(1)) {
                (Some(x), Some(y)) => return Some(g.add(node.def, Attr::None, &[x, y])),
                (Some(x), None) => (x, xs[1]),
                (None, Some(y)) => (xs[0], y),
                (None, None) => return None,
            };
            let y = g.add(node.def, Attr::None, &[x, y]);
            Some(g.neg(y))
        }
        // -x + y = y - x
        Kernel::Map(Scalar::Add) => negated(0).map(|x| g.sub(xs[1], x)),
        _ => None,
    }
}

/// Of operands in one other order of axes, some of which nothing else reads in it; the rest are literals and broadcasts.
fn of_transposes(g: &mut Graph, node: &Node, xs: &[Value], once: &[bool]) -> Option<Value> {
    let perm = |g: &Graph, v: Value| match &g.node(v).attr {
        Attr::Perm(p) => Some(p.clone()),
        _ => None,
    };
    let own = xs.iter().zip(once).filter(|(_, once)| **once);
    let p = own.map(|(x, _)| perm(g, *x)).find_map(|p| p)?;
    let fits = |&x: &Value| {
        let repeats = matches!(g.node(x).attr, Attr::Broadcast { .. });
        repeats || g.literal(x).is_some() || perm(g, x).as_ref() == Some(&p)
    };
    if !xs.iter().all(fits) {
        return None;
    }
    let back = ops::inverse(&p);
    let shape: Shape = back.iter().map(|&i| node.ty.shape[i]).collect();
    let before = |g: &mut Graph, x: Value| match g.literal(x) {
        Some(l) => g.fill(l, Type::new(g.ty(x).dtype, shape.clone())),
        None => match transposed_broadcast(g, x, &back) {
            Some(x) => x,
            None => g.operands(x)[0],
        },
    };
    let ys: Vec<Value> = xs.iter().map(|&x| before(g, x)).collect();
    let y = g.add(node.def, node.attr.clone(), &ys);
    Some(g.transpose(y, p))
}

/// Of operands that all had one other shape, or are literals. Only where one of them is computed in that shape, or repeats something
/// in it: a loop over it has them, too.
fn of_reshapes(g: &mut Graph, node: &Node, xs: &[Value]) -> Option<Value> {
    let before = |g: &Graph, v: Value| g.is(v, &ops::RESHAPE).then(|| g.operands(v)[0]);
    let all: Vec<Value> = xs.iter().filter_map(|&x| before(g, x)).collect();
    let shape = g.ty(*all.first()?).shape.clone();
    let fits = |&x: &Value| {
        let same = before(g, x).is_some_and(|y| g.ty(y).shape == shape);
        same || g.literal(x).is_some()
    };
    let looped = |&y: &Value| {
        let kernel = g.node(y).def.kernel;
        matches!(kernel, Kernel::Map(_) | Kernel::View(View::Broadcast))
    };
    if !xs.iter().all(fits) || !all.iter().any(looped) {
        return None;
    }
    let ys: Vec<Value> = xs
        .iter()
        .map(|&x| match g.literal(x) {
            Some(l) => g.fill(l, Type::new(g.ty(x).dtype, shape.clone())),
            None => g.operands(x)[0],
        })
        .collect();
    let y = g.add(node.def, node.attr.clone(), &ys);
    Some(g.reshape(y, node.ty.shape.clone()))
}
