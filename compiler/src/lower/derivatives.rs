//! `grad`, `jvp` and what they are taken with respect to.

use super::leaves::{leaves, map_leaves};
use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::{Attr, Value};
use crate::ops;
use mlc_grammar::ast::{CallArg, Expr, ExprKind};
use mlc_grammar::span::Span;

impl Session {
    /// `grad(e, wrt: x)` and its kin.
    pub(super) fn eval_derivative(
        &mut self,
        name: &str,
        args: &'static [CallArg],
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let get = |label: &str| {
            args.iter()
                .find(|a| a.name.as_ref().is_some_and(|n| n.text == label))
                .map(|a| &a.value)
        };
        let Some(e) = args.iter().find(|a| a.name.is_none()).map(|a| &a.value) else {
            return Err(Box::new(self.err(
                "E0201",
                format!("`{name}` takes an expression"),
                span,
            )));
        };
        let Some(wrt) = get("wrt") else {
            return Err(Box::new(
                self.err("E0201", format!("`{name}` needs `wrt:`"), span)
                    .hint(format!("write `{name}(e, wrt: x)`")),
            ));
        };
        let targets: Vec<&'static Expr> = match &wrt.kind {
            ExprKind::Tuple(items) => items.iter().collect(),
            _ => vec![wrt],
        };
        let mut points = Vec::new();
        for t in &targets {
            points.push(self.derivative_point(t, env)?);
        }
        let value = self.eval(e, env)?;
        let value = self.force_leaves(&value, e.span)?;
        let point = Val::tuple(points.clone());
        let wrts = leaves(&point);
        let shaped = |new: Vec<Value>| {
            let mut next = new.into_iter();
            let mut vals: Vec<Val> = points
                .iter()
                .map(|p| map_leaves(p, &mut |t| next.next().unwrap_or(t)))
                .collect();
            match (&wrt.kind, vals.len()) {
                (ExprKind::Tuple(_), _) => Val::tuple(vals),
                _ => vals.swap_remove(0),
            }
        };
        if name == "jvp" {
            let Some(along) = get("along") else {
                return Err(Box::new(self.err("E0201", "`jvp` needs `along:`", span)));
            };
            let v = self.eval_direction(along, env)?;
            let pairs = self.paired(&wrts, &v, along.span)?;
            let outs = leaves(&value);
            self.check_affine(&outs, &wrts, e.span, "differentiated here")?;
            self.check_kinds(&outs, e.span, "differentiated here")?;
            let ts = crate::transform::differentiate::jvp(&mut self.ctx.graph, &outs, &pairs)
                .map_err(|r| Box::new(self.refused(r)))?;
            let mut next = Vec::new();
            for (o, t) in outs.iter().zip(ts) {
                next.push(t.unwrap_or_else(|| self.ctx.graph.constant_like(0.0, *o)));
            }
            let mut it = next.into_iter();
            return Ok(map_leaves(&value, &mut |t| it.next().unwrap_or(t)));
        }
        if name == "jacobian" {
            return self.jacobian(
                &value,
                &points,
                matches!(wrt.kind, ExprKind::Tuple(_)),
                e.span,
            );
        }
        let outs = leaves(&value);
        let seeds: Vec<(Value, Value)> = if name == "vjp" {
            let Some(by) = get("by") else {
                return Err(Box::new(self.err("E0201", "`vjp` needs `by:`", span)));
            };
            let v = self.eval_direction(by, env)?;
            self.paired(&outs, &v, by.span)?
        } else {
            let [y] = outs.as_slice() else {
                return Err(Box::new(self.err(
                    "E0613",
                    format!("`{name}` takes one real number"),
                    e.span,
                )));
            };
            let ty = self.ctx.graph.ty(*y).clone();
            if ty.rank() != 0 || !ty.dtype.is_real() {
                return Err(Box::new(
                    self.err(
                        "E0613",
                        format!("`{name}` takes one real number, not `{ty}`"),
                        e.span,
                    )
                    .hint("sum it, or use `vjp(e, wrt:, by:)`"),
                ));
            }
            vec![(*y, self.ctx.graph.constant_like(1.0, *y))]
        };
        let mut grads = Vec::new();
        for (g, &w) in self.gradients(&seeds, &wrts, span)?.into_iter().zip(&wrts) {
            grads.push(g.unwrap_or_else(|| self.ctx.graph.constant_like(0.0, w)));
        }
        match name {
            "hessian" | "laplacian" => self.second(name, &grads, &wrts, span),
            "value_and_grad" => Ok(Val::tuple(vec![value, shaped(grads)])),
            "hvp" => {
                let Some(along) = get("along") else {
                    return Err(Box::new(self.err("E0201", "`hvp` needs `along:`", span)));
                };
                let v = self.eval_direction(along, env)?;
                let pairs = self.paired(&grads, &v, along.span)?;
                let mut second = Vec::new();
                for (h, &w) in self.gradients(&pairs, &wrts, span)?.into_iter().zip(&wrts) {
                    second.push(h.unwrap_or_else(|| self.ctx.graph.constant_like(0.0, w)));
                }
                Ok(shaped(second))
            }
            _ => Ok(shaped(grads)),
        }
    }

    /// The leaves of a direction. A list of numbers is a vector.
    fn eval_direction(&mut self, e: &'static Expr, env: &Env) -> R<Vec<Value>> {
        let v = match self.eval(e, env)? {
            list @ Val::List(_) => Val::Tensor(self.force(&list, e.span)?),
            v => self.force_leaves(&v, e.span)?,
        };
        Ok(leaves(&v))
    }

    fn paired(&self, a: &[Value], b: &[Value], span: Span) -> R<Vec<(Value, Value)>> {
        let fits = a.len() == b.len()
            && a.iter()
                .zip(b)
                .all(|(x, y)| self.ctx.graph.ty(*x) == self.ctx.graph.ty(*y));
        if !fits {
            return Err(Box::new(self.err(
                "E0303",
                "the direction has another form than what it is for",
                span,
            )));
        }
        Ok(a.iter().copied().zip(b.iter().copied()).collect())
    }

    /// What a name of `wrt:` stands for: its binding's leaves.
    fn derivative_point(&mut self, e: &'static Expr, env: &Env) -> R<Val> {
        if super::resolve::path_text(e).is_none() {
            return Err(Box::new(
                self.err("E0431", "`wrt:` takes names in scope", e.span)
                    .hint("bind the value first: `let x = ..`"),
            ));
        }
        let v = self.eval(e, env)?;
        self.point_of(&v, e.span)
    }

    /// The leaves that a derivative by a value is taken by: of nets and of models that keep parameters, these.
    fn point_of(&mut self, v: &Val, span: Span) -> R<Val> {
        match v {
            Val::Net(n) => {
                let p = self.net_params(n, span)?;
                self.force_leaves(&p, span)
            }
            Val::Record(fields) => {
                let mut points = Vec::with_capacity(fields.len());
                for (n, v) in fields.iter() {
                    points.push((n.clone(), self.point_of(v, span)?));
                }
                Ok(Val::record(points))
            }
            Val::Tuple(items) => {
                let points: R<Vec<Val>> = items.iter().map(|v| self.point_of(v, span)).collect();
                Ok(Val::tuple(points?))
            }
            Val::Model(m) if m.made.is_some() => {
                let p = m
                    .made
                    .as_ref()
                    .map_or(Val::Unit, |made| self.model_params(made));
                self.force_leaves(&p, span)
            }
            v => {
                let v = self.force_leaves(v, span)?;
                if leaves(&v)
                    .iter()
                    .any(|t| !self.ctx.graph.ty(*t).dtype.is_real())
                {
                    return Err(Box::new(self.err(
                        "E0431",
                        "a derivative is with respect to reals",
                        span,
                    )));
                }
                Ok(v)
            }
        }
    }

    /// Row `i` of the identity, in the shape given.
    fn basis(&mut self, i: &Val, like: Value, span: Span) -> R<Value> {
        let ty = self.ctx.graph.ty(like).clone();
        let n = ty.len();
        let at = self.force(i, span)?;
        let iota = Attr::Iota {
            shape: vec![n],
            axis: 0,
        };
        let index = self.op(&ops::IOTA, iota, &[], span)?;
        let at = self.splat(at, &[n]);
        let hit = self.op(&ops::EQ, Attr::None, &[index, at], span)?;
        let row = self.ctx.graph.cast(hit, ty.dtype);
        Ok(self.ctx.graph.reshape(row, ty.shape))
    }

    /// `jacobian(e, wrt: x)`: a tensor with the axes of `e`, then those of `x`; of several, or of a record, as many.
    fn jacobian(&mut self, value: &Val, points: &[Val], tuple: bool, span: Span) -> R<Val> {
        let y = match leaves(value).as_slice() {
            [y] if self.ctx.graph.ty(*y).dtype.is_real() => *y,
            _ => {
                let title = "`jacobian` takes one tensor of reals";
                return Err(Box::new(
                    self.err("E0613", title, span)
                        .hint("make one of several: `flatten(r)`, `concat(a, b)`"),
                ));
            }
        };
        let ty = self.ctx.graph.ty(y).clone();
        let point = Val::tuple(points.to_vec());
        let wrts = leaves(&point);
        let lanes = Val::Range(0, ty.len() as i64);
        let rows = self.over_lanes(&lanes, span, span, &mut |s, lane| {
            let seed = s.basis(&lane, y, span)?;
            let found = s.gradients(&[(y, seed)], &wrts, span)?;
            let mut found = found.into_iter().zip(&wrts).map(|(g, w)| match g {
                Some(g) => g,
                None => s.ctx.graph.constant_like(0.0, *w),
            });
            let rows: Vec<Value> = found.by_ref().collect();
            let mut next = rows.into_iter();
            Ok(map_leaves(&point, &mut |t| next.next().unwrap_or(t)))
        })?;
        let shaped = map_leaves(&rows, &mut |t| {
            let rest = self.ctx.graph.ty(t).shape[1..].to_vec();
            let shape = ty.shape.iter().copied().chain(rest).collect();
            self.ctx.graph.reshape(t, shape)
        });
        Ok(match shaped {
            Val::Tuple(items) if !tuple => items[0].clone(),
            v => v,
        })
    }

    /// `hessian(e, wrt: x)`: the axes of `x` twice. `laplacian`: the sum of its diagonal, over all that `wrt` names.
    fn second(&mut self, name: &str, grads: &[Value], wrts: &[Value], span: Span) -> R<Val> {
        if name == "hessian" {
            let ([g], [w]) = (grads, wrts) else {
                let title = "`hessian` is by one tensor";
                return Err(Box::new(self.err("E0431", title, span).hint(
                    "`hvp(e, wrt:, along:)` multiplies by the Hessian of records; or differentiate by `flatten(r)`",
                )));
            };
            let (value, point) = (Val::Tensor(*g), Val::Tensor(*w));
            return self.jacobian(&value, &[point], false, span);
        }
        let mut total: Option<Val> = None;
        for (&g, &w) in grads.iter().zip(wrts) {
            let n = self.ctx.graph.ty(w).len() as i64;
            let terms = self.over_lanes(&Val::Range(0, n), span, span, &mut |s, lane| {
                let v = s.basis(&lane, w, span)?;
                let h = match s.gradients(&[(g, v)], &[w], span)?[0] {
                    Some(h) => h,
                    None => s.ctx.graph.constant_like(0.0, w),
                };
                let p = s.op(&ops::MUL, Attr::None, &[h, v], span)?;
                s.sum_all(&Val::Tensor(p), span)
            })?;
            let sum = self.sum_all(&terms, span)?;
            total = Some(match total {
                Some(t) => {
                    self.binary(mlc_grammar::ast::BinaryOp::Add, t, sum, span, span, span)?
                }
                None => sum,
            });
        }
        Ok(total.unwrap_or(Val::Real(0.0)))
    }
}
