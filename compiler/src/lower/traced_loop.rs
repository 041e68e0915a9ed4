//! One loop node of a `scan`: its body is traced for stand-ins of the index, the carries and the slices, and cut out.

use super::eval::Frame;
use super::leaves::{leaves, map_leaves};
use super::models::{Lane, Plate};
use super::scan::{Run, Swept};
use super::session::{R, Session};
use super::value::Val;
use crate::ir::{Attr, DType, Loop, Type, Value};
use crate::ops;
use crate::transform::loops::{add_loop, part};
use crate::transform::region::cut;
use mlc_grammar::ast::{self, Pattern};
use mlc_grammar::span::Span;

impl Session {
    /// One loop node. A carry that begins as an integer known at compile time becomes real if the body makes it so.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn one_loop(
        &mut self,
        sc: &'static ast::Scan,
        count: usize,
        fulls: &[Value],
        carries: Vec<Val>,
        begin: Option<Value>,
        span: Span,
        run: &mut Run,
    ) -> R<Swept> {
        self.one_loop_of(sc, (count, Lane::All), fulls, carries, begin, span, run)
    }

    /// The same for a loop over a part of what sites are given values for.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn one_loop_of(
        &mut self,
        sc: &'static ast::Scan,
        lanes: (usize, Lane),
        fulls: &[Value],
        mut carries: Vec<Val>,
        begin: Option<Value>,
        span: Span,
        run: &mut Run,
    ) -> R<Swept> {
        let frames: Vec<Frame> = self.frames.clone();
        let marks = self.site_marks();
        loop {
            match self.trace_loop(sc, lanes, fulls, &carries, begin, span, run)? {
                Ok(swept) => return Ok(swept),
                Err(carry) => {
                    self.frames.clone_from(&frames);
                    for (h, m) in self.handlers.iter_mut().zip(&marks) {
                        h.trace.truncate(m.0);
                        h.log_weights.truncate(m.1);
                    }
                    if let Val::Int(i) = carries[carry] {
                        carries[carry] = Val::Real(i as f64);
                    }
                }
            }
        }
    }

    /// Traces the body and adds the loop; or says which carry must begin as a real number.
    #[allow(clippy::too_many_arguments)]
    fn trace_loop(
        &mut self,
        sc: &'static ast::Scan,
        (entries, lane): (usize, Lane),
        fulls: &[Value],
        carries: &[Val],
        begin: Option<Value>,
        span: Span,
        run: &mut Run,
    ) -> R<Result<Swept, usize>> {
        let mut starts = Vec::new();
        for (v, (_, e)) in carries.iter().zip(&sc.carries) {
            let v = match v {
                list @ Val::List(_) => Val::Tensor(self.force(list, e.span)?),
                v => self.force_leaves(v, e.span)?,
            };
            if !is_data(&v) {
                let title = format!("a carry is made of tensors, and this is {}", v.kind());
                return Err(Box::new(self.err("E0208", title, e.span)));
            }
            starts.push(v);
        }
        let count = match lane {
            Lane::From(first) => entries - first,
            Lane::Blocks(k) => entries / k,
            _ => entries,
        };
        let mark = self.ctx.graph.len();
        let index = self.ctx.lane(Type::scalar(DType::I32));
        let mut stand_ins: Vec<(Value, &str)> = vec![(index, "index")];
        let mut operands: Vec<Value> = begin.into_iter().collect();
        let mut held = Vec::new();
        for v in &starts {
            operands.extend(leaves(v));
            held.push(map_leaves(v, &mut |t| {
                let ty = self.ctx.graph.ty(t).clone();
                let lane = self.ctx.lane(ty);
                stand_ins.push((lane, "carry"));
                lane
            }));
        }
        let n_carries = stand_ins.len() - 1;
        let mut slices = Vec::new();
        for &t in fulls {
            let ty = self.ctx.graph.ty(t).clone();
            let lane = self.ctx.lane(Type::new(ty.dtype, ty.shape[1..].to_vec()));
            stand_ins.push((lane, "slice"));
            operands.push(t);
            slices.push(lane);
        }
        let marks = self.site_marks();
        let factor_mark = self.expects.last().map_or(0, |e| e.factors.len());
        self.depth += 1;
        let summed = self.summed.len();
        self.plates.push(Plate::new(entries, lane));
        let step = run(self, index, &slices, &held);
        let more = self.plates.pop().map_or(vec![], |p| p.values);
        self.depth -= 1;
        let step = step?;
        if self.summed.len() > summed {
            let parts = vec![
                Val::tuple(step.next.clone()),
                Val::tuple(step.yields.clone()),
            ];
            let out = Val::tuple(parts);
            if let Val::SummedOut(a) = self.close_sums(summed, &marks, out)? {
                let title = format!(
                    "the loop carries on or yields what depends on `.{a}`, which is summed over"
                );
                return Err(Box::new(self.err("E0461", title, span).hint(
                    "write the loop with one `for` and without `checkpoint`; its carry may be the site",
                )));
            }
        }
        // Values of sites that are given for all iterations are slices too.
        for (lane, full) in more {
            stand_ins.push((lane, "slice"));
            operands.push(full);
        }
        let n_slices = stand_ins.len() - 1 - n_carries;
        let mut results = Vec::new();
        for (i, (next, old)) in step.next.iter().zip(&held).enumerate() {
            match self.next_leaves(next, old, &sc.carries[i].0, &carries[i])? {
                Some(found) => results.extend(found),
                None => return Ok(Err(i)),
            }
        }
        let mut yields = Vec::new();
        for y in &step.yields {
            let y = match y {
                list @ Val::List(_) => Val::Tensor(self.force(list, span)?),
                y => self.force_leaves(y, span)?,
            };
            results.extend(leaves(&y));
            yields.push(y);
        }
        for (h, m) in self.handlers.iter().zip(&marks) {
            for (_, v) in &h.trace[m.0..] {
                results.extend(leaves(v));
            }
            results.extend(&h.log_weights[m.1..]);
        }
        if let Some(e) = self.expects.last() {
            results.extend(
                e.factors[factor_mark..]
                    .iter()
                    .flat_map(super::expect::Factor::terms),
            );
        }
        let rows = results.len() - n_carries;
        if step.go.is_some() {
            self.no_terms(factor_mark)?;
        }
        results.extend(step.go);
        let region = cut(&self.ctx.graph, mark, &stand_ins, &results);
        operands.extend(&region.captured);
        let l = Loop {
            body: region.body,
            carries: n_carries,
            slices: n_slices,
            rows,
            saved: 0,
            count,
            reverse: false,
            bounded: begin.is_some(),
        };
        self.ctx.graph.origin = self.placed(span);
        let bounded = l.bounded;
        let token = if bounded {
            let attr = Attr::Loop(crate::ir::Owned::new(l));
            self.ctx.graph.add(&ops::LOOP, attr, &operands)
        } else {
            add_loop(&mut self.ctx.graph, l, &operands)
        };
        let mut at = 0;
        let mut take = |s: &mut Self, v: &Val| {
            map_leaves(v, &mut |_| {
                at += 1;
                part(&mut s.ctx.graph, token, at - 1)
            })
        };
        let carries = held.iter().map(|v| take(self, v)).collect();
        let yields = yields.iter().map(|v| take(self, v)).collect();
        for (i, m) in marks.into_iter().enumerate() {
            for j in m.0..self.handlers[i].trace.len() {
                let v = self.handlers[i].trace[j].1.clone();
                let all = take(self, &v);
                for (old, new) in leaves(&v).into_iter().zip(leaves(&all)) {
                    self.same_origin(old, new);
                }
                self.handlers[i].trace[j].1 = all;
            }
            for j in m.1..self.handlers[i].log_weights.len() {
                let v = Val::Tensor(self.handlers[i].log_weights[j]);
                let all = take(self, &v);
                let all = self.force(&all, span)?;
                self.handlers[i].log_weights[j] = self.ctx.graph.sum(all, vec![0]);
            }
        }
        self.loop_factors(factor_mark, token, &mut at);
        Ok(Ok(Swept { carries, yields }))
    }

    /// The leaves of a carry's next value, which must have the form it began with. `None` if it began as an integer known at
    /// compile time and becomes real.
    fn next_leaves(
        &mut self,
        next: &Val,
        old: &Val,
        pattern: &Pattern,
        start: &Val,
    ) -> R<Option<Vec<Value>>> {
        let span = pattern.span;
        let name = self.sources.text(span).to_string();
        let next = match next {
            // A compile-time number takes the carry's type.
            Val::Int(_) | Val::Real(_) | Val::Bool(_) => {
                let want = leaves(old);
                let ty = match want.as_slice() {
                    [t] => self.ctx.graph.ty(*t).clone(),
                    _ => Type::scalar(self.real),
                };
                let fits = match next {
                    Val::Real(_) => ty.dtype.is_real(),
                    Val::Int(_) => ty.dtype != DType::Bool,
                    _ => ty.dtype == DType::Bool,
                };
                if fits && ty.rank() == 0 {
                    Val::Tensor(self.literal(next, ty.dtype, &[]))
                } else {
                    self.force_leaves(next, span)?
                }
            }
            list @ Val::List(_) => Val::Tensor(self.force(list, span)?),
            v => self.force_leaves(v, span)?,
        };
        let mut fits = true;
        self.zip_leaves(old, &next, &mut |s, o, n| {
            fits &= match (o, n) {
                (Val::Tensor(o), Val::Tensor(n)) => s.ctx.graph.ty(*o) == s.ctx.graph.ty(*n),
                _ => false,
            };
            Ok(Val::Unit)
        })?;
        if fits {
            return Ok(Some(leaves(&next)));
        }
        let found = self.described(&next);
        if matches!(start, Val::Int(_))
            && let [t] = leaves(&next).as_slice()
            && *self.ctx.graph.ty(*t) == Type::scalar(self.real)
        {
            return Ok(None);
        }
        let title = format!("the carry `{name}` changes its type");
        let began = self.described(old);
        Err(Box::new(
            self.err_at("E0212", title, span, format!("begins as {began}, becomes {found}"))
                .hint("begin with a value of the type that `next` gives, e.g. `zeros(n)`; `unroll: true` lets a carry change"),
        ))
    }

    /// A value's type in words.
    fn described(&self, v: &Val) -> String {
        match v {
            Val::Tensor(t) => format!("`{}`", self.ctx.graph.ty(*t)),
            Val::Tuple(items) => {
                let parts: Vec<String> = items.iter().map(|v| self.described(v)).collect();
                format!("({})", parts.join(", "))
            }
            Val::Record(fields) => {
                let parts: Vec<String> = fields
                    .iter()
                    .map(|(n, v)| format!("{n}: {}", self.described(v)))
                    .collect();
                format!("{{{}}}", parts.join(", "))
            }
            other => other.kind().to_string(),
        }
    }
}

/// Are all leaves tensors?
fn is_data(v: &Val) -> bool {
    match v {
        Val::Tensor(_) => true,
        Val::Tuple(items) => items.iter().all(is_data),
        Val::Record(fields) => fields.iter().all(|f| is_data(&f.1)),
        _ => false,
    }
}
