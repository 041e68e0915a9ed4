//! How links become chains over panels of rows (see [`crate::codegen::panels`]).

use super::panels::{Left, Link, Product, Way, link, of_two, product};
use super::{Folding, Plan, Unit, access, root};
use crate::codegen::nest::Nest;
use crate::codegen::panels::{
    GRAIN, LEAST_ROWS, Panels, Stretches, TILE, WHOLE, of_matrices, rows_of_panel, stretch,
};
use crate::codegen::sides::Matrices;
use crate::ir::{Graph, Value};
use crate::ops::Kernel;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// Bytes of what several links of a chain read or write, at least: less stays in the second-level cache from one unit to the next.
const SHARED: usize = 1 << 18;

/// Bytes of a panel, at most: they must stay in the second-level cache.
const LARGEST: usize = 1 << 18;

/// How many units behind its first a chain may go on.
const REACH: usize = 256;

/// Bytes from link to link, at least, for which one product of matrices and what is made of it are a chain: others do not come
/// from memory, and the product is computed faster alone (docs/results/performance.md, as for what follows).
const FAR: usize = 1 << 23;

/// Links, about, that read something of one such product: of smaller ones it need not be found out.
const LINKS: usize = 4;

/// Bytes of the matrix of which each panel needs all, at most, in such a chain.
const NEAR: usize = 1 << 20;

/// Multiplications, at most, of a chain of several products of matrices: it has fewer waits, which do not count beside more.
const WAITS: usize = 1 << 27;

/// The units of a plan by number; those of chains have new numbers.
struct Units<'p> {
    g: &'p Graph,
    kept: &'p [bool],
    /// What is part of a chain is there.
    units: Vec<Option<Unit>>,
    order: Vec<usize>,
    /// By unit: the buffers that it reads, and the units that it reads from.
    buffers: Vec<Vec<Value>>,
    reads: Vec<BTreeSet<usize>>,
    /// By unit: the chain that it is part of, or itself.
    within: Vec<usize>,
    /// Nests that have been looked at.
    nests: RefCell<HashMap<usize, Rc<Nest>>>,
}

/// A chain being formed.
#[derive(Default)]
struct Chain {
    units: Vec<usize>,
    links: Vec<Link>,
    inside: BTreeSet<usize>,
    /// Units behind its first that must come after it.
    later: BTreeSet<usize>,
}

/// Rows of a chain, those of a panel, and how all are divided.
type Sizes = (usize, usize, Stretches);

impl Chain {
    /// Bytes of what each panel needs all of.
    fn whole(&self) -> usize {
        self.links.iter().map(|l| l.whole).sum()
    }

    /// How many products of two matrices there are.
    fn products(&self) -> usize {
        self.links.iter().filter(|l| l.work > 0).count()
    }
}

impl<'p> Units<'p> {
    fn new(g: &'p Graph, kept: &'p [bool], units: Vec<Unit>) -> Self {
        let mut makers: HashMap<Value, usize> = HashMap::new();
        for (i, u) in units.iter().enumerate() {
            makers.extend(u.nodes.iter().map(|n| (*n, i)));
        }
        let buffers: Vec<Vec<Value>> = units.iter().map(|u| buffers_read(g, u).collect()).collect();
        let reads = buffers.iter().enumerate().map(|(i, read)| {
            let from = read.iter().filter_map(|r| makers.get(r).copied());
            from.filter(|from| *from != i).collect()
        });
        Self {
            g,
            kept,
            reads: reads.collect(),
            buffers,
            order: (0..units.len()).collect(),
            within: (0..units.len()).collect(),
            units: units.into_iter().map(Some).collect(),
            nests: RefCell::default(),
        }
    }

    fn nest(&self, i: usize, unit: &Unit) -> Rc<Nest> {
        let mut known = self.nests.borrow_mut();
        let nest = known.entry(i);
        Rc::clone(nest.or_insert_with(|| Rc::new(Nest::new(self.g, unit, self.kept, false))))
    }

    /// Whether a unit reads what some of others leave.
    fn reads_from(&self, i: usize, others: &BTreeSet<usize>) -> bool {
        let mut from = self.reads[i].iter();
        !others.is_empty() && from.any(|r| others.contains(&self.within[*r]))
    }

