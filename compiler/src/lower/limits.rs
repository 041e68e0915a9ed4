//! Limits on what lowering does, so that a small text never costs all the time or memory there is.

use super::session::{R, Session};
use super::value::Val;
use crate::ir::DType;
use mlc_grammar::span::Span;

/// Most expressions that are evaluated for one program: functions are applied where they are called, and what is unrolled is
/// evaluated again for each element.
const MAX_WORK: u64 = 4_000_000;

/// Most nodes of a program's graph.
const MAX_NODES: usize = 1_000_000;

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
            self.err_at("E0315", what, span, "the limit is reached here")
                .hint("functions that call others twice or more double the work at each level: bind results with `let`")
                .hint("go over many elements with `for` or `scan`, not with lists or `unroll: true`"),
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
