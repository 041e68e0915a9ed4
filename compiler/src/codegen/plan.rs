//! What is computed together, and in which order.

mod chains;
mod groups;
mod panels;

use super::panels::Panels;
use crate::ir::{Attr, Graph, Shape, Value};
use crate::ops::{Kernel, Monoid, View};
use groups::Groups;
pub use panels::{Product, Way, of_two, pace, product};
use std::collections::{BTreeSet, HashMap};

/// One loop nest or native call.
#[derive(Debug)]
pub struct Unit {
    /// Element-wise nodes and random words of one shape, reductions over that shape, and nodes of one element a row that are
    /// computed from these, oldest first; or a single node of another kind; or the few words that several sites draw; or a loop
    /// and those of its parts that are read; or what the links of a chain hold.
    pub nodes: Vec<Value>,
    pub fused: bool,
    /// Of a fused unit: the shape that its loop nest runs over.
    pub shape: Shape,
    /// How many of its leading axes make up the rows of the nest.
    pub split: usize,
    /// Of a chain: its links, whose nodes are those of the unit, and the rows that they go along.
    pub panels: Option<Box<Panels>>,
}

/// Columns below which a reduction over rows or columns is not worth a loop nest of its own.
const MIN_COLUMNS: usize = 8;

/// Elements at most in a row that is worked on as a whole, so that what reads a reduction of it can follow in the same nest: a
/// few such rows stay in the second-level cache.
const ROW: usize = 4096;

/// Random words from which on they are drawn in the loop nest that uses them, tile by tile: fewer stay in the second-level cache, and
/// the nest needs no calls.
const WORDS: usize = 1 << 17;

/// Random words of a site at most that are drawn in one call with those of others: a block of the generator, of which there are many
/// side by side in a vector.
pub(super) const FEW_WORDS: usize = 4;

/// How many groups are looked at to find a place in the order for one join. Joins that need more are not made.
const SEARCH: usize = 512;

/// Nodes at most that are computed once a row between a reduction of the row and what reads them.
const CONE: usize = 16;

/// Nodes at most in a group made of two.
const LARGEST: usize = 1024;

/// What a reduction inside a loop nest over rows and columns leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folding {
    /// One element for each row.
    Row,
    /// One element for each column.
    Column,
    /// One element.
    Whole,
}

/// How a loop nest over the operand's elements computes a reduction: what it leaves and, if that matters, how many leading
/// axes the nest's rows are. `None` if it cannot.
pub fn folding(g: &Graph, v: Value) -> Option<(Folding, Option<usize>)> {
    let (Kernel::Reduce(m), Attr::Axes(axes)) = (g.node(v).def.kernel, &g.node(v).attr) else {
        return None;
    };
    // Over no axes the result has the operand's shape: what reads it would be taken for a part of the same nest.
    if matches!(m, Monoid::Any | Monoid::All) || g.node(v).in_order() || axes.is_empty() {
        return None;
    }
    let shape = &g.ty(g.operands(v)[0]).shape;
    let left: Vec<usize> = (0..shape.len())
        .filter(|a| !axes.contains(a) && shape[*a] != 1)
        .collect();
    if left.is_empty() {
        return Some((Folding::Whole, None));
    }
    let split = split_of(shape, &left).ok().flatten()?;
    let columns: usize = shape[split..].iter().product();
    if columns < MIN_COLUMNS {
        return None;
    }
    let kind = if left[0] < split {
        Folding::Row
    } else {
        Folding::Column
    };
    Some((kind, Some(split)))
}

/// The units in an order in which they can run.
#[derive(Debug)]
pub struct Plan {
    pub units: Vec<Unit>,
    /// Whether a node has a buffer of its own (inputs, constants and what units leave).
    pub kept: Vec<bool>,
}

/// Where an element-wise operand's elements come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub source: Value,
    /// Axes of the loop that the source has, ascending; the others repeat it.
    pub axes: Vec<usize>,
}

/// Follows broadcasts to what they repeat.
pub fn access(g: &Graph, v: Value) -> Access {
    let mut axes: Vec<usize> = (0..g.ty(v).rank()).collect();
    let mut source = v;
    while let Attr::Broadcast { axes: inner, .. } = &g.node(source).attr {
        axes = inner.iter().map(|&a| axes[a]).collect();
        source = g.operands(source)[0];
    }
    Access { source, axes }
}

