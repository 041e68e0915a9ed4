//! Graphs that nodes own: cut out of the graph they were traced in, put into another, given a leading axis.

use super::batch::{TooLarge, batch};
use crate::ir::{Attr, Graph, Loop, Owned, Type, Value};
use crate::ops::{self, Kernel};
use std::collections::HashMap;

/// Copies a graph's nodes into `g`, with values in the place of its inputs; gives its outputs. Nodes that were guarded
/// stay guarded.
pub fn inline(g: &mut Graph, body: &Graph, inputs: &[Value]) -> Vec<Value> {
    let mut map: HashMap<Value, Value> = HashMap::new();
    let (span, guard, strict) = (g.origin, g.guard, g.strict);
    for v in crate::ir::print::live(body) {
        let node = body.node(v);
        let new = if let Attr::Input(i, _) = &node.attr {
            inputs[*i as usize]
        } else {
            let xs: Vec<Value> = body.operands(v).iter().map(|o| map[o]).collect();
            (g.origin, g.strict) = (node.origin, node.strict || strict);
            g.guard = node.guard.map(|c| map[&c]).or(guard);
            g.add(node.def, node.attr.clone(), &xs)
        };
        map.insert(v, new);
    }
    (g.origin, g.guard, g.strict) = (span, guard, strict);
    body.outputs.iter().map(|o| map[&o.1]).collect()
}

/// A region cut out of the graph it was traced in.
pub struct Cut {
    /// Its inputs: the stand-ins, then what is captured.
    pub body: Graph,
    /// The values of the surrounding graph that it captures.
    pub captured: Vec<Value>,
}

/// Cuts out what `results` need and what depends on the stand-ins, of all that is younger than `mark`. The rest, which is
/// the same in each run of the region, stays where it is and is captured.
pub fn cut(g: &Graph, mark: usize, stand_ins: &[(Value, &str)], results: &[Value]) -> Cut {
    let varies = varying(g, mark, stand_ins, results);
    let mut body = Graph::new();
    let mut map: HashMap<Value, Value> = HashMap::new();
    for (v, name) in stand_ins {
        let input = body.input(*name, g.ty(*v).clone());
        map.insert(*v, input);
    }
    let mut captured = Vec::new();
    let mut order: Vec<Value> = varies.keys().copied().collect();
    order.sort_unstable();
    let mut outside = |body: &mut Graph, map: &mut HashMap<Value, Value>, v: Value| -> Value {
        if let Some(&found) = map.get(&v) {
            return found;
        }
        let node = g.node(v);
        let new = match node.def.kernel {
            Kernel::Fill | Kernel::Iota => body.add(node.def, node.attr.clone(), &[]),
            _ => {
                captured.push(v);
                body.input(format!("captured{}", captured.len()), node.ty.clone())
            }
        };
        map.insert(v, new);
        new
    };
    for v in order {
        if map.contains_key(&v) {
            continue;
        }
        let node = g.node(v);
        let xs: Vec<Value> = g
            .operands(v)
            .into_iter()
            .map(|o| outside(&mut body, &mut map, o))
            .collect();
        let guard = node.guard.map(|c| outside(&mut body, &mut map, c));
        (body.origin, body.strict) = (node.origin, node.strict);
        body.guard = guard;
        let new = body.add(node.def, node.attr.clone(), &xs);
        body.guard = None;
        map.insert(v, new);
    }
    for (i, r) in results.iter().enumerate() {
        let v = outside(&mut body, &mut map, *r);
        body.outputs.push((format!("out{i}"), v));
    }
    Cut { body, captured }
}

/// The nodes younger than `mark` that results need and that depend on a stand-in.
fn varying(
    g: &Graph,
    mark: usize,
    stand_ins: &[(Value, &str)],
    results: &[Value],
) -> HashMap<Value, ()> {
    let Some(last) = results.iter().max() else {
        return HashMap::new();
    };
    let (base, count) = (mark as u32, (last.0 as usize + 1).saturating_sub(mark));
    let mut needed = vec![false; count];
    for r in results.iter().filter(|r| r.0 >= base) {
        needed[(r.0 - base) as usize] = true;
    }
    let from = |v: Value| {
        let mut xs = g.operands(v);
        xs.extend(g.node(v).guard);
        xs
    };
    for i in (0..count).rev() {
        if needed[i] {
            for o in from(Value(base + i as u32)) {
                if o.0 >= base {
                    needed[(o.0 - base) as usize] = true;
                }
            }
        }
    }
    let mut out: HashMap<Value, ()> = stand_ins.iter().map(|s| (s.0, ())).collect();
    for (i, needed) in needed.into_iter().enumerate() {
        let v = Value(base + i as u32);
        if needed && from(v).iter().any(|o| out.contains_key(o)) {
            out.insert(v, ());
        }
    }
    for s in stand_ins {
        out.remove(&s.0);
    }
    out
}

