//! Linear algebra: factorisations and solves of the last two axes.
//!
//! Primitives give several results packed into one tensor; here they are taken apart.

use super::{Args, Entry, R, Session, Val};
use crate::ir::{Attr, DType, Type, Value};
use crate::ops::{self, OpDef};
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("cholesky", |s, a, span| {
        let x = s.square_argument("cholesky", a, span)?;
        let l = s.op(&ops::CHOLESKY, Attr::None, &[x], span)?;
        Ok(Val::Tensor(l))
    }),
    ("solve_triangular", |s, a, span| {
        let attr = Attr::Triangle {
            lower: s.flag(a, "lower", true, span)?,
            transpose: s.flag(a, "transpose", false, span)?,
            unit: s.flag(a, "unit", false, span)?,
        };
        s.solve_with("solve_triangular", &ops::TRIANGULAR_SOLVE, attr, a, span)
    }),
    ("solve", |s, a, span| {
        s.solve_with("solve", &ops::SOLVE, Attr::None, a, span)
    }),
    ("slogdet", |s, a, span| {
        let x = s.square_argument("slogdet", a, span)?;
        let both = s.op(&ops::SLOGDET, Attr::None, &[x], span)?;
        let axis = s.ctx.graph.ty(both).rank() - 1;
        let sign = s.take_apart(both, axis, 0, 1, true, span)?;
        let log = s.take_apart(both, axis, 1, 2, true, span)?;
        Ok(Val::tuple(vec![sign, log]))
    }),
    ("eigh", |s, a, span| {
        let x = s.square_argument("eigh", a, span)?;
        let (_, n) = sizes(s.ctx.graph.ty(x));
        let both = s.op(&ops::EIGH, Attr::None, &[x], span)?;
        let axis = s.ctx.graph.ty(both).rank() - 2;
        let values = s.take_apart(both, axis, 0, 1, true, span)?;
        let vectors = s.take_apart(both, axis, 1, n + 1, false, span)?;
        Ok(Val::tuple(vec![values, vectors]))
    }),
    ("svd", |s, a, span| {
        let x = s.matrix_argument("svd", a, span)?;
        let (m, n) = sizes(s.ctx.graph.ty(x));
        let all = s.op(&ops::SVD, Attr::None, &[x], span)?;
        let axis = s.ctx.graph.ty(all).rank() - 2;
        let values = s.take_apart(all, axis, 0, 1, true, span)?;
        let u = s.take_apart(all, axis, 1, m + 1, false, span)?;
        let v = s.take_apart(all, axis, m + 1, m + n + 1, false, span)?;
        Ok(Val::tuple(vec![u, values, v]))
    }),
    ("qr", |s, a, span| {
        let x = s.matrix_argument("qr", a, span)?;
        let ty = s.ctx.graph.ty(x).clone();
        let (m, n) = sizes(&ty);
        if m < n {
            let title =
                format!("`qr` takes a matrix with at least as many rows as columns, not `{ty}`");
            return Err(Box::new(
                s.err("E0315", title, span)
                    .hint("factor the transpose: `qr(transpose(a))`"),
            ));
        }
        let both = s.op(&ops::QR, Attr::None, &[x], span)?;
        let axis = ty.rank() - 2;
        let q = s.take_apart(both, axis, 0, m, false, span)?;
        let r = s.take_apart(both, axis, m, m + n, false, span)?;
        Ok(Val::tuple(vec![q, r]))
    }),
];

/// Rows and columns.
fn sizes(ty: &Type) -> (usize, usize) {
    let rank = ty.rank();
    (ty.shape[rank - 2], ty.shape[rank - 1])
}

impl Session {
    /// An argument that is true or false.
    fn flag(&self, a: &mut Args, name: &str, otherwise: bool, span: Span) -> R<bool> {
        match a.take(name) {
            None => Ok(otherwise),
            Some(Val::Bool(b)) => Ok(b),
            Some(other) => {
                let title = format!(
                    "`{name}` is true or false, known at compile time, not {}",
                    other.kind()
                );
                Err(Box::new(self.err("E0201", title, span)))
            }
        }
    }

