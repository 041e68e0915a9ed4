//! Special functions. Those that are sums and products of others are in `std.special`.

use super::{Args, Entry};
use crate::ir::Attr;
use crate::lower::session::{R, Session};
use crate::lower::value::Val;
use crate::ops::{self, OpDef};
use mlc_grammar::ast::BinaryOp;
use mlc_grammar::span::Span;

macro_rules! entries {
    ($(one $one:literal $one_op:ident;)* $(two $two:literal $two_op:ident;)*) => {
        &[
            $(($one, |s, a, span| {
                let x = s.one($one, a, span)?;
                s.map_unary($one, &ops::$one_op, &x, span)
            }),)*
            $(($two, |s, a, span| {
                let (x, y) = s.two($two, a, span)?;
                s.map_binary(&ops::$two_op, real(x), real(y), span)
            }),)*
            ("trigamma", |s, a, span| {
                let x = s.one("trigamma", a, span)?;
                s.map_unary("trigamma", &ops::TRIGAMMA, &x, span)
            }),
            ("polygamma", polygamma),
            ("betainc", betainc),
        ]
    };
}

pub const TABLE: &[Entry] = entries! {
    one "tan" TAN;
    one "asin" ASIN;
    one "acos" ACOS;
    one "atan" ATAN;
    one "sinh" SINH;
    one "cosh" COSH;
    one "asinh" ASINH;
    one "acosh" ACOSH;
    one "atanh" ATANH;
    one "exp2" EXP2;
    one "log2" LOG2;
    one "erfc" ERFC;
    one "erfcx" ERFCX;
    one "ndtr" NDTR;
    one "log_ndtr" LOG_NDTR;
    one "ndtri" NDTRI;
    one "i0e" I0E;
    one "i1e" I1E;
    two "atan2" ATAN2;
    two "logaddexp" LOGADDEXP;
    two "lbeta" LBETA;
    two "gammainc" GAMMAINC;
    two "gammaincc" GAMMAINCC;
};

/// An integer known at compile time, as the real that is meant.
fn real(v: Val) -> Val {
    match v {
        Val::Int(i) => Val::Real(i as f64),
        v => v,
    }
}

/// `polygamma(n, x)`: n is known at compile time, so that nothing is differentiated by it.
fn polygamma(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let (n, x) = s.two("polygamma", a, span)?;
    let Val::Int(n @ 0..=100) = n else {
        let title = format!(
            "the order of `polygamma` is an integer from 0 to 100, not {}",
            n.kind()
        );
        return Err(Box::new(s.err("E0201", title, span)));
    };
    s.map_binary(&ops::POLYGAMMA, Val::Real(n as f64), real(x), span)
}

/// `betainc(a, b, x)`
fn betainc(s: &mut Session, a: &mut Args, span: Span) -> R<Val> {
    let [p, q, x] = a.positional.as_slice() else {
        let title = format!(
            "`betainc` takes a, b and x, and is given {} arguments",
            a.positional.len()
        );
        return Err(Box::new(s.err("E0201", title, span)));
    };
    let operands = [p.clone(), q.clone(), x.clone()].map(real);
    let mut sum = operands[0].clone();
    for v in &operands[1..] {
        sum = s.binary(BinaryOp::Add, sum, v.clone(), span, span, span)?;
    }
    let like = s.force(&sum, span)?;
    let ty = s.ctx.graph.ty(like).clone();
    let mut xs = Vec::new();
    for v in &operands {
        xs.push(match v {
            Val::Real(_) => s.literal(v, ty.dtype, &ty.shape),
            v => {
                let t = s.force(v, span)?;
                if s.ctx.graph.ty(t).rank() == 0 {
                    s.splat(t, &ty.shape)
                } else {
                    t
                }
            }
        });
    }
    const DEF: &OpDef = &ops::BETAINC;
    Ok(Val::Tensor(s.op(DEF, Attr::None, &xs, span)?))
}
