//! Which units of a plan form chains over panels of rows (see [`crate::codegen::panels`]).

use super::{Folding, Plan, Unit, access, is_draw, root};
use crate::codegen::nest::{Nest, Reach};
use crate::codegen::panels::{Panels, rows_of_panel, stretch};
use crate::ir::{Attr, Graph, Value};
use crate::ops::Kernel;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Bytes of what several links of a chain read or write, at least: less stays in the second-level cache from one unit to the next.
const SHARED: usize = 1 << 18;

/// Bytes of a panel, at most: they must stay in the second-level cache.
const LARGEST: usize = 1 << 18;

/// How many units behind its first a chain may go on.
const REACH: usize = 256;

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
struct Link {
    /// Bytes of what it reads and writes row by row, by buffer.
    by_rows: BTreeMap<Value, usize>,
    /// What it leaves: whether that has the rows.
    left: Vec<(Value, bool)>,
}

/// What units of a chain have left: whether it has the rows.
type Left = HashMap<Value, bool>;

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

fn nest_link(g: &Graph, unit: &Unit, kept: &[bool], rows: usize, left: &Left) -> Option<Link> {
    let nest = Nest::new(g, unit, kept, false);
    pace(&nest, rows)?;
    if nest.rows * nest.columns == 0 {
        return None;
    }
    let mut link = Link::default();
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

fn link(g: &Graph, unit: &Unit, kept: &[bool], rows: usize, left: &Left) -> Option<Link> {
    match unit.fused {
        true => nest_link(g, unit, kept, rows, left),
        false if unit.nodes.len() == 1 => product_link(g, unit.nodes[0], rows, left),
        false => None,
    }
}

/// The units of a plan, and by unit: those that it reads from.
struct Units<'p> {
    g: &'p Graph,
    plan: &'p Plan,
    reads: &'p [BTreeSet<usize>],
}

/// A chain being formed.
struct Chain {
    units: Vec<usize>,
    links: Vec<Link>,
    /// Units behind its first that must come after it.
    later: BTreeSet<usize>,
}

/// By unit: those that it reads from.
fn reads(g: &Graph, plan: &Plan) -> Vec<BTreeSet<usize>> {
    let mut makers: HashMap<Value, usize> = HashMap::new();
    for (i, u) in plan.units.iter().enumerate() {
        makers.extend(u.nodes.iter().map(|n| (*n, i)));
    }
    let reads = plan.units.iter().enumerate().map(|(i, u)| {
        let operands = u.nodes.iter().flat_map(|n| g.operands(*n));
        let roots = operands.flat_map(|o| [root(g, access(g, o).source), root(g, o)]);
        let from = roots.filter_map(|r| makers.get(&r).copied());
        from.filter(|from| *from != i).collect()
    });
    reads.collect()
}

