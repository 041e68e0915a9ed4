//! What units are as links of chains over panels of rows (see [`crate::codegen::panels`]).

use super::{Folding, Unit, is_draw, root};
use crate::codegen::nest::{LANES, Nest, Reach};
use crate::codegen::sides::{Matrices, matrices};
use crate::ir::{Attr, Graph, Value};
use crate::ops::Kernel;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Vectors, at most, and the length of each, at least, for which the kernel of products goes along the rows of the matrix.
const VECTORS: usize = 4;
const LONG: usize = 32;

/// A product of a matrix and few vectors as a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    pub way: Way,
    pub matrix: Value,
    /// The vectors, contiguous each.
    pub vector: Value,
    pub rows: usize,
    /// Numbers in a row of the matrix.
    pub width: usize,
}

/// What a product does with the rows of its matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each becomes one number for each of so many vectors.
    Each { vectors: usize },
    /// Their multiples by the numbers of one vector are added up.
    Sum,
}

/// Columns of the result, more than which a product is one of matrices.
const COLUMNS: usize = VECTORS;

/// A contraction as a link of matrices.
pub fn of_two(g: &Graph, v: Value) -> Option<Matrices> {
    let plain = g.node(v).def.kernel == Kernel::Contract && product(g, v).is_none();
    plain
        .then(|| matrices(g, v))?
        .filter(|p| p.n > COLUMNS && p.m > VECTORS)
}

/// Are the axes given the first, or the last, of `rank`, in their order?
fn first_and_last(axes: &[usize], rank: usize) -> [bool; 2] {
    let from = |start: usize| axes.iter().copied().eq(start..start + axes.len());
    [from(0), from(rank - axes.len())]
}

/// A contraction as a link. `None` if it cannot be one.
pub fn product(g: &Graph, v: Value) -> Option<Product> {
    let node = g.node(v);
    let (Kernel::Contract, Attr::Contract(c)) = (node.def.kernel, &node.attr) else {
        return None;
    };
    if !c.batch.is_empty() || c.sum.is_empty() || node.in_order() {
        return None;
    }
    let operands = g.operands(v);
    let mut sum = c.sum.clone();
    sum.sort_unstable();
    let axes = [0, 1].map(|i| -> Vec<usize> {
        let side = |s: &(usize, usize)| if i == 0 { s.0 } else { s.1 };
        sum.iter().map(side).collect()
    });
    let shapes = [0, 1].map(|i| &g.ty(operands[i]).shape);
    let summed: usize = c.summed(shapes[0]);
    let free = [0, 1].map(|i| g.ty(operands[i]).len() / summed.max(1));
    let order = [0, 1].map(|i| first_and_last(&axes[i], shapes[i].len()));
    // The left operand's rows come first in the result, so the matrix is the left one where both could be.
    (0..2).find_map(|i| {
        let other = 1 - i;
        let ([first, last], vectors) = (order[i], free[other]);
        let (way, rows, width) = if last && summed >= LONG && free[i] > 1 {
            let few = vectors == 1 || i == 0 && vectors <= VECTORS;
            let each = few && order[other][1];
            (each.then_some(Way::Each { vectors })?, free[i], summed)
        } else {
            let sum = first && order[other][0] && vectors == 1 && free[i] > VECTORS;
            (sum.then_some(Way::Sum)?, summed, free[i])
        };
        Some(Product {
            way,
            matrix: operands[i],
            vector: operands[other],
            rows,
            width,
        })
    })
}

/// What a unit reads and writes if it goes along rows.
#[derive(Default)]
pub struct Link {
    /// Bytes of what it reads and writes row by row, by buffer.
    pub by_rows: BTreeMap<Value, usize>,
    /// What it leaves: whether that has the rows.
    pub left: Vec<(Value, bool)>,
    /// Of a product of matrices: bytes of the one of which each panel reads all, and multiplications.
    pub whole: usize,
    pub work: usize,
    /// Whether it may begin and end between any two rows.
    pub anywhere: bool,
}

/// What units of a chain have left: whether it has the rows.
pub type Left = HashMap<Value, bool>;

