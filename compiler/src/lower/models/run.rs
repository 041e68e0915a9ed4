//! Runs of models, and of models within models.

use super::{Handler, How, SiteForm};
use crate::ir::Value;
use crate::lower::session::{R, Session};
use crate::lower::value::{Env, ModelCode, ModelDef, ModelVal, Val};
use mlc_grammar::span::Span;
use std::collections::HashSet;
use std::rc::Rc;

/// What a run of a model gives.
pub(super) struct Run {
    pub value: Val,
    pub trace: Val,
    pub log_weights: Vec<Value>,
    pub forms: Option<Vec<SiteForm>>,
}

impl Session {
    pub(super) fn eval_submodel(&mut self, site: &Rc<str>, m: &Rc<ModelVal>, span: Span) -> R<Val> {
        let at = self.handlers.iter().rposition(|h| h.open);
        let mut m = m.clone();
        let mut given = false;
        let mut how = How {
            path: format!("{}.", self.site_path(at, site)),
            ..How::default()
        };
        let mut scored = None;
        if let Some(h) = at {
            match self.given_value(h, site) {
                Some(Val::Record(fields)) => {
                    given = true;
                    let all = Val::Record(fields);
                    let Val::Record(fields) = self.plate_lane(site, &all, at, span)? else {
                        return Err(self.follows(span));
                    };
                    m = Rc::new(m.conditioned(&fields));
                }
                Some(other) => {
                    let path = self.site_path(at, site);
                    let title = format!("`{path}` is a model, and is given {}", other.kind());
                    return Err(Box::new(self.err("E0459", title, span).hint(format!(
                        "give values to its sites by name: `{{{site}: {{x: ..}}}}`"
                    ))));
                }
                None => {}
            }
            how.sums = self.handlers[h]
                .how
                .sums
                .iter()
                .filter(|a| a.len() > 1 && a[0] == *site)
                .map(|a| a[1..].to_vec())
                .collect();
            how.analytic = self.handlers[h].how.analytic;
            if !how.sums.is_empty() {
                self.handlers[h].met.insert(site.clone());
            }
            how.exchanged = self.exchanges_below(h, site);
            if !how.exchanged.is_empty() {
                self.handlers[h].met.insert(site.clone());
            }
            how.forms = self.handlers[h].how.forms.is_some().then(Vec::new);
            if let Some(trace) = self.handlers[h].scored.clone() {
                let part = match trace.field(site) {
                    Some(v) => v,
                    // A model without open sites draws nothing.
                    None if given || !how.sums.is_empty() => Val::record(vec![]),
                    None => return Err(self.missing_address(site, at, trace, span)),
                };
                scored = Some(self.plate_lane(site, &part, at, span)?);
            }
        }
        let closes = given || !how.sums.is_empty();
        let run = self.run_model(&m, scored, how, span)?;
        if let Some(h) = at {
            let empty = matches!(&run.trace, Val::Record(f) if f.is_empty());
            if !(closes && empty) {
                self.handlers[h].trace.push((site.clone(), run.trace));
            }
            self.handlers[h].log_weights.extend(run.log_weights);
            if let (Some(mine), Some(more)) = (&mut self.handlers[h].how.forms, run.forms) {
                mine.extend(more.into_iter().map(|f| f.under(site)));
            }
        }
        Ok(run.value)
    }

    /// Runs a model: its value, its trace and the terms of the trace's log density.
    pub(super) fn run_model(
        &mut self,
        m: &Rc<ModelVal>,
        scored: Option<Val>,
        mut how: How,
        span: Span,
    ) -> R<Run> {
        how.exchanged.extend(m.exchanged.iter().cloned());
        match &m.code {
            ModelCode::Block(def, env) => self.run_block(m, &def.clone(), env, scored, how, span),
            ModelCode::Functions(g) => self.run_functions(m, &g.clone(), scored, how, span),
        }
    }

    pub(super) fn run_block(
        &mut self,
        m: &Rc<ModelVal>,
        def: &Rc<ModelDef>,
        env: &Env,
        scored: Option<Val>,
        how: How,
        span: Span,
    ) -> R<Run> {
        let expected = scored.clone();
        let plates = self.plates.len();
        let summed = self.summed.len();
        let top = how.path.is_empty();
        self.handlers.push(Handler {
            plates,
            trace: vec![],
            log_weights: vec![],
            given: m.given.clone(),
            scored,
            open: true,
            how,
            met: HashSet::new(),
        });
        let name = def.name.clone();
        let marks = self.site_marks();
        let mut result = self.in_frame(&name, span, |s| {
            s.with_lifted(&m.lifted, &name, span, |s| s.eval_block(def.body, env))
        });
        // Sites of a model within a model may still be used outside it.
        if top {
            result = result.and_then(|v| self.close_sums(summed, &marks, v));
        }
        let mut h = self.handlers.pop().expect("pushed above");
        let value = result?;
        for (n, _) in &m.given {
            if !h.met.contains(n) {
                let path = format!("{}{n}", h.how.path);
                let title = format!("`given` names `{path}`, which is no site of `{name}`");
                return Err(Box::new(self.err("E0411", title, m.span)));
            }
        }
        for (a, _) in &h.how.exchanged {
            if !h.met.contains(&a[0]) {
                let path = format!("{}{}", h.how.path, a.join("."));
                let title = format!("`.{path}` is to be exchanged, and is no site of `{name}`");
                return Err(Box::new(
                    self.err("E0463", title, m.span)
                        .hint("name a site of the model by its address"),
                ));
            }
        }
        for a in &h.how.sums {
            let observed = a.len() == 1 && m.given.iter().any(|g| g.0 == a[0]);
            if observed || !h.met.contains(&a[0]) {
                let path = format!("{}{}", h.how.path, a.join("."));
                let title = format!("`.{path}` is to be summed, and is no open site of `{name}`");
                return Err(Box::new(self.err("E0463", title, m.span)));
            }
        }
        if let Some(Val::Record(fields)) = expected {
            for (n, _) in fields.iter() {
                if !h.trace.iter().any(|t| t.0 == *n) {
                    let path = format!("{}{n}", h.how.path);
                    let title =
                        format!("the trace has `{path}`, which is no open site of `{name}`");
                    return Err(Box::new(self.err("E0412", title, span).hint(format!(
                        "remove `{n}` from the guide, or give the model a site of that name"
                    ))));
                }
            }
        }
        Ok(Run {
            value,
            trace: Val::record(h.trace),
            log_weights: h.log_weights,
            forms: h.how.forms.take(),
        })
    }
}