/// Does the graph draw random words, in itself or in a loop of it?
pub fn draws(g: &Graph) -> bool {
    g.values().any(|v| match &g.node(v).attr {
        Attr::Loop(l) => draws(&l.body),
        _ => g.node(v).def.kernel == Kernel::Draw,
    })
}

/// A body whose inputs marked in `flags` have a new leading axis, and which of its outputs have it then.
///
/// # Errors
/// If a tensor of all lanes would be too large.
pub fn batch_body(body: &Graph, flags: &[bool], n: usize) -> Result<(Graph, Vec<bool>), TooLarge> {
    let mut g = Graph::new();
    let mut full = Vec::new();
    for (input, batched) in body.inputs.iter().zip(flags) {
        let ty = body.ty(input.value);
        let shape = if *batched {
            std::iter::once(n).chain(ty.shape.iter().copied()).collect()
        } else {
            ty.shape.clone()
        };
        full.push(g.input(input.name.clone(), Type::new(ty.dtype, shape)));
    }
    let mark = g.len();
    let mut lanes = Vec::new();
    let mut inner = Vec::new();
    for (i, (input, batched)) in body.inputs.iter().zip(flags).enumerate() {
        if *batched {
            let attr = Attr::Placeholder(i as u32, body.ty(input.value).clone());
            let lane = g.add(&ops::LANE, attr, &[]);
            lanes.push((lane, full[i]));
            inner.push(lane);
        } else {
            inner.push(full[i]);
        }
    }
    let outs = inline(&mut g, body, &inner);
    let lanes = batch(&mut g, mark, &lanes, &outs, n)?;
    for ((name, _), lane) in body.outputs.iter().zip(&lanes) {
        g.outputs.push((name.clone(), lane.value));
    }
    // What was traced for one lane is dropped.
    let clean = copy(&g, &Attr::clone);
    Ok((clean, lanes.iter().map(|l| l.batched).collect()))
}

/// Gives every output that has no lane axis one.
pub fn repeat_outputs(body: &mut Graph, flags: &[bool], want: &[bool], n: usize) {
    for i in 0..flags.len() {
        if want[i] && !flags[i] {
            let v = body.outputs[i].1;
            body.outputs[i].1 = body.trail(v, n);
        }
    }
}

/// A graph without its dead nodes, each attribute changed by `attr`. Guards are kept.
pub fn copy(old: &Graph, attr: &dyn Fn(&Attr) -> Attr) -> Graph {
    let mut g = Graph::new();
    let mut map: HashMap<Value, Value> = HashMap::new();
    for v in crate::ir::print::live(old) {
        let node = old.node(v);
        let new = if let Attr::Input(i, ty) = &node.attr {
            g.input(old.inputs[*i as usize].name.clone(), ty.clone())
        } else {
            let xs: Vec<Value> = old.operands(v).iter().map(|o| map[o]).collect();
            (g.origin, g.strict) = (node.origin, node.strict);
            g.guard = node.guard.map(|c| map[&c]);
            let new = g.add(node.def, attr(&node.attr), &xs);
            g.guard = None;
            new
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

/// The attribute of a draw, or of a loop that draws, with other streams.
pub fn redrawn(attr: &Attr, key: u64) -> Attr {
    match attr {
        Attr::Draw { site, shape } => Attr::Draw {
            site: (site ^ key)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(31),
            shape: shape.clone(),
        },
        Attr::Loop(l) if draws(&l.body) => Attr::Loop(Owned::new(Loop {
            body: copy(&l.body, &|a| redrawn(a, key)),
            ..(*l.0).clone()
        })),
        other => other.clone(),
    }
}
