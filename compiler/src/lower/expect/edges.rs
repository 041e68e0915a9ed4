//! Supports that move with a parameter. The score of a density is that of the places where it is; what enters or leaves the
//! support as its edge moves it does not see, so that a gradient made of scores would be biased.

use crate::ir::{Attr, Value};
use crate::lower::leaves::{leaves, map_leaves};
use crate::lower::session::Session;
use crate::lower::value::{DistVal, EstimatorVal, Val};
use crate::ops;
use crate::transform::affine::above;
use mlc_grammar::ast::ExprKind;
use mlc_grammar::span::Span;
use std::collections::HashSet;
use std::rc::Rc;

impl Session {
    /// The distribution as an estimator sees it that uses scores: no derivative passes the edges of its support.
    pub(super) fn with_edges(
        &mut self,
        e: &EstimatorVal,
        d: &Rc<DistVal>,
        span: Span,
    ) -> Rc<DistVal> {
        if !uses_scores(e) {
            return d.clone();
        }
        let support = self.support_of(d);
        let ends = ["low", "high"].map(|end| support.field(end));
        let ends: Vec<Value> = ends.iter().flatten().flat_map(leaves).collect();
        if ends.is_empty() {
            return d.clone();
        }
        let edges: HashSet<Value> = above(&self.ctx.graph, &ends, &HashSet::new())
            .into_iter()
            .collect();
        let old = std::mem::replace(&mut self.ctx.graph.span, span);
        let args = d
            .args
            .iter()
            .map(|(n, v)| {
                let v = map_leaves(v, &mut |t| match edges.contains(&t) {
                    true => self.identity(&ops::EDGE, Attr::None, t),
                    false => t,
                });
                (n.clone(), v)
            })
            .collect();
        self.ctx.graph.span = old;
        Rc::new(DistVal {
            args,
            ..(**d).clone()
        })
    }
}

/// Is the estimator, or one that it is made of, for distributions with a density?
fn uses_scores(e: &EstimatorVal) -> bool {
    let own = e.def.def.conditions.iter().any(|c| match &c.kind {
        ExprKind::Call(f, _) => matches!(&f.kind, ExprKind::Name(n) if n == "scored"),
        _ => false,
    });
    own || e.args.iter().any(|(_, v)| match v {
        Val::Estimator(inner) => uses_scores(inner),
        _ => false,
    })
}
