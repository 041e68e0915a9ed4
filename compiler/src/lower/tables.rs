//! Tables, their batches, and how long a stage goes over them.

use super::ctx::Ctx;
use super::session::{R, Session, rc};
use super::train::{TrainState, lower_unit};
use super::value::{BatchSource, Env, Val};
use crate::ir::{Attr, Value};
use crate::ops;
use crate::program::{Batching, Every, Program, Sink, TrainPlan};
use mlc_grammar::ast::{self, Expr};
use mlc_grammar::span::Span;

impl Session {
    pub(super) fn train_plan(
        &mut self,
        stage: usize,
        source: Option<&'static Expr>,
        count: &'static Expr,
        unit: ast::Unit,
    ) -> R<TrainPlan> {
        // The states of the stage are bound here once they are known, for the size of a batch.
        let env = self.stage_env(stage);
        let source = match source {
            None => None,
            Some(e) => match self.in_init(|s| s.eval(e, &env))? {
                Val::Source(s) => Some((*s).clone()),
                table @ (Val::Record(_) | Val::Slot(_)) => Some(BatchSource::whole(table)),
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
                let size = match s.size.clone() {
                    Some((e, env)) if rows > 0 => self.first_size(stage, e, &env, rows)?,
                    _ => s.batch.unwrap_or(rows).min(rows.max(1)),
                };
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
        let own = format!("{name}.");
        self.state_values.retain(|path, _| !path.starts_with(&own));
        self.start = Ctx::new(format!("{name}.start"));
        let changing = source.as_ref().and_then(|s| s.size.clone());
        match source {
            Some(source) => self.batch_sources.insert(stage, source),
            None => self.batch_sources.remove(&stage),
        };
        let size = batching.as_ref().map_or(0, |b| b.size);
        let (step, mut state) = self.lower_step(stage, size)?;
        self.ragged_logs.retain(|l| l.0 != stage);
        let remainder = match &batching {
            Some(b) if b.rows % b.size != 0 && !b.drop_last && changing.is_none() => {
                let (rest, _) = self.lower_step(stage, b.rows % b.size)?;
                self.compare_logs(stage, &step, &rest);
                Some(rest)
            }
            _ => None,
        };
        let size = match changing {
            Some((e, within)) => {
                for (name, v) in &state.states {
                    env.bind(name, v.clone());
                }
                self.stopping.insert(stage);
                Some(self.size_program(&name, e, &within)?)
            }
            None => None,
        };
        let (mut blocks, mut first) = (Vec::new(), None);
        for (i, (count, unit, body)) in std::mem::take(&mut state.every).into_iter().enumerate() {
            self.train = Some(TrainState {
                in_every: true,
                keep: state.keep.clone(),
                ..TrainState::new(&name)
            });
            let lowered = self.program(&format!("{name}.every[{i}]"), |s| {
                let env = s.stage_env(stage);
                for (name, v) in &state.states {
                    env.bind(name, v.clone());
                }
                s.bind_step(body, &env);
                s.bind_states(stage, &super::resolve::names_in_block(body), &env);
                s.top = true;
                s.eval_steps(&body.stmts, &env.child())
            });
            let inner = self.train.take().expect("set above");
            let program = match lowered {
                Ok(((), program)) => program,
                Err(r) => {
                    self.put_aside(&mut first, r);
                    continue;
                }
            };
            state.keep = inner.keep;
            state.stops |= inner.stops;
            blocks.push(Every {
                count,
                unit,
                program,
                checkpoint: inner.checkpoint,
                shown: inner.shown,
            });
        }
        if let Some(r) = first {
            return Err(r);
        }
        let logged = |p: &Program, log: &str| {
            let mut found = p.graph.outputs.iter().zip(&p.sinks);
            found.any(|(o, s)| {
                o.0 == log && matches!(s, Sink::Value(_)) && p.graph.ty(o.1).rank() == 0
            })
        };
        if let Some(k) = &state.keep
            && let Some(log) = &k.keep.log
            && !blocks
                .iter()
                .map(|b| &b.program)
                .chain([&step])
                .any(|p| logged(p, log))
        {
            let title = format!("`{log}` is neither a value nor a number that the stage logs");
            return Err(Box::new(
                self.err("E0646", title, k.span)
                    .hint("log it in an `every` block: `log loss = ..`"),
            ));
        }
        if state.stops {
            self.stopping.insert(stage);
        }
        let verdict = self.verdict_program(stage, &state.verdicts, &state.states)?;
        let start = std::mem::replace(&mut self.start, Ctx::new("start"));
        let slots = &self.slots;
        let start = start.finish(|id| slots[id.0 as usize].name.clone());
        let plan = TrainPlan {
            batching,
            count: total,
            unit,
            step,
            start: (!start.sinks.is_empty()).then_some(start),
            keep: state.keep.map(|k| k.keep),
            remainder,
            size,
            every: blocks,
            skip: state.skip,
            verdict,
        };
        if let Some(e) = state.verdicts.first() {
            self.check_verdict_names(&plan, e.span)?;
        }
        Ok(plan)
    }

    /// Lowers a stage's step for batches of a size (0: there are no batches).
    pub(super) fn lower_step(&mut self, stage: usize, size: usize) -> R<(Program, TrainState)> {
        let def = self.stage_asts[stage];
        let name = self.stages[stage].name.clone();
        let table = self.batch_sources.get(&stage).map(|s| s.table.clone());
        self.train = Some(TrainState::new(&name));
        let ((), program) = self.program(&name, |s| {
            let env = s.stage_env(stage);
            if let ast::StageKind::Train {
                pattern: Some(p), ..
            } = &def.kind
                && let Some(table) = &table
            {
                let rows = s.ctx.batch_rows(size);
                let batch = s.gather_rows(table, rows, p.span)?;
                s.bind_pattern(p, batch, &env)?;
            }
            s.bind_step(&def.body, &env);
            s.top = true;
            s.eval_steps(&def.body.stmts, &env.child())?;
            s.check_keep()?;
            let t = s.train.as_mut().expect("set above");
            if let (true, Some(v)) = (t.logs.is_empty(), t.objective) {
                s.ctx.value("objective", v);
            }
            Ok(())
        })?;
        let state = self.train.take().expect("set above");
        Ok((program, state))
    }

    /// `step` in a stage: how many steps are done.
    fn bind_step(&mut self, body: &ast::Block, env: &Env) {
        if super::resolve::names_in_block(body)
            .iter()
            .any(|n| n == "step")
        {
            let step = self.ctx.step_counter(true);
            env.bind("step", Val::Tensor(step));
        }
    }

    /// `states` in what a stage does between its steps: what it and its optimizers keep, by address. A name of the file comes first.
    pub(super) fn bind_states(&mut self, stage: usize, read: &[String], env: &Env) {
        let name = "states";
        let taken = env.get(name).is_some() || self.modules[self.root].items.contains_key(name);
        if !taken && read.iter().any(|n| n == name) {
            env.bind(name, self.states_of(stage));
        }
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
                    let g = self.rows_of(v, rows, span)?;
                    out.push((n.clone(), Val::Tensor(g)));
                }
                if !out.iter().any(|f| &*f.0 == "row") {
                    out.push((rc("row"), Val::Tensor(rows)));
                }
                Ok(Val::record(out))
            }
            v => Ok(Val::Tensor(self.rows_of(v, rows, span)?)),
        }
    }

    /// The rows of a batch of one column. Those of a column on disk are read by the host.
    fn rows_of(&mut self, column: &Val, rows: Value, span: Span) -> R<Value> {
        let Some(id) = self.on_disk(column) else {
            let t = self.force(column, span)?;
            return self.op(&ops::GATHER, Attr::Axis(0), &[t, rows], span);
        };
        let slot = &self.slots[id.0 as usize];
        let (name, mut ty) = (slot.name.clone(), slot.ty.clone());
        ty.shape[0] = self.ctx.graph.ty(rows).shape[0];
        self.sized(ty.dtype, &ty.shape, span)?;
        Ok(self.ctx.rows_of(id, &name, ty))
    }
}
