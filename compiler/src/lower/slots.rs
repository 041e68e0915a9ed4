//! What is kept in slots: first values, states, top-level values and data.

use super::eval::{Frame, mix};
use super::session::{R, Session, rc};
use super::value::{Env, Generative, ModelCode, NetVal, Partial, Val};
use crate::program::SlotKind;
use mlc_grammar::ast::{self, Expr, Name};
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// Keeps a value of the initialising program: each tensor leaf becomes a slot.
    pub(super) fn keep(&mut self, path: &str, v: Val, kind: &SlotKind, span: Span) -> R<Val> {
        Ok(match &v {
            Val::Tensor(t) => {
                let ty = self.ctx.graph.ty(*t).clone();
                if *kind == SlotKind::Param && !ty.dtype.is_real() {
                    let title = format!("a parameter is made of reals, not a `{ty}`");
                    return Err(Box::new(
                        self.err("E0507", title, span)
                            .hint("what is not learned is a `state` or a `let`"),
                    ));
                }
                let id = self.new_slot(path, ty, kind.clone());
                self.ctx.write(id, *t);
                if !self.in_start {
                    self.init_pending.push(id);
                }
                Val::Slot(id)
            }
            Val::Int(_) | Val::Real(_) | Val::Bool(_) if *kind != SlotKind::Global => {
                let t = self.force(&v, span)?;
                self.keep(path, Val::Tensor(t), kind, span)?
            }
            Val::Tuple(items) => {
                let mut out = Vec::new();
                for (i, v) in items.iter().enumerate() {
                    out.push(self.keep(&format!("{path}.{i}"), v.clone(), kind, span)?);
                }
                Val::tuple(out)
            }
            Val::List(items) if *kind == SlotKind::Global => {
                let mut out = Vec::new();
                for (i, v) in items.iter().enumerate() {
                    out.push(self.keep(&format!("{path}[{i}]"), v.clone(), kind, span)?);
                }
                Val::list(out)
            }
            Val::List(_) => {
                let t = self.force(&v, span)?;
                self.keep(path, Val::Tensor(t), kind, span)?
            }
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((
                        n.clone(),
                        self.keep(&format!("{path}.{n}"), v.clone(), kind, span)?,
                    ));
                }
                Val::record(out)
            }
            Val::Dist(d) => {
                let mut d = (**d).clone();
                for (n, v) in &mut d.args {
                    *v = self.keep(&format!("{path}.{n}"), v.clone(), kind, span)?;
                }
                Val::Dist(Rc::new(d))
            }
            Val::Model(m) if *kind == SlotKind::Global => {
                let mut m = (**m).clone();
                if let ModelCode::Block(def, env) = &m.code {
                    let args = env.0.vars.borrow().clone();
                    let mut args: Vec<(String, Val)> = args.into_iter().collect();
                    args.sort_by(|a, b| a.0.cmp(&b.0));
                    let kept = def.env.child();
                    for (n, v) in args {
                        let v = self.keep(&format!("{path}.{n}"), v, kind, span)?;
                        kept.bind(&n, v);
                    }
                    self.keep_seen(path, &def.env, span)?;
                    m.code = ModelCode::Block(def.clone(), kept);
                }
                if let ModelCode::Functions(g) = &m.code {
                    for f in g.sample.iter().chain(&g.density) {
                        self.keep(path, f.clone(), kind, span)?;
                    }
                    let sites = match &g.sites {
                        Some(s) => {
                            Some(self.keep(&format!("{path}.sites"), s.clone(), kind, span)?)
                        }
                        None => None,
                    };
                    m.code = ModelCode::Functions(Rc::new(Generative {
                        name: g.name.clone(),
                        sample: g.sample.clone(),
                        density: g.density.clone(),
                        sites,
                        exact: g.exact,
                    }));
                }
                for l in &mut m.lifted {
                    l.prior =
                        self.keep(&format!("{path}.{}", l.name), l.prior.clone(), kind, span)?;
                }
                for (_, f) in &mut m.exchanged {
                    *f = self.keep(path, f.clone(), kind, span)?;
                }
                for (n, v) in &mut m.given {
                    *v = self.keep(&format!("{path}.given.{n}"), v.clone(), kind, span)?;
                }
                Val::Model(Rc::new(m))
            }
            Val::Source(s) => {
                let mut s = (**s).clone();
                s.table = self.keep(path, s.table, kind, span)?;
                Val::Source(Rc::new(s))
            }
            // A copy that can be called: the same code on parameters of its own.
            Val::Net(n) if *kind == SlotKind::State => {
                let with = self.kept_params(path, n, span)?;
                let states = self.net_states(n, span)?;
                let states = self.force_leaves(&states, span)?;
                let states = self.keep(path, states, &SlotKind::State, span)?;
                Val::Net(Rc::new(NetVal {
                    path: rc(path),
                    with: Some(with),
                    states: Some(states),
                    ..(**n).clone()
                }))
            }
            Val::Nets(n, count) if *kind == SlotKind::State => {
                let with = self.kept_params(path, n, span)?;
                Val::Nets(
                    Rc::new(NetVal {
                        path: rc(path),
                        with: Some(with),
                        ..(**n).clone()
                    }),
                    *count,
                )
            }
            Val::Fn(f) if *kind == SlotKind::Global => {
                self.keep_seen(path, &f.env, span)?;
                v
            }
            Val::Partial(p) if *kind == SlotKind::Global => {
                let of = self.keep(path, p.of.clone(), kind, span)?;
                let mut given = p.given.clone();
                for (n, v) in &mut given {
                    *v = self.keep(&format!("{path}.{n}"), v.clone(), kind, span)?;
                }
                Val::Partial(Rc::new(Partial {
                    of,
                    given,
                    span: p.span,
                }))
            }
            Val::ModelDef(def) if *kind == SlotKind::Global => {
                self.keep_seen(path, &def.env, span)?;
                v
            }
            Val::Slot(_) | Val::Unit => v,
            _ if *kind == SlotKind::Param || *kind == SlotKind::State => {
                let title = format!("{} cannot be kept from step to step", v.kind());
                return Err(Box::new(self.err("E0507", title, span).hint(
                    if *kind == SlotKind::State {
                        "states are tensors, tuples and records of them, and copies of nets"
                    } else {
                        "parameters are tensors, and tuples and records of them"
                    },
                )));
            }
            _ => v,
        })
    }

    fn kept_params(&mut self, path: &str, n: &Rc<NetVal>, span: Span) -> R<Val> {
        let params = self.net_params(n, span)?;
        let params = self.force_leaves(&params, span)?;
        self.keep(path, params, &SlotKind::State, span)
    }

    /// A top-level `let`: its tensors are computed once, before any stage.
    pub(super) fn keep_globals(&mut self, path: &str, v: Val) -> R<Val> {
        self.keep(path, v, &SlotKind::Global, Span::default())
    }

    pub(super) fn declare_state(
        &mut self,
        name: &'static Name,
        ty: Option<&'static ast::TypeExpr>,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        if self.optimizer.is_some() && self.top {
            return self.optimizer_state(name, ty, value, env);
        }
        if self.nets.last().is_some_and(|n| !n.made) {
            return self.net_state(name, ty, value, env);
        }
        let in_step = self.top && self.train.as_ref().is_some_and(|t| !t.in_every);
        let around = self.nets.last().filter(|n| n.made && self.in_init);
        let path = match &self.train {
            None if around.is_some() => self.path_of(&name.text),
            Some(t) if in_step => format!("{}.{}", t.stage, name.text),
            None if self.in_init && self.nets.is_empty() && self.frames.len() == 1 => {
                name.text.clone()
            }
            _ => {
                let places = "`state` stands at the top of a file, of a step or of an optimizer, in a net, or in a model with a name";
                return Err(self.kept_elsewhere(places, name.span));
            }
        };
        let v = match self.state_values.get(&path) {
            Some(v) => v.clone(),
            None => {
                let v = self.first_value(&path, ty, value, env, &SlotKind::State, None)?;
                self.state_values.insert(path, v.clone());
                v
            }
        };
        if let (true, Some(t)) = (in_step, &mut self.train) {
            t.states.push((name.text.clone(), v.clone()));
        }
        env.bind(&name.text, v);
        Ok(())
    }

    /// A slot's first value, computed by the initialising program. Its random stream is named by the slot's path alone.
    pub(super) fn first_value(
        &mut self,
        path: &str,
        ty: Option<&'static ast::TypeExpr>,
        value: &'static Expr,
        env: &Env,
        kind: &SlotKind,
        support: Option<&Val>,
    ) -> R<Val> {
        let starts = *kind == SlotKind::State
            && self.nets.is_empty()
            && (self.optimizer.is_some() || self.train.is_some());
        let stack = match kind {
            SlotKind::Param => self.nets.last().and_then(|n| n.stack),
            _ => None,
        };
        if !self.in_init {
            for name in super::resolve::names_in(value) {
                if let Some(v) = env.get(&name)
                    && !super::leaves::leaves(&v).is_empty()
                {
                    let title = format!(
                        "a first value cannot depend on `{name}`, which is known only at run time"
                    );
                    return Err(Box::new(self.err("E0502", title, value.span)));
                }
            }
        }
        let key = mix(0, path);
        let fill = |s: &mut Self| {
            let mut frame = Frame::root(path);
            frame.key = key;
            let guard = s.ctx.graph.guard.take();
            s.frames.push(frame);
            let one = |s: &mut Self| {
                s.eval(value, env).and_then(|v| match ty {
                    Some(ty) => s.check_type(v, ty, env, value.span),
                    None => Ok(v),
                })
            };
            let result = match stack {
                None => one(s),
                Some(n) => {
                    let lanes = Val::Range(0, n as i64);
                    s.over_lanes(&lanes, value.span, value.span, &mut |s, _| one(s))
                }
            };
            s.frames.pop();
            s.ctx.graph.guard = guard;
            let v = match result? {
                Val::Int(i) if *kind == SlotKind::Param => Val::Real(i as f64),
                v => v,
            };
            let v = s.copied(v, value.span)?;
            let v = match support {
                Some(support) => s.freed(path, &v, support, value.span)?,
                None => v,
            };
            s.keep(path, v, kind, value.span)
        };
        if !starts {
            return self.in_init(fill);
        }
        let outer = std::mem::replace(&mut self.read_raw, self.optimizer.is_some());
        let result = self.in_start(fill);
        self.read_raw = outer;
        result
    }

    /// A value in which what lives in slots is read: a state has places of its own.
    fn copied(&mut self, v: Val, span: Span) -> R<Val> {
        Ok(match &v {
            Val::Slot(_) => Val::Tensor(self.force(&v, span)?),
            Val::Tuple(items) => {
                let items: R<Vec<Val>> =
                    items.iter().map(|v| self.copied(v.clone(), span)).collect();
                Val::tuple(items?)
            }
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.copied(v.clone(), span)?));
                }
                Val::record(out)
            }
            _ => v,
        })
    }
}
