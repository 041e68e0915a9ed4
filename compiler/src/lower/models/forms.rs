//! What is known of a model's open sites before it runs: names, shapes and supports.

use super::How;
use super::addresses::Address;
use crate::ir::Value;
use crate::lower::leaves::leaves;
use crate::lower::session::{R, Session, rc};
use crate::lower::value::{DistVal, Env, Generative, ModelCode, ModelVal, Val};
use mlc_grammar::span::Span;
use std::rc::Rc;

/// One open site of a model, or all lanes of one in a plate.
#[derive(Clone)]
pub struct SiteForm {
    pub address: Address,
    pub shape: Vec<usize>,
    /// What the distribution declares after `on`: a support, or its text where nothing of that name is defined. Missing where
    /// it differs from lane to lane.
    pub support: Val,
    /// Where the support is all between two numbers: these, as far as they are finite.
    pub ends: (Val, Val),
    /// All values of a finite distribution outside plates.
    pub values: Val,
    /// Is the distribution finite?
    pub finite: bool,
}

impl SiteForm {
    pub(super) fn under(mut self, site: &Rc<str>) -> Self {
        self.address.insert(0, site.clone());
        self
    }

    fn as_val(&self) -> Val {
        let shape = self.shape.iter().map(|&n| Val::Int(n as i64)).collect();
        Val::record(vec![
            (rc("at"), Val::Address(Rc::new(self.address.clone()))),
            (rc("shape"), Val::list(shape)),
            (rc("support"), self.support.clone()),
            (rc("low"), self.ends.0.clone()),
            (rc("high"), self.ends.1.clone()),
            (rc("values"), self.values.clone()),
            (rc("finite"), Val::Bool(self.finite)),
            (rc("map"), self.map()),
            (
                rc("axes"),
                self.support.field("axes").unwrap_or(Val::Int(0)),
            ),
        ])
    }

    /// The support, where reals are mapped onto it and volumes are known.
    fn map(&self) -> Val {
        let whole = ["constrain", "free", "log_jacobian"]
            .iter()
            .all(|f| self.support.field(f).is_some());
        if !self.finite && (whole || matches!(self.support, Val::Builtin(_))) {
            self.support.clone()
        } else {
            Val::Missing
        }
    }

    fn from_val(v: &Val) -> Option<Self> {
        let Some(Val::Address(a)) = v.field("at") else {
            return None;
        };
        let Some(Val::List(shape)) = v.field("shape") else {
            return None;
        };
        let shape = shape.iter().map(|n| match n {
            Val::Int(n) => usize::try_from(*n).ok(),
            _ => None,
        });
        Some(Self {
            address: a.to_vec(),
            shape: shape.collect::<Option<_>>()?,
            support: v.field("support")?,
            ends: (v.field("low")?, v.field("high")?),
            values: v.field("values")?,
            finite: matches!(v.field("finite")?, Val::Bool(true)),
        })
    }
}

impl Session {
    /// Adds what is known of a site, where that is asked for.
    pub(super) fn note_form(
        &mut self,
        handler: usize,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        span: Span,
    ) -> R<()> {
        let h = &self.handlers[handler];
        let observed = h.given.iter().any(|g| g.0 == *site);
        if h.how.forms.is_none() || observed {
            return Ok(());
        }
        let in_plate = self.plates.len() > h.plates;
        // What depends on a lane means nothing outside it.
        let support = match self.support_of(d) {
            v if in_plate && !tensors_seen(&v).is_empty() => Val::Missing,
            v => v,
        };
        let values = if !in_plate && d.plates.is_empty() && Self::has_member(d, "support") {
            // More points than can be gone over are none that are known.
            self.call_member(d, "support", vec![], span)
                .unwrap_or(Val::Missing)
        } else {
            Val::Missing
        };
        let end = |name: &str| match support.field(name) {
            Some(Val::Real(x)) if x.is_infinite() => Val::Missing,
            other => other.unwrap_or(Val::Missing),
        };
        let ends = (end("low"), end("high"));
        let form = SiteForm {
            address: vec![site.clone()],
            shape: vec![],
            ends,
            support,
            values,
            finite: Self::has_member(d, "support"),
        };
        if let Some(forms) = &mut self.handlers[handler].how.forms {
            forms.push(form);
        }
        Ok(())
    }

    /// What stands after `on`, with the distribution's arguments.
    pub(in crate::lower) fn support_of(&mut self, d: &Rc<DistVal>) -> Val {
        let on = &d.def.def.support;
        // A name that nothing defines is a word.
        let text = Val::Str(rc(self.sources.text(on.span)));
        let value = self
            .member_env(d, on.span)
            .and_then(|env| self.eval(on, &env));
        value.unwrap_or(text)
    }

    /// The open sites of a model: it is run once for that, and what it computes is used by nothing.
    pub(super) fn forms_of(&mut self, m: &Rc<ModelVal>, span: Span) -> R<Vec<SiteForm>> {
        if let ModelCode::Functions(g) = &m.code {
            let given = Val::record(m.given.clone());
            let mut all = self.forms_of_functions(&g.clone(), span)?;
            all.retain(|s| super::addresses::at(&given, &s.address).is_none());
            return Ok(all);
        }
        let run = self.unseen(span, |s| {
            let how = How {
                forms: Some(vec![]),
                ..How::default()
            };
            s.run_model(m, None, how, span)
        })?;
        let mut forms = run.forms.unwrap_or_default();
        let drawn = self.reached(&leaves(&run.trace));
        for f in &mut forms {
            // A support that depends on a draw moves: nothing is known of it before.
            if tensors_seen(&f.support).into_iter().any(|t| drawn.has(t)) {
                f.support = Val::Missing;
                f.ends = (Val::Missing, Val::Missing);
            }
            if let Some(v) = super::addresses::at(&run.trace, &f.address) {
                let t = self.force(&v, span)?;
                f.shape = self.ctx.graph.ty(t).shape.clone();
            }
        }
        // A site that was met once for each item of a list, or on both sides of an `if`, is one.
        let mut seen: Vec<Address> = Vec::new();
        forms.retain(|f| {
            let new = !seen.contains(&f.address);
            seen.push(f.address.clone());
            new
        });
        Ok(forms)
    }

