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
    if matches!(m, Monoid::Any | Monoid::All) || g.node(v).in_order() {
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

/// A reshape: the same bytes under another shape.
pub fn is_alias(g: &Graph, v: Value) -> bool {
    g.node(v).def.kernel == Kernel::View(View::Reshape)
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

/// The groups being formed, and which depend on which.
#[derive(Default)]
struct Groups {
    members: Vec<Vec<Value>>,
    /// By group: how many leading axes its rows are, once an operand or a reduction has decided it.
    split: Vec<Option<usize>>,
    /// By group: all groups it needs, directly or not.
    needs: Vec<BTreeSet<usize>>,
}

impl Groups {
    fn add(&mut self, v: Value, needs: BTreeSet<usize>) -> usize {
        self.members.push(vec![v]);
        self.split.push(None);
        self.needs.push(needs);
        self.members.len() - 1
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

    fn join(&mut self, group: usize, v: Value, needs: &BTreeSet<usize>) {
        self.members[group].push(v);
        let more: Vec<usize> = needs.iter().copied().filter(|&n| n != group).collect();
        for (i, set) in self.needs.iter_mut().enumerate() {
            if i == group || set.contains(&group) {
                set.extend(&more);
            }
        }
    }
}

/// Plans the work of the nodes given, which are all that outputs need.
pub fn plan(g: &Graph, live: &[Value]) -> Plan {
    let mut groups = Groups::default();
    let mut group_of: HashMap<Value, usize> = HashMap::new();
    // The groups a value needs, itself included: through aliases and repeated broadcasts.
    let mut needs_of: HashMap<Value, BTreeSet<usize>> = HashMap::new();
    for &v in live {
        if is_given(g, v) {
            continue;
        }
        let mut needs = BTreeSet::new();
        for o in g.operands(v) {
            needs.extend(needs_of.get(&o).into_iter().flatten());
        }
        if is_alias(g, v) || is_broadcast(g, v) {
            needs_of.insert(v, needs);
            continue;
        }
        let joined = if is_map(g, v) {
            candidate(g, v, &groups, &group_of, &needs_of)
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
            None => groups.add(v, needs.clone()),
        };
        if is_map(g, groups.members[group][0]) {
            groups.decide(g, group, v, &group_of);
        }
        group_of.insert(v, group);
        let mut all = groups.needs[group].clone();
        all.insert(group);
        needs_of.insert(v, all);
        // Members' needs have grown with the group's.
        for m in groups.members[group].clone() {
            let mut all = groups.needs[group].clone();
            all.insert(group);
            needs_of.insert(m, all);
        }
    }
    order(g, live, &groups, &group_of)
}

/// A group of the same shape that the node can join without making a circle.
fn candidate(
    g: &Graph,
    v: Value,
    groups: &Groups,
    group_of: &HashMap<Value, usize>,
    needs_of: &HashMap<Value, BTreeSet<usize>>,
) -> Option<usize> {
    let shape = &g.ty(v).shape;
    let operands = g.operands(v);
    operands.iter().rev().find_map(|o| {
        let &group = group_of.get(o)?;
        let fits = is_map(g, *o) && g.ty(*o).shape == *shape;
        let circle = operands.iter().any(|other| {
            group_of.get(other) != Some(&group)
                && needs_of.get(other).is_some_and(|n| {
                    n.contains(&group) || n.iter().any(|&k| groups.needs[k].contains(&group))
                })
        });
        (fits && !circle).then_some(group)
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
        if is_broadcast(g, v) && !copies.contains(&v) {
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
                match split_of(shape, &a.axes) {
                    Ok(p) if p.is_none() || p == split => {
                        keep_root(a.source, &mut kept, &mut copies);
                    }
                    _ => keep_root(o, &mut kept, &mut copies),
                }
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
    let mut slots: Vec<Option<Unit>> = units.into_iter().map(Some).collect();
    let mut waiting: BTreeSet<(Option<Value>, usize)> = slots
        .iter()
        .enumerate()
        .map(|(i, u)| (u.as_ref().and_then(key), i))
        .collect();
    let mut done = vec![false; slots.len()];
    let mut out = Vec::new();
    while let Some(&at) = waiting
        .iter()
        .find(|(_, i)| needs[*i].iter().all(|&n| done[n]))
    {
        waiting.remove(&at);
        done[at.1] = true;
        out.extend(slots[at.1].take());
    }
    assert!(
        waiting.is_empty(),
        "internal error: the units of a program form a circle"
    );
    out
}
