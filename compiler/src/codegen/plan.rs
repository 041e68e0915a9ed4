//! What is computed together, and in which order.

use crate::ir::{Attr, Graph, Value};
use crate::ops::{Kernel, Monoid, View};
use std::collections::{BTreeSet, HashMap};

/// One loop nest or native call.
#[derive(Debug)]
pub struct Unit {
    /// Element-wise nodes of one shape and reductions of them, oldest first; or a single node of another kind; or a loop
    /// and those of its parts that are read.
    pub nodes: Vec<Value>,
    pub fused: bool,
    /// Of a fused unit's shape: how many leading axes make up the rows of its loop nest.
    pub split: usize,
}

/// Columns below which a reduction over rows or columns is not worth a loop nest of its own.
const MIN_COLUMNS: usize = 32;

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

/// How many groups are looked at to find a place in the order for one join. Joins that need more are not made.
const SEARCH: usize = 512;

/// The groups being formed, in an order in which they can run.
///
/// A group runs after all those it needs: its level is above theirs. A join that asks for another need raises the level of
/// the group, and of those above it as far as that is called for (Pearce and Kelly 2006); if one of these is the need
/// itself, the groups would form a circle.
#[derive(Default)]
struct Groups {
    members: Vec<Vec<Value>>,
    /// By group: how many leading axes its rows are, once an operand or a reduction has decided it.
    split: Vec<Option<usize>>,
    level: Vec<usize>,
    /// By group: the groups that need it directly.
    users: Vec<Vec<usize>>,
}

impl Groups {
    fn add(&mut self, v: Value, needs: &[usize]) -> usize {
        let group = self.members.len();
        self.members.push(vec![v]);
        self.split.push(None);
        let level = needs.iter().map(|&n| self.level[n] + 1).max();
        self.level.push(level.unwrap_or(0));
        self.users.push(vec![]);
        self.need(group, needs);
        group
    }

    fn need(&mut self, group: usize, needs: &[usize]) {
        for &n in needs.iter().filter(|&&n| n != group) {
            if self.users[n].last() != Some(&group) {
                self.users[n].push(group);
            }
        }
    }

    /// Makes room for the group to need others: raises levels. False, and nothing changed, if that would be a circle or take
    /// too long.
    fn make_room(&mut self, group: usize, needs: &[usize]) -> bool {
        let mut changed: Vec<(usize, usize)> = Vec::new();
        let wanted = needs.iter().map(|&n| self.level[n] + 1).max().unwrap_or(0);
        let mut next = vec![(group, wanted)];
        let mut fits = true;
        let mut looked = 0;
        while let Some((at, level)) = next.pop() {
            looked += 1;
            if (needs.contains(&at) && at != group) || looked > SEARCH {
                fits = false;
                break;
            }
            if self.level[at] >= level {
                continue;
            }
            changed.push((at, self.level[at]));
            self.level[at] = level;
            next.extend(self.users[at].iter().map(|&u| (u, level + 1)));
        }
        if !fits {
            for (at, level) in changed.into_iter().rev() {
                self.level[at] = level;
            }
        }
        fits
    }

    /// Lets the operands of a new member, or what a new reduction leaves, decide what rows are.
    fn decide(&mut self, g: &Graph, group: usize, v: Value, group_of: &HashMap<Value, usize>) {
        let wish = match folding(g, v) {
            Some((_, wish)) => wish,
            None => g
                .operands(v)
                .into_iter()
                .filter(|o| group_of.get(o) != Some(&group))
                .find_map(|o| split_of(&g.ty(v).shape, &access(g, o).axes).ok().flatten()),
        };
        self.split[group] = self.split[group].or(wish);
    }

    fn join(&mut self, group: usize, v: Value, needs: &[usize]) {
        self.members[group].push(v);
        self.need(group, needs);
    }
}

/// The group that makes what an operand is: through aliases and repeated broadcasts.
fn maker(g: &Graph, mut v: Value, group_of: &HashMap<Value, usize>) -> Option<usize> {
    while is_alias(g, v) || is_broadcast(g, v) {
        v = g.operands(v)[0];
    }
    group_of.get(&v).copied()
}

/// Plans the work of the nodes given, which are all that outputs need.
pub fn plan(g: &Graph, live: &[Value]) -> Plan {
    let mut groups = Groups::default();
    let mut group_of: HashMap<Value, usize> = HashMap::new();
    for &v in live {
        if is_given(g, v) || is_alias(g, v) || is_broadcast(g, v) {
            continue;
        }
        let mut needs: Vec<usize> = Vec::new();
        for o in g.operands(v) {
            needs.extend(maker(g, o, &group_of).filter(|m| !needs.contains(m)));
        }
        let joined = if is_map(g, v) {
            candidate(g, v, &needs, &mut groups, &group_of)
        } else if g.node(v).def.kernel == Kernel::Part {
            // A loop writes its parts.
            group_of.get(&g.operands(v)[0]).copied()
        } else {
            reduced_group(g, v, &groups, &group_of)
        };
        let group = match joined {
            Some(group) => {
                groups.join(group, v, &needs);
                group
            }
            None => groups.add(v, &needs),
        };
        if is_map(g, groups.members[group][0]) {
            groups.decide(g, group, v, &group_of);
        }
        group_of.insert(v, group);
    }
    order(g, live, &groups, &group_of)
}