/// A value read row by row by what comes behind in the chain. False if the chain leaves it otherwise.
fn can_read(g: &Graph, left: &Left, v: Value, by_rows: bool) -> bool {
    let r = root(g, v);
    let all = g.ty(r).len() == g.ty(v).len();
    left.get(&r).is_none_or(|rows| *rows && by_rows && all)
}

fn product_link(g: &Graph, v: Value, rows: usize, left: &Left) -> Option<Link> {
    let p = product(g, v).filter(|p| p.rows == rows)?;
    let sums = p.way == Way::Sum;
    if !can_read(g, left, p.matrix, true) || !can_read(g, left, p.vector, sums) {
        return None;
    }
    let mut link = Link::default();
    let mut touch = |o: Value| link.by_rows.insert(root(g, o), g.ty(o).bytes());
    touch(p.matrix);
    touch(if sums { p.vector } else { v });
    link.left.push((v, !sums));
    Some(link)
}

fn matrices_link(g: &Graph, v: Value, rows: usize, left: &Left) -> Option<Link> {
    let p = of_two(g, v).filter(|p| p.m.is_multiple_of(rows))?;
    let by_rows = p.has_rows();
    if !can_read(g, left, p.x, by_rows) || !can_read(g, left, p.y, false) {
        return None;
    }
    let mut link = Link::default();
    let mut touch = |o: Value| link.by_rows.insert(root(g, o), g.ty(o).bytes());
    touch(v);
    if by_rows {
        touch(p.x);
    }
    link.whole = g.ty(p.y).bytes();
    link.work = p.m * p.n * p.k;
    link.anywhere = true;
    link.left.push((v, true));
    Some(link)
}

/// How many rows of a nest, or columns if it has one row, belong to one of the `rows`.
pub fn pace(nest: &Nest, rows: usize) -> Option<usize> {
    let count = if nest.rows > 1 {
        nest.rows
    } else {
        nest.columns
    };
    let whole = nest.rows == 1 && nest.by_row;
    (count > 0 && count.is_multiple_of(rows) && !whole).then_some(count / rows)
}

fn nest_link(
    g: &Graph,
    unit: &Unit,
    nest: &Nest,
    kept: &[bool],
    rows: usize,
    left: &Left,
) -> Option<Link> {
    let pace = pace(nest, rows)?;
    if nest.rows * nest.columns == 0 {
        return None;
    }
    let mut link = Link {
        anywhere: nest.rows == 1 && pace.is_multiple_of(LANES),
        ..Link::default()
    };
    for &n in &unit.nodes {
        for o in g.operands(n) {
            let (source, by_rows) = if is_draw(g, n) {
                (o, false)
            } else {
                let reach = nest.reach(g, o);
                let rows = reach == Reach::Full || reach == Reach::Column && nest.rows > 1;
                (nest.source(g, o).source, rows)
            };
            if nest.members.contains(&o) || nest.members.contains(&source) {
                continue;
            }
            if g.literal(source).is_some() {
                continue;
            }
            if !can_read(g, left, source, by_rows) {
                return None;
            }
            if by_rows {
                link.by_rows.insert(root(g, source), g.ty(source).bytes());
            }
        }
        if kept[n.0 as usize] {
            let fold = nest.folds.iter().find(|f| f.node == n);
            let by_rows = fold.is_none_or(|f| f.kind == Folding::Row);
            link.left.push((n, by_rows));
            if by_rows {
                link.by_rows.insert(n, g.ty(n).bytes());
            }
        }
    }
    Some(link)
}

/// A unit as a link of a chain that has left something. `nest`: that of the unit.
pub fn link(
    g: &Graph,
    unit: &Unit,
    kept: &[bool],
    rows: usize,
    left: &Left,
    nest: impl FnOnce() -> Rc<Nest>,
) -> Option<Link> {
    match unit.fused {
        true => nest_link(g, unit, &nest(), kept, rows, left),
        false if unit.nodes.len() == 1 => {
            let v = unit.nodes[0];
            product_link(g, v, rows, left).or_else(|| matrices_link(g, v, rows, left))
        }
        false => None,
    }
}