fn is_map(g: &Graph, v: Value) -> bool {
    matches!(g.node(v).def.kernel, Kernel::Map(_))
}

/// Whether a loop nest can hold the random words.
fn is_draw(g: &Graph, v: Value) -> bool {
    g.node(v).def.kernel == Kernel::Draw && g.ty(v).len() >= WORDS && !has_rows(g, v)
}

/// Whether random words are those of several rows of counters.
pub(super) fn has_rows(g: &Graph, v: Value) -> bool {
    g.ty(g.operands(v)[1]).rank() == 2
}

/// Whether a site draws no more than a block of words. (What is added to the site is an operand, of which there may be others.)
fn draws_few(g: &Graph, v: Value) -> bool {
    g.node(v).def.kernel == Kernel::Draw
        && (1..=FEW_WORDS).contains(&g.ty(v).len())
        && g.operands(v).len() == 2
        && !has_rows(g, v)
}

fn is_broadcast(g: &Graph, v: Value) -> bool {
    g.node(v).def.kernel == Kernel::View(View::Broadcast)
}

/// Constants and inputs: no unit makes them.
pub fn is_given(g: &Graph, v: Value) -> bool {
    matches!(
        g.node(v).def.kernel,
        Kernel::Leaf | Kernel::Fill | Kernel::Table | Kernel::Iota
    )
}

/// Bytes of the operand under another shape: all of them in a reshape, some in a row in a slice. Gives where the first stands, in
/// elements.
pub fn alias(g: &Graph, v: Value) -> Option<usize> {
    match (g.node(v).def.kernel, &g.node(v).attr) {
        (Kernel::View(View::Reshape), _) => Some(0),
        (Kernel::View(View::Slice), Attr::Slice { start, step, .. }) => {
            let (from, to) = (&g.ty(g.operands(v)[0]).shape, &g.ty(v).shape);
            // The axes behind the first that is cut are whole, and those before it have one element.
            let cut = (0..to.len()).rev().find(|&a| from[a] != to[a]).unwrap_or(0);
            let in_a_row = to[..cut].iter().all(|&n| n == 1)
                && step.iter().zip(to).all(|(s, n)| *s == 1 || *n <= 1);
            let mut stride = 1;
            let mut at = 0;
            for a in (0..to.len()).rev() {
                at += start[a] * stride;
                stride *= from[a];
            }
            (in_a_row && !g.ty(v).is_empty()).then_some(at)
        }
        _ => None,
    }
}

/// The value in whose buffer `v` lies, all of it or a part.
pub fn root(g: &Graph, mut v: Value) -> Value {
    while is_alias(g, v) {
        v = g.operands(v)[0];
    }
    v
}

pub fn is_alias(g: &Graph, v: Value) -> bool {
    alias(g, v).is_some()
}

/// How many leading axes an operand repeats over or runs along, if one loop over rows and columns can reach it:
/// `None` for no preference.
fn split_of(shape: &[usize], axes: &[usize]) -> Result<Option<usize>, ()> {
    let long = |a: &usize| shape[*a] != 1;
    let have: Vec<usize> = axes.iter().copied().filter(long).collect();
    let all: Vec<usize> = (0..shape.len()).filter(long).collect();
    if have.len() == all.len() || have.is_empty() {
        return Ok(None);
    }
    if all.starts_with(&have) {
        return Ok(Some(have[have.len() - 1] + 1));
    }
    if all.ends_with(&have) {
        return Ok(Some(have[0]));
    }
    Err(())
}

/// An operand that repeats one element along each row of its shape, which is short enough to be worked on as a whole: what it
/// repeats, and how many leading axes the rows are (none if there is one row).
fn row_read(g: &Graph, o: Value) -> Option<(Value, usize)> {
    if !is_broadcast(g, o) {
        return None;
    }
    let Access { source, axes } = access(g, o);
    let shape = &g.ty(o).shape;
    let long = |a: &usize| shape[*a] != 1;
    let have: Vec<usize> = axes.into_iter().filter(long).collect();
    let all: Vec<usize> = (0..shape.len()).filter(long).collect();
    if have.len() == all.len() || !all.starts_with(&have) || is_given(g, source) {
        return None;
    }
    let split = have.last().map_or(0, |a| a + 1);
    let columns = shape[split..].iter().product();
    (1..=ROW).contains(&columns).then_some((source, split))
}

