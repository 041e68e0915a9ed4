//! Models that keep parameters: `model guide = auto.full_rank(m)`.
//!
//! What stands right of `=` is evaluated as a net's body is: each `param`, `state` and `net` inside, of whatever function, belongs
//! to the model's name. What the functions of the model see besides, tensors computed on the way, is kept as a top-level `let` is. The
//! model on other parameters is a copy of its functions that see those instead.

use super::leaves::map_leaves;
use super::models::Lifted;
use super::nets::{NetFrame, insert};
use super::resolve::listed;
use super::session::{R, Session, rc};
use super::value::{
    Closure, DistVal, Env, EstimatorVal, Generative, ModelCode, ModelDef, ModelVal, NetVal,
    Partial, Scope, Val,
};
use crate::ir::{Attr, Type};
use crate::ops;
use crate::program::{SlotId, SlotKind};
use mlc_grammar::ast::{Expr, Name};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Where a model's parameters and states are kept.
pub struct Made {
    pub path: Rc<str>,
    /// Values in place of the kept ones, and the model that has those.
    pub with: Option<(Val, ModelVal)>,
}

/// What takes the place of a model's own parameters.
struct Others {
    slots: HashMap<SlotId, Val>,
    /// The parameters of nets, below this path.
    path: Rc<str>,
    params: Val,
    scopes: HashMap<*const Scope, Env>,
}

impl Session {
    /// `model name = e`
    pub(super) fn declare_model(
        &mut self,
        name: &'static Name,
        value: &'static Expr,
        env: &Env,
    ) -> R<Val> {
        let in_net = self.nets.last().map(|n| n.path.clone());
        let made = in_net.is_none();
        // At the top of a file nothing has been called.
        if in_net.is_none() && (!self.in_init || self.frames.len() > 1) {
            return self.eval(value, env);
        }
        let path: Rc<str> = match in_net {
            Some(outer) => rc(&format!("{outer}.{}", name.text)),
            None => rc(&name.text),
        };
        let (stopped, with) = match self.nets.last() {
            Some(n) => (n.stopped, n.with.as_ref().and_then(|w| w.field(&name.text))),
            None => (false, None),
        };
        self.nets.push(NetFrame {
            path: path.clone(),
            stopped,
            with,
            stack: None,
            made,
            states: None,
            own_states: vec![],
            scans: self.scans.len(),
        });
        let v = self.eval(value, env);
        self.nets.pop();
        let v = v?;
        // Nets have their parameters from their first call.
        if let (true, Val::Model(m)) = (made, &v)
            && let ModelCode::Functions(g) = &m.code
            && let Some(sample) = g.sample.clone()
        {
            self.unseen(value.span, |s| s.apply(&sample, vec![], value.span))?;
        }
        Ok(match v {
            Val::Model(m)
                if m.made.is_none()
                    && !self
                        .kept_below(&path, &[SlotKind::Param, SlotKind::State])
                        .is_empty() =>
            {
                let mut m = (*m).clone();
                m.made = Some(Rc::new(Made { path, with: None }));
                Val::Model(Rc::new(m))
            }
            other => other,
        })
    }

    /// Does a place lie in the standard library?
    pub(super) fn of_library(&self, at: Span) -> bool {
        self.sources.name(at.file).starts_with("std/")
    }

    /// What is said of a parameter or state in a function. In one of the library, it is the call that stands in the wrong place.
    pub(super) fn kept_elsewhere(&self, places: &str, span: Span) -> Box<Report> {
        let mut calls = self.frames.iter().rev();
        let called = calls.find(|f| f.span != Span::default() && !self.of_library(f.span));
        let Some(f) = called.filter(|_| self.of_library(span)) else {
            return Box::new(self.err("E0503", places, span));
        };
        let title = format!(
            "`{}` keeps parameters, and is called where none can be kept",
            f.name
        );
        let hint = format!(
            "make it at the top of the file: `model guide = {}(..)`",
            f.name
        );
        Box::new(self.err("E0503", title, f.span).hint(hint))
    }

    /// A parameter of a model that is being made is no value yet: what is computed from it now would never change.
    pub(super) fn read_while_made(&self, slot: SlotId, span: Span) -> R<()> {
        let name = &self.slots[slot.0 as usize].name;
        let own = |n: &NetFrame| {
            let rest = name.strip_prefix(&*n.path);
            n.made && rest.is_some_and(|r| r.starts_with(['.', '[']))
        };
        if !self.in_init || !self.nets.iter().any(own) {
            return Ok(());
        }
        let title = format!("`{name}` is read while its model is made");
        Err(Box::new(self.err_at("E0526", title, span, "this would keep its first value").hint(
            "read it in the function that draws or scores, or in a function that these call",
        )))
    }

    /// The parameters of a model, a record that mirrors the addresses.
    pub(super) fn model_params(&self, made: &Made) -> Val {
        self.model_record(made, &[SlotKind::Param])
    }

    /// The parameters and the states of a model: all that it is made of besides its code.
    pub(super) fn model_kept(&self, made: &Made) -> Val {
        self.model_record(made, &[SlotKind::Param, SlotKind::State])
    }

