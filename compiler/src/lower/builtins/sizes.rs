//! Sizes, known at compile time.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("shape", |s, a, at| size(s, "shape", a, at)),
    ("rank", |s, a, at| size(s, "rank", a, at)),
    ("size", |s, a, at| size(s, "size", a, at)),
    ("len", |s, a, at| size(s, "len", a, at)),
];

/// Sizes of a tensor, or of a list, tuple or record.
fn size(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one(name, a, span)?;
    if let (Val::Nets(_, n), "len") = (&v, name) {
        return Ok(Val::Int(*n as i64));
    }
    if let (Val::List(items) | Val::Tuple(items), "len") = (&v, name) {
        return Ok(Val::Int(items.len() as i64));
    }
    if let (Val::Record(fields), "len") = (&v, name)
        && let Some(f) = fields.first()
    {
        let t = s.force(&f.1.clone(), span)?;
        let n = s.ctx.graph.ty(t).shape.first().copied().unwrap_or(1);
        return Ok(Val::Int(n as i64));
    }
    let t = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    Ok(match name {
        "shape" => Val::list(ty.shape.iter().map(|&n| Val::Int(n as i64)).collect()),
        "rank" => Val::Int(ty.rank() as i64),
        "size" => Val::Int(ty.len() as i64),
        _ => match ty.shape.first() {
            Some(&n) => Val::Int(n as i64),
            None => return Err(Box::new(s.err("E0313", "`len` of a scalar", span))),
        },
    })
}
