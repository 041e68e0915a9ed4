//! Sums, products, extremes and places of extremes, over all, over axes, or so far along an axis.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::{Attr, DType, Value};
use crate::ops::{self, OpDef};
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("sum", |s, a, at| s.reduce("sum", a, at)),
    ("mean", |s, a, at| s.reduce("mean", a, at)),
    ("prod", |s, a, at| s.reduce("prod", a, at)),
    ("any", |s, a, at| s.reduce("any", a, at)),
    ("all", |s, a, at| s.reduce("all", a, at)),
    ("argmax", |s, a, at| place(s, "argmax", a, at)),
    ("argmin", |s, a, at| place(s, "argmin", a, at)),
    ("cumsum", |s, a, at| {
        so_far(s, "cumsum", &ops::CUMSUM, a, at)
    }),
    ("cumprod", |s, a, at| {
        so_far(s, "cumprod", &ops::CUMPROD, a, at)
    }),
    ("cummax", |s, a, at| {
        so_far(s, "cummax", &ops::CUMMAX, a, at)
    }),
    ("cummin", |s, a, at| {
        so_far(s, "cummin", &ops::CUMMIN, a, at)
    }),
];

/// The same numbers in the other order of size; truth values become ints.
pub(super) fn turned(s: &mut Session, x: Value, down: bool, span: Span) -> R<Value> {
    let x = if s.ctx.graph.ty(x).dtype == DType::Bool {
        s.cast(x, DType::I32)
    } else {
        x
    };
    if !down {
        return Ok(x);
    }
    if s.ctx.graph.ty(x).dtype == DType::I32 {
        // -1 - x turns all ints around, the smallest too.
        let minus = s.ctx.graph.constant_like(-1.0, x);
        return s.op(&ops::SUB, Attr::None, &[minus, x], span);
    }
    s.op(&ops::NEG, Attr::None, &[x], span)
}

/// The index of the first extreme along an axis.
fn place(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one(name, a, span)?;
    let x = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(x).clone();
    let axis = s.axis_or(name, a, ty.rank(), None, span)?;
    if ty.shape[axis] == 0 {
        return s.fail("E0313", format!("`{name}` of nothing: `{ty}`"), span);
    }
    let x = turned(s, x, name == "argmin", span)?;
    Ok(Val::Tensor(s.op(
        &ops::ARGMAX,
        Attr::Axis(axis),
        &[x],
        span,
    )?))
}

/// What the elements along an axis give together so far.
fn so_far(s: &mut Session, name: &str, def: &'static OpDef, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one(name, a, span)?;
    let x = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(x).clone();
    let axis = s.axis_or(name, a, ty.rank(), None, span)?;
    if ty.dtype == DType::Bool {
        let hint = "convert the truth values: `int(b)`";
        return s.fail_hint("E0302", format!("`{name}` of a `{ty}`"), span, hint);
    }
    Ok(Val::Tensor(s.op(def, Attr::Axis(axis), &[x], span)?))
}
