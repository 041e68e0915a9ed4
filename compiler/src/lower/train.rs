//! Stages and tests: a step, a report, a computation, assertions.

use super::ctx::Ctx;
use super::eval::Frame;
use super::session::{Failure, R, Session, rc};
use super::value::{Env, Val};
use crate::ir::{Type, Value};
use crate::program::{Keep, Program, ReportItem, StageProgram, TrainPlan, Unit};
use mlc_grammar::ast::{self, Expr};
use mlc_grammar::span::Span;
use std::collections::HashMap;

/// A training step being lowered.
pub struct TrainState {
    pub stage: String,
    /// Names given to values logged in the step.
    pub logs: Vec<String>,
    pub objective: Option<Value>,
    pub every: Vec<(usize, Unit, &'static ast::Block)>,
    pub verdicts: Vec<&'static Expr>,
    /// How many statements moved a parameter by an optimizer: by the names of the two.
    pub used: HashMap<String, usize>,
    /// States declared in the step, for the `every` blocks.
    pub states: Vec<(String, Val)>,
    pub keep: Option<KeepState>,
    /// How often parameters were given new values.
    pub moves: usize,
    pub stops: bool,
    /// How many steps in a row may be skipped.
    pub skip: Option<usize>,
    /// Is this the body of an `every`, and not the step?
    pub in_every: bool,
    pub checkpoint: bool,
    pub shown: Vec<ReportItem>,
}

impl TrainState {
    pub fn new(stage: &str) -> Self {
        Self {
            stage: stage.to_string(),
            logs: vec![],
            objective: None,
            every: vec![],
            verdicts: vec![],
            used: HashMap::new(),
            states: vec![],
            keep: None,
            moves: 0,
            stops: false,
            skip: None,
            in_every: false,
            checkpoint: false,
            shown: vec![],
        }
    }
}

/// A `keep` statement of a step.
#[derive(Clone)]
pub struct KeepState {
    pub keep: Keep,
    pub span: Span,
    /// How often the step had moved parameters where it stands.
    pub moved: usize,
}

impl Session {
    /// Builds one program: `f` fills the context `name`.
    pub(super) fn program<T>(
        &mut self,
        name: &str,
        f: impl FnOnce(&mut Self) -> R<T>,
    ) -> R<(T, Program)> {
        let outer = std::mem::replace(&mut self.ctx, Ctx::new(name));
        self.work = 0;
        let frames = std::mem::replace(&mut self.frames, vec![Frame::root(name)]);
        let top = std::mem::take(&mut self.top);
        let result = f(self);
        self.top = top;
        self.frames = frames;
        let ctx = std::mem::replace(&mut self.ctx, outer);
        self.handlers.clear();
        self.summed.clear();
        self.expects.clear();
        self.nets.clear();
        self.depth = 0;
        self.scans.clear();
        self.yields.clear();
        self.counters.clear();
        self.plates.clear();
        self.taps.clear();
        self.optimizer = None;
        let value = result?;
        let slots = &self.slots;
        Ok((value, ctx.finish(|id| slots[id.0 as usize].name.clone())))
    }

    /// Lowers a stage to what the driver runs.
    ///
    /// # Errors
    /// The first mistake met in the stage or in what it uses.
    pub fn lower_stage(&mut self, stage: usize) -> Result<StageProgram, Failure> {
        self.touched_stages.clear();
        let result = self.stage_program(stage);
        self.train = None;
        result.map_err(|r| self.failure(vec![*r]))
    }

    fn stage_program(&mut self, stage: usize) -> R<StageProgram> {
        self.resolve_after(stage)?;
        for need in self.stages[stage].needs.clone() {
            self.logs_known(need)?;
        }
        self.one_version(stage)?;
        let program = self.lowered(stage)?;
        self.stage_writes
            .insert(stage, super::after::written(&program));
        Ok(program)
    }

    fn lowered(&mut self, stage: usize) -> R<StageProgram> {
        let def = self.stage_asts[stage];
        match &def.kind {
            ast::StageKind::Train {
                source,
                count,
                unit,
                ..
            } => {
                let plan = self.train_plan(stage, source.as_ref(), count, *unit)?;
                let logs = plan_logs(&plan);
                self.stage_logs.insert(stage, logs);
                Ok(StageProgram::Train(Box::new(plan)))
            }
            ast::StageKind::Compute => {
                let name = def.name.text.clone();
                let ((), program) = self.program(&name, |s| {
                    let env = s.stage_env(stage);
                    s.top = true;
                    s.eval_steps(&def.body.stmts, &env)
                })?;
                self.stage_logs.insert(stage, program_logs(&program, 1));
                Ok(StageProgram::Compute(Box::new(program)))
            }
            ast::StageKind::Report => {
                self.stage_logs.insert(stage, vec![]);
                let mut items = Vec::new();
                let env = self.stage_env(stage);
                let mut first = None;
                for stmt in &def.body.stmts {
                    match self.report_item(def, stmt, items.len(), &env) {
                        Ok(item) => items.extend(item),
                        Err(r) => self.put_aside(&mut first, r),
                    }
                }
                match first {
                    None => Ok(StageProgram::Report(items)),
                    Some(r) => Err(r),
                }
            }
        }
    }

