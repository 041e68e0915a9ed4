//! `test` blocks, and the check of definitions that nothing uses.

use super::items::ItemState;
use super::session::{Failure, R, Session, rc};
use super::value::{Env, Val};
use crate::ir::DType;
use crate::program::{Assertion, Kept, Snapshot, TestProgram};
use mlc_grammar::ast::{self, BinaryOp, Expr, ExprKind, StmtKind};
use mlc_grammar::diag::Report;

/// What the test that is lowered checks so far.
#[derive(Default)]
pub(super) struct Checks {
    assertions: Vec<Assertion>,
    snapshots: Vec<Snapshot>,
}

impl Session {
    /// Lowers a `test` block.
    ///
    /// # Errors
    /// The first mistake met in it.
    pub fn lower_test(&mut self, test: usize) -> Result<TestProgram, Failure> {
        let (name, block, module) = self.tests[test].clone();
        self.touched_stages.clear();
        let result = self.test_program(&name, block, module);
        result.map_err(|r| self.failure(vec![*r]))
    }

    fn needed_stages(&self, block: &ast::Block) -> Vec<usize> {
        let names = super::resolve::names_in_block(block);
        let named = |i: &usize| names.contains(&self.stages[*i].name);
        (0..self.stages.len()).filter(named).collect()
    }

    fn test_program(
        &mut self,
        name: &str,
        block: &'static ast::Block,
        module: usize,
    ) -> R<TestProgram> {
        let needs = self.needed_stages(block);
        for &n in &needs {
            self.logs_known(n)?;
        }
        self.checks = Some(Checks::default());
        let lowered = self.program(&format!("test {name}"), |s| {
            let env = Env::module(module).child();
            let mut failed = None;
            for stmt in &block.stmts {
                match (s.eval_steps(std::slice::from_ref(stmt), &env), &failed) {
                    (Ok(()), _) => {}
                    (Err(r), None) => failed = Some(r),
                    (Err(r), Some(_)) => s.collected.push(*r),
                }
            }
            failed.map_or(Ok(()), Err)
        });
        let Checks {
            assertions,
            snapshots,
        } = self.checks.take().unwrap_or_default();
        let ((), program) = lowered?;
        Ok(TestProgram {
            name: name.to_string(),
            program,
            assertions,
            snapshots,
            needs,
        })
    }

    /// `assert` and `snapshot`, at the top of a test, in a `for` over a list there, or in what it calls.
    pub(super) fn eval_check(&mut self, stmt: &'static ast::Stmt, env: &Env) -> R<()> {
        if self.depth > 0 || !self.scans.is_empty() {
            return Err(Box::new(
                self.err("E0603", "an assertion stands in a loop", stmt.span)
                    .hint("write `assert all(for x in xs { .. })`, or go over a list: `for i in list(0..3) { .. }`"),
            ));
        }
        let Some(mut checks) = self.checks.take() else {
            let title = "an assertion stands only in a `test`";
            return Err(Box::new(self.err("E0603", title, stmt.span)));
        };
        let result = match &stmt.kind {
            StmtKind::Snapshot(shot) => self.snapshot(shot, env, &mut checks.snapshots),
            StmtKind::Assert(e) => self.assertion(e, env, &mut checks.assertions),
            _ => Ok(()),
        };
        self.checks = Some(checks);
        result
    }

    /// One `assert`: outputs for its truth value, and for what to show if that is false.
    fn assertion(&mut self, e: &'static Expr, env: &Env, assertions: &mut Vec<Assertion>) -> R<()> {
        let mut shown = Vec::new();
        let v = self.eval_assertion(e, env, &mut shown)?;
        let v = match &v {
            // A check of several parts says with `holds` whether it does, and shows the others.
            Val::Record(fields) => match v.field("holds") {
                Some(holds) => {
                    for (n, part) in fields.iter().filter(|f| &*f.0 != "holds") {
                        shown.push((n.to_string(), part.clone()));
                    }
                    holds
                }
                None => v,
            },
            _ => v,
        };
        let t = self.force(&v, e.span)?;
        let ty = self.ctx.graph.ty(t).clone();
        if ty.dtype != DType::Bool || ty.rank() != 0 {
            let title = format!("an assertion is one truth value, not `{ty}`");
            return Err(Box::new(
                self.err("E0617", title, e.span)
                    .hint("for a tensor, write `all(..)`"),
            ));
        }
        let output = self.ctx.graph.outputs.len();
        self.ctx.value(&format!("assert {output}"), t);
        let mut outputs = Vec::new();
        for (text, v) in shown {
            if let Ok(t) = self.force(&v, e.span)
                && self.ctx.graph.ty(t).len() <= 16
            {
                outputs.push((text, self.ctx.graph.outputs.len()));
                let label = format!("shown {}", self.ctx.graph.outputs.len());
                self.ctx.value(&label, t);
            }
        }
        let text = self.sources.text(e.span).to_string();
        assertions.push(Assertion {
            span: e.span,
            output,
            text,
            shown: outputs,
        });
        Ok(())
    }

