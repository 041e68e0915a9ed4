//! Functions of what is known to be in a part of the numbers.

use crate::ir::{Attr, Graph, Literal, Node, Value};
use crate::ops::{self, Kernel, Monoid, Scalar, View};

/// How far operands are followed.
const DEPTH: usize = 12;

/// exp(x - (m + log(s)))   =>   exp(x - m) * (1 / s)
///
/// exp((x - m) - log(s))   =>   exp(x - m) * (1 / s)
///
/// for the largest `m` of each row of x and the sum `s` of its row of exp(x - m), which are there: one exponential instead of two.
/// Then exp(x - m) is at most 1 and `s` at least 1, so neither overflows. Rows without a finite maximum, where `m` is another number,
/// may come: if all of a row are -inf, or one is NaN, it is NaN both ways. An inf is NaN both ways, too, and what is finite beside it 0
/// times what its exponential is: NaN instead of 0 where that overflows.
fn exp(g: &mut Graph, x: Value) -> Option<Value> {
    let (a, of_row, axes) = minus_row(g, x)?;
    let centred = |g: &Graph, log: Value| {
        let s = g.is(log, &ops::LOG).then(|| g.operands(log)[0])?;
        Centred::find(g, s)
            .filter(|c| c.axes == axes)
            .map(|c| (s, c))
    };
    let found = match g.is(of_row, &ops::ADD) {
        true => {
            let o = g.operands(of_row);
            let of = |m: Value, log: Value| {
                let (s, c) = centred(g, log)?;
                (c.x == a && c.m == m).then_some((s, c.e))
            };
            of(o[0], o[1]).or_else(|| of(o[1], o[0]))
        }
        false => centred(g, of_row).and_then(|(s, c)| (c.difference == a).then_some((s, c.e))),
    };
    let (s, e) = found?;
    let r = g.recip(s);
    let r = g.broadcast(r, g.ty(x).shape.clone(), axes);
    Some(g.mul(e, r))
}

/// The sum of each row of `exp(x - m)` for the largest `m` of the row.
struct Centred {
    e: Value,
    difference: Value,
    x: Value,
    m: Value,
    axes: Vec<usize>,
}

impl Centred {
    fn find(g: &Graph, s: Value) -> Option<Self> {
        let Attr::Axes(over) = &g.node(s).attr else {
            return None;
        };
        let e = g.is(s, &ops::SUM).then(|| g.operands(s)[0])?;
        let difference = g.is(e, &ops::EXP).then(|| g.operands(e)[0])?;
        let (x, m, axes) = minus_row(g, difference)?;
        let rows = (0..g.ty(x).rank()).all(|i| axes.contains(&i) != over.contains(&i));
        (rows && is_top(g, m, x, over)).then_some(Self {
            e,
            difference,
            x,
            m,
            axes,
        })
    }
}

/// Whether a factor is 1 over such a sum: at most 1, and not below 1 over the length of a row. A sum of what has it for a factor, without
/// it, overflows no sooner than a row is long; and where a row has no finite maximum, it is NaN both ways.
pub fn scales_softmax(g: &Graph, r: Value) -> bool {
    let o = g.operands(r);
    let quotient = g.is(r, &ops::DIV) && matches!(g.literal(o[0]), Some(Literal::Real(1.0)));
    quotient && Centred::find(g, o[1]).is_some()
}

/// `x - broadcast(m)`: the two, and the axes of `m`.
fn minus_row(g: &Graph, v: Value) -> Option<(Value, Value, Vec<usize>)> {
    let o = g.is(v, &ops::SUB).then(|| g.operands(v))?;
    let Attr::Broadcast { axes, .. } = &g.node(o[1]).attr else {
        return None;
    };
    Some((o[0], g.operands(o[1])[0], axes.clone()))
}

/// Whether `m` is the maximum of `x` over axes, perhaps with another number in place of one that is not finite.
fn is_top(g: &Graph, m: Value, x: Value, over: &[usize]) -> bool {
    let is_max = |m: Value| {
        let axes = matches!(&g.node(m).attr, Attr::Axes(a) if *a == over);
        axes && g.is(m, &ops::MAX_OVER) && g.operands(m)[0] == x
    };
    if !g.is(m, &ops::SELECT) {
        return is_max(m);
    }
    let o = g.operands(m);
    let finite = g.is(o[0], &ops::IS_FINITE) && g.operands(o[0])[0] == o[1];
    finite && is_max(o[1]) && g.literal(o[2]).is_some()
}

/// Powers that are roots, or quotients.
///
/// x ^ -1   =>   1 / x
///
/// x ^ 0.5   =>   sqrt(x)          x ^ -0.5   =>   1 / sqrt(x)          where x is not negative, not even -0: of that and of -inf the
/// root is another number than the power
fn power(g: &mut Graph, xs: &[Value]) -> Option<Value> {
    let Some(Literal::Real(p)) = g.literal(xs[1]) else {
        return None;
    };
    match p {
        -1.0 => Some(g.recip(xs[0])),
        0.5 if positive(g, xs[0], DEPTH) => Some(g.unary(&ops::SQRT, xs[0])),
        -0.5 if positive(g, xs[0], DEPTH) => {
            let root = g.unary(&ops::SQRT, xs[0]);
            Some(g.recip(root))
        }
        _ => None,
    }
}

/// Whether no element's sign is that of minus, whatever the inputs are. (It may be NaN.)
fn positive(g: &Graph, v: Value, depth: usize) -> bool {
    if let Some(l) = g.literal(v) {
        return matches!(l, Literal::Real(x) if x.is_sign_positive());
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let xs = g.operands(v);
    let all = |xs: &[Value]| xs.iter().all(|&x| positive(g, x, depth));
    match g.node(v).def.kernel {
        Kernel::Map(Scalar::Exp | Scalar::Abs) => true,
        Kernel::Map(Scalar::Mul) => xs[0] == xs[1] || all(&xs),
        Kernel::Map(Scalar::Add | Scalar::Div | Scalar::Sqrt) => all(&xs),
        Kernel::Map(Scalar::Select) => all(&xs[1..]),
        Kernel::Reduce(Monoid::Sum) => all(&xs),
        Kernel::View(View::Reshape | View::Broadcast | View::Transpose | View::Slice) => all(&xs),
        _ => false,
    }
}

/// What an exponential or a power becomes.
pub fn map(g: &mut Graph, node: &Node, xs: &[Value]) -> Option<Value> {
    match node.def.kernel {
        Kernel::Map(Scalar::Exp) => exp(g, xs[0]),
        Kernel::Map(Scalar::Pow) => power(g, xs),
        _ => None,
    }
}
