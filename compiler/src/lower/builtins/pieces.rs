//! Pieces of tensors: joining, splitting, repeating, padding, reversing; lists.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::{Attr, Literal, Type, Value};
use crate::ops;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("concat", concat),
    ("stack", stack),
    ("halves", halves),
    ("unflatten", unflatten),
    ("split", split),
    ("chunks", chunks),
    ("flip", flip),
    ("roll", roll),
    ("repeat", |s, a, at| repeat(s, "repeat", a, at)),
    ("tile", |s, a, at| repeat(s, "tile", a, at)),
    ("pad", pad),
    ("list", list),
    ("append", append),
    ("pair", pair),
];

/// A list or a range with more items than this is not made at compile time.
const MAX_LIST: i64 = 4096;

/// One list, or the arguments themselves.
fn items(a: &Args) -> Vec<Val> {
    match a.positional.as_slice() {
        [Val::List(items) | Val::Tuple(items)] => items.to_vec(),
        more => more.to_vec(),
    }
}

/// One after the other along an axis.
fn concat(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let mut parts = Vec::new();
    for v in &items(a) {
        parts.push(s.force(v, span)?);
    }
    let Some(&first) = parts.first() else {
        return s.fail("E0201", "`concat` of nothing", span);
    };
    let rank = s.ctx.graph.ty(first).rank();
    if rank == 0 {
        let hint = "numbers are put together by `[x, y]`";
        return s.fail_hint("E0313", "`concat` of single numbers", span, hint);
    }
    let axis = s.axis_or("concat", a, rank, Some(0), span)?;
    Ok(Val::Tensor(s.op(
        &ops::CONCAT,
        Attr::Axis(axis),
        &parts,
        span,
    )?))
}

/// On a new axis, by default the first; the fields of a record on a new last one.
fn stack(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let axis = a.take("axis");
    let (parts, default) = match a.positional.as_slice() {
        [Val::Record(fields)] => {
            let fields = fields.clone();
            let mut parts = Vec::new();
            for (_, v) in fields.iter() {
                let t = s.force(v, span)?;
                parts.push(Val::Tensor(s.cast(t, s.real)));
            }
            (parts, -1)
        }
        [Val::List(parts) | Val::Tuple(parts)] => (parts.to_vec(), 0),
        [other] => {
            let title = format!("`stack` takes a record or a list, not {}", other.kind());
            return s.fail("E0200", title, span);
        }
        more => (more.to_vec(), 0),
    };
    let Some(first) = parts.first() else {
        return s.fail("E0201", "`stack` of nothing", span);
    };
    let first = s.force(first, span)?;
    let rank = s.ctx.graph.ty(first).rank();
    let axis = s.axis(&axis.unwrap_or(Val::Int(default)), rank + 1, span)?;
    Ok(Val::Tensor(s.stack_values(&parts, axis, span)?))
}

/// The two halves of the last axis.
fn halves(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("halves", a, span)?;
    let t = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let Some(&n) = ty.shape.last() else {
        return s.fail("E0313", "`halves` of a scalar", span);
    };
    if n % 2 != 0 {
        let title = format!("`halves` needs an even last axis, and `{ty}` has {n}");
        return s.fail("E0313", title, span);
    }
    let axis = ty.rank() - 1;
    let x = s.slice_axis(t, axis, 0, n / 2, 1, span)?;
    let y = s.slice_axis(t, axis, n / 2, n, 1, span)?;
    Ok(Val::tuple(vec![Val::Tensor(x), Val::Tensor(y)]))
}

/// `split(table, at: n)`: the first `n` rows and the rest; `at: [p, q]` gives the parts between the places.
fn split(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("split", a, span)?;
    let usage = "write `split(t, at: 9000)`, or `chunks(t, 10)` for equal parts";
    let places = match a.take("at") {
        Some(Val::List(items) | Val::Tuple(items)) => items.to_vec(),
        Some(one) => vec![one],
        None => {
            let title = "`split` needs `at:`, a number of rows";
            return s.fail_hint("E0201", title, span, usage);
        }
    };
    let mut cuts = vec![0];
    for p in &places {
        cuts.push(s.known_int("a place to split at", p, span)?);
    }
    let axis = a.take("axis").unwrap_or(Val::Int(0));
    if cuts.windows(2).any(|w| w[0] > w[1]) {
        return s.fail("E0313", "the places to split at do not ascend", span);
    }
    let v = s.force_in_memory(&v, span)?;
    let mut parts = Vec::new();
    for (i, &from) in cuts.iter().enumerate() {
        let to = cuts.get(i + 1).copied();
        parts.push(stretch(s, &v, &axis, (from, to), span)?);
    }
    Ok(Val::tuple(parts))
}

