//! Parameters that are sites of a model: `lift(m, {w: normal(0.0, 1.0)})`.
//!
//! The sites come first; while the rest of the model's block runs, whatever reads one of the parameters reads the site's value. A
//! net is one site, the vector of its parameters in the order in which `flatten` takes them.

use crate::ir::{Attr, Value};
use crate::lower::builtins::Args;
use crate::lower::leaves::leaves;
use crate::lower::session::{R, Session};
use crate::lower::value::{ModelCode, ModelVal, Val};
use crate::ops;
use crate::program::{SlotId, SlotKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::HashMap;
use std::rc::Rc;

/// A parameter, or all those of a net or model, in whose place a site is drawn.
#[derive(Clone)]
pub struct Lifted {
    /// What it is called: the site's name.
    pub name: Rc<str>,
    /// The kept values, or a record of them.
    pub kept: Val,
    /// The site's distribution, or a function that makes it of the parameter.
    pub prior: Val,
}

/// What is read in the place of parameters.
#[derive(Default)]
pub struct InPlace {
    values: HashMap<SlotId, Value>,
    /// Parameters of which a value was read.
    read: Vec<SlotId>,
}

impl Session {
    /// `lift(m, {w: normal(0.0, 1.0), n: |p| normal(zeros_like(p), 1.0)})`
    pub(in crate::lower) fn lift(&mut self, a: &mut Args, span: Span) -> R<Val> {
        let [Val::Model(m), Val::Record(priors)] = a.positional.as_slice() else {
            return self.fail_hint(
                "E0201",
                "`lift` takes a model, and a record of distributions by the names of parameters",
                span,
                "write `lift(m, {w: normal(0.0, 1.0)})`",
            );
        };
        if let ModelCode::Functions(g) = &m.code {
            let title = format!(
                "`{}(..)` has no block in which parameters could be drawn",
                g.name
            );
            return Err(self.not_lifted(title, "lift parameters of the model inside it", span));
        }
        let (mut m, priors): (ModelVal, _) = ((**m).clone(), priors.clone());
        for (name, prior) in priors.iter() {
            if !matches!(
                prior,
                Val::Dist(_) | Val::Fn(_) | Val::Builtin(_) | Val::Partial(_)
            ) {
                let title = format!("the prior of `{name}` is {}, no distribution", prior.kind());
                let hint = "write a distribution, or a function that makes it of the parameter: `|p| normal(zeros_like(p), 1.0)`";
                return Err(self.not_lifted(title, hint, span));
            }
            let item = match self.item(self.root, name, span) {
                Some(v) => v?,
                None => Val::Unit,
            };
            let kept = match &item {
                Val::Net(n) | Val::Nets(n, _) => self.net_params(&n.clone(), span)?,
                Val::Model(m) => match &m.made {
                    Some(made) => self.model_params(made),
                    None => Val::Unit,
                },
                _ => item,
            };
            if !self.is_made_of_parameters(&kept) {
                let title = format!("`{name}` is no parameter of the pipeline");
                let hint = "name a `param`, a `net`, or a model that keeps parameters";
                return Err(self.not_lifted(title, hint, span));
            }
            m.lifted.push(Lifted {
                name: name.clone(),
                kept,
                prior: prior.clone(),
            });
        }
        Ok(Val::Model(Rc::new(m)))
    }

    fn not_lifted(&self, title: String, hint: &str, span: Span) -> Box<Report> {
        Box::new(self.err("E0468", title, span).hint(hint))
    }

    fn is_made_of_parameters(&self, v: &Val) -> bool {
        match v {
            Val::Slot(id) => self.slots[id.0 as usize].kind == SlotKind::Param,
            Val::Record(fields) => {
                !fields.is_empty() && fields.iter().all(|f| self.is_made_of_parameters(&f.1))
            }
            Val::Tuple(items) => {
                !items.is_empty() && items.iter().all(|v| self.is_made_of_parameters(v))
            }
            _ => false,
        }
    }

    /// The value that stands in the place of a parameter, if one does.
    pub(in crate::lower) fn in_place_of(&mut self, id: SlotId) -> Option<Value> {
        let v = self.in_place.values.get(&id).copied()?;
        self.in_place.read.push(id);
        Some(v)
    }

    /// Runs `f`, the block of a model, with sites in the place of some parameters.
    pub(super) fn with_lifted<T>(
        &mut self,
        lifted: &[Lifted],
        model: &str,
        span: Span,
        f: impl FnOnce(&mut Self) -> R<T>,
    ) -> R<T> {
        if lifted.is_empty() {
            return f(self);
        }
        let mut values = self.in_place.values.clone();
        for l in lifted {
            for (id, v) in self.drawn_in_place(l, span)? {
                values.insert(id, v);
            }
        }
        let outer = std::mem::replace(
            &mut self.in_place,
            InPlace {
                values,
                read: vec![],
            },
        );
        let result = f(self);
        let inner = std::mem::replace(&mut self.in_place, outer);
        let value = result?;
        for l in lifted {
            if !slots_of(&l.kept).iter().any(|id| inner.read.contains(id)) {
                let title = format!("`{model}` does not read `{}`, which is to be drawn", l.name);
                let hint = "name a parameter that the model's block reads; what is computed before it runs keeps the first value";
                return Err(self.not_lifted(title, hint, span));
            }
        }
        self.in_place.read.extend(inner.read);
        Ok(value)
    }

    /// The site of a parameter, taken apart into what its slots hold.
    fn drawn_in_place(&mut self, l: &Lifted, span: Span) -> R<Vec<(SlotId, Value)>> {
        let slots = slots_of(&l.kept);
        let now = self.force_leaves(&l.kept, span)?;
        let now = leaves(&now);
        let one = matches!(l.kept, Val::Slot(_));
        let prior = match &l.prior {
            Val::Dist(_) => l.prior.clone(),
            f => {
                let p = match one {
                    true => now[0],
                    false => self.in_a_row(&now, span)?,
                };
                self.beside_models(|s| s.apply(f, vec![(None, Val::Tensor(p))], span))?
            }
        };
        let Val::Dist(d) = &prior else {
            let title = format!(
                "the prior of `{}` is {}, no distribution",
                l.name,
                prior.kind()
            );
            return Err(self.not_lifted(title, "the function gives a distribution", span));
        };
        let via = self.strategy_of_all.clone().map(|e| (e, false));
        let v = self.eval_dist_site(&l.name, &d.clone(), via, span, span)?;
        let v = self.force(&v, span)?;
        let types: Vec<_> = now.iter().map(|t| self.ctx.graph.ty(*t).clone()).collect();
        let mut want = types[0].clone();
        if !one {
            want.shape = vec![types.iter().map(|t| t.len()).sum()];
        }
        let have = self.ctx.graph.ty(v).clone();
        if have != want {
            let title = format!(
                "the prior of `{}` draws a `{have}`, and the parameter is a `{want}`",
                l.name
            );
            let hint = "make the distribution of the parameter: `|p| normal(zeros_like(p), 1.0)`";
            return Err(self.not_lifted(title, hint, span));
        }
        if one {
            return Ok(vec![(slots[0], v)]);
        }
        let mut out = Vec::new();
        let mut start = 0;
        for (id, ty) in slots.iter().zip(types) {
            let part = self.slice_axis(v, 0, start, start + ty.len(), 1, span)?;
            start += ty.len();
            out.push((*id, self.ctx.graph.reshape(part, ty.shape)));
        }
        Ok(out)
    }

    /// All elements in a row.
    fn in_a_row(&mut self, tensors: &[Value], span: Span) -> R<Value> {
        let mut parts = Vec::new();
        for &t in tensors {
            let n = self.ctx.graph.ty(t).len();
            parts.push(self.ctx.graph.reshape(t, vec![n]));
        }
        self.op(&ops::CONCAT, Attr::Axis(0), &parts, span)
    }
}

/// The slots of a record, in the order of its leaves.
fn slots_of(v: &Val) -> Vec<SlotId> {
    match v {
        Val::Slot(id) => vec![*id],
        Val::Record(fields) => fields.iter().flat_map(|f| slots_of(&f.1)).collect(),
        Val::Tuple(items) => items.iter().flat_map(slots_of).collect(),
        _ => vec![],
    }
}
