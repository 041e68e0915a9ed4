//! `set`: what is assigned, and parts of it.

use super::session::{R, Session};
use super::value::{Env, Val};
use crate::ir::{Attr, DType, Literal, Type, Value};
use crate::ops;
use mlc_grammar::ast::{Expr, ExprKind, IndexArg, Name};
use mlc_grammar::span::Span;

/// What stands left of `=` in a `set`, its indices evaluated once.
enum Place {
    Name(String, Val),
    Field(Box<Place>, &'static Name),
    Part(Box<Place>, Vec<Selector>),
}

/// A part of one axis.
#[derive(Clone)]
enum Selector {
    At(usize),
    Slice {
        start: usize,
        count: usize,
        step: usize,
    },
    /// An int tensor of rank 0 or 1.
    Rows(Value),
    /// The whole axis.
    All,
}

impl Session {
    /// `set target = value`
    pub(super) fn eval_set(
        &mut self,
        target: &'static Expr,
        value: &'static Expr,
        env: &Env,
    ) -> R<()> {
        if !self.top || (self.train.is_none() && self.optimizer.is_none()) {
            return Err(self.not_at_top("set", target.span));
        }
        let place = self.eval_place(target, env)?;
        let v = self.eval(value, env)?;
        if let (Place::Name(name, Val::Net(old)), Val::Net(new)) = (&place, &v) {
            // Of a net all that it keeps.
            let old = self.net_states(old, target.span)?;
            let new = self.net_states(new, value.span)?;
            let states = Place::Name(format!("{name}.states"), old);
            self.assign(&states, new, target.span, value.span, env)?;
        }
        let v = match &v {
            Val::Net(n) | Val::Nets(n, _) => self.net_params(n, value.span)?,
            Val::Model(m) => m
                .made
                .as_ref()
                .map_or(Val::Unit, |made| self.model_params(made)),
            _ => v,
        };
        self.assign(&place, v, target.span, value.span, env)
    }

    fn eval_place(&mut self, e: &'static Expr, env: &Env) -> R<Place> {
        match &e.kind {
            ExprKind::Paren(e) => self.eval_place(e, env),
            ExprKind::Name(name) => Ok(Place::Name(name.clone(), self.lookup(name, env, e.span)?)),
            ExprKind::Field(x, name) => {
                let parent = self.eval_place(x, env)?;
                if let (Place::Name(net, v @ Val::Net(_)), "params" | "states") =
                    (&parent, name.text.as_str())
                {
                    return Ok(Place::Name(
                        format!("{net}.{}", name.text),
                        self.field(v, name)?,
                    ));
                }
                Ok(Place::Field(Box::new(parent), name))
            }
            ExprKind::Index(x, args) => {
                let parent = self.eval_place(x, env)?;
                let of = self.read_place(&parent, x.span)?;
                let Some(shape) = self.common_axes(&of, args.len(), x.span)? else {
                    // A list or a tuple is taken apart at compile time.
                    let part = self.index_value(&of, args, env, e.span)?;
                    return Ok(Place::Name(self.sources.text(e.span).to_string(), part));
                };
                let mut selectors = Vec::new();
                for (axis, arg) in args.iter().enumerate() {
                    selectors.push(self.selector(arg, shape[axis], env)?);
                }
                Ok(Place::Part(Box::new(parent), selectors))
            }
            _ => Err(Box::new(
                self.err("E0611", "`set` assigns a `state` or a `param`", e.span)
                    .hint("write its name, a field of it, or a part: `set m[i] = v`"),
            )),
        }
    }

