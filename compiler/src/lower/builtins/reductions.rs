//! Sums, products, extremes and places of extremes, over all or over an axis.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::Attr;
use crate::ops;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("sum", |s, a, at| s.reduce("sum", a, at)),
    ("mean", |s, a, at| s.reduce("mean", a, at)),
    ("prod", |s, a, at| s.reduce("prod", a, at)),
    ("any", |s, a, at| s.reduce("any", a, at)),
    ("all", |s, a, at| s.reduce("all", a, at)),
    ("argmax", |s, a, at| along(s, "argmax", a, at)),
    ("cumsum", |s, a, at| along(s, "cumsum", a, at)),
];

/// Along one axis.
fn along(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one(name, a, span)?;
    let x = s.force(&v, span)?;
    let rank = s.ctx.graph.ty(x).rank();
    let axis = match a.take("axis") {
        Some(v) => s.axis(&v, rank, span)?,
        None if rank == 1 => 0,
        None => {
            return Err(Box::new(s.err(
                "E0201",
                format!("`{name}` of a tensor of rank {rank} needs `axis:`"),
                span,
            )));
        }
    };
    let def = if name == "argmax" {
        &ops::ARGMAX
    } else {
        &ops::CUMSUM
    };
    Ok(Val::Tensor(s.op(def, Attr::Axis(axis), &[x], span)?))
}
