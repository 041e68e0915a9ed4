//! What concerns values as such: derivatives blocked, models run, leaves mapped, numbers compared.

use super::super::leaves::{leaves, map_leaves};
use super::super::models;
use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::Attr;
use crate::ops;
use mlc_grammar::ast::BinaryOp;
use mlc_grammar::span::Span;
use std::rc::Rc;

pub const TABLE: &[Entry] = &[
    ("stop", |s, a, at| flow(s, "stop", a, at)),
    ("tangent", |s, a, at| flow(s, "tangent", a, at)),
    ("assume_smooth", |s, a, at| flow(s, "assume_smooth", a, at)),
    ("sample", sample),
    ("logdensity", logdensity),
    ("generative", |s, a, at| s.new_generative(a, at)),
    ("sites", sites),
    ("exchange", |s, a, at| s.exchange(a, at)),
    ("lift", |s, a, at| s.lift(a, at)),
    ("only", models::only),
    ("without", models::drop_fields),
    ("merge", models::merge),
    ("place", models::place),
    ("at", models::look),
    ("exact_density", |s, a, at| s.exact_density(a, at)),
    ("needs_exact", |s, a, at| s.needs_exact(a, at)),
    ("refuse", |s, a, at| s.refuse(a, at)),
    ("plug_in", plug_in),
    ("map", map),
    ("close", close),
    ("grid", grid),
    ("constant_schedule", constant_schedule),
];

/// The same value with another derivative.
fn flow(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one(name, a, span)?;
    if let (Val::Net(n), "stop") = (&v, name) {
        let mut n = (**n).clone();
        n.stopped = true;
        return Ok(Val::Net(Rc::new(n)));
    }
    if let (Val::Nets(n, count), "stop") = (&v, name) {
        let mut n = (**n).clone();
        n.stopped = true;
        return Ok(Val::Nets(Rc::new(n), *count));
    }
    if let (Val::Model(m), "stop") = (&v, name)
        && let Some(made) = m.made.clone()
    {
        return s.stopped_model(m, &made, span);
    }
    let v = s.force_leaves(&v, span)?;
    let def = match name {
        "stop" => &ops::STOP,
        "tangent" => &ops::TANGENT,
        _ => &ops::SMOOTH,
    };
    Ok(map_leaves(&v, &mut |t| {
        if s.ctx.graph.ty(t).dtype.is_real() {
            s.ctx.graph.add(def, Attr::None, &[t])
        } else {
            t
        }
    }))
}

/// A trace of a model and its log density.
fn sample(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("sample", a, span)?;
    let strategy = a.take("strategy");
    s.sample_model(&v, strategy, span)
}

/// The log density of a trace.
fn logdensity(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (m, t) = s.two("logdensity", a, span)?;
    let sums = match a.take("sum") {
        Some(v) => s.addresses(&v, span)?,
        None => vec![],
    };
    let analytic = match a.take("analytic") {
        None => false,
        Some(Val::Bool(b)) => b,
        Some(other) => {
            let title = format!("`analytic` is `true` or `false`, not {}", other.kind());
            return s.fail("E0302", title, span);
        }
    };
    s.score_model(&m, &t, sums, analytic, span)
}

/// The open sites of a model.
fn sites(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let m = s.one("sites", a, span)?;
    let mut list = |name: &str| a.take(name).map(|v| s.addresses(&v, span)).transpose();
    let (only, without) = (list("only")?, list("without")?);
    s.sites_of(&m, only, without, span)
}

/// The estimate itself.
fn plug_in(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("plug_in", a, span)?;
    s.plugged_in(&v, span)
}

/// A function of each leaf, or of the leaves of several values of one form.
fn map(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let Some((f, values)) = a.positional.split_first().filter(|p| !p.1.is_empty()) else {
        return s.fail("E0201", "`map` takes a function and values", span);
    };
    let (f, values) = (f.clone(), values.to_vec());
    let first = s.force_leaves(&values[0], span)?;
    let mut columns = vec![leaves(&first)];
    for v in &values[1..] {
        let v = s.force_leaves(v, span)?;
        s.zip_leaves(&first, &v, &mut |s, x, y| match (x, y) {
            (Val::Tensor(_), Val::Tensor(_)) => Ok(Val::Unit),
            (x, y) => {
                let title = format!(
                    "`map` goes over values of one form, and meets {} and {}",
                    x.kind(),
                    y.kind()
                );
                Err(Box::new(s.err("E0313", title, span)))
            }
        })?;
        columns.push(leaves(&v));
    }
    let mut out = Vec::new();
    for i in 0..columns[0].len() {
        let args = columns.iter().map(|c| (None, Val::Tensor(c[i]))).collect();
        let r = s.apply(&f, args, span)?;
        out.push(s.force(&r, span)?);
    }
    let mut next = out.into_iter();
    Ok(map_leaves(&first, &mut |t| next.next().unwrap_or(t)))
}

/// Are all elements within a tolerance?
fn close(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, y, tol) = match a.positional.as_slice() {
        [x, y, t] => (x.clone(), y.clone(), t.clone()),
        [x, y] => (
            x.clone(),
            y.clone(),
            a.take("tol").unwrap_or(Val::Real(1e-6)),
        ),
        _ => {
            return Err(Box::new(s.err(
                "E0201",
                "`close` takes two values and a tolerance",
                span,
            )));
        }
    };
    let d = s.binary(BinaryOp::Sub, x, y, span, span, span)?;
    let t = s.force(&d, span)?;
    let t = s.cast(t, s.real);
    let t = s.op(&ops::ABS, Attr::None, &[t], span)?;
    let v = s.binary(BinaryOp::Le, Val::Tensor(t), tol, span, span, span)?;
    let v = s.force(&v, span)?;
    let axes = (0..s.ctx.graph.ty(v).rank()).collect();
    Ok(Val::Tensor(s.op(
        &ops::ALL,
        Attr::Axes(axes),
        &[v],
        span,
    )?))
}

/// Pictures in a grid.
fn grid(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("grid", a, span)?;
    let columns = match a.take("columns") {
        Some(Val::Int(n)) if n > 0 => n as usize,
        None => 8,
        Some(_) => {
            return Err(Box::new(s.err(
                "E0201",
                "`columns` is a positive number",
                span,
            )));
        }
    };
    let t = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    if !matches!(ty.rank(), 2 | 3) {
        let title = format!("a grid is of pictures `real[n, h, w]`, not `{ty}`");
        return Err(Box::new(s.err("E0313", title, span)));
    }
    Ok(Val::Grid(Rc::new((Val::Tensor(t), columns))))
}

/// A number as a schedule.
fn constant_schedule(_: &mut Session, a: &mut Args, _: Span) -> R<Val> {
    Ok(a.take("value").unwrap_or(Val::Real(0.0)))
}
