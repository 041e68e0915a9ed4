//! The loop nest of a fused unit: rows and columns, tiles, phases, and how it is divided among threads.
//!
//! A tile is a stretch of one row. In each tile the unit's nodes run in phases: a loop of simple arithmetic, then the native
//! kernels and reductions that need its results, then the next loop. If some node reads what a reduction leaves of its row, the tile
//! is the whole row: the reduction is complete before the next phase, which begins with the nodes of one element a row.

use super::cost::{WORD_WEIGHT, weight};
use super::element::{native, vector};
use super::panels::Panels;
use super::plan::{self, Access, Folding, Unit, access, row_source};
use super::wide;
use crate::ir::{DType, Graph, Shape, Value};
use crate::ops::{Kernel, Scalar};
use std::collections::{HashMap, HashSet};

/// Elements in a tile: scratch of a few tiles stays in the first-level cache.
pub const TILE: usize = 512;

/// Partial results that a row is folded into before they are added up, in a fixed order.
pub const LANES: usize = 16;

/// The work of one part of a nest, by the weights of its operations: a nest of more is divided among threads. Handing parts out
/// and waiting for them costs about as much as a quarter of this.
const PART: usize = 1 << 18;

/// Parts at most.
const MAX_PARTS: usize = 16;

/// Bytes that a nest leaves from which it writes them past the caches: more than the last cache holds beside what is read.
/// Below, the next nest finds them there.
const STREAM: usize = 24 << 20;

/// Columns at most of rows that are worked on sixteen abreast: a buffer of these fills the first-level cache, and what they keep
/// between phases stays in the second. Longer rows gain nothing by it.
const ABREAST: usize = 512;

/// Reductions of rows at most of such nests: the vectors of sixteen rows wait on the stack.
const FOLDS_ABREAST: usize = 8;

/// Where an operand's element stands, for row `r` and column `c`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Element `r * columns + c`.
    Full,
    /// Element `c`.
    Row,
    /// Element `r`.
    Column,
    /// Element 0.
    Scalar,
}

/// A reduction in a nest.
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    pub node: Value,
    pub operand: Value,
    pub kind: Folding,
}

/// The loop nest of a unit.
#[derive(Debug)]
pub struct Nest {
    shape: Shape,
    pub rows: usize,
    pub columns: usize,
    /// Whether each row is worked on as a whole.
    pub by_row: bool,
    /// Elements in a vector of the loops of arithmetic.
    pub lanes: usize,
    /// By node: the loop it is in; a native kernel or reduction runs after the loop of its number.
    pub phase: HashMap<Value, usize>,
    pub phases: usize,
    /// Nodes and outside operands that need a scratch tile, in order.
    pub scratch: Vec<Value>,
    /// By scratch tile: which of the buffers it is. Those that are not needed at one time share one.
    pub buffers: Vec<usize>,
    pub members: HashSet<Value>,
    pub folds: Vec<Fold>,
    /// How many parts the nest is divided into, which any threads may run in any order: decided by the shape alone.
    pub parts: usize,
    /// Rows of a part; if there is only one row, columns.
    pub chunk: usize,
    /// Whether the loops over elements are written for vectors of 512 bits.
    pub wide: bool,
    /// Whether these write what is kept past the caches.
    pub streams: bool,
    /// Whether they are all there is: one call works on all rows and columns.
    pub direct: bool,
    /// Whether they work on sixteen rows at a time, phase by phase.
    pub abreast: bool,
    /// How many rows they put into one vector.
    pub packed: usize,
    /// Whether a part is worked on panel by panel: reductions go on from where they were.
    pub resumes: bool,
}

pub fn scalar_of(g: &Graph, v: Value) -> Option<Scalar> {
    match g.node(v).def.kernel {
        Kernel::Map(f) => Some(f),
        _ => None,
    }
}

