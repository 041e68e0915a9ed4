//! Where values are kept.

use super::nest::Nest;
use super::overwrite::{Over, overwritten};
use super::plan::{Plan, alias, is_given, root};
use crate::ir::{Attr, DType, Graph, Literal, Type, Value};
use crate::ops::Kernel;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Input(usize),
    Output(usize),
    /// An offset in bytes.
    Arena(usize),
    /// An address.
    Constant(usize),
    /// In the memory of a thread: where the panel is that a chain is at, and the bytes of a row.
    Panel(usize, usize),
}

/// Constant tensors and tables of numbers that the code refers to by address. Boxed: they never move.
#[derive(Default)]
pub struct Constants {
    lines: Vec<Box<[Line]>>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Constants {
    /// Keeps bytes; gives their address.
    pub fn add(&mut self, bytes: &[u8]) -> usize {
        let mut lines = vec![Line([0; 64]); bytes.len().div_ceil(64) + 1].into_boxed_slice();
        for (line, chunk) in lines.iter_mut().zip(bytes.chunks(64)) {
            line.0[..chunk.len()].copy_from_slice(chunk);
        }
        let address = lines.as_ptr() as usize;
        self.lines.push(lines);
        address
    }

    /// Keeps numbers; gives their address.
    pub fn add_numbers(&mut self, numbers: &[i64]) -> usize {
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        self.add(&bytes)
    }
}

/// A tensor's bytes from the value of each element.
fn bytes_of(ty: &Type, value: impl Fn(usize) -> Literal) -> Vec<u8> {
    let mut out = Vec::with_capacity(ty.bytes());
    for i in 0..ty.len() {
        let x = value(i);
        match ty.dtype {
            DType::F32 => out.extend((x.as_f64() as f32).to_ne_bytes()),
            DType::F64 => out.extend(x.as_f64().to_ne_bytes()),
            DType::I32 => out.extend((x.as_f64() as i32).to_ne_bytes()),
            DType::Bool => out.push(u8::from(x.as_f64() != 0.0)),
        }
    }
    out
}

/// The bytes of a constant node.
pub fn constant_bytes(g: &Graph, v: Value) -> Option<Vec<u8>> {
    let node = g.node(v);
    Some(match (node.def.kernel, &node.attr) {
        (Kernel::Fill, Attr::Fill(l, ty)) => bytes_of(ty, |_| *l),
        (Kernel::Table, Attr::Table(bits, ty)) => {
            bytes_of(ty, |i| Literal::Real(f64::from_bits(bits[i])))
        }
        (Kernel::Iota, Attr::Iota { shape, axis }) => {
            let inner: usize = shape[axis + 1..].iter().product();
            let extent = shape[*axis].max(1);
            bytes_of(&node.ty, |i| {
                Literal::Int((i / inner.max(1) % extent) as i64)
            })
        }
        _ => return None,
    })
}

/// A buffer in the arena: it is taken while the units from `first` to `last` run.
#[derive(Clone, Copy, Debug)]
struct Buffer {
    bytes: usize,
    first: usize,
    last: usize,
}

impl Buffer {
    /// With one more line: vector loops may write behind the end.
    fn size(&self) -> usize {
        self.bytes.next_multiple_of(64) + 64
    }

    /// Its size times how long it is taken.
    fn weight(&self) -> usize {
        self.size() * (self.last - self.first + 1)
    }

    fn meets(&self, o: &Self) -> bool {
        self.first <= o.last && o.first <= self.last
    }
}

/// Buffers above which only the fast way to place them is tried: the other one compares each with all.
const MOST_COMPARED: usize = 1024;

/// Where buffers, which are in the order of their first units, are in the arena; and how large that is.
///
/// First fit in the order of the units is best where sizes are few, as they mostly are. Where it leaves gaps, the largest are placed
/// first (Pisarchyk and Lee 2020), and then those that are large for long; the smallest arena of these is taken.
fn place_buffers(buffers: &[Buffer], units: usize) -> (Vec<usize>, usize) {
    let mut best = first_fit(buffers, units);
    let least = peak(buffers, units, |b| b.size());
    if buffers.len() > MOST_COMPARED {
        return best;
    }
    let orders: [fn(&Buffer) -> usize; 2] = [Buffer::size, Buffer::weight];
    for first in orders {
        if best.1 > least {
            let other = largest_first(buffers, first);
            if other.1 < best.1 {
                best = other;
            }
        }
    }
    best
}

/// The largest sum over the buffers that are taken while one unit runs.
fn peak(buffers: &[Buffer], units: usize, weight: impl Fn(&Buffer) -> usize) -> usize {
    let (mut more, mut less) = (vec![0; units + 1], vec![0; units + 1]);
    for b in buffers {
        more[b.first] += weight(b);
        less[b.last.min(units)] += weight(b);
    }
    let (mut now, mut most) = (0, 0);
    for (more, less) in more.into_iter().zip(less) {
        now += more;
        most = most.max(now);
        now -= less;
    }
    most
}

fn first_fit(buffers: &[Buffer], units: usize) -> (Vec<usize>, usize) {
    let mut ending: Vec<Vec<usize>> = vec![vec![]; units];
    let mut arena = Arena::default();
    let mut places = Vec::with_capacity(buffers.len());
    let mut freed = 0;
    for b in buffers {
        while freed < b.first {
            ending[freed].drain(..).for_each(|at| arena.free(at));
            freed += 1;
        }
        let at = arena.take(b.size());
        places.push(at);
        if let Some(ending) = ending.get_mut(b.last) {
            ending.push(at);
        }
    }
    (places, arena.high)
}

/// Each buffer, from the largest to the smallest by a measure, at the first place that nothing has meanwhile.
fn largest_first(buffers: &[Buffer], measure: impl Fn(&Buffer) -> usize) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(measure(&buffers[i])), i));
    let mut places = vec![0; buffers.len()];
    // In the order of their places.
    let mut placed: Vec<usize> = Vec::with_capacity(buffers.len());
    let mut high = 0;
    for i in order {
        let mut at = 0;
        for &other in placed.iter().filter(|&&o| buffers[o].meets(&buffers[i])) {
            if at + buffers[i].size() <= places[other] {
                break;
            }
            at = at.max(places[other] + buffers[other].size());
        }
        places[i] = at;
        high = high.max(at + buffers[i].size());
        let before = placed.partition_point(|&o| places[o] <= at);
        placed.insert(before, i);
    }
    (places, high)
}