/// Where a node of one element a row reads an operand: through broadcasts, if these give all of the rows one element or each
/// its own. The flag says that it is one for all.
pub fn row_source(g: &Graph, o: Value) -> (Value, bool) {
    let Access { source, axes } = access(g, o);
    let shape = &g.ty(o).shape;
    let have = axes.iter().filter(|&&a| shape[a] != 1).count();
    if have == 0 || g.literal(source).is_some() {
        (source, true)
    } else if have == shape.iter().filter(|&&n| n != 1).count() {
        (source, false)
    } else {
        (o, false)
    }
}

/// Plans the work of the nodes given, which are all that outputs need.
pub fn plan(g: &Graph, live: &[Value]) -> Plan {
    plan_as(g, live, true)
}

/// The same; or, if nothing is to be fused, every node by itself.
pub fn plan_as(g: &Graph, live: &[Value], fuses: bool) -> Plan {
    let mut groups = Groups::default();
    // By seed and counters: the group of the few words that sites draw with them.
    let mut few: HashMap<Vec<Value>, usize> = HashMap::new();
    for &v in live {
        if is_given(g, v) || is_alias(g, v) || is_broadcast(g, v) {
            continue;
        }
        if is_map(g, v) {
            if !fuses || !groups.find_place(g, v) {
                groups.add(g, v, Some(v));
            }
            continue;
        }
        let joined = if g.node(v).def.kernel == Kernel::Part {
            // A loop writes its parts.
            groups.of(g.operands(v)[0])
        } else if fuses && draws_few(g, v) {
            few.get(&g.operands(v)).copied()
        } else if fuses {
            reduced_group(g, v, &groups)
        } else {
            None
        };
        match joined {
            Some(group) => groups.join(g, group, v),
            None => {
                let over = g.operands(v).first().copied();
                let reduced = |&o: &Value| folding(g, v).is_some() && !is_broadcast(g, o);
                let model = if is_draw(g, v) {
                    Some(v)
                } else {
                    over.filter(reduced)
                };
                let group = groups.add(g, v, model);
                if draws_few(g, v) {
                    few.insert(g.operands(v), group);
                }
            }
        }
    }
    if fuses {
        adopt(g, live, &mut groups);
    }
    let mut plan = order(g, &groups);
    if fuses {
        chains::join(g, &mut plan);
    }
    plan
}

/// The group whose loop nest can compute a reduction: that of its operand, if it agrees on what rows are.
fn reduced_group(g: &Graph, v: Value, groups: &Groups) -> Option<usize> {
    let (_, split) = folding(g, v)?;
    let operand = g.operands(v)[0];
    let group = groups.of(operand)?;
    let agrees = split.is_none() || groups.all[group].split.is_none_or(|s| Some(s) == split);
    let fits = groups.is_whole(g, operand, group) && agrees && groups.can_fold(g, group, v);
    fits.then_some(group)
}

/// Reductions that are alone join a loop nest that reads what they reduce.
fn adopt(g: &Graph, live: &[Value], groups: &mut Groups) {
    let mut alone: HashMap<Value, Vec<usize>> = HashMap::new();
    for group in 0..groups.all.len() {
        if let (Some(over), [v]) = (groups.all[group].model, groups.members(group).as_slice())
            && !groups.is_whole(g, *v, group)
        {
            alone.entry(over).or_default().push(group);
        }
    }
    for &v in live.iter().filter(|&&v| is_map(g, v)) {
        for o in g.operands(v) {
            for &reduction in alone.get(&o).into_iter().flatten() {
                let reader = groups.of(v).filter(|&r| groups.is_whole(g, v, r));
                if let Some(reader) = reader.filter(|_| groups.is_separate(reduction)) {
                    groups.merge(g, reader, reduction);
                }
            }
        }
    }
}

