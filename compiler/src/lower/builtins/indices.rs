//! Elements at indices. An index computed at run time that lies outside means the nearest inside; one known at compile time
//! is a mistake.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::{Attr, DType, Value};
use crate::ops;
use mlc_grammar::ast::BinaryOp;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("take", |s, a, at| take(s, "take", a, at)),
    ("gather", |s, a, at| take(s, "gather", a, at)),
    ("take_along", take_along),
    ("scatter_add", scatter_add),
];

/// Parts of a tensor, or of each leaf of a record, at indices along an axis, by default the first.
fn take(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let (x, i) = s.two(name, a, span)?;
    if let Val::Record(fields) = &x {
        let axis = a.take("axis");
        let mut out = Vec::new();
        for (n, v) in fields.iter() {
            let mut one = Args {
                positional: vec![v.clone(), i.clone()],
                named: axis.iter().map(|v| ("axis".into(), v.clone())).collect(),
            };
            out.push((n.clone(), take(s, name, &mut one, span)?));
        }
        return Ok(Val::record(out));
    }
    let t = s.force(&x, span)?;
    let rank = s.ctx.graph.ty(t).rank();
    let axis = s.axis_or(name, a, rank, Some(0), span)?;
    Ok(Val::Tensor(s.at(t, axis, &i, span)?.0))
}

/// Elements at indices along an axis, by default the last, that differ from line to line.
fn take_along(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, i) = s.two("take_along", a, span)?;
    let (x, i) = (s.force(&x, span)?, s.force(&i, span)?);
    let (tx, ti) = (s.ctx.graph.ty(x).clone(), s.ctx.graph.ty(i).clone());
    let axis = s.axis_or("take_along", a, tx.rank(), Some(-1), span)?;
    let fits = ti.dtype == DType::I32
        && ti.rank() == tx.rank()
        && (0..tx.rank()).all(|a| a == axis || tx.shape[a] == ti.shape[a]);
    if !fits {
        let title = format!("`take_along` from a `{tx}` at a `{ti}` along axis {axis}");
        let hint =
            "the indices are integers of the same shape, but for their number along the axis";
        return s.fail_hint("E0313", title, span, hint);
    }
    if tx.shape[axis] == 0 && !ti.is_empty() {
        return s.fail(
            "E0313",
            format!("a `{tx}` has nothing to take along axis {axis}"),
            span,
        );
    }
    Ok(Val::Tensor(ops::take_along(&mut s.ctx.graph, x, i, axis)))
}

/// A tensor with values added at indices along an axis, by default the first. What meets at one index adds up.
fn scatter_add(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let x = s.one("scatter_add", a, span)?;
    let (Some(at), Some(values)) = (a.take("at"), a.take("values")) else {
        let title = "`scatter_add` needs `at:` and `values:`";
        let hint = "write `scatter_add(x, at: i, values: v)`";
        return s.fail_hint("E0201", title, span, hint);
    };
    let x = s.force(&x, span)?;
    let tx = s.ctx.graph.ty(x).clone();
    let axis = s.axis_or("scatter_add", a, tx.rank(), Some(0), span)?;
    let mut i = s.places(&at, tx.shape[axis], span)?;
    let ti = s.ctx.graph.ty(i).clone();
    let want = shape_of_values(&tx.shape, axis, &ti.shape);
    let mut v = match &values {
        Val::Int(_) => s.literal(&values, tx.dtype, &want),
        Val::Real(_) if tx.dtype.is_real() => s.literal(&values, tx.dtype, &want),
        v => s.force(v, span)?,
    };
    if s.ctx.graph.ty(v).rank() == 0 && s.ctx.graph.ty(v).dtype == tx.dtype {
        v = s.splat(v, &want);
    }
    let tv = s.ctx.graph.ty(v).clone();
    if tv.dtype != tx.dtype || tv.shape != want {
        let want = crate::ir::Type::new(tx.dtype, want);
        let title = format!("the values at `{ti}` in a `{tx}` are a `{want}`, not a `{tv}`");
        return s.fail("E0313", title, span);
    }
    // Indices in one row.
    if ti.rank() > 1 {
        i = s.op(&ops::RESHAPE, Attr::Shape(vec![ti.len()]), &[i], span)?;
        let flat = shape_of_values(&tx.shape, axis, &[ti.len()]);
        v = s.op(&ops::RESHAPE, Attr::Shape(flat), &[v], span)?;
    }
    let extent = tx.shape[axis];
    let sums: Value = s.op(
        &ops::SCATTER_ADD,
        Attr::Scatter { axis, extent },
        &[v, i],
        span,
    )?;
    s.binary(
        BinaryOp::Add,
        Val::Tensor(x),
        Val::Tensor(sums),
        span,
        span,
        span,
    )
}

/// The shape of what stands at indices of shape `at` along an axis.
fn shape_of_values(shape: &[usize], axis: usize, at: &[usize]) -> Vec<usize> {
    let mut out = shape[..axis].to_vec();
    out.extend(at);
    out.extend(&shape[axis + 1..]);
    out
}