/// A group of the same shape that the node can join without making a circle.
fn candidate(
    g: &Graph,
    v: Value,
    needs: &[usize],
    groups: &mut Groups,
    group_of: &HashMap<Value, usize>,
) -> Option<usize> {
    let shape = &g.ty(v).shape;
    let operands = g.operands(v);
    operands.iter().rev().find_map(|o| {
        let &group = group_of.get(o)?;
        let fits = is_map(g, *o) && g.ty(*o).shape == *shape;
        // What a reduction of the group leaves, repeated, is known only when the group has run.
        let own =
            |x: &Value| group_of.get(x) != Some(&group) && maker(g, *x, group_of) == Some(group);
        let others: Vec<usize> = needs.iter().copied().filter(|&n| n != group).collect();
        (fits && !operands.iter().any(own) && groups.make_room(group, &others)).then_some(group)
    })
}

/// The group whose loop nest can compute a reduction: that of its operand, if it agrees on what rows are.
fn reduced_group(
    g: &Graph,
    v: Value,
    groups: &Groups,
    group_of: &HashMap<Value, usize>,
) -> Option<usize> {
    let (_, split) = folding(g, v)?;
    let operand = g.operands(v)[0];
    let &group = group_of.get(&operand)?;
    let agrees = split.is_none() || groups.split[group].is_none_or(|s| Some(s) == split);
    (is_map(g, operand) && agrees).then_some(group)
}

/// Splits, materialised broadcasts, and the final order.
fn order(g: &Graph, live: &[Value], groups: &Groups, group_of: &HashMap<Value, usize>) -> Plan {
    let mut kept = vec![false; g.len()];
    let mut copies: Vec<Value> = Vec::new();
    let keep_root = |v: Value, kept: &mut Vec<bool>, copies: &mut Vec<Value>| {
        let mut v = v;
        while is_alias(g, v) {
            v = g.operands(v)[0];
        }
        if is_broadcast(g, v) && !kept[v.0 as usize] {
            copies.push(v);
        }
        kept[v.0 as usize] = true;
    };
    for (i, members) in groups.members.iter().enumerate() {
        let fused = is_map(g, members[0]);
        let shape = &g.ty(members[0]).shape;
        let split = groups.split[i];
        for &m in members {
            for o in g.operands(m) {
                if group_of.get(&o) == Some(&i) {
                    continue;
                }
                if !fused {
                    keep_root(o, &mut kept, &mut copies);
                    continue;
                }
                let a = access(g, o);
                // A literal is the same wherever it stands.
                let direct = g.literal(a.source).is_some()
                    || split_of(shape, &a.axes).is_ok_and(|p| p.is_none() || p == split);
                let read = if direct { a.source } else { o };
                keep_root(read, &mut kept, &mut copies);
            }
            if !is_map(g, m) {
                // What a reduction leaves has a buffer; so do the results of units that are not fused.
                kept[m.0 as usize] = true;
            }
        }
    }
    for (_, v) in &g.outputs {
        keep_root(*v, &mut kept, &mut copies);
    }
    // A materialised broadcast reads what it repeats.
    let mut next = 0;
    while next < copies.len() {
        let source = g.operands(copies[next])[0];
        keep_root(source, &mut kept, &mut copies);
        next += 1;
    }
    let mut units: Vec<Unit> = groups
        .members
        .iter()
        .zip(&groups.split)
        .map(|(m, split)| Unit {
            nodes: m.clone(),
            fused: is_map(g, m[0]),
            split: split.unwrap_or(0),
        })
        .collect();
    units.extend(copies.iter().map(|&v| Unit {
        nodes: vec![v],
        fused: false,
        split: 0,
    }));
    let sorted = sort(g, live, units);
    Plan {
        units: sorted,
        kept,
    }
}

/// A topological order of the units, as near to the nodes' order as can be.
fn sort(g: &Graph, live: &[Value], units: Vec<Unit>) -> Vec<Unit> {
    let mut unit_of: HashMap<Value, usize> = HashMap::new();
    for (i, u) in units.iter().enumerate() {
        u.nodes.iter().for_each(|&n| {
            unit_of.insert(n, i);
        });
    }
    // The units a node comes from: through aliases and broadcasts that stay in the loops.
    let mut from: HashMap<Value, BTreeSet<usize>> = HashMap::new();
    let mut needs: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); units.len()];
    for &v in live {
        let mut set = BTreeSet::new();
        for o in g.operands(v) {
            set.extend(from.get(&o).into_iter().flatten());
        }
        if let Some(&u) = unit_of.get(&v) {
            needs[u].extend(set.iter().copied().filter(|&n| n != u));
            if !is_broadcast(g, v) {
                set.clear();
            }
            set.insert(u);
        }
        from.insert(v, set);
    }
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
