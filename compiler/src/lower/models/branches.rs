//! Sites on both sides of an `if` whose condition the run computes.
//!
//! Both sides run. A site has one value, chosen like any other; of the log densities the taken side's counts.

use crate::ir::Value;
use crate::lower::session::{R, Session};
use crate::lower::value::Val;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// How long the trace and the log weights of each handler are.
pub type Marks = Vec<(usize, usize)>;

/// What sites added to a handler: entries of the trace, log weights.
pub type Added = (Vec<(Rc<str>, Val)>, Vec<Value>);

impl Session {
    /// How far the traces are.
    pub(in crate::lower) fn site_marks(&self) -> Marks {
        self.handlers
            .iter()
            .map(|h| (h.trace.len(), h.log_weights.len()))
            .collect()
    }

    /// Takes out what sites added since.
    pub(in crate::lower) fn cut_sites(&mut self, marks: &Marks) -> Vec<Added> {
        self.handlers
            .iter_mut()
            .zip(marks)
            .map(|(h, m)| (h.trace.split_off(m.0), h.log_weights.split_off(m.1)))
            .collect()
    }

    /// What both sides added, each chosen by the condition.
    pub(in crate::lower) fn join_sites(
        &mut self,
        cond: Value,
        yes: Vec<Added>,
        no: Vec<Added>,
        span: Span,
    ) -> R<()> {
        for (i, ((ta, wa), (tb, wb))) in yes.into_iter().zip(no).enumerate() {
            for (x, y, side) in [(&ta, &tb, "if so"), (&tb, &ta, "if not")] {
                if let Some((n, _)) = x.iter().find(|f| !y.iter().any(|g| g.0 == f.0)) {
                    let title = format!("only one side of this `if` has the site `{n}`");
                    return Err(Box::new(
                        self.err_at("E0457", title, span, format!("`{n}` is drawn only {side}"))
                            .hint("what the trace holds is known before the run: give both sides the same sites")
                            .hint("or draw it above the `if`, and use it on one side only"),
                    ));
                }
            }
            for (n, x) in ta {
                let y = tb
                    .iter()
                    .find(|f| f.0 == n)
                    .map_or(Val::Unit, |f| f.1.clone());
                let v = self
                    .zip_leaves(&x, &y, &mut |s, p, q| s.select_leaf(cond, p, q, span))
                    .map_err(|mut r| {
                        r.notes.insert(0, format!("the value of the site `{n}`"));
                        r
                    })?;
                self.handlers[i].trace.push((n, v));
            }
            if wa.is_empty() && wb.is_empty() {
                continue;
            }
            let (x, y) = (self.total(&wa), self.total(&wb));
            let w = self.select_leaf(cond, &x, &y, span)?;
            let w = self.force(&w, span)?;
            self.handlers[i].log_weights.push(w);
        }
        Ok(())
    }
}
