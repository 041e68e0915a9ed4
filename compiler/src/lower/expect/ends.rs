//! The support of `uniform(a, b)` moves with `a` and `b`. A score is the derivative of the density where the draw is; what comes
//! in at an end that moves, or goes out, it does not see. So where an estimator uses the score, no derivative may reach what
//! moves the support, as far as that is known: by its fields `low` and `high`, or by the points of a finite one.

use crate::ir::{Attr, Graph, Value};
use crate::lower::leaves::{leaves, map_leaves};
use crate::lower::session::Session;
use crate::lower::value::{DistVal, EstimatorVal, Val};
use crate::ops;
use mlc_grammar::ast::ExprKind;
use std::collections::HashSet;
use std::rc::Rc;

impl Session {
    /// The distribution as an estimator is given it: what moves its support passes no derivative, if the estimator uses scores.
    pub(super) fn with_still_ends(&mut self, e: &EstimatorVal, d: Rc<DistVal>) -> Rc<DistVal> {
        if !uses_score(e) {
            return d;
        }
        let moving = self.moves_support(&d);
        if moving.is_empty() {
            return d;
        }
        let mut still = |t: Value| {
            let g = &mut self.ctx.graph;
            match moving.contains(&t) && g.ty(t).dtype.is_real() {
                true => g.add(&ops::MOVES, Attr::None, &[t]),
                false => t,
            }
        };
        let still_args = d.args.iter();
        let args = still_args
            .map(|(n, v)| (n.clone(), map_leaves(v, &mut still)))
            .collect();
        Rc::new(DistVal {
            args,
            ..(*d).clone()
        })
    }

    /// Is the estimator one that uses scores, at a distribution whose support may move with what is differentiated by?
    pub(super) fn may_miss_ends(&mut self, e: &EstimatorVal, d: &Rc<DistVal>) -> bool {
        uses_score(e) && !self.moves_support(d).is_empty()
    }

    /// What the support depends on, of the values in the distribution's arguments.
    fn moves_support(&mut self, d: &Rc<DistVal>) -> HashSet<Value> {
        // Lanes are all alike.
        let one = Rc::new(DistVal {
            plates: vec![],
            ..(**d).clone()
        });
        let span = one.def.def.support.span;
        let mut ends = vec![];
        let on = self.support_of(&one);
        if let Val::Record(_) = on {
            ends.extend(["low", "high"].iter().filter_map(|end| on.field(end)));
        }
        if Self::has_member(&one, "support") {
            let points = self.unseen(span, |s| s.call_member(&one, "support", vec![], span));
            ends.extend(points.ok());
        }
        let args: HashSet<Value> = one.args.iter().flat_map(|(_, v)| leaves(v)).collect();
        let ends: Vec<Value> = ends.iter().flat_map(leaves).collect();
        reached(&self.ctx.graph, &args, ends)
    }
}

/// Those of `from` on which one of `of` depends with a derivative.
fn reached(g: &Graph, from: &HashSet<Value>, of: Vec<Value>) -> HashSet<Value> {
    let Some(first) = from.iter().min() else {
        return HashSet::new();
    };
    let (mut seen, mut found, mut open) = (HashSet::new(), HashSet::new(), of);
    while let Some(v) = open.pop() {
        if v < *first || !seen.insert(v) {
            continue;
        }
        if from.contains(&v) && !is_fixed(g, v) {
            found.insert(v);
        } else if !is_fixed(g, v) {
            open.extend(g.operands(v));
        }
    }
    found
}

/// Does no derivative come from it?
fn is_fixed(g: &Graph, v: Value) -> bool {
    g.is(v, &ops::STOP) || g.is(v, &ops::FILL) || g.is(v, &ops::TABLE) || g.is(v, &ops::IOTA)
}

/// Does the estimator, or one that it is made of, need a score?
fn uses_score(e: &EstimatorVal) -> bool {
    let own = e.def.def.conditions.iter().any(|c| match &c.kind {
        ExprKind::Call(f, _) => matches!(&f.kind, ExprKind::Name(n) if n == "scored"),
        _ => false,
    });
    own || e
        .args
        .iter()
        .any(|(_, v)| matches!(v, Val::Estimator(inner) if uses_score(inner)))
}