/// Frees and finds room in the arena: first fit.
#[derive(Default)]
struct Arena {
    /// Sizes of what is taken, by offset.
    taken: HashMap<usize, usize>,
    /// Sizes of the gaps between, by offset; neighbours are merged.
    gaps: BTreeMap<usize, usize>,
    high: usize,
}

impl Arena {
    fn take(&mut self, size: usize) -> usize {
        let found = self
            .gaps
            .iter()
            .find(|g| *g.1 >= size)
            .map(|g| (*g.0, *g.1));
        let at = match found {
            Some((at, gap)) => {
                self.gaps.remove(&at);
                if gap > size {
                    self.gaps.insert(at + size, gap - size);
                }
                at
            }
            None => {
                // A gap at the end grows.
                let at = match self.gaps.last_key_value() {
                    Some((&at, &gap)) if at + gap == self.high => at,
                    _ => self.high,
                };
                self.gaps.remove(&at);
                self.high = at + size;
                at
            }
        };
        self.taken.insert(at, size);
        at
    }

    fn free(&mut self, offset: usize) {
        let Some(size) = self.taken.remove(&offset) else {
            return;
        };
        let (mut at, mut end) = (offset, offset + size);
        if let Some((&before, &gap)) = self.gaps.range(..offset).next_back()
            && before + gap == offset
        {
            at = before;
        }
        if let Some(gap) = self.gaps.remove(&end) {
            end += gap;
        }
        self.gaps.insert(at, end - at);
    }
}

/// The arena of a graph against the least that it can be for this order of units: what is alive while one of them runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    pub arena_bytes: usize,
    /// The largest sum of bytes of the values in the arena that are alive at one unit, and of its scratch.
    pub alive_bytes: usize,
    /// The most buffers that are alive at one unit: each may take [`PADDING`] more than its bytes.
    pub buffers: usize,
}

/// Bytes that a buffer takes beyond its own, at most: it begins on 64 bytes, and has a line behind its end.
pub const PADDING: usize = 128;

/// The places of all kept values, and of scratch buffers.
pub struct Memory {
    pub places: HashMap<Value, Place>,
    /// By unit: scratch buffers, in the order asked for.
    pub scratch: Vec<Vec<Place>>,
    pub footprint: Footprint,
    pub constants: Constants,
    /// Outputs that are copied from another place at the end: (output, value).
    pub copies: Vec<(usize, Value)>,
}

/// Where in its buffer a value begins, in bytes.
pub fn offset(g: &Graph, mut v: Value) -> usize {
    let size = g.ty(v).dtype.size();
    let mut elements = 0;
    while let Some(at) = alias(g, v) {
        elements += at;
        v = g.operands(v)[0];
    }
    elements * size
}