    pub(super) fn forms_of_functions(
        &mut self,
        g: &Rc<Generative>,
        span: Span,
    ) -> R<Vec<SiteForm>> {
        if let Some(sites) = &g.sites {
            let all = match sites {
                Val::List(items) => items.iter().map(SiteForm::from_val).collect(),
                _ => None,
            };
            return all.ok_or_else(|| {
                Box::new(
                    self.err(
                        "E0452",
                        "`sites` of `generative` is what `sites(m)` gives",
                        span,
                    )
                    .hint("write `sites: sites(m)` with a model `m` that has the same sites"),
                )
            });
        }
        let Some(sample) = g.sample.clone() else {
            return Ok(vec![]);
        };
        let v = self.unseen(span, |s| s.by_functions(g, &sample, vec![], span))?;
        let (trace, _) = self.drawn(&v, &g.name, span)?;
        let mut out = Vec::new();
        self.unknown_forms(&trace, &mut vec![], &mut out, span)?;
        Ok(out)
    }

    /// Addresses and shapes of a trace, of which nothing else is known.
    fn unknown_forms(
        &mut self,
        v: &Val,
        path: &mut Address,
        out: &mut Vec<SiteForm>,
        span: Span,
    ) -> R<()> {
        if let Val::Record(fields) = v {
            for (n, v) in fields.iter() {
                path.push(n.clone());
                self.unknown_forms(v, path, out, span)?;
                path.pop();
            }
            return Ok(());
        }
        let t = self.force(v, span)?;
        out.push(SiteForm {
            address: path.clone(),
            shape: self.ctx.graph.ty(t).shape.clone(),
            support: Val::Missing,
            ends: (Val::Missing, Val::Missing),
            values: Val::Missing,
            finite: false,
        });
        Ok(())
    }

    /// Runs `f` for what it shows of types: no model, expectation or tap around sees it, and it moves no stream of draws.
    pub(in crate::lower) fn unseen<T>(
        &mut self,
        span: Span,
        f: impl FnOnce(&mut Self) -> R<T>,
    ) -> R<T> {
        let handlers = std::mem::take(&mut self.handlers);
        let summed = std::mem::take(&mut self.summed);
        let expects = std::mem::take(&mut self.expects);
        let result = self.unheard(|s| s.with_frame_key("sites", span, 0, f));
        self.expects = expects;
        self.summed = summed;
        self.handlers = handlers;
        result
    }

    /// `sites(m)`, `sites(m, only: [.x])`, `sites(m, without: [.x])`
    pub(in crate::lower) fn sites_of(
        &mut self,
        m: &Val,
        only: Option<Vec<Address>>,
        without: Option<Vec<Address>>,
        span: Span,
    ) -> R<Val> {
        match m {
            Val::Model(m) => {
                let mut forms = self.forms_of(m, span)?;
                for a in only.iter().chain(&without).flatten() {
                    if !forms.iter().any(|f| f.address.starts_with(a)) {
                        let known: Vec<String> = forms
                            .iter()
                            .map(|f| format!(".{}", f.address.join(".")))
                            .collect();
                        let title = format!("`.{}` is no open site of the model", a.join("."));
                        let r = self.err("E0453", title, span);
                        return Err(Box::new(match known.len() {
                            0 => r.hint("the model has no open site"),
                            _ => r.hint(format!(
                                "its open sites are {}",
                                crate::lower::resolve::listed(&known)
                            )),
                        }));
                    }
                }
                let named =
                    |f: &SiteForm, list: &[Address]| list.iter().any(|a| f.address.starts_with(a));
                forms.retain(|f| {
                    only.as_ref().is_none_or(|l| named(f, l))
                        && !without.as_ref().is_some_and(|l| named(f, l))
                });
                Ok(Val::list(forms.iter().map(SiteForm::as_val).collect()))
            }
            other => {
                let title = format!("`sites` takes a model, not {}", other.kind());
                Err(Box::new(self.err("E0404", title, span)))
            }
        }
    }
}

/// The tensors that a support's functions see.
fn tensors_seen(v: &Val) -> Vec<Value> {
    fn walk(v: &Val, out: &mut Vec<Value>, scopes: &mut Vec<Env>) {
        match v {
            Val::Tensor(t) => out.push(*t),
            Val::Tuple(items) | Val::List(items) => items.iter().for_each(|v| walk(v, out, scopes)),
            Val::Record(fields) => fields.iter().for_each(|f| walk(&f.1, out, scopes)),
            Val::Partial(p) => {
                walk(&p.of, out, scopes);
                p.given.iter().for_each(|f| walk(&f.1, out, scopes));
            }
            Val::Fn(f) => {
                let mut at = Some(f.env.clone());
                while let Some(env) = at {
                    if env.0.parent.is_none() || scopes.iter().any(|e| Rc::ptr_eq(&e.0, &env.0)) {
                        return;
                    }
                    scopes.push(env.clone());
                    let vars: Vec<Val> = env.0.vars.borrow().values().cloned().collect();
                    vars.iter().for_each(|v| walk(v, out, scopes));
                    at = env.0.parent.clone();
                }
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(v, &mut out, &mut Vec::new());
    out
}
