//! Stages and tests: a step, a report, a computation, assertions.

use super::call::Given;
use super::ctx::Ctx;
use super::eval::Frame;
use super::session::{Failure, ItemState, R, Session, rc};
use super::value::{BatchSource, Env, OptimizerVal, Val};
use crate::ir::{Attr, DType, Type, Value};
use crate::ops;
use crate::program::{
    Assertion, Batching, Every, Program, ReportItem, SlotId, StageInfo, StageProgram, TestProgram,
    TrainPlan, Unit,
};
use crate::transform::differentiate::vjp;
use mlc_grammar::ast::{self, BinaryOp, CallArg, Expr, ExprKind, StmtKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use petgraph::graph::DiGraph;
use std::collections::HashMap;
use std::rc::Rc;

/// A training step being lowered.
pub struct TrainState {
    stage: String,
    /// Names given to values logged in the step.
    logs: Vec<String>,
    objective: Option<Value>,
    every: Vec<(usize, Unit, &'static ast::Block)>,
    /// Where an optimizer's states are kept while its body runs.
    pub optimizer_path: Option<String>,
    statements: usize,
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
    fn program<T>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> R<T>) -> R<(T, Program)> {
        let outer = std::mem::replace(&mut self.ctx, Ctx::new(name));
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
                    s.eval_stmts(&def.body.stmts, &env).map(|_| ())
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
    fn logs_known(&mut self, stage: usize) -> R<()> {
        if !self.stage_logs.contains_key(&stage) {
            self.stage_program(stage)?;
            self.train = None;
        }
        Ok(())
    }

    fn train_plan(
        &mut self,
        stage: usize,
        def: &'static ast::Stage,
        pattern: Option<&'static ast::Pattern>,
        source: Option<&'static Expr>,
        count: &'static Expr,
        unit: ast::Unit,
    ) -> R<TrainPlan> {
        let env = Env::module(self.root);
        let source = match source {
            None => None,
            Some(e) => match self.in_init(|s| s.eval(e, &env))? {
                Val::Source(s) => Some((*s).clone()),
                table @ (Val::Record(_) | Val::Slot(_)) => Some(BatchSource {
                    table,
                    shuffle: false,
                    batch: None,
                    drop_last: false,
                }),
                other => {
                    let title = format!("a training loop goes over a table, not {}", other.kind());
                    return Err(Box::new(
                        self.err("E0606", title, e.span)
                            .hint("write `for b in table.shuffle().batch(128)`"),
                    ));
                }
            },
        };
        let total = self.in_init(|s| s.eval_int(count, &env))?;
        let total = usize::try_from(total).map_err(|_| {
            Box::new(self.err(
                "E0607",
                "a training loop cannot run a negative number of times",
                count.span,
            ))
        })?;
        let unit = lower_unit(unit);
        let rows = match &source {
            Some(s) => Some(self.table_rows(&s.table, count.span)?),
            None => None,
        };
        let batching = match (&source, rows) {
            (Some(s), Some(rows)) => {
                let size = s.batch.unwrap_or(rows).min(rows.max(1));
                if rows == 0 {
                    return Err(Box::new(self.err(
                        "E0608",
                        "the table has no rows",
                        count.span,
                    )));
                }
                Some(Batching {
                    rows,
                    size,
                    shuffle: s.shuffle,
                    drop_last: s.drop_last,
                })
            }
            _ => None,
        };
        let name = self.stages[stage].name.clone();
        let mut every = Vec::new();
        let mut lower_step = |s: &mut Self, size: usize| -> R<Program> {
            s.train = Some(TrainState {
                stage: name.clone(),
                logs: vec![],
                objective: None,
                every: vec![],
                optimizer_path: None,
                statements: 0,
            });
            let ((), program) = s.program(&name, |s| {
                let env = Env::module(s.root).child();
                if let (Some(p), Some(src)) = (pattern, &source) {
                    let rows = s.ctx.batch_rows(size);
                    let batch = s.gather_rows(&src.table, rows, p.span)?;
                    s.bind_pattern(p, batch, &env)?;
                }
                s.eval_stmts(&def.body.stmts, &env.child())?;
                let t = s.train.as_mut().expect("set above");
                if let (true, Some(v)) = (t.logs.is_empty(), t.objective) {
                    s.ctx.value("objective", v);
                }
                Ok(())
            })?;
            if let Some(t) = s.train.take() {
                every = t.every;
            }
            Ok(program)
        };
        let size = batching.as_ref().map_or(0, |b| b.size);
        let step = lower_step(self, size)?;
        let remainder = match &batching {
            Some(b) if b.rows % b.size != 0 && !b.drop_last => {
                Some(lower_step(self, b.rows % b.size)?)
            }
            _ => None,
        };
        let mut blocks = Vec::new();
        for (i, (count, unit, body)) in every.into_iter().enumerate() {
            let mut checkpoint = false;
            let ((), program) = self.program(&format!("{name}.every[{i}]"), |s| {
                let env = Env::module(s.root).child();
                for stmt in &body.stmts {
                    match &stmt.kind {
                        StmtKind::Output { kind, .. } if kind.text == "checkpoint" => {
                            checkpoint = true
                        }
                        StmtKind::Output { kind, .. } => {
                            let what = format!("`{}` in `every`", kind.text);
                            return Err(s.unsupported(&what, stmt.span));
                        }
                        _ => {
                            s.eval_stmts(std::slice::from_ref(stmt), &env)?;
                        }
                    }
                }
                Ok(())
            })?;
            blocks.push(Every {
                count,
                unit,
                program,
                checkpoint,
            });
        }
        Ok(TrainPlan {
            batching,
            count: total,
            unit,
            step,
            remainder,
            every: blocks,
        })
    }

    fn table_rows(&mut self, table: &Val, span: Span) -> R<usize> {
        let mut rows = None;
        let mut visit = |s: &Self, v: &Val| -> R<()> {
            let ty = match v {
                Val::Slot(id) => s.slots[id.0 as usize].ty.clone(),
                _ => {
                    return Err(Box::new(s.err(
                        "E0606",
                        "the columns of a table are tensors",
                        span,
                    )));
                }
            };
            let Some(&n) = ty.shape.first() else {
                return Err(Box::new(s.err(
                    "E0606",
                    "a column of a table has rows",
                    span,
                )));
            };
            if rows.is_some_and(|r| r != n) {
                return Err(Box::new(s.err(
                    "E0606",
                    "the columns of the table differ in length",
                    span,
                )));
            }
            rows = Some(n);
            Ok(())
        };
        match table {
            Val::Record(fields) => {
                for (_, v) in fields.iter() {
                    visit(self, v)?;
                }
            }
            v => visit(self, v)?,
        }
        Ok(rows.unwrap_or(0))
    }

    /// A batch: the table's rows, and their numbers as the field `row`.
    fn gather_rows(&mut self, table: &Val, rows: Value, span: Span) -> R<Val> {
        match table {
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    let t = self.force(v, span)?;
                    let g = self.op(&ops::GATHER, Attr::Axis(0), &[t, rows], span)?;
                    out.push((n.clone(), Val::Tensor(g)));
                }
                if !out.iter().any(|f| &*f.0 == "row") {
                    out.push((rc("row"), Val::Tensor(rows)));
                }
                Ok(Val::record(out))
            }
            v => {
                let t = self.force(v, span)?;
                Ok(Val::Tensor(self.op(
                    &ops::GATHER,
                    Attr::Axis(0),
                    &[t, rows],
                    span,
                )?))
            }
        }
    }

    /// `.shuffle()` and `.batch(n, last: drop)` of a table.
    pub(super) fn call_source_method(
        &mut self,
        on: &Val,
        name: &str,
        args: Vec<Given>,
        span: Span,
    ) -> R<Val> {
        let mut source = match on {
            Val::Source(s) => (**s).clone(),
            table => BatchSource {
                table: table.clone(),
                shuffle: false,
                batch: None,
                drop_last: false,
            },
        };
        match (name, args.as_slice()) {
            ("shuffle", []) => source.shuffle = true,
            ("batch", [(None, Val::Int(n)), rest @ ..]) if *n > 0 => {
                source.batch = Some(*n as usize);
                match rest {
                    [] => {}
                    [(Some(l), Val::Str(s))] if &**l == "last" && &**s == "drop" => {
                        source.drop_last = true
                    }
                    _ => {
                        return Err(Box::new(self.err(
                            "E0201",
                            "`batch` takes a size and `last: drop`",
                            span,
                        )));
                    }
                }
            }
            ("batch", _) => {
                return Err(Box::new(self.err(
                    "E0201",
                    "`batch` takes a positive size known at compile time",
                    span,
                )));
            }
            ("shuffle", _) => {
                return Err(Box::new(self.err(
                    "E0201",
                    "`shuffle` takes no arguments",
                    span,
                )));
            }
            _ => {
                let title = format!("a table has no method `{name}`");
                return Err(Box::new(
                    self.err("E0206", title, span)
                        .hint("it has `shuffle()` and `batch(n)`"),
                ));
            }
        }
        Ok(Val::Source(Rc::new(source)))
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

    /// `minimize e over A using opt`
    pub(super) fn eval_optimize(
        &mut self,
        maximize: bool,
        value: &'static Expr,
        over: &'static [ast::Over],
        using: Option<&'static Expr>,
        env: &Env,
    ) -> R<()> {
        if self.train.is_none() {
            return Err(Box::new(self.err(
                "E0602",
                "`minimize` stands only in a `train` stage",
                value.span,
            )));
        }
        let v = self.eval(value, env)?;
        let loss = self.force(&v, value.span)?;
        let ty = self.ctx.graph.ty(loss).clone();
        if ty.rank() != 0 || !ty.dtype.is_real() {
            return Err(Box::new(
                self.err(
                    "E0613",
                    format!("an objective is one real number, not `{ty}`"),
                    value.span,
                )
                .hint("take the mean or the sum: `mean(..)`"),
            ));
        }
        if let Some(t) = &mut self.train {
            t.objective.get_or_insert(loss);
        }
        let sign = if maximize { -1.0 } else { 1.0 };
        let seed = self.literal(&Val::Real(sign), ty.dtype, &[]);
        let groups = self.over_groups(over, using, env)?;
        let slots: Vec<SlotId> = groups.iter().flat_map(|g| g.0.clone()).collect();
        let mut wrt = Vec::new();
        for &id in &slots {
            wrt.push(self.force(&Val::Slot(id), value.span)?);
        }
        let grads = self.gradients(&[(loss, seed)], &wrt, value.span)?;
        let mut used = false;
        let mut grads = grads.into_iter();
        let mut steps = Vec::new();
        for (ids, opt) in groups {
            for id in ids {
                let g = grads.next().flatten();
                used |= g.is_some();
                let t = self.force(&Val::Slot(id), value.span)?;
                let g = match g {
                    Some(g) => g,
                    None => self.ctx.graph.constant_like(0.0, t),
                };
                steps.push((id, g, opt.clone()));
            }
        }
        if !used {
            return Err(Box::new(
                self.err(
                    "E0614",
                    "the objective does not depend on what it is optimised over",
                    value.span,
                )
                .label(
                    over.first().map_or(value.span, |o| o.target.span),
                    "optimised over this",
                ),
            ));
        }
        self.update_all(steps, value.span)
    }

    /// `update A by g using opt`
    pub(super) fn eval_update(
        &mut self,
        over: &'static [ast::Over],
        by: &'static Expr,
        using: Option<&'static Expr>,
        env: &Env,
    ) -> R<()> {
        if self.train.is_none() {
            return Err(Box::new(self.err(
                "E0602",
                "`update` stands only in a `train` stage",
                by.span,
            )));
        }
        let v = self.eval(by, env)?;
        let v = self.force_leaves(&v, by.span)?;
        let gs = super::leaves::leaves(&v);
        let groups = self.over_groups(over, using, env)?;
        let n: usize = groups.iter().map(|g| g.0.len()).sum();
        if n != gs.len() {
            let title = format!("{n} parameters are updated by {} tensors", gs.len());
            return Err(Box::new(self.err("E0612", title, by.span)));
        }
        let mut gs = gs.into_iter();
        let mut steps = Vec::new();
        for (ids, opt) in groups {
            for id in ids {
                let g = gs.next().expect("counted above");
                let (have, want) = (
                    self.ctx.graph.ty(g).clone(),
                    self.slots[id.0 as usize].ty.clone(),
                );
                if have != want {
                    let title = format!(
                        "`{}` is a `{want}`, and is updated by a `{have}`",
                        self.slots[id.0 as usize].name
                    );
                    return Err(Box::new(self.err("E0612", title, by.span)));
                }
                steps.push((id, g, opt.clone()));
            }
        }
        self.update_all(steps, by.span)
    }

    fn over_groups(
        &mut self,
        over: &'static [ast::Over],
        using: Option<&'static Expr>,
        env: &Env,
    ) -> R<Vec<(Vec<SlotId>, Rc<OptimizerVal>)>> {
        let mut groups = Vec::new();
        for o in over {
            let mut ids = self.target_slots(&o.target, env)?;
            for e in &o.except {
                let left_out = self.target_slots(e, env)?;
                ids.retain(|id| !left_out.contains(id));
            }
            let Some(opt) = o.using.as_ref().or(using) else {
                return Err(Box::new(
                    self.err("E0615", "there is no optimizer", o.target.span)
                        .hint("add `using adam(lr: 1e-3)`"),
                ));
            };
            match self.eval(opt, env)? {
                Val::Optimizer(v) => groups.push((ids, v)),
                other => {
                    let title = format!("`using` takes an optimizer, not {}", other.kind());
                    return Err(Box::new(self.err("E0615", title, opt.span)));
                }
            }
        }
        Ok(groups)
    }

    fn update_all(&mut self, steps: Vec<(SlotId, Value, Rc<OptimizerVal>)>, span: Span) -> R<()> {
        let (stage, nth) = match &mut self.train {
            Some(t) => {
                t.statements += 1;
                (t.stage.clone(), t.statements)
            }
            None => return Ok(()),
        };
        let mut news = Vec::new();
        for (id, g, opt) in steps {
            let def = opt.def.def;
            if def.all {
                return Err(self.unsupported("an optimizer `for all`", span));
            }
            let env = opt.def.env.child();
            for (n, v) in &opt.args {
                env.bind(n, v.clone());
            }
            for (arg, (n, v)) in def.args.iter().zip(&opt.args) {
                // A number where a schedule is declared is a constant schedule.
                let schedule = matches!(arg.ty.as_ref().map(|t| &t.kind),
                    Some(ast::TypeKind::Named(t, _)) if t.text == "schedule");
                if schedule
                    && matches!(
                        v,
                        Val::Int(_) | Val::Real(_) | Val::Slot(_) | Val::Tensor(_)
                    )
                {
                    let constant = Val::Partial(Rc::new((
                        Val::Builtin("constant_schedule"),
                        vec![(rc("value"), v.clone())],
                    )));
                    env.bind(n, constant);
                }
            }
            let [p, rest @ ..] = def.binders.as_slice() else {
                continue;
            };
            env.bind(&p.text, Val::Slot(id));
            if let Some(name) = rest.first() {
                env.bind(&name.text, Val::Tensor(g));
            }
            let counter = self.ctx.step_counter(true);
            env.bind("step", Val::Tensor(counter));
            let slot = self.slots[id.0 as usize].clone();
            let mut path = format!("{stage}.{}.{}", slot.name, def.name.text);
            if nth > 1 {
                path = format!("{path}{nth}");
            }
            if let Some(t) = &mut self.train {
                t.optimizer_path = Some(path.clone());
            }
            let v = self.in_frame(&path, span, |s| s.eval_block(&def.body, &env));
            if let Some(t) = &mut self.train {
                t.optimizer_path = None;
            }
            let new = self.force(&v?, span)?;
            let have = self.ctx.graph.ty(new).clone();
            if have != slot.ty {
                let title = format!(
                    "`{}` gives a `{have}` for the `{}` `{}`",
                    def.name.text, slot.ty, slot.name
                );
                return Err(Box::new(self.err("E0612", title, span)));
            }
            news.push((id, new));
        }
        // All parameters move together: none sees another's new value.
        for (id, v) in news {
            let v = self.ctx.bind(v);
            self.ctx.write(id, v);
        }
        Ok(())
    }

    /// Cotangents of `wrt`, a refusal made into a diagnostic.
    pub(super) fn gradients(
        &mut self,
        outputs: &[(Value, Value)],
        wrt: &[Value],
        span: Span,
    ) -> R<Vec<Option<Value>>> {
        vjp(&mut self.ctx.graph, outputs, wrt).map_err(|refusal| {
            Box::new(
                self.err_at(
                    "E0430",
                    refusal.sentence,
                    refusal.span,
                    "a derivative passes here",
                )
                .label(span, "the derivative is taken here"),
            )
        })
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

    /// Lowers a `test` block.
    ///
    /// # Errors
    /// The first mistake met in it.
    pub fn lower_test(&mut self, test: usize) -> Result<TestProgram, Failure> {
        let (name, block, module) = self.tests[test].clone();
        let result = self.test_program(&name, block, module);
        result.map_err(|r| self.failure(vec![*r]))
    }

    fn test_program(
        &mut self,
        name: &str,
        block: &'static ast::Block,
        module: usize,
    ) -> R<TestProgram> {
        let index: HashMap<String, usize> = self
            .stages
            .iter()
            .enumerate()
            .map(|(i, s)| (s.name.clone(), i))
            .collect();
        let mut needs: Vec<usize> = super::resolve::names_in_block(block)
            .iter()
            .filter_map(|n| index.get(n).copied())
            .collect();
        needs.sort_unstable();
        needs.dedup();
        for &n in &needs {
            self.logs_known(n)?;
        }
        let mut assertions = Vec::new();
        let ((), program) = self.program(&format!("test {name}"), |s| {
            let env = Env::module(module).child();
            for stmt in &block.stmts {
                let StmtKind::Assert(e) = &stmt.kind else {
                    s.eval_stmts(std::slice::from_ref(stmt), &env)?;
                    continue;
                };
                let mut shown = Vec::new();
                let v = s.eval_assertion(e, &env, &mut shown)?;
                let t = s.force(&v, e.span)?;
                let ty = s.ctx.graph.ty(t).clone();
                if ty.dtype != DType::Bool || ty.rank() != 0 {
                    let title = format!("an assertion is one truth value, not `{ty}`");
                    return Err(Box::new(
                        s.err("E0617", title, e.span)
                            .hint("for a tensor, write `all(..)`"),
                    ));
                }
                let output = s.ctx.graph.outputs.len();
                s.ctx.value(&format!("assert {output}"), t);
                let mut outputs = Vec::new();
                for (text, v) in shown {
                    if let Ok(t) = s.force(&v, e.span)
                        && s.ctx.graph.ty(t).len() <= 16
                    {
                        outputs.push((text, s.ctx.graph.outputs.len()));
                        let label = format!("shown {}", s.ctx.graph.outputs.len());
                        s.ctx.value(&label, t);
                    }
                }
                let text = s.sources.text(e.span).to_string();
                assertions.push(Assertion {
                    span: e.span,
                    output,
                    text,
                    shown: outputs,
                });
            }
            Ok(())
        })?;
        Ok(TestProgram {
            name: name.to_string(),
            program,
            assertions,
            needs,
        })
    }

    /// Evaluates an assertion, keeping the sides of a comparison to show when it fails.
    fn eval_assertion(
        &mut self,
        e: &'static Expr,
        env: &Env,
        shown: &mut Vec<(String, Val)>,
    ) -> R<Val> {
        match &e.kind {
            ExprKind::Binary(op, a, b)
                if matches!(
                    op,
                    BinaryOp::Lt
                        | BinaryOp::Le
                        | BinaryOp::Gt
                        | BinaryOp::Ge
                        | BinaryOp::Eq
                        | BinaryOp::Ne
                ) =>
            {
                let (x, y) = (self.eval(a, env)?, self.eval(b, env)?);
                for (side, v) in [(a, &x), (b, &y)] {
                    if !matches!(side.kind, ExprKind::Int(_) | ExprKind::Real(_)) {
                        shown.push((self.sources.text(side.span).to_string(), v.clone()));
                    }
                }
                self.binary(*op, x, y, e.span, a.span, b.span)
            }
            ExprKind::Call(f, args)
                if matches!(&f.kind, ExprKind::Name(n) if n == "close") && args.len() >= 2 =>
            {
                let mut values = Vec::new();
                for (i, a) in args.iter().enumerate() {
                    let v = self.eval(&a.value, env)?;
                    if i < 2 && !matches!(a.value.kind, ExprKind::Int(_) | ExprKind::Real(_)) {
                        shown.push((self.sources.text(a.value.span).to_string(), v.clone()));
                    }
                    values.push((a.name.as_ref().map(|n| rc(&n.text)), v));
                }
                self.call_builtin("close", values, e.span)
            }
            _ => self.eval(e, env),
        }
    }

    /// The definitions of the root file, evaluated so that mistakes in what no stage uses are found too.
    pub fn check_definitions(&mut self) -> Vec<Report> {
        let tree = self.modules[self.root].tree;
        let mut reports = Vec::new();
        for item in &tree.items {
            for name in super::resolve::item_names(item) {
                if matches!(
                    self.modules[self.root].items.get(&name.text),
                    Some(ItemState::Waiting(_))
                ) && let Some(Err(r)) = self.item(self.root, &name.text, name.span)
                {
                    reports.push(*r);
                }
            }
        }
        reports
    }
}

fn lower_unit(unit: ast::Unit) -> Unit {
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
