//! Types as written: do values have them, and what the names of sizes and element types in them stand for.

use super::session::{R, Session, rc};
use super::value::{Env, Partial, Val, static_dtype};
use crate::ir::{DType, Type};
use mlc_grammar::ast::{BinaryOp, Expr, ExprKind, Name, TypeExpr, TypeKind, UnaryOp};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// Can the name of a type stand for any element type? `T` can, where no type has that name.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// `slope * name + offset`, the sizes a dimension with one unknown name can be.
#[derive(Clone, Copy)]
struct Linear {
    slope: i64,
    offset: i64,
}

impl Session {
    /// Does `v` have the type written? Names of dimensions and of element types that are not bound yet are bound in `env`.
    pub(super) fn check_type(
        &mut self,
        v: Val,
        ty: &'static TypeExpr,
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let (name, dims) = match &ty.kind {
            TypeKind::Named(name, dims) => (name, dims),
            TypeKind::Tuple(parts) => {
                let Val::Tuple(items) = &v else {
                    return Err(self.type_error(ty, v.kind(), span));
                };
                if items.len() != parts.len() {
                    return Err(self.type_error(ty, &format!("{} values", items.len()), span));
                }
                let mut out = Vec::new();
                for (t, v) in parts.iter().zip(items.iter()) {
                    out.push(self.check_type(v.clone(), t, env, span)?);
                }
                return Ok(Val::tuple(out));
            }
            TypeKind::Record(fields) => {
                let mut out = Vec::new();
                for (n, t) in fields {
                    let Some(f) = v.field(&n.text) else {
                        let found = match &v {
                            Val::Record(fields) => {
                                let names: Vec<String> =
                                    fields.iter().map(|f| f.0.to_string()).collect();
                                format!("a record of {}", super::resolve::listed(&names))
                            }
                            other => other.kind().to_string(),
                        };
                        return Err(self.type_error(ty, &found, span));
                    };
                    out.push((rc(&n.text), self.check_type(f, t, env, span)?));
                }
                return Ok(Val::record(out));
            }
        };
        if name.text == "schedule" {
            // A number is a constant schedule.
            return match &v {
                Val::Int(_) | Val::Real(_) | Val::Slot(_) | Val::Tensor(_) => {
                    let of = Val::Builtin("constant_schedule");
                    let given = vec![(rc("value"), v.clone())];
                    Ok(Val::Partial(Rc::new(Partial { of, given, span })))
                }
                Val::Fn(_) | Val::Builtin(_) | Val::Partial(_) => Ok(v),
                other => Err(self.type_error(ty, other.kind(), span)),
            };
        }
        if dims.is_empty()
            && let Some(def) = self.dist_named(&name.text, env, span)
        {
            // A distribution of one family.
            return match &v {
                Val::Dist(d) if std::ptr::eq(d.def.def, def.def) => Ok(v),
                Val::Dist(d) => {
                    let found = format!("`{}`", d.def.def.name.text);
                    Err(self.type_error(ty, &found, span))
                }
                other => Err(self.type_error(ty, other.kind(), span)),
            };
        }
        let v = match v {
            Val::List(_) => Val::Tensor(self.force(&v, span)?),
            v => v,
        };
        if let Val::Partial(p) = &v
            && let Some(r) = self.lacks_arguments(p, span)
        {
            return Err(r);
        }
        let dtype = self.element_type(name, &v, ty, env, span)?;
        let v = match (&v, dtype.is_real()) {
            (Val::Int(i), true) => Val::Real(*i as f64),
            _ => v,
        };
        // A compile-time real has whatever real type is asked for.
        let found = match static_dtype(&v, if dtype.is_real() { dtype } else { self.real }) {
            Some(found) => Type::scalar(found),
            None => self.tensor_type(&v, ty, span)?,
        };
        if found.dtype != dtype || found.shape.len() != dims.len() {
            return Err(self.type_error(ty, &format!("`{found}`"), span));
        }
        for (d, &n) in dims.iter().zip(&found.shape) {
            self.check_size(d, n, ty, &found, env, span)?;
        }
        // One that is not the pipeline's own has to be a node to be remembered.
        if matches!(v, Val::Real(_)) && dtype != self.real {
            return Ok(Val::Tensor(self.literal(&v, dtype, &[])));
        }
        Ok(v)
    }

