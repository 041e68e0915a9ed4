//! Estimates: what an `expect` gives is a draw that stands for an expected value. What is differentiated is affine in it, or
//! says `plug_in`; elsewhere its derivative would be biased, and nothing would show it.

use super::leaves::map_leaves;
use super::session::{R, Session};
use super::value::Val;
use crate::ir::{Attr, Graph, Node, Value};
use crate::ops::{self, Kernel};
use crate::transform::affine::{Role, affine};
use crate::transform::kinds::{Kind, Terms, kinds};
use mlc_grammar::span::Span;

impl Session {
    /// The value of an `expect`: its real leaves are marked as estimates, unless nothing in them is drawn by nodes younger
    /// than `mark`, the number of those there were before it. `terms` are the log weights that it is a sum of.
    pub(super) fn estimate(&mut self, v: &Val, terms: Terms, mark: usize, span: Span) -> Val {
        self.ctx.fresh += 1;
        let number = Attr::Id(self.ctx.fresh);
        let leaves = super::leaves::leaves(v);
        if !drawn(&self.ctx.graph, mark, &leaves) {
            return v.clone();
        }
        self.ctx.estimated = true;
        if !terms.is_empty() {
            self.ctx.log_terms.insert(self.ctx.fresh, terms);
        }
        let origin = self.placed(span);
        let old = std::mem::replace(&mut self.ctx.graph.origin, origin);
        let marked = map_leaves(v, &mut |t| self.identity(&ops::ESTIMATE, number.clone(), t));
        self.ctx.graph.origin = old;
        marked
    }

    /// `plug_in(e)`: the draw is taken for the value.
    pub(super) fn plugged_in(&mut self, v: &Val, span: Span) -> R<Val> {
        let v = self.force_leaves(v, span)?;
        Ok(map_leaves(&v, &mut |t| {
            self.identity(&ops::PLUG_IN, Attr::None, t)
        }))
    }

    /// `t`, the logarithm of an estimate.
    pub(super) fn log_estimate(&mut self, t: Value, kind: Kind, span: Span) -> Value {
        self.ctx.fresh += 1;
        self.ctx.log_estimated = true;
        let attr = kind.attr(self.ctx.fresh);
        let origin = self.placed(span);
        let old = std::mem::replace(&mut self.ctx.graph.origin, origin);
        let marked = self.identity(&ops::LOG_ESTIMATE, attr, t);
        self.ctx.graph.origin = old;
        marked
    }

    /// Refuses a sum of logarithms of estimates that err to different sides: it is no bound of what it stands for. Otherwise
    /// the terms that all results have in common. `purpose` says what stands at `span`.
    pub(super) fn check_kinds(&self, outputs: &[Value], span: Span, purpose: &str) -> R<Terms> {
        if !self.ctx.log_estimated {
            return Ok(Terms::new());
        }
        let clash = match kinds(&self.ctx.graph, outputs, &self.ctx.log_terms) {
            Ok(mut all) => {
                let first = all.pop().unwrap_or_default();
                let same = all.iter().all(|t| *t == first);
                return Ok(if same { first } else { Terms::new() });
            }
            Err(clash) => clash,
        };
        let label = |kind: Kind| match kind {
            Kind::Density => "its exp is unbiased for a density",
            Kind::Reciprocal => "exp of its negative is unbiased for the reciprocal of a density",
        };
        let (a, b) = (clash.first, clash.second);
        let title = "logarithms of estimated densities err to different sides, so that their sum is no bound";
        let mut r = self.err_at("E0447", title, a.at, label(a.kind));
        if b.at != a.at {
            r = r.label(b.at, label(b.kind));
        }
        if ![a.at, b.at].contains(&clash.at) && !self.of_library(clash.at) {
            r = r.label(clash.at, "added here");
        }
        if ![a.at, b.at, clash.at].contains(&span) {
            r = r.label(span, purpose);
        }
        let hint = match (a.kind, b.kind) {
            (Kind::Density, Kind::Density) => {
                "the density that is subtracted is that of the draw: take `lq` of `let (t, lq) = sample(q)`, and add `logdensity(p, t)`"
            }
            _ => {
                "add the `logdensity` of one model, and subtract what `sample` gives with the draw of the other, as `elbo` does; or take an exact strategy"
            }
        };
        Err(Box::new(r.hint(hint)))
    }

    pub(super) fn identity(&mut self, def: &'static ops::OpDef, attr: Attr, t: Value) -> Value {
        match self.ctx.graph.ty(t).dtype.is_real() {
            true => self.ctx.graph.add(def, attr, &[t]),
            false => t,
        }
    }

    /// Refuses to differentiate what is not affine in the estimates that it is made of. The points at which a derivative is
    /// taken count as known. `purpose` says what stands at `span`.
    pub(super) fn check_affine(
        &self,
        outputs: &[Value],
        points: &[Value],
        span: Span,
        purpose: &str,
    ) -> R<()> {
        if !self.ctx.estimated {
            return Ok(());
        }
        let bent = match affine(&self.ctx.graph, outputs, points, &role) {
            Ok(_) => return Ok(()),
            Err(bent) => bent,
        };
        let (title, label) = match bent.product {
            true => (
                "a product of an estimate with itself would be biased",
                format!("both factors of `{}` have its draws", bent.op),
            ),
            false => (
                "a function of an estimate that is not affine would be biased",
                format!("`{}` is not affine", bent.op),
            ),
        };
        let mut r = self.err_at("E0432", title, bent.at, label);
        r = r.label(bent.source, "the estimate");
        if span != bent.at && span != bent.source {
            r = r.label(span, purpose);
        }
        Err(Box::new(r.hint(
            "move the function inside the `expect`; or write `plug_in(e)`, which takes the draw for the value and is biased",
        )))
    }
}

fn role(node: &Node) -> Role {
    match (&node.attr, node.def.name) {
        (Attr::Id(n), name) if name == ops::ESTIMATE.name => Role::Source(*n),
        (_, name) if name == ops::PLUG_IN.name => Role::Cut,
        _ => Role::Plain,
    }
}

/// Do results depend on random words that nodes from `mark` on draw?
fn drawn(g: &Graph, mark: usize, results: &[Value]) -> bool {
    let mut next = results.to_vec();
    let mut seen = std::collections::HashSet::new();
    while let Some(v) = next.pop() {
        if (v.0 as usize) < mark || !seen.insert(v) {
            continue;
        }
        let node = g.node(v);
        let draws = match &node.attr {
            Attr::Loop(l) => crate::transform::region::draws(&l.body),
            _ => node.def.kernel == Kernel::Draw,
        };
        if draws {
            return true;
        }
        next.extend(g.operands(v));
    }
    false
}
