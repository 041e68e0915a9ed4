//! Order: indices that sort, from which the library makes `sort`, `top_k` and `ranks`.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use super::reductions::turned;
use crate::ir::Attr;
use crate::ops;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[("argsort", argsort)];

/// Indices that sort along an axis, by default the last; equal elements keep their order, NaN comes last.
fn argsort(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("argsort", a, span)?;
    let x = s.force(&v, span)?;
    let rank = s.ctx.graph.ty(x).rank();
    let axis = s.axis_or("argsort", a, rank, Some(-1), span)?;
    let down = a.take("descending");
    let down = s.known_bool("descending", down, span)?;
    let x = turned(s, x, down, span)?;
    Ok(Val::Tensor(s.op(
        &ops::ARGSORT,
        Attr::Axis(axis),
        &[x],
        span,
    )?))
}
