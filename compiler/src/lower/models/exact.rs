//! Is a model's density known, or only estimated? What is right for a bound, whose logarithms of estimates err to one side, is
//! wrong for a score or a curvature.

use super::How;
use crate::lower::builtins::Args;
use crate::lower::session::{R, Session, rc};
use crate::lower::value::{ModelCode, ModelVal, Val};
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// The model whose density is only estimated, among `m` and those in it. `m` is run once for that, and what it computes is
    /// used by nothing.
    fn estimated_in(&mut self, m: &Rc<ModelVal>, span: Span) -> R<Option<Rc<str>>> {
        if let ModelCode::Functions(g) = &m.code {
            return Ok((!g.exact).then(|| g.name.clone()));
        }
        let around = self.estimated_model.take();
        let run = self.unseen(span, |s| {
            let how = How {
                forms: Some(vec![]),
                ..How::default()
            };
            s.run_model(m, None, how, span)
        });
        let found = std::mem::replace(&mut self.estimated_model, around);
        run.map(|_| found)
    }

    fn model_of(&mut self, name: &str, a: &Args, span: Span) -> R<Rc<ModelVal>> {
        match self.one(name, a, span)? {
            Val::Model(m) => Ok(m),
            other => {
                let title = format!("`{name}` takes a model, not {}", other.kind());
                Err(Box::new(self.err("E0404", title, span)))
            }
        }
    }

    /// `exact_density(m)`
    pub(in crate::lower) fn exact_density(&mut self, a: &mut Args, span: Span) -> R<Val> {
        let m = self.model_of("exact_density", a, span)?;
        Ok(Val::Bool(self.estimated_in(&m, span)?.is_none()))
    }

    /// `needs_exact(m, hint: "what to do")`: a mistake in the call of the function around, unless the density of `m` is exact.
    pub(in crate::lower) fn needs_exact(&mut self, a: &mut Args, span: Span) -> R<Val> {
        let m = self.model_of("needs_exact", a, span)?;
        let hint = match a.take("hint") {
            None => rc("give it a model with an exact density"),
            Some(Val::Str(s)) => s,
            Some(other) => {
                let title = format!("`hint` is a string, not {}", other.kind());
                return self.fail("E0201", title, span);
            }
        };
        let Some(estimated) = self.estimated_in(&m, span)? else {
            return Ok(Val::Unit);
        };
        let asks = self.frame().name.clone();
        let title = format!(
            "`{asks}` needs an exact density, and that of `{estimated}(..)` is only estimated"
        );
        Err(Box::new(
            self.err("E0446", title, self.call_into(span))
                .hint(hint.to_string()),
        ))
    }
}