    /// The chain that begins with the unit at a place in the order, with so many products of matrices at most. `shared`: what is large
    /// and read by some link.
    fn grow(
        &self,
        place: usize,
        rows: usize,
        mut shared: BTreeSet<Value>,
        products: usize,
    ) -> Option<(Chain, BTreeSet<Value>)> {
        let mut left = Left::new();
        let mut chain = Chain::default();
        let end = (place + REACH).min(self.order.len());
        for &i in &self.order[place..end] {
            if self.reads_from(i, &chain.later) {
                chain.later.insert(i);
                continue;
            }
            let (Some(unit), is_first) = (&self.units[i], i == self.order[place]) else {
                continue;
            };
            let behind = self.reads_from(i, &chain.inside);
            let meets = |l: &Link| l.by_rows.keys().any(|v| shared.contains(v));
            let found = match behind || is_first || self.may_share(i, &shared) {
                true => link(self.g, unit, self.kept, rows, &left, || self.nest(i, unit)),
                false => None,
            };
            let more = |l: &Link| {
                let fits = chain.whole() + l.whole <= WHOLE;
                l.work == 0 || is_first || chain.products() < products && fits
            };
            match found.filter(more) {
                Some(l) if behind || is_first || meets(&l) => {
                    left.extend(l.left.iter().copied());
                    let large = l.by_rows.iter().filter(|x| *x.1 >= SHARED);
                    shared.extend(large.map(|x| *x.0));
                    chain.units.push(i);
                    chain.inside.insert(i);
                    chain.links.push(l);
                }
                _ if is_first => return None,
                _ if behind => {
                    chain.later.insert(i);
                }
                _ => {}
            }
        }
        Some((chain, shared))
    }

    /// Whether a unit reads something large that the chain does.
    fn may_share(&self, i: usize, shared: &BTreeSet<Value>) -> bool {
        !shared.is_empty() && self.buffers[i].iter().any(|r| shared.contains(r))
    }

    /// The panels of a chain, if it is worth while.
    fn sizes(&self, chain: &Chain, rows: usize) -> Option<Sizes> {
        let mut by_rows: BTreeMap<Value, (usize, usize)> = BTreeMap::new();
        for (v, bytes) in chain.links.iter().flat_map(|l| &l.by_rows) {
            let entry = by_rows.entry(*v).or_default();
            *entry = (entry.0.max(*bytes), entry.1 + 1);
        }
        let row = by_rows.values().map(|x| x.0).sum::<usize>() / rows.max(1);
        let units = chain.units.iter().filter_map(|i| self.units[*i].as_ref());
        let products = units.filter_map(|u| product(self.g, u.nodes[0]));
        let products: Vec<Product> = products.collect();
        let mut sums = products.iter().filter(|p| p.way == Way::Sum).peekable();
        if chain.products() > 0 && sums.peek().is_none() {
            let saved = by_rows.values().map(|(bytes, links)| bytes * (links - 1));
            let (panel, stretches) = sizes_of_matrices(chain, rows, row, saved.sum())?;
            return Some((rows, panel, stretches));
        }
        let pays = |(bytes, links): &(usize, usize)| *bytes >= SHARED && *links > 1;
        if !by_rows.values().any(pays) {
            return None;
        }
        // The product that alone would be divided into the shortest stretches decides on them.
        let way = sums.chain(&products).next()?.way;
        let widest = products
            .iter()
            .filter(|p| p.way == way)
            .max_by_key(|p| p.width)?;
        let size = self.g.ty(widest.matrix).dtype.size();
        let stretch = stretch(rows, widest.width, size)?;
        let panel = rows_of_panel(row).min(rows_of_panel(widest.width * size));
        (panel * row <= LARGEST && stretch < rows).then_some((rows, panel, Stretches::Of(stretch)))
    }

    /// The rows of chains that a unit is the first link of.
    fn rows(&self, i: usize) -> Option<usize> {
        let unit = self.units[i].as_ref()?;
        if unit.fused || unit.nodes.len() > 1 {
            return None;
        }
        let v = unit.nodes[0];
        let large = |p: &Product| self.g.ty(p.matrix).bytes() >= SHARED;
        let vectors = product(self.g, v).filter(large).map(|p| p.rows);
        let many = |p: &Matrices| p.m >= 2 * LEAST_ROWS;
        vectors.or_else(|| Some(of_two(self.g, v).filter(many)?.m))
    }

    /// The chain that the product at a place in the order is the first link of.
    fn chain_at(&self, place: usize) -> Option<(Chain, Sizes)> {
        let rows = self.rows(self.order[place])?;
        let sized = |chain: Chain| Some((self.sizes(&chain, rows)?, chain));
        let of = |products: usize| {
            let (first, shared) = self.grow(place, rows, BTreeSet::new(), products)?;
            // What a late link reads may be what an early unit does.
            let all = match shared.is_empty() {
                true => None,
                false => self.grow(place, rows, shared, products),
            };
            all.and_then(|a| sized(a.0)).or_else(|| sized(first))
        };
        let large = |v: &Value| self.g.ty(*v).bytes() >= FAR / LINKS;
        let product = self.units[self.order[place]].as_ref()?.nodes[0];
        let mut touched = self.g.operands(product).into_iter().chain([product]);
        let alone = || touched.any(|v| large(&v)).then(|| of(1)).flatten();
        let (sizes, chain) = of(usize::MAX).or_else(alone)?;
        Some((chain, sizes))
    }