pub fn native_of(g: &Graph, v: Value) -> Option<&'static str> {
    scalar_of(g, v).and_then(native)
}

/// Whether the node is random words, which a native kernel writes tile by tile.
pub fn is_draw(g: &Graph, v: Value) -> bool {
    g.node(v).def.kernel == Kernel::Draw
}

/// The element type that decides what an operation does: that of the first operand, of a selection of the second.
pub fn operand_type(g: &Graph, v: Value) -> DType {
    let operands = g.operands(v);
    match scalar_of(g, v) {
        Some(Scalar::Select) => g.ty(operands[1]).dtype,
        _ => operands.first().map_or(g.ty(v).dtype, |&o| g.ty(o).dtype),
    }
}

impl Nest {
    /// `wide`: are there vectors of 512 bits?
    pub fn new(g: &Graph, unit: &Unit, kept: &[bool], wide: bool) -> Self {
        let shape = &unit.shape;
        let mut nest = Self {
            shape: shape.clone(),
            rows: shape[..unit.split].iter().product(),
            columns: shape[unit.split..].iter().product(),
            by_row: false,
            lanes: 1,
            phase: HashMap::new(),
            phases: 0,
            scratch: vec![],
            buffers: vec![],
            members: unit.nodes.iter().copied().collect(),
            folds: vec![],
            parts: 1,
            chunk: 0,
            wide: false,
            streams: false,
            direct: false,
            abreast: false,
            packed: 1,
            resumes: false,
        };
        if !unit.fused {
            return nest;
        }
        nest.by_row = unit.nodes.iter().any(|&n| {
            let inside = |o: Value| {
                !nest.members.contains(&o) && nest.members.contains(&access(g, o).source)
            };
            nest.is_row_node(g, n) || g.operands(n).into_iter().any(inside)
        });
        nest.wide = wide && nest.rows * nest.columns > 0 && wide::supports(g, unit);
        for &n in &unit.nodes {
            if scalar_of(g, n).is_none()
                && let Some((kind, _)) = plan::folding(g, n)
            {
                // With a single row, what is left for each row is one element.
                let kind = match kind {
                    Folding::Row if nest.rows == 1 && !nest.by_row => Folding::Whole,
                    Folding::Whole if nest.rows == 1 && nest.by_row => Folding::Row,
                    _ => kind,
                };
                let operand = g.operands(n)[0];
                nest.folds.push(Fold {
                    node: n,
                    operand,
                    kind,
                });
            }
            let ready = g.operands(n).into_iter().map(|o| nest.ready(g, o));
            let p = ready.max().unwrap_or(0);
            nest.phases = nest.phases.max(p + 1);
            nest.phase.insert(n, p);
        }
        nest.delay(g, unit, kept);
        nest.find_scratch(g, unit, kept);
        nest.share_tiles(g, unit);
        nest.direct = nest.is_direct(g, unit);
        nest.abreast = nest.has_rows_abreast(g, unit);
        nest.packed = nest.find_packed(g, unit);
        nest.streams = nest.may_stream(g, unit, kept);
        nest.lanes = nest.find_lanes(g, unit, kept);
        nest.divide(g, unit);
        nest
    }

    /// The same for a link of a chain.
    pub fn of_link(g: &Graph, link: &Unit, kept: &[bool], wide: bool, panels: &Panels) -> Self {
        let mut nest = Self::new(g, link, kept, wide);
        if link.fused {
            nest.parts = panels.parts();
            nest.resumes = true;
            // What the next link reads stays in the cache.
            let links = panels.links.iter().flat_map(|l| &l.nodes);
            let inside = |n: &Value| nest.members.contains(n);
            let mut read = links.filter(|n| !inside(n)).flat_map(|n| g.operands(*n));
            let again = read.any(|o| inside(&plan::root(g, access(g, o).source)));
            nest.streams &= !again;
        }
        nest
    }

