//! A summed site that a `scan` carries on: the forward algorithm (Rabiner 1989, equations 19 to 21).
//!
//! scan (z = z0) for y in ys { s ~ d(z); ..; next z = f(s) }
//! ⇒ a_1[k] = w(z0, k);  a_t[k] = logsumexp_j (a_{t-1}[j] + w_t(f(j), k))
//!
//! where w_t(z, k) is what an iteration adds to the log density. The first iteration stands outside the loop, since z0 need not be
//! the carry of any value of the site. In the loop the carry is the vector a. Behind it the last site is still summed over: its
//! carry may be used, and has the weight a_n.

use super::branches::{Added, Marks};
use super::{Lane, Plate, Summed};
use crate::ir::{Attr, DType, Value};
use crate::lower::leaves::{leaves, map_leaves};
use crate::lower::scan::{Run, Step, Swept};
use crate::lower::session::{R, Session};
use crate::lower::value::Val;
use crate::ops;
use mlc_grammar::ast;
use mlc_grammar::span::Span;

impl Session {
    /// May a site in a loop here be one that is summed over?
    pub(in crate::lower) fn sums_here(&self) -> bool {
        self.handlers
            .last()
            .is_some_and(|h| h.open && !h.how.sums.is_empty())
    }

    /// A `scan` through which a summed site is carried on; nothing if no carry depends on one.
    pub(in crate::lower) fn chained(
        &mut self,
        sc: &'static ast::Scan,
        count: usize,
        fulls: &[Value],
        carries: &[Val],
        span: Span,
        run: &mut Run,
    ) -> R<Option<Swept>> {
        if count == 0 {
            return Ok(None);
        }
        let marks = self.site_marks();
        let before = self.summed.len();
        // The first iteration.
        let index = self.literal(&Val::Int(0), DType::I32, &[]);
        let mut rows = Vec::new();
        for &t in fulls {
            let rest = self.ctx.graph.ty(t).shape[1..].to_vec();
            let row = self.slice_axis(t, 0, 0, 1, 1, span)?;
            rows.push(self.ctx.graph.reshape(row, rest));
        }
        self.plates.push(Plate::new(count, Lane::One(0)));
        let step = run(self, index, &rows, carries);
        self.plates.pop();
        let step = step?;
        let carried: Vec<bool> = {
            let met: Vec<Value> = stand_ins(&self.summed[before..]);
            let reached = self.reached(&met);
            step.next
                .iter()
                .map(|v| !met.is_empty() && reached.any(v))
                .collect()
        };
        if !carried.contains(&true) {
            self.cut_sites(&marks);
            self.summed.truncate(before);
            return Ok(None);
        }
        let site = self.one_carried(before, &step.next, &marks, span)?;
        self.stays(&site, &step.yields, span)?;
        let mut states = Vec::new();
        for (v, c) in step.next.iter().zip(&carried) {
            if *c {
                let v = self.force_leaves(v, span)?;
                let all = self.batched_over(&site, &leaves(&v))?;
                states.push(Some((v, all)));
            } else {
                states.push(None);
            }
        }
        let (handler, alpha) = self.weights_by_value(&site, &[], &marks)?;
        let first: Vec<Added> = self.cut_sites(&marks);
        let place = carried.iter().position(|c| *c).unwrap_or(0);
        let mut begin = step.next.clone();
        for (i, c) in carried.iter().enumerate() {
            if *c {
                begin[i] = Val::Real(0.0);
            }
        }
        begin[place] = Val::Tensor(alpha);
        let swept = if count == 1 {
            Swept {
                carries: begin,
                yields: vec![],
            }
        } else {
            let mut more = Vec::new();
            for &t in fulls {
                more.push(self.slice_axis(t, 0, 1, count, 1, span)?);
            }
            let mut run_rest = |s: &mut Self, i: Value, slices: &[Value], held: &[Val]| {
                let one = s.literal(&Val::Int(1), DType::I32, &[]);
                let index = s.op(&ops::ADD, Attr::None, &[i, one], span)?;
                s.later(&site, &states, place, index, slices, held, span, run)
            };
            self.one_loop_of(
                sc,
                (count, Lane::From(1)),
                &more,
                begin,
                None,
                span,
                &mut run_rest,
            )?
        };
        self.prepend(first, &marks, Self::with_first, span)?;
        let mut yields = Vec::new();
        for (i, y) in step.yields.iter().enumerate() {
            let y = self.force_leaves(y, span)?;
            let mut rest = swept.yields.get(i).map_or(vec![], leaves).into_iter();
            yields.push(map_leaves(&y, &mut |t| self.with_first(t, rest.next())));
        }
        // Behind the loop: the last site, summed over where the block around the loop ends.
        let alpha = self.force(&swept.carries[place], span)?;
        let ty = self.ctx.graph.ty(alpha).clone();
        let weight = self.ctx.lane(crate::ir::Type::scalar(ty.dtype));
        let mut lanes = vec![(weight, alpha)];
        let mut out = swept.carries;
        for (i, state) in states.iter().enumerate() {
            if let Some((v, all)) = state {
                let mut next = all.iter();
                out[i] = map_leaves(v, &mut |t| {
                    let lane = self.ctx.lane(self.ctx.graph.ty(t).clone());
                    lanes.extend(next.next().map(|full| (lane, *full)));
                    lane
                });
            }
        }
        self.handlers[handler].log_weights.push(weight);
        self.summed.push(Summed { lanes, ..site });
        Ok(Some(Swept {
            carries: out,
            yields,
        }))
    }

