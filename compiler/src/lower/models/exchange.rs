//! Sites that are drawn from another distribution than their model says: `exchange(m, .z, |d| (e, f))`.
//!
//! The trace has what `e` draws, and the model sees `f` of that. So a pass over models is a function in the language: one that
//! takes out a centre, or counts a site's density otherwise.

use super::addresses::Address;
use crate::lower::builtins::Args;
use crate::lower::session::{R, Session};
use crate::lower::value::{DistVal, ModelCode, ModelVal, Val};
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// `exchange(m, .z, |d| (e, f))`
    pub(in crate::lower) fn exchange(&mut self, a: &mut Args, span: Span) -> R<Val> {
        let [m, address, f] = a.positional.as_slice() else {
            return self.fail(
                "E0201",
                "`exchange` takes a model, an address, and a function of a distribution",
                span,
            );
        };
        let (m, address, f) = (m.clone(), address.clone(), f.clone());
        let Val::Model(m) = &m else {
            let title = format!("`exchange` takes a model, not {}", m.kind());
            return Err(Box::new(self.err("E0404", title, span)));
        };
        if let ModelCode::Functions(g) = &m.code {
            let title = format!("the sites of `{}(..)` are not its own", g.name);
            return Err(Box::new(
                self.err("E0463", title, span)
                    .hint("exchange sites of the model inside it"),
            ));
        }
        let mut m: ModelVal = (**m).clone();
        for a in self.addresses(&address, span)? {
            m.exchanged.push((Rc::new(a), f.clone()));
        }
        Ok(Val::Model(Rc::new(m)))
    }

    /// What the run of a model has to exchange: by the model itself, and by those around it.
    pub(super) fn exchanges_below(
        &self,
        handler: usize,
        site: &Rc<str>,
    ) -> Vec<(Rc<Address>, Val)> {
        let inside = |(a, f): &(Rc<Address>, Val)| {
            (a.len() > 1 && a[0] == *site).then(|| (Rc::new(a[1..].to_vec()), f.clone()))
        };
        self.handlers[handler]
            .how
            .exchanged
            .iter()
            .filter_map(inside)
            .collect()
    }

    /// The distribution that is drawn from in place of a site's, and what the model sees of the draw.
    pub(super) fn exchanged(
        &mut self,
        handler: Option<usize>,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        span: Span,
    ) -> R<Option<(Rc<DistVal>, Val)>> {
        let Some(h) = handler else { return Ok(None) };
        let all = &self.handlers[h].how.exchanged;
        let found = all.iter().find(|(a, _)| a.len() == 1 && a[0] == *site);
        let Some((_, f)) = found.cloned() else {
            return Ok(None);
        };
        self.handlers[h].met.insert(site.clone());
        let v = self.beside_models(|s| s.apply(&f, vec![(None, Val::Dist(d.clone()))], span))?;
        if let Val::Tuple(parts) = &v
            && let [Val::Dist(e), map] = parts.as_slice()
        {
            return Ok(Some((e.clone(), map.clone())));
        }
        let title = format!("the site `{site}` is exchanged for {}", v.kind());
        Err(Box::new(self.err("E0452", title, span).hint(
            "the function gives a pair: a distribution, and what the model sees of its draw, `|d| (e, |x| x)`",
        )))
    }
}