    /// Puts a chain in the place of its units: behind all that it may need. Gives its place.
    fn put(&mut self, chain: &Chain, sizes: Sizes) -> usize {
        let (rows, panel, stretches) = sizes;
        let taken = |i: &usize| self.units[*i].take();
        let links: Vec<Unit> = chain.units.iter().filter_map(taken).collect();
        let mut nodes: Vec<Value> = links.iter().flat_map(|l| &l.nodes).copied().collect();
        nodes.sort_unstable();
        let new = self.units.len();
        self.units.push(Some(Unit {
            nodes,
            fused: false,
            shape: vec![],
            split: 0,
            panels: Some(Box::new(Panels {
                links,
                rows,
                panel,
                passing: vec![],
                stretches,
            })),
        }));
        let reads = chain.units.iter().flat_map(|i| self.reads[*i].clone());
        self.reads
            .push(reads.filter(|r| !chain.inside.contains(r)).collect());
        // As no chain is a link of another, nobody asks for its buffers.
        self.buffers.push(vec![]);
        self.within.push(new);
        // Chains are made of units, not of chains: one step leads to where a unit is.
        chain.units.iter().for_each(|i| self.within[*i] = new);
        let last = chain.units.last();
        let last = self.order.iter().position(|i| Some(i) == last);
        let rest = self.order.split_off(last.map_or(0, |l| l + 1));
        let is_later = |i: &usize| chain.later.contains(i);
        let before = self
            .order
            .iter()
            .filter(|i| !is_later(i) && !chain.inside.contains(i));
        let mut order: Vec<usize> = before.copied().collect();
        let place = order.len();
        order.push(new);
        order.extend(self.order.iter().filter(|i| is_later(i)));
        order.extend(rest);
        self.order = order;
        place
    }
}

/// Roots of what a unit reads.
fn buffers_read<'g>(g: &'g Graph, unit: &'g Unit) -> impl Iterator<Item = Value> + 'g {
    let operands = unit.nodes.iter().flat_map(|n| g.operands(*n));
    operands.flat_map(|o| [root(g, access(g, o).source), root(g, o)])
}

/// The panels of a chain of products of matrices, if it is worth while. `row`: bytes of a row; `saved`: those that are in the cache from link
/// to link.
fn sizes_of_matrices(
    chain: &Chain,
    rows: usize,
    row: usize,
    saved: usize,
) -> Option<(usize, Stretches)> {
    let work: usize = chain.links.iter().map(|l| l.work).sum();
    let pays = match chain.products() {
        1 => saved >= FAR && chain.whole() <= NEAR,
        _ => saved >= chain.whole() && work <= WAITS,
    };
    let grain = match chain.links.iter().all(|l| l.anywhere) {
        true => TILE,
        false => GRAIN,
    };
    pays.then(|| of_matrices(rows, row, work, grain)).flatten()
}

/// Makes chains of the units of a plan.
pub fn join(g: &Graph, plan: &mut Plan) {
    let product = |u: &Unit| g.node(u.nodes[0]).def.kernel == Kernel::Contract;
    if !plan.units.iter().any(product) {
        return;
    }
    let mut units = Units::new(g, &plan.kept, std::mem::take(&mut plan.units));
    let mut place = 0;
    while place < units.order.len() {
        if let Some((chain, sizes)) = units.chain_at(place) {
            place = units.put(&chain, sizes);
        }
        place += 1;
    }
    let Units {
        order,
        units: mut all,
        ..
    } = units;
    plan.units = order.iter().filter_map(|i| all[*i].take()).collect();
    pass(g, plan);
}

/// Finds what only passes from link to link.
fn pass(g: &Graph, plan: &mut Plan) {
    if plan.units.iter().all(|u| u.panels.is_none()) {
        return;
    }
    // By buffer: the units that read it. An output is read behind the last.
    let mut readers: HashMap<Value, BTreeSet<usize>> = HashMap::new();
    for (i, unit) in plan.units.iter().enumerate() {
        for r in buffers_read(g, unit) {
            readers.entry(r).or_default().insert(i);
        }
    }
    for (_, v) in &g.outputs {
        let end = plan.units.len();
        readers.entry(root(g, *v)).or_default().insert(end);
    }
    let kept = &plan.kept;
    for (i, unit) in plan.units.iter_mut().enumerate() {
        let Some(panels) = &mut unit.panels else {
            continue;
        };
        let only = |v: &Value| readers.get(v).is_some_and(|r| r.iter().eq([&i]));
        let links = panels.links.iter();
        let left: Vec<Value> = links
            .flat_map(|l| left_by_rows(g, l, kept))
            .filter(only)
            .collect();
        for v in left {
            let row = g.ty(v).bytes() / panels.rows;
            panels.pass(v, row);
        }
    }
}

/// What a link leaves row by row.
fn left_by_rows(g: &Graph, link: &Unit, kept: &[bool]) -> Vec<Value> {
    if !link.fused {
        let v = link.nodes[0];
        let sum = product(g, v).is_some_and(|p| p.way == Way::Sum);
        return if sum { vec![] } else { vec![v] };
    }
    let nest = Nest::new(g, link, kept, false);
    let by_rows = |v: &&Value| {
        let fold = nest.folds.iter().find(|f| f.node == **v);
        kept[v.0 as usize] && fold.is_none_or(|f| f.kind == Folding::Row)
    };
    link.nodes.iter().filter(by_rows).copied().collect()
}