    /// An iteration after the first: the carry is the vector of log weights.
    #[allow(clippy::too_many_arguments)]
    fn later(
        &mut self,
        site: &Summed,
        states: &[Option<(Val, Vec<Value>)>],
        place: usize,
        index: Value,
        slices: &[Value],
        held: &[Val],
        span: Span,
        run: &mut Run,
    ) -> R<Step> {
        let marks = self.site_marks();
        let before = self.summed.len();
        let alpha = self.force(&held[place], span)?;
        let mut previous = Vec::new();
        let mut actual = held.to_vec();
        for (i, state) in states.iter().enumerate() {
            if let Some((v, all)) = state {
                let mut next = all.iter();
                actual[i] = map_leaves(v, &mut |t| {
                    let lane = self.ctx.lane(self.ctx.graph.ty(t).clone());
                    previous.extend(next.next().map(|full| (lane, *full)));
                    lane
                });
            }
        }
        let step = run(self, index, slices, &actual)?;
        let now = self.one_carried(before, &step.next, &marks, span)?;
        self.fits_width(&now, site.count.saturating_mul(now.count))?;
        // The carry depends on the site, and on nothing else that changes.
        let mut others: Vec<Value> = previous.iter().map(|l| l.0).collect();
        others.extend(slices);
        others.push(index);
        others.extend(held.iter().flat_map(leaves));
        let site_of = self.reached(&stand_ins(std::slice::from_ref(&now)));
        let other = self.reached(&others);
        for (v, state) in step.next.iter().zip(states) {
            let fits = match state {
                Some(_) => !other.any(v),
                None => !site_of.any(v) && !self.reached(&stand_ins_of(&previous)).any(v),
            };
            if !fits {
                let title = format!("the carry is not a function of `.{}` alone", now.address);
                return Err(Box::new(
                    self.err_at("E0461", title, span, "this loop carries more")
                        .label(now.span, "this site is summed over")
                        .hint("let the carry be the site, or what follows from it: sums over all its past values grow without bound"),
                ));
            }
        }
        let same = now.count == site.count
            && now
                .lanes
                .iter()
                .map(|l| l.1)
                .eq(site.lanes.iter().map(|l| l.1))
            && states.iter().zip(&step.next).all(|(state, v)| match state {
                Some((_, all)) => self
                    .batched_over(&now, &leaves(v))
                    .is_ok_and(|found| found == *all),
                None => true,
            });
        if !same {
            let title = format!(
                "`.{}` does not mean the same in each iteration",
                now.address
            );
            return Err(Box::new(self.err("E0461", title, now.span).hint(
                "its values, and the carry that follows from them, are the same in all iterations of a loop",
            )));
        }
        let before_site = Summed {
            lanes: previous,
            ..site.clone()
        };
        self.stays(&before_site, &step.yields, span)?;
        self.stays(&now, &step.yields, span)?;
        let (_, w) = self.weights_by_value(&now, &before_site.lanes, &marks)?;
        let w = self.batched_over(&before_site, &[w])?[0];
        // logsumexp over the first axis, which the previous value has.
        let shape = self.ctx.graph.ty(w).shape.clone();
        let spread = self.ctx.graph.lead(alpha, &shape);
        let joint = self.op(&ops::ADD, Attr::None, &[spread, w], span)?;
        let f = self.prelude_function("logsumexp", span)?;
        let axis = (Some(crate::lower::session::rc("axis")), Val::Int(0));
        let next = self.with_frame_key("sum", Span::default(), 0, |s| {
            s.apply(&f, vec![(None, Val::Tensor(joint)), axis], span)
        })?;
        let mut out = step.next.clone();
        for (i, state) in states.iter().enumerate() {
            if state.is_some() {
                out[i] = Val::Real(0.0);
            }
        }
        out[place] = next;
        Ok(Step {
            next: out,
            yields: step.yields,
            go: None,
        })
    }

    /// Sums over the sites of an iteration that no carry depends on, and takes out those that are left, as one.
    fn one_carried(&mut self, before: usize, next: &[Val], marks: &Marks, span: Span) -> R<Summed> {
        let all = self.summed.split_off(before);
        let mut left = Vec::new();
        for s in all {
            let reached = self.reached(&stand_ins(std::slice::from_ref(&s)));
            if next.iter().any(|v| reached.any(v)) {
                left.push(s);
            } else {
                self.summed.push(s);
            }
        }
        self.close_sums(before, marks, Val::Unit)?;
        self.joined(left, span)
    }

