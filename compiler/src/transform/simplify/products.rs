//! Sums of products that are sums, or products, alone: loop nests compute them with what is around them.
//!
//! x @ ones(n)   =>   sum[1](x)          outer(x, y)   =>   broadcast(x) * broadcast(y)

use crate::ir::{Attr, Contract, Graph, Literal, Node, Type, Value};
use crate::ops;

/// A contraction that is none. (Its sums are not in order.)
pub fn contraction(g: &mut Graph, node: &Node, xs: &[Value]) -> Option<Value> {
    let Attr::Contract(c) = &node.attr else {
        return None;
    };
    if c.sum.is_empty() {
        return outer(g, node, c, xs);
    }
    let turned = Contract {
        batch: c.batch.iter().map(|&(a, b)| (b, a)).collect(),
        sum: c.sum.iter().map(|&(a, b)| (b, a)).collect(),
    };
    sum(g, node, c, xs[0], xs[1], true).or_else(|| sum(g, node, &turned, xs[1], xs[0], false))
}

/// The axes that are neither of a batch nor summed over.
fn free(rank: usize, bound: impl Iterator<Item = usize>) -> Vec<usize> {
    let bound: Vec<usize> = bound.collect();
    (0..rank).filter(|a| !bound.contains(a)).collect()
}

/// Products of which nothing is summed: each side repeats along the other's free axes, if its axes are in that order.
fn outer(g: &mut Graph, node: &Node, c: &Contract, xs: &[Value]) -> Option<Value> {
    let ranks = [g.ty(xs[0]).rank(), g.ty(xs[1]).rank()];
    let left = free(ranks[0], c.batch.iter().map(|p| p.0));
    let right = free(ranks[1], c.batch.iter().map(|p| p.1));
    let behind = c.batch.len() + left.len();
    let place = |a: usize, mine: fn(&(usize, usize)) -> usize, free: &[usize], first: usize| {
        let batch = c.batch.iter().position(|p| mine(p) == a);
        batch.or_else(|| Some(first + free.iter().position(|b| *b == a)?))
    };
    let to_left = (0..ranks[0]).map(|a| place(a, |p| p.0, &left, c.batch.len()));
    let to_left: Vec<usize> = to_left.collect::<Option<_>>()?;
    let to_right = (0..ranks[1]).map(|a| place(a, |p| p.1, &right, behind));
    let to_right: Vec<usize> = to_right.collect::<Option<_>>()?;
    if !to_left.is_sorted() || !to_right.is_sorted() {
        return None;
    }
    let x = repeated(g, xs[0], node, to_left);
    let y = repeated(g, xs[1], node, to_right);
    Some(product(g, x, y))
}

fn repeated(g: &mut Graph, x: Value, node: &Node, axes: Vec<usize>) -> Value {
    match g.literal(x) {
        Some(l) => g.fill(l, node.ty.clone()),
        None => g.broadcast(x, node.ty.shape.clone(), axes),
    }
}

fn product(g: &mut Graph, x: Value, y: Value) -> Value {
    let one = |v: Value| matches!(g.literal(v), Some(Literal::Real(1.0)));
    match (one(x), one(y)) {
        (true, _) => y,
        (_, true) => x,
        _ => g.mul(x, y),
    }
}

/// Sums of `x` times a literal, along whose own axes the result repeats.
fn sum(
    g: &mut Graph,
    node: &Node,
    c: &Contract,
    x: Value,
    factor: Value,
    first: bool,
) -> Option<Value> {
    let l = g.literal(factor)?;
    let ty = g.ty(x).clone();
    let own = free(ty.rank(), c.batch.iter().chain(&c.sum).map(|p| p.0));
    let bound = c.batch.len() + c.sum.len();
    let others = g.ty(factor).rank() - bound;
    // Where the axes of x that are left stand in the result.
    let behind = c.batch.len() + if first { 0 } else { others };
    let place = |a: usize| {
        let batch = c.batch.iter().position(|p| p.0 == a);
        batch.or_else(|| Some(behind + own.iter().position(|b| *b == a)?))
    };
    let places: Vec<usize> = (0..ty.rank()).filter_map(place).collect();
    if !places.is_sorted() {
        return None;
    }
    let factor = g.fill(l, Type::new(ty.dtype, ty.shape.clone()));
    let products = product(g, x, factor);
    let mut over: Vec<usize> = c.sum.iter().map(|p| p.0).collect();
    over.sort_unstable();
    let y = g.add(&ops::SUM, Attr::Axes(over), &[products]);
    Some(g.broadcast(y, node.ty.shape.clone(), places))
}
