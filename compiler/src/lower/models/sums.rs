//! Sites that are summed over exactly: `logdensity(m, t, sum: [.s])`.
//!
//! The value of such a site is a stand-in for all its values. When the block that it stands in ends, the log weights that depend
//! on it are batched over the values, and their logsumexp takes their place. Blocks are the model and the bodies of its loops, so
//! a plate is summed lane by lane; of several sites the last goes first, and leaves a weight that depends on those before it: that
//! is variable elimination. What the block gives to the outside may not depend on the stand-in. For a site that a `scan` carries
//! on see `chains.rs`.

use super::branches::Marks;
use crate::ir::{Attr, Type, Value};
use crate::lower::leaves::leaves;
use crate::lower::session::{R, Session};
use crate::lower::value::{DistVal, Val};
use crate::transform::batch::batch;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// More combinations of values than this in one weight are refused.
const MAX_WIDTH: usize = 1 << 16;

/// A site that is being summed over.
#[derive(Clone)]
pub struct Summed {
    pub address: Rc<str>,
    pub span: Span,
    /// Stand-ins for one value, and tensors of all.
    pub lanes: Vec<(Value, Value)>,
    /// How many values there are.
    pub count: usize,
}

impl Session {
    pub(super) fn is_summed(&self, handler: usize, site: &Rc<str>) -> bool {
        self.handlers[handler]
            .how
            .sums
            .iter()
            .any(|a| a.len() == 1 && a[0] == *site)
    }

    /// A stand-in for all values of the site.
    pub(super) fn new_summed(
        &mut self,
        handler: usize,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        span: Span,
    ) -> R<Val> {
        let address = self.site_path(Some(handler), site);
        if !Self::has_member(d, "support") || !d.plates.is_empty() {
            let title = format!("`.{address}` cannot be summed over: its values are not listed");
            let name = &d.def.def.name.text;
            return Err(Box::new(
                self.err("E0460", title, span)
                    .label(d.def.def.name.span, format!("`{name}` is declared here"))
                    .hint("a distribution that declares `support()`, the list of its values, can be summed over; a plate of sites stands in a `for`"),
            ));
        }
        let values = self.call_member(d, "support", vec![], span)?;
        let full = self.force(&values, span)?;
        let full = self.cast(full, self.real);
        let ty = self.ctx.graph.ty(full).clone();
        let Some((&count, rest)) = ty.shape.split_first() else {
            let title = format!(
                "`support()` of `{}` gives one number, not a list",
                d.def.def.name.text
            );
            return Err(Box::new(self.err("E0460", title, span)));
        };
        let lane = self.ctx.lane(Type::new(ty.dtype, rest.to_vec()));
        self.summed.push(Summed {
            address: address.into(),
            span,
            lanes: vec![(lane, full)],
            count,
        });
        Ok(Val::Tensor(lane))
    }

    /// Which nodes depend on others: by number, from the first of them on.
    pub(super) fn reached(&self, from: &[Value]) -> Reached {
        let first = from.iter().map(|v| v.0).min().unwrap_or(0);
        let g = &self.ctx.graph;
        let mut hit = vec![false; g.len() - first as usize];
        for v in from {
            hit[(v.0 - first) as usize] = true;
        }
        for i in 0..hit.len() {
            let v = Value(first + i as u32);
            let node = g.node(v);
            let mut operands = g.operands(v);
            operands.extend(node.guard);
            hit[i] = hit[i]
                || operands
                    .iter()
                    .any(|o| o.0 >= first && hit[(o.0 - first) as usize]);
        }
        Reached { first, hit }
    }

    /// Sums over the sites that were met since there were `from`. Gives `value` without what depends on them.
    pub(in crate::lower) fn close_sums(
        &mut self,
        from: usize,
        marks: &Marks,
        value: Val,
    ) -> R<Val> {
        if self.summed.len() == from {
            return Ok(value);
        }
        let stand_ins: Vec<Value> = self.summed[from..]
            .iter()
            .flat_map(|s| s.lanes.iter().map(|l| l.0))
            .collect();
        let reached = self.reached(&stand_ins);
        let address = self.summed[from].address.clone();
        while self.summed.len() > from {
            let s = self.summed.pop().expect("longer than `from`");
            let stand_ins: Vec<Value> = s.lanes.iter().map(|l| l.0).collect();
            let Some((h, total)) = self.take_weights(&stand_ins, marks) else {
                continue;
            };
            let all = self.batched_over(&s, &[total])?;
            let w = self.logsumexp(all[0], s.span)?;
            self.handlers[h].log_weights.push(w);
        }
        if reached.any(&value) {
            return Ok(Val::SummedOut(address));
        }
        Ok(value)
    }

