//! Element by element: powers, whole parts, conversions, choices.

use super::super::session::{R, Session};
use super::super::value::Val;
use super::Args;
use super::Entry;
use crate::ir::DType;
use crate::ops::{self, OpDef};
use mlc_grammar::ast::BinaryOp;
use mlc_grammar::span::Span;

pub const TABLE: &[Entry] = &[
    ("max", |s, a, at| extreme(s, "max", a, at)),
    ("min", |s, a, at| extreme(s, "min", a, at)),
    ("pow", power),
    ("div", |s, a, at| whole(s, "div", a, at)),
    ("mod", |s, a, at| whole(s, "mod", a, at)),
    ("real", |s, a, at| convert(s, "real", a, at)),
    ("int", |s, a, at| convert(s, "int", a, at)),
    ("bool", |s, a, at| convert(s, "bool", a, at)),
    ("f32", |s, a, at| convert(s, "f32", a, at)),
    ("f64", |s, a, at| convert(s, "f64", a, at)),
    ("is_finite", is_finite),
    ("select", select),
    ("bit_and", |s, a, at| {
        bits(s, "bit_and", &ops::BIT_AND, a, at)
    }),
    ("bit_or", |s, a, at| bits(s, "bit_or", &ops::BIT_OR, a, at)),
    ("bit_xor", |s, a, at| {
        bits(s, "bit_xor", &ops::BIT_XOR, a, at)
    }),
    ("shift_left", |s, a, at| {
        bits(s, "shift_left", &ops::SHIFT_LEFT, a, at)
    }),
    ("shift_right", |s, a, at| {
        bits(s, "shift_right", &ops::SHIFT_RIGHT, a, at)
    }),
];

/// Bit by bit, of integers of 32 bits.
fn bits(s: &mut Session, name: &str, def: &'static OpDef, a: &mut Args, span: Span) -> R<Val> {
    let (x, y) = s.two(name, a, span)?;
    if let (Val::Int(p), Val::Int(q)) = (&x, &y)
        && let (Ok(p), Ok(q)) = (i32::try_from(*p), i32::try_from(*q))
    {
        return Ok(Val::Int(i64::from(match name {
            "bit_and" => p & q,
            "bit_or" => p | q,
            "bit_xor" => p ^ q,
            "shift_left" => p.wrapping_shl(q as u32),
            _ => p.wrapping_shr(q as u32),
        })));
    }
    for v in [&x, &y] {
        let t = s.force(v, span)?;
        let ty = s.ctx.graph.ty(t).clone();
        if ty.dtype != DType::I32 {
            let hint =
                "truth values are combined by `and`, `or`, `not`; reals are converted by `int(x)`";
            return s.fail_hint("E0302", format!("`{name}` of a `{ty}`"), span, hint);
        }
    }
    s.map_binary(def, x, y, span)
}

/// The larger or smaller of two, or the extreme element of one.
fn extreme(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    if a.positional.len() != 2 {
        return s.reduce(name, a, span);
    }
    let (x, y) = s.two(name, a, span)?;
    if let (Val::Int(p), Val::Int(q)) = (&x, &y) {
        return Ok(Val::Int(if name == "max" { *p.max(q) } else { *p.min(q) }));
    }
    let def = if name == "max" { &ops::MAX } else { &ops::MIN };
    s.map_binary(def, x, y, span)
}

/// `pow(x, y)` is `x ^ y`.
fn power(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (x, y) = s.two("pow", a, span)?;
    s.binary(BinaryOp::Pow, x, y, span, span, span)
}

/// Integers divided with rest: toward minus infinity, the rest with the sign of the divisor.
fn whole(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let (x, y) = s.two(name, a, span)?;
    if let (Val::Int(p), Val::Int(q)) = (&x, &y) {
        if *q == 0 {
            return Err(Box::new(s.err(
                "E0304",
                "a division of integers by zero",
                span,
            )));
        }
        // In 128 bits nothing overflows.
        let (p, q) = (i128::from(*p), i128::from(*q));
        let floor = p.div_euclid(q) - i128::from(q < 0 && p.rem_euclid(q) != 0);
        let v = if name == "div" { floor } else { p - q * floor };
        return match i64::try_from(v) {
            Ok(v) => Ok(Val::Int(v)),
            Err(_) => Err(Box::new(s.err(
                "E0304",
                "this integer does not fit in 64 bits",
                span,
            ))),
        };
    }
    let def = if name == "div" {
        &ops::INT_DIV
    } else {
        &ops::MOD
    };
    s.map_binary(def, x, y, span)
}

/// To another element type, leaf by leaf.
fn convert(s: &mut Session, name: &str, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one(name, a, span)?;
    s.convert(name, &v, span)
}

/// Neither infinite nor NaN.
fn is_finite(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let v = s.one("is_finite", a, span)?;
    s.map_unary("is_finite", &ops::IS_FINITE, &v, span)
}

/// One of two, element by element.
fn select(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let [c, x, y] = a.positional.as_slice() else {
        let title = "`select` takes a condition and two values";
        return Err(Box::new(s.err("E0201", title, span)));
    };
    let (c, x, y) = (c.clone(), x.clone(), y.clone());
    let (x, y) = (s.unlisted(&x, span)?, s.unlisted(&y, span)?);
    let c = s.force(&c, span)?;
    let ty = s.ctx.graph.ty(c).clone();
    if ty.dtype != DType::Bool {
        let title = format!("`select` chooses by truth values, not by a `{ty}`");
        return Err(Box::new(s.err("E0310", title, span)));
    }
    s.zip_leaves(&x, &y, &mut |s, p, q| s.select_leaf(c, p, q, span))
}
