//! Limits on what lowering does, so that a small text never costs all the time or memory there is.

use super::session::{R, Session};
use super::value::Val;
use crate::ir::DType;
use mlc_grammar::span::Span;
use std::collections::HashMap;
use std::rc::Rc;

/// Most expressions that are evaluated for one program: functions are applied where they are called, and what is unrolled is
/// evaluated again for each element.
const MAX_WORK: u64 = 2_000_000;

/// Most nodes of a program's graph.
const MAX_NODES: usize = 1_000_000;

/// Most values in one list, tuple or record.
const MAX_VALUES: u64 = 1_000_000;

/// How many values a tree has, shared parts counted as often as they are met but looked at once.
fn elements(v: &Val, known: &mut HashMap<*const (), u64>) -> u64 {
    let at: *const () = match v {
        Val::Tuple(items) | Val::List(items) => Rc::as_ptr(items).cast(),
        Val::Record(fields) => Rc::as_ptr(fields).cast(),
        _ => return 1,
    };
    if let Some(&n) = known.get(&at) {
        return n;
    }
    let n = match v {
        Val::Tuple(items) | Val::List(items) => items
            .iter()
            .fold(0u64, |n, v| n.saturating_add(elements(v, known))),
        Val::Record(fields) => fields
            .iter()
            .fold(0u64, |n, f| n.saturating_add(elements(&f.1, known))),
        _ => 1,
    };
    known.insert(at, n.max(1));
    n.max(1)
}

impl Session {
    /// Counts `n` more expressions or elements; refuses a program that has become too large.
    pub(super) fn spend(&mut self, n: u64, span: Span) -> R<()> {
        self.work += n;
        if self.work <= MAX_WORK && self.ctx.graph.len() <= MAX_NODES {
            return Ok(());
        }
        let what = if self.work > MAX_WORK {
            format!("more than {MAX_WORK} expressions are evaluated to compile this")
        } else {
            format!("the program has more than {MAX_NODES} operations")
        };
        Err(Box::new(
            self.err_at("E0330", what, span, "the limit is reached here")
                .hint("functions that call others twice or more double the work at each level: bind results with `let`")
                .hint("go over many elements with `for` or `scan`, not with lists or `unroll: true`"),
        ))
    }

    /// Refuses a list, tuple or record that shares so many parts with itself that going over it would never end.
    pub(super) fn bounded(&self, v: &Val, span: Span) -> R<()> {
        let composite = |v: &Val| matches!(v, Val::Tuple(_) | Val::List(_) | Val::Record(_));
        let nested = match v {
            Val::Tuple(items) | Val::List(items) => items.iter().any(composite),
            Val::Record(fields) => fields.iter().any(|f| composite(&f.1)),
            _ => false,
        };
        if !nested || elements(v, &mut HashMap::new()) <= MAX_VALUES {
            return Ok(());
        }
        Err(Box::new(
            self.err_at(
                "E0330",
                format!("this holds more than {MAX_VALUES} values"),
                span,
                "one inside another, again and again",
            )
            .hint("keep many numbers in a tensor: `zeros(n)`, `for i in 0..n { .. }`"),
        ))
    }

    /// Refuses an integer known at compile time that is no element of an int tensor.
    pub(super) fn fits(&self, v: &Val, dtype: DType, span: Span) -> R<()> {
        match v {
            Val::Int(i) if dtype == DType::I32 && i32::try_from(*i).is_err() => {
                let title = format!("{i} does not fit in an `int`, which has 32 bits");
                Err(Box::new(self.err("E0304", title, span).hint(
                    "write a real number, or keep it a compile-time integer",
                )))
            }
            _ => Ok(()),
        }
    }
}
