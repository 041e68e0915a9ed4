//! Parameters, states, nets and data: what is kept in slots.

use super::call::Given;
use super::leaves::map_leaves;
use super::session::{R, Session, rc};
use super::value::{Env, NetVal, Val};
use crate::ir::{Attr, DType, Type};
use crate::ops;
use crate::program::{SlotId, SlotKind};
use mlc_grammar::ast::{self, Body, Expr, Name};
use mlc_grammar::span::Span;
use std::rc::Rc;

/// A net whose body is running.
pub struct NetFrame {
    pub path: Rc<str>,
    pub stopped: bool,
    pub with: Option<Val>,
    /// Are parameters made for so many nets at once?
    pub stack: Option<usize>,
    /// Is it a model of the top of a file that is being made?
    pub made: bool,
    /// States in place of the kept ones, and the names of those declared so far.
    pub states: Option<Val>,
    pub own_states: Vec<String>,
    /// How many `scan`s run around it.
    pub scans: usize,
}

impl Session {
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

    pub(super) fn path_of(&self, local: &str) -> String {
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
        // At the top of a file nothing has been called.
        if self.nets.is_empty() && (!self.in_init || self.frames.len() > 1) {
            let places = "`param` stands at the top of a file, in a net or in a model with a name";
            return Err(self.kept_elsewhere(places, name.span));
        }
        let (local, at) = self.indexed(name, index, env)?;
        let path = self.path_of(&local);
        let given = match self.nets.last() {
            Some(NetFrame {
                with: Some(with), ..
            }) => match with.field(&local) {
                Some(v) => Some(v),
                None => {
                    let title = format!("the parameters given have no `{local}`");
                    return Err(Box::new(self.err("E0504", title, name.span)));
                }
            },
            _ => None,
        };
        let stack = self.nets.last().and_then(|n| n.stack);
        let v = match (given, self.slot_index.get(&path)) {
            (Some(v), _) => v,
            (None, Some(&id)) => Val::Slot(id),
            (None, None) => {
                let support = match support {
                    Some(e) => {
                        if stack.is_some() {
                            return Err(self.unsupported("a support in a stack of nets", e.span));
                        }
                        self.eval_support(e, env)?
                    }
                    None => None,
                };
                let v =
                    self.first_value(&path, ty, value, env, &SlotKind::Param, support.as_ref())?;
                if let (Some(support), Val::Slot(id)) = (support, &v) {
                    self.supports.insert(*id, support);
                }
                v
            }
        };
        let v = match (stack, &v) {
            // The body runs for one of the nets, to find what parameters there are.
            (Some(_), Val::Slot(_)) => self.member_of_stack(&v, Val::Int(0), name.span)?,
            _ => v,
        };
        let stopped = self.nets.last().is_some_and(|n| n.stopped);
        let v = if stopped {
            self.stop_leaves(&v, name.span)?
        } else {
            v
        };
        self.bind_indexed(name, at, v, env);
        Ok(())
    }

    fn stop_leaves(&mut self, v: &Val, span: Span) -> R<Val> {
        let v = self.force_leaves(v, span)?;
        Ok(map_leaves(&v, &mut |t| {
            if self.ctx.graph.ty(t).dtype.is_real() {
                self.ctx.graph.add(&ops::STOP, Attr::None, &[t])
            } else {
                t
            }
        }))
    }

    /// What one net of a stack has of the stacked parameters `v`.
    fn member_of_stack(&mut self, v: &Val, at: Val, span: Span) -> R<Val> {
        let v = self.force_leaves(v, span)?;
        let mut out = Vec::new();
        for t in super::leaves::leaves(&v) {
            let part = match &at {
                Val::Int(i) => {
                    let row = self.slice_axis(t, 0, *i as usize, *i as usize + 1, 1, span)?;
                    let shape = self.ctx.graph.ty(row).shape[1..].to_vec();
                    self.ctx.graph.reshape(row, shape)
                }
                at => {
                    let at = self.force(at, span)?;
                    self.op(&ops::GATHER, Attr::Axis(0), &[t, at], span)?
                }
            };
            out.push(part);
        }
        let mut next = out.into_iter();
        Ok(map_leaves(&v, &mut |t| next.next().unwrap_or(t)))
    }