    /// One `snapshot`: an output for each tensor of a value, or the text of what is no value.
    fn snapshot(
        &mut self,
        snapshot: &'static ast::Snapshot,
        env: &Env,
        snapshots: &mut Vec<Snapshot>,
    ) -> R<()> {
        let (span, kept) = match snapshot {
            ast::Snapshot::Values { value, tol } => {
                let tol = tol.as_ref().map(|e| self.tolerance(e, env)).transpose()?;
                let v = self.snapshot_value(value, env)?;
                let mut parts = Vec::new();
                self.snapshot_parts("", &v, value, &mut parts)?;
                (value.span, Kept::Values { parts, tol })
            }
            ast::Snapshot::Graph(e) => {
                let v = self.snapshot_value(e, env)?;
                (e.span, Kept::Text(self.graph_text(&v)))
            }
            ast::Snapshot::Diagnostics(block) => {
                let module = env.0.module;
                (block.span, Kept::Text(self.diagnostics_text(block, module)))
            }
        };
        let kind = match snapshot {
            ast::Snapshot::Values { .. } => "",
            ast::Snapshot::Graph(_) => "graph ",
            ast::Snapshot::Diagnostics(_) => "diagnostics ",
        };
        let text = format!("{kind}{}", self.sources.text(span));
        snapshots.push(Snapshot { span, text, kept });
        Ok(())
    }

    fn snapshot_value(&mut self, e: &'static Expr, env: &Env) -> R<Val> {
        match self.eval(e, env)? {
            v @ Val::List(_) => Ok(Val::Tensor(self.force(&v, e.span)?)),
            v => self.force_leaves(&v, e.span),
        }
    }

    fn tolerance(&mut self, e: &'static Expr, env: &Env) -> R<f64> {
        let tol = match self.eval(e, env)? {
            Val::Int(i) => i as f64,
            Val::Real(x) => x,
            _ => f64::NAN,
        };
        if tol >= 0.0 {
            return Ok(tol);
        }
        let title = "the tolerance of a snapshot is a number of at least 0, known at compile time";
        self.fail("E0619", title.to_string(), e.span)
    }

    /// The graph of a value alone, after the passes.
    fn graph_text(&self, v: &Val) -> String {
        let mut g = self.ctx.graph.clone();
        let outputs = super::leaves::leaves(v).into_iter().enumerate();
        g.outputs = outputs.map(|(i, v)| (i.to_string(), v)).collect();
        let g = crate::transform::optimise(g, &[]);
        crate::ir::print::print_needed(&g)
    }

    /// What is said of the mistakes of a block, without places, which move. It is lowered as a program of its own.
    fn diagnostics_text(&mut self, block: &'static ast::Block, module: usize) -> String {
        let before = std::mem::take(&mut self.collected);
        let env = Env::module(module).child();
        let result = self.program("diagnostics", |s| s.eval_block(block, &env));
        let reports = match result {
            Ok(_) => std::mem::take(&mut self.collected),
            Err(r) => self.failure(vec![*r]).reports,
        };
        self.collected = before;
        if reports.is_empty() {
            return "nothing is wrong\n".to_string();
        }
        reports.iter().map(|r| self.said(r)).collect()
    }

    /// A report as text, with the source that its labels stand at in place of lines and columns.
    fn said(&self, r: &Report) -> String {
        let mut text = format!("[{}] {}\n", r.code, r.title);
        for l in &r.labels {
            let source = self.sources.text(l.span);
            let source = source.split_whitespace().collect::<Vec<_>>().join(" ");
            text += &format!("  `{source}`: {}\n", l.text);
        }
        let hints = crate::diag::hints_of(r);
        text.extend(hints.iter().map(|h| format!("  help: {h}\n")));
        text.extend(r.notes.iter().map(|n| format!("  note: {n}\n")));
        text
    }

    fn snapshot_parts(
        &mut self,
        name: &str,
        v: &Val,
        e: &Expr,
        parts: &mut Vec<(String, usize)>,
    ) -> R<()> {
        let below = |n: &str| match name {
            "" => n.to_string(),
            name => format!("{name}.{n}"),
        };
        match v {
            Val::Record(fields) => {
                for (n, v) in fields.iter() {
                    self.snapshot_parts(&below(n), v, e, parts)?;
                }
            }
            Val::Tuple(items) => {
                for (i, v) in items.iter().enumerate() {
                    self.snapshot_parts(&below(&i.to_string()), v, e, parts)?;
                }
            }
            v => {
                let t = self.force(v, e.span)?;
                let output = self.ctx.graph.outputs.len();
                self.ctx.value(&format!("snapshot {output}"), t);
                let name = if name.is_empty() { "value" } else { name };
                parts.push((name.to_string(), output));
            }
        }
        Ok(())
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
            let names = super::resolve::item_names(item);
            // `let _ = e` binds nothing, and is evaluated for its mistakes.
            if let (ast::ItemKind::Def(ast::Def::Let { .. }), []) = (&item.kind, names.as_slice())
                && let Err(r) = self.eval_item(self.root, item)
            {
                reports.push(*r);
            }
            for name in names {
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