    /// Those of the links of a unit.
    pub fn of_links(g: &Graph, unit: &Unit, kept: &[bool], wide: bool) -> Vec<Self> {
        let panels = unit.panels.iter();
        let links = panels.flat_map(|p| p.links.iter().map(move |l| (l, p)));
        links
            .map(|(l, p)| Self::of_link(g, l, kept, wide, p))
            .collect()
    }

    /// The first phase in which an operand can be read.
    pub fn ready(&self, g: &Graph, o: Value) -> usize {
        let made = if self.members.contains(&o) {
            o
        } else {
            access(g, o).source
        };
        self.phase
            .get(&made)
            .map_or(0, |phase| phase + usize::from(self.on_tiles(g, made)))
    }

    /// Whether an element-wise node has one element for each row.
    pub fn is_row_node(&self, g: &Graph, v: Value) -> bool {
        scalar_of(g, v).is_some() && g.ty(v).shape != self.shape
    }

    /// Whether the node runs after the loop of its phase, on a whole tile. Of one element, native kernels have a form that takes and gives
    /// a number.
    pub fn on_tiles(&self, g: &Graph, v: Value) -> bool {
        let one = self.rows * self.columns == 1 || self.is_row_node(g, v);
        let inside = self.wide && wide::elements::in_loop(g, v);
        scalar_of(g, v).is_none_or(|f| native(f).is_some() && !one && !inside)
    }

    /// Whether nothing is called between the loops over elements, and rows are whole or tiles not needed.
    fn is_direct(&self, g: &Graph, unit: &Unit) -> bool {
        let called = |n: &Value| {
            let function = native_of(g, *n).is_some() && !wide::elements::in_loop(g, *n);
            function || is_draw(g, *n)
        };
        self.wide && (self.by_row || !self.tiled()) && !unit.nodes.iter().any(called)
    }

    /// Whether rows are short, and there is work for each that is done for sixteen at once in hardly more time.
    fn has_rows_abreast(&self, g: &Graph, unit: &Unit) -> bool {
        let folds = self.folds.iter().filter(|f| f.kind == Folding::Row);
        let folds = folds.count();
        let shared = folds > 0 || unit.nodes.iter().any(|n| self.is_row_node(g, *n));
        let fits = self.columns <= ABREAST && folds <= FOLDS_ABREAST;
        self.direct && shared && fits && self.rows >= wide::write::ROWS_ABREAST
    }

    /// How many narrow rows fit into a vector, if nothing but elements is computed.
    fn find_packed(&self, g: &Graph, unit: &Unit) -> usize {
        let outside = |n: &Value| g.operands(*n).into_iter();
        let bits = unit.nodes.iter().flat_map(outside).any(|o| {
            let repeated = !matches!(self.reach(g, o), Reach::Full | Reach::Scalar);
            repeated && g.ty(o).dtype == DType::Bool && !self.members.contains(&o)
        });
        let rows = wide::write::WIDTH / self.columns.max(1);
        let fits = self.direct && !self.by_row && self.folds.is_empty() && !bits;
        if fits && self.rows > rows && rows > 1 {
            rows
        } else {
            1
        }
    }

    /// Whether what is kept is large, and not read again in the nest.
    fn may_stream(&self, g: &Graph, unit: &Unit, kept: &[bool]) -> bool {
        let left = unit.nodes.iter().filter(|n| kept[n.0 as usize]);
        let left: usize = left.map(|n| g.ty(*n).bytes()).sum();
        let aligned = self.rows == 1 || self.columns.is_multiple_of(wide::write::WIDTH);
        let again = |n: &Value| {
            let here = |o: &Value| kept[o.0 as usize] && self.phase.contains_key(o);
            let mut operands = g.operands(*n).into_iter();
            operands.any(|o| here(&o) && self.phase[&o] != self.phase[n])
        };
        self.wide && aligned && left >= STREAM && !unit.nodes.iter().any(again)
    }

