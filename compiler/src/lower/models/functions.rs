//! Models made of functions: `generative(sample: || (t, w), density: |t| w)`.
//!
//! `sample` draws a trace `t` with a weight `w`, `density` gives one to a trace. Both may be estimates: exp(-w) of `sample`
//! without bias of the reciprocal of t's density, exp(w) of `density` of the density itself, unless `exact: true` is said. A
//! model may have one of the two only; where the other is needed is a mistake that is found here.

use super::How;
use super::run::Run;
use crate::lower::builtins::Args;
use crate::lower::session::{R, Session, rc};
use crate::lower::value::{Generative, ModelCode, ModelVal, Val};
use crate::transform::kinds::Kind;
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// `generative(sample: f, density: g, sites: l, name: s, exact: b)`
    pub(in crate::lower) fn new_generative(&mut self, a: &mut Args, span: Span) -> R<Val> {
        let name = match a.take("name") {
            Some(Val::Str(s)) => s,
            None => rc("generative"),
            Some(other) => {
                let title = format!("`name` is a string, not {}", other.kind());
                return Err(Box::new(self.err("E0452", title, span)));
            }
        };
        let sample = self.function_of(a.take("sample"), "sample", span)?;
        let density = self.function_of(a.take("density"), "density", span)?;
        let sites = a.take("sites");
        let exact = match a.take("exact") {
            None => false,
            Some(Val::Bool(b)) => b,
            Some(other) => {
                let title = format!("`exact` is `true` or `false`, not {}", other.kind());
                return Err(Box::new(self.err("E0452", title, span)));
            }
        };
        if !a.positional.is_empty() || sample.is_none() && density.is_none() {
            return Err(Box::new(
                self.err("E0452", "`generative` is given its functions by name", span)
                    .hint(
                        "write `generative(sample: || (trace, weight), density: |trace| weight)`",
                    ),
            ));
        }
        if sample.is_none() && sites.is_none() {
            return Err(Box::new(
                self.err("E0452", "a model without `sample` must say its sites", span)
                    .hint("write `sites: sites(m)` with a model `m` that has the same sites"),
            ));
        }
        Ok(Val::Model(Rc::new(ModelVal {
            code: ModelCode::Functions(Rc::new(Generative {
                name,
                sample,
                density,
                sites,
                exact,
            })),
            given: vec![],
            span,
            exchanged: vec![],
            lifted: vec![],
            made: None,
        })))
    }

    fn function_of(&self, v: Option<Val>, name: &str, span: Span) -> R<Option<Val>> {
        match v {
            None => Ok(None),
            Some(f @ (Val::Fn(_) | Val::Builtin(_) | Val::Partial(_))) => Ok(Some(f)),
            Some(other) => {
                let title = format!(
                    "`{name}` of `generative` is {}, not a function",
                    other.kind()
                );
                Err(Box::new(self.err("E0452", title, span)))
            }
        }
    }

    /// Runs `f` where the sites of expressions belong to no model that happens to be running.
    pub(super) fn beside_models<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let opened: Vec<bool> = self.handlers.iter().map(|h| h.open).collect();
        self.handlers.iter_mut().for_each(|h| h.open = false);
        let result = f(self);
        for (h, open) in self.handlers.iter_mut().zip(opened) {
            h.open = open;
        }
        result
    }

    pub(super) fn run_functions(
        &mut self,
        m: &Rc<ModelVal>,
        g: &Rc<Generative>,
        scored: Option<Val>,
        how: How,
        span: Span,
    ) -> R<Run> {
        let name = g.name.clone();
        if let Some(a) = how.sums.first() {
            let path = format!("{}{}", how.path, a.join("."));
            let title =
                format!("`.{path}` lies in `{name}(..)`, whose sites cannot be summed over");
            return Err(Box::new(self.err("E0463", title, span)));
        }
        if let Some((a, _)) = how.exchanged.first() {
            let path = format!("{}{}", how.path, a.join("."));
            let title = format!("`.{path}` lies in `{name}(..)`, whose sites are not its own");
            return Err(Box::new(
                self.err("E0463", title, span)
                    .hint("exchange sites of the model inside it"),
            ));
        }
        if !g.exact {
            self.estimated_model.get_or_insert_with(|| name.clone());
        }
        let sites = self.forms_of_functions(g, span)?;
        for (n, _) in &m.given {
            if !sites.iter().any(|s| s.address[0] == *n) {
                let path = format!("{}{n}", how.path);
                let title = format!("`given` names `{path}`, which is no site of `{name}(..)`");
                return Err(Box::new(self.err("E0411", title, m.span)));
            }
        }
        let given = Val::record(m.given.clone());
        let open: Vec<_> = sites
            .iter()
            .filter(|s| super::addresses::at(&given, &s.address).is_none())
            .cloned()
            .collect();
        let scored = match scored {
            // Nothing is left to be drawn.
            None if open.is_empty() => Some(Val::record(vec![])),
            other => other,
        };
        let forms = how.forms.is_some().then(|| open.clone());
        let Some(trace) = scored else {
            let Some(sample) = &g.sample else {
                return Err(self.lacks(&name, "drawn from", "`density`", span));
            };
            if !m.given.is_empty() {
                let title = format!("`{name}(..)` is conditioned, so it cannot be drawn from");
                return Err(Box::new(self.err("E0451", title, span).hint(
                    "condition the model inside it, or draw the open sites from a guide and score them",
                )));
            }
            let sample = sample.clone();
            let v = self.by_functions(g, &sample, vec![], span)?;
            let (trace, weight) = self.drawn(&v, &name, span)?;
            let trace = self.force_leaves(&trace, span)?;
            let weight = self.weight(&weight, g, Kind::Reciprocal, span)?;
            return Ok(Run {
                value: trace.clone(),
                trace,
                log_weights: vec![weight],
                forms,
            });
        };
        let Some(density) = &g.density else {
            return Err(self.lacks(&name, "scored", "`sample`", span));
        };
        for s in &open {
            if super::addresses::at(&trace, &s.address).is_none() {
                return Err(self.missing_address(&s.address.join("."), None, trace, span));
            }
        }
        if let Some(extra) = super::addresses::outside(&trace, &open) {
            let path = format!("{}{extra}", how.path);
            let title = format!("the trace has `{path}`, which is no open site of `{name}(..)`");
            return Err(Box::new(
                self.err("E0412", title, span)
                    .hint(format!("remove `{extra}` from the trace")),
            ));
        }
        let whole = super::addresses::overlaid(&trace, &given);
        let density = density.clone();
        let v = self.by_functions(g, &density, vec![(None, whole.clone())], span)?;
        let weight = self.weight(&v, g, Kind::Density, span)?;
        Ok(Run {
            value: whole,
            trace,
            log_weights: vec![weight],
            forms,
        })
    }

    /// Applies one of the functions. What the models in it are does not matter: `g` says what comes of them.
    pub(super) fn by_functions(
        &mut self,
        g: &Generative,
        f: &Val,
        args: Vec<(Option<Rc<str>>, Val)>,
        span: Span,
    ) -> R<Val> {
        let estimated = self.estimated_model.clone();
        let v = self.in_frame(&g.name, span, |s| {
            s.beside_models(|s| s.apply(f, args, span))
        });
        self.estimated_model = estimated;
        v
    }

    /// What `sample` gives: a trace and its log density.
    pub(super) fn drawn(&self, v: &Val, name: &str, span: Span) -> R<(Val, Val)> {
        match v {
            Val::Tuple(p) if matches!(p.as_slice(), [Val::Record(_), _]) => {
                Ok((p[0].clone(), p[1].clone()))
            }
            other => {
                let title = format!(
                    "`sample` of `{name}` gives a trace and its log density, not {}",
                    other.kind()
                );
                Err(Box::new(self.err("E0452", title, span).hint(
                    "its value is a pair of a record and a number: `({x: ..}, w)`",
                )))
            }
        }
    }

    /// A log density: one real, of which it is marked what is unbiased.
    fn weight(&mut self, v: &Val, g: &Generative, kind: Kind, span: Span) -> R<crate::ir::Value> {
        let name = &g.name;
        let v = match v {
            Val::Int(i) => Val::Real(*i as f64),
            v => v.clone(),
        };
        let t = self.force(&v, span)?;
        let ty = self.ctx.graph.ty(t).clone();
        if ty.rank() != 0 || !ty.dtype.is_real() {
            let title = format!("the log density that `{name}` gives is a `{ty}`, not one real");
            return Err(Box::new(self.err("E0452", title, span)));
        }
        Ok(match g.exact {
            true => t,
            false => self.log_estimate(t, kind, span),
        })
    }

    fn lacks(&self, name: &str, what: &str, has: &str, span: Span) -> Box<Report> {
        let title = format!("`{name}(..)` cannot be {what}");
        let hint = match has {
            "`sample`" => {
                "it can only be drawn from: use it where a trace is drawn, or choose a method that has a density"
            }
            _ => {
                "it can only be scored: use it where the density of a trace is asked for, or choose a method that draws"
            }
        };
        Box::new(
            self.err_at("E0450", title, span, format!("it has {has} only"))
                .hint(hint),
        )
    }
}

