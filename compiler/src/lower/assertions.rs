//! `test` blocks, and the check of definitions that nothing uses.

use super::session::{Failure, ItemState, R, Session, rc};
use super::value::{Env, Val};
use crate::ir::DType;
use crate::program::{Assertion, Snapshot, TestProgram};
use mlc_grammar::ast::{self, BinaryOp, Expr, ExprKind, StmtKind};
use mlc_grammar::diag::Report;

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
        let mut assertions = Vec::new();
        let mut snapshots = Vec::new();
        let ((), program) = self.program(&format!("test {name}"), |s| {
            let env = Env::module(module).child();
            let mut failed = None;
            for stmt in &block.stmts {
                let result = match &stmt.kind {
                    StmtKind::Assert(e) => s.assertion(e, &env, &mut assertions),
                    StmtKind::Snapshot(e) => s.snapshot(e, &env, &mut snapshots),
                    _ => s.eval_steps(std::slice::from_ref(stmt), &env),
                };
                match (result, &failed) {
                    (Ok(()), _) => {}
                    (Err(r), None) => failed = Some(r),
                    (Err(r), Some(_)) => s.collected.push(*r),
                }
            }
            failed.map_or(Ok(()), Err)
        })?;
        Ok(TestProgram {
            name: name.to_string(),
            program,
            assertions,
            snapshots,
            needs,
        })
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

    /// One `snapshot`: an output for each tensor of the value.
    fn snapshot(&mut self, e: &'static Expr, env: &Env, snapshots: &mut Vec<Snapshot>) -> R<()> {
        let v = self.eval(e, env)?;
        let v = match v {
            Val::List(_) => Val::Tensor(self.force(&v, e.span)?),
            v => self.force_leaves(&v, e.span)?,
        };
        let mut parts = Vec::new();
        self.snapshot_parts("", &v, e, &mut parts)?;
        snapshots.push(Snapshot {
            span: e.span,
            text: self.sources.text(e.span).to_string(),
            parts,
        });
        Ok(())
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
