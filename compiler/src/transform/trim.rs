//! Drops what no one reads of loops: rows, carries that only keep themselves alive, slices and captured values.
//!
//! Does not: move work out of a loop (lowering leaves outside what does not change).

use super::Pass;
use crate::ir::{Attr, Graph, Loop, Owned, Value, print};
use std::collections::{HashMap, HashSet};

pub const TRIM_LOOPS: Pass = Pass {
    name: "trim_loops",
    about: "drops results and inputs of loops that nothing reads",
    run: trim,
};

/// What stays of a loop, by old position.
struct Kept {
    carries: Vec<usize>,
    slices: Vec<usize>,
    captured: Vec<usize>,
    rows: Vec<usize>,
}

/// The body's nodes that outputs need, without its inputs as such.
fn reached(body: &Graph, outputs: &[usize]) -> HashSet<Value> {
    let mut seen: HashSet<Value> = outputs.iter().map(|&o| body.outputs[o].1).collect();
    for v in body.values().rev() {
        if seen.contains(&v) {
            seen.extend(body.operands(v));
            seen.extend(body.node(v).guard);
        }
    }
    seen
}

fn kept(l: &Loop, used: &HashSet<usize>) -> Kept {
    let rows: Vec<usize> = (0..l.rows)
        .filter(|r| used.contains(&(l.carries + r)))
        .collect();
    let mut carries: Vec<usize> = (0..l.carries).filter(|c| used.contains(c)).collect();
    loop {
        let mut outputs: Vec<usize> = carries.clone();
        outputs.extend(rows.iter().map(|r| l.carries + r));
        if l.bounded {
            outputs.push(l.parts());
        }
        let seen = reached(&l.body, &outputs);
        let input = |i: usize| seen.contains(&l.body.inputs[1 + i].value);
        let more: Vec<usize> = (0..l.carries)
            .filter(|&c| input(c) || carries.contains(&c))
            .collect();
        if more.len() == carries.len() {
            let after = l.carries + l.slices;
            return Kept {
                slices: (0..l.slices).filter(|s| input(l.carries + s)).collect(),
                captured: (0..l.captured()).filter(|c| input(after + c)).collect(),
                carries,
                rows,
            };
        }
        carries = more;
    }
}

/// The loop with only what is kept, and its operands.
fn smaller(l: &Loop, k: &Kept, operands: &[Value]) -> (Loop, Vec<Value>) {
    let mut body = Graph::new();
    let mut map: HashMap<Value, Value> = HashMap::new();
    let after = l.carries + l.slices;
    let positions: Vec<usize> = (k.carries.iter().copied())
        .chain(k.slices.iter().map(|s| l.carries + s))
        .chain(k.captured.iter().map(|c| after + c))
        .collect();
    for i in std::iter::once(0).chain(positions.iter().map(|p| 1 + p)) {
        let old = &l.body.inputs[i];
        let new = body.input(old.name.clone(), l.body.ty(old.value).clone());
        map.insert(old.value, new);
    }
    let mut outputs: Vec<usize> = k.carries.clone();
    outputs.extend(k.rows.iter().map(|r| l.carries + r));
    if l.bounded {
        outputs.push(l.parts());
    }
    let seen = reached(&l.body, &outputs);
    for v in l.body.values() {
        if !seen.contains(&v) || map.contains_key(&v) {
            continue;
        }
        let node = l.body.node(v);
        let xs: Vec<Value> = l.body.operands(v).iter().map(|o| map[o]).collect();
        (body.origin, body.strict) = (node.origin, node.strict);
        let new = body.add(node.def, node.attr.clone(), &xs);
        map.insert(v, new);
    }
    for o in outputs {
        let (name, v) = &l.body.outputs[o];
        body.outputs.push((name.clone(), map[v]));
    }
    let mut chosen: Vec<Value> = operands[..l.first()].to_vec();
    chosen.extend(positions.iter().map(|p| operands[l.first() + p]));
    let new = Loop {
        body,
        carries: k.carries.len(),
        slices: k.slices.len(),
        rows: k.rows.len(),
        saved: 0,
        ..l.clone()
    };
    (new, chosen)
}

fn trim(old: &Graph) -> Graph {
    let live = print::live(old);
    let mut used: HashMap<Value, HashSet<usize>> = HashMap::new();
    for &v in &live {
        if let Attr::Part(k, _) = old.node(v).attr {
            let of = old.operands(v)[0];
            used.entry(of).or_default().insert(k as usize);
        }
    }
    if !live
        .iter()
        .any(|&v| matches!(old.node(v).attr, Attr::Loop(_)))
    {
        return old.clone();
    }
    let mut g = Graph::new();
    let mut map: HashMap<Value, Value> = HashMap::new();
    // By loop: old part to new part.
    let mut places: HashMap<Value, HashMap<usize, usize>> = HashMap::new();
    for v in live {
        let node = old.node(v);
        let xs: Vec<Value> = old.operands(v).iter().map(|o| map[o]).collect();
        (g.origin, g.strict) = (node.origin, node.strict);
        let new = match &node.attr {
            Attr::Input(i, ty) => g.input(old.inputs[*i as usize].name.clone(), ty.clone()),
            Attr::Loop(l) => {
                let none = HashSet::new();
                let k = kept(l, used.get(&v).unwrap_or(&none));
                let (mut small, chosen) = smaller(l, &k, &xs);
                small.body = trim(&small.body);
                let mut place = HashMap::new();
                for (i, c) in k.carries.iter().enumerate() {
                    place.insert(*c, i);
                }
                for (i, r) in k.rows.iter().enumerate() {
                    place.insert(l.carries + r, k.carries.len() + i);
                }
                places.insert(v, place);
                g.add(node.def, Attr::Loop(Owned::new(small)), &chosen)
            }
            Attr::Part(k, ty) => {
                let of = old.operands(v)[0];
                let k = places
                    .get(&of)
                    .and_then(|p| p.get(&(*k as usize)))
                    .copied()
                    .unwrap_or(*k as usize);
                g.add(node.def, Attr::Part(k as u32, ty.clone()), &xs)
            }
            attr => g.add(node.def, attr.clone(), &xs),
        };
        map.insert(v, new);
    }
    g.outputs = old
        .outputs
        .iter()
        .map(|(n, v)| (n.clone(), map[v]))
        .collect();
    g
}
