//! Pieces of tensors: shapes, joining, splitting, reversing.

use super::super::leaves::leaves;
use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::{Attr, Type};
use crate::ops;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("reshape", reshape),
    ("transpose", transpose),
    ("concat", concat),
    ("stack", stack),
    ("halves", halves),
    ("flatten_rows", flatten_rows),
    ("flatten", flatten),
    ("unflatten", unflatten),
    ("flip", flip),
    ("gather", gather),
    ("split", split),
];

/// The same elements in another shape.
fn reshape(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let Some((x, dims)) = a.positional.split_first() else {
        return Err(Box::new(s.err(
            "E0201",
            "`reshape` takes a tensor and sizes",
            span,
        )));
    };
    let (x, dims) = (x.clone(), dims.to_vec());
    let shape = s.dims(&dims, span)?;
    let t = s.force(&x, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    if ty.len() != shape.iter().product::<usize>() {
        let want = Type::new(ty.dtype, shape);
        let title = format!(
            "a `{ty}` has {} elements, and `{want}` has {}",
            ty.len(),
            want.len()
        );
        return Err(Box::new(s.err("E0313", title, span)));
    }
    Ok(Val::Tensor(s.op(
        &ops::RESHAPE,
        Attr::Shape(shape),
        &[t],
        span,
    )?))
}

/// Axes reversed.
fn transpose(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("transpose", a, span)?;
    let t = s.force(&v, span)?;
    s.transpose(t, span)
}

/// One after the other along an axis.
fn concat(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let axis = a.take("axis");
    let items = match a.positional.as_slice() {
        [Val::List(items)] => items.to_vec(),
        more => more.to_vec(),
    };
    let mut parts = Vec::new();
    for v in &items {
        parts.push(s.force(v, span)?);
    }
    let Some(&first) = parts.first() else {
        return Err(Box::new(s.err("E0201", "`concat` of nothing", span)));
    };
    let rank = s.ctx.graph.ty(first).rank();
    let axis = match axis {
        Some(v) => s.axis(&v, rank, span)?,
        None => 0,
    };
    Ok(Val::Tensor(s.op(
        &ops::CONCAT,
        Attr::Axis(axis),
        &parts,
        span,
    )?))
}

/// On a new axis.
fn stack(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("stack", a, span)?;
    match &v {
        Val::Record(fields) => {
            let mut items = Vec::new();
            for (_, v) in fields.iter() {
                let t = s.force(v, span)?;
                items.push(Val::Tensor(s.cast(t, s.real)));
            }
            if items.is_empty() {
                return Err(Box::new(s.err("E0201", "`stack` of nothing", span)));
            }
            let first = s.force(&items[0], span)?;
            let rank = s.ctx.graph.ty(first).rank();
            Ok(Val::Tensor(s.stack_values(&items, rank, span)?))
        }
        Val::List(items) if !items.is_empty() => Ok(Val::Tensor(s.stack_values(items, 0, span)?)),
        other => {
            let title = format!("`stack` takes a record or a list, not {}", other.kind());
            Err(Box::new(s.err("E0200", title, span)))
        }
    }
}

/// The two halves of the last axis.
fn halves(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("halves", a, span)?;
    let t = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let Some(&n) = ty.shape.last() else {
        return Err(Box::new(s.err("E0313", "`halves` of a scalar", span)));
    };
    if n % 2 != 0 {
        let title = format!("`halves` needs an even last axis, and `{ty}` has {n}");
        return Err(Box::new(s.err("E0313", title, span)));
    }
    let axis = ty.rank() - 1;
    let x = s.slice_axis(t, axis, 0, n / 2, 1, span)?;
    let y = s.slice_axis(t, axis, n / 2, n, 1, span)?;
    Ok(Val::tuple(vec![Val::Tensor(x), Val::Tensor(y)]))
}

/// All axes but the first made one.
fn flatten_rows(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("flatten_rows", a, span)?;
    let t = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let Some((&n, rest)) = ty.shape.split_first() else {
        return Err(Box::new(s.err("E0313", "`flatten_rows` of a scalar", span)));
    };
    let shape = vec![n, rest.iter().product()];
    Ok(Val::Tensor(s.op(
        &ops::RESHAPE,
        Attr::Shape(shape),
        &[t],
        span,
    )?))
}

/// All elements of all leaves in a row.
fn flatten(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("flatten", a, span)?;
    let v = s.force_leaves(&v, span)?;
    let mut parts = Vec::new();
    for t in leaves(&v) {
        let n = s.ctx.graph.ty(t).len();
        parts.push(s.op(&ops::RESHAPE, Attr::Shape(vec![n]), &[t], span)?);
    }
    Ok(Val::Tensor(s.op(
        &ops::CONCAT,
        Attr::Axis(0),
        &parts,
        span,
    )?))
}

/// A vector as leaves of the form of a record.
fn unflatten(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("unflatten", a, span)?;
    let Some(like) = a.take("like") else {
        let title = "`unflatten` takes a vector, and `like:` a record of the form to give it";
        return Err(Box::new(s.err("E0201", title, span)));
    };
    s.unflatten(&v, &like, span)
}

/// An axis reversed.
fn flip(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("flip", a, span)?;
    let t = s.force(&v, span)?;
    let rank = s.ctx.graph.ty(t).rank();
    let axis = match a.take("axis") {
        Some(v) => s.axis(&v, rank, span)?,
        None => 0,
    };
    Ok(Val::Tensor(s.op(
        &ops::FLIP,
        Attr::Axes(vec![axis]),
        &[t],
        span,
    )?))
}

/// Rows at indices.
fn gather(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, i) = s.two("gather", a, span)?;
    let (x, i) = (s.force(&x, span)?, s.force(&i, span)?);
    Ok(Val::Tensor(s.op(
        &ops::GATHER,
        Attr::Axis(0),
        &[x, i],
        span,
    )?))
}

/// The first rows and the rest.
fn split(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    s.split(a, span)
}