    /// Whether the node's operands are read from whole tiles.
    fn reads_tiles(&self, g: &Graph, v: Value) -> bool {
        self.on_tiles(g, v) && !(self.wide && scalar_of(g, v).is_none())
    }

    /// The nodes of a phase that have one element for each row.
    pub fn of_rows(&self, g: &Graph, unit: &Unit, phase: usize) -> Vec<Value> {
        let here = |n: &&Value| self.phase[n] == phase && self.is_row_node(g, **n);
        unit.nodes.iter().filter(here).copied().collect()
    }

    /// The nodes of a phase that are computed in its loop over elements.
    pub fn simple(&self, g: &Graph, unit: &Unit, phase: usize) -> Vec<Value> {
        let inside = |n: Value| !self.on_tiles(g, n) && !self.is_row_node(g, n);
        let here = |n: &&Value| self.phase[n] == phase && inside(**n);
        unit.nodes.iter().filter(here).copied().collect()
    }

    /// Operands from outside that the loop of a phase copies to scratch tiles.
    pub fn spilled(&self, g: &Graph, phase: usize) -> Vec<Value> {
        let here = |v: &&Value| !self.members.contains(v) && self.ready(g, **v) == phase;
        self.scratch.iter().filter(here).copied().collect()
    }

    /// By node: the last phase in which some node reads it.
    fn last_reads(&self, g: &Graph, unit: &Unit) -> HashMap<Value, usize> {
        let mut last = HashMap::new();
        for &n in &unit.nodes {
            for o in g.operands(n) {
                let phase = last.entry(o).or_insert(0);
                *phase = self.phase[&n].max(*phase);
            }
        }
        last
    }

    /// Moves arithmetic to the first phase that needs it, unless more tiles would have to be kept for its operands than for it.
    fn delay(&mut self, g: &Graph, unit: &Unit, kept: &[bool]) {
        // By node: the first and the last phase in which those behind read it.
        let mut reads: HashMap<Value, (usize, usize)> = HashMap::new();
        for &n in unit.nodes.iter().rev() {
            let operands = g.operands(n);
            let arithmetic = !self.on_tiles(g, n) && !self.is_row_node(g, n);
            if let Some(&(first, _)) = reads.get(&n).filter(|_| arithmetic) {
                let dies = |o: &Value| {
                    let stays = kept[o.0 as usize] || !self.members.contains(o);
                    !stays && reads.get(o).is_none_or(|r| r.1 < first)
                };
                let dying: HashSet<&Value> = operands.iter().filter(|o| dies(o)).collect();
                if dying.len() <= usize::from(!kept[n.0 as usize]) {
                    self.phase.insert(n, first);
                }
            }
            let at = self.phase[&n];
            for o in operands {
                let read = reads.entry(o).or_insert((at, at));
                *read = (read.0.min(at), read.1.max(at));
            }
        }
    }

    /// Gives scratch tiles buffers.
    fn share_tiles(&mut self, g: &Graph, unit: &Unit) {
        let last = self.last_reads(g, unit);
        let from = |v: &Value| {
            let made = self.phase.get(v).copied();
            made.unwrap_or_else(|| self.ready(g, *v))
        };
        let mut order: Vec<usize> = (0..self.scratch.len()).collect();
        order.sort_by_key(|&i| from(&self.scratch[i]));
        let mut free_after: Vec<usize> = Vec::new();
        let mut buffers = vec![0; order.len()];
        for i in order {
            let v = self.scratch[i];
            let until = last.get(&v).copied().unwrap_or(0).max(from(&v));
            let free = free_after.iter().position(|&f| f < from(&v));
            buffers[i] = free.unwrap_or(free_after.len());
            match free {
                Some(b) => free_after[b] = until,
                None => free_after.push(until),
            }
        }
        self.buffers = buffers;
    }