impl Units<'_> {
    /// The chain that begins with a unit. `shared`: what is large and read by some link.
    fn grow(
        &self,
        first: usize,
        rows: usize,
        mut shared: BTreeSet<Value>,
    ) -> Option<(Chain, BTreeSet<Value>)> {
        let (g, kept) = (self.g, &self.plan.kept);
        let mut left = Left::new();
        let mut chain = Chain {
            units: vec![],
            links: vec![],
            later: BTreeSet::new(),
        };
        let end = (first + REACH).min(self.plan.units.len());
        for i in first..end {
            let reads = &self.reads[i];
            if reads.iter().any(|r| chain.later.contains(r)) {
                chain.later.insert(i);
                continue;
            }
            let unit = &self.plan.units[i];
            let behind = reads.iter().any(|r| chain.units.contains(r));
            let meets = |l: &Link| l.by_rows.keys().any(|v| shared.contains(v));
            let found = match behind || i == first || self.may_share(unit, &shared) {
                true => link(g, unit, kept, rows, &left),
                false => None,
            };
            match found {
                Some(l) if behind || i == first || meets(&l) => {
                    left.extend(l.left.iter().copied());
                    let large = l.by_rows.iter().filter(|x| *x.1 >= SHARED);
                    shared.extend(large.map(|x| *x.0));
                    chain.units.push(i);
                    chain.links.push(l);
                }
                _ if i == first => return None,
                _ if behind => {
                    chain.later.insert(i);
                }
                _ => {}
            }
        }
        Some((chain, shared))
    }

    /// Whether a unit reads something large that the chain does.
    fn may_share(&self, unit: &Unit, shared: &BTreeSet<Value>) -> bool {
        let operands = unit.nodes.iter().flat_map(|n| self.g.operands(*n));
        let mut roots = operands.map(|o| root(self.g, access(self.g, o).source));
        roots.any(|r| shared.contains(&r))
    }

    /// The panels of a chain, if it is worth while.
    fn panels(&self, chain: &Chain, rows: usize) -> Option<[usize; 2]> {
        let mut by_rows: BTreeMap<Value, (usize, usize)> = BTreeMap::new();
        for (v, bytes) in chain.links.iter().flat_map(|l| &l.by_rows) {
            let entry = by_rows.entry(*v).or_default();
            *entry = (entry.0.max(*bytes), entry.1 + 1);
        }
        let pays = |(bytes, links): &(usize, usize)| *bytes >= SHARED && *links > 1;
        if !by_rows.values().any(pays) {
            return None;
        }
        let row = by_rows.values().map(|x| x.0).sum::<usize>() / rows;
        let mut panel = rows_of_panel(row);
        // The product that alone would be divided into the shortest stretches decides on them.
        let products = chain.units.iter().map(|&i| self.plan.units[i].nodes[0]);
        let products: Vec<Product> = products.filter_map(|v| product(self.g, v)).collect();
        let sums = products.iter().filter(|p| p.way == Way::Sum);
        let widest = sums.chain(&products).next()?;
        let widest = products
            .iter()
            .filter(|p| p.way == widest.way)
            .max_by_key(|p| p.width)?;
        let size = self.g.ty(widest.matrix).dtype.size();
        let stretch = stretch(rows, widest.width, size)?;
        panel = panel.min(rows_of_panel(widest.width * size));
        (panel * row <= LARGEST && stretch < rows).then_some([panel, stretch])
    }

    /// A chain that a product is a link of.
    fn chain_of(&self, at: usize) -> Option<(Chain, [usize; 3])> {
        let unit = &self.plan.units[at];
        let p = product(self.g, unit.nodes[0]).filter(|_| !unit.fused && unit.nodes.len() == 1)?;
        let (first, shared) = self.grow(at, p.rows, BTreeSet::new())?;
        // What a late link reads may be what an early unit does.
        let all = self.grow(at, p.rows, shared).map(|(chain, _)| chain);
        let sized = |chain: Chain| Some((self.panels(&chain, p.rows)?, chain));
        let ([panel, stretch], chain) = all.and_then(sized).or_else(|| sized(first))?;
        Some((chain, [p.rows, panel, stretch]))
    }
}

/// Makes chains of the units of a plan.
pub fn join(g: &Graph, plan: &mut Plan) {
    let mut known: Option<Vec<BTreeSet<usize>>> = None;
    let mut at = 0;
    while at < plan.units.len() {
        let large = |p: Product| g.ty(p.matrix).bytes() >= SHARED;
        if product(g, plan.units[at].nodes[0]).is_some_and(large) {
            let reads = known.get_or_insert_with(|| reads(g, plan));
            let units = Units { g, plan, reads };
            if let Some((chain, sizes)) = units.chain_of(at) {
                at = put(plan, &chain, sizes);
                known = None;
            }
        }
        at += 1;
    }
}

/// Puts a chain in the place of its units: behind all that it may need. Gives its number.
fn put(plan: &mut Plan, chain: &Chain, [rows, panel, stretch]: [usize; 3]) -> usize {
    let last = chain.units[chain.units.len() - 1];
    let mut units: Vec<Option<Unit>> = plan.units.drain(..).map(Some).collect();
    let rest = units.split_off(last + 1);
    let mut take = |i: usize| units[i].take();
    let links: Vec<Unit> = chain.units.iter().filter_map(|&i| take(i)).collect();
    let later: Vec<Unit> = chain.later.range(..last).filter_map(|&i| take(i)).collect();
    let mut nodes: Vec<Value> = links.iter().flat_map(|l| &l.nodes).copied().collect();
    nodes.sort_unstable();
    plan.units.extend(units.into_iter().flatten());
    let at = plan.units.len();
    plan.units.push(Unit {
        nodes,
        fused: false,
        shape: vec![],
        split: 0,
        panels: Some(Box::new(Panels {
            links,
            rows,
            panel,
            stretch,
        })),
    });
    plan.units.extend(later);
    plan.units.extend(rest.into_iter().flatten());
    at
}
