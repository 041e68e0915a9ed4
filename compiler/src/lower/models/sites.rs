//! A site of a distribution: where its value comes from, and what it adds to the trace.

use super::Lane;
use crate::ir::Type;
use crate::lower::leaves::{leaves, map_leaves};
use crate::lower::resolve::{listed, nearest};
use crate::lower::session::{R, Session};
use crate::lower::value::{DistVal, EstimatorVal, Val};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    pub(super) fn eval_dist_site(
        &mut self,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        via: Option<(Rc<EstimatorVal>, bool)>,
        span: Span,
        dist_span: Span,
    ) -> R<Val> {
        let at = self.handlers.iter().rposition(|h| h.open);
        match self.exchanged(at, site, d, dist_span)? {
            None => self.plain_site(site, d, via, span, dist_span),
            Some((e, seen)) => {
                let v = self.plain_site(site, &e, via, span, dist_span)?;
                self.beside_models(|s| s.apply(&seen, vec![(None, v)], span))
            }
        }
    }

    fn plain_site(
        &mut self,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        via: Option<(Rc<EstimatorVal>, bool)>,
        span: Span,
        dist_span: Span,
    ) -> R<Val> {
        let at = self.handlers.iter().rposition(|h| h.open);
        let given = at.and_then(|h| self.given_value(h, site));
        let summed = given.is_none() && at.is_some_and(|h| self.is_summed(h, site));
        let v = if let (true, Some(h)) = (summed, at) {
            self.handlers[h].met.insert(site.clone());
            self.new_summed(h, site, d, span)?
        } else if let Some(v) = &given {
            if let Val::Record(_) = v {
                let path = self.site_path(at, site);
                let title = format!("`{path}` is given a record, and is a site with one value");
                return Err(Box::new(self.err("E0459", title, span)));
            }
            self.plate_lane(site, v, at, span)?
        } else if let Some(trace) = at.and_then(|h| self.handlers[h].scored.clone()) {
            let Some(v) = trace.field(site) else {
                return Err(self.missing_address(site, at, trace, span));
            };
            let path = self.site_path(at, site);
            self.check_covers(&path, &v, d, span)?;
            self.plate_lane(site, &v, at, span)?
        } else {
            // Where only the forms of sites are asked for, what cannot be drawn may say where it starts.
            let shown = at.is_some_and(|h| self.handlers[h].how.forms.is_some())
                && !Self::has_member(d, "sample")
                && !Self::has_member(d, "transform")
                && Self::has_member(d, "start");
            let v = if shown {
                let v = self.call_member(d, "start", vec![], span)?;
                Val::Tensor(self.force(&v, span)?)
            } else if self.expects.is_empty() {
                let key = self.frame().next_key(site);
                self.with_frame_key(site, span, key, |s| {
                    s.call_member(d, "sample", vec![], span)
                })?
            } else {
                self.new_site(site, d, via, span)?
            };
            self.note_origin(&v, d, span);
            v
        };
        if let Some(h) = at {
            self.note_form(h, site, d, span)?;
            let key = self.frame().next_key("logpdf");
            let drawn = if given.is_none() && self.handlers[h].how.analytic {
                self.family_of(&v, d)
            } else {
                None
            };
            let lp = self
                .with_frame_key("logpdf", Span::default(), key, |s| match &drawn {
                    Some(q) => s.divergence_term(q, d, &v, dist_span),
                    None => s.call_member(d, "logpdf", vec![(None, v.clone())], dist_span),
                })
                .map_err(|r| Box::new(r.note(format!("while scoring the site `{site}`"))))?;
            let lp = self.force(&lp, dist_span)?;
            self.handlers[h].log_weights.push(lp);
            // A conditioned site is part of the model, not of what it draws.
            if given.is_none() && !summed {
                self.handlers[h].trace.push((site.clone(), v.clone()));
            }
        }
        Ok(v)
    }

    /// What `given` says of a site, which counts as met.
    pub(super) fn given_value(&mut self, handler: usize, site: &Rc<str>) -> Option<Val> {
        let h = &mut self.handlers[handler];
        let (_, v) = h.given.iter().find(|g| g.0 == *site)?;
        h.met.insert(site.clone());
        Some(v.clone())
    }

    /// A site's address from the model that was asked for.
    pub(super) fn site_path(&self, handler: Option<usize>, site: &str) -> String {
        let path = handler.map_or("", |h| &self.handlers[h].how.path);
        format!("{path}{site}")
    }

    /// This lane's part of a value that is given for all lanes of the plates around a site.
    pub(super) fn plate_lane(
        &mut self,
        site: &str,
        v: &Val,
        handler: Option<usize>,
        span: Span,
    ) -> R<Val> {
        let mut v = self.force_leaves(v, span)?;
        let first = handler.map_or(0, |h| self.handlers[h].plates);
        for plate in first..self.plates.len() {
            let (n, lane) = (self.plates[plate].lanes, self.plates[plate].lane);
            for t in leaves(&v) {
                let ty = self.ctx.graph.ty(t);
                if ty.shape.first() != Some(&n) {
                    let path = self.site_path(handler, site);
                    let title = format!(
                        "the plate around `{path}` has {n} lanes, and its value is a `{ty}`"
                    );
                    return Err(Box::new(
                        self.err("E0415", title, span)
                            .hint("a value for a site in a plate has one entry for each lane"),
                    ));
                }
            }
            let mut failed = None;
            v = map_leaves(&v, &mut |t| {
                let ty = self.ctx.graph.ty(t).clone();
                let mut rest = ty.shape[1..].to_vec();
                if let Lane::One(i) = lane {
                    return match self.slice_axis(t, 0, i, i + 1, 1, span) {
                        Ok(row) => self.ctx.graph.reshape(row, rest),
                        Err(r) => {
                            failed.get_or_insert(r);
                            t
                        }
                    };
                }
                let (from, to) = match lane {
                    Lane::From(first) => (first, n),
                    Lane::Blocks(k) => (0, n / k * k),
                    _ => (0, n),
                };
                let mut full = t;
                if (from, to) != (0, n) {
                    match self.slice_axis(t, 0, from, to, 1, span) {
                        Ok(rows) => full = rows,
                        Err(r) => {
                            failed.get_or_insert(r);
                        }
                    }
                }
                if let Lane::Blocks(k) = lane {
                    rest.insert(0, k);
                    let blocks = std::iter::once(n / k).chain(rest.iter().copied());
                    full = self.ctx.graph.reshape(full, blocks.collect());
                }
                let lane = self.ctx.lane(Type::new(ty.dtype, rest));
                self.plates[plate].values.push((lane, full));
                lane
            });
            if let Some(r) = failed {
                return Err(r);
            }
        }
        Ok(v)
    }

    pub(super) fn missing_address(
        &self,
        site: &str,
        handler: Option<usize>,
        trace: Val,
        span: Span,
    ) -> Box<Report> {
        let known: Vec<String> = match &trace {
            Val::Record(f) => f.iter().map(|f| f.0.to_string()).collect(),
            _ => vec![],
        };
        let path = self.site_path(handler, site);
        let given = path
            .rsplit('.')
            .fold("..".to_string(), |inner, name| match inner.as_str() {
                ".." => format!("{{{name}: ..}}"),
                _ => format!("{{{name}: {inner}}}"),
            });
        let mut r = self.err_at(
            "E0410",
            format!("the trace has no value for the site `{path}`"),
            span,
            "this site is scored",
        );
        r = match nearest(site, &known) {
            Some(near) => r.hint(format!(
                "the guide draws `{near}`: use the same name on both sides"
            )),
            None if known.is_empty() => r.hint(format!(
                "draw `{path}` in the guide, or condition on it: `given {given}`"
            )),
            None => r.hint(format!(
                "the guide draws {}; draw `{site}` too, or condition on it: `given {given}`",
                listed(&known)
            )),
        };
        Box::new(r)
    }
}