    /// Lowers a stage whose logs' types are asked for before it was lowered.
    pub(super) fn logs_known(&mut self, stage: usize) -> R<()> {
        if !self.stage_logs.contains_key(&stage) {
            self.stage_program(stage)?;
            self.train = None;
        }
        Ok(())
    }

    pub(super) fn eval_every(
        &mut self,
        count: &'static Expr,
        unit: ast::Unit,
        body: &'static ast::Block,
        env: &Env,
        span: Span,
    ) -> R<()> {
        if !self.in_step() {
            return Err(self.not_at_top("every", span));
        }
        let n = self.eval_int(count, env)?;
        let Some(train) = &mut self.train else {
            return Ok(());
        };
        if n < 1 {
            return Err(Box::new(self.err(
                "E0607",
                "`every` needs a positive number",
                count.span,
            )));
        }
        train.every.push((n as usize, lower_unit(unit), body));
        Ok(())
    }

    pub(super) fn log_type(&mut self, stage: usize, name: &str, span: Span) -> R<Type> {
        if self.ragged_logs.contains(&(stage, name.to_string())) {
            let stage = &self.stages[stage].name;
            let title = format!("the entries of `{stage}.log.{name}` differ in shape");
            return Err(Box::new(
                self.err_at("E0649", title, span, "one tensor cannot hold them")
                    .note(
                        "what is logged depends on the number of rows in the batch, which changes",
                    )
                    .hint("log something of one size, such as a mean or a sum over the batch"),
            ));
        }
        let logs = self.stage_logs.get(&stage).cloned().unwrap_or_default();
        match logs.iter().find(|l| l.0 == name) {
            Some((_, ty)) => Ok(ty.clone()),
            None => {
                let known: Vec<String> = logs.iter().map(|l| l.0.clone()).collect();
                let title = format!("the stage `{}` logs no `{name}`", self.stages[stage].name);
                let mut r = self.err("E0616", title, span);
                if !known.is_empty() {
                    r = r.hint(format!("it logs {}", super::resolve::listed(&known)));
                }
                Err(Box::new(r))
            }
        }
    }

    pub(super) fn stage_log(&mut self, stage: usize, name: &ast::Name) -> R<Val> {
        self.log_type(stage, &name.text, name.span)?;
        if self.in_init && !self.in_start {
            let stage = self.stages[stage].name.clone();
            return Err(Box::new(self.reads_stage_early(&stage, name.span)));
        }
        self.touched_stages.insert(stage);
        Ok(Val::Log(stage, rc(&name.text)))
    }
}

pub(super) fn lower_unit(unit: ast::Unit) -> Unit {
    match unit {
        ast::Unit::Steps => Unit::Steps,
        ast::Unit::Epochs => Unit::Epochs,
        ast::Unit::Rows => Unit::Rows,
    }
}

/// The values a program logs, each with the type of `entries` of them.
pub(super) fn program_logs(p: &Program, entries: usize) -> Vec<(String, Type)> {
    p.graph
        .outputs
        .iter()
        .zip(&p.sinks)
        .filter_map(|((_, v), sink)| match sink {
            crate::program::Sink::Value(name) => {
                let ty = p.graph.ty(*v);
                let mut shape = vec![entries];
                shape.extend(&ty.shape);
                Some((name.clone(), Type::new(ty.dtype, shape)))
            }
            _ => None,
        })
        .collect()
}

fn plan_logs(plan: &TrainPlan) -> Vec<(String, Type)> {
    let total = plan.total_steps();
    let mut logs = program_logs(&plan.step, total);
    for e in &plan.every {
        for log in program_logs(&e.program, plan.entries(e.count, e.unit)) {
            if !logs.iter().any(|l| l.0 == log.0) {
                logs.push(log);
            }
        }
    }
    if let Some(p) = &plan.verdict {
        logs.extend(program_logs(p, 1));
    }
    logs
}
