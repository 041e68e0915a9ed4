//! Indexing, slices and stacks.

use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::{Attr, DType, Value};
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
                let [IndexArg::At(i)] = args else {
                    return Err(Box::new(self.err("E0307", "a list takes one index", span)));
                };
                let index = self.eval(i, env)?;
                if let (Val::List(_), Val::Tensor(_) | Val::Slot(_)) = (v, &index) {
                    // Of a list of tensors, the run chooses.
                    let (t, at) = (self.force(v, span)?, self.force(&index, i.span)?);
                    return Ok(Val::Tensor(self.op(&ops::GATHER, Attr::Axis(0), &[t, at], span)?));
                }
                let i = self.known_int(index, i.span)?;
                let at = if i < 0 { i + items.len() as i64 } else { i };
                return match usize::try_from(at).ok().and_then(|at| items.get(at)) {
                    Some(v) => Ok(v.clone()),
                    None => {
                        let title = format!("index {i} is outside a list of {}", items.len());
                        Err(Box::new(self.err("E0307", title, span)))
                    }
                };
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
                IndexArg::At(e) => match self.eval(e, env)? {
                    Val::Int(i) => {
                        let at = if i < 0 { i + extent as i64 } else { i };
                        if at < 0 || at >= extent as i64 {
                            let title = format!("index {i} is outside an axis of {extent}");
                            return Err(Box::new(self.err("E0307", title, e.span)));
                        }
                        t = self.slice_axis(t, axis, at as usize, at as usize + 1, 1, span)?;
                        let mut shape = self.ctx.graph.ty(t).shape.clone();
                        shape.remove(axis);
                        t = self.op(&ops::RESHAPE, Attr::Shape(shape), &[t], span)?;
                    }
                    Val::Real(_) => {
                        return Err(Box::new(
                            self.err("E0307", "an index is an integer", e.span)
                                .hint("write `int(x)`"),
                        ));
                    }
                    Val::Range(a, b) => {
                        t = self.slice_checked(t, axis, a, b, 1, e.span)?;
                        axis += 1;
                    }
                    other => {
                        let i = self.force(&other, e.span)?;
                        let ty = self.ctx.graph.ty(i).clone();
                        if ty.dtype != DType::I32 {
                            return Err(Box::new(
                                self.err(
                                    "E0307",
                                    format!("an index is an integer, not `{ty}`"),
                                    e.span,
                                )
                                .hint("write `int(x)`, or one_hot for a derivative"),
                            ));
                        }
                        t = self.op(&ops::GATHER, Attr::Axis(axis), &[t, i], span)?;
                        axis += ty.rank();
                    }
                },
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

    fn slice_checked(
        &mut self,
        t: Value,
        axis: usize,
        a: i64,
        b: i64,
        k: i64,
        span: Span,
    ) -> R<Value> {
        let n = self.ctx.graph.ty(t).shape[axis] as i64;
        let (a, b) = (if a < 0 { a + n } else { a }, if b < 0 { b + n } else { b });
        if a < 0 || b > n || a > b || k < 1 {
            let title = format!("the slice {a}..{b} by {k} does not fit an axis of {n}");
            return Err(Box::new(self.err("E0307", title, span)));
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

    /// Equal-shaped tensors on a new axis (`axis` 0, or the last when it is their rank).
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
