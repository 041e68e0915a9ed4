//! What a step, an `every` block or a report logs, shows, keeps and ends by.

use super::session::{R, Session};
use super::train::KeepState;
use super::value::{Env, Val};
use crate::ir::{DType, Type, Value};
use crate::program::{Keep, Program, ReportItem, Sink};
use mlc_grammar::ast::{self, CallArg, Expr, ExprKind, StmtKind};
use mlc_grammar::span::Span;

/// How many steps in a row `skip nan` skips if it does not say.
const SKIPS: i64 = 100;

impl Session {
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
                return Err(self.logged_twice(&name, e.span));
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

    /// `skip nan, max: n`
    pub(super) fn eval_skip_nan(
        &mut self,
        most: Option<&'static Expr>,
        env: &Env,
        span: Span,
    ) -> R<()> {
        if !self.in_step() {
            return Err(self.not_at_top("skip nan", span));
        }
        let mut n = SKIPS;
        if let Some(e) = most {
            n = self.eval_int(e, env)?;
            if n < 1 {
                let title = "`skip nan` needs a positive number of steps";
                return Err(Box::new(self.err("E0607", title, e.span)));
            }
        }
        if let Some(t) = &mut self.train {
            t.skip = Some(n as usize);
            // What is logged at a step depends on whether it is skipped.
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
        if kind.text == "export" {
            return self.eval_export(args, env, span);
        }
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

    pub(super) fn report_item(
        &mut self,
        def: &'static ast::Stage,
        stmt: &'static ast::Stmt,
        nth: usize,
        env: &Env,
    ) -> R<Option<ReportItem>> {
        let StmtKind::Output { kind, args } = &stmt.kind else {
            return Err(Box::new(
                self.err(
                    "E0602",
                    "a report holds `image`, `plot`, `histogram`, `table` and `text`",
                    stmt.span,
                )
                .hint("compute values in a `compute` stage, and show them here"),
            ));
        };
        if kind.text == "export" {
            self.eval_export(args, env, stmt.span)?;
        }
        let mut item = empty_item(kind, args, &def.name.text);
        if kind.text == "text" {
            return Ok(Some(item));
        }
        let name = format!("{}.{nth}", def.name.text);
        let (columns, program) = self.program(&name, |s| {
            let env = env.child();
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