    fn find_scratch(&mut self, g: &Graph, unit: &Unit, kept: &[bool]) {
        let mut need = Vec::new();
        for &n in &unit.nodes {
            let native = native_of(g, n).is_some() || is_draw(g, n);
            if native && self.on_tiles(g, n) && !kept[n.0 as usize] {
                need.push(n);
            }
            if is_draw(g, n) {
                continue;
            }
            let tiles = self.reads_tiles(g, n);
            for o in g.operands(n) {
                if self.members.contains(&o) {
                    let crosses = tiles || self.phase[&o] != self.phase[&n];
                    if crosses && !kept[o.0 as usize] {
                        need.push(o);
                    }
                } else if tiles && !matches!(self.reach(g, o), Reach::Full | Reach::Row) {
                    need.push(o);
                }
            }
        }
        for v in need {
            if !self.scratch.contains(&v) {
                self.scratch.push(v);
            }
        }
    }

    /// How many elements a vector holds here; 1 if some operation knows no vectors.
    fn find_lanes(&self, g: &Graph, unit: &Unit, kept: &[bool]) -> usize {
        let whole = || {
            let nodes = unit.nodes.iter().copied();
            nodes.filter(|&n| !self.is_row_node(g, n))
        };
        let wide = whole().any(|n| {
            g.ty(n).dtype == DType::F64
                || g.operands(n).iter().any(|&o| g.ty(o).dtype == DType::F64)
        });
        let lanes = if wide { 2 } else { 4 };
        let is_bool = |v: Value| g.ty(v).dtype == DType::Bool;
        let fits = whole().all(|n| {
            let stored = kept[n.0 as usize] || self.scratch.contains(&n);
            let outside = |o: &Value| {
                !self.members.contains(o)
                    && is_bool(*o)
                    && g.literal(access(g, *o).source).is_none()
            };
            let arithmetic = match scalar_of(g, n) {
                Some(f) if native(f).is_none() => {
                    vector(f, operand_type(g, n), g.ty(n).dtype, lanes)
                }
                _ => true,
            };
            arithmetic && !(stored && is_bool(n)) && !g.operands(n).iter().any(outside)
        });
        if fits && self.rows * self.columns > 1 {
            lanes
        } else {
            1
        }
    }

    /// Into how many parts, and how large.
    fn divide(&mut self, g: &Graph, unit: &Unit) {
        let whole = unit.nodes.iter().filter(|n| !self.is_row_node(g, **n));
        let weigh = |n: &Value| match scalar_of(g, *n) {
            Some(f) => weight(f),
            None if is_draw(g, *n) => WORD_WEIGHT,
            None => 1,
        };
        let cost: usize = whole.map(weigh).sum();
        let work = (self.rows * self.columns).saturating_mul(cost);
        let (count, grain) = if self.rows > 1 {
            (self.rows, 1)
        } else {
            (self.columns, TILE)
        };
        let parts = if self.by_row && self.rows == 1 {
            1
        } else {
            MAX_PARTS
        };
        // Of an odd number, two threads would wait for one.
        let wanted = match (work / PART).clamp(1, parts) {
            1 => 1,
            n => n.next_multiple_of(2),
        };
        self.chunk = count.div_ceil(wanted).max(1).next_multiple_of(grain);
        self.parts = count.div_ceil(self.chunk).max(1);
    }

    /// Whether rows are worked on tile by tile.
    pub fn tiled(&self) -> bool {
        self.phases > 1 || !self.scratch.is_empty()
    }

    /// Elements of a tile.
    pub fn tile(&self) -> usize {
        if self.tiled() && !self.by_row {
            TILE.min(self.columns)
        } else {
            self.columns
        }
    }

