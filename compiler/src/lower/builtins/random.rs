//! Draws.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::{Attr, DType};
use crate::ops;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[("rand", rand), ("randint", randint)];

/// Uniform in the open unit interval.
fn rand(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let shape = s.dims(&a.positional.clone(), span)?;
    s.sized(s.real, &shape, span)?;
    let site = s.draw_key();
    let (seed, step) = (s.ctx.seed(), s.draw_counters());
    let bits = s.op(
        &ops::RANDOM_BITS,
        Attr::Draw { site, shape },
        &[seed, step],
        span,
    )?;
    Ok(Val::Tensor(s.op(
        &ops::BITS_TO_UNIT,
        Attr::DType(s.real),
        &[bits],
        span,
    )?))
}

/// `randint(low, high, sizes..)`: whole numbers from `low` to below `high`. Two words make a fraction of 53 bits, which is
/// stretched over the range: the probability of each differs from 1 / n by less than 2^-52.
fn randint(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let [Val::Int(low), Val::Int(high), sizes @ ..] = a.positional.as_slice() else {
        let title = "`randint` takes two integers known at compile time, and sizes";
        return Err(Box::new(s.err("E0201", title, span)));
    };
    let (low, high, sizes) = (*low, *high, sizes.to_vec());
    let int = i64::from(i32::MIN)..=i64::from(i32::MAX);
    if low >= high || !int.contains(&low) || !int.contains(&(high - 1)) {
        let title = format!("`randint` between {low} and {high}: there is no such integer");
        return Err(Box::new(s.err("E0201", title, span)));
    }
    let shape = s.dims(&sizes, span)?;
    s.sized(DType::F64, &shape, span)?;
    let mut words = Vec::new();
    for _ in 0..2 {
        let site = s.draw_key();
        let (seed, step) = (s.ctx.seed(), s.draw_counters());
        let attr = Attr::Draw {
            site,
            shape: shape.clone(),
        };
        let bits = s.op(&ops::RANDOM_BITS, attr, &[seed, step], span)?;
        words.push(s.op(&ops::BITS_TO_UNIT, Attr::DType(DType::F64), &[bits], span)?);
    }
    let g = &mut s.ctx.graph;
    let like = words[0];
    // The first word over 2^32 is the unit number less half a unit; the second comes after it.
    let scale = g.constant_like(2f64.powi(-32), like);
    let half = g.constant_like(2f64.powi(-33), like);
    let fine = g.mul(words[1], scale);
    let coarse = g.sub(words[0], half);
    let u = g.add2(coarse, fine);
    let n = g.constant_like((high - low) as f64, like);
    let x = g.mul(u, n);
    let x = g.unary(&ops::FLOOR, x);
    // A fraction that was rounded up to 1 belongs to the last.
    let last = g.constant_like((high - low - 1) as f64, like);
    let x = g.binary(&ops::MIN, x, last);
    let low = g.constant_like(low as f64, like);
    let x = g.add2(x, low);
    Ok(Val::Tensor(g.cast(x, DType::I32)))
}
