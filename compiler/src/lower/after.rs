//! What stages leave to those after them: of each name one version.

use super::session::{R, Session};
use crate::program::{Program, Sink, SlotId, StageProgram};
use mlc_grammar::ast::{Expr, ExprKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The slots that a stage gives new values.
pub(super) fn written(program: &StageProgram) -> BTreeSet<SlotId> {
    let of = |p: &Program| {
        let slots = p.sinks.iter().filter_map(|s| match s {
            Sink::Slot(id) => Some(*id),
            _ => None,
        });
        slots.collect::<Vec<_>>()
    };
    match program {
        StageProgram::Train(plan) => {
            let more = [&plan.start, &plan.remainder].into_iter().flatten();
            let every = plan.every.iter().map(|e| &e.program);
            let all = more.chain(every).chain([&plan.step]);
            all.flat_map(of).collect()
        }
        StageProgram::Compute(p) => of(p).into_iter().collect(),
        StageProgram::Report(_) => BTreeSet::new(),
    }
}

impl Session {
    /// Which stage gave each slot the value that a stage leaves.
    fn left_by(&self, stage: usize) -> BTreeMap<SlotId, usize> {
        let mut left = BTreeMap::new();
        for &before in &self.stages[stage].after {
            left.extend(self.left_by(before));
        }
        let own = self.stage_writes.get(&stage);
        left.extend(own.into_iter().flatten().map(|&id| (id, stage)));
        left
    }

    /// A stage starts from one version of each name, so no two before it may have changed the same.
    pub(super) fn one_version(&self, stage: usize) -> R<()> {
        let after = &self.stages[stage].after;
        if after.len() < 2 {
            return Ok(());
        }
        let mut found: BTreeMap<SlotId, (usize, usize)> = BTreeMap::new();
        for &before in after {
            for (id, by) in self.left_by(before) {
                match found.get(&id) {
                    Some(&(other, first)) if first != by => {
                        return Err(Box::new(self.left_twice(stage, id, [other, before])));
                    }
                    Some(_) => {}
                    None => {
                        found.insert(id, (before, by));
                    }
                }
            }
        }
        Ok(())
    }

    /// The report on two stages before one that leave different values of one name.
    pub fn left_twice(&self, stage: usize, id: SlotId, before: [usize; 2]) -> Report {
        let slot = &self.slots[id.0 as usize].name;
        let name = |s: usize| &self.stages[s].name;
        let [a, b] = before;
        let title = format!(
            "`{}` cannot start from what both `{}` and `{}` left: they leave different values of `{slot}`",
            name(stage),
            name(a),
            name(b)
        );
        let mut r = Report::new("E0654", title);
        let leaves = |s: usize| format!("`{}` leaves its own `{slot}`", name(s));
        let spans = self.after_spans(stage);
        for s in before {
            let at = self.stages[stage].after.iter().position(|&x| x == s);
            if let Some(span) = at.and_then(|i| spans.get(i)) {
                r = r.label(*span, leaves(s));
            }
        }
        r.hint("let one of them be `after` the other; the values that a stage left are also read by name: `a.w`")
    }

    /// Where the stages in an `after` are named: first those without arguments.
    fn after_spans(&self, stage: usize) -> Vec<Span> {
        let def = self.stage_asts[stage];
        let call = |e: &&Expr| matches!(e.kind, ExprKind::Call(..));
        let (calls, plain): (Vec<_>, Vec<_>) = def.after.iter().partition(call);
        plain.into_iter().chain(calls).map(|e| e.span).collect()
    }
}