    /// The sum of the weights that depend on these stand-ins, taken out of the handlers, and the handler of the last of them.
    pub(super) fn take_weights(
        &mut self,
        stand_ins: &[Value],
        marks: &Marks,
    ) -> Option<(usize, Value)> {
        let reached = self.reached(stand_ins);
        let mut mine = Vec::new();
        let mut at = None;
        for (i, m) in marks.iter().enumerate() {
            let Some(h) = self.handlers.get_mut(i) else {
                break;
            };
            let tail = h.log_weights.split_off(m.1);
            for w in tail {
                if reached.has(w) {
                    mine.push(w);
                    at = Some(i);
                } else {
                    h.log_weights.push(w);
                }
            }
        }
        match (at, self.total(&mine)) {
            (Some(h), Val::Tensor(t)) => Some((h, t)),
            _ => None,
        }
    }

    /// Values for all values of a summed site, on a new leading axis.
    pub(super) fn batched_over(&mut self, s: &Summed, results: &[Value]) -> R<Vec<Value>> {
        let Some(first) = s.lanes.iter().map(|l| l.0).min() else {
            return Ok(results.to_vec());
        };
        self.check_width(s, results)?;
        let lanes = batch(
            &mut self.ctx.graph,
            first.0 as usize,
            &s.lanes,
            results,
            s.count,
        )
        .map_err(|e| {
            let title = format!("a value for each of `.{}` has too many elements", s.address);
            Box::new(self.err("E0462", title, e.span))
        })?;
        let g = &mut self.ctx.graph;
        Ok(lanes.into_iter().map(|l| l.with_axis(g, s.count)).collect())
    }

    /// How many combinations of values there are where a weight depends on other summed sites, too.
    fn check_width(&self, s: &Summed, results: &[Value]) -> R<()> {
        let mut width = s.count;
        for other in &self.summed {
            let stand_ins: Vec<Value> = other.lanes.iter().map(|l| l.0).collect();
            let reached = self.reached(&stand_ins);
            if results.iter().any(|r| reached.has(*r)) {
                width = width.saturating_mul(other.count);
            }
        }
        let first = s.lanes.iter().map(|l| l.0).min();
        let reached = self.reached(&s.lanes.iter().map(|l| l.0).collect::<Vec<_>>());
        for i in first.map_or(0, |f| f.0)..self.ctx.graph.len() as u32 {
            let v = Value(i);
            if reached.has(v)
                && matches!(self.ctx.graph.node(v).attr, Attr::Site(..))
                && results.iter().any(|r| self.reached(&[v]).has(*r))
            {
                let title = format!("a site is drawn while `.{}` is summed over", s.address);
                return Err(Box::new(self.err("E0461", title, s.span).hint(
                    "a density that draws for itself cannot stand below a site that is summed over",
                )));
            }
        }
        self.fits_width(s, width)
    }

    pub(super) fn fits_width(&self, s: &Summed, width: usize) -> R<()> {
        if width <= MAX_WIDTH {
            return Ok(());
        }
        let title = format!(
            "the sum over `.{}` goes over {width} combinations of values at once",
            s.address
        );
        Err(Box::new(self.err("E0462", title, s.span).hint(format!(
            "at most {MAX_WIDTH}: sum over fewer sites, and draw the others"
        ))))
    }

    /// The log of the sum of exponentials, of all elements of a vector, by the library.
    pub(super) fn logsumexp(&mut self, v: Value, span: Span) -> R<Value> {
        let f = self.prelude_function("logsumexp", span)?;
        let w = self.with_frame_key("sum", Span::default(), 0, |s| {
            s.apply(&f, vec![(None, Val::Tensor(v))], span)
        })?;
        self.force(&w, span)
    }

    pub(super) fn prelude_function(&mut self, name: &str, span: Span) -> R<Val> {
        match self.item(self.prelude, name, span) {
            Some(f) => f,
            None => Err(self.follows(span)),
        }
    }
}

/// Nodes that depend on some others.
pub struct Reached {
    first: u32,
    hit: Vec<bool>,
}

impl Reached {
    pub fn has(&self, v: Value) -> bool {
        v.0 >= self.first && self.hit.get((v.0 - self.first) as usize) == Some(&true)
    }

    pub fn any(&self, v: &Val) -> bool {
        leaves(v).into_iter().any(|t| self.has(t))
    }
}
