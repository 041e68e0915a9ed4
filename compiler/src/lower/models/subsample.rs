//! Plates whose lanes are a sample of more rows.

use crate::ir::Attr;
use crate::lower::session::{R, Session};
use crate::lower::value::{Env, Val};
use crate::ops;
use mlc_grammar::ast::{self, Expr};
use mlc_grammar::span::Span;

impl Session {
    /// `for x in xs, of: n { .. }`: the lanes are a sample of n, so every log density inside counts for more.
    pub(in crate::lower) fn eval_subsample(
        &mut self,
        f: &'static ast::For,
        of: &'static Expr,
        of_span: Span,
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let Some(h) = self.handlers.iter().rposition(|h| h.open) else {
            let title = "`of:` stands on a plate of a model";
            return Err(Box::new(self.err("E0458", title, of_span).hint(
                "it scales the densities of the sites inside; elsewhere, scale the sum itself",
            )));
        };
        let [(pattern, source)] = f.generators.as_slice() else {
            let title = "`of:` says of what one generator is a sample, and here are several";
            return Err(Box::new(
                self.err("E0458", title, of_span)
                    .hint("write a `for` in a `for`, each with its own `of:`"),
            ));
        };
        let total = self.eval(of, env)?;
        let whole = match &total {
            Val::Int(n) => Some(*n as f64),
            Val::Real(x) => Some(*x),
            _ => None,
        };
        let source_val = self.eval(source, env)?;
        let before = self.site_marks();
        let mut lanes = 0;
        let value = self.over_lanes(&source_val, source.span, span, &mut |s, lane| {
            lanes = s.plates.last().map_or(0, |p| p.lanes);
            let inner = env.child();
            s.bind_pattern(pattern, lane, &inner)?;
            s.eval_block(&f.body, &inner)
        })?;
        if lanes == 0 || whole.is_some_and(|w| w < lanes as f64) {
            let title = format!("{lanes} lanes are no sample of {}", whole.unwrap_or(0.0));
            return Err(Box::new(self.err("E0458", title, of_span).hint(
                "`of:` is the number of all rows, of which these lanes are some",
            )));
        }
        let n = Val::Real(lanes as f64);
        let factor = self.binary(ast::BinaryOp::Div, total, n, span, of_span, span)?;
        let t = self.force(&factor, of_span)?;
        let ty = self.ctx.graph.ty(t).clone();
        if ty.rank() != 0 {
            let title = format!("`of:` is one number, not `{ty}`");
            return Err(Box::new(self.err("E0458", title, of_span)));
        }
        for j in before[h].1..self.handlers[h].log_weights.len() {
            let w = self.handlers[h].log_weights[j];
            let scaled = self.op(&ops::MUL, Attr::None, &[w, t], span)?;
            self.handlers[h].log_weights[j] = scaled;
        }
        Ok(value)
    }
}
