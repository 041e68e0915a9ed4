//! What estimators are written with.

use super::super::leaves::{leaves, map_leaves};
use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::Attr;
use crate::ops;
use mlc_grammar::span::Span;
use std::collections::HashSet;

pub const TABLE: &[Entry] = &[
    ("others_mean", others_mean),
    ("free_of", free_of),
    ("is_function", is_function),
];

/// `others_mean(v)`: the mean of v over the other lanes of the `for` around it.
fn others_mean(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("others_mean", a, span)?;
    let Some(plate) = s.plates.last() else {
        return Err(Box::new(
            s.err("E0425", "there are no other lanes here", span)
                .hint("`others_mean` stands inside a `for`"),
        ));
    };
    if plate.lanes < 2 {
        let title = "the mean over other lanes, where there is one lane only";
        return Err(Box::new(
            s.err("E0425", title, span)
                .hint("let the `for` around it have two lanes or more"),
        ));
    }
    let v = s.force_leaves(&v, span)?;
    let mut failed = None;
    let out = map_leaves(
        &v,
        &mut |t| match s.op(&ops::OTHERS, Attr::None, &[t], span) {
            Ok(t) => t,
            Err(r) => {
                failed = Some(r);
                t
            }
        },
    );
    match failed {
        Some(r) => Err(r),
        None => Ok(out),
    }
}

/// `free_of(v, x)`: v, if it does not depend on x but through what other lanes have; otherwise an error.
fn free_of(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let [v, x] = a
        .positional
        .clone()
        .try_into()
        .map_err(|_| Box::new(s.err("E0201", "`free_of` takes a value and a draw", span)))?;
    let v = s.force_leaves(&v, span)?;
    let x = s.force_leaves(&x, span)?;
    let targets: HashSet<_> = leaves(&x).into_iter().collect();
    let mut seen = HashSet::new();
    let mut next = leaves(&v);
    while let Some(t) = next.pop() {
        if targets.contains(&t) {
            let title = "a baseline depends on the draw that it is for";
            return Err(Box::new(s.err("E0426", title, span).hint(
                "take it from other draws (`leave_one_out` within `average`), from a state of the pipeline, or from a net of what was observed",
            )));
        }
        if !seen.insert(t) || s.ctx.graph.is(t, &ops::OTHERS) {
            continue;
        }
        next.extend(s.ctx.graph.operands(t));
    }
    Ok(v)
}

/// `is_function(v)`: can it be called?
fn is_function(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("is_function", a, span)?;
    Ok(Val::Bool(matches!(
        v,
        Val::Fn(_) | Val::Builtin(_) | Val::Partial(_) | Val::Net(_)
    )))
}
