//! Values as trees with tensors at the leaves.

use super::session::{R, Session};
use super::value::{DistVal, Val};
use crate::ir::Value;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// Rebuilds a value with each tensor leaf replaced. Compile-time numbers, functions and the like stay.
pub fn map_leaves(v: &Val, f: &mut dyn FnMut(Value) -> Value) -> Val {
    match v {
        Val::Tensor(t) => Val::Tensor(f(*t)),
        Val::Tuple(items) => Val::tuple(items.iter().map(|v| map_leaves(v, f)).collect()),
        Val::List(items) => Val::list(items.iter().map(|v| map_leaves(v, f)).collect()),
        Val::Record(fields) => Val::record(
            fields
                .iter()
                .map(|(n, v)| (n.clone(), map_leaves(v, f)))
                .collect(),
        ),
        Val::Dist(d) => Val::Dist(Rc::new(DistVal {
            args: d
                .args
                .iter()
                .map(|(n, v)| (n.clone(), map_leaves(v, f)))
                .collect(),
            ..(**d).clone()
        })),
        Val::Grid(g) => Val::Grid(Rc::new((map_leaves(&g.0, f), g.1))),
        other => other.clone(),
    }
}

/// The tensor leaves in order.
pub fn leaves(v: &Val) -> Vec<Value> {
    let mut out = Vec::new();
    map_leaves(v, &mut |t| {
        out.push(t);
        t
    });
    out
}

/// A number known at compile time, or a list of them, however deep.
fn numbers(v: &Val) -> bool {
    match v {
        Val::List(items) => items.iter().all(numbers),
        v => matches!(v, Val::Int(_) | Val::Real(_) | Val::Bool(_)),
    }
}

/// Do all elements of a list, and of lists in it, fit?
fn only(v: &Val, fits: fn(&Val) -> bool) -> bool {
    match v {
        Val::List(items) => !items.is_empty() && items.iter().all(|v| only(v, fits)),
        v => fits(v),
    }
}

fn is_number(v: &Val) -> bool {
    matches!(
        v,
        Val::Real(_) | Val::Int(_) | Val::Tensor(_) | Val::Slot(_)
    )
}

impl Session {
    /// A list as the tensor that it is where one is wanted.
    pub(super) fn unlisted(&mut self, v: &Val, span: Span) -> R<Val> {
        match v {
            Val::List(_) => Ok(Val::Tensor(self.force(v, span)?)),
            other => Ok(other.clone()),
        }
    }

    /// Makes slots, logs and compile-time numbers into nodes, so that every leaf of a data value is a tensor.
    pub(super) fn force_leaves(&mut self, v: &Val, span: Span) -> R<Val> {
        if let Val::Tuple(items) | Val::List(items) = v {
            self.spend(items.len() as u64, span)?;
        }
        Ok(match v {
            Val::Failed => return Err(self.follows(span)),
            Val::Slot(_) | Val::Log(..) | Val::Int(_) | Val::Real(_) | Val::Bool(_) => {
                Val::Tensor(self.force(v, span)?)
            }
            Val::Tuple(items) => {
                let items: R<Vec<Val>> = items.iter().map(|v| self.force_leaves(v, span)).collect();
                Val::tuple(items?)
            }
            // A list of numbers is a tensor.
            Val::List(items) if !items.is_empty() && numbers(v) => {
                Val::Tensor(self.force(v, span)?)
            }
            Val::List(items) => {
                let items: R<Vec<Val>> = items.iter().map(|v| self.force_leaves(v, span)).collect();
                Val::list(items?)
            }
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.force_leaves(v, span)?));
                }
                Val::record(out)
            }
            other => other.clone(),
        })
    }

    /// `force_leaves` for what is in memory; what is on disk stays there.
    pub(super) fn force_in_memory(&mut self, v: &Val, span: Span) -> R<Val> {
        match v {
            _ if self.on_disk(v).is_some() => Ok(v.clone()),
            Val::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.force_in_memory(v, span)?));
                }
                Ok(Val::record(out))
            }
            Val::Tuple(items) => {
                let items = items.iter().map(|v| self.force_in_memory(v, span));
                Ok(Val::tuple(items.collect::<R<Vec<Val>>>()?))
            }
            v => self.force_leaves(v, span),
        }
    }

    /// Gives every leaf a binding node of its own, so that a derivative by the name counts the paths from here.
    pub(super) fn bind_leaves(&mut self, v: Val, span: Span) -> R<Val> {
        match &v {
            Val::List(_) if only(&v, is_number) && !only(&v, |v| matches!(v, Val::Int(_))) => {
                let t = self.force(&v, span)?;
                Ok(Val::Tensor(self.ctx.bind(t)))
            }
            Val::Tensor(_) | Val::Record(_) | Val::Tuple(_) | Val::Real(_) => {
                let forced = self.force_leaves(&v, span)?;
                Ok(map_leaves(&forced, &mut |t| {
                    if self.ctx.graph.ty(t).dtype.is_real() && !self.ctx.tapped.contains(&t) {
                        self.ctx.bind(t)
                    } else {
                        t
                    }
                }))
            }
            _ => Ok(v),
        }
    }

    /// Leaf by leaf of equally shaped values; compile-time numbers count as leaves.
    pub(super) fn zip_leaves(
        &mut self,
        a: &Val,
        b: &Val,
        f: &mut dyn FnMut(&mut Self, &Val, &Val) -> R<Val>,
    ) -> R<Val> {
        match (a, b) {
            (Val::Tuple(x), Val::Tuple(y)) | (Val::List(x), Val::List(y)) if x.len() == y.len() => {
                let mut out = Vec::new();
                for (p, q) in x.iter().zip(y.iter()) {
                    out.push(self.zip_leaves(p, q, f)?);
                }
                Ok(if matches!(a, Val::Tuple(_)) {
                    Val::tuple(out)
                } else {
                    Val::list(out)
                })
            }
            (Val::Record(x), Val::Record(y))
                if x.len() == y.len() && x.iter().zip(y.iter()).all(|(p, q)| p.0 == q.0) =>
            {
                let mut out = Vec::new();
                for (p, q) in x.iter().zip(y.iter()) {
                    out.push((p.0.clone(), self.zip_leaves(&p.1, &q.1, f)?));
                }
                Ok(Val::record(out))
            }
            (Val::Unit, Val::Unit) => Ok(Val::Unit),
            _ => f(self, a, b),
        }
    }
}