/// The report of a function that refuses what it is given.
impl Session {
    /// `refuse("why", at: .site, hint: "what to do")`: a mistake in the call of the function around.
    pub(in crate::lower) fn refuse(&mut self, a: &mut Args, span: Span) -> R<Val> {
        let why = self.one("refuse", a, span)?;
        let hint = a.take("hint");
        let site = match a.take("at") {
            Some(v) => self
                .addresses(&v, span)?
                .first()
                .map(|a| format!("`.{}`: ", a.join("."))),
            None => None,
        };
        let (Val::Str(why), None | Some(Val::Str(_))) = (&why, &hint) else {
            return self.fail(
                "E0201",
                "`refuse` takes a string, and `hint:` another",
                span,
            );
        };
        let at = self.call_into(span);
        let mut r: Report = self.err("E0455", format!("{}{why}", site.unwrap_or_default()), at);
        if let Some(Val::Str(h)) = hint {
            r = r.hint(h.to_string());
        }
        Err(Box::new(r))
    }

    /// The call that a user wrote: the innermost one into the file, or the library, that holds `span`.
    pub(super) fn call_into(&self, span: Span) -> Span {
        let own = self.of_library(span);
        let written = |s: &Span| *s != Span::default();
        let calls = || self.frames.iter().rev().map(|f| f.span);
        calls()
            .find(|s| written(s) && s.file != span.file && !(own && self.of_library(*s)))
            .or_else(|| calls().next().filter(written))
            .unwrap_or(span)
    }
}
