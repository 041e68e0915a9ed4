//! Sums of products.

use super::super::leaves::leaves;
use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::{Attr, Contract};
use crate::ops;
use mlc_grammar::ast::BinaryOp;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[("dot", dot)];

/// The sum of the products of all elements, over all leaves.
fn dot(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, y) = s.two("dot", a, span)?;
    let mut total: Option<Val> = None;
    let (mut x, mut y) = (s.force_leaves(&x, span)?, s.force_leaves(&y, span)?);
    // Beside a tensor a list of numbers is one.
    if let (Val::Tensor(_), Val::List(_)) | (Val::List(_), Val::Tensor(_)) = (&x, &y) {
        x = Val::Tensor(s.force(&x, span)?);
        y = Val::Tensor(s.force(&y, span)?);
    }
    let (lx, ly) = (leaves(&x), leaves(&y));
    for (p, q) in lx.iter().zip(&ly) {
        let (tp, tq) = (s.ctx.graph.ty(*p).clone(), s.ctx.graph.ty(*q).clone());
        if tp != tq || lx.len() != ly.len() {
            let title = format!("`dot` of a `{tp}` and a `{tq}`");
            return Err(Box::new(s.err("E0303", title, span)));
        }
        let sum = (0..tp.rank()).map(|i| (i, i)).collect();
        let c = Attr::Contract(Contract { batch: vec![], sum });
        let d = Val::Tensor(s.op(&ops::CONTRACT, c, &[*p, *q], span)?);
        total = Some(match total {
            Some(t) => s.binary(BinaryOp::Add, t, d, span, span, span)?,
            None => d,
        });
    }
    Ok(total.unwrap_or(Val::Real(0.0)))
}
