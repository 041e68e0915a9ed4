//! Stages and tests: a step, a report, a computation, assertions.

use super::ctx::Ctx;
use super::eval::Frame;
use super::session::{Failure, R, Session, rc};
use super::value::{Env, Val};
use crate::ir::DType;
use crate::ir::{Type, Value};
use crate::program::{Keep, Program, ReportItem, Sink, StageInfo, StageProgram, TrainPlan, Unit};
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
    /// How many statements moved a parameter by an optimizer: by the names of the two.
    pub used: HashMap<String, usize>,
    /// States declared in the step, for the `every` blocks.
    pub states: Vec<(String, Val)>,
    pub keep: Option<KeepState>,
    /// How often parameters were given new values.
    pub moves: usize,
    pub stops: bool,
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
            used: HashMap::new(),
            states: vec![],
            keep: None,
            moves: 0,
            stops: false,
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
        let top = std::mem::take(&mut self.top);
        let result = f(self);
        self.top = top;
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
                    s.top = true;
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

    pub(super) fn eval_log(
        &mut self,
        entries: &'static [(Option<ast::Name>, Expr)],
        env: &Env,
    ) -> R<()> {
        for (name, e) in entries {
            if !self.top {
                return Err(self.not_at_top("log", e.span));
            }
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

    /// Is this the top of a step, and not of an `every`?
    pub(super) fn in_step(&self) -> bool {
        self.top && self.optimizer.is_none() && self.train.as_ref().is_some_and(|t| !t.in_every)
    }

    /// `stop when e`
    pub(super) fn eval_stop_when(&mut self, e: &'static Expr, env: &Env) -> R<()> {
        if !self.top || self.train.is_none() || self.optimizer.is_some() {
            return Err(self.not_at_top("stop when", e.span));
        }
        let v = self.eval(e, env)?;
        let t = self.force(&v, e.span)?;
        let ty = self.ctx.graph.ty(t).clone();
        if ty != Type::scalar(DType::Bool) {
            let title = format!("`stop when` takes one truth value, not `{ty}`");
            let hint = if ty.dtype == DType::Bool {
                "write `any(..)` or `all(..)`"
            } else {
                "compare it: `loss < 1e-3`"
            };
            return Err(Box::new(self.err("E0645", title, e.span).hint(hint)));
        }
        self.ctx.sink("stop", t, Sink::Stop);
        if let Some(t) = &mut self.train {
            t.stops = true;
        }
        Ok(())
    }

    /// How often the step has given parameters new values so far.
    fn moved(&self) -> usize {
        self.train.as_ref().map_or(0, |t| t.moves)
    }

    /// `keep lowest v`
    pub(super) fn eval_keep(
        &mut self,
        lowest: bool,
        value: &'static Expr,
        env: &Env,
        span: Span,
    ) -> R<()> {
        if !self.top || self.train.is_none() || self.optimizer.is_some() {
            return Err(self.not_at_top("keep", span));
        }
        let in_every = self.train.as_ref().is_some_and(|t| t.in_every);
        if let Some(first) = self.train.as_ref().and_then(|t| t.keep.as_ref()) {
            let at = first.span;
            return Err(Box::new(
                self.err("E0646", "a stage keeps one best snapshot", span)
                    .label(at, "already chosen here"),
            ));
        }
        let mut keep = Keep {
            lowest,
            before: !in_every && self.moved() == 0,
            log: None,
        };
        let mut measured = None;
        if let ExprKind::Name(n) = &value.kind
            && env.get(n).is_none()
            && !self.modules[self.root].items.contains_key(n)
        {
            // A name that is no value is that of a logged one: of this program, or of an `every` of the step.
            let here = self
                .ctx
                .graph
                .outputs
                .iter()
                .zip(&self.ctx.sinks)
                .find(|(o, s)| o.0 == *n && matches!(s, Sink::Value(_)));
            measured = here.map(|(o, _)| o.1);
            if measured.is_none() {
                keep.log = Some(n.clone());
            }
        }
        if keep.log.is_none() {
            let t = match measured {
                Some(t) => t,
                None => {
                    let v = self.eval(value, env)?;
                    self.force(&v, value.span)?
                }
            };
            let ty = self.ctx.graph.ty(t).clone();
            if ty.rank() != 0 || !ty.dtype.is_real() {
                let title =
                    format!("the best snapshot is chosen by one real number, not by a `{ty}`");
                return Err(Box::new(
                    self.err("E0646", title, value.span)
                        .hint("take its mean: `mean(..)`"),
                ));
            }
            self.ctx.sink("keep", t, Sink::Keep);
        }
        let moved = self.moved();
        if let Some(t) = &mut self.train {
            t.keep = Some(KeepState { keep, span, moved });
        }
        Ok(())
    }

    /// Refuses a `keep` among the updates of a step, where there is no version of all parameters.
    pub(super) fn check_keep(&self) -> R<()> {
        let Some(k) = self.train.as_ref().and_then(|t| t.keep.as_ref()) else {
            return Ok(());
        };
        if k.keep.log.is_none() && k.moved > 0 && self.moved() > k.moved {
            return Err(Box::new(
                self.err("E0646", "`keep` stands between two updates", k.span)
                    .hint("put it before the first update, to keep what the step starts from, or after the last"),
            ));
        }
        Ok(())
    }

    /// `checkpoint`, and `image`, `plot`, `table`, `text` in an `every`.
    pub(super) fn eval_output(
        &mut self,
        kind: &'static ast::Name,
        args: &'static [CallArg],
        env: &Env,
        span: Span,
    ) -> R<()> {
        let every = self.top && self.train.as_ref().is_some_and(|t| t.in_every);
        if !every {
            let title = format!(
                "`{}` stands only in a `report` stage or in `every`",
                kind.text
            );
            return Err(Box::new(self.err("E0602", title, span)));
        }
        if kind.text == "checkpoint" {
            if let Some(t) = &mut self.train {
                t.checkpoint = true;
            }
            return Ok(());
        }
        let (stage, nth) = match &self.train {
            Some(t) => (t.stage.clone(), t.shown.len()),
            None => return Ok(()),
        };
        let mut item = empty_item(kind, args, &stage);
        if kind.text != "text" {
            let (columns, values) = self.output_values(args, env)?;
            item.columns = columns;
            for (label, v) in values {
                self.ctx.sink(&label, v, Sink::Show(nth, label.clone()));
            }
        }
        if let Some(t) = &mut self.train {
            t.shown.push(item);
        }
        Ok(())
    }

    /// What an output shows: how many pictures stand in a row, and the values by name.
    fn output_values(
        &mut self,
        args: &'static [CallArg],
        env: &Env,
    ) -> R<(usize, Vec<(String, Value)>)> {
        let mut columns = 8;
        let mut out = Vec::new();
        for a in args {
            if a.name.as_ref().is_some_and(|n| n.text == "title") {
                continue;
            }
            let v = self.eval(&a.value, env)?;
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
            match self.force_leaves(&v, a.value.span)? {
                Val::Record(fields) => {
                    for (n, v) in fields.iter() {
                        out.push((n.to_string(), self.force(v, a.value.span)?));
                    }
                }
                v => out.push((label, self.force(&v, a.value.span)?)),
            }
        }
        Ok((columns, out))
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
        let mut item = empty_item(kind, args, &def.name.text);
        if kind.text == "text" {
            return Ok(Some(item));
        }
        let name = format!("{}.{nth}", def.name.text);
        let (columns, program) = self.program(&name, |s| {
            let env = Env::module(s.root).child();
            let (columns, values) = s.output_values(args, &env)?;
            for (label, v) in values {
                s.ctx.value(&label, v);
            }
            Ok(columns)
        })?;
        item.columns = columns;
        item.program = program;
        Ok(Some(item))
    }
}

/// An output of the kind and with the title that its statement says, without its values.
fn empty_item(kind: &ast::Name, args: &[CallArg], title: &str) -> ReportItem {
    let text_of = |e: &Expr| match &e.kind {
        ExprKind::Str(s) => Some(s.clone()),
        _ => None,
    };
    let named = args
        .iter()
        .find(|a| a.name.as_ref().is_some_and(|n| n.text == "title"));
    ReportItem {
        kind: kind.text.clone(),
        title: named
            .and_then(|a| text_of(&a.value))
            .unwrap_or_else(|| title.to_string()),
        program: Program {
            name: String::new(),
            graph: Default::default(),
            sources: vec![],
            sinks: vec![],
        },
        columns: 8,
        text: match args.first() {
            Some(a) if kind.text == "text" => text_of(&a.value).unwrap_or_default(),
            _ => String::new(),
        },
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
            _ => None,
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
