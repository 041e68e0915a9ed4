//! Indexing, slices and stacks.

use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::{Attr, Value};
use crate::ops::{self};
use mlc_grammar::ast::{Expr, IndexArg};
use mlc_grammar::span::Span;

impl Session {
    /// `x[i, a..b]`
    pub(super) fn eval_index(
        &mut self,
        x: &'static Expr,
        args: &'static [IndexArg],
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let v = self.eval(x, env)?;
        self.index_value(&v, args, env, span)
    }

    /// A part of a value.
    pub(super) fn index_value(
        &mut self,
        v: &Val,
        args: &'static [IndexArg],
        env: &Env,
        span: Span,
    ) -> R<Val> {
        match v {
            Val::List(items) | Val::Tuple(items) => {
                let listed = matches!(v, Val::List(_));
                match args {
                    [IndexArg::At(i)] => match (self.eval(i, env)?, listed) {
                        (Val::Int(i), _) => {
                            let at = if i < 0 { i + items.len() as i64 } else { i };
                            return match usize::try_from(at).ok().and_then(|at| items.get(at)) {
                                Some(v) => Ok(v.clone()),
                                None => {
                                    let title =
                                        format!("index {i} is outside a list of {}", items.len());
                                    self.fail("E0307", title, span)
                                }
                            };
                        }
                        (_, true) => {}
                        (other, false) => {
                            return self
                                .known_int("an index of a tuple", &other, i.span)
                                .map(|_| v.clone());
                        }
                    },
                    _ if listed => {}
                    _ => return self.fail("E0307", "a tuple takes one index", span),
                }
            }
            Val::NetStack(items) => {
                let [IndexArg::At(i)] = args else {
                    return Err(Box::new(self.err(
                        "E0307",
                        "a stack of nets takes one index",
                        span,
                    )));
                };
                let i = self.eval_int(i, env)?;
                return match items.iter().find(|m| m.0 == i) {
                    Some(m) => Ok(m.1.clone()),
                    None => Err(Box::new(self.err(
                        "E0307",
                        format!("there is no member {i}"),
                        span,
                    ))),
                };
            }
            Val::Nets(net, count) => {
                let [IndexArg::At(i)] = args else {
                    let title = "a stack of nets takes one index";
                    return Err(Box::new(self.err("E0307", title, span)));
                };
                let at = self.eval(i, env)?;
                return self.net_of_stack(net, *count, at, i.span);
            }
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, f) in fields.iter() {
                    out.push((n.clone(), self.index_value(f, args, env, span)?));
                }
                return Ok(Val::record(out));
            }
            _ => {}
        }
        let t = self.force(v, span)?;
        Ok(Val::Tensor(self.index_tensor(t, args, env, span)?))
    }

    fn index_tensor(
        &mut self,
        mut t: Value,
        args: &'static [IndexArg],
        env: &Env,
        span: Span,
    ) -> R<Value> {
        let shape = self.ctx.graph.ty(t).shape.clone();
        if args.len() > shape.len() {
            let ty = self.ctx.graph.ty(t).to_string();
            let title = format!("{} indices on a `{ty}`", args.len());
            return Err(Box::new(self.err("E0307", title, span)));
        }
        let mut axis = 0;
        for arg in args {
            let extent = self.ctx.graph.ty(t).shape[axis];
            match arg {
                IndexArg::At(e) => {
                    let v = self.eval(e, env)?;
                    let axes;
                    (t, axes) = self.at(t, axis, &v, e.span)?;
                    axis += axes;
                }
                IndexArg::Slice {
                    start,
                    stop,
                    step,
                    span,
                } => {
                    let a = match start {
                        Some(e) => self.eval_int(e, env)?,
                        None => 0,
                    };
                    let b = match stop {
                        Some(e) => self.eval_int(e, env)?,
                        None => extent as i64,
                    };
                    let k = match step {
                        Some(e) => self.eval_int(e, env)?,
                        None => 1,
                    };
                    t = self.slice_checked(t, axis, a, b, k, *span)?;
                    axis += 1;
                }
            }
        }
        Ok(t)
    }

    /// `a..b` by `k` of an axis, ends counted from the end where negative.
    pub(super) fn slice_checked(
        &mut self,
        t: Value,
        axis: usize,
        a: i64,
        b: i64,
        k: i64,
        span: Span,
    ) -> R<Value> {
        let n = self.ctx.graph.ty(t).shape[axis] as i64;
        if k < 1 {
            let title = format!("a step of {k}");
            let hint = "steps are positive; to go backwards, write `flip(x, axis: 0)`";
            return self.fail_hint("E0307", title, span, hint);
        }
        let from_end = |i: i64| if i < 0 { i + n } else { i };
        let said = format!("the slice {a}..{b} by {k} does not fit an axis of {n}");
        let (a, b) = (from_end(a), from_end(b));
        if a < 0 || b > n || a > b {
            let title = said;
            return self.fail("E0307", title, span);
        }
        self.slice_axis(t, axis, a as usize, b as usize, k as usize, span)
    }

    pub(super) fn slice_axis(
        &mut self,
        t: Value,
        axis: usize,
        a: usize,
        b: usize,
        k: usize,
        span: Span,
    ) -> R<Value> {
        let shape = self.ctx.graph.ty(t).shape.clone();
        let mut start = vec![0; shape.len()];
        let mut stop = shape.clone();
        let mut step = vec![1; shape.len()];
        (start[axis], stop[axis], step[axis]) = (a, b, k);
        self.op(&ops::SLICE, Attr::Slice { start, stop, step }, &[t], span)
    }

    /// Equal-shaped tensors on a new axis.
    pub(super) fn stack_values(&mut self, items: &[Val], axis: usize, span: Span) -> R<Value> {
        let real = items.iter().any(|v| matches!(v, Val::Real(_)));
        let mut parts = Vec::new();
        for v in items {
            let v = match v {
                Val::Int(i) if real => Val::Real(*i as f64),
                v => v.clone(),
            };
            let t = self.force(&v, span)?;
            let mut shape = self.ctx.graph.ty(t).shape.clone();
            shape.insert(axis.min(shape.len()), 1);
            parts.push(self.op(&ops::RESHAPE, Attr::Shape(shape), &[t], span)?);
        }
        self.op(&ops::CONCAT, Attr::Axis(axis), &parts, span)
    }
}
