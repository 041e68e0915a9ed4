//! `for`, `if` and `scan`.

use super::leaves::{leaves, map_leaves};
use super::models::{Lane, Plate};
use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::{Attr, DType, Literal, Type, Value};
use crate::ops;
use crate::transform::batch::batch;
use mlc_grammar::ast::{self, Else, Expr, Pattern};
use mlc_grammar::span::Span;

impl Session {
    pub(super) fn eval_for(&mut self, f: &'static ast::For, env: &Env, span: Span) -> R<Val> {
        let mut of = None;
        for (name, value) in &f.options {
            if name.text != "of" || of.is_some() {
                let title = format!("`for` has no option `{}`", name.text);
                return Err(Box::new(self.err("E0210", title, name.span)));
            }
            of = Some((value, name.span.to(value.span)));
        }
        match of {
            Some((value, at)) => self.eval_subsample(f, value, at, env, span),
            None => self.for_generators(&f.generators, &f.body, env, span),
        }
    }

    fn for_generators(
        &mut self,
        generators: &'static [(Pattern, Expr)],
        body: &'static ast::Block,
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let Some(((pattern, source), rest)) = generators.split_first() else {
            return self.eval_block(body, env);
        };
        let source_val = self.eval(source, env)?;
        self.over_lanes(&source_val, source.span, span, &mut |s, lane| {
            let inner = env.child();
            s.bind_pattern(pattern, lane, &inner)?;
            s.for_generators(rest, body, &inner, span)
        })
    }

    /// Runs `body` once for a stand-in lane of `source` and batches what it built.
    pub(super) fn over_lanes(
        &mut self,
        source: &Val,
        source_span: Span,
        span: Span,
        body: &mut dyn FnMut(&mut Self, Val) -> R<Val>,
    ) -> R<Val> {
        if let Val::List(items) = source {
            // A list is compile-time: its elements may be of any kind.
            let items = items.clone();
            let results =
                self.over_items(items.len(), span, &mut |s, i| body(s, items[i].clone()))?;
            if results.is_empty() || matches!(results[0], Val::Unit) {
                return Ok(Val::Unit);
            }
            return self.stack_vals(&results, span);
        }
        let mark = self.ctx.graph.len();
        let mut lanes: Vec<(Value, Value)> = Vec::new();
        let (n, lane) = self.make_lane(source, source_span, &mut lanes)?;
        self.marks.lanes(span, n);
        let marks = self.site_marks();
        let summed = self.summed.len();
        let tap_marks: Vec<usize> = self.taps.iter().map(|t| t.entries.len()).collect();
        let site_mark = self.expects.last().map_or(0, |e| e.sites.len());
        let factor_mark = self.expects.last().map_or(0, |e| e.factors.len());
        self.depth += 1;
        self.plates.push(Plate::new(n, Lane::All));
        let result = body(self, lane).and_then(|v| self.close_sums(summed, &marks, v));
        lanes.extend(self.plates.pop().into_iter().flat_map(|p| p.values));
        self.depth -= 1;
        let result = result?;
        let result = self.unlisted(&result, span)?;
        let result = self.force_leaves(&result, span)?;

        // Everything that leaves the region is batched together: the value, trace entries, log weights, sites.
        let mut exits = leaves(&result);
        let n_result = exits.len();
        for (h, m) in self.handlers.iter().zip(&marks) {
            for (_, v) in &h.trace[m.0..] {
                exits.extend(leaves(v));
            }
            exits.extend(&h.log_weights[m.1..]);
        }
        if let Some(e) = self.expects.last() {
            exits.extend(e.sites[site_mark..].iter().map(|s| s.node));
            exits.extend(
                e.factors[factor_mark..]
                    .iter()
                    .flat_map(super::expect::Factor::nodes),
            );
        }
        for (frame, m) in self.taps.iter().zip(&tap_marks) {
            for (_, v) in &frame.entries[*m..] {
                exits.extend(leaves(v));
            }
        }
        let too_large = |s: &Self, at: Span, lane: &Type| {
            let title = format!("{n} lanes of a `{lane}` have too many elements");
            Box::new(s.err_at("E0314", title, at, "made for every lane").hint(
                "a tensor has less than 2^31 elements; go over fewer lanes, or sum in a `scan`",
            ))
        };
        let batched = batch(&mut self.ctx.graph, mark, &lanes, &exits, n)
            .map_err(|e| too_large(self, e.span, &e.lane))?;
        let mut full = Vec::with_capacity(batched.len());
        for l in &batched {
            let ty = self.ctx.graph.ty(l.value);
            if !l.batched && ty.len().saturating_mul(n) > i32::MAX as usize {
                return Err(too_large(self, span, &ty.clone()));
            }
            full.push(l.with_axis(&mut self.ctx.graph, n));
        }
        let mut next = full[..n_result].iter();
        let value = map_leaves(&result, &mut |t| *next.next().unwrap_or(&t));
        let mut at = n_result;
        for (i, m) in marks.into_iter().enumerate() {
            for j in m.0..self.handlers[i].trace.len() {
                let v = self.handlers[i].trace[j].1.clone();
                let v = map_leaves(&v, &mut |old| {
                    at += 1;
                    self.same_origin(old, full[at - 1]);
                    full[at - 1]
                });
                self.handlers[i].trace[j].1 = v;
            }
            for j in m.1..self.handlers[i].log_weights.len() {
                let sum = self
                    .ctx
                    .graph
                    .add(&ops::SUM, Attr::Axes(vec![0]), &[full[at]]);
                self.handlers[i].log_weights[j] = sum;
                at += 1;
            }
        }
        if let Some(e) = self.expects.last_mut() {
            for s in &mut e.sites[site_mark..] {
                s.node = full[at];
                s.plates.insert(0, n);
                at += 1;
            }
        }
        self.join_factors(factor_mark, &full, &mut at);
        for (frame, m) in self.taps.iter_mut().zip(tap_marks) {
            for (_, v) in &mut frame.entries[m..] {
                *v = map_leaves(v, &mut |_| {
                    at += 1;
                    self.ctx.tapped.insert(full[at - 1]);
                    full[at - 1]
                });
            }
        }
        Ok(match value {
            Val::Dist(d) => {
                let mut d = (*d).clone();
                d.plates.insert(0, n);
                Val::Dist(std::rc::Rc::new(d))
            }
            v => v,
        })
    }

