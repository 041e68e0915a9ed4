//! What is written over what: a nest that reads a value for the last time, element by element, may write its own to the same
//! buffer.
//!
//! before: y = f(x), x and y in two buffers    after: the same, in one
//! Keeps: an element is written over only when all that read it have: the node that writes it, and others that this one is
//! computed from.

use super::nest::{Nest, Reach, scalar_of};
use super::plan::{Unit, alias, root};
use crate::ir::{Graph, Value};
use std::collections::HashSet;

/// Bytes of a value below which nothing is won: it stays in the first-level cache wherever it is, and loops that are short of
/// registers read it again, which they cannot where it is written over.
const LEAST: usize = 4096;

/// A value that a unit writes, and the one from outside that it writes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    pub written: Value,
    pub read: Value,
}

/// What a unit may write over what. `dies`: is the buffer of a value read here for the last time, and no output or input?
pub fn overwritten(
    g: &Graph,
    unit: &Unit,
    nest: &Nest,
    kept: &[bool],
    dies: impl Fn(Value) -> bool,
) -> Vec<Over> {
    let mut found: Vec<Over> = Vec::new();
    if !unit.fused {
        return found;
    }
    let large = |v: Value| g.ty(v).bytes() >= LEAST;
    let whole = |v: Value| scalar_of(g, v).is_some() && !nest.is_row_node(g, v);
    let targets = unit.nodes.iter().copied();
    let targets: Vec<Value> = targets
        .filter(|&n| kept[n.0 as usize] && whole(n) && large(n))
        .collect();
    if targets.is_empty() {
        return found;
    }
    let read = read_last(g, unit, nest, dies);
    for n in targets {
        let before = ancestors(g, nest, n);
        let free = |r: &&Read| found.iter().all(|o| o.read != r.value);
        let over = read.iter().filter(free).find(|r| {
            let (ours, theirs) = (g.ty(n), g.ty(r.value));
            let same = ours.dtype.size() == theirs.dtype.size() && ours.len() == theirs.len();
            // A native kernel takes and gives buffers that are apart.
            let apart = !(nest.on_tiles(g, n) && r.by.contains(&n));
            let done = |by: &Value| *by == n || before.contains(by);
            same && apart && r.by.iter().all(done)
        });
        if let Some(r) = over {
            let read = r.value;
            found.push(Over { written: n, read });
        }
    }
    found
}

/// A value from outside that a unit reads, element by element, for the last time; and the nodes that do.
struct Read {
    value: Value,
    by: Vec<Value>,
}

fn read_last(g: &Graph, unit: &Unit, nest: &Nest, dies: impl Fn(Value) -> bool) -> Vec<Read> {
    let mut read: Vec<Read> = Vec::new();
    let mut otherwise: HashSet<Value> = HashSet::new();
    for &n in &unit.nodes {
        for o in g.operands(n) {
            if nest.members.contains(&o) {
                continue;
            }
            let source = nest.source(g, o).source;
            let value = root(g, source);
            if nest.members.contains(&value) || !dies(value) {
                continue;
            }
            let by_elements = nest.reach(g, o) == Reach::Full
                && is_all(g, source)
                && (scalar_of(g, n).is_none() || !nest.is_row_node(g, n));
            if !by_elements {
                otherwise.insert(value);
            }
            match read.iter_mut().find(|r| r.value == value) {
                Some(r) => r.by.push(n),
                None => read.push(Read { value, by: vec![n] }),
            }
        }
    }
    read.retain(|r| !otherwise.contains(&r.value));
    read
}

/// Is a value all of the buffer that it lies in?
fn is_all(g: &Graph, mut v: Value) -> bool {
    let len = g.ty(v).len();
    while alias(g, v).is_some() {
        v = g.operands(v)[0];
    }
    g.ty(v).len() == len
}

/// The nodes of the unit that a node is computed from.
fn ancestors(g: &Graph, nest: &Nest, n: Value) -> HashSet<Value> {
    let mut found = HashSet::new();
    let mut next = vec![n];
    while let Some(v) = next.pop() {
        for o in g.operands(v) {
            let made = match nest.members.contains(&o) {
                true => o,
                false => nest.source(g, o).source,
            };
            if nest.members.contains(&made) && found.insert(made) {
                next.push(made);
            }
        }
    }
    found
}