/// What lies between two places along an axis, of each leaf. Of what is on disk it is rows of the same file.
fn stretch(s: &mut Session, v: &Val, axis: &Val, at: (i64, Option<i64>), span: Span) -> R<Val> {
    let items = |s: &mut Session, items: &[Val]| -> R<Vec<Val>> {
        let each = items.iter();
        each.map(|v| stretch(s, v, axis, at, span)).collect()
    };
    let on_disk = s.on_disk(v);
    let ty = match (v, on_disk) {
        (Val::Tuple(all), _) => return Ok(Val::tuple(items(s, all)?)),
        (Val::List(all), _) => return Ok(Val::list(items(s, all)?)),
        (Val::Record(fields), _) => {
            let mut out = Vec::new();
            for (name, v) in fields.iter() {
                out.push((name.clone(), stretch(s, v, axis, at, span)?));
            }
            return Ok(Val::record(out));
        }
        (_, Some(id)) => s.slots[id.0 as usize].ty.clone(),
        (Val::Tensor(t), _) => s.ctx.graph.ty(*t).clone(),
        _ => return Ok(v.clone()),
    };
    let axis = match ty.rank() {
        0 => None,
        rank => Some(s.axis(axis, rank, span)?),
    };
    let n = axis.map_or(-1, |a| ty.shape[a] as i64);
    let (from, to) = (at.0, at.1.unwrap_or(n));
    if let Some(at) = [from, to].iter().find(|&&c| c < 0 || c > n) {
        let title = format!("a `{ty}` cannot be split at row {at}");
        return s.fail("E0313", title, span);
    }
    let (from, to) = (from as usize, to as usize);
    match (v, on_disk, axis) {
        (_, Some(id), Some(0)) => Ok(s.rows_on_disk(id, from, to)),
        (Val::Tensor(t), None, Some(axis)) => {
            let part = s.slice_axis(*t, axis, from, to, 1, span)?;
            Ok(Val::Tensor(part))
        }
        _ => {
            s.force(v, span)?;
            Ok(v.clone())
        }
    }
}

