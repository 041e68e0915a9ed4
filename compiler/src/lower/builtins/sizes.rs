//! Sizes, known at compile time.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::Type;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("shape", |s, a, at| size(s, "shape", a, at)),
    ("rank", |s, a, at| size(s, "rank", a, at)),
    ("size", |s, a, at| size(s, "size", a, at)),
    ("len", |s, a, at| size(s, "len", a, at)),
    ("windows", windows),
    ("within", within),
];

/// Sizes of a tensor, or of a list, tuple or record; `size(x, axis: 0)` is the number of elements along axes.
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
        let n = type_of(s, &f.1.clone(), span)?.shape.first().copied();
        return Ok(Val::Int(n.unwrap_or(1) as i64));
    }
    let ty = type_of(s, &v, span)?;
    Ok(match name {
        "shape" => Val::list(ty.shape.iter().map(|&n| Val::Int(n as i64)).collect()),
        "rank" => Val::Int(ty.rank() as i64),
        "size" => {
            let axes = a.take("axis");
            let axes = s.axes(axes, ty.rank(), span)?;
            Val::Int(axes.iter().map(|&i| ty.shape[i]).product::<usize>() as i64)
        }
        _ => match ty.shape.first() {
            Some(&n) => Val::Int(n as i64),
            None => return Err(Box::new(s.err("E0313", "`len` of a scalar", span))),
        },
    })
}

/// The type of a tensor; of what is on disk, too.
fn type_of(s: &mut Session, v: &Val, span: Span) -> R<Type> {
    if let Some(id) = s.on_disk(v) {
        return Ok(s.slots[id.0 as usize].ty.clone());
    }
    let t = s.force(v, span)?;
    Ok(s.ctx.graph.ty(t).clone())
}

/// `windows(n, size: k, stride: s, dilation: d)`: how many windows of `k` elements, `d` apart, fit in `n`, each `s` further.
fn windows(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let n = s.one("windows", a, span)?;
    let n = s.known_int("an extent", &n, span)?;
    let mut part = |name: &str| -> R<i64> {
        let v = a.take(name).unwrap_or(Val::Int(1));
        match s.known_int(&format!("`{name}`"), &v, span)? {
            i if i >= 1 => Ok(i),
            i => s.fail("E0313", format!("a {name} of {i} is not positive"), span),
        }
    };
    let (size, stride, dilation) = (part("size")?, part("stride")?, part("dilation")?);
    let reach = (size - 1).saturating_mul(dilation).saturating_add(1);
    if reach > n {
        let title = format!("a window of {reach} does not fit an axis of {n}");
        let hint = "use a smaller window, or a larger `padding`";
        return s.fail_hint("E0313", title, span, hint);
    }
    Ok(Val::Int((n - reach) / stride + 1))
}

/// `within(x, low, high)`: the number itself; one known at compile time that lies outside is a mistake.
fn within(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let [x, low, high] = a.positional.as_slice() else {
        return s.fail("E0201", "`within` takes a number and two bounds", span);
    };
    let number = |v: &Val| match v {
        Val::Int(i) => Some(*i as f64),
        Val::Real(x) => Some(*x),
        _ => None,
    };
    if let (Some(v), Some(l), Some(h)) = (number(x), number(low), number(high))
        && !(l <= v && v <= h)
    {
        let title = format!("{v} does not lie between {l} and {h}");
        return s.fail_hint("E0304", title, span, "give an argument within these bounds");
    }
    Ok(x.clone())
}
