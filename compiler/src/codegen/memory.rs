//! Where values are kept.

use super::plan::{Plan, alias, is_given, root};
use crate::ir::{Attr, DType, Graph, Literal, Type, Value};
use crate::ops::Kernel;
use std::collections::{BTreeMap, HashMap};

/// A buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Input(usize),
    Output(usize),
    /// An offset in bytes.
    Arena(usize),
    /// An address.
    Constant(usize),
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
    fn take(&mut self, bytes: usize) -> usize {
        // One more line: vector loops may write behind the end.
        let size = bytes.div_ceil(64) * 64 + 64;
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

/// The places of all kept values, and of scratch buffers.
pub struct Memory {
    pub places: HashMap<Value, Place>,
    /// By unit: scratch buffers, in the order asked for.
    pub scratch: Vec<Vec<Place>>,
    pub arena_bytes: usize,
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
pub fn assign(g: &Graph, plan: &Plan, scratch: &[Vec<usize>]) -> Memory {
    let mut m = Memory {
        places: HashMap::new(),
        scratch: Vec::new(),
        arena_bytes: 0,
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
    // The last unit that reads a value.
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
    // What is copied at the end lives until then.
    for (_, v) in &m.copies {
        last.remove(&root(g, *v));
    }
    let mut dead: Vec<Vec<Value>> = vec![vec![]; plan.units.len()];
    for (v, i) in last {
        dead[i].push(v);
    }
    let mut arena = Arena::default();
    for (i, u) in plan.units.iter().enumerate() {
        let mut own = Vec::new();
        for &n in &u.nodes {
            if plan.kept[n.0 as usize] && !m.places.contains_key(&n) {
                m.places
                    .insert(n, Place::Arena(arena.take(g.ty(n).bytes())));
            }
        }
        for &bytes in &scratch[i] {
            own.push(arena.take(bytes));
        }
        for offset in &own {
            arena.free(*offset);
        }
        m.scratch.push(own.into_iter().map(Place::Arena).collect());
        for v in &dead[i] {
            if let Some(Place::Arena(offset)) = m.places.get(v) {
                arena.free(*offset);
            }
        }
    }
    m.arena_bytes = arena.high + 64;
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
