//! Built-in functions of tensors: element by element, reductions, sizes, pieces.

use super::builtins::Args;
use super::leaves::{leaves, map_leaves};
use super::session::{R, Session, rc};
use super::value::Val;
use crate::ir::{Attr, DType, Type, Value};
use crate::ops::{self, OpDef};
use mlc_grammar::span::Span;

impl Session {
    pub(super) fn map_unary(
        &mut self,
        name: &str,
        def: &'static OpDef,
        v: &Val,
        span: Span,
    ) -> R<Val> {
        match v {
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.map_unary(name, def, v, span)?));
                }
                Ok(Val::record(out))
            }
            Val::Int(i) if name == "abs" && *i != i64::MIN => Ok(Val::Int(i.abs())),
            Val::Int(i) if name == "sign" => Ok(Val::Int(i.signum())),
            Val::Int(i) => self.map_unary(name, def, &Val::Real(*i as f64), span),
            // Known numbers that compile-time conditions and constants are made of.
            Val::Real(x)
                if matches!(
                    name,
                    "exp" | "log" | "sqrt" | "abs" | "floor" | "ceil" | "sin" | "cos"
                ) =>
            {
                Ok(Val::Real(match name {
                    "exp" => x.exp(),
                    "log" => x.ln(),
                    "sqrt" => x.sqrt(),
                    "abs" => x.abs(),
                    "floor" => x.floor(),
                    "sin" => x.sin(),
                    "cos" => x.cos(),
                    _ => x.ceil(),
                }))
            }
            _ => {
                let t = self.force(v, span)?;
                let ty = self.ctx.graph.ty(t).clone();
                if ty.dtype == DType::I32 && name != "abs" && name != "sign" {
                    return Err(Box::new(
                        self.err("E0302", format!("`{name}` takes reals, not `{ty}`"), span)
                            .hint("convert the integers: `real(n)`"),
                    ));
                }
                Ok(Val::Tensor(self.op(def, Attr::None, &[t], span)?))
            }
        }
    }

    /// An element-wise function of two, with the rules of arithmetic for types and shapes.
    pub(super) fn map_binary(&mut self, def: &'static OpDef, x: Val, y: Val, span: Span) -> R<Val> {
        // Addition decides the common type; the operation itself then takes its operands.
        let sum = self.binary(
            mlc_grammar::ast::BinaryOp::Add,
            x.clone(),
            y.clone(),
            span,
            span,
            span,
        )?;
        let t = self.force(&sum, span)?;
        let ty = self.ctx.graph.ty(t).clone();
        let side = |s: &mut Self, v: &Val| -> R<Value> {
            match v {
                Val::Int(_) | Val::Real(_) => Ok(s.literal(v, ty.dtype, &ty.shape)),
                v => {
                    let t = s.force(v, span)?;
                    let rank = s.ctx.graph.ty(t).rank();
                    Ok(if rank == 0 { s.splat(t, &ty.shape) } else { t })
                }
            }
        };
        let (p, q) = (side(self, &x)?, side(self, &y)?);
        Ok(Val::Tensor(self.op(def, Attr::None, &[p, q], span)?))
    }

    pub(super) fn reduce(&mut self, name: &str, a: &mut Args, span: Span) -> R<Val> {
        let v = self.one(name, a, span)?;
        let axis = a.take("axis");
        if let Val::Record(_) | Val::Tuple(_) = &v
            && axis.is_some()
        {
            let v = self.force_leaves(&v, span)?;
            let mut out = Vec::new();
            for t in leaves(&v) {
                let mut inner = Args {
                    positional: vec![Val::Tensor(t)],
                    named: vec![],
                };
                inner
                    .named
                    .push((rc("axis"), axis.clone().unwrap_or(Val::Int(0))));
                let r = self.reduce(name, &mut inner, span)?;
                out.push(self.force(&r, span)?);
            }
            let mut next = out.into_iter();
            return Ok(map_leaves(&v, &mut |t| next.next().unwrap_or(t)));
        }
        let x = self.force(&v, span)?;
        let ty = self.ctx.graph.ty(x).clone();
        let truth = matches!(name, "any" | "all");
        if (ty.dtype == DType::Bool) != truth {
            let hint = if truth {
                "compare first: `any(x > 0.0)`"
            } else {
                "count the true ones with `count(b)`, or convert: `real(b)`, `int(b)`"
            };
            return self.fail_hint("E0302", format!("`{name}` of a `{ty}`"), span, hint);
        }
        let axes = self.axes(axis, ty.rank(), span)?;
        let count: usize = axes.iter().map(|&i| ty.shape[i]).product();
        if count == 0 && ty.dtype == DType::I32 && matches!(name, "max" | "min") {
            return self.fail("E0313", format!("`{name}` of no integers"), span);
        }
        let def: &'static OpDef = match name {
            "sum" | "mean" => &ops::SUM,
            "prod" => &ops::PROD,
            "max" => &ops::MAX_OVER,
            "min" => &ops::MIN_OVER,
            "any" => &ops::ANY,
            _ => &ops::ALL,
        };
        let r = self.op(def, Attr::Axes(axes), &[x], span)?;
        if name != "mean" {
            return Ok(Val::Tensor(r));
        }
        if !ty.dtype.is_real() {
            return Err(Box::new(
                self.err("E0302", format!("`mean` takes reals, not `{ty}`"), span)
                    .hint("convert: `mean(real(x))`"),
            ));
        }
        // One number less for each that was estimated from the same numbers.
        let less = match a.take("ddof") {
            None => 0,
            Some(v) => self.known_int("`ddof`", &v, span)?,
        };
        let count = count as i64 - less;
        if count <= 0 {
            let title = match less {
                0 => "`mean` of nothing".to_string(),
                _ => format!("`ddof: {less}` leaves nothing to divide by"),
            };
            return self.fail("E0313", title, span);
        }
        self.binary(
            mlc_grammar::ast::BinaryOp::Div,
            Val::Tensor(r),
            Val::Real(count as f64),
            span,
            span,
            span,
        )
    }

    /// Sizes: integers, or one list of them.
    pub(super) fn dims(&mut self, args: &[Val], span: Span) -> R<Vec<usize>> {
        let items: Vec<Val> = match args {
            [Val::List(items)] => items.to_vec(),
            more => more.to_vec(),
        };
        let mut out = Vec::new();
        for v in items {
            match v {
                Val::Int(n) if (0..=i64::from(i32::MAX)).contains(&n) => out.push(n as usize),
                Val::Int(n) => {
                    let title = format!("{n} is not a size");
                    return Err(Box::new(self.err("E0304", title, span)));
                }
                other => {
                    let title = format!(
                        "a size is an integer known at compile time, not {}",
                        other.kind()
                    );
                    return Err(Box::new(self.err("E0207", title, span)));
                }
            }
        }
        self.sized(self.real, &out, span)?;
        Ok(out)
    }

    /// Refuses a tensor that no machine holds.
    pub(super) fn sized(&self, dtype: DType, shape: &[usize], span: Span) -> R<()> {
        let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        match n {
            Some(n) if n <= i32::MAX as usize => Ok(()),
            _ => {
                let ty = Type::new(dtype, shape.to_vec());
                Err(Box::new(self.err(
                    "E0304",
                    format!("a `{ty}` has too many elements"),
                    span,
                )))
            }
        }
    }
}