    fn model_record(&self, made: &Made, kinds: &[SlotKind]) -> Val {
        let mut root = Vec::new();
        for id in self.kept_below(&made.path, kinds) {
            let rest = self.below_path(id, &made.path);
            let other = made.with.as_ref().and_then(|(all, _)| below(all, &rest));
            insert(&mut root, &rest, other.unwrap_or(Val::Slot(id)));
        }
        Val::record(root)
    }

    /// A slot's address below a path.
    fn below_path(&self, id: SlotId, path: &str) -> String {
        let name = &self.slots[id.0 as usize].name;
        name[path.len()..].trim_start_matches('.').to_string()
    }

    /// The model through whose parameters no derivative passes.
    pub(super) fn stopped_model(&mut self, m: &Rc<ModelVal>, made: &Made, span: Span) -> R<Val> {
        let kept = self.model_kept(made);
        let kept = self.force_leaves(&kept, span)?;
        let kept = map_leaves(&kept, &mut |t| {
            if self.ctx.graph.ty(t).dtype.is_real() {
                self.ctx.graph.add(&ops::STOP, Attr::None, &[t])
            } else {
                t
            }
        });
        self.model_with(m, made, kept, span)
    }

    /// `m.with(r)`: the model on other parameters, and on other states as far as `r` has them.
    pub(super) fn model_with(
        &mut self,
        m: &Rc<ModelVal>,
        made: &Made,
        given: Val,
        span: Span,
    ) -> R<Val> {
        let origin = match &made.with {
            Some((_, origin)) => origin.clone(),
            None => (**m).clone(),
        };
        let mut slots = HashMap::new();
        let mut all = Vec::new();
        for id in self.kept_below(&made.path, &[SlotKind::Param, SlotKind::State]) {
            let rest = self.below_path(id, &made.path);
            let v = match below(&given, &rest) {
                Some(v) => v,
                None if self.slots[id.0 as usize].kind == SlotKind::State => {
                    let before = made.with.as_ref().and_then(|(all, _)| below(all, &rest));
                    before.unwrap_or(Val::Slot(id))
                }
                None => return Err(self.no_parameter(&rest, &given, span)),
            };
            insert(&mut all, &rest, v.clone());
            slots.insert(id, v);
        }
        let params = Val::record(all);
        let kept = self.model_kept(made);
        self.check_given(&kept, &params, "", span)?;
        let mut others = Others {
            slots,
            path: made.path.clone(),
            params: params.clone(),
            scopes: HashMap::new(),
        };
        Ok(Val::Model(Rc::new(ModelVal {
            code: others.code(&origin.code),
            given: m.given.clone(),
            span: m.span,
            exchanged: m.exchanged.clone(),
            lifted: m.lifted.clone(),
            made: Some(Rc::new(Made {
                path: made.path.clone(),
                with: Some((params, origin)),
            })),
        })))
    }

    /// What is given in place of kept values has all of them, each with its type.
    pub(super) fn check_given(&mut self, kept: &Val, given: &Val, name: &str, span: Span) -> R<()> {
        if let Val::Record(fields) = kept {
            for (n, v) in fields.iter() {
                let inner = match name {
                    "" => n.to_string(),
                    name => format!("{name}.{n}"),
                };
                let Some(part) = given.field(n) else {
                    return Err(self.no_parameter(&inner, given, span));
                };
                self.check_given(v, &part, &inner, span)?;
            }
            return Ok(());
        }
        let want = self.type_kept(kept, span)?;
        let have = match given {
            Val::Int(_) | Val::Real(_) if want.rank() == 0 => return Ok(()),
            given => self.type_kept(given, span)?,
        };
        if have != want {
            let title = format!("the `{name}` given is a `{have}`, and the parameter a `{want}`");
            return Err(Box::new(self.err("E0529", title, span).hint(
                "give the parameters of the same structure: the same sites, sizes and precision",
            )));
        }
        Ok(())
    }

    /// The type of a value, or of what a slot stands for.
    fn type_kept(&mut self, v: &Val, span: Span) -> R<Type> {
        if let Val::Slot(id) = v
            && !self.supports.contains_key(id)
        {
            return Ok(self.slots[id.0 as usize].ty.clone());
        }
        let t = self.force(v, span)?;
        Ok(self.ctx.graph.ty(t).clone())
    }

    pub(super) fn no_parameter(&self, name: &str, given: &Val, span: Span) -> Box<Report> {
        let title = format!("the parameters given have no `{name}`");
        let r = self.err("E0504", title, span);
        Box::new(match given {
            Val::Record(fields) if !fields.is_empty() => {
                let has: Vec<String> = fields.iter().map(|f| f.0.to_string()).collect();
                r.hint(format!("they have {}", listed(&has)))
            }
            _ => r.hint("give a record with a field for each parameter, such as `n.params`"),
        })
    }

