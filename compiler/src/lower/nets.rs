//! Parameters, states, nets and data: what is kept in slots.

use super::call::Given;
use super::eval::{Frame, mix};
use super::leaves::map_leaves;
use super::session::{R, Session, rc};
use super::value::{Env, NetVal, Val};
use crate::ir::{Attr, Type};
use crate::ops;
use crate::program::{SlotId, SlotKind};
use mlc_grammar::ast::{self, Body, Expr, ExprKind, Name};
use mlc_grammar::span::Span;
use std::rc::Rc;

/// A net whose body is running.
pub struct NetFrame {
    pub path: Rc<str>,
    pub stopped: bool,
    pub with: Option<Val>,
}

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
                self.init_pending.push(id);
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
            Val::Source(s) => {
                let mut s = (**s).clone();
                s.table = self.keep(path, s.table, kind, span)?;
                Val::Source(Rc::new(s))
            }
            Val::Slot(_) | Val::Unit => v,
            _ if *kind == SlotKind::Param || *kind == SlotKind::State => {
                let title = format!("{} cannot be kept from step to step", v.kind());
                return Err(Box::new(self.err("E0507", title, span).hint(
                    "parameters and states are tensors, and tuples and records of them",
                )));
            }
            _ => v,
        })
    }

    /// A top-level `let`: its tensors are computed once, before any stage.
    pub(super) fn keep_globals(&mut self, path: &str, v: Val) -> R<Val> {
        self.keep(path, v, &SlotKind::Global, Span::default())
    }

    pub(super) fn eval_data(
        &mut self,
        name: &'static Name,
        value: &'static Expr,
        env: &Env,
    ) -> R<Val> {
        if let ExprKind::Call(f, args) = &value.kind
            && let ExprKind::Name(reader) = &f.kind
            && matches!(reader.as_str(), "idx" | "csv")
        {
            let path = match args.as_slice() {
                [a] if a.name.is_none() => self.eval(&a.value, env)?,
                _ => Val::Unit,
            };
            let Val::Str(path) = path else {
                let title = format!("`{reader}` takes the path of a file");
                return Err(Box::new(
                    self.err("E0501", title, value.span)
                        .hint(format!("write `{reader}(\"data/file\")`")),
                ));
            };
            let double = self.real == crate::ir::DType::F64;
            let columns = match self.host.load(reader, &path, double) {
                Ok(columns) => columns,
                Err(e) => {
                    self.environment_error |= e.environment;
                    let r = self.err_at("E0500", e.message, args[0].value.span, "named here");
                    return Err(Box::new(if e.hint.is_empty() { r } else { r.hint(e.hint) }));
                }
            };
            let mut fields = Vec::new();
            for c in columns {
                let path = if c.name.is_empty() {
                    name.text.clone()
                } else {
                    format!("{}.{}", name.text, c.name)
                };
                let id = self.new_slot(&path, c.ty, SlotKind::Data(c.data));
                if c.name.is_empty() {
                    return Ok(Val::Slot(id));
                }
                fields.push((rc(&c.name), Val::Slot(id)));
            }
            return Ok(Val::record(fields));
        }
        let v = self.eval(value, env)?;
        self.keep_globals(&name.text, v)
    }

    fn indexed(
        &mut self,
        name: &Name,
        index: Option<&'static Expr>,
        env: &Env,
    ) -> R<(String, Option<i64>)> {
        match index {
            None => Ok((name.text.clone(), None)),
            Some(e) => {
                let i = self.eval_int(e, env)?;
                Ok((format!("{}[{i}]", name.text), Some(i)))
            }
        }
    }

    fn path_of(&self, local: &str) -> String {
        match self.nets.last() {
            Some(n) => format!("{}.{local}", n.path),
            None => local.to_string(),
        }
    }

    pub(super) fn declare_param(
        &mut self,
        name: &'static Name,
        index: Option<&'static Expr>,
        ty: Option<&'static ast::TypeExpr>,
        support: Option<&'static Expr>,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        if let Some(s) = support {
            return Err(self.unsupported("a parameter with a support", s.span));
        }
        // At the top of a file nothing has been called.
        if self.nets.is_empty() && (!self.in_init || self.frames.len() > 1) {
            return Err(Box::new(self.err(
                "E0503",
                "`param` stands at the top of a file or in a net",
                name.span,
            )));
        }
        let (local, at) = self.indexed(name, index, env)?;
        let path = self.path_of(&local);
        let v = match self.slot_index.get(&path) {
            Some(&id) => Val::Slot(id),
            None => self.first_value(&path, ty, value, env, &SlotKind::Param)?,
        };
        let v = self.param_value(&local, v, name.span)?;
        self.bind_indexed(name, at, v, env);
        Ok(())
    }

    /// What a parameter of the running net is worth: stopped, replaced, or as kept.
    fn param_value(&mut self, local: &str, v: Val, span: Span) -> R<Val> {
        let Some(net) = self.nets.last() else {
            return Ok(v);
        };
        let stopped = net.stopped;
        if let Some(with) = net.with.clone() {
            return match with.field(local) {
                Some(v) => Ok(v),
                None => {
                    let title = format!("the parameters given have no `{local}`");
                    Err(Box::new(self.err("E0504", title, span)))
                }
            };
        }
        if stopped {
            let t = self.force(&v, span)?;
            return Ok(Val::Tensor(self.ctx.graph.add(
                &ops::STOP,
                Attr::None,
                &[t],
            )));
        }
        Ok(v)
    }

    fn bind_indexed(&mut self, name: &Name, at: Option<i64>, v: Val, env: &Env) {
        match at {
            None => env.bind(&name.text, v),
            Some(i) => {
                let mut items = match env.get(&name.text) {
                    Some(Val::NetStack(items)) => items.to_vec(),
                    _ => vec![],
                };
                items.push((i, v));
                env.bind(&name.text, Val::NetStack(Rc::new(items)));
            }
        }
    }

    /// A slot's first value, computed by the initialising program. Its random stream is named by the slot's path alone.
    pub(super) fn first_value(
        &mut self,
        path: &str,
        ty: Option<&'static ast::TypeExpr>,
        value: &'static Expr,
        env: &Env,
        kind: &SlotKind,
    ) -> R<Val> {
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
        self.in_init(|s| {
            let mut frame = Frame::root(path);
            frame.key = key;
            let guard = s.ctx.graph.guard.take();
            s.frames.push(frame);
            let result = s.eval(value, env).and_then(|v| match ty {
                Some(ty) => s.check_type(v, ty, env, value.span),
                None => Ok(v),
            });
            s.frames.pop();
            s.ctx.graph.guard = guard;
            let v = match result? {
                Val::Int(i) if *kind == SlotKind::Param => Val::Real(i as f64),
                v => v,
            };
            let v = if matches!(v, Val::Slot(_)) {
                Val::Tensor(s.force(&v, value.span)?)
            } else {
                v
            };
            s.keep(path, v, kind, value.span)
        })
    }

    pub(super) fn declare_state(
        &mut self,
        name: &'static Name,
        ty: Option<&'static ast::TypeExpr>,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        let path = match self.train.as_ref().and_then(|t| t.optimizer_path.clone()) {
            Some(p) => format!("{p}.{}", name.text),
            None if self.in_init && self.nets.is_empty() && self.frames.len() == 1 => {
                name.text.clone()
            }
            None => {
                return Err(Box::new(self.err(
                    "E0503",
                    "`state` stands at the top of a file or in an optimizer",
                    name.span,
                )));
            }
        };
        let v = match self.state_values.get(&path) {
            Some(v) => v.clone(),
            None => {
                let v = self.first_value(&path, ty, value, env, &SlotKind::State)?;
                self.state_values.insert(path, v.clone());
                v
            }
        };
        env.bind(&name.text, v);
        Ok(())
    }

    pub(super) fn declare_net(
        &mut self,
        name: &'static Name,
        index: Option<&'static Expr>,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        let (local, at) = self.indexed(name, index, env)?;
        let path = self.path_of(&local);
        let v = match self.eval(value, env)? {
            Val::NetCtor(ctor) => {
                let (stopped, with) = match self.nets.last() {
                    Some(n) => (n.stopped, n.with.as_ref().and_then(|w| w.field(&local))),
                    None => (false, None),
                };
                Val::Net(Rc::new(NetVal {
                    ctor,
                    path: rc(&path),
                    stopped,
                    with,
                }))
            }
            Val::NetDef(def) => {
                let title = format!("`{}` needs its compile-time arguments", def.def.name.text);
                return Err(Box::new(
                    self.err("E0505", title, value.span)
                        .hint(format!("write `{}(..)`", def.def.name.text)),
                ));
            }
            other => {
                let title = format!("`net` declares a net, not {}", other.kind());
                return Err(Box::new(self.err("E0505", title, value.span)));
            }
        };
        self.bind_indexed(name, at, v, env);
        Ok(())
    }

    pub(super) fn call_net(&mut self, n: &Rc<NetVal>, args: Vec<Given>, span: Span) -> R<Val> {
        let def = n.ctor.def.def;
        let env = n.ctor.env.child();
        self.nets.push(NetFrame {
            path: n.path.clone(),
            stopped: n.stopped,
            with: n.with.clone(),
        });
        let result = self.in_frame(&n.path.clone(), span, |s| {
            s.bind_args(&def.name.text, &def.args, args, &env, span)?;
            match &def.body {
                Body::Expr(e) => s.eval(e, &env),
                Body::Block(b) => s.eval_block(b, &env),
            }
        });
        self.nets.pop();
        result
    }

    /// Slots whose path is `path` or lies below it.
    pub(super) fn slots_below(&self, path: &str) -> Vec<SlotId> {
        (0..self.slots.len() as u32)
            .map(SlotId)
            .filter(|id| {
                let slot = &self.slots[id.0 as usize];
                slot.kind == SlotKind::Param
                    && slot.name.strip_prefix(path).is_some_and(|rest| {
                        rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
                    })
            })
            .collect()
    }

    /// Makes sure that a net's parameters exist, by running its code on zeros of the declared types.
    pub(super) fn ensure_net(&mut self, n: &Rc<NetVal>, span: Span) -> R<()> {
        if !self.slots_below(&n.path).is_empty() {
            return Ok(());
        }
        let def = n.ctor.def.def;
        let mut args = Vec::new();
        for a in &def.args {
            let dims = match a.ty.as_ref().map(|t| &t.kind) {
                Some(ast::TypeKind::Named(name, dims)) if name.text == "real" => dims,
                _ => {
                    let title = format!(
                        "the parameters of `{}` are not known before its first call",
                        n.path
                    );
                    return Err(Box::new(self.err("E0506", title, span).hint(format!(
                        "declare the type of `{}`, e.g. `{}: real[n]`",
                        a.name.text, a.name.text
                    ))));
                }
            };
            let mut shape = Vec::new();
            for d in dims {
                shape.push(self.eval_int(d, &n.ctor.env)?.max(0) as usize);
            }
            let zero = self.literal(&Val::Real(0.0), self.real, &shape);
            args.push((None, Val::Tensor(zero)));
        }
        self.call_net(n, args, span).map(|_| ())
    }

    /// `n.params`: a record that mirrors the addresses.
    pub(super) fn net_params(&mut self, n: &Rc<NetVal>, span: Span) -> R<Val> {
        self.ensure_net(n, span)?;
        let mut root = Vec::new();
        for id in self.slots_below(&n.path) {
            let name = self.slots[id.0 as usize].name.clone();
            let rest = name[n.path.len()..].trim_start_matches('.');
            insert(&mut root, rest, Val::Slot(id));
        }
        Ok(Val::record(root))
    }

    /// The parameters of a target of `over`, with the value that each has now.
    pub(super) fn target_slots(&mut self, e: &'static Expr, env: &Env) -> R<Vec<SlotId>> {
        let Some(path) = super::resolve::path_text(e) else {
            return Err(Box::new(self.err(
                "E0610",
                "`over` takes a parameter, a net, or a part of one",
                e.span,
            )));
        };
        let root = path
            .split(['.', '['])
            .next()
            .unwrap_or_default()
            .to_string();
        let base = match self.lookup(&root, env, e.span)? {
            Val::Net(n) => {
                self.ensure_net(&n, e.span)?;
                n.path.to_string()
            }
            Val::Slot(id) => self.slots[id.0 as usize].name.clone(),
            Val::Record(_) => root.clone(),
            other => {
                let title = format!("`over` takes a parameter or a net, not {}", other.kind());
                return Err(Box::new(self.err("E0610", title, e.span)));
            }
        };
        let full = format!("{base}{}", &path[root.len()..]);
        let found = self.slots_below(&full);
        if found.is_empty() {
            let title = format!("`{path}` names no parameter");
            return Err(Box::new(self.err("E0610", title, e.span)));
        }
        Ok(found)
    }

    pub(super) fn eval_set(
        &mut self,
        target: &'static Expr,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        let v = self.eval(value, env)?;
        let old = self.eval(target, env)?;
        if matches!(target.kind, ExprKind::Index(..)) {
            return Err(self.unsupported("`set` of a part", target.span));
        }
        let new = match (&old, &v) {
            (Val::Record(_), _) => self.force_leaves(&v, value.span)?,
            _ => v,
        };
        self.zip_leaves(&old, &new, &mut |s, o, n| {
            let Val::Slot(id) = o else {
                return Err(Box::new(
                    s.err("E0611", "`set` assigns a `state` or a `param`", target.span)
                        .hint("a `let` is a value and does not change"),
                ));
            };
            let ty: Type = s.slots[id.0 as usize].ty.clone();
            let t = match n {
                Val::Int(_) | Val::Real(_) | Val::Bool(_) => s.literal(n, ty.dtype, &ty.shape),
                n => s.force(n, value.span)?,
            };
            let have = s.ctx.graph.ty(t).clone();
            if have != ty {
                let title = format!(
                    "`{}` is a `{ty}`, and the new value a `{have}`",
                    s.slots[id.0 as usize].name
                );
                return Err(Box::new(s.err("E0612", title, value.span)));
            }
            s.ctx.write(*id, t);
            Ok(Val::Unit)
        })?;
        Ok(())
    }

    /// A stage's version of a parameter or net: `fit.encode`.
    pub(super) fn stage_view(&mut self, stage: usize, v: Val, span: Span) -> R<Val> {
        Ok(match v {
            Val::Slot(id) => {
                let slot = self.slots[id.0 as usize].clone();
                let name = format!("{}.{}", self.stages[stage].name, slot.name);
                let t = self.ctx.read_stage(stage, id, &name, &slot.ty);
                Val::Tensor(t)
            }
            Val::Net(n) => {
                let params = self.net_params(&n, span)?;
                let with = self.stage_view(stage, params, span)?;
                let mut n = (*n).clone();
                n.with = Some(with);
                Val::Net(Rc::new(n))
            }
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.stage_view(stage, v.clone(), span)?));
                }
                Val::record(out)
            }
            other => map_leaves(&other, &mut |t| t),
        })
    }
}

/// Puts a value under a path such as `layer[0].w` into nested records.
fn insert(fields: &mut Vec<(Rc<str>, Val)>, path: &str, v: Val) {
    match path.split_once('.') {
        None => fields.push((rc(path), v)),
        Some((head, rest)) => {
            let at = fields.iter().position(|f| *f.0 == *head);
            let mut inner = match at.map(|i| fields[i].1.clone()) {
                Some(Val::Record(r)) => r.to_vec(),
                _ => vec![],
            };
            insert(&mut inner, rest, v);
            match at {
                Some(i) => fields[i].1 = Val::record(inner),
                None => fields.push((rc(head), Val::record(inner))),
            }
        }
    }
}
