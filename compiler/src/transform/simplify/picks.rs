//! Indexing of what was computed: of one element in each row, or of a few.
//!
//! f(x, y)[i]   =>   f(x[i], y[i])          of which there is one at most to index
//!
//! for (r, k) in (x, y) { r[k] }   =>   sum[1](select(y == column, x, 0))          where rows are short, and a nest computes them
//!
//! the derivative of that   =>   select(y == column, ct, 0)

use crate::ir::{Attr, Graph, Literal, Node, Type, Value};
use crate::ops::{self, Kernel};

/// Columns from which on and up to which one element of a row is found by a sum in the loop nest that computes the rows: fewer are no
/// nest's. Longer rows are indexed.
const SHORT: std::ops::RangeInclusive<usize> = 8..=32;

/// How many times fewer elements are asked for where a function is computed of these alone, again if it is needed of all.
const FEWER: usize = 4;

/// Indices into rows that lie one after the other, as lanes have them.
struct OfRows {
    rows: usize,
    columns: usize,
    /// By row: the column, which is in the row.
    column: Value,
}

impl OfRows {
    /// `row * columns + column`
    fn find(g: &Graph, at: Value, whole: usize) -> Option<Self> {
        if !g.is(at, &ops::ADD) || g.ty(at).rank() != 1 {
            return None;
        }
        let rows = g.ty(at).shape[0];
        let columns = (rows > 0 && whole.is_multiple_of(rows)).then(|| whole / rows)?;
        let int = |v: Value| match g.literal(v) {
            Some(Literal::Int(i)) => usize::try_from(i).ok(),
            _ => None,
        };
        let firsts = |v: Value| {
            let o = g.operands(v);
            let product = g.is(v, &ops::MUL) && int(o[1]) == Some(columns);
            product && g.is(o[0], &ops::IOTA)
        };
        // min(max(i, 0), columns - 1)
        let inside = |v: Value| {
            let o = g.operands(v);
            let below = g.is(v, &ops::MIN) && int(o[1]).is_some_and(|last| last < columns);
            below && g.is(o[0], &ops::MAX) && int(g.operands(o[0])[1]) == Some(0)
        };
        let o = g.operands(at);
        let pairs = [(o[0], o[1]), (o[1], o[0])].into_iter();
        let column = pairs.filter(|p| firsts(p.1)).map(|p| p.0).next()?;
        (inside(column) || int(column).is_some_and(|k| k < columns)).then_some(Self {
            rows,
            columns,
            column,
        })
    }

    /// Whether rows and columns are the last axis of a shape and those before it.
    fn fits(&self, shape: &[usize]) -> bool {
        shape.last() == Some(&self.columns) && shape.len() > 1
    }

    /// By row and column: is it the one?
    fn hits(&self, g: &mut Graph) -> Value {
        let shape = vec![self.rows, self.columns];
        let iota = Attr::Iota {
            shape: shape.clone(),
            axis: 1,
        };
        let columns = g.add(&ops::IOTA, iota, &[]);
        let column = g.lead(self.column, &shape);
        g.binary(&ops::EQ, column, columns)
    }
}

/// What a gather becomes.
pub fn gather(g: &mut Graph, node: &Node, table: Value, at: Value) -> Option<Value> {
    indexed(g, node, table, at, None)
}

/// The same, for what is indexed in place of a function of it.
fn indexed(
    g: &mut Graph,
    node: &Node,
    table: Value,
    at: Value,
    function: Option<Value>,
) -> Option<Value> {
    let Attr::Axis(axis) = node.attr else {
        return None;
    };
    let flat = axis == 0 && g.is(table, &ops::RESHAPE) && g.ty(table).rank() == 1;
    let whole = if flat { g.operands(table)[0] } else { table };
    let rows =
        OfRows::find(g, at, g.ty(whole).len()).filter(|r| flat && r.fits(&g.ty(whole).shape));
    // What others read, too, is computed in a nest.
    let nest = matches!(g.node(whole).def.kernel, Kernel::Map(_))
        && g.users(whole)
            .iter()
            .any(|u| *u != table && Some(*u) != function);
    let sums = nest && node.ty.dtype.is_real() && !node.strict;
    match &rows {
        Some(rows) if sums && SHORT.contains(&rows.columns) => Some(summed(g, rows, whole)),
        rows => before_indexing(g, node, whole, at, flat, rows.as_ref()),
    }
}