    /// How many lanes a source has, and a stand-in for one of them.
    pub(super) fn make_lane(
        &mut self,
        source: &Val,
        span: Span,
        lanes: &mut Vec<(Value, Value)>,
    ) -> R<(usize, Val)> {
        match source {
            // Numbers in brackets are a vector.
            Val::List(_) => {
                let t = self.force(source, span)?;
                self.make_lane(&Val::Tensor(t), span, lanes)
            }
            Val::Range(a, b) => {
                let n = usize::try_from(b - a).unwrap_or(0);
                if n > i32::MAX as usize {
                    return Err(Box::new(self.err(
                        "E0304",
                        format!("a range of {n} is too long"),
                        span,
                    )));
                }
                self.fits(&Val::Int(*a), DType::I32, span)?;
                self.fits(&Val::Int(*b), DType::I32, span)?;
                let iota = self.ctx.graph.add(
                    &ops::IOTA,
                    Attr::Iota {
                        shape: vec![n],
                        axis: 0,
                    },
                    &[],
                );
                let start = self
                    .ctx
                    .graph
                    .fill(Literal::Int(*a), Type::new(DType::I32, vec![n]));
                let index = if *a == 0 {
                    iota
                } else {
                    self.ctx.graph.add(&ops::ADD, Attr::None, &[iota, start])
                };
                let lane = self.ctx.lane(Type::scalar(DType::I32));
                lanes.push((lane, index));
                Ok((n, Val::Tensor(lane)))
            }
            Val::Tensor(_) | Val::Slot(_) | Val::Log(..) => {
                let t = self.force(source, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                let Some((&n, rest)) = ty.shape.split_first() else {
                    return Err(Box::new(
                        self.err(
                            "E0308",
                            format!("`for` goes over the leading axis, and `{ty}` has none"),
                            span,
                        )
                        .hint("for a number of lanes, write `for i in 0..n`"),
                    ));
                };
                let lane = self.ctx.lane(Type::new(ty.dtype, rest.to_vec()));
                lanes.push((lane, t));
                Ok((n, Val::Tensor(lane)))
            }
            Val::Tuple(items) => {
                let mut out = Vec::new();
                let mut count = None;
                for v in items.iter() {
                    let (n, lane) = self.make_lane(v, span, lanes)?;
                    self.same_lanes(&mut count, n, span)?;
                    out.push(lane);
                }
                match count {
                    Some(n) => Ok((n, Val::tuple(out))),
                    None => Err(Box::new(self.err(
                        "E0308",
                        "there is nothing to go over",
                        span,
                    ))),
                }
            }
            Val::Record(fields) => {
                let mut out = Vec::new();
                let mut count = None;
                for (name, v) in fields.iter() {
                    let (n, lane) = self.make_lane(v, span, lanes)?;
                    self.same_lanes(&mut count, n, span)?;
                    out.push((name.clone(), lane));
                }
                match count {
                    Some(n) => Ok((n, Val::record(out))),
                    None => Err(Box::new(self.err(
                        "E0308",
                        "there is nothing to go over",
                        span,
                    ))),
                }
            }
            // Distributions, one for each lane.
            Val::Dist(d) if !d.plates.is_empty() => {
                let n = d.plates[0];
                let lane = map_leaves(source, &mut |t| {
                    let ty = self.ctx.graph.ty(t).clone();
                    let lane = self.ctx.lane(Type::new(ty.dtype, ty.shape[1..].to_vec()));
                    lanes.push((lane, t));
                    lane
                });
                let Val::Dist(d) = lane else {
                    return Ok((n, lane));
                };
                let mut d = (*d).clone();
                d.plates.remove(0);
                Ok((n, Val::Dist(std::rc::Rc::new(d))))
            }
            Val::Nets(net, n) => {
                let params = self.net_params(net, span)?;
                let (_, lane) = self.make_lane(&params, span, lanes)?;
                let mut net = (**net).clone();
                (net.with, net.stack) = (Some(lane), None);
                Ok((*n, Val::Net(std::rc::Rc::new(net))))
            }
            Val::Int(n) => Err(Box::new(
                self.err(
                    "E0308",
                    "`for` goes over a tensor or a range, not a number",
                    span,
                )
                .hint(format!("write `0..{n}`")),
            )),
            other => {
                let title = format!("`for` cannot go over {}", other.kind());
                Err(Box::new(self.err("E0308", title, span)))
            }
        }
    }

    fn same_lanes(&self, count: &mut Option<usize>, n: usize, span: Span) -> R<()> {
        match *count {
            Some(m) if m != n => {
                let title = format!("lanes in step have different lengths: {m} and {n}");
                Err(Box::new(self.err("E0309", title, span)))
            }
            _ => {
                *count = Some(n);
                Ok(())
            }
        }
    }

    /// Values of equal form, stacked leaf by leaf on a new leading axis.
    pub(super) fn stack_vals(&mut self, items: &[Val], span: Span) -> R<Val> {
        match &items[0] {
            Val::Tuple(first) => {
                let mut out = Vec::new();
                for i in 0..first.len() {
                    let column: Vec<Val> = items
                        .iter()
                        .map(|v| match v {
                            Val::Tuple(x) if x.len() > i => x[i].clone(),
                            _ => Val::Unit,
                        })
                        .collect();
                    out.push(self.stack_vals(&column, span)?);
                }
                Ok(Val::tuple(out))
            }
            Val::Record(first) => {
                let mut out = Vec::new();
                for (n, _) in first.iter() {
                    let column: Vec<Val> = items
                        .iter()
                        .map(|v| v.field(n).unwrap_or(Val::Unit))
                        .collect();
                    out.push((n.clone(), self.stack_vals(&column, span)?));
                }
                Ok(Val::record(out))
            }
            Val::Dist(_) => self.stack_dists(items, span),
            _ => Ok(Val::Tensor(self.stack_values(items, 0, span)?)),
        }
    }

    pub(super) fn eval_if(
        &mut self,
        c: &'static Expr,
        a: &'static ast::Block,
        b: Option<&'static Else>,
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let cond = self.eval(c, env)?;
        let otherwise = |s: &mut Self| match b {
            Some(Else::Block(block)) => s.eval_block(block, env),
            Some(Else::If(e)) => s.eval(e, env),
            None => Ok(Val::Unit),
        };
        if let Val::Bool(known) = cond {
            return if known {
                self.eval_block(a, env)
            } else {
                otherwise(self)
            };
        }
        let cond = self.force(&cond, c.span)?;
        let ty = self.ctx.graph.ty(cond).clone();
        if ty.dtype != DType::Bool || ty.rank() != 0 {
            let hint = if ty.dtype == DType::Bool {
                "go over the elements: `for c in cs { if c { .. } else { .. } }`"
            } else {
                "compare it with something: `x > 0`"
            };
            return Err(Box::new(
                self.err(
                    "E0310",
                    format!("a condition is one truth value, not `{ty}`"),
                    c.span,
                )
                .hint(hint),
            ));
        }
        if b.is_none() {
            return Err(Box::new(self.err(
                "E0311",
                "this `if` selects a value, so it needs an `else`",
                span,
            )));
        }
        self.eval_branches(cond, a, &otherwise, env, span)
    }

    fn eval_branches(
        &mut self,
        cond: Value,
        a: &'static ast::Block,
        otherwise: &dyn Fn(&mut Self) -> R<Val>,
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let outer = self.ctx.graph.guard;
        let not = self.ctx.graph.add(&ops::NOT, Attr::None, &[cond]);
        let (yes, no) = match outer {
            None => (cond, not),
            Some(g) => {
                let both = |s: &mut Self, c: Value| {
                    s.ctx
                        .graph
                        .with_guard(None, |gr| gr.add(&ops::AND, Attr::None, &[g, c]))
                };
                (both(self, cond), both(self, not))
            }
        };
        self.ctx.graph.guard = Some(yes);
        let top = std::mem::take(&mut self.top);
        let marks = self.site_marks();
        let summed = self.summed.len();
        let x = self
            .eval_block(a, env)
            .and_then(|v| self.settle_all(&v, span));
        let sites = self.cut_sites(&marks);
        self.ctx.graph.guard = Some(no);
        let y = otherwise(self).and_then(|v| self.settle_all(&v, span));
        self.top = top;
        self.ctx.graph.guard = outer;
        let (x, y) = (x?, y?);
        if let Some(s) = self.summed.get(summed) {
            let title = format!(
                "`.{}` stands under an `if` and is to be summed over",
                s.address
            );
            return Err(Box::new(
                self.err("E0461", title, s.span)
                    .hint("draw the site above the `if`, and use it on one side"),
            ));
        }
        let others = self.cut_sites(&marks);
        self.join_sites(cond, sites, others, span)?;
        self.zip_leaves(&x, &y, &mut |s, p, q| s.select_leaf(cond, p, q, span))
    }

    /// Slots become nodes; compile-time numbers stay, so that they take the other side's type.
    fn settle_all(&mut self, v: &Val, span: Span) -> R<Val> {
        match v {
            Val::Slot(_) | Val::Log(..) => Ok(Val::Tensor(self.force(v, span)?)),
            other => Ok(other.clone()),
        }
    }

    pub(super) fn select_leaf(&mut self, cond: Value, p: &Val, q: &Val, span: Span) -> R<Val> {
        let (p, q) = match (p, q) {
            (Val::Int(i), Val::Real(_)) => (Val::Real(*i as f64), q.clone()),
            (Val::Real(_), Val::Int(i)) => (p.clone(), Val::Real(*i as f64)),
            _ => (p.clone(), q.clone()),
        };
        let ty = |s: &mut Self, v: &Val| -> R<Option<Type>> {
            Ok(if Self::is_tensor(v) {
                Some(s.force(v, span).map(|t| s.ctx.graph.ty(t).clone())?)
            } else {
                None
            })
        };
        let (tp, tq) = (ty(self, &p)?, ty(self, &q)?);
        let (x, y) = match (tp, tq) {
            (Some(t), None) if becomes(&q, t.dtype) => {
                (self.force(&p, span)?, self.literal(&q, t.dtype, &t.shape))
            }
            (None, Some(t)) if becomes(&p, t.dtype) => {
                (self.literal(&p, t.dtype, &t.shape), self.force(&q, span)?)
            }
            _ => (self.force(&p, span)?, self.force(&q, span)?),
        };
        let (tx, ty) = (self.ctx.graph.ty(x).clone(), self.ctx.graph.ty(y).clone());
        let (x, y) = match (tx.rank(), ty.rank()) {
            (0, r) if r > 0 => (self.splat(x, &ty.shape), y),
            (r, 0) if r > 0 => (x, self.splat(y, &tx.shape)),
            _ => (x, y),
        };
        if self.ctx.graph.ty(x) != self.ctx.graph.ty(y) {
            return Err(Box::new(self.err_at(
                "E0312",
                format!("the two sides of this `if` have different types: `{tx}` and `{ty}`"),
                span,
                format!("`{tx}` if so, `{ty}` if not"),
            )));
        }
        let tc = self.ctx.graph.ty(cond).clone();
        let (x, y) = if self.ctx.graph.ty(x).rank() == 0 && tc.rank() > 0 {
            (self.splat(x, &tc.shape), self.splat(y, &tc.shape))
        } else {
            (x, y)
        };
        let shape = self.ctx.graph.ty(x).shape.clone();
        if tc.rank() > 0 && tc.shape != shape {
            let title = format!("the condition is a `{tc}`, and what it selects a `{tx}`");
            return Err(Box::new(self.err("E0303", title, span)));
        }
        let c = if tc.rank() == 0 {
            self.splat(cond, &shape)
        } else {
            cond
        };
        Ok(Val::Tensor(self.op(
            &ops::SELECT,
            Attr::None,
            &[c, x, y],
            span,
        )?))
    }
}

/// Does a number known at compile time take an element type without a loss?
fn becomes(v: &Val, d: DType) -> bool {
    match v {
        Val::Int(i) => d.is_real() || d == DType::I32 && i32::try_from(*i).is_ok(),
        Val::Real(_) => d.is_real(),
        Val::Bool(_) => d == DType::Bool,
        _ => false,
    }
}
