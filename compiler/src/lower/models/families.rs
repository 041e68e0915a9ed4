//! Values that an `expect` draws, scored by a distribution of the family that they are drawn from.
//!
//! For t from q, log p(t) has the same mean as log q(t) - KL(q, p), whatever else depends on t: so where p and q are of one family
//! that declares `kl`, that can take its place (`logdensity(m, trace, analytic: true)`).

use super::Plate;
use crate::ir::{Type, Value};
use crate::lower::leaves::map_leaves;
use crate::lower::session::{R, Session};
use crate::lower::value::{DistVal, Val};
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// The distribution that a value is drawn from, if it is of this one's family and that declares divergences.
    pub(super) fn family_of(&mut self, v: &Val, d: &Rc<DistVal>) -> Option<Rc<DistVal>> {
        let Val::Tensor(v) = v else { return None };
        if !d.plates.is_empty() || !Self::has_member(d, "kl") {
            return None;
        }
        let q = self.drawn_from(*v)?;
        let same = q.plates.is_empty() && std::ptr::eq(q.def.def, d.def.def);
        same.then_some(q)
    }

    /// The distribution of a site of the `expect` around, or of its lane in a plate that runs.
    fn drawn_from(&mut self, v: Value) -> Option<Rc<DistVal>> {
        let sites = &self.expects.last()?.sites;
        if let Some(site) = sites.iter().find(|s| s.node == v) {
            return Some(self.current_dist(&site.clone()));
        }
        let at = |p: &Plate| p.values.iter().find(|l| l.0 == v).map(|l| l.1);
        let (plate, full) = (0..self.plates.len()).find_map(|i| Some((i, at(&self.plates[i])?)))?;
        let whole = self.drawn_from(full)?;
        let (_, inner) = whole.plates.split_first()?;
        let mut lane_of = |t: Value| {
            let ty = self.ctx.graph.ty(t).clone();
            let lane = self.ctx.lane(Type::new(
                ty.dtype,
                ty.shape.get(1..).unwrap_or_default().to_vec(),
            ));
            self.plates[plate].values.push((lane, t));
            lane
        };
        let args = whole
            .args
            .iter()
            .map(|(n, v)| (n.clone(), map_leaves(v, &mut lane_of)))
            .collect();
        Some(Rc::new(DistVal {
            args,
            plates: inner.to_vec(),
            ..(*whole).clone()
        }))
    }

    /// log q(v) - KL(q, d)
    pub(super) fn divergence_term(
        &mut self,
        q: &Rc<DistVal>,
        d: &Rc<DistVal>,
        v: &Val,
        span: Span,
    ) -> R<Val> {
        let lq = self.call_member(q, "logpdf", vec![(None, v.clone())], span)?;
        let kl = self.call_member(q, "kl", vec![(None, Val::Dist(d.clone()))], span)?;
        let kl = self.sum_all(&kl, span)?;
        self.binary(mlc_grammar::ast::BinaryOp::Sub, lq, kl, span, span, span)
    }
}