    fn tensor_type(&mut self, v: &Val, ty: &TypeExpr, span: Span) -> R<Type> {
        match v {
            Val::Tensor(_) | Val::Slot(_) | Val::Log(..) => {
                let t = self.force(v, span)?;
                Ok(self.ctx.graph.ty(t).clone())
            }
            other => Err(self.type_error(ty, other.kind(), span)),
        }
    }

    /// The element type a name stands for; an unbound variable takes that of the value.
    fn element_type(
        &mut self,
        name: &Name,
        v: &Val,
        ty: &'static TypeExpr,
        env: &Env,
        span: Span,
    ) -> R<DType> {
        Ok(match name.text.as_str() {
            "real" => self.real,
            "f32" => DType::F32,
            "f64" => DType::F64,
            "int" => DType::I32,
            "bool" => DType::Bool,
            other => match env.get(other) {
                Some(Val::DType(d)) => d,
                None if is_variable(other) => {
                    let found = match static_dtype(v, self.real) {
                        Some(d) => d,
                        None => self.tensor_type(v, ty, span)?.dtype,
                    };
                    env.bind(other, Val::DType(found));
                    found
                }
                _ => {
                    let title = format!("there is no type `{other}`");
                    return Err(Box::new(
                        self.err_at("E0209", title, ty.span, "not a type")
                            .hint("types are `real`, `int`, `bool`, `f32`, `f64`, `schedule`, tuples and records of them; a name such as `T` stands for any element type"),
                    ));
                }
            },
        })
    }

    /// Is a size the one written? One unknown name in it is bound to what makes it so.
    fn check_size(
        &mut self,
        d: &'static Expr,
        n: usize,
        ty: &TypeExpr,
        found: &Type,
        env: &Env,
        span: Span,
    ) -> R<()> {
        let unknown = self.unknown_sizes(d, env);
        let text = self.sources.text(d.span).trim().to_string();
        let no = |s: &Self, why: String| {
            Err(Box::new(
                s.type_error(ty, &format!("`{found}`"), span).note(why),
            ))
        };
        match unknown.as_slice() {
            [] => {
                let want = self.eval_int(d, env)?;
                if want == n as i64 {
                    return Ok(());
                }
                if text == want.to_string() {
                    no(self, format!("the size {n} should be {want}"))
                } else {
                    no(
                        self,
                        format!("the size {n} should be `{text}`, which is {want} here"),
                    )
                }
            }
            [name] => {
                let Some(l) = self.linear(d, name, env)?.filter(|l| l.slope != 0) else {
                    let title = format!("the size `{text}` does not tell what `{name}` is");
                    return Err(Box::new(
                        self.err_at("E0211", title, d.span, format!("`{name}` is not known yet"))
                            .hint(format!("only sums and products with known numbers are solved for a name; let `{name}` stand alone in an earlier argument")),
                    ));
                };
                let rest = i128::from(n as i64) - i128::from(l.offset);
                let slope = i128::from(l.slope);
                if rest % slope != 0 {
                    return no(
                        self,
                        format!("the size {n} is not `{text}` for any whole number `{name}`"),
                    );
                }
                match i64::try_from(rest / slope) {
                    Ok(size) if size >= 0 => {
                        env.bind(name, Val::Int(size));
                        Ok(())
                    }
                    _ => no(
                        self,
                        format!(
                            "the size {n} is `{text}` only for `{name}` = {}",
                            rest / slope
                        ),
                    ),
                }
            }
            [first, second, ..] => {
                let title =
                    format!("the size `{text}` has two unknown names, `{first}` and `{second}`");
                Err(Box::new(
                    self.err_at("E0211", title, d.span, "cannot be solved")
                        .hint("let one of them stand alone in an earlier argument"),
                ))
            }
        }
    }

    /// Names in a size that nothing defines yet. The library's names do not count: a size may be called `size`.
    fn unknown_sizes(&self, d: &Expr, env: &Env) -> Vec<String> {
        let mut called: Vec<String> = Vec::new();
        let mut out: Vec<String> = Vec::new();
        let m = &self.modules[env.0.module];
        super::resolve::each_expr(d, &mut |e| match &e.kind {
            ExprKind::Call(f, _) => called.extend(super::resolve::path_text(f)),
            ExprKind::Name(n) => {
                let known =
                    env.get(n).is_some() || m.items.contains_key(n) || m.uses.contains_key(n);
                if !known && !called.contains(n) && !out.contains(n) {
                    out.push(n.clone());
                }
            }
            _ => {}
        });
        out
    }