/// Gives everything a place. `scratch`: by unit, the sizes in bytes of the scratch buffers that it needs while it runs.
pub fn assign(g: &Graph, plan: &Plan, nests: &[Nest], scratch: &[Vec<usize>]) -> Memory {
    let mut m = Memory {
        places: HashMap::new(),
        scratch: Vec::new(),
        footprint: Footprint::default(),
        constants: Constants::default(),
        copies: Vec::new(),
    };
    for (i, (_, v)) in g.outputs.iter().enumerate() {
        let r = root(g, *v);
        let part = g.ty(r).bytes() != g.ty(*v).bytes();
        if part || is_given(g, r) || m.places.contains_key(&r) {
            m.copies.push((i, *v));
        } else {
            m.places.insert(r, Place::Output(i));
        }
    }
    for p in plan.units.iter().flat_map(|u| &u.panels) {
        let passing = p.passing.iter();
        m.places
            .extend(passing.map(|p| (p.value, Place::Panel(p.offset, p.row))));
    }
    // The last unit that reads a value; what is copied at the end lives until then.
    let mut last: HashMap<Value, usize> = HashMap::new();
    for (i, u) in plan.units.iter().enumerate() {
        for &n in &u.nodes {
            for o in g.operands(n) {
                let a = super::plan::access(g, o);
                last.insert(root(g, a.source), i);
                last.insert(root(g, o), i);
            }
        }
    }
    let end = plan.units.len();
    let copied: HashSet<Value> = m.copies.iter().map(|(_, v)| root(g, *v)).collect();
    // By value that is written over another: the first that stood in the buffer.
    let mut first: HashMap<Value, Value> = HashMap::new();
    for (i, (u, nest)) in plan.units.iter().zip(nests).enumerate() {
        let dies = |v: Value| {
            let stays = is_given(g, v) || copied.contains(&v) || m.places.contains_key(&v);
            !stays && last.get(&v) == Some(&i)
        };
        for Over { written, read } in overwritten(g, u, nest, &plan.kept, dies) {
            let start = first.get(&read).copied().unwrap_or(read);
            first.insert(written, start);
        }
    }
    // The buffer of an output is room for what it is written over.
    for (written, start) in &first {
        if let Some(&place) = m.places.get(written) {
            m.places.insert(*start, place);
        }
    }
    let mut buffers: Vec<Buffer> = Vec::new();
    let mut owners: Vec<Option<Value>> = Vec::new();
    let mut of: HashMap<Value, usize> = HashMap::new();
    for (i, u) in plan.units.iter().enumerate() {
        for &n in &u.nodes {
            let start = first.get(&n).copied().unwrap_or(n);
            if !plan.kept[n.0 as usize] || m.places.contains_key(&start) {
                continue;
            }
            let last = match last.get(&n) {
                _ if copied.contains(&n) => end,
                Some(&reader) => reader.max(i),
                None => i,
            };
            if let Some(&buffer) = of.get(&start) {
                buffers[buffer].last = last;
                continue;
            }
            of.insert(n, buffers.len());
            owners.push(Some(n));
            buffers.push(Buffer {
                bytes: g.ty(n).bytes(),
                first: i,
                last,
            });
        }
        for &bytes in &scratch[i] {
            owners.push(None);
            buffers.push(Buffer {
                bytes,
                first: i,
                last: i,
            });
        }
    }
    let (places, high) = place_buffers(&buffers, end);
    m.scratch = vec![vec![]; end];
    for ((owner, b), at) in owners.iter().zip(&buffers).zip(places) {
        match owner {
            Some(v) => {
                m.places.insert(*v, Place::Arena(at));
            }
            None => m.scratch[b.first].push(Place::Arena(at)),
        }
    }
    for (written, start) in first {
        if let Some(&place) = m.places.get(&start) {
            m.places.insert(written, place);
        }
    }
    m.footprint = Footprint {
        arena_bytes: high + 64,
        alive_bytes: peak(&buffers, end, |b| b.bytes),
        buffers: peak(&buffers, end, |_| 1),
    };
    m
}

/// The place of a value: constants are made when first asked for.
pub fn place(g: &Graph, m: &mut Memory, v: Value) -> Place {
    let r = root(g, v);
    if let Some(p) = m.places.get(&r) {
        return *p;
    }
    let p = match (&g.node(r).attr, constant_bytes(g, r)) {
        (Attr::Input(i, _), _) => Place::Input(*i as usize),
        (_, Some(bytes)) => Place::Constant(m.constants.add(&bytes)),
        _ => panic!("internal error: `{}` has no place", g.node(r).def.name),
    };
    m.places.insert(r, p);
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splitmix64.
    fn word(state: &mut u64) -> usize {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((z ^ (z >> 27)) >> 33) as usize
    }

    #[test]
    fn buffers_alive_at_once_never_overlap() {
        for seed in 0..200 {
            let mut state = seed;
            let units = 1 + word(&mut state) % 40;
            let mut buffers: Vec<Buffer> = (0..word(&mut state) % 80)
                .map(|_| {
                    let first = word(&mut state) % units;
                    Buffer {
                        bytes: word(&mut state) % 2000,
                        first,
                        last: first + word(&mut state) % (units + 1 - first),
                    }
                })
                .collect();
            buffers.sort_by_key(|b| b.first);
            let least = peak(&buffers, units, Buffer::size);
            let ways = [
                first_fit(&buffers, units),
                largest_first(&buffers, Buffer::size),
                largest_first(&buffers, Buffer::weight),
                place_buffers(&buffers, units),
            ];
            for (places, high) in &ways {
                assert!(*high >= least);
                for (i, a) in buffers.iter().enumerate() {
                    assert!(places[i] % 64 == 0 && places[i] + a.size() <= *high);
                    for (j, b) in buffers.iter().enumerate().take(i) {
                        let apart =
                            places[i] + a.size() <= places[j] || places[j] + b.size() <= places[i];
                        assert!(apart || !a.meets(b), "seed {seed}: {a:?} and {b:?}");
                    }
                }
            }
            assert!(ways[..3].iter().all(|w| ways[3].1 <= w.1));
        }
    }
}
