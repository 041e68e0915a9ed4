//! Stages and tests: a step, a report, a computation, assertions.

use super::ctx::Ctx;
use super::eval::Frame;
use super::session::{Failure, R, Session, rc};
use super::value::{Env, Val};
use crate::ir::{Type, Value};
use crate::program::{Program, ReportItem, StageInfo, StageProgram, TrainPlan, Unit};
use mlc_grammar::ast::{self, CallArg, Expr, ExprKind, StmtKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use petgraph::graph::DiGraph;
use std::collections::HashMap;

/// A training step being lowered.
pub struct TrainState {
    pub stage: String,
    /// Names given to values logged in the step.
    pub logs: Vec<String>,
    pub objective: Option<Value>,
    pub every: Vec<(usize, Unit, &'static ast::Block)>,
    /// Where an optimizer's states are kept while its body runs.
    pub optimizer_path: Option<String>,
    pub statements: usize,
}

impl Session {
    /// Puts the stages in an order in which they can run, and finds what each needs.
    pub(super) fn order_stages(&mut self) -> Vec<Report> {
        let tree = self.modules[self.root].tree;
        let asts: Vec<(&'static ast::Stage, Span)> = tree
            .items
            .iter()
            .filter_map(|i| match &i.kind {
                ast::ItemKind::Stage(s) => Some((s, i.span)),
                _ => None,
            })
            .collect();
        let mut graph = DiGraph::<usize, ()>::new();
        let nodes: Vec<_> = (0..asts.len()).map(|i| graph.add_node(i)).collect();
        let index: HashMap<&str, usize> = asts
            .iter()
            .enumerate()
            .map(|(i, s)| (s.0.name.text.as_str(), i))
            .collect();
        let mut reports = Vec::new();
        let mut after: Vec<Vec<usize>> = Vec::new();
        let mut needs: Vec<Vec<usize>> = Vec::new();
        for (i, (s, _)) in asts.iter().enumerate() {
            let mut before = Vec::new();
            for e in &s.after {
                match super::resolve::path_text(e).and_then(|p| index.get(p.as_str()).copied()) {
                    Some(j) => before.push(j),
                    None => reports.push(
                        Report::new("E0601", "`after` names a stage")
                            .label(e.span, "no stage of this file")
                            .hint("stages with arguments cannot be compiled by this version"),
                    ),
                }
            }
            let mut all = before.clone();
            for n in super::resolve::names_in_block(&s.body) {
                if let Some(&j) = index.get(n.as_str())
                    && j != i
                    && !all.contains(&j)
                {
                    all.push(j);
                }
            }
            for &j in &all {
                graph.add_edge(nodes[j], nodes[i], ());
            }
            after.push(before);
            needs.push(all);
        }
        let order: Vec<usize> = match petgraph::algo::toposort(&graph, None) {
            Ok(_) => {
                // Of the possible orders, the one nearest to the file's.
                let mut done = vec![false; asts.len()];
                let mut order = Vec::new();
                while order.len() < asts.len() {
                    let next =
                        (0..asts.len()).find(|&i| !done[i] && needs[i].iter().all(|&j| done[j]));
                    let Some(i) = next else { break };
                    done[i] = true;
                    order.push(i);
                }
                order
            }
            Err(cycle) => {
                let at = asts[graph[cycle.node_id()]].0;
                reports.push(
                    Report::new(
                        "E0605",
                        format!("the stage `{}` needs its own result", at.name.text),
                    )
                    .label(at.name.span, "part of a cycle of stages"),
                );
                return reports;
            }
        };
        let place: HashMap<usize, usize> = order.iter().enumerate().map(|(p, &i)| (i, p)).collect();
        for &i in &order {
            let (s, span) = asts[i];
            self.stage_asts.push(s);
            self.stages.push(StageInfo {
                name: s.name.text.clone(),
                span,
                kind: match s.kind {
                    ast::StageKind::Train { .. } => "train",
                    ast::StageKind::Report => "report",
                    ast::StageKind::Compute => "compute",
                },
                after: after[i].iter().map(|j| place[j]).collect(),
                needs: needs[i].iter().map(|j| place[j]).collect(),
            });
        }
        reports
    }

    /// Builds one program: `f` fills the context `name`.
    pub(super) fn program<T>(
        &mut self,
        name: &str,
        f: impl FnOnce(&mut Self) -> R<T>,
    ) -> R<(T, Program)> {
        let outer = std::mem::replace(&mut self.ctx, Ctx::new(name));
        self.work = 0;
        let frames = std::mem::replace(&mut self.frames, vec![Frame::root(name)]);
        let result = f(self);
        self.frames = frames;
        let ctx = std::mem::replace(&mut self.ctx, outer);
        self.handlers.clear();
        self.expects.clear();
        self.nets.clear();
        self.depth = 0;
        self.scans.clear();
        self.yields.clear();
        self.counters.clear();
        self.plates.clear();
        let value = result?;
        let slots = &self.slots;
        Ok((value, ctx.finish(|id| slots[id.0 as usize].name.clone())))
    }

    /// Lowers a stage to what the driver runs.
    ///
    /// # Errors
    /// The first mistake met in the stage or in what it uses.
    pub fn lower_stage(&mut self, stage: usize) -> Result<StageProgram, Failure> {
        let result = self.stage_program(stage);
        self.train = None;
        result.map_err(|r| self.failure(vec![*r]))
    }

    fn stage_program(&mut self, stage: usize) -> R<StageProgram> {
        let def = self.stage_asts[stage];
        if let Some(a) = def.args.first() {
            return Err(self.unsupported("a stage with arguments", a.name.span));
        }
        for need in self.stages[stage].needs.clone() {
            self.logs_known(need)?;
        }
        match &def.kind {
            ast::StageKind::Train {
                pattern,
                source,
                count,
                unit,
            } => {
                let plan =
                    self.train_plan(stage, def, pattern.as_ref(), source.as_ref(), count, *unit)?;
                let logs = plan_logs(&plan);
                self.stage_logs.insert(stage, logs);
                Ok(StageProgram::Train(Box::new(plan)))
            }
            ast::StageKind::Compute => {
                let name = def.name.text.clone();
                let ((), program) = self.program(&name, |s| {
                    let env = Env::module(s.root).child();
                    s.eval_steps(&def.body.stmts, &env)
                })?;
                self.stage_logs.insert(stage, program_logs(&program, 1));
                Ok(StageProgram::Compute(Box::new(program)))
            }
            ast::StageKind::Report => {
                self.stage_logs.insert(stage, vec![]);
                let mut items = Vec::new();
                for stmt in &def.body.stmts {
                    if let Some(item) = self.report_item(def, stmt, items.len())? {
                        items.push(item);
                    }
                }
                Ok(StageProgram::Report(items))
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
        let n = self.eval_int(count, env)?;
        let Some(train) = &mut self.train else {
            return Err(Box::new(self.err(
                "E0602",
                "`every` stands only in a `train` stage",
                span,
            )));
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

    pub(super) fn eval_log(
        &mut self,
        entries: &'static [(Option<ast::Name>, Expr)],
        env: &Env,
    ) -> R<()> {
        for (name, e) in entries {
            let v = self.eval(e, env)?;
            let name = match name {
                Some(n) => n.text.clone(),
                None => log_name(e),
            };
            let t = self.force(&v, e.span)?;
            if self.ctx.graph.outputs.iter().any(|o| o.0 == name) {
                let title = format!("`{name}` is logged twice");
                return Err(Box::new(self.err("E0609", title, e.span)));
            }
            self.ctx.value(&name, t);
            if let Some(t) = &mut self.train {
                t.logs.push(name);
            }
        }
        Ok(())
    }

    pub(super) fn log_type(&mut self, stage: usize, name: &str, span: Span) -> R<Type> {
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
        self.touched_stages.insert(stage);
        Ok(Val::Log(stage, rc(&name.text)))
    }

    fn report_item(
        &mut self,
        def: &'static ast::Stage,
        stmt: &'static ast::Stmt,
        nth: usize,
    ) -> R<Option<ReportItem>> {
        let StmtKind::Output { kind, args } = &stmt.kind else {
            return Err(Box::new(
                self.err(
                    "E0602",
                    "a report holds `image`, `plot`, `table` and `text`",
                    stmt.span,
                )
                .hint("compute values in a `compute` stage, and show them here"),
            ));
        };
        let title_of = |args: &'static [CallArg]| {
            args.iter().find_map(|a| match (&a.name, &a.value.kind) {
                (Some(n), ExprKind::Str(s)) if n.text == "title" => Some(s.clone()),
                _ => None,
            })
        };
        let mut item = ReportItem {
            kind: kind.text.clone(),
            title: title_of(args).unwrap_or_else(|| def.name.text.clone()),
            program: Program {
                name: String::new(),
                graph: Default::default(),
                sources: vec![],
                sinks: vec![],
            },
            columns: 8,
            text: String::new(),
        };
        if kind.text == "text" {
            if let Some(CallArg {
                value:
                    Expr {
                        kind: ExprKind::Str(s),
                        ..
                    },
                ..
            }) = args.first()
            {
                item.text = s.clone();
            }
            return Ok(Some(item));
        }
        let name = format!("{}.{nth}", def.name.text);
        let mut columns = 8;
        let ((), program) = self.program(&name, |s| {
            let env = Env::module(s.root).child();
            for a in args {
                if a.name.as_ref().is_some_and(|n| n.text == "title") {
                    continue;
                }
                let v = s.eval(&a.value, &env)?;
                let v = match v {
                    Val::Grid(g) => {
                        columns = g.1;
                        g.0.clone()
                    }
                    v => v,
                };
                let label = a
                    .name
                    .as_ref()
                    .map_or_else(|| log_name(&a.value), |n| n.text.clone());
                match s.force_leaves(&v, a.value.span)? {
                    Val::Record(fields) => {
                        for (n, v) in fields.iter() {
                            let t = s.force(v, a.value.span)?;
                            s.ctx.value(n, t);
                        }
                    }
                    v => {
                        let t = s.force(&v, a.value.span)?;
                        s.ctx.value(&label, t);
                    }
                }
            }
            Ok(())
        })?;
        item.columns = columns;
        item.program = program;
        Ok(Some(item))
    }
}

pub(super) fn lower_unit(unit: ast::Unit) -> Unit {
    match unit {
        ast::Unit::Steps => Unit::Steps,
        ast::Unit::Epochs => Unit::Epochs,
        ast::Unit::Rows => Unit::Rows,
    }
}

/// What a logged expression is called when it has no name: its head.
fn log_name(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Name(n) => n.clone(),
        ExprKind::Call(f, _) => log_name(f),
        ExprKind::Field(_, n) => n.text.clone(),
        ExprKind::Paren(e) | ExprKind::Index(e, _) => log_name(e),
        _ => "value".to_string(),
    }
}

/// The values a program logs, each with the type of `entries` of them.
fn program_logs(p: &Program, entries: usize) -> Vec<(String, Type)> {
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
            crate::program::Sink::Slot(_) => None,
        })
        .collect()
}

impl TrainPlan {
    /// Steps in an epoch.
    pub fn epoch_steps(&self) -> usize {
        match &self.batching {
            None => 1,
            Some(b) if b.drop_last => (b.rows / b.size).max(1),
            Some(b) => b.rows.div_ceil(b.size),
        }
    }

    /// Steps that make up `count` units, rounded up.
    pub fn steps_of(&self, count: usize, unit: Unit) -> usize {
        match unit {
            Unit::Steps => count,
            Unit::Epochs => count * self.epoch_steps(),
            Unit::Rows => match &self.batching {
                None => count,
                Some(b) => count.div_ceil(b.size),
            },
        }
    }

    /// Steps in the whole run.
    pub fn total_steps(&self) -> usize {
        self.steps_of(self.count, self.unit)
    }
}

fn plan_logs(plan: &TrainPlan) -> Vec<(String, Type)> {
    let total = plan.total_steps();
    let mut logs = program_logs(&plan.step, total);
    for e in &plan.every {
        let period = plan.steps_of(e.count, e.unit).max(1);
        for log in program_logs(&e.program, total / period) {
            if !logs.iter().any(|l| l.0 == log.0) {
                logs.push(log);
            }
        }
    }
    logs
}