    /// A size as a linear form in `name`, if it is one.
    fn linear(&mut self, d: &'static Expr, name: &str, env: &Env) -> R<Option<Linear>> {
        let constant = |offset| Linear { slope: 0, offset };
        Ok(match &d.kind {
            ExprKind::Name(n) if n == name => Some(Linear {
                slope: 1,
                offset: 0,
            }),
            ExprKind::Paren(e) => self.linear(e, name, env)?,
            ExprKind::Unary(UnaryOp::Neg, e) => self
                .linear(e, name, env)?
                .and_then(|l| combine(constant(-1), l, BinaryOp::Mul)),
            ExprKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul), a, b) => {
                match (self.linear(a, name, env)?, self.linear(b, name, env)?) {
                    (Some(x), Some(y)) => combine(x, y, *op),
                    _ => None,
                }
            }
            _ if super::resolve::names_in(d).iter().any(|n| n == name) => None,
            _ => Some(constant(self.eval_int(d, env)?)),
        })
    }

    /// `T(x)`, for a variable `T` that is bound to an element type.
    pub(super) fn cast_to(
        &mut self,
        d: DType,
        args: Vec<super::call::Given>,
        span: Span,
    ) -> R<Val> {
        let name = match d {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I32 => "int",
            DType::Bool => "bool",
        };
        self.call_builtin(name, args, span)
    }

    /// `real(x)`, `int(x)`, `bool(x)`, `f32(x)`, `f64(x)`, leaf by leaf. A compile-time number stays one where the type asked
    /// for is what it would become anyway.
    pub(super) fn convert(&mut self, name: &str, v: &Val, span: Span) -> R<Val> {
        let d = match name {
            "real" => self.real,
            "int" => DType::I32,
            "bool" => DType::Bool,
            "f32" => DType::F32,
            _ => DType::F64,
        };
        let known = match v {
            Val::Int(i) if d.is_real() => Some(Val::Real(*i as f64)),
            Val::Bool(b) if d.is_real() => Some(Val::Real(f64::from(u8::from(*b)))),
            Val::Real(x) if name == "f32" => Some(Val::Real(f64::from(*x as f32))),
            Val::Real(_) if d.is_real() => Some(v.clone()),
            Val::Int(_) if d == DType::I32 => return Ok(v.clone()),
            Val::Bool(b) if d == DType::I32 => return Ok(Val::Int(i64::from(*b))),
            Val::Real(x) if d == DType::I32 => {
                if x.is_nan() || x.abs() >= 2f64.powi(63) {
                    let title = format!("{x} is no integer of 64 bits");
                    return Err(Box::new(self.err("E0304", title, span)));
                }
                return Ok(Val::Int(*x as i64));
            }
            _ => None,
        };
        match known {
            Some(v) if d == self.real => Ok(v),
            Some(v) => Ok(Val::Tensor(self.literal(&v, d, &[]))),
            None => {
                let v = self.force_leaves(v, span)?;
                Ok(super::leaves::map_leaves(&v, &mut |t| self.cast(t, d)))
            }
        }
    }

    fn type_error(&self, ty: &TypeExpr, found: &str, span: Span) -> Box<Report> {
        let want = self.sources.text(ty.span).to_string();
        Box::new(
            self.err_at(
                "E0300",
                "a value has another type than declared",
                span,
                format!("found {found}"),
            )
            .label(ty.span, format!("expected `{want}`")),
        )
    }
}

/// The linear form of a sum, difference or product, unless it is not linear or does not fit.
fn combine(x: Linear, y: Linear, op: BinaryOp) -> Option<Linear> {
    let both = |f: fn(i64, i64) -> Option<i64>| {
        Some(Linear {
            slope: f(x.slope, y.slope)?,
            offset: f(x.offset, y.offset)?,
        })
    };
    match op {
        BinaryOp::Add => both(i64::checked_add),
        BinaryOp::Sub => both(i64::checked_sub),
        _ => {
            let (k, l) = match (x.slope, y.slope) {
                (0, _) => (x.offset, y),
                (_, 0) => (y.offset, x),
                _ => return None,
            };
            Some(Linear {
                slope: k.checked_mul(l.slope)?,
                offset: k.checked_mul(l.offset)?,
            })
        }
    }
}