    /// Bytes of each buffer for scratch tiles: vector loops may write behind its end.
    pub fn buffer_bytes(&self, g: &Graph) -> Vec<usize> {
        let abreast = if self.abreast {
            wide::write::ROWS_ABREAST
        } else {
            1
        };
        let count = self.buffers.iter().max().map_or(0, |b| b + 1);
        let mut bytes = vec![0; count];
        for (v, &b) in self.scratch.iter().zip(&self.buffers) {
            let tile = (self.tile() * abreast * g.ty(*v).dtype.size()).next_multiple_of(64) + 64;
            bytes[b] = tile.max(bytes[b]);
        }
        bytes
    }

    /// Whether a reduction needs a place for partial results while rows are worked on.
    pub fn gathers(&self, fold: &Fold) -> bool {
        fold.kind == Folding::Whole || (fold.kind == Folding::Row && self.tile() < self.columns)
    }

    /// Bytes of the result of one part, for a reduction that every part adds to; if there are several parts.
    pub fn partial_bytes(&self, g: &Graph, fold: &Fold) -> Option<usize> {
        let size = g.ty(fold.node).dtype.size();
        match fold.kind {
            _ if self.parts == 1 => None,
            Folding::Row => None,
            Folding::Column => Some((self.columns * size).next_multiple_of(64)),
            Folding::Whole => Some((LANES * size).next_multiple_of(64)),
        }
    }

    /// Sizes of the scratch buffers that live in the arena: first those for tiles, of each part if there are several; then the
    /// places of partial results, or the results of the parts.
    pub fn scratch_bytes(&self, g: &Graph) -> Vec<usize> {
        let mut bytes = vec![];
        if self.tiles_in_arena() {
            let tiles = self.buffer_bytes(g).into_iter();
            bytes.extend(tiles.map(|b| b * self.parts));
        }
        if self.parts > 1 {
            let results = self.folds.iter();
            bytes.extend(results.filter_map(|f| Some(self.partial_bytes(g, f)? * self.parts)));
        } else {
            let gathers = self.folds.iter().filter(|f| self.gathers(f));
            bytes.extend(gathers.map(|f| LANES * g.ty(f.node).dtype.size()));
        }
        bytes
    }

    /// Whether scratch tiles are not on the stack of the part that uses them: those of whole rows may be too large for it.
    pub fn tiles_in_arena(&self) -> bool {
        self.parts == 1 || self.by_row
    }

    pub fn reach(&self, g: &Graph, o: Value) -> Reach {
        let shape = &g.ty(o).shape;
        if *shape != self.shape {
            let (_, one) = row_source(g, o);
            return if one { Reach::Scalar } else { Reach::Column };
        }
        let Access { axes, source } = self.source(g, o);
        let long: Vec<usize> = (0..shape.len()).filter(|&a| shape[a] != 1).collect();
        let have: Vec<usize> = axes.into_iter().filter(|&a| shape[a] != 1).collect();
        if have == long {
            Reach::Full
        } else if have.is_empty() || g.literal(source).is_some() {
            Reach::Scalar
        } else if long.starts_with(&have) {
            Reach::Column
        } else {
            Reach::Row
        }
    }

    /// What an outside operand is read from: through broadcasts, unless those do not fit the nest.
    pub fn source(&self, g: &Graph, o: Value) -> Access {
        let a = access(g, o);
        let shape = &g.ty(o).shape;
        if *shape != self.shape {
            let source = row_source(g, o).0;
            return Access { source, ..a };
        }
        let long: Vec<usize> = (0..shape.len()).filter(|&x| shape[x] != 1).collect();
        let have: Vec<usize> = a.axes.iter().copied().filter(|&x| shape[x] != 1).collect();
        let extent: usize = have.iter().map(|&x| shape[x]).product();
        // A literal is the same wherever it stands.
        let fits = have == long
            || have.is_empty()
            || g.literal(a.source).is_some()
            || (long.starts_with(&have) && extent == self.rows)
            || (long.ends_with(&have) && extent == self.columns);
        if fits {
            a
        } else {
            Access {
                source: o,
                axes: (0..shape.len()).collect(),
            }
        }
    }
}
