//! The same elements in other shapes, and elements repeated along axes.

use super::super::leaves::{leaves, map_leaves};
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
    ("swapaxes", swapaxes),
    ("moveaxis", moveaxis),
    ("insert_axis", insert_axis),
    ("drop_axis", drop_axis),
    ("flatten_rows", flatten_rows),
    ("flatten", flatten),
    ("unflatten", unflatten),
    ("broadcast_to", broadcast_to),
    ("spread", spread),
];

/// The same elements in another shape; one size may be -1, for what is left.
fn reshape(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let Some((x, dims)) = a.positional.split_first() else {
        return s.fail("E0201", "`reshape` takes a tensor and sizes", span);
    };
    let (x, mut dims) = (x.clone(), dims.to_vec());
    if let [Val::List(items)] = dims.as_slice() {
        dims = items.to_vec();
    }
    let t = s.force(&x, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let open: Vec<usize> = (0..dims.len())
        .filter(|&i| matches!(dims[i], Val::Int(-1)))
        .collect();
    if let [i] = open.as_slice() {
        dims[*i] = Val::Int(1);
        let others = s.dims(&dims, span)?;
        let n = others.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        match n {
            Some(n) if n > 0 && ty.len().is_multiple_of(n) => {
                dims[*i] = Val::Int((ty.len() / n) as i64);
            }
            _ => {
                let title = format!("no size makes a `{ty}` fit the other sizes {others:?}");
                return s.fail("E0313", title, span);
            }
        }
    } else if open.len() > 1 {
        let title = "`reshape` finds one size, and -1 stands twice";
        return s.fail_hint("E0313", title, span, "write all sizes but one");
    }
    let shape = s.dims(&dims, span)?;
    s.sized(ty.dtype, &shape, span)?;
    if ty.len() != shape.iter().product::<usize>() {
        let want = Type::new(ty.dtype, shape);
        let title = format!(
            "a `{ty}` has {} elements, and `{want}` has {}",
            ty.len(),
            want.len()
        );
        return s.fail("E0313", title, span);
    }
    let r = s.op(&ops::RESHAPE, Attr::Shape(shape), &[t], span)?;
    Ok(Val::Tensor(r))
}

/// Axes in another order, by default the opposite one: `transpose(x, [0, 2, 1])`.
fn transpose(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let Some((x, order)) = a.positional.split_first() else {
        return s.fail("E0201", "`transpose` takes a tensor", span);
    };
    let (x, mut order) = (x.clone(), order.to_vec());
    let t = s.force(&x, span)?;
    let rank = s.ctx.graph.ty(t).rank();
    if let [Val::List(items) | Val::Tuple(items)] = order.as_slice() {
        order = items.to_vec();
    }
    if order.is_empty() {
        return permuted(s, t, (0..rank).rev().collect(), span);
    }
    let mut perm = Vec::new();
    for v in &order {
        perm.push(s.axis(v, rank, span)?);
    }
    let mut seen = perm.clone();
    seen.sort_unstable();
    if seen != (0..rank).collect::<Vec<_>>() {
        let ty = s.ctx.graph.ty(t).to_string();
        let title = format!("{perm:?} is no order of the axes of a `{ty}`");
        return s.fail_hint("E0313", title, span, "name each axis once");
    }
    permuted(s, t, perm, span)
}

fn permuted(s: &mut Session, t: crate::ir::Value, perm: Vec<usize>, span: Span) -> R<Val> {
    let r = s.op(&ops::TRANSPOSE, Attr::Perm(perm), &[t], span)?;
    Ok(Val::Tensor(r))
}

/// A tensor and two axes.
fn two_axes(
    s: &mut Session,
    name: &str,
    a: &mut Args,
    span: Span,
) -> R<(crate::ir::Value, usize, usize)> {
    let [x, p, q] = a.positional.as_slice() else {
        let title = format!("`{name}` takes a tensor and two axes");
        return s.fail("E0201", title, span);
    };
    let (x, p, q) = (x.clone(), p.clone(), q.clone());
    let t = s.force(&x, span)?;
    let rank = s.ctx.graph.ty(t).rank();
    Ok((t, s.axis(&p, rank, span)?, s.axis(&q, rank, span)?))
}

/// Two axes in each other's place.
fn swapaxes(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (t, p, q) = two_axes(s, "swapaxes", a, span)?;
    let mut perm: Vec<usize> = (0..s.ctx.graph.ty(t).rank()).collect();
    perm.swap(p, q);
    permuted(s, t, perm, span)
}

/// `moveaxis(x, from, to)`: the others keep their order.
fn moveaxis(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (t, from, to) = two_axes(s, "moveaxis", a, span)?;
    let mut perm: Vec<usize> = (0..s.ctx.graph.ty(t).rank())
        .filter(|&i| i != from)
        .collect();
    perm.insert(to, from);
    permuted(s, t, perm, span)
}

/// `insert_axis(x, 0)`: a new axis of extent 1 before the place named; -1 is behind all.
fn insert_axis(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, at) = with_axis(s, "insert_axis", a, span)?;
    let t = s.force(&x, span)?;
    let mut shape = s.ctx.graph.ty(t).shape.clone();
    let at = s.axis(&at, shape.len() + 1, span)?;
    shape.insert(at, 1);
    let r = s.op(&ops::RESHAPE, Attr::Shape(shape), &[t], span)?;
    Ok(Val::Tensor(r))
}

