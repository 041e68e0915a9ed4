//! Arithmetic, comparison and indexing on values.

use super::session::{R, Session};
use super::value::Val;
use crate::ir::{Attr, Contract, DType, Literal, Type, Value};
use crate::ops::{self, OpDef};
use mlc_grammar::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// A compile-time number in every element of a tensor.
    pub(super) fn literal(&mut self, v: &Val, dtype: DType, shape: &[usize]) -> Value {
        let x = match v {
            Val::Int(i) => *i as f64,
            Val::Real(x) => *x,
            Val::Bool(b) => f64::from(u8::from(*b)),
            _ => f64::NAN,
        };
        let literal = match dtype {
            DType::F32 | DType::F64 => Literal::Real(x),
            DType::I32 => Literal::Int(x as i64),
            DType::Bool => Literal::Bool(x != 0.0),
        };
        self.ctx
            .graph
            .fill(literal, Type::new(dtype, shape.to_vec()))
    }

    /// Adds a node; a shape rule's refusal becomes a diagnostic.
    pub(super) fn op(
        &mut self,
        def: &'static OpDef,
        attr: Attr,
        xs: &[Value],
        span: Span,
    ) -> R<Value> {
        self.ctx
            .graph
            .try_add(def, attr, xs)
            .map_err(|why| Box::new(self.err("E0301", why, span)))
    }

    /// A scalar repeated to a shape.
    pub(super) fn splat(&mut self, x: Value, shape: &[usize]) -> Value {
        if shape.is_empty() {
            return x;
        }
        let attr = Attr::Broadcast {
            shape: shape.to_vec(),
            axes: vec![],
        };
        self.ctx.graph.add(&ops::BROADCAST, attr, &[x])
    }

    /// Repeats `x` on axes behind its own.
    pub(super) fn lead(&mut self, x: Value, shape: &[usize]) -> Value {
        let rank = self.ctx.graph.ty(x).rank();
        if rank == shape.len() {
            return x;
        }
        let attr = Attr::Broadcast {
            shape: shape.to_vec(),
            axes: (0..rank).collect(),
        };
        self.ctx.graph.add(&ops::BROADCAST, attr, &[x])
    }

    pub(super) fn is_tensor(v: &Val) -> bool {
        matches!(v, Val::Tensor(_) | Val::Slot(_) | Val::Log(..))
    }

    fn is_number(v: &Val) -> bool {
        matches!(v, Val::Int(_) | Val::Real(_) | Val::Bool(_))
    }

    pub(super) fn unary(&mut self, op: UnaryOp, v: Val, span: Span) -> R<Val> {
        match (op, &v) {
            (UnaryOp::Neg, Val::Int(i)) => match i.checked_neg() {
                Some(i) => Ok(Val::Int(i)),
                None => Err(Box::new(self.err(
                    "E0304",
                    "this integer does not fit in 64 bits",
                    span,
                ))),
            },
            (UnaryOp::Neg, Val::Real(x)) => Ok(Val::Real(-x)),
            (UnaryOp::Not, Val::Bool(b)) => Ok(Val::Bool(!b)),
            (UnaryOp::Neg, Val::Record(fields)) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.unary(op, v.clone(), span)?));
                }
                Ok(Val::record(out))
            }
            _ => {
                let x = self.force(&v, span)?;
                let dtype = self.ctx.graph.ty(x).dtype;
                let def = match op {
                    UnaryOp::Neg if dtype != DType::Bool => &ops::NEG,
                    UnaryOp::Not if dtype == DType::Bool => &ops::NOT,
                    _ => {
                        let word = if op == UnaryOp::Neg { "`-`" } else { "`not`" };
                        let ty = self.ctx.graph.ty(x).to_string();
                        return Err(Box::new(self.err(
                            "E0302",
                            format!("{word} of a `{ty}`"),
                            span,
                        )));
                    }
                };
                Ok(Val::Tensor(self.op(def, Attr::None, &[x], span)?))
            }
        }
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        a: Val,
        b: Val,
        span: Span,
        sa: Span,
        sb: Span,
    ) -> R<Val> {
        if Self::is_number(&a)
            && Self::is_number(&b)
            && let Some(v) = self.binary_static(op, &a, &b, span)?
        {
            return Ok(v);
        }
        if matches!(op, BinaryOp::Eq | BinaryOp::Ne)
            && let (Val::Str(x), Val::Str(y)) = (&a, &b)
        {
            return Ok(Val::Bool((x == y) == (op == BinaryOp::Eq)));
        }
        if matches!(a, Val::Record(_) | Val::Tuple(_))
            || matches!(b, Val::Record(_) | Val::Tuple(_))
        {
            return self.binary_record(op, a, b, span, sa, sb);
        }
        if op == BinaryOp::MatMul {
            let (x, y) = (self.force(&a, sa)?, self.force(&b, sb)?);
            return self.matmul(x, y, span, sa, sb).map(Val::Tensor);
        }
        let (x, y) = self.promote(a, b, sa, sb)?;
        let (tx, ty) = (self.ctx.graph.ty(x).clone(), self.ctx.graph.ty(y).clone());
        if tx.dtype != ty.dtype {
            let hint = match (tx.dtype, ty.dtype) {
                (DType::I32, t) | (t, DType::I32) if t.is_real() => {
                    "convert the integers: `real(n)`"
                }
                (DType::Bool, t) | (t, DType::Bool) if t.is_real() => {
                    "convert the truth values: `real(b)`"
                }
                _ => "convert one side: `real(..)`, `int(..)`, `f32(..)`, `f64(..)`",
            };
            return Err(Box::new(
                self.err_at(
                    "E0302",
                    "the two sides have different element types",
                    sa,
                    format!("this is `{tx}`"),
                )
                .label(sb, format!("this is `{ty}`"))
                .hint(hint),
            ));
        }
        let (x, y) = match (tx.rank(), ty.rank()) {
            _ if tx.shape == ty.shape => (x, y),
            (0, _) => (self.splat(x, &ty.shape), y),
            (_, 0) => (x, self.splat(y, &tx.shape)),
            _ => {
                let hint = super::habits::broadcast(&tx, &ty);
                return Err(Box::new(
                    self.err_at(
                        "E0303",
                        "the two sides have different shapes",
                        sa,
                        format!("this is `{tx}`"),
                    )
                    .label(sb, format!("this is `{ty}`"))
                    .hint(hint),
                ));
            }
        };
        let real = tx.dtype.is_real();
        let int = tx.dtype == DType::I32;
        let (def, x, y): (&'static OpDef, Value, Value) = match op {
            BinaryOp::Add if real || int => (&ops::ADD, x, y),
            BinaryOp::Sub if real || int => (&ops::SUB, x, y),
            BinaryOp::Mul if real || int => (&ops::MUL, x, y),
            BinaryOp::Div if real => (&ops::DIV, x, y),
            BinaryOp::Pow if real => (&ops::POW, x, y),
            BinaryOp::Eq => (&ops::EQ, x, y),
            BinaryOp::Ne => (&ops::NE, x, y),
            BinaryOp::Lt if real || int => (&ops::LT, x, y),
            BinaryOp::Le if real || int => (&ops::LE, x, y),
            BinaryOp::Gt if real || int => (&ops::LT, y, x),
            BinaryOp::Ge if real || int => (&ops::LE, y, x),
            BinaryOp::And if tx.dtype == DType::Bool => (&ops::AND, x, y),
            BinaryOp::Or if tx.dtype == DType::Bool => (&ops::OR, x, y),
            _ => {
                let mut r = self.err(
                    "E0302",
                    format!("this operation is not defined on `{tx}`"),
                    span,
                );
                if op == BinaryOp::Div && int {
                    r = r.hint("`/` is for reals: write `real(a) / real(b)`, or `div(a, b)` for the whole part");
                }
                return Err(Box::new(r));
            }
        };
        Ok(Val::Tensor(self.op(def, Attr::None, &[x, y], span)?))
    }

    /// `a < b < c` compares a truth value.
    pub(super) fn no_chained_comparison(&self, op: BinaryOp, left: &Expr, span: Span) -> R<()> {
        use BinaryOp as B;
        let compares = |op: BinaryOp| matches!(op, B::Lt | B::Le | B::Gt | B::Ge | B::Eq | B::Ne);
        match &left.kind {
            ExprKind::Binary(inner, _, middle) if compares(op) && compares(*inner) => {
                let b = self.sources.text(middle.span);
                Err(Box::new(
                    self.err_at(
                        "E0302",
                        "a comparison of a comparison",
                        left.span,
                        "this is a truth value",
                    )
                    .label(span, "compared again")
                    .hint(format!("write `a < {b} and {b} < c`")),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Gives compile-time numbers the element type of the other side.
    fn promote(&mut self, a: Val, b: Val, sa: Span, sb: Span) -> R<(Value, Value)> {
        let fits = |v: &Val, d: DType| {
            matches!(v, Val::Int(_)) && d != DType::Bool
                || matches!(v, Val::Real(_)) && d.is_real()
                || matches!(v, Val::Bool(_)) && d == DType::Bool
        };
        if Self::is_number(&a) && !Self::is_number(&b) {
            let y = self.force(&b, sb)?;
            let d = self.ctx.graph.ty(y).dtype;
            if fits(&a, d) {
                self.fits(&a, d, sa)?;
                return Ok((self.literal(&a, d, &[]), y));
            }
        } else if Self::is_number(&b) && !Self::is_number(&a) {
            let x = self.force(&a, sa)?;
            let d = self.ctx.graph.ty(x).dtype;
            if fits(&b, d) {
                self.fits(&b, d, sb)?;
                return Ok((x, self.literal(&b, d, &[])));
            }
        }
        Ok((self.force(&a, sa)?, self.force(&b, sb)?))
    }

    fn binary_static(&mut self, op: BinaryOp, a: &Val, b: &Val, span: Span) -> R<Option<Val>> {
        use BinaryOp as B;
        if let (Val::Bool(x), Val::Bool(y)) = (a, b) {
            return Ok(match op {
                B::And => Some(Val::Bool(*x && *y)),
                B::Or => Some(Val::Bool(*x || *y)),
                B::Eq => Some(Val::Bool(x == y)),
                B::Ne => Some(Val::Bool(x != y)),
                _ => None,
            });
        }
        if let (Val::Int(x), Val::Int(y)) = (a, b) {
            let checked = match op {
                B::Add => x.checked_add(*y),
                B::Sub => x.checked_sub(*y),
                B::Mul => x.checked_mul(*y),
                B::Pow if *y >= 0 => u32::try_from(*y).ok().and_then(|y| x.checked_pow(y)),
                B::Pow => return Ok(Some(Val::Real((*x as f64).powf(*y as f64)))),
                B::Eq => return Ok(Some(Val::Bool(x == y))),
                B::Ne => return Ok(Some(Val::Bool(x != y))),
                B::Lt => return Ok(Some(Val::Bool(x < y))),
                B::Le => return Ok(Some(Val::Bool(x <= y))),
                B::Gt => return Ok(Some(Val::Bool(x > y))),
                B::Ge => return Ok(Some(Val::Bool(x >= y))),
                B::Div => {
                    return Err(Box::new(
                        self.err("E0302", "`/` of two integers", span).hint(
                            "write `1.0 / 3.0` for a real, or `div(a, b)` for the whole part",
                        ),
                    ));
                }
                _ => return Ok(None),
            };
            return match checked {
                Some(v) => Ok(Some(Val::Int(v))),
                None => Err(Box::new(self.err(
                    "E0304",
                    "this integer does not fit in 64 bits",
                    span,
                ))),
            };
        }
        let number = |v: &Val| match v {
            Val::Int(i) => Some(*i as f64),
            Val::Real(x) => Some(*x),
            _ => None,
        };
        let (Some(x), Some(y)) = (number(a), number(b)) else {
            return Ok(None);
        };
        Ok(Some(match op {
            B::Add => Val::Real(x + y),
            B::Sub => Val::Real(x - y),
            B::Mul => Val::Real(x * y),
            B::Div => Val::Real(x / y),
            B::Pow => Val::Real(x.powf(y)),
            B::Eq => Val::Bool(x == y),
            B::Ne => Val::Bool(x != y),
            B::Lt => Val::Bool(x < y),
            B::Le => Val::Bool(x <= y),
            B::Gt => Val::Bool(x > y),
            B::Ge => Val::Bool(x >= y),
            _ => return Ok(None),
        }))
    }

    /// Leaf by leaf, for `+`, `-`, and `*` and `/` by a scalar.
    fn binary_record(
        &mut self,
        op: BinaryOp,
        a: Val,
        b: Val,
        span: Span,
        sa: Span,
        sb: Span,
    ) -> R<Val> {
        if !matches!(
            op,
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div
        ) {
            return Err(Box::new(
                self.err("E0302", "this operation is not defined on records", span)
                    .hint("take the fields you mean: `r.x`"),
            ));
        }
        match (&a, &b) {
            (Val::Record(x), Val::Record(y)) => {
                let names =
                    |r: &[(Rc<str>, Val)]| r.iter().map(|f| f.0.to_string()).collect::<Vec<_>>();
                if x.len() != y.len() || x.iter().zip(y.iter()).any(|(f, g)| f.0 != g.0) {
                    let (l, r) = (
                        super::resolve::listed(&names(x)),
                        super::resolve::listed(&names(y)),
                    );
                    return Err(Box::new(
                        self.err_at(
                            "E0305",
                            "the two records have different fields",
                            sa,
                            format!("this has {l}"),
                        )
                        .label(sb, format!("this has {r}")),
                    ));
                }
                let mut out = Vec::new();
                for (f, g) in x.iter().zip(y.iter()) {
                    out.push((
                        f.0.clone(),
                        self.binary(op, f.1.clone(), g.1.clone(), span, sa, sb)?,
                    ));
                }
                Ok(Val::record(out))
            }
            (Val::Record(x), _) => {
                let mut out = Vec::new();
                for (n, v) in x.iter() {
                    out.push((
                        n.clone(),
                        self.binary(op, v.clone(), b.clone(), span, sa, sb)?,
                    ));
                }
                Ok(Val::record(out))
            }
            (_, Val::Record(y)) => {
                let mut out = Vec::new();
                for (n, v) in y.iter() {
                    out.push((
                        n.clone(),
                        self.binary(op, a.clone(), v.clone(), span, sa, sb)?,
                    ));
                }
                Ok(Val::record(out))
            }
            (Val::Tuple(x), Val::Tuple(y)) if x.len() == y.len() => {
                let mut out = Vec::new();
                for (f, g) in x.iter().zip(y.iter()) {
                    out.push(self.binary(op, f.clone(), g.clone(), span, sa, sb)?);
                }
                Ok(Val::tuple(out))
            }
            (Val::Tuple(x), _) if Self::is_number(&b) || Self::is_tensor(&b) => {
                let mut out = Vec::new();
                for f in x.iter() {
                    out.push(self.binary(op, f.clone(), b.clone(), span, sa, sb)?);
                }
                Ok(Val::tuple(out))
            }
            (_, Val::Tuple(y)) if Self::is_number(&a) || Self::is_tensor(&a) => {
                let mut out = Vec::new();
                for g in y.iter() {
                    out.push(self.binary(op, a.clone(), g.clone(), span, sa, sb)?);
                }
                Ok(Val::tuple(out))
            }
            _ => Err(Box::new(
                self.err_at(
                    "E0305",
                    "the two sides do not match",
                    sa,
                    format!("this is {}", a.kind()),
                )
                .label(sb, format!("this is {}", b.kind())),
            )),
        }
    }

    /// `x @ y` for a vector or matrix on either side, or for stacks of matrices with equal leading axes.
    pub(super) fn matmul(
        &mut self,
        x: Value,
        y: Value,
        span: Span,
        sa: Span,
        sb: Span,
    ) -> R<Value> {
        let (tx, ty) = (self.ctx.graph.ty(x).clone(), self.ctx.graph.ty(y).clone());
        let (p, q) = (tx.rank(), ty.rank());
        let stacked = p == q && p > 2;
        let lead = if stacked { p - 2 } else { 0 };
        let sizes = match (tx.shape.last(), ty.shape.get(lead)) {
            (Some(n), Some(m)) if n != m && (stacked || p < 3 && q < 3) => {
                format!("the last axis of the left has {n}, the first of the right {m}; ")
            }
            _ => String::new(),
        };
        let fits = (stacked || matches!(p, 1 | 2) && matches!(q, 1 | 2))
            && tx.shape[..lead] == ty.shape[..lead]
            && tx.shape[p - 1] == ty.shape[lead]
            && tx.dtype == ty.dtype
            && tx.dtype.is_real();
        if !fits {
            let hint = if !tx.dtype.is_real() || !ty.dtype.is_real() {
                "`@` is for reals: write `real(x)`, or `einsum([i, k], x[i, j], y[j, k])` for integers"
            } else if p > 2 || q > 2 {
                "stacks of matrices need equal leading axes on both sides; otherwise go over one: `for m in x { m @ y }`"
            } else {
                "`@` sums over the last axis of the left and the first of the right; rows of a batch come from `for`"
            };
            return Err(Box::new(
                self.err_at(
                    "E0306",
                    "the sides of `@` do not fit",
                    sa,
                    format!("this is `{tx}`"),
                )
                .label(sb, format!("this is `{ty}`"))
                .hint(format!("{sizes}{hint}")),
            ));
        }
        let c = Contract {
            batch: (0..lead).map(|i| (i, i)).collect(),
            sum: vec![(p - 1, lead)],
        };
        self.op(&ops::CONTRACT, Attr::Contract(c), &[x, y], span)
    }

    pub(super) fn transpose(&mut self, x: Value, span: Span) -> R<Val> {
        let rank = self.ctx.graph.ty(x).rank();
        let perm: Vec<usize> = (0..rank).rev().collect();
        Ok(Val::Tensor(self.op(
            &ops::TRANSPOSE,
            Attr::Perm(perm),
            &[x],
            span,
        )?))
    }
}