    /// `m[i]` of a stack of nets.
    pub(super) fn net_of_stack(
        &mut self,
        n: &Rc<NetVal>,
        count: usize,
        at: Val,
        span: Span,
    ) -> R<Val> {
        let at = match at {
            Val::Int(i) => {
                let k = if i < 0 { i + count as i64 } else { i };
                if k < 0 || k >= count as i64 {
                    let title = format!("index {i} is outside a stack of {count} nets");
                    return Err(Box::new(self.err("E0307", title, span)));
                }
                Val::Int(k)
            }
            other => {
                let t = self.force(&other, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                if ty != Type::scalar(DType::I32) {
                    let title =
                        format!("a stack of nets is indexed by one integer, not by a `{ty}`");
                    return Err(Box::new(
                        self.err("E0307", title, span)
                            .hint("go over the nets: `for net in m { .. }`"),
                    ));
                }
                Val::Tensor(t)
            }
        };
        let params = self.net_params(n, span)?;
        let with = self.member_of_stack(&params, at, span)?;
        Ok(Val::Net(Rc::new(NetVal {
            with: Some(with),
            stack: None,
            ..(**n).clone()
        })))
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

    pub(super) fn declare_net(
        &mut self,
        name: &'static Name,
        index: Option<&'static Expr>,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        // In a net, `net layer[l] = ..` is the member l; at the top of a file, `net m[5] = ..` are five nets.
        let stack = match index {
            Some(e) if self.nets.is_empty() => {
                let n = self.eval_int(e, env)?;
                if !(1..=1 << 20).contains(&n) {
                    let title = format!("a stack of {n} nets");
                    return Err(Box::new(
                        self.err("E0524", title, e.span)
                            .hint("write a number of nets, at least 1"),
                    ));
                }
                Some(n as usize)
            }
            _ => None,
        };
        let (local, at) = match stack {
            Some(_) => (name.text.clone(), None),
            None => self.indexed(name, index, env)?,
        };
        let path = self.path_of(&local);
        let v = match self.eval(value, env)? {
            Val::NetCtor(ctor) => {
                let (stopped, with, states, around) = match self.nets.last() {
                    Some(n) => (
                        n.stopped,
                        n.with.as_ref().and_then(|w| w.field(&local)),
                        n.states.as_ref().and_then(|s| s.field(&local)),
                        n.stack,
                    ),
                    None => (false, None, None, None),
                };
                let net = Rc::new(NetVal {
                    ctor,
                    path: rc(&path),
                    stopped,
                    with,
                    states,
                    stack: stack.or(around),
                });
                match stack {
                    Some(n) => Val::Nets(net, n),
                    None => Val::Net(net),
                }
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
            stack: n.stack,
            made: false,
            states: n.states.clone(),
            own_states: vec![],
            scans: self.scans.len(),
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

    /// Parameters whose path is `path` or lies below it.
    pub(super) fn slots_below(&self, path: &str) -> Vec<SlotId> {
        self.kept_below(path, &[SlotKind::Param])
    }

    /// Slots of some kinds whose path is `path` or lies below it.
    pub(super) fn kept_below(&self, path: &str, kinds: &[SlotKind]) -> Vec<SlotId> {
        (0..self.slots.len() as u32)
            .map(SlotId)
            .filter(|id| {
                let slot = &self.slots[id.0 as usize];
                kinds.contains(&slot.kind)
                    && slot.name.strip_prefix(path).is_some_and(|rest| {
                        rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
                    })
            })
            .collect()
    }

    /// Makes sure that a net's parameters exist, by running its code on zeros of the declared types.
    pub(super) fn ensure_net(&mut self, n: &Rc<NetVal>, span: Span) -> R<()> {
        if !self
            .kept_below(&n.path, &[SlotKind::Param, SlotKind::State])
            .is_empty()
        {
            return Ok(());
        }
        let def = n.ctor.def.def;
        let mut args = Vec::new();
        // What has a default is left out.
        for a in def.args.iter().filter(|a| a.default.is_none()) {
            let unknown = |s: &Self, hint: String| {
                let title = format!(
                    "the parameters of `{}` are not known before its first call",
                    n.path
                );
                Box::new(s.err("E0506", title, span).hint(hint))
            };
            let (zero, dtype, dims) = match a.ty.as_ref().map(|t| &t.kind) {
                Some(ast::TypeKind::Named(name, dims)) if name.text == "real" => {
                    (Val::Real(0.0), self.real, dims)
                }
                Some(ast::TypeKind::Named(name, dims)) if name.text == "int" => {
                    (Val::Int(0), DType::I32, dims)
                }
                _ => {
                    let name = &a.name.text;
                    let hint =
                        format!("declare the type of `{name}`, e.g. `{name}: real[n]`, or call it");
                    return Err(unknown(self, hint));
                }
            };
            let mut shape = Vec::new();
            for d in dims {
                let size = self.eval_int(d, &n.ctor.env).map_err(|r| {
                    // A size that only a call tells.
                    if r.code != "E0100" {
                        return r;
                    }
                    let size = self.sources.text(d.span);
                    let hint = format!(
                        "call it: the size `{size}` of `{}` is not said",
                        a.name.text
                    );
                    unknown(self, hint)
                })?;
                shape.push(size.max(0) as usize);
            }
            let zero = self.literal(&zero, dtype, &shape);
            args.push((None, Val::Tensor(zero)));
        }
        // What the body says besides its value is said by no call.
        self.unheard(|s| s.call_net(n, args, span)).map(|_| ())
    }

    /// `n.params`: a record that mirrors the addresses.
    pub(super) fn net_params(&mut self, n: &Rc<NetVal>, span: Span) -> R<Val> {
        if let Some(with) = &n.with {
            let with = with.clone();
            return if n.stopped {
                self.stop_leaves(&with, span)
            } else {
                Ok(with)
            };
        }
        self.ensure_net(n, span)?;
        let mut root = Vec::new();
        for id in self.slots_below(&n.path) {
            let name = self.slots[id.0 as usize].name.clone();
            let rest = name[n.path.len()..].trim_start_matches('.');
            insert(&mut root, rest, Val::Slot(id));
        }
        let root = Val::record(root);
        if n.stopped {
            self.stop_leaves(&root, span)
        } else {
            Ok(root)
        }
    }

    /// The parameters of a target of `over`, with the value that each has now.
    pub(super) fn target_slots(&mut self, e: &'static Expr, env: &Env) -> R<Vec<SlotId>> {
        let Some(path) = super::resolve::path_text(e) else {
            return Err(Box::new(self.err(
                "E0647",
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
            Val::Net(n) | Val::Nets(n, _) => {
                self.ensure_net(&n, e.span)?;
                n.path.to_string()
            }
            Val::Slot(id) => self.slots[id.0 as usize].name.clone(),
            Val::Record(_) => root.clone(),
            Val::Model(m) if m.made.is_some() => {
                m.made.as_ref().map_or(root.clone(), |m| m.path.to_string())
            }
            other => {
                let title = format!("`over` takes a parameter or a net, not {}", other.kind());
                return Err(Box::new(self.err("E0647", title, e.span)));
            }
        };
        let full = format!("{base}{}", &path[root.len()..]);
        let found = self.slots_below(&full);
        if found.is_empty() {
            let title = format!("`{path}` names no parameter");
            return Err(Box::new(self.err("E0647", title, e.span)));
        }
        Ok(found)
    }

    /// `fit.states`: the states that a stage has of its own, those of its optimizers among them, by address.
    pub(super) fn stage_states(&mut self, stage: usize, span: Span) -> R<Val> {
        self.logs_known(stage)?;
        let states = self.states_of(stage);
        self.stage_view(stage, states, span)
    }

    /// The slots of the states of a stage that was lowered, by address.
    pub(super) fn states_of(&self, stage: usize) -> Val {
        let own = format!("{}.", self.stages[stage].name);
        let mut root = Vec::new();
        for id in (0..self.slots.len() as u32).map(SlotId) {
            let slot = &self.slots[id.0 as usize];
            if slot.kind == SlotKind::State
                && let Some(path) = slot.name.strip_prefix(&own)
            {
                insert(&mut root, path, Val::Slot(id));
            }
        }
        Val::record(root)
    }

    /// A stage's version of a parameter or net: `fit.encode`.
    pub(super) fn stage_view(&mut self, stage: usize, v: Val, span: Span) -> R<Val> {
        Ok(match v {
            Val::Slot(id) => {
                let slot = self.slots[id.0 as usize].clone();
                let name = format!("{}.{}", self.stages[stage].name, slot.name);
                if self.in_init && !self.in_start {
                    let name = self.stages[stage].name.clone();
                    return Err(Box::new(self.reads_stage_early(&name, span)));
                }
                self.touched_stages.insert(stage);
                let t = self.ctx.read_stage(stage, id, &name, &slot.ty);
                Val::Tensor(self.constrained(id, t, span)?)
            }
            Val::Net(n) => {
                let params = self.net_params(&n, span)?;
                let states = self.net_states(&n, span)?;
                let with = Some(self.stage_view(stage, params, span)?);
                let states = Some(self.stage_view(stage, states, span)?);
                Val::Net(Rc::new(NetVal {
                    with,
                    states,
                    ..(*n).clone()
                }))
            }
            Val::Nets(n, count) => {
                let params = self.net_params(&n, span)?;
                let with = Some(self.stage_view(stage, params, span)?);
                Val::Nets(
                    Rc::new(NetVal {
                        with,
                        ..(*n).clone()
                    }),
                    count,
                )
            }
            Val::Model(m) if m.made.is_some() => {
                let Some(made) = m.made.clone() else {
                    return Ok(Val::Model(m));
                };
                let kept = self.model_kept(&made);
                let kept = self.stage_view(stage, kept, span)?;
                self.model_with(&m, &made, kept, span)?
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

/// The fields `name[i]` of a record, by index.
pub(super) fn members(fields: &[(Rc<str>, Val)], name: &str) -> Vec<(i64, Val)> {
    let index = |f: &str| {
        f.strip_prefix(name)?
            .strip_prefix('[')?
            .strip_suffix(']')?
            .parse()
            .ok()
    };
    fields
        .iter()
        .filter_map(|(f, v)| Some((index(f)?, v.clone())))
        .collect()
}

/// Puts a value under a path such as `layer[0].w` into nested records.
pub(super) fn insert(fields: &mut Vec<(Rc<str>, Val)>, path: &str, v: Val) {
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