/// The element of each row that is not masked.
fn summed(g: &mut Graph, rows: &OfRows, whole: Value) -> Value {
    let x = g.reshape(whole, vec![rows.rows, rows.columns]);
    let hits = rows.hits(g);
    let zero = g.constant_like(0.0, x);
    let masked = g.select(hits, x, zero);
    g.sum(masked, vec![1])
}

/// An element-wise function of the elements asked for, if there are far fewer than it has and no more than one of its operands has to
/// be indexed for them.
fn before_indexing(
    g: &mut Graph,
    node: &Node,
    whole: Value,
    at: Value,
    flat: bool,
    rows: Option<&OfRows>,
) -> Option<Value> {
    let Attr::Axis(axis) = node.attr else {
        return None;
    };
    let f = g.node(whole).clone();
    if !matches!(f.def.kernel, Kernel::Map(_)) || node.ty.len() * FEWER > g.ty(whole).len() {
        return None;
    }
    let more = g.ty(at).rank();
    let rank = g.ty(whole).rank();
    // Where an operand that has no axis that is indexed stands in the result.
    let places = |g: &Graph, x: Value| -> Option<(Value, Vec<usize>)> {
        let Attr::Broadcast { axes, .. } = &g.node(x).attr else {
            return None;
        };
        let source = g.operands(x)[0];
        let before_last = rows.is_some() && (0..rank - 1).eq(axes.iter().copied());
        match flat {
            _ if axes.is_empty() => Some((source, vec![])),
            true => before_last.then_some((source, vec![0])),
            false if axes.contains(&axis) => None,
            false => {
                let place = |&a: &usize| if a < axis { a } else { a + more - 1 };
                Some((source, axes.iter().map(place).collect()))
            }
        }
    };
    let operands = g.operands(whole);
    let stays = |&&x: &&Value| g.literal(x).is_none() && places(g, x).is_none();
    if operands.iter().filter(stays).count() > 1 {
        return None;
    }
    let shape = node.ty.shape.clone();
    let of = |g: &mut Graph, x: Value| {
        let dtype = g.ty(x).dtype;
        if let Some(l) = g.literal(x) {
            return g.fill(l, Type::new(dtype, shape.clone()));
        }
        if let Some((source, axes)) = places(g, x) {
            let source = match axes.as_slice() {
                [0] if flat => g.reshape(source, shape.clone()),
                _ => source,
            };
            return g.broadcast(source, shape.clone(), axes);
        }
        let table = match flat {
            true => g.reshape(x, vec![g.ty(x).len()]),
            false => x,
        };
        let gather = g.add(&ops::GATHER, node.attr.clone(), &[table, at]);
        let node = g.node(gather).clone();
        indexed(g, &node, table, at, Some(whole)).unwrap_or(gather)
    };
    let xs: Vec<Value> = operands.iter().map(|&x| of(g, x)).collect();
    Some(g.add(f.def, f.attr, &xs))
}

/// One element in each row of zeros.
pub fn scattered(g: &mut Graph, node: &Node, x: Value) -> Option<Value> {
    let Attr::Scatter { axis: 0, extent } = g.node(x).attr else {
        return None;
    };
    let o = g.operands(x);
    let real = node.ty.dtype.is_real() && g.ty(o[0]).rank() == 1;
    let rows = OfRows::find(g, o[1], extent).filter(|r| real && r.fits(&node.ty.shape))?;
    let hits = rows.hits(g);
    let shape = g.ty(hits).shape.clone();
    let ty = Type::new(node.ty.dtype, shape.clone());
    let value = match g.literal(o[0]) {
        Some(l) => g.fill(l, ty.clone()),
        None => g.lead(o[0], &shape),
    };
    let zero = g.fill(Literal::Real(0.0), ty);
    let y = g.select(hits, value, zero);
    Some(g.reshape(y, node.ty.shape.clone()))
}
