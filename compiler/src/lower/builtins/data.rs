//! What is asked of data before any stage is compiled: which rows stay, which values occur, a number as a size.
//!
//! Sizes are fixed when a stage starts, but a top-level `let` can depend on what is in a file: what it needs is computed then
//! and there, by the host.

use super::super::leaves::{leaves, map_leaves};
use super::super::session::{R, Session};
use super::super::value::Val;
use super::{Args, Entry};
use crate::interp::Tensor;
use crate::ir::{Attr, DType, Graph, Type, Value};
use crate::ops;
use crate::program::{Known, Sink, SlotKind, Source};
use crate::transform::region::copy;
use mlc_grammar::span::Span;
use std::sync::Arc;

pub const TABLE: &[Entry] = &[("filter", filter), ("unique", unique), ("known", known)];

/// `filter(table, |r| condition)`: the rows for which the condition holds, in their order.
fn filter(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (table, f) = s.two("filter", a, span)?;
    s.data_phase("filter", span)?;
    let table = s.force_leaves(&table, span)?;
    let hits = s.over_lanes(&table, span, span, &mut |s, lane| {
        s.apply(&f, vec![(None, lane)], span)
    })?;
    let hits = s.force(&hits, span)?;
    let ty = s.ctx.graph.ty(hits).clone();
    if ty.dtype != DType::Bool || ty.rank() != 1 {
        let title = format!("`filter` needs one truth value for each row, not `{ty}`");
        return Err(Box::new(
            s.err("E0310", title, span)
                .hint("compare: `filter(t, |r| r.age > 30)`"),
        ));
    }
    let hits = s.value_now(hits, "filter", span)?.values();
    let rows: Vec<u64> = (0..hits.len())
        .filter(|&i| hits[i] != 0.0)
        .map(|i| (i as f64).to_bits())
        .collect();
    let ty = Type::new(DType::I32, vec![rows.len()]);
    let index = s.op(&ops::TABLE, Attr::Table(Arc::new(rows), ty), &[], span)?;
    let mut kept = Vec::new();
    for t in leaves(&table) {
        kept.push(s.op(&ops::GATHER, Attr::Axis(0), &[t, index], span)?);
    }
    let mut next = kept.into_iter();
    Ok(map_leaves(&table, &mut |t| next.next().unwrap_or(t)))
}

/// `unique(x)`: the values that occur in a tensor, ascending, each once.
fn unique(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("unique", a, span)?;
    s.data_phase("unique", span)?;
    let t = s.force(&v, span)?;
    let dtype = s.ctx.graph.ty(t).dtype;
    let mut values = s.value_now(t, "unique", span)?.values();
    values.sort_by(f64::total_cmp);
    values.dedup_by(|x, y| x == y || (x.is_nan() && y.is_nan()));
    let bits: Vec<u64> = values.iter().map(|x| x.to_bits()).collect();
    let ty = Type::new(dtype, vec![bits.len()]);
    Ok(Val::Tensor(s.op(
        &ops::TABLE,
        Attr::Table(Arc::new(bits), ty),
        &[],
        span,
    )?))
}

/// `known(x)`: a number or truth value of the data as one known at compile time, so that it can be a size.
fn known(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("known", a, span)?;
    if let Val::Int(_) | Val::Real(_) | Val::Bool(_) = v {
        return Ok(v);
    }
    s.data_phase("known", span)?;
    let t = s.force(&v, span)?;
    let ty = s.ctx.graph.ty(t).clone();
    if ty.rank() != 0 {
        let title = format!("`known` takes one number, not `{ty}`");
        return Err(Box::new(
            s.err("E0313", title, span)
                .hint("reduce it first: `known(max(x))`"),
        ));
    }
    let x = s.value_now(t, "known", span)?.values()[0];
    Ok(match ty.dtype {
        DType::I32 => Val::Int(x as i64),
        DType::Bool => Val::Bool(x != 0.0),
        _ => Val::Real(x),
    })
}

impl Session {
    /// Refuses what only a top-level definition may ask.
    fn data_phase(&self, name: &str, span: Span) -> R<()> {
        if self.in_init && self.depth == 0 && self.counters.is_empty() && !self.in_start {
            return Ok(());
        }
        let title = format!("`{name}` stands only in a top-level `let`");
        Err(Box::new(self.err("E0525", title, span).hint(
            "sizes are fixed when a stage starts: bind the result at the top of the file, or give rows that do not count a weight of 0",
        )))
    }

    /// The value of a node of the initialising program.
    fn value_now(&mut self, v: Value, name: &str, span: Span) -> R<Tensor> {
        let (graph, sources) = (self.ctx.graph.clone(), self.ctx.sources.clone());
        let result = self.value_in(graph, &sources, v);
        result.map_err(|why| {
            let title = format!("`{name}` cannot know its argument now: {why}");
            Box::new(self.err("E0525", title, span).hint(
                "it can depend on data and on what is computed from data, not on draws, parameters or stages",
            ))
        })
    }

    /// A node's value, what it needs of earlier programs included.
    fn value_in(
        &mut self,
        mut graph: Graph,
        sources: &[Source],
        v: Value,
    ) -> Result<Tensor, String> {
        graph.outputs = vec![("value".into(), v)];
        let graph = copy(&graph, &Attr::clone);
        let mut inputs = Vec::new();
        for (input, source) in graph.inputs.iter().zip(sources) {
            let used = !graph.users(input.value).is_empty() || graph.outputs[0].1 == input.value;
            let ty = graph.ty(input.value).clone();
            inputs.push(match source {
                _ if !used => Known::Unused(ty),
                Source::Slot(id) => match self.slots[id.0 as usize].kind {
                    SlotKind::Data(n) => Known::Data(n),
                    SlotKind::Global => Known::Value(self.global_now(*id)?),
                    _ => return Err("it depends on a parameter or state".into()),
                },
                Source::Seed | Source::Step => return Err("it depends on a draw".into()),
                _ => return Err("it depends on a stage".into()),
            });
        }
        self.host.evaluate(&graph, &inputs)
    }

    /// The value of a top-level `let` that an earlier program computes.
    fn global_now(&mut self, id: crate::program::SlotId) -> Result<Tensor, String> {
        let programs = self.past_inits.iter().chain(&self.inits_before);
        let found = programs.into_iter().find_map(|p| {
            let at = p.sinks.iter().position(|s| *s == Sink::Slot(id))?;
            Some((p.graph.clone(), p.sources.clone(), p.graph.outputs[at].1))
        });
        let Some((graph, sources, v)) = found else {
            return Err("it is not computed yet".into());
        };
        self.value_in(graph, &sources, v)
    }
}
