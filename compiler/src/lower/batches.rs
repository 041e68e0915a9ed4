//! Batches of a table, and how their size changes.

use super::call::Given;
use super::session::{Failure, R, Session};
use super::train::program_logs;
use super::value::{BatchSource, Env, Val};
use crate::interp;
use crate::ir::{DType, Type};
use crate::program::{BatchSize, Program};
use mlc_grammar::ast::{self, CallArg, Expr};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// The most rows of a batch for which a step is lowered before the size is known.
const UNKNOWN_SIZE: usize = 32;

impl Session {
    /// `table.batch(size: e)`: what `e` is, is asked again between steps. Nothing if this is another call.
    pub(super) fn sized_batches(
        &mut self,
        callee: &Val,
        args: &'static [CallArg],
        env: &Env,
    ) -> R<Option<Val>> {
        let Val::Method(method) = callee else {
            return Ok(None);
        };
        let named = |name: &str| {
            let mut all = args.iter();
            all.find(|a| a.name.as_ref().is_some_and(|n| n.text == name))
        };
        let (on @ (Val::Record(_) | Val::Slot(_) | Val::Source(_)), "batch", Some(size)) =
            (&method.0, &*method.1, named("size"))
        else {
            return Ok(None);
        };
        let mut source = match on {
            Val::Source(s) => (**s).clone(),
            table => BatchSource::whole(table.clone()),
        };
        source.size = Some((&size.value, env.clone()));
        source.batch = None;
        for a in args {
            match a.name.as_ref().map(|n| n.text.as_str()) {
                Some("size") if std::ptr::eq(a, size) => {}
                Some("last") if matches!(self.eval(&a.value, env)?, Val::Str(s) if &*s == "drop") =>
                {
                    source.drop_last = true;
                }
                _ => {
                    return Err(Box::new(self.err(
                        "E0201",
                        "`batch` takes a size and `last: drop`",
                        a.value.span,
                    )));
                }
            }
        }
        Ok(Some(Val::Source(Rc::new(source))))
    }

    /// The size of the first batch, or another possible one if it is not known before the stage runs.
    pub(super) fn first_size(
        &mut self,
        stage: usize,
        e: &'static Expr,
        env: &Env,
        rows: usize,
    ) -> R<usize> {
        let unknown = rows.min(UNKNOWN_SIZE);
        let env = env.child();
        env.bind("step", Val::Int(0));
        let def = self.stage_asts[stage];
        let tree = self.modules[self.root].tree;
        let states: Vec<&'static ast::Def> = def
            .body
            .stmts
            .iter()
            .filter_map(|s| match &s.kind {
                ast::StmtKind::Def(d) => Some(d),
                _ => None,
            })
            .chain(tree.items.iter().filter_map(|i| match &i.kind {
                ast::ItemKind::Def(d) => Some(d),
                _ => None,
            }))
            .collect();
        for read in super::resolve::names_in(e) {
            let found = states.iter().find_map(|d| match d {
                ast::Def::State { name, value, .. } if name.text == read => Some(value),
                _ => None,
            });
            if let Some(value) = found {
                let within = self.stage_env(stage);
                match self.in_init(|s| s.eval(value, &within)) {
                    Ok(v @ Val::Int(_)) => env.bind(&read, v),
                    _ => return Ok(unknown),
                }
            }
        }
        let Ok((_, program)) = self.program("first size", |s| s.size_value(e, &env)) else {
            // Told of where the size itself is lowered.
            return Ok(unknown);
        };
        if !program.sources.is_empty() {
            return Ok(unknown);
        }
        let value = interp::eval(&program.graph, &[])[0].values()[0] as i64;
        match usize::try_from(value) {
            Ok(n) if (1..=rows).contains(&n) => Ok(n),
            // Another stage may leave a better one.
            _ if !self.stages[stage].after.is_empty() => Ok(unknown),
            _ => Err(Box::new(self.wrong_size(e.span, value, rows))),
        }
    }

    fn size_value(&mut self, e: &'static Expr, env: &Env) -> R<()> {
        let v = self.eval(e, env)?;
        let kind = v.kind();
        let wrong = |s: &Self, what: String| {
            Box::new(
                s.err(
                    "E0201",
                    format!("the size of a batch is one `int`, not {what}"),
                    e.span,
                )
                .hint("write `batch(size: n)` with `state n = 32`"),
            )
        };
        if matches!(v, Val::Real(_) | Val::Bool(_) | Val::Record(_) | Val::Fn(_)) {
            return Err(wrong(self, kind.to_string()));
        }
        let t = self.force(&v, e.span)?;
        let ty = self.ctx.graph.ty(t).clone();
        if ty != Type::scalar(DType::I32) {
            return Err(wrong(self, format!("`{ty}`")));
        }
        self.ctx.value("size", t);
        Ok(())
    }

    /// The program that gives the size of the next batch.
    pub(super) fn size_program(
        &mut self,
        stage: &str,
        e: &'static Expr,
        env: &Env,
    ) -> R<BatchSize> {
        let env = env.child();
        let ((), program) = self.program(&format!("{stage}.size"), |s| {
            if super::resolve::names_in(e).iter().any(|n| n == "step") {
                let step = s.ctx.step_counter(true);
                env.bind("step", Val::Tensor(step));
            }
            s.size_value(e, &env)
        })?;
        Ok(BatchSize {
            program,
            span: e.span,
        })
    }

    /// Lowers the step of a stage that was lowered before for batches of another size.
    ///
    /// # Errors
    /// If the step does not fit batches of that size.
    pub fn lower_size(
        &mut self,
        stage: usize,
        first: &Program,
        size: usize,
    ) -> Result<Program, Failure> {
        let result = self.lower_step(stage, size);
        self.train = None;
        match result {
            Ok((program, _)) => {
                self.compare_logs(stage, first, &program);
                Ok(program)
            }
            Err(r) => {
                let note = format!("this is the step for batches of {size} rows");
                Err(self.failure(vec![r.note(note)]))
            }
        }
    }

    /// Remembers which logged values depend in shape on the size of the batch.
    pub(super) fn compare_logs(&mut self, stage: usize, one: &Program, other: &Program) {
        let known = program_logs(one, 1);
        for log in program_logs(other, 1) {
            if !known.contains(&log) {
                self.ragged_logs.insert((stage, log.0));
            }
        }
    }

    /// A size that no batch can have.
    pub fn wrong_size(&self, span: Span, value: i64, rows: usize) -> Report {
        let text = self.sources.text(span);
        self.err_at(
            "E0648",
            format!("the batch size `{text}` is {value}"),
            span,
            format!("a batch of this table has 1 to {rows} rows"),
        )
        .hint(format!(
            "keep it there: `batch(size: clip({text}, 1, {rows}))`"
        ))
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
            table => BatchSource::whole(table.clone()),
        };
        match (name, args.as_slice()) {
            ("shuffle", []) => source.shuffle = true,
            ("batch", [(None, Val::Int(n)), rest @ ..]) if *n > 0 => {
                source.batch = Some(*n as usize);
                source.size = None;
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
}
