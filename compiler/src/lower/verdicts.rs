//! `verdict e`: whether what a stage leaves may be used, asked once at its end.

use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::{DType, Type};
use crate::program::{Program, Sink, TrainPlan};
use mlc_grammar::ast::Expr;
use mlc_grammar::span::Span;

impl Session {
    /// In a step the verdict waits for the end of the stage; in a `compute` stage it is given where it stands.
    pub(super) fn eval_verdict(&mut self, e: &'static Expr, env: &Env, span: Span) -> R<()> {
        if self.in_step() {
            if let Some(t) = &mut self.train {
                t.verdicts.push(e);
            }
            return Ok(());
        }
        if self.top && self.train.is_none() && self.optimizer.is_none() {
            return self.give_verdict(e, env);
        }
        Err(self.not_at_top("verdict", span))
    }

    /// The outputs of a verdict: a truth value, `good`; and the other parts of the check, which are logged.
    fn give_verdict(&mut self, e: &'static Expr, env: &Env) -> R<()> {
        let v = self.eval(e, env)?;
        let (holds, parts) = match &v {
            Val::Record(fields) => match v.field("holds") {
                Some(holds) => {
                    let rest = fields.iter().filter(|f| &*f.0 != "holds");
                    (holds, rest.cloned().collect())
                }
                None => (v.clone(), vec![]),
            },
            _ => (v.clone(), vec![]),
        };
        let wrong = |s: &Self, what: String| {
            Box::new(
                s.err(
                    "E0652",
                    format!("a verdict is by a check, not by {what}"),
                    e.span,
                )
                .hint("a check is one truth value, or a record with one named `holds`: `verdict fitted(p, q)`"),
            )
        };
        if matches!(holds, Val::Record(_) | Val::Tuple(_) | Val::Fn(_)) {
            return Err(wrong(self, holds.kind().to_string()));
        }
        let good = self.force(&holds, e.span)?;
        let ty = self.ctx.graph.ty(good).clone();
        if ty != Type::scalar(DType::Bool) {
            return Err(wrong(self, format!("`{ty}`")));
        }
        let mut logged = vec![("good".to_string(), good)];
        for (name, v) in parts {
            logged.push((name.to_string(), self.force(&v, e.span)?));
        }
        for (name, v) in logged {
            if self.ctx.graph.outputs.iter().any(|o| o.0 == name) {
                return Err(self.logged_twice(&name, e.span));
            }
            self.ctx.value(&name, v);
        }
        self.ctx.sink("verdict", good, Sink::Verdict);
        Ok(())
    }

    pub(super) fn logged_twice(&self, name: &str, span: Span) -> Box<mlc_grammar::diag::Report> {
        Box::new(self.err("E0609", format!("`{name}` is logged twice"), span))
    }

    /// The program that gives the verdicts of a training stage, which sees what the stage leaves.
    pub(super) fn verdict_program(
        &mut self,
        stage: usize,
        verdicts: &[&'static Expr],
        states: &[(String, Val)],
    ) -> R<Option<Program>> {
        if verdicts.is_empty() {
            return Ok(None);
        }
        let name = self.stages[stage].name.clone();
        let ((), program) = self.program(&format!("{name}.verdict"), |s| {
            let env = s.stage_env(stage);
            for (name, v) in states {
                env.bind(name, v.clone());
            }
            let read: Vec<String> = verdicts
                .iter()
                .flat_map(|e| super::resolve::names_in(e))
                .collect();
            s.bind_states(stage, &read, &env);
            verdicts.iter().try_for_each(|e| s.give_verdict(e, &env))
        })?;
        Ok(Some(program))
    }

    /// Refuses names that the step logs, too: their entries would be mixed.
    pub(super) fn check_verdict_names(&self, plan: &TrainPlan, span: Span) -> R<()> {
        let Some(verdict) = &plan.verdict else {
            return Ok(());
        };
        let steps = plan.every.iter().map(|e| &e.program).chain([&plan.step]);
        let logs: Vec<String> = steps
            .flat_map(|p| super::train::program_logs(p, 1))
            .map(|l| l.0)
            .collect();
        match super::train::program_logs(verdict, 1)
            .into_iter()
            .find(|l| logs.contains(&l.0))
        {
            Some((name, _)) => Err(self.logged_twice(&name, span)),
            None => Ok(()),
        }
    }
}
