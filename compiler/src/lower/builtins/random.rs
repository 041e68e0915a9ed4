//! Draws.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::Attr;
use crate::ops;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[("rand", rand)];

/// Uniform in the open unit interval.
fn rand(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let shape = s.dims(&a.positional.clone(), span)?;
    s.sized(s.real, &shape, span)?;
    let site = s.draw_key();
    let (seed, step) = (s.ctx.seed(), s.draw_counters());
    let bits = s.op(
        &ops::RANDOM_BITS,
        Attr::Draw { site, shape },
        &[seed, step],
        span,
    )?;
    Ok(Val::Tensor(s.op(
        &ops::BITS_TO_UNIT,
        Attr::DType(s.real),
        &[bits],
        span,
    )?))
}
