//! Arguments that say which axes, which amounts, which places.

use super::builtins::Args;
use super::session::{R, Session};
use super::value::Val;
use crate::ir::{Attr, DType, Literal, Type, Value};
use crate::ops;
use mlc_grammar::span::Span;

impl Session {
    /// An error and nothing else.
    pub(super) fn fail<T>(&self, code: &'static str, title: impl Into<String>, span: Span) -> R<T> {
        Err(Box::new(self.err(code, title, span)))
    }

    /// [`Self::fail`] with what to do instead.
    pub(super) fn fail_hint<T>(
        &self,
        code: &'static str,
        title: impl Into<String>,
        span: Span,
        hint: impl Into<String>,
    ) -> R<T> {
        Err(Box::new(self.err(code, title, span).hint(hint)))
    }

    /// One axis, counted from the end where negative.
    pub(super) fn axis(&self, v: &Val, rank: usize, span: Span) -> R<usize> {
        let Val::Int(i) = v else {
            let title = format!(
                "`axis` is an integer known at compile time, not {}",
                v.kind()
            );
            return self.fail("E0201", title, span);
        };
        let at = if *i < 0 { i + rank as i64 } else { *i };
        if at < 0 || at >= rank as i64 {
            let hint = match rank {
                0 => "a single number has no axes".to_string(),
                1 => "it has the axis 0, which is also -1".to_string(),
                n => format!("its axes are 0 to {}, or -1 to -{n} from the last", n - 1),
            };
            let title = format!("axis {i} of a tensor of rank {rank}");
            return self.fail_hint("E0313", title, span, hint);
        }
        Ok(at as usize)
    }

    /// Axes, ascending: one, a list of them, or all where nothing is said.
    pub(super) fn axes(&self, v: Option<Val>, rank: usize, span: Span) -> R<Vec<usize>> {
        let items = match v {
            None => return Ok((0..rank).collect()),
            Some(Val::List(items) | Val::Tuple(items)) => items.to_vec(),
            Some(one) => vec![one],
        };
        let mut out = Vec::new();
        for v in &items {
            out.push(self.axis(v, rank, span)?);
        }
        out.sort_unstable();
        if let Some(w) = out.windows(2).find(|w| w[0] == w[1]) {
            return self.fail("E0313", format!("axis {} is named twice", w[0]), span);
        }
        Ok(out)
    }

    /// The argument `axis:`, or what stands for it where it is left out: `None` where only a vector may leave it out.
    pub(super) fn axis_or(
        &self,
        name: &str,
        a: &mut Args,
        rank: usize,
        default: Option<i64>,
        span: Span,
    ) -> R<usize> {
        match (a.take("axis"), default) {
            (Some(v), _) => self.axis(&v, rank, span),
            (None, Some(axis)) => self.axis(&Val::Int(axis), rank, span),
            (None, None) if rank == 1 => Ok(0),
            (None, None) => {
                let title = format!("`{name}` of a tensor of rank {rank} needs `axis:`");
                self.fail_hint("E0201", title, span, format!("write `{name}(x, axis: 0)`"))
            }
        }
    }

    /// An integer known at compile time.
    pub(super) fn known_int(&self, what: &str, v: &Val, span: Span) -> R<i64> {
        match v {
            Val::Int(i) => Ok(*i),
            other => {
                let title = format!(
                    "{what} is an integer known at compile time, not {}",
                    other.kind()
                );
                self.fail("E0207", title, span)
            }
        }
    }

    /// A truth value known at compile time.
    pub(super) fn known_bool(&self, name: &str, v: Option<Val>, span: Span) -> R<bool> {
        match v {
            None => Ok(false),
            Some(Val::Bool(b)) => Ok(b),
            Some(other) => {
                let title = format!("`{name}` is `true` or `false`, not {}", other.kind());
                self.fail("E0201", title, span)
            }
        }
    }

    /// An index known at compile time, counted from the end where negative.
    pub(super) fn place(&self, i: i64, extent: usize, span: Span) -> R<usize> {
        let at = if i < 0 { i + extent as i64 } else { i };
        if at < 0 || at >= extent as i64 {
            let title = format!("index {i} is outside an axis of {extent}");
            return self.fail("E0307", title, span);
        }
        Ok(at as usize)
    }