    /// A tensor that has rows and columns of reals.
    fn as_matrix(&mut self, name: &str, v: &Val, span: Span) -> R<Value> {
        let t = self.force(v, span)?;
        let ty = self.ctx.graph.ty(t).clone();
        if !ty.dtype.is_real() {
            return Err(Box::new(
                self.err("E0302", format!("`{name}` takes reals, not `{ty}`"), span)
                    .hint("convert: `real(a)`"),
            ));
        }
        if ty.rank() < 2 {
            let title = format!("`{name}` takes a matrix, not `{ty}`");
            let hint = "a matrix has rows and columns: `real[n, n]`; `reshape(x, n, 1)` makes a column of a vector";
            return Err(Box::new(self.err("E0315", title, span).hint(hint)));
        }
        Ok(t)
    }

    fn as_square(&mut self, name: &str, v: &Val, span: Span) -> R<Value> {
        let t = self.as_matrix(name, v, span)?;
        let ty = self.ctx.graph.ty(t).clone();
        let (m, n) = sizes(&ty);
        if m != n {
            let title = format!("`{name}` takes a square matrix, not `{ty}`");
            let hint = match name {
                "solve" => {
                    "a system that is not square is solved by least squares, see `std.linalg`"
                }
                _ => "give it as many rows as columns: `real[n, n]`",
            };
            return Err(Box::new(self.err("E0315", title, span).hint(hint)));
        }
        Ok(t)
    }

    fn matrix_argument(&mut self, name: &str, a: &mut Args, span: Span) -> R<Value> {
        let v = self.one(name, a, span)?;
        self.as_matrix(name, &v, span)
    }

    fn square_argument(&mut self, name: &str, a: &mut Args, span: Span) -> R<Value> {
        let v = self.one(name, a, span)?;
        self.as_square(name, &v, span)
    }

    /// Solves for a vector or for the columns of a matrix.
    fn solve_with(
        &mut self,
        name: &str,
        def: &'static OpDef,
        attr: Attr,
        a: &mut Args,
        span: Span,
    ) -> R<Val> {
        let (m, b) = self.two(name, a, span)?;
        let m = self.as_square(name, &m, span)?;
        let b = self.force(&b, span)?;
        let (tm, tb) = (self.ctx.graph.ty(m).clone(), self.ctx.graph.ty(b).clone());
        if tb.dtype != tm.dtype {
            let title = format!("`{name}` of a `{tm}` and a `{tb}`");
            let hint = match tb.dtype {
                DType::F32 | DType::F64 => "convert one of the two: `f32(..)` or `f64(..)`",
                DType::I32 | DType::Bool => "convert: `real(b)`",
            };
            return Err(Box::new(self.err("E0302", title, span).hint(hint)));
        }
        let rows = tm.rank() - 1;
        let vector = tb.rank() == rows;
        if !(vector || tb.rank() == tm.rank()) || tb.shape[..rows] != tm.shape[..rows] {
            let n = tm.shape[rows];
            let title = format!("`{name}` of a `{tm}` has no right-hand side `{tb}`");
            let hint = format!("it takes a vector of {n}, or a matrix with {n} rows");
            return Err(Box::new(self.err("E0315", title, span).hint(hint)));
        }
        let mut columns = b;
        if vector {
            let mut shape = tb.shape.clone();
            shape.push(1);
            columns = self.op(&ops::RESHAPE, Attr::Shape(shape), &[b], span)?;
        }
        let mut x = self.op(def, attr, &[m, columns], span)?;
        if vector {
            x = self.op(&ops::RESHAPE, Attr::Shape(tb.shape), &[x], span)?;
        }
        Ok(Val::Tensor(x))
    }

    /// `start..stop` of an axis, which goes away if `single`.
    fn take_apart(
        &mut self,
        t: Value,
        axis: usize,
        start: usize,
        stop: usize,
        single: bool,
        span: Span,
    ) -> R<Val> {
        let mut x = self.slice_axis(t, axis, start, stop, 1, span)?;
        if single {
            let mut shape = self.ctx.graph.ty(x).shape.clone();
            shape.remove(axis);
            x = self.op(&ops::RESHAPE, Attr::Shape(shape), &[x], span)?;
        }
        Ok(Val::Tensor(x))
    }
}