/// Splits, materialised broadcasts, and the final order.
fn order(g: &Graph, groups: &Groups) -> Plan {
    let mut kept = vec![false; g.len()];
    let mut copies: Vec<Value> = Vec::new();
    let mut keep_root = |v: Value, kept: &mut Vec<bool>| {
        let v = root(g, v);
        if is_broadcast(g, v) && !kept[v.0 as usize] {
            copies.push(v);
        }
        kept[v.0 as usize] = true;
        v
    };
    // By unit: the buffers that it reads.
    let mut reads: Vec<Vec<Value>> = Vec::new();
    let mut units = Vec::new();
    for (i, group) in groups.all.iter().enumerate() {
        let members = groups.members(i);
        let Some(&first) = members.first() else {
            continue;
        };
        // A reduction alone is a call, and so are random words.
        let model = group
            .model
            .filter(|_| members.len() > 1 || is_map(g, first));
        let shape = model.map_or(vec![], |m| g.ty(m).shape.clone());
        let mut read_here = Vec::new();
        for &m in &members {
            for o in g.operands(m) {
                if groups.of(o) == Some(i) {
                    continue;
                }
                let read = if model.is_none() || is_draw(g, m) {
                    o
                } else if is_map(g, m) && !groups.is_whole(g, m, i) {
                    row_source(g, o).0
                } else {
                    let a = access(g, o);
                    // A literal is the same wherever it stands.
                    let direct = g.literal(a.source).is_some()
                        || split_of(&shape, &a.axes).is_ok_and(|p| p.is_none() || p == group.split);
                    if direct { a.source } else { o }
                };
                read_here.push(keep_root(read, &mut kept));
            }
            if model.is_none() || !groups.is_whole(g, m, i) {
                // What a reduction or a row leaves has a buffer; so do the results of units that are not fused.
                kept[m.0 as usize] = true;
            }
        }
        reads.push(read_here);
        units.push(Unit {
            nodes: members,
            fused: model.is_some(),
            split: model.and(group.split).unwrap_or(0),
            shape,
            panels: None,
        });
    }
    for (_, v) in &g.outputs {
        keep_root(*v, &mut kept);
    }
    // A materialised broadcast reads what it repeats.
    let mut next = 0;
    while next < copies.len() {
        let copy = copies[next];
        let source = root(g, g.operands(copy)[0]);
        if is_broadcast(g, source) && !kept[source.0 as usize] {
            copies.push(source);
        }
        kept[source.0 as usize] = true;
        reads.push(vec![source]);
        units.push(Unit {
            nodes: vec![copy],
            fused: false,
            shape: vec![],
            split: 0,
            panels: None,
        });
        next += 1;
    }
    Plan {
        units: sort(units, &reads),
        kept,
    }
}

/// A topological order of the units, as near to the nodes' order as can be.
fn sort(units: Vec<Unit>, reads: &[Vec<Value>]) -> Vec<Unit> {
    let mut unit_of: HashMap<Value, usize> = HashMap::new();
    for (i, u) in units.iter().enumerate() {
        unit_of.extend(u.nodes.iter().map(|&n| (n, i)));
    }
    let needs: Vec<BTreeSet<usize>> = reads
        .iter()
        .enumerate()
        .map(|(i, read)| {
            let from = read.iter().filter_map(|v| unit_of.get(v).copied());
            from.filter(|&n| n != i).collect()
        })
        .collect();
    let key = |u: &Unit| u.nodes.iter().max().copied();
    let mut users: Vec<Vec<usize>> = vec![vec![]; units.len()];
    let mut missing: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    for (u, needed) in needs.iter().enumerate() {
        needed.iter().for_each(|&n| users[n].push(u));
    }
    let keys: Vec<Option<Value>> = units.iter().map(key).collect();
    let mut slots: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
    let mut ready: BTreeSet<(Option<Value>, usize)> = (0..slots.len())
        .filter(|&u| missing[u] == 0)
        .map(|u| (keys[u], u))
        .collect();
    let mut out = Vec::with_capacity(slots.len());
    while let Some((_, at)) = ready.pop_first() {
        out.extend(slots[at].take());
        for &u in &users[at] {
            missing[u] -= 1;
            if missing[u] == 0 {
                ready.insert((keys[u], u));
            }
        }
    }
    assert!(
        out.len() == slots.len(),
        "internal error: the units of a program form a circle"
    );
    out
}
