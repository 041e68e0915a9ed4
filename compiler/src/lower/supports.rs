//! Parameters with a support: kept without bounds, and mapped into their support where they are read.
//!
//! A support is a record of functions, written in the language: `constrain` maps unconstrained reals into it, `free` back, `holds`
//! says whether a value lies in it.

use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::{Attr, DType, Value};
use crate::ops;
use crate::program::SlotId;
use mlc_grammar::ast::Expr;
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;

impl Session {
    /// A slot's value as it is kept.
    pub(super) fn raw(&mut self, id: SlotId) -> Value {
        let slot = self.slots[id.0 as usize].clone();
        self.ctx.read(id, &slot.name, &slot.ty)
    }

    /// What a kept value stands for: itself, or its image in the parameter's support.
    pub(super) fn constrained(&mut self, id: SlotId, raw: Value, span: Span) -> R<Value> {
        let Some(support) = self.supports.get(&id).cloned().filter(|_| !self.read_raw) else {
            return Ok(raw);
        };
        if let Some(&v) = self.ctx.constrained.get(&raw) {
            return Ok(v);
        }
        let v = self.through(&support, "constrain", Val::Tensor(raw), span)?;
        let v = self.force(&v, span)?;
        self.ctx.constrained.insert(raw, v);
        Ok(v)
    }

    /// What is kept of a new value of a parameter.
    pub(super) fn unconstrained(&mut self, id: SlotId, v: Value, span: Span) -> R<Value> {
        let Some(support) = self.supports.get(&id).cloned() else {
            return Ok(v);
        };
        let v = self.through(&support, "free", Val::Tensor(v), span)?;
        self.force(&v, span)
    }

    /// Calls a member of a support, outside every condition and with no effect on the streams of draws around it.
    fn through(&mut self, support: &Val, member: &str, v: Val, span: Span) -> R<Val> {
        let Some(f) = support.field(member) else {
            return Err(self.no_support(span));
        };
        let guard = self.ctx.graph.guard.take();
        let result =
            self.with_frame_key("support", span, 0, |s| s.apply(&f, vec![(None, v)], span));
        self.ctx.graph.guard = guard;
        result
    }

    fn no_support(&self, span: Span) -> Box<Report> {
        Box::new(
            self.err("E0522", "what stands after `in` is no support", span)
                .hint("supports are `real`, `positive`, `unit`, `interval(a, b)`, `simplex(k)`, `ordered(k)`, `positive_ordered(k)`, \
                       and records with the functions `constrain`, `free` and `holds`"),
        )
    }

    /// The support of a parameter; nothing for all reals.
    pub(super) fn eval_support(&mut self, e: &'static Expr, env: &Env) -> R<Option<Val>> {
        match self.eval(e, env)? {
            Val::Builtin("real") => Ok(None),
            v => {
                let whole = ["constrain", "free", "holds"]
                    .iter()
                    .all(|f| v.field(f).is_some());
                if whole {
                    Ok(Some(v))
                } else {
                    Err(self.no_support(e.span))
                }
            }
        }
    }

    /// A first value within a support, as it is kept. What is known at compile time is checked now, the rest when it is computed.
    pub(super) fn freed(&mut self, path: &str, v: &Val, support: &Val, span: Span) -> R<Val> {
        let v = match v {
            Val::Int(i) => Val::Real(*i as f64),
            Val::Real(_) => v.clone(),
            v => Val::Tensor(self.force(v, span)?),
        };
        match self.through(support, "holds", v.clone(), span)? {
            Val::Bool(true) => {}
            Val::Bool(false) => return Err(Box::new(self.outside_support(path, span))),
            other => {
                let t = self.force(&other, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                if ty.dtype != DType::Bool {
                    let title = format!("`holds` of a support gives a truth value, not `{ty}`");
                    return Err(Box::new(self.err("E0522", title, span)));
                }
                let all = Attr::Axes((0..ty.rank()).collect());
                let t = self.op(&ops::ALL, all, &[t], span)?;
                self.first_checks.insert(path.to_string(), span);
                self.ctx.value(path, t);
            }
        }
        let v = self.through(support, "free", v, span)?;
        Ok(Val::Tensor(self.force(&v, span)?))
    }

    fn outside_support(&self, path: &str, span: Span) -> Report {
        self.err(
            "E0523",
            format!("the first value of `{path}` lies outside its support"),
            span,
        )
        .hint("give a value inside; supports are open sets, so their ends do not count")
    }

    /// What to say of a first value that turned out to lie outside its parameter's support.
    pub fn wrong_first_value(&self, name: &str) -> Report {
        let span = self.first_checks.get(name).copied().unwrap_or_default();
        self.outside_support(name, span)
    }

    /// `unflatten(v, like: r)`: a vector as leaves of the form of `r`.
    pub(super) fn unflatten(&mut self, v: &Val, like: &Val, span: Span) -> R<Val> {
        let t = self.force(v, span)?;
        let like = self.force_leaves(like, span)?;
        let ty = self.ctx.graph.ty(t).clone();
        let mut total = 0;
        let mut parts = Vec::new();
        for leaf in super::leaves::leaves(&like) {
            let shape = self.ctx.graph.ty(leaf).shape.clone();
            let n: usize = shape.iter().product();
            parts.push((total, n, shape));
            total += n;
        }
        if ty.shape != [total] {
            let title = format!("a `{ty}` cannot be taken apart into leaves of {total} elements");
            return Err(Box::new(self.err("E0313", title, span)));
        }
        let mut out = Vec::new();
        for (at, n, shape) in parts {
            let part = self.slice_axis(t, 0, at, at + n, 1, span)?;
            out.push(self.ctx.graph.reshape(part, shape));
        }
        let mut next = out.into_iter();
        Ok(super::leaves::map_leaves(&like, &mut |t| {
            next.next().unwrap_or(t)
        }))
    }
}