    /// The first axes of a value's leaves, which must agree; nothing for what is no tensor and no record of them.
    fn common_axes(&mut self, v: &Val, n: usize, span: Span) -> R<Option<Vec<usize>>> {
        match v {
            Val::Record(fields) => {
                let mut common: Option<Vec<usize>> = None;
                for (_, f) in fields.iter() {
                    let axes = self.common_axes(f, n, span)?;
                    if common.is_some() && axes != common {
                        return Err(Box::new(self.err(
                            "E0307",
                            "the fields have different axes, so one index does not fit all",
                            span,
                        )));
                    }
                    common = axes;
                }
                Ok(common)
            }
            Val::Tensor(_) | Val::Slot(_) | Val::Log(..) => {
                let t = self.force(v, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                if n > ty.rank() {
                    let title = format!("{n} indices on a `{ty}`");
                    return Err(Box::new(self.err("E0307", title, span)));
                }
                Ok(Some(ty.shape[..n].to_vec()))
            }
            _ => Ok(None),
        }
    }

    fn selector(&mut self, arg: &'static IndexArg, extent: usize, env: &Env) -> R<Selector> {
        let slice = |s: &Self, a: i64, b: i64, k: i64, span: Span| {
            let n = extent as i64;
            let (a, b) = (if a < 0 { a + n } else { a }, if b < 0 { b + n } else { b });
            if a < 0 || b > n || a > b || k < 1 {
                let title = format!("the slice {a}..{b} by {k} does not fit an axis of {n}");
                return Err(Box::new(s.err("E0307", title, span)));
            }
            let count = ((b - a) as usize).div_ceil(k as usize);
            Ok(if a == 0 && count == extent && k == 1 {
                Selector::All
            } else {
                Selector::Slice {
                    start: a as usize,
                    count,
                    step: k as usize,
                }
            })
        };
        match arg {
            IndexArg::At(e) => match self.eval(e, env)? {
                Val::Int(i) => {
                    let at = if i < 0 { i + extent as i64 } else { i };
                    if at < 0 || at >= extent as i64 {
                        let title = format!("index {i} is outside an axis of {extent}");
                        return Err(Box::new(self.err("E0307", title, e.span)));
                    }
                    Ok(Selector::At(at as usize))
                }
                Val::Range(a, b) => slice(self, a, b, 1, e.span),
                other => {
                    let i = self.force(&other, e.span)?;
                    let ty = self.ctx.graph.ty(i).clone();
                    if ty.dtype != DType::I32 || ty.rank() > 1 {
                        let title =
                            format!("an index is an integer or a vector of them, not `{ty}`");
                        return Err(Box::new(
                            self.err("E0307", title, e.span)
                                .hint("convert it: `int(x)`"),
                        ));
                    }
                    Ok(Selector::Rows(i))
                }
            },
            IndexArg::Slice {
                start,
                stop,
                step,
                span,
            } => {
                let end = |s: &mut Self, e: &'static Option<Expr>, or: i64| match e {
                    Some(e) => s.eval_int(e, env),
                    None => Ok(or),
                };
                let a = end(self, start, 0)?;
                let b = end(self, stop, extent as i64)?;
                let k = end(self, step, 1)?;
                slice(self, a, b, k, *span)
            }
        }
    }

    fn read_place(&mut self, place: &Place, span: Span) -> R<Val> {
        match place {
            Place::Name(_, Val::Net(n) | Val::Nets(n, _)) => self.net_params(n, span),
            Place::Name(_, Val::Model(m)) if m.made.is_some() => Ok(m
                .made
                .as_ref()
                .map_or(Val::Unit, |made| self.model_params(made))),
            Place::Name(_, v) => Ok(v.clone()),
            Place::Field(parent, name) => {
                let v = self.read_place(parent, span)?;
                self.field(&v, name)
            }
            Place::Part(parent, selectors) => {
                let v = self.read_place(parent, span)?;
                self.each_leaf(&v, span, &mut |s, t| s.part_of(t, selectors, span))
            }
        }
    }

    /// Each tensor leaf replaced.
    fn each_leaf(
        &mut self,
        v: &Val,
        span: Span,
        f: &mut dyn FnMut(&mut Self, Value) -> R<Value>,
    ) -> R<Val> {
        let v = self.force_leaves(v, span)?;
        let mut out = Vec::new();
        for t in super::leaves::leaves(&v) {
            out.push(f(self, t)?);
        }
        let mut next = out.into_iter();
        Ok(super::leaves::map_leaves(&v, &mut |t| {
            next.next().unwrap_or(t)
        }))
    }

    fn part_of(&mut self, mut t: Value, selectors: &[Selector], span: Span) -> R<Value> {
        let mut axis = 0;
        for s in selectors {
            match s {
                Selector::At(i) => {
                    t = self.slice_axis(t, axis, *i, i + 1, 1, span)?;
                    let mut shape = self.ctx.graph.ty(t).shape.clone();
                    shape.remove(axis);
                    t = self.op(&ops::RESHAPE, Attr::Shape(shape), &[t], span)?;
                }
                Selector::Slice { start, count, step } => {
                    let stop = start + count.saturating_sub(1) * step + usize::from(*count > 0);
                    t = self.slice_axis(t, axis, *start, stop, *step, span)?;
                    axis += 1;
                }
                Selector::Rows(i) => {
                    let rank = self.ctx.graph.ty(*i).rank();
                    t = self.op(&ops::GATHER, Attr::Axis(axis), &[t, *i], span)?;
                    axis += rank;
                }
                Selector::All => axis += 1,
            }
        }
        Ok(t)
    }