    /// Sites that one loop carries on count as one, with a value for each combination of theirs.
    fn joined(&mut self, mut sites: Vec<Summed>, span: Span) -> R<Summed> {
        if sites.is_empty() {
            let title = "the carry depends on a summed site in the first iteration only";
            return Err(Box::new(self.err("E0461", title, span)));
        }
        let mut joint = sites.remove(0);
        for s in sites {
            let (n, m) = (joint.count, s.count);
            self.fits_width(&s, n.saturating_mul(m).saturating_mul(n.saturating_mul(m)))?;
            let on = self.reached(&stand_ins_of(&joint.lanes));
            if s.lanes.iter().any(|l| on.has(l.1)) {
                let title = format!(
                    "the values of `.{}` depend on `.{}`",
                    s.address, joint.address
                );
                return Err(Box::new(self.err("E0461", title, s.span)));
            }
            for (_, full) in &mut joint.lanes {
                *full = self.repeated(*full, m, 1);
            }
            for (lane, full) in s.lanes {
                let full = self.repeated(full, n, 0);
                joint.lanes.push((lane, full));
            }
            joint.count = n * m;
        }
        Ok(joint)
    }

    /// All values with each `times` times in a row (`axis` 1), or all of them over and over (`axis` 0).
    fn repeated(&mut self, full: Value, times: usize, axis: usize) -> Value {
        let g = &mut self.ctx.graph;
        let shape = g.ty(full).shape.clone();
        let n = shape[0];
        let (wide, places) = if axis == 0 {
            let wide: Vec<usize> = [times].into_iter().chain(shape.iter().copied()).collect();
            (wide, (1..=shape.len()).collect())
        } else {
            let wide: Vec<usize> = [n, times]
                .into_iter()
                .chain(shape[1..].iter().copied())
                .collect();
            (wide, [0].into_iter().chain(2..=shape.len()).collect())
        };
        let wide = g.broadcast(full, wide, places);
        let flat = [n * times]
            .into_iter()
            .chain(shape[1..].iter().copied())
            .collect();
        g.reshape(wide, flat)
    }

    /// What an iteration yields may not depend on the site. (Its trace was given.)
    fn stays(&self, s: &Summed, yields: &[Val], span: Span) -> R<()> {
        let reached = self.reached(&stand_ins(std::slice::from_ref(s)));
        if yields.iter().any(|v| reached.any(v)) {
            let title = format!(
                "what the loop yields depends on `.{}`, which is summed over",
                s.address
            );
            return Err(Box::new(self.err("E0461", title, span).hint(
                "yield what does not depend on it, or draw the site and leave it out of the sum",
            )));
        }
        Ok(())
    }

    /// The weights of an iteration for each value of the site, and the handler that they belong to.
    fn weights_by_value(
        &mut self,
        site: &Summed,
        previous: &[(Value, Value)],
        marks: &Marks,
    ) -> R<(usize, Value)> {
        let mut on: Vec<Value> = stand_ins(std::slice::from_ref(site));
        on.extend(previous.iter().map(|l| l.0));
        match self.take_weights(&on, marks) {
            Some((h, total)) => Ok((h, self.batched_over(site, &[total])?[0])),
            None => Err(self.follows(site.span)),
        }
    }

    /// Puts what earlier iterations added before what a loop did, their values by `before`.
    pub(in crate::lower) fn prepend(
        &mut self,
        first: Vec<Added>,
        marks: &Marks,
        before: fn(&mut Self, Value, Option<Value>) -> Value,
        span: Span,
    ) -> R<()> {
        for (i, (trace, weights)) in first.into_iter().enumerate() {
            self.handlers[i].log_weights.extend(weights);
            for (n, v) in trace {
                let v = self.force_leaves(&v, span)?;
                let later = self.handlers[i].trace[marks[i].0..]
                    .iter()
                    .position(|f| f.0 == n)
                    .map(|at| at + marks[i].0);
                let mut rest = later
                    .map_or(vec![], |at| leaves(&self.handlers[i].trace[at].1))
                    .into_iter();
                let all = map_leaves(&v, &mut |t| {
                    let joined = before(self, t, rest.next());
                    self.same_origin(t, joined);
                    joined
                });
                match later {
                    Some(at) => self.handlers[i].trace[at].1 = all,
                    None => self.handlers[i].trace.push((n, all)),
                }
            }
        }
        Ok(())
    }

    /// One row before others.
    fn with_first(&mut self, row: Value, rest: Option<Value>) -> Value {
        let g = &mut self.ctx.graph;
        let shape = std::iter::once(1)
            .chain(g.ty(row).shape.iter().copied())
            .collect();
        let row = g.reshape(row, shape);
        self.rows_before(row, rest)
    }

    /// Rows before others.
    pub(in crate::lower) fn rows_before(&mut self, rows: Value, rest: Option<Value>) -> Value {
        match rest {
            Some(rest) => {
                let g = &mut self.ctx.graph;
                g.add(&ops::CONCAT, Attr::Axis(0), &[rows, rest])
            }
            None => rows,
        }
    }
}

fn stand_ins(sites: &[Summed]) -> Vec<Value> {
    sites.iter().flat_map(|s| stand_ins_of(&s.lanes)).collect()
}

fn stand_ins_of(lanes: &[(Value, Value)]) -> Vec<Value> {
    lanes.iter().map(|l| l.0).collect()
}