    /// Keeps the tensors that a function sees, in the scopes around it up to the file's.
    pub(super) fn keep_seen(&mut self, path: &str, env: &Env, span: Span) -> R<()> {
        let mut at = Some(env.clone());
        while let Some(env) = at {
            if env.0.parent.is_none() || self.kept_scopes.iter().any(|e| Rc::ptr_eq(&e.0, &env.0)) {
                return Ok(());
            }
            self.kept_scopes.push(env.clone());
            let scope = self.kept_scopes.len();
            let mut names: Vec<(String, Val)> = env.0.vars.borrow().clone().into_iter().collect();
            names.sort_by(|a, b| a.0.cmp(&b.0));
            for (n, v) in names {
                let v = self.keep(&format!("{path}.{scope}.{n}"), v, &SlotKind::Global, span)?;
                env.bind(&n, v);
            }
            at = env.0.parent.clone();
        }
        Ok(())
    }
}

/// A part of a record, by a path such as `layer[0].w`.
pub(super) fn below(v: &Val, path: &str) -> Option<Val> {
    path.split('.').try_fold(v.clone(), |v, n| v.field(n))
}

impl Others {
    fn env(&mut self, env: &Env) -> Env {
        let Some(parent) = &env.0.parent else {
            return env.clone();
        };
        if let Some(known) = self.scopes.get(&Rc::as_ptr(&env.0)) {
            return known.clone();
        }
        let copy = Env(Rc::new(Scope {
            vars: RefCell::default(),
            parent: Some(self.env(parent)),
            module: env.0.module,
        }));
        self.scopes.insert(Rc::as_ptr(&env.0), copy.clone());
        let vars = env.0.vars.borrow().clone();
        for (n, v) in vars {
            let v = self.value(&v);
            copy.bind(&n, v);
        }
        copy
    }

    fn named(&mut self, fields: &[(Rc<str>, Val)]) -> Vec<(Rc<str>, Val)> {
        fields
            .iter()
            .map(|(n, v)| (n.clone(), self.value(v)))
            .collect()
    }

    fn code(&mut self, code: &ModelCode) -> ModelCode {
        match code {
            ModelCode::Block(def, env) => ModelCode::Block(self.model(def), self.env(env)),
            ModelCode::Functions(g) => ModelCode::Functions(Rc::new(Generative {
                name: g.name.clone(),
                sample: g.sample.as_ref().map(|f| self.value(f)),
                density: g.density.as_ref().map(|f| self.value(f)),
                sites: g.sites.clone(),
                exact: g.exact,
            })),
        }
    }

    fn model(&mut self, def: &ModelDef) -> Rc<ModelDef> {
        Rc::new(ModelDef {
            name: def.name.clone(),
            args: def.args,
            body: def.body,
            env: self.env(&def.env),
        })
    }

    fn net(&self, n: &Rc<NetVal>) -> Rc<NetVal> {
        let rest = n
            .path
            .strip_prefix(&*self.path)
            .and_then(|r| r.strip_prefix('.'));
        match rest.and_then(|r| below(&self.params, r)) {
            Some(with) if n.with.is_none() => Rc::new(NetVal {
                with: Some(with),
                ..(**n).clone()
            }),
            _ => n.clone(),
        }
    }

    fn value(&mut self, v: &Val) -> Val {
        match v {
            Val::Slot(id) => self.slots.get(id).cloned().unwrap_or_else(|| v.clone()),
            Val::Fn(c) => Val::Fn(Rc::new(Closure {
                name: c.name.clone(),
                code: c.code,
                env: self.env(&c.env),
            })),
            Val::Partial(p) => Val::Partial(Rc::new(Partial {
                of: self.value(&p.of),
                given: self.named(&p.given),
                span: p.span,
            })),
            Val::Method(m) => Val::Method(Rc::new((self.value(&m.0), m.1.clone()))),
            Val::Tuple(items) => Val::tuple(items.iter().map(|v| self.value(v)).collect()),
            Val::List(items) => Val::list(items.iter().map(|v| self.value(v)).collect()),
            Val::Record(fields) => Val::record(self.named(fields)),
            Val::Dist(d) => Val::Dist(Rc::new(DistVal {
                args: self.named(&d.args),
                ..(**d).clone()
            })),
            Val::Estimator(e) => Val::Estimator(Rc::new(EstimatorVal {
                def: e.def.clone(),
                args: self.named(&e.args),
            })),
            Val::ModelDef(def) => Val::ModelDef(self.model(def)),
            Val::Model(m) => Val::Model(Rc::new(ModelVal {
                code: self.code(&m.code),
                given: self.named(&m.given),
                exchanged: m
                    .exchanged
                    .iter()
                    .map(|(a, f)| (a.clone(), self.value(f)))
                    .collect(),
                lifted: m
                    .lifted
                    .iter()
                    .map(|l| Lifted {
                        prior: self.value(&l.prior),
                        ..l.clone()
                    })
                    .collect(),
                ..(**m).clone()
            })),
            Val::Net(n) => Val::Net(self.net(n)),
            Val::Nets(n, count) => Val::Nets(self.net(n), *count),
            Val::NetStack(items) => {
                let items = items.iter().map(|(i, v)| (*i, self.value(v)));
                Val::NetStack(Rc::new(items.collect()))
            }
            other => other.clone(),
        }
    }
}