    /// A list of indices known at compile time, with those from the end counted from the start.
    fn known_places(&self, v: &Val, extent: usize, span: Span) -> R<Option<Val>> {
        Ok(match v {
            Val::Int(i) => Some(Val::Int(self.place(*i, extent, span)? as i64)),
            Val::List(items) => {
                let mut out = Vec::new();
                for v in items.iter() {
                    match self.known_places(v, extent, span)? {
                        Some(v) => out.push(v),
                        None => return Ok(None),
                    }
                }
                Some(Val::list(out))
            }
            _ => None,
        })
    }

    /// `t` at `v` along an axis, and how many axes stand in its place then: an index takes the axis away, a range or a list
    /// leaves one, a tensor of indices leaves its own.
    pub(super) fn at(&mut self, t: Value, axis: usize, v: &Val, span: Span) -> R<(Value, usize)> {
        let extent = self.ctx.graph.ty(t).shape[axis];
        match v {
            Val::Int(i) => {
                let at = self.place(*i, extent, span)?;
                let one = self.slice_axis(t, axis, at, at + 1, 1, span)?;
                let mut shape = self.ctx.graph.ty(one).shape.clone();
                shape.remove(axis);
                Ok((self.op(&ops::RESHAPE, Attr::Shape(shape), &[one], span)?, 0))
            }
            Val::Range(a, b) => Ok((self.slice_checked(t, axis, *a, *b, 1, span)?, 1)),
            Val::Real(_) => {
                self.fail_hint("E0307", "an index is an integer", span, "write `int(x)`")
            }
            Val::Bool(_) => self.mask(span),
            _ => {
                let i = self.places(v, extent, span)?;
                let rank = self.ctx.graph.ty(i).rank();
                Ok((self.gather(t, axis, i, span)?, rank))
            }
        }
    }

    /// Indices into an axis: a tensor of them, or a list known at compile time.
    pub(super) fn places(&mut self, v: &Val, extent: usize, span: Span) -> R<Value> {
        let i = match self.known_places(v, extent, span)? {
            Some(Val::List(items)) if items.is_empty() => {
                let none = Type::new(DType::I32, vec![0]);
                self.ctx.graph.fill(Literal::Int(0), none)
            }
            Some(v) => self.force(&v, span)?,
            None => self.force(v, span)?,
        };
        let ty = self.ctx.graph.ty(i).clone();
        if ty.dtype == DType::Bool {
            return self.mask(span);
        }
        if ty.dtype != DType::I32 {
            let title = format!("an index is an integer, not `{ty}`");
            let hint = "write `int(x)`, or one_hot for a derivative";
            return self.fail_hint("E0307", title, span, hint);
        }
        Ok(i)
    }

    fn mask<T>(&self, span: Span) -> R<T> {
        let hint = "choose with `select(mask, x, 0.0)`, or count with `count(mask)`: sizes are known before anything runs";
        self.fail_hint("E0307", "truth values are no index", span, hint)
    }

    /// `gather` with indices of any rank, whose axes take the place of the axis.
    pub(super) fn gather(&mut self, t: Value, axis: usize, i: Value, span: Span) -> R<Value> {
        let (tt, ti) = (self.ctx.graph.ty(t).clone(), self.ctx.graph.ty(i).clone());
        if ti.rank() < 2 {
            return self.op(&ops::GATHER, Attr::Axis(axis), &[t, i], span);
        }
        let flat = self.op(&ops::RESHAPE, Attr::Shape(vec![ti.len()]), &[i], span)?;
        let got = self.op(&ops::GATHER, Attr::Axis(axis), &[t, flat], span)?;
        let mut shape = tt.shape[..axis].to_vec();
        shape.extend(&ti.shape);
        shape.extend(&tt.shape[axis + 1..]);
        self.op(&ops::RESHAPE, Attr::Shape(shape), &[got], span)
    }
}