/// `chunks(x, n)`: a list of `n` equal parts along an axis, by default the first.
fn chunks(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, n) = s.two("chunks", a, span)?;
    let n = s.known_int("the number of parts", &n, span)?;
    let t = s.force(&x, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let axis = s.axis_or("chunks", a, ty.rank(), Some(0), span)?;
    let extent = ty.shape[axis] as i64;
    if !(1..=MAX_LIST).contains(&n) || extent % n != 0 {
        let title = format!("{extent} elements in {n} equal parts");
        let hint = "unequal parts are `split(x, at: [..])`";
        return s.fail_hint("E0313", title, span, hint);
    }
    let size = (extent / n) as usize;
    let mut out = Vec::new();
    for i in 0..n as usize {
        let part = s.slice_axis(t, axis, i * size, (i + 1) * size, 1, span)?;
        out.push(Val::Tensor(part));
    }
    Ok(Val::list(out))
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

/// Axes reversed, by default the first.
fn flip(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("flip", a, span)?;
    let t = s.force(&v, span)?;
    let rank = s.ctx.graph.ty(t).rank();
    let axes = a.take("axis").unwrap_or(Val::Int(0));
    let axes = s.axes(Some(axes), rank, span)?;
    Ok(Val::Tensor(s.op(
        &ops::FLIP,
        Attr::Axes(axes),
        &[t],
        span,
    )?))
}

/// `roll(x, k)`: moved up by `k` along an axis, by default the first; what leaves at the end comes in at the start.
fn roll(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, by) = s.two("roll", a, span)?;
    let by = match by {
        Val::Int(i) => i,
        other => {
            let title = format!(
                "the shift is an integer known at compile time, not {}",
                other.kind()
            );
            let hint = "a computed shift is `take(x, mod(iota(n) - k, n))`";
            return s.fail_hint("E0207", title, span, hint);
        }
    };
    let t = s.force(&x, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let axis = s.axis_or("roll", a, ty.rank(), Some(0), span)?;
    let n = ty.shape[axis];
    if n == 0 {
        return Ok(Val::Tensor(t));
    }
    let k = by.rem_euclid(n as i64) as usize;
    if k == 0 {
        return Ok(Val::Tensor(t));
    }
    let end = s.slice_axis(t, axis, n - k, n, 1, span)?;
    let start = s.slice_axis(t, axis, 0, n - k, 1, span)?;
    Ok(Val::Tensor(s.op(
        &ops::CONCAT,
        Attr::Axis(axis),
        &[end, start],
        span,
    )?))
}

/// `repeat(x, n)`: each part `n` times in a row along an axis, by default the first; `tile(x, n)`: the whole `n` times.
fn repeat(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let (x, n) = s.two(name, a, span)?;
    let n = s.dims(&[n], span)?[0];
    let t = s.force(&x, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let axis = s.axis_or(name, a, ty.rank(), Some(0), span)?;
    let new = if name == "tile" { axis } else { axis + 1 };
    let mut shape = ty.shape.clone();
    shape.insert(new, n);
    let axes = (0..=ty.rank()).filter(|&i| i != new).collect();
    let attr = Attr::Broadcast {
        shape: shape.clone(),
        axes,
    };
    s.sized(ty.dtype, &shape, span)?;
    let r = s.op(&ops::BROADCAST, attr, &[t], span)?;
    shape.remove(new);
    shape[axis] *= n;
    Ok(Val::Tensor(s.op(
        &ops::RESHAPE,
        Attr::Shape(shape),
        &[r],
        span,
    )?))
}

/// How much goes before and behind an axis: one number for both, or a pair.
fn amounts(s: &mut Session, v: &Val, span: Span) -> R<(usize, usize)> {
    let pair = match v {
        Val::Tuple(pair) if pair.len() == 2 => (pair[0].clone(), pair[1].clone()),
        one => (one.clone(), one.clone()),
    };
    let size = |v: &Val| -> R<usize> {
        let i = s.known_int("a padding", v, span)?;
        match usize::try_from(i) {
            Ok(n) if n <= i32::MAX as usize => Ok(n),
            _ => {
                let title = format!("a padding of {i}");
                let hint = "a padding adds elements; to leave some out, slice: `x[1..-1]`";
                s.fail_hint("E0313", title, span, hint)
            }
        }
    };
    Ok((size(&pair.0)?, size(&pair.1)?))
}

/// `pad(x, n)`, `pad(x, (a, b))`: `value`, by default 0, before and behind each axis, or one named by `axis:`;
/// `pad(x, [(a, b), (c, d)])` says so for each.
fn pad(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, by) = s.two("pad", a, span)?;
    let t = s.force(&x, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    let rank = ty.rank();
    let mut sides = vec![(0, 0); rank];
    match (&by, a.take("axis")) {
        (Val::List(each), None) if each.len() == rank => {
            for (side, v) in sides.iter_mut().zip(each.iter()) {
                *side = amounts(s, v, span)?;
            }
        }
        (Val::List(each), None) => {
            let title = format!("paddings of {} axes for a `{ty}`", each.len());
            let hint = "give each axis a number or a pair: `pad(x, [(1, 1), (0, 2)])`";
            return s.fail_hint("E0313", title, span, hint);
        }
        (by, axes) => {
            let one = amounts(s, by, span)?;
            for axis in s.axes(axes, rank, span)? {
                sides[axis] = one;
            }
        }
    }
    let value = a.take("value");
    let low: Vec<usize> = sides.iter().map(|p| p.0).collect();
    let high: Vec<usize> = sides.iter().map(|p| p.1).collect();
    let attr = Attr::Pad {
        low,
        high,
        between: vec![0; rank],
    };
    let padded = s.op(&ops::PAD, attr.clone(), &[t], span)?;
    let plain = match &value {
        None | Some(Val::Int(0) | Val::Bool(false)) => true,
        Some(Val::Real(v)) => v.to_bits() == 0,
        Some(_) => false,
    };
    let (false, Some(value)) = (plain, value) else {
        return Ok(Val::Tensor(padded));
    };
    let inside = s.ctx.graph.fill(
        Literal::Bool(true),
        Type::new(crate::ir::DType::Bool, ty.shape.clone()),
    );
    let inside = s.op(&ops::PAD, attr, &[inside], span)?;
    s.select_leaf(inside, &Val::Tensor(padded), &value, span)
}

/// `list(0..n)`: a list known at compile time, of a range's integers, a tensor's rows or a tuple's items.
fn list(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let too_long = |s: &Session, n: i64| {
        let hint = "a list is gone through at compile time; go over a range with `for i in 0..n`, or use `scan`";
        s.fail_hint("E0304", format!("a list of {n} items"), span, hint)
    };
    match s.one("list", a, span)? {
        Val::Range(a, b) => {
            let n = b.saturating_sub(a);
            if n > MAX_LIST {
                return too_long(s, n);
            }
            Ok(Val::list((a..b).map(Val::Int).collect()))
        }
        Val::List(items) | Val::Tuple(items) => Ok(Val::List(items)),
        other => {
            let t: Value = s.force(&other, span)?;
            let ty = s.ctx.graph.ty(t).clone();
            let Some(&n) = ty.shape.first() else {
                return s.fail("E0313", "`list` of a single number", span);
            };
            if n as i64 > MAX_LIST {
                return too_long(s, n as i64);
            }
            let mut out = Vec::new();
            for i in 0..n {
                out.push(Val::Tensor(s.at(t, 0, &Val::Int(i as i64), span)?.0));
            }
            Ok(Val::list(out))
        }
    }
}

/// `append(xs, x)`: a list with one item more.
fn append(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    match s.two("append", a, span)? {
        (Val::List(items), x) => {
            let mut out = items.to_vec();
            out.push(x);
            Ok(Val::list(out))
        }
        (other, _) => {
            let title = format!("`append` adds to a list, not to {}", other.kind());
            let hint = "tensors are joined by `concat(x, y)`";
            s.fail_hint("E0200", title, span, hint)
        }
    }
}

/// `pair(n)`: a number twice; a pair as it is.
fn pair(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    match s.one("pair", a, span)? {
        Val::Tuple(items) | Val::List(items) if items.len() == 2 => Ok(Val::Tuple(items)),
        n @ (Val::Int(_) | Val::Real(_)) => Ok(Val::tuple(vec![n.clone(), n])),
        other => {
            let title = format!("a number or a pair is wanted, not {}", other.kind());
            s.fail_hint(
                "E0201",
                title,
                span,
                "write `2`, or `(2, 1)` for rows and columns",
            )
        }
    }
}
