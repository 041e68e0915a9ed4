//! Functions that lowering knows: the operations' names and what looks at shapes and compile-time values.

use super::call::Given;
use super::leaves::{leaves, map_leaves};
use super::session::{R, Session, rc};
use super::value::Val;
use crate::ir::{Attr, Contract, DType, Type};
use crate::ops::{self, OpDef};
use mlc_grammar::span::Span;
use std::rc::Rc;

mod algebra;
mod order;
mod pieces;
mod products;
mod random;
mod special;

/// A built-in function: its name, and what it does with its arguments (those it knows by name are taken out of them).
pub(super) type Entry = (
    &'static str,
    fn(&mut Session, &mut Args, Span) -> R<Val>,
);

/// Built-in functions by family.
const FAMILIES: &[&[Entry]] = &[
    algebra::TABLE,
    order::TABLE,
    pieces::TABLE,
    products::TABLE,
    random::TABLE,
    special::TABLE,
];

fn entry(name: &str) -> Option<&'static Entry> {
    FAMILIES.iter().flat_map(|f| f.iter()).find(|e| e.0 == name)
}

/// Element-wise functions of one real tensor.
const UNARY: &[(&str, &OpDef)] = &[
    ("exp", &ops::EXP),
    ("log", &ops::LOG),
    ("log1p", &ops::LOG1P),
    ("expm1", &ops::EXPM1),
    ("sqrt", &ops::SQRT),
    ("sin", &ops::SIN),
    ("cos", &ops::COS),
    ("tanh", &ops::TANH),
    ("sigmoid", &ops::SIGMOID),
    ("softplus", &ops::SOFTPLUS),
    ("erf", &ops::ERF),
    ("erfinv", &ops::ERFINV),
    ("lgamma", &ops::LGAMMA),
    ("digamma", &ops::DIGAMMA),
    ("abs", &ops::ABS),
    ("sign", &ops::SIGN),
    ("floor", &ops::FLOOR),
    ("ceil", &ops::CEIL),
    ("round", &ops::ROUND),
];

/// The other functions.
const OTHERS: &[&str] = &[
    "max",
    "min",
    "sum",
    "mean",
    "prod",
    "any",
    "all",
    "argmax",
    "cumsum",
    "dot",
    "reshape",
    "transpose",
    "concat",
    "stack",
    "halves",
    "flatten_rows",
    "zeros",
    "ones",
    "full",
    "zeros_like",
    "ones_like",
    "zeros_int",
    "falses",
    "trues",
    "shape",
    "len",
    "rank",
    "size",
    "real",
    "int",
    "bool",
    "f32",
    "f64",
    "one_hot",
    "gather",
    "rand",
    "stop",
    "tangent",
    "grad",
    "value_and_grad",
    "jvp",
    "vjp",
    "hvp",
    "sample",
    "logdensity",
    "plug_in",
    "map",
    "split",
    "close",
    "grid",
    "is_finite",
    "div",
    "mod",
    "pow",
    "flip",
    "pad",
    "constant_schedule",
    "provided",
    "flatten",
    "assume_smooth",
    "iota",
    "select",
    "taps",
    "unflatten",
];

/// All names that are built in.
pub fn names() -> impl Iterator<Item = &'static str> {
    UNARY
        .iter()
        .map(|u| u.0)
        .chain(OTHERS.iter().copied())
        .chain(FAMILIES.iter().flat_map(|f| f.iter().map(|e| e.0)))
        .chain(CONSTANTS.iter().copied())
}

const CONSTANTS: &[&str] = &["pi", "inf", "nan", "none", "drop"];

/// The value of a built-in name.
pub fn constant(name: &str) -> Option<Val> {
    Some(match name {
        "pi" => Val::Real(std::f64::consts::PI),
        "inf" => Val::Real(f64::INFINITY),
        "nan" => Val::Real(f64::NAN),
        "none" => Val::Missing,
        "drop" => Val::Str(rc("drop")),
        _ => {
            let found = UNARY
                .iter()
                .map(|u| u.0)
                .chain(OTHERS.iter().copied())
                .chain(FAMILIES.iter().flat_map(|f| f.iter().map(|e| e.0)))
                .find(|n| *n == name)?;
            Val::Builtin(found)
        }
    })
}