    /// Gives a place a new value.
    fn assign(&mut self, place: &Place, v: Val, target: Span, value: Span, env: &Env) -> R<()> {
        let old = self.read_place(place, target)?;
        if let Place::Part(parent, selectors) = place {
            let whole = self.read_place(parent, target)?;
            let mut parts = Vec::new();
            self.zip_leaves(&old, &v, &mut |s, old, new| {
                let ty = s.type_of(old, target)?;
                parts.push(s.as_value_of(new, &ty, "this part", value)?);
                Ok(Val::Unit)
            })?;
            let mut next = parts.into_iter();
            let new = self.each_leaf(&whole, target, &mut |s, t| match next.next() {
                Some(part) => s.with_part(t, selectors, part, target),
                None => Ok(t),
            })?;
            return self.assign(parent, new, target, value, env);
        }
        if self.is_kept(&old) {
            return self.write_kept(&old, &v, target, value);
        }
        match place {
            Place::Field(parent, name) => {
                let Val::Record(fields) = self.read_place(parent, target)? else {
                    return Err(self.not_kept(target));
                };
                let fields = fields.iter().map(|(n, old)| {
                    let new = if **n == *name.text {
                        v.clone()
                    } else {
                        old.clone()
                    };
                    (n.clone(), new)
                });
                let new = Val::record(fields.collect());
                self.assign(parent, new, target, value, env)
            }
            Place::Name(name, old) if self.is_value_state(name) => {
                let new = self.zip_leaves(old, &v, &mut |s, old, new| {
                    let ty = s.type_of(old, target)?;
                    s.as_value_of(new, &ty, "this state", value)
                        .map(Val::Tensor)
                })?;
                self.assign_value_state(name, new, env);
                Ok(())
            }
            _ => Err(self.not_kept(target)),
        }
    }

    fn not_kept(&self, span: Span) -> Box<mlc_grammar::diag::Report> {
        Box::new(
            self.err("E0611", "`set` assigns a `state` or a `param`", span)
                .hint("a `let` is a value and does not change"),
        )
    }

    /// Is a value made of slots, and of nothing else?
    fn is_kept(&self, v: &Val) -> bool {
        match v {
            Val::Slot(id) => matches!(
                self.slots[id.0 as usize].kind,
                crate::program::SlotKind::Param | crate::program::SlotKind::State
            ),
            Val::Tuple(items) => items.iter().all(|v| self.is_kept(v)),
            Val::Record(fields) => fields.iter().all(|f| self.is_kept(&f.1)),
            _ => false,
        }
    }

    fn write_kept(&mut self, old: &Val, new: &Val, target: Span, value: Span) -> R<()> {
        let new = match (old, new) {
            (Val::Record(_) | Val::Tuple(_), _) => self.force_leaves(new, value)?,
            _ => new.clone(),
        };
        self.zip_leaves(old, &new, &mut |s, o, n| {
            let Val::Slot(id) = o else {
                return Err(s.not_kept(target));
            };
            let ty = s.type_of(o, target)?;
            let name = s.slots[id.0 as usize].name.clone();
            let t = s.as_value_of(n, &ty, &format!("`{name}`"), value)?;
            let mut t = s.unconstrained(*id, t, value)?;
            let slot = &s.slots[id.0 as usize];
            if slot.ty.dtype.is_real() && s.optimizer.is_none() {
                // What follows may take derivatives by the new value, which may be a node that others share.
                if slot.kind == crate::program::SlotKind::Param {
                    s.train.iter_mut().for_each(|t| t.moves += 1);
                    t = s.ctx.graph.add(&ops::STOP, Attr::None, &[t]);
                }
                t = s.ctx.bind(t);
            }
            s.ctx.write(*id, t);
            Ok(Val::Unit)
        })?;
        Ok(())
    }

    fn type_of(&mut self, v: &Val, span: Span) -> R<Type> {
        let t = self.force(v, span)?;
        Ok(self.ctx.graph.ty(t).clone())
    }

    /// A new value of something whose type is known. A number takes that type; a scalar meets any shape.
    fn as_value_of(&mut self, v: &Val, ty: &Type, what: &str, span: Span) -> R<Value> {
        let fits = match v {
            Val::Int(_) => ty.dtype != DType::Bool,
            Val::Real(_) => ty.dtype.is_real(),
            Val::Bool(_) => ty.dtype == DType::Bool,
            _ => false,
        };
        if fits {
            return Ok(self.literal(v, ty.dtype, &ty.shape));
        }
        let t = self.force(v, span)?;
        let have = self.ctx.graph.ty(t).clone();
        if have.dtype == ty.dtype && have.rank() == 0 {
            return Ok(self.splat(t, &ty.shape));
        }
        if have != *ty {
            let title = format!("{what} is a `{ty}`, and the new value a `{have}`");
            return Err(Box::new(self.err("E0612", title, span)));
        }
        Ok(t)
    }

