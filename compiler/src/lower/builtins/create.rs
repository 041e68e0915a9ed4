//! Tensors made of nothing but sizes.

use super::super::leaves::map_leaves;
use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::{Attr, DType};
use crate::ops;
use mlc_grammar::ast::BinaryOp;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("zeros", |s, a, at| filled(s, "zeros", a, at)),
    ("ones", |s, a, at| filled(s, "ones", a, at)),
    ("zeros_int", |s, a, at| filled(s, "zeros_int", a, at)),
    ("falses", |s, a, at| filled(s, "falses", a, at)),
    ("trues", |s, a, at| filled(s, "trues", a, at)),
    ("full", full),
    ("zeros_like", |s, a, at| like(s, "zeros_like", a, at)),
    ("ones_like", |s, a, at| like(s, "ones_like", a, at)),
    ("iota", iota),
    ("one_hot", one_hot),
];

/// One literal in every element.
fn filled(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let shape = s.dims(&a.positional.clone(), span)?;
    let (v, d) = match name {
        "zeros" => (Val::Real(0.0), s.real),
        "ones" => (Val::Real(1.0), s.real),
        "zeros_int" => (Val::Int(0), DType::I32),
        "falses" => (Val::Bool(false), DType::Bool),
        _ => (Val::Bool(true), DType::Bool),
    };
    s.sized(d, &shape, span)?;
    Ok(Val::Tensor(s.literal(&v, d, &shape)))
}

/// One value in every element.
fn full(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let Some((v, dims)) = a.positional.split_first() else {
        return Err(Box::new(s.err(
            "E0201",
            "`full` takes a value and sizes",
            span,
        )));
    };
    let (v, dims) = (v.clone(), dims.to_vec());
    let shape = s.dims(&dims, span)?;
    let v = if let Val::Int(i) = v {
        Val::Real(i as f64)
    } else {
        v
    };
    let t = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    if ty.rank() != 0 {
        let hint = "to repeat a tensor, write `broadcast_to(x, sizes)`";
        return s.fail_hint("E0313", format!("`full` of a `{ty}`"), span, hint);
    }
    s.sized(ty.dtype, &shape, span)?;
    Ok(Val::Tensor(s.splat(t, &shape)))
}

/// A literal in the shape of another value, leaf by leaf.
fn like(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one(name, a, span)?;
    let v = s.force_leaves(&v, span)?;
    let x = if name == "zeros_like" { 0.0 } else { 1.0 };
    Ok(map_leaves(&v, &mut |t| s.ctx.graph.constant_like(x, t)))
}

/// `iota(n)`: 0, 1, .. n - 1; `iota(a..b)`: a, .. b - 1; `iota(n, m, axis: 1)`: the index along an axis of a tensor.
fn iota(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    if let [Val::Range(from, to)] = a.positional.as_slice() {
        let (from, n) = (*from, to.saturating_sub(*from).max(0));
        let fits = i32::try_from(from).is_ok() && i32::try_from(*to).is_ok();
        if !fits {
            return s.fail("E0304", format!("a range of {n} is too long"), span);
        }
        let attr = Attr::Iota {
            shape: vec![n as usize],
            axis: 0,
        };
        let i = s.op(&ops::IOTA, attr, &[], span)?;
        return s.binary(
            BinaryOp::Add,
            Val::Tensor(i),
            Val::Int(from),
            span,
            span,
            span,
        );
    }
    let shape = s.dims(&a.positional.clone(), span)?;
    s.sized(DType::I32, &shape, span)?;
    let axis = s.axis_or("iota", a, shape.len(), None, span)?;
    let i = s.op(&ops::IOTA, Attr::Iota { shape, axis }, &[], span)?;
    Ok(Val::Tensor(i))
}

/// 1 at each index, 0 elsewhere, on a new last axis.
fn one_hot(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (i, n) = s.two("one_hot", a, span)?;
    let n = s.dims(&[n], span)?[0];
    let i = s.force(&i, span)?;
    let ty = s.ctx.graph.ty(i).clone();
    if ty.dtype != DType::I32 {
        let title = format!("`one_hot` takes integers, not `{ty}`");
        return Err(Box::new(s.err("E0302", title, span)));
    }
    let mut shape = ty.shape.clone();
    shape.push(n);
    s.sized(s.real, &shape, span)?;
    let iota = Attr::Iota {
        shape: shape.clone(),
        axis: ty.rank(),
    };
    let at = s.op(&ops::IOTA, iota, &[], span)?;
    let i = s.lead(i, &shape);
    let hit = s.op(&ops::EQ, Attr::None, &[i, at], span)?;
    Ok(Val::Tensor(s.cast(hit, s.real)))
}