/// Arguments of a built-in function, taken apart by position and name.
pub(super) struct Args {
    pub(super) positional: Vec<Val>,
    pub(super) named: Vec<(Rc<str>, Val)>,
}

impl Args {
    pub(super) fn take(&mut self, name: &str) -> Option<Val> {
        let at = self.named.iter().position(|n| &*n.0 == name)?;
        Some(self.named.remove(at).1)
    }
}

impl Session {
    pub(super) fn call_builtin(
        &mut self,
        name: &'static str,
        args: Vec<Given>,
        span: Span,
    ) -> R<Val> {
        let mut a = Args {
            positional: vec![],
            named: vec![],
        };
        for (n, v) in args {
            match n {
                Some(n) => a.named.push((n, v)),
                None => a.positional.push(v),
            }
        }
        let v = self.builtin(name, &mut a, span)?;
        if let Some((n, _)) = a.named.first() {
            let title = format!("`{name}` has no argument `{n}`");
            return Err(Box::new(self.err("E0202", title, span)));
        }
        Ok(v)
    }

    pub(super) fn one(&self, name: &str, a: &Args, span: Span) -> R<Val> {
        match a.positional.as_slice() {
            [x] => Ok(x.clone()),
            more => {
                let title = format!("`{name}` takes one argument, and is given {}", more.len());
                Err(Box::new(self.err("E0201", title, span)))
            }
        }
    }

    pub(super) fn two(&self, name: &str, a: &Args, span: Span) -> R<(Val, Val)> {
        match a.positional.as_slice() {
            [x, y] => Ok((x.clone(), y.clone())),
            more => {
                let title = format!("`{name}` takes two arguments, and is given {}", more.len());
                Err(Box::new(self.err("E0201", title, span)))
            }
        }
    }