    /// `t` with a part replaced. Of lanes that name one place the later wins. Elements are numbered along the axes that are
    /// selected from; the axes behind them are moved whole.
    fn with_part(&mut self, t: Value, selectors: &[Selector], part: Value, span: Span) -> R<Value> {
        let ty = self.ctx.graph.ty(t).clone();
        let picked = selectors
            .iter()
            .rposition(|s| !matches!(s, Selector::All))
            .map_or(0, |i| i + 1);
        if picked == 0 {
            return Ok(part);
        }
        let (front, inner) = ty.shape.split_at(picked);
        let counts: Vec<Option<usize>> = selectors[..picked]
            .iter()
            .zip(front)
            .map(|(s, &extent)| match s {
                Selector::At(_) => None,
                Selector::Slice { count, .. } => Some(*count),
                Selector::All => Some(extent),
                Selector::Rows(i) => self.ctx.graph.ty(*i).shape.first().copied(),
            })
            .collect();
        let region: Vec<usize> = counts.iter().flatten().copied().collect();
        let ints = |shape: &[usize]| Type::new(DType::I32, shape.to_vec());
        let number = |s: &mut Self, n: usize, shape: &[usize]| {
            s.ctx.graph.fill(Literal::Int(n as i64), ints(shape))
        };
        let mut index = number(self, 0, &region);
        let (mut axis, mut stride) = (0, front.iter().product::<usize>());
        for ((s, count), &extent) in selectors[..picked].iter().zip(&counts).zip(front) {
            stride /= extent.max(1);
            let along = |s: &mut Self| {
                let iota = Attr::Iota {
                    shape: region.clone(),
                    axis,
                };
                s.op(&ops::IOTA, iota, &[], span)
            };
            let at = match s {
                Selector::At(i) => number(self, *i, &region),
                Selector::All => along(self)?,
                Selector::Slice { start, step, .. } => {
                    let (i, start, step) = (
                        along(self)?,
                        number(self, *start, &region),
                        number(self, *step, &region),
                    );
                    let i = self.op(&ops::MUL, Attr::None, &[i, step], span)?;
                    self.op(&ops::ADD, Attr::None, &[i, start], span)?
                }
                Selector::Rows(i) => {
                    let shape = self.ctx.graph.ty(*i).shape.clone();
                    let (low, high) = (
                        number(self, 0, &shape),
                        number(self, extent.saturating_sub(1), &shape),
                    );
                    let i = self.op(&ops::MAX, Attr::None, &[*i, low], span)?;
                    let i = self.op(&ops::MIN, Attr::None, &[i, high], span)?;
                    let axes = if shape.is_empty() { vec![] } else { vec![axis] };
                    self.ctx.graph.broadcast(i, region.clone(), axes)
                }
            };
            let by = number(self, stride, &region);
            let offset = self.op(&ops::MUL, Attr::None, &[at, by], span)?;
            index = self.op(&ops::ADD, Attr::None, &[index, offset], span)?;
            axis += usize::from(count.is_some());
        }
        let n = region.iter().product();
        let rows: Vec<usize> = std::iter::once(front.iter().product())
            .chain(inner.iter().copied())
            .collect();
        let parts: Vec<usize> = std::iter::once(n).chain(inner.iter().copied()).collect();
        let table = self.ctx.graph.reshape(t, rows);
        let index = self.ctx.graph.reshape(index, vec![n]);
        let part = self.ctx.graph.reshape(part, parts);
        let set = self.op(&ops::SCATTER_SET, Attr::None, &[table, index, part], span)?;
        Ok(self.ctx.graph.reshape(set, ty.shape))
    }

    /// What to say of a statement of a step that stands elsewhere.
    pub(super) fn not_at_top(&self, what: &str, span: Span) -> Box<mlc_grammar::diag::Report> {
        let inside = self.train.is_some() || self.optimizer.is_some();
        if !inside {
            let stages = match what {
                "verdict" => "`train` or `compute`",
                _ => "`train`",
            };
            let title = format!("`{what}` stands only in a {stages} stage");
            return Box::new(self.err("E0602", title, span));
        }
        let tops = match what {
            "set" => "of a step, of an `every` block or of an optimizer",
            "log" | "keep" | "stop when" => "of a step or of an `every` block",
            _ => "of a step",
        };
        Box::new(
            self.err(
                "E0640",
                format!("`{what}` stands only at the top {tops}"),
                span,
            )
            .hint(
                "compute the value in the loop or function, and use it in a statement of the step",
            ),
        )
    }
}