/// `drop_axis(x, 0)`: without an axis of extent 1.
fn drop_axis(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, at) = with_axis(s, "drop_axis", a, span)?;
    let t = s.force(&x, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let at = s.axis(&at, ty.rank(), span)?;
    if ty.shape[at] != 1 {
        let title = format!(
            "axis {at} of a `{ty}` has {} elements, not one",
            ty.shape[at]
        );
        return s.fail_hint("E0313", title, span, "to take one of them, index: `x[0]`");
    }
    let mut shape = ty.shape.clone();
    shape.remove(at);
    let r = s.op(&ops::RESHAPE, Attr::Shape(shape), &[t], span)?;
    Ok(Val::Tensor(r))
}

/// A value and an axis, by place or by name.
fn with_axis(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<(Val, Val)> {
    let axis = a.take("axis");
    match (a.positional.as_slice(), axis) {
        ([x], Some(axis)) => Ok((x.clone(), axis)),
        ([x, axis], None) => Ok((x.clone(), axis.clone())),
        _ => s.fail(
            "E0201",
            format!("`{name}` takes a tensor and an axis"),
            span,
        ),
    }
}

/// All axes but the first made one.
fn flatten_rows(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("flatten_rows", a, span)?;
    let t = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let Some((&n, rest)) = ty.shape.split_first() else {
        return s.fail("E0313", "`flatten_rows` of a scalar", span);
    };
    let shape = vec![n, rest.iter().product()];
    let r = s.op(&ops::RESHAPE, Attr::Shape(shape), &[t], span)?;
    Ok(Val::Tensor(r))
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
    if parts.is_empty() {
        return Ok(Val::Tensor(s.literal(&Val::Real(0.0), s.real, &[0])));
    }
    let r = s.op(&ops::CONCAT, Attr::Axis(0), &parts, span)?;
    Ok(Val::Tensor(r))
}

/// `unflatten(v, like: r)`: the elements of a vector in the form of `r`; what `flatten(r)` undoes.
fn unflatten(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("unflatten", a, span)?;
    let Some(like) = a.take("like") else {
        let hint = "write `unflatten(v, like: r)`";
        return s.fail_hint("E0201", "`unflatten` needs `like:`", span, hint);
    };
    let t = s.force(&v, span)?;
    let like = s.force_leaves(&like, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let types: Vec<Type> = leaves(&like)
        .iter()
        .map(|l| s.ctx.graph.ty(*l).clone())
        .collect();
    let total: usize = types.iter().map(Type::len).sum();
    if ty.shape != [total] {
        let title = format!("a `{ty}` for a form of {total} elements");
        return s.fail("E0313", title, span);
    }
    let mut parts = Vec::new();
    let mut at = 0;
    for want in types {
        if want.dtype != ty.dtype {
            let title = format!("a `{ty}` has no part that is a `{want}`");
            return s.fail("E0302", title, span);
        }
        let n = want.len();
        let part = s.slice_axis(t, 0, at, at + n, 1, span)?;
        parts.push(s.op(&ops::RESHAPE, Attr::Shape(want.shape), &[part], span)?);
        at += n;
    }
    let mut next = parts.into_iter();
    Ok(map_leaves(&like, &mut |t| next.next().unwrap_or(t)))
}

/// `broadcast_to(x, 3, 4)`: repeated along new leading axes and along axes of extent 1, as the sizes say.
fn broadcast_to(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let Some((x, dims)) = a.positional.split_first() else {
        return s.fail("E0201", "`broadcast_to` takes a tensor and sizes", span);
    };
    let (x, dims) = (x.clone(), dims.to_vec());
    let shape = s.dims(&dims, span)?;
    let t = s.force(&x, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let new = shape.len().checked_sub(ty.rank());
    let fits = new.is_some_and(|new| {
        (0..ty.rank()).all(|i| ty.shape[i] == 1 || ty.shape[i] == shape[new + i])
    });
    let (Some(new), true) = (new, fits) else {
        let want = Type::new(ty.dtype, shape);
        let title = format!("a `{ty}` does not repeat to a `{want}`");
        let hint = "axes are matched from the last; each has the size wanted, or 1";
        return s.fail_hint("E0313", title, span, hint);
    };
    s.sized(ty.dtype, &shape, span)?;
    let kept: Vec<usize> = (0..ty.rank())
        .filter(|&i| ty.shape[i] == shape[new + i])
        .collect();
    let slim = kept.iter().map(|&i| ty.shape[i]).collect();
    let t = s.ctx.graph.reshape(t, slim);
    let axes = kept.iter().map(|i| new + i).collect();
    Ok(Val::Tensor(s.ctx.graph.broadcast(t, shape, axes)))
}

/// `spread(m, like: x, axis: 0)`: what a reduction of `x` over the axes gave, repeated along them to the shape of `x`.
fn spread(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let m = s.one("spread", a, span)?;
    let Some(like) = a.take("like") else {
        let hint = "write `spread(m, like: x, axis: 0)`";
        return s.fail_hint("E0201", "`spread` needs `like:`", span, hint);
    };
    let (m, like) = (s.force(&m, span)?, s.force(&like, span)?);
    let (tm, shape) = (
        s.ctx.graph.ty(m).clone(),
        s.ctx.graph.ty(like).shape.clone(),
    );
    let axes = a.take("axis");
    let axes = s.axes(axes, shape.len(), span)?;
    let kept: Vec<usize> = (0..shape.len()).filter(|i| !axes.contains(i)).collect();
    let want: Vec<usize> = kept.iter().map(|&i| shape[i]).collect();
    if tm.shape != want {
        let want = Type::new(tm.dtype, want);
        let title = format!("a `{tm}` is not what is left over those axes, which is a `{want}`");
        return s.fail("E0313", title, span);
    }
    Ok(Val::Tensor(s.ctx.graph.broadcast(m, shape, kept)))
}