    fn builtin(&mut self, name: &'static str, a: &mut Args, span: Span) -> R<Val> {
        if let Some((_, def)) = UNARY.iter().find(|u| u.0 == name) {
            let x = self.one(name, a, span)?;
            return self.map_unary(name, def, &x, span);
        }
        if let Some((_, run)) = entry(name) {
            return run(self, a, span);
        }
        match name {
            "max" | "min" if a.positional.len() == 2 => {
                let (x, y) = self.two(name, a, span)?;
                if let (Val::Int(p), Val::Int(q)) = (&x, &y) {
                    return Ok(Val::Int(if name == "max" { *p.max(q) } else { *p.min(q) }));
                }
                let def = if name == "max" { &ops::MAX } else { &ops::MIN };
                self.map_binary(def, x, y, span)
            }
            "pow" => {
                let (x, y) = self.two(name, a, span)?;
                self.binary(mlc_grammar::ast::BinaryOp::Pow, x, y, span, span, span)
            }
            "div" | "mod" => {
                let (x, y) = self.two(name, a, span)?;
                if let (Val::Int(p), Val::Int(q)) = (&x, &y) {
                    if *q == 0 {
                        return Err(Box::new(self.err(
                            "E0304",
                            "a division of integers by zero",
                            span,
                        )));
                    }
                    let floor = p.div_euclid(*q) - i64::from(*q < 0 && p.rem_euclid(*q) != 0);
                    return Ok(Val::Int(if name == "div" { floor } else { p - q * floor }));
                }
                let def = if name == "div" {
                    &ops::INT_DIV
                } else {
                    &ops::MOD
                };
                self.map_binary(def, x, y, span)
            }
            "sum" | "mean" | "prod" | "max" | "min" | "any" | "all" => self.reduce(name, a, span),
            "argmax" | "cumsum" => {
                let v = self.one(name, a, span)?;
                let x = self.force(&v, span)?;
                let rank = self.ctx.graph.ty(x).rank();
                let axis = match a.take("axis") {
                    Some(v) => self.axis(&v, rank, span)?,
                    None if rank == 1 => 0,
                    None => {
                        return Err(Box::new(self.err(
                            "E0201",
                            format!("`{name}` of a tensor of rank {rank} needs `axis:`"),
                            span,
                        )));
                    }
                };
                let def = if name == "argmax" {
                    &ops::ARGMAX
                } else {
                    &ops::CUMSUM
                };
                Ok(Val::Tensor(self.op(def, Attr::Axis(axis), &[x], span)?))
            }
            "dot" => {
                let (x, y) = self.two(name, a, span)?;
                let mut total: Option<Val> = None;
                let (x, y) = (self.force_leaves(&x, span)?, self.force_leaves(&y, span)?);
                let (lx, ly) = (leaves(&x), leaves(&y));
                for (p, q) in lx.iter().zip(&ly) {
                    let (tp, tq) = (self.ctx.graph.ty(*p).clone(), self.ctx.graph.ty(*q).clone());
                    if tp != tq || lx.len() != ly.len() {
                        let title = format!("`dot` of a `{tp}` and a `{tq}`");
                        return Err(Box::new(self.err("E0303", title, span)));
                    }
                    let sum = (0..tp.rank()).map(|i| (i, i)).collect();
                    let c = Attr::Contract(Contract { batch: vec![], sum });
                    let d = Val::Tensor(self.op(&ops::CONTRACT, c, &[*p, *q], span)?);
                    total = Some(match total {
                        Some(t) => {
                            self.binary(mlc_grammar::ast::BinaryOp::Add, t, d, span, span, span)?
                        }
                        None => d,
                    });
                }
                Ok(total.unwrap_or(Val::Real(0.0)))
            }
            "reshape" => {
                let Some((x, dims)) = a.positional.split_first() else {
                    return Err(Box::new(self.err(
                        "E0201",
                        "`reshape` takes a tensor and sizes",
                        span,
                    )));
                };
                let (x, dims) = (x.clone(), dims.to_vec());
                let shape = self.dims(&dims, span)?;
                let t = self.force(&x, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                if ty.len() != shape.iter().product::<usize>() {
                    let want = Type::new(ty.dtype, shape);
                    let title = format!(
                        "a `{ty}` has {} elements, and `{want}` has {}",
                        ty.len(),
                        want.len()
                    );
                    return Err(Box::new(self.err("E0313", title, span)));
                }
                Ok(Val::Tensor(self.op(
                    &ops::RESHAPE,
                    Attr::Shape(shape),
                    &[t],
                    span,
                )?))
            }
            "transpose" => {
                let v = self.one(name, a, span)?;
                let t = self.force(&v, span)?;
                self.transpose(t, span)
            }
            "concat" => {
                let axis = a.take("axis");
                let items = match a.positional.as_slice() {
                    [Val::List(items)] => items.to_vec(),
                    more => more.to_vec(),
                };
                let mut parts = Vec::new();
                for v in &items {
                    parts.push(self.force(v, span)?);
                }
                let Some(&first) = parts.first() else {
                    return Err(Box::new(self.err("E0201", "`concat` of nothing", span)));
                };
                let rank = self.ctx.graph.ty(first).rank();
                let axis = match axis {
                    Some(v) => self.axis(&v, rank, span)?,
                    None => 0,
                };
                Ok(Val::Tensor(self.op(
                    &ops::CONCAT,
                    Attr::Axis(axis),
                    &parts,
                    span,
                )?))
            }
            "stack" => {
                let v = self.one(name, a, span)?;
                match &v {
                    Val::Record(fields) => {
                        let mut items = Vec::new();
                        for (_, v) in fields.iter() {
                            let t = self.force(v, span)?;
                            items.push(Val::Tensor(self.cast(t, self.real)));
                        }
                        if items.is_empty() {
                            return Err(Box::new(self.err("E0201", "`stack` of nothing", span)));
                        }
                        let first = self.force(&items[0], span)?;
                        let rank = self.ctx.graph.ty(first).rank();
                        Ok(Val::Tensor(self.stack_values(&items, rank, span)?))
                    }
                    Val::List(items) if !items.is_empty() => {
                        Ok(Val::Tensor(self.stack_values(items, 0, span)?))
                    }
                    other => {
                        let title =
                            format!("`stack` takes a record or a list, not {}", other.kind());
                        Err(Box::new(self.err("E0200", title, span)))
                    }
                }
            }
            "halves" => {
                let v = self.one(name, a, span)?;
                let t = self.force(&v, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                let Some(&n) = ty.shape.last() else {
                    return Err(Box::new(self.err("E0313", "`halves` of a scalar", span)));
                };
                if n % 2 != 0 {
                    let title = format!("`halves` needs an even last axis, and `{ty}` has {n}");
                    return Err(Box::new(self.err("E0313", title, span)));
                }
                let axis = ty.rank() - 1;
                let x = self.slice_axis(t, axis, 0, n / 2, 1, span)?;
                let y = self.slice_axis(t, axis, n / 2, n, 1, span)?;
                Ok(Val::tuple(vec![Val::Tensor(x), Val::Tensor(y)]))
            }
            "flatten_rows" => {
                let v = self.one(name, a, span)?;
                let t = self.force(&v, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                let Some((&n, rest)) = ty.shape.split_first() else {
                    return Err(Box::new(self.err(
                        "E0313",
                        "`flatten_rows` of a scalar",
                        span,
                    )));
                };
                let shape = vec![n, rest.iter().product()];
                Ok(Val::Tensor(self.op(
                    &ops::RESHAPE,
                    Attr::Shape(shape),
                    &[t],
                    span,
                )?))
            }
            "flatten" => {
                let v = self.one(name, a, span)?;
                let v = self.force_leaves(&v, span)?;
                let mut parts = Vec::new();
                for t in leaves(&v) {
                    let n = self.ctx.graph.ty(t).len();
                    parts.push(self.op(&ops::RESHAPE, Attr::Shape(vec![n]), &[t], span)?);
                }
                Ok(Val::Tensor(self.op(
                    &ops::CONCAT,
                    Attr::Axis(0),
                    &parts,
                    span,
                )?))
            }
            "zeros" | "ones" | "zeros_int" | "falses" | "trues" => {
                let shape = self.dims(&a.positional.clone(), span)?;
                let (v, d) = match name {
                    "zeros" => (Val::Real(0.0), self.real),
                    "ones" => (Val::Real(1.0), self.real),
                    "zeros_int" => (Val::Int(0), DType::I32),
                    "falses" => (Val::Bool(false), DType::Bool),
                    _ => (Val::Bool(true), DType::Bool),
                };
                self.sized(d, &shape, span)?;
                Ok(Val::Tensor(self.literal(&v, d, &shape)))
            }
            "full" => {
                let Some((v, dims)) = a.positional.split_first() else {
                    return Err(Box::new(self.err(
                        "E0201",
                        "`full` takes a value and sizes",
                        span,
                    )));
                };
                let (v, dims) = (v.clone(), dims.to_vec());
                let shape = self.dims(&dims, span)?;
                let v = if let Val::Int(i) = v {
                    Val::Real(i as f64)
                } else {
                    v
                };
                let t = self.force(&v, span)?;
                Ok(Val::Tensor(self.splat(t, &shape)))
            }
            "zeros_like" | "ones_like" => {
                let v = self.one(name, a, span)?;
                let v = self.force_leaves(&v, span)?;
                let x = if name == "zeros_like" { 0.0 } else { 1.0 };
                Ok(map_leaves(&v, &mut |t| self.ctx.graph.constant_like(x, t)))
            }
            "iota" => {
                let v = self.one(name, a, span)?;
                let shape = self.dims(&[v], span)?;
                Ok(Val::Tensor(self.op(
                    &ops::IOTA,
                    Attr::Iota { shape, axis: 0 },
                    &[],
                    span,
                )?))
            }
            "shape" | "rank" | "size" | "len" => {
                let v = self.one(name, a, span)?;
                if let (Val::Nets(_, n), "len") = (&v, name) {
                    return Ok(Val::Int(*n as i64));
                }
                if let (Val::List(items) | Val::Tuple(items), "len") = (&v, name) {
                    return Ok(Val::Int(items.len() as i64));
                }
                if let (Val::Record(fields), "len") = (&v, name)
                    && let Some(f) = fields.first()
                {
                    let t = self.force(&f.1.clone(), span)?;
                    let n = self.ctx.graph.ty(t).shape.first().copied().unwrap_or(1);
                    return Ok(Val::Int(n as i64));
                }
                let t = self.force(&v, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                Ok(match name {
                    "shape" => Val::list(ty.shape.iter().map(|&n| Val::Int(n as i64)).collect()),
                    "rank" => Val::Int(ty.rank() as i64),
                    "size" => Val::Int(ty.len() as i64),
                    _ => match ty.shape.first() {
                        Some(&n) => Val::Int(n as i64),
                        None => return Err(Box::new(self.err("E0313", "`len` of a scalar", span))),
                    },
                })
            }
            "real" | "int" | "bool" | "f32" | "f64" => {
                let v = self.one(name, a, span)?;
                match (name, &v) {
                    ("real" | "f32" | "f64", Val::Int(i)) => return Ok(Val::Real(*i as f64)),
                    ("real" | "f32" | "f64", Val::Bool(b)) => {
                        return Ok(Val::Real(f64::from(u8::from(*b))));
                    }
                    ("int", Val::Real(x)) => return Ok(Val::Int(*x as i64)),
                    ("int", Val::Bool(b)) => return Ok(Val::Int(i64::from(*b))),
                    _ => {}
                }
                let d = match name {
                    "real" => self.real,
                    "int" => DType::I32,
                    "bool" => DType::Bool,
                    "f32" => DType::F32,
                    _ => DType::F64,
                };
                let v = self.force_leaves(&v, span)?;
                Ok(map_leaves(&v, &mut |t| self.cast(t, d)))
            }
            "one_hot" => {
                let (i, n) = self.two(name, a, span)?;
                let n = self.dims(&[n], span)?[0];
                let i = self.force(&i, span)?;
                let ty = self.ctx.graph.ty(i).clone();
                if ty.dtype != DType::I32 {
                    let title = format!("`one_hot` takes integers, not `{ty}`");
                    return Err(Box::new(self.err("E0302", title, span)));
                }
                let mut shape = ty.shape.clone();
                shape.push(n);
                let iota = Attr::Iota {
                    shape: shape.clone(),
                    axis: ty.rank(),
                };
                let at = self.op(&ops::IOTA, iota, &[], span)?;
                let i = self.lead(i, &shape);
                let hit = self.op(&ops::EQ, Attr::None, &[i, at], span)?;
                Ok(Val::Tensor(self.cast(hit, self.real)))
            }
            "gather" => {
                let (x, i) = self.two(name, a, span)?;
                let (x, i) = (self.force(&x, span)?, self.force(&i, span)?);
                Ok(Val::Tensor(self.op(
                    &ops::GATHER,
                    Attr::Axis(0),
                    &[x, i],
                    span,
                )?))
            }
            "rand" => {
                let shape = self.dims(&a.positional.clone(), span)?;
                self.sized(self.real, &shape, span)?;
                let site = self.draw_key();
                let counted = self.train.is_some() && !self.in_init;
                let (seed, step) = (self.ctx.seed(), self.ctx.step_counter(counted));
                let bits = self.op(
                    &ops::RANDOM_BITS,
                    Attr::Draw { site, shape },
                    &[seed, step],
                    span,
                )?;
                Ok(Val::Tensor(self.op(
                    &ops::BITS_TO_UNIT,
                    Attr::DType(self.real),
                    &[bits],
                    span,
                )?))
            }
            "select" => {
                let [c, x, y] = a.positional.as_slice() else {
                    let title = "`select` takes a condition and two values";
                    return Err(Box::new(self.err("E0201", title, span)));
                };
                let (c, x, y) = (c.clone(), x.clone(), y.clone());
                let c = self.force(&c, span)?;
                let ty = self.ctx.graph.ty(c).clone();
                if ty.dtype != DType::Bool {
                    let title = format!("`select` chooses by truth values, not by a `{ty}`");
                    return Err(Box::new(self.err("E0310", title, span)));
                }
                self.zip_leaves(&x, &y, &mut |s, p, q| s.select_leaf(c, p, q, span))
            }
            "stop" | "tangent" | "assume_smooth" => {
                let v = self.one(name, a, span)?;
                if let (Val::Net(n), "stop") = (&v, name) {
                    let mut n = (**n).clone();
                    n.stopped = true;
                    return Ok(Val::Net(Rc::new(n)));
                }
                if let (Val::Nets(n, count), "stop") = (&v, name) {
                    let mut n = (**n).clone();
                    n.stopped = true;
                    return Ok(Val::Nets(Rc::new(n), *count));
                }
                let v = self.force_leaves(&v, span)?;
                if name == "assume_smooth" {
                    return Err(self.unsupported("`assume_smooth`", span));
                }
                let def = if name == "stop" {
                    &ops::STOP
                } else {
                    &ops::TANGENT
                };
                Ok(map_leaves(&v, &mut |t| {
                    if self.ctx.graph.ty(t).dtype.is_real() {
                        self.ctx.graph.add(def, Attr::None, &[t])
                    } else {
                        t
                    }
                }))
            }
            "sample" => {
                let v = self.one(name, a, span)?;
                self.sample_model(&v, span)
            }
            "logdensity" => {
                let (m, t) = self.two(name, a, span)?;
                self.score_model(&m, &t, span)
            }
            "plug_in" => self.one(name, a, span),
            "map" => {
                let (f, v) = self.two(name, a, span)?;
                let v = self.force_leaves(&v, span)?;
                let ts = leaves(&v);
                let mut out = Vec::new();
                for t in ts {
                    let r = self.apply(&f, vec![(None, Val::Tensor(t))], span)?;
                    out.push(self.force(&r, span)?);
                }
                let mut next = out.into_iter();
                Ok(map_leaves(&v, &mut |t| next.next().unwrap_or(t)))
            }
            "split" => self.split(a, span),
            "close" => {
                let (x, y, tol) = match a.positional.as_slice() {
                    [x, y, t] => (x.clone(), y.clone(), t.clone()),
                    [x, y] => (
                        x.clone(),
                        y.clone(),
                        a.take("tol").unwrap_or(Val::Real(1e-6)),
                    ),
                    _ => {
                        return Err(Box::new(self.err(
                            "E0201",
                            "`close` takes two values and a tolerance",
                            span,
                        )));
                    }
                };
                let d = self.binary(mlc_grammar::ast::BinaryOp::Sub, x, y, span, span, span)?;
                let t = self.force(&d, span)?;
                let t = self.cast(t, self.real);
                let t = self.op(&ops::ABS, Attr::None, &[t], span)?;
                let v = self.binary(
                    mlc_grammar::ast::BinaryOp::Le,
                    Val::Tensor(t),
                    tol,
                    span,
                    span,
                    span,
                )?;
                let v = self.force(&v, span)?;
                let axes = (0..self.ctx.graph.ty(v).rank()).collect();
                Ok(Val::Tensor(self.op(
                    &ops::ALL,
                    Attr::Axes(axes),
                    &[v],
                    span,
                )?))
            }
            "grid" => {
                let v = self.one(name, a, span)?;
                let columns = match a.take("columns") {
                    Some(Val::Int(n)) if n > 0 => n as usize,
                    None => 8,
                    Some(_) => {
                        return Err(Box::new(self.err(
                            "E0201",
                            "`columns` is a positive number",
                            span,
                        )));
                    }
                };
                let t = self.force(&v, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                if !matches!(ty.rank(), 2 | 3) {
                    let title = format!("a grid is of pictures `real[n, h, w]`, not `{ty}`");
                    return Err(Box::new(self.err("E0313", title, span)));
                }
                Ok(Val::Grid(Rc::new((Val::Tensor(t), columns))))
            }
            "is_finite" => {
                let v = self.one(name, a, span)?;
                self.map_unary(name, &ops::IS_FINITE, &v, span)
            }
            "flip" => {
                let v = self.one(name, a, span)?;
                let t = self.force(&v, span)?;
                let rank = self.ctx.graph.ty(t).rank();
                let axis = match a.take("axis") {
                    Some(v) => self.axis(&v, rank, span)?,
                    None => 0,
                };
                Ok(Val::Tensor(self.op(
                    &ops::FLIP,
                    Attr::Axes(vec![axis]),
                    &[t],
                    span,
                )?))
            }
            "unflatten" => {
                let v = self.one(name, a, span)?;
                let Some(like) = a.take("like") else {
                    let title = "`unflatten` takes a vector, and `like:` a record of the form to give it";
                    return Err(Box::new(self.err("E0201", title, span)));
                };
                self.unflatten(&v, &like, span)
            }
            "constant_schedule" => Ok(a.take("value").unwrap_or(Val::Real(0.0))),
            other => Err(self.unsupported(&format!("`{other}`"), span)),
        }
    }
}
