//! States of optimizers, in slots or in a record that the user carries along: `o.start(p)`, `o.step(p, g, s)`.

use super::call::Given;
use super::optimizers::{Home, OptimizerRun};
use super::session::{R, Session, rc};
use super::value::{Env, Objective, OptimizerVal, Val};
use crate::ir::{DType, Literal, Type};
use crate::program::SlotKind;
use mlc_grammar::ast;
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// `state m = e` in an optimizer.
    pub(super) fn optimizer_state(
        &mut self,
        name: &'static ast::Name,
        ty: Option<&'static ast::TypeExpr>,
        value: &'static ast::Expr,
        env: &Env,
    ) -> R<()> {
        let Some(run) = &mut self.optimizer else {
            return Ok(());
        };
        let path = format!("{}.{}", run.path(), name.text);
        run.declared.push((name.text.clone(), path.clone()));
        match &run.home {
            Home::Slots(stage) => {
                let (binder, first) = (run.binder.clone(), run.first.clone());
                let path = format!("{stage}.{path}");
                let v = match self.state_values.get(&path) {
                    Some(v) => v.clone(),
                    None => {
                        // A first value sees the parameters as the stage starts, under the name that the optimizer has for them.
                        let inner = env.child();
                        inner.bind(&binder, first);
                        let v =
                            self.first_value(&path, ty, value, &inner, &SlotKind::State, None)?;
                        self.state_values.insert(path, v.clone());
                        v
                    }
                };
                env.bind(&name.text, v);
            }
            Home::Record(record, starting) => {
                let v = match get_path(record, &path) {
                    Some(v) => v,
                    None if *starting => {
                        let v = self.eval(value, env)?;
                        let v = match ty {
                            Some(ty) => self.check_type(v, ty, env, value.span)?,
                            None => v,
                        };
                        let v = self.force_leaves(&v, value.span)?;
                        if let Some(OptimizerRun {
                            home: Home::Record(record, _),
                            ..
                        }) = &mut self.optimizer
                        {
                            *record = set_path(record, &path, v.clone());
                        }
                        v
                    }
                    None => {
                        let title = format!("the states given have no `{path}`");
                        return Err(Box::new(
                            self.err("E0644", title, name.span)
                                .hint("states are made by the same optimizer for the same parameters: `let s = o.start(p)`"),
                        ));
                    }
                };
                env.bind(&name.text, v);
            }
        }
        Ok(())
    }

    /// Is the name a state of a running optimizer that is kept in a record?
    pub(super) fn is_value_state(&self, name: &str) -> bool {
        match &self.optimizer {
            Some(OptimizerRun {
                home: Home::Record(..),
                declared,
                ..
            }) => declared.iter().any(|d| d.0 == name),
            _ => false,
        }
    }

    pub(super) fn assign_value_state(&mut self, name: &str, v: Val, env: &Env) {
        if let Some(OptimizerRun {
            home: Home::Record(record, starting),
            declared,
            ..
        }) = &mut self.optimizer
            && let Some((_, path)) = declared.iter().find(|d| d.0 == name)
        {
            // What `o.start(p)` gives are first values, before any step.
            if !*starting {
                *record = set_path(record, path, v.clone());
            }
            env.assign(name, v);
        }
    }

    /// `o.start(p)` and `o.step(p, g, s)`.
    pub(super) fn optimizer_method(
        &mut self,
        o: &Rc<OptimizerVal>,
        method: &str,
        args: Vec<Given>,
        span: Span,
    ) -> R<Val> {
        let o = self.with_arguments(o, span)?;
        let objective = args
            .iter()
            .find(|a| a.0.as_deref() == Some("f"))
            .map(|a| a.1.clone());
        let given: Vec<&Given> = args
            .iter()
            .filter(|a| a.0.as_deref() != Some("f"))
            .collect();
        let name = o.def.def.name.text.clone();
        let wrong = |s: &Self, usage: &str| {
            let title = format!("`{method}` of an optimizer is called as `{usage}`");
            Box::new(s.err("E0201", title, span))
        };
        let (p, g, home, step) = match (method, given.as_slice()) {
            ("start", [(None, p)]) => {
                let p = self.optimized(p, span)?;
                let g =
                    super::leaves::map_leaves(&p, &mut |t| self.ctx.graph.constant_like(0.0, t));
                let zero = self
                    .ctx
                    .graph
                    .fill(Literal::Int(0), Type::scalar(DType::I32));
                let home = Home::Record(Val::record(vec![(rc("step"), Val::Tensor(zero))]), true);
                (p, g, home, Val::Tensor(zero))
            }
            ("start", _) => return Err(wrong(self, "o.start(p)")),
            ("step", [(None, p), (None, g), (None, s)]) => {
                let (p, g) = (self.optimized(p, span)?, self.optimized(g, span)?);
                let s = self.force_leaves(s, span)?;
                let Some(step) = s.field("step") else {
                    let title = format!(
                        "the states of `{name}` are a record with a field `step`, not {}",
                        s.kind()
                    );
                    return Err(Box::new(
                        self.err("E0644", title, span)
                            .hint("states are made by `let s = o.start(p)`"),
                    ));
                };
                (p, g, Home::Record(s, false), step)
            }
            ("step", _) => return Err(wrong(self, "o.step(p, g, s)")),
            _ => {
                let title = format!("an optimizer has no method `{method}`");
                return Err(Box::new(
                    self.err("E0206", title, span)
                        .hint("it has `start(p)` and `step(p, g, s)`"),
                ));
            }
        };
        let starting = matches!(home, Home::Record(_, true));
        let f = match objective {
            Some(f) => Some(f),
            None if starting => Some(Val::Objective(Rc::new(Objective {
                value: None,
                at: vec![],
                form: Val::Unit,
            }))),
            None => None,
        };
        let run = OptimizerRun {
            names: vec![],
            leaf: vec![],
            first: p.clone(),
            home,
            step: step.clone(),
            objective: f.clone(),
            suffix: String::new(),
            binder: String::new(),
            declared: vec![],
        };
        let outer = self.optimizer.replace(run);
        let result = self.run_chain(&o, &p, &g, f.as_ref(), span);
        let run = std::mem::replace(&mut self.optimizer, outer);
        let new = result?;
        let Some(OptimizerRun {
            home: Home::Record(states, _),
            ..
        }) = run
        else {
            return Ok(new);
        };
        if starting {
            return Ok(states);
        }
        let t = self.force(&step, span)?;
        let one = self.ctx.graph.constant_like(1.0, t);
        let next = self.ctx.graph.add2(t, one);
        Ok(Val::tuple(vec![
            new,
            set_path(&states, "step", Val::Tensor(next)),
        ]))
    }

    /// Parameters or a gradient as a record of tensors, or one tensor.
    fn optimized(&mut self, v: &Val, span: Span) -> R<Val> {
        match v {
            Val::Net(n) | Val::Nets(n, _) => {
                let p = self.net_params(n, span)?;
                self.force_leaves(&p, span)
            }
            Val::Model(m) if m.made.is_some() => {
                let p = m
                    .made
                    .as_ref()
                    .map_or(Val::Unit, |made| self.model_params(made));
                self.force_leaves(&p, span)
            }
            Val::Int(i) => self.force_leaves(&Val::Real(*i as f64), span),
            Val::List(_) => Ok(Val::Tensor(self.force(v, span)?)),
            v => self.force_leaves(v, span),
        }
    }

    /// The objective of a step at other parameters.
    pub(super) fn call_objective(
        &mut self,
        f: &Rc<Objective>,
        args: &[Given],
        span: Span,
    ) -> R<Val> {
        let [(None, q)] = args else {
            return Err(Box::new(self.err(
                "E0201",
                "the objective takes the parameters",
                span,
            )));
        };
        let Some(value) = f.value else {
            return Ok(Val::Tensor(self.literal(&Val::Real(0.0), self.real, &[])));
        };
        let q = self.force_leaves(q, span)?;
        let mut pairs = Vec::new();
        let mut at = f.at.iter();
        self.zip_leaves(&f.form, &q, &mut |s, _, new| {
            let (Some(&old), Val::Tensor(new)) = (at.next(), new) else {
                return Err(s.forms_differ("f", span));
            };
            let (want, have) = (s.ctx.graph.ty(old).clone(), s.ctx.graph.ty(*new).clone());
            if want != have {
                let title = format!(
                    "the objective is asked for at a `{have}` where the parameter is a `{want}`"
                );
                return Err(Box::new(s.err("E0303", title, span)));
            }
            pairs.push((old, *new));
            Ok(Val::Unit)
        })?;
        let moved =
            crate::transform::substitute::substitute(&mut self.ctx.graph, &pairs, &[value], None);
        Ok(Val::Tensor(moved[0]))
    }
}

/// What lies under a path such as `w.adam.m` in nested records.
fn get_path(v: &Val, path: &str) -> Option<Val> {
    match path.split_once('.') {
        None => v.field(path),
        Some((head, rest)) => get_path(&v.field(head)?, rest),
    }
}

/// Nested records with a new value under a path; what is there keeps its place.
fn set_path(v: &Val, path: &str, new: Val) -> Val {
    let mut fields = match v {
        Val::Record(fields) => fields.to_vec(),
        _ => vec![],
    };
    let (head, rest) = match path.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    let at = fields.iter().position(|f| &*f.0 == head);
    let old = at.map_or(Val::Unit, |i| fields[i].1.clone());
    let inner = match rest {
        Some(rest) => set_path(&old, rest, new),
        None => new,
    };
    match at {
        Some(i) => fields[i].1 = inner,
        None => fields.push((rc(head), inner)),
    }
    Val::record(fields)
}
