//! What does not change from step to step is computed once, before them: the prologue.
//!
//! A value is hoisted if it and all that it depends on are small, and this is constants and inputs that stay the same: a large one
//! would be read from memory in each step, where most can be computed again in less time. What is made of large data once is to
//! be said so, by a `let` or a stage. If little would be saved, nothing is hoisted.

use crate::ir::{Attr, Graph, Value, print::live};
use crate::ops::{Kernel, View};
use std::collections::HashMap;

/// The name by which it is switched off.
pub const NAME: &str = "hoist";

/// Bytes of a value that is hoisted, or of an input that it is made of, at most: they stay in the caches.
const MOST_BYTES: usize = 1 << 20;

/// Elements that are computed in a step for what could be hoisted, at least.
const LEAST_WORK: usize = 256;

/// A graph in two.
pub struct Split {
    /// Has the inputs of the graph; its outputs are what is hoisted.
    pub prologue: Graph,
    /// Has the inputs of the graph, then one for each output of the prologue; its outputs are those of the graph.
    pub step: Graph,
}

/// Splits a graph. `steady`: by input, whether it stays the same. Nothing if it is not worth it.
pub fn hoist(g: &Graph, steady: &[bool]) -> Option<Split> {
    let nodes = live(g);
    let mut same: HashMap<Value, bool> = HashMap::new();
    for &v in &nodes {
        let all = match &g.node(v).attr {
            Attr::Input(i, ty) => steady[*i as usize] && ty.bytes() <= MOST_BYTES,
            _ => g.operands(v).iter().all(|o| same[o]),
        };
        same.insert(v, all);
    }
    let hoisted: HashMap<Value, usize> = frontier(g, &nodes, &same)
        .into_iter()
        .enumerate()
        .map(|(i, v)| (v, i))
        .collect();
    // What would no longer be computed in each step.
    let needed = behind(g, &hoisted);
    let work: usize = needed
        .iter()
        .filter(|v| computes(g, **v))
        .map(|v| g.ty(*v).len())
        .sum();
    if hoisted.is_empty() || work < LEAST_WORK {
        return None;
    }
    let mut order: Vec<(Value, usize)> = hoisted.iter().map(|(v, i)| (*v, *i)).collect();
    order.sort_by_key(|o| o.1);
    let named = |(v, i): &(Value, usize)| (format!("hoisted{i}"), *v);
    let outputs: Vec<(String, Value)> = order.iter().map(named).collect();
    Some(Split {
        prologue: copy(g, &outputs, &[]),
        step: copy(g, &g.outputs, &outputs),
    })
}

/// Is it more than a constant or another view of an operand?
pub(super) fn computes(g: &Graph, v: Value) -> bool {
    !matches!(
        g.node(v).def.kernel,
        Kernel::Leaf
            | Kernel::Fill
            | Kernel::Table
            | Kernel::Iota
            | Kernel::View(View::Reshape | View::Broadcast | View::Slice)
    ) && !matches!(g.node(v).attr, Attr::Loop(_))
}

/// The values that are hoisted: the last ones that stay the same and are small, on each way to the outputs.
fn frontier(g: &Graph, nodes: &[Value], same: &HashMap<Value, bool>) -> Vec<Value> {
    let mut wanted: HashMap<Value, ()> = g.outputs.iter().map(|o| (o.1, ())).collect();
    let mut found = Vec::new();
    for &v in nodes.iter().rev() {
        if !wanted.contains_key(&v) {
            continue;
        }
        if same[&v] && computes(g, v) && g.ty(v).bytes() <= MOST_BYTES {
            found.push(v);
        } else {
            wanted.extend(g.operands(v).into_iter().map(|o| (o, ())));
        }
    }
    found.reverse();
    found
}

/// The nodes that the values given are made of, themselves included.
fn behind(g: &Graph, values: &HashMap<Value, usize>) -> Vec<Value> {
    let mut seen: HashMap<Value, ()> = HashMap::new();
    let mut next: Vec<Value> = values.keys().copied().collect();
    while let Some(v) = next.pop() {
        if seen.insert(v, ()).is_none() {
            next.extend(g.operands(v));
        }
    }
    seen.into_keys().collect()
}

/// The part of a graph that makes these outputs, with all its inputs and, behind them, inputs in the place of `given`.
pub(super) fn copy(g: &Graph, outputs: &[(String, Value)], given: &[(String, Value)]) -> Graph {
    let mut out = Graph::new();
    let mut map: HashMap<Value, Value> = HashMap::new();
    for input in &g.inputs {
        let new = out.input(input.name.clone(), g.ty(input.value).clone());
        map.insert(input.value, new);
    }
    for (name, v) in given {
        let new = out.input(name.clone(), g.ty(*v).clone());
        map.insert(*v, new);
    }
    let mut needed = vec![false; g.len()];
    outputs.iter().for_each(|o| needed[o.1.0 as usize] = true);
    let nodes = live(g);
    for &v in nodes.iter().rev() {
        if needed[v.0 as usize] && !map.contains_key(&v) {
            for o in g.operands(v) {
                needed[o.0 as usize] = true;
            }
        }
    }
    for v in nodes {
        if !needed[v.0 as usize] || map.contains_key(&v) {
            continue;
        }
        let node = g.node(v);
        (out.origin, out.strict) = (node.origin, node.strict);
        let operands: Vec<Value> = g.operands(v).iter().map(|o| map[o]).collect();
        let new = out.add(node.def, node.attr.clone(), &operands);
        map.insert(v, new);
    }
    out.outputs = outputs.iter().map(|(n, v)| (n.clone(), map[v])).collect();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{DType, Literal, Type};
    use crate::ops;

    #[test]
    fn what_stays_the_same_is_computed_before() {
        let mut g = Graph::new();
        let ty = Type::new(DType::F32, vec![300]);
        let x = g.input("x", ty.clone());
        let y = g.input("y", ty.clone());
        let two = g.fill(Literal::Real(2.0), ty.clone());
        let e = g.add(&ops::EXP, Attr::None, &[x]);
        let steady = g.mul(e, two);
        let out = g.mul(steady, y);
        g.outputs = vec![("out".into(), out), ("steady".into(), steady)];
        let split = hoist(&g, &[true, false]).expect("there is enough");
        assert_eq!(split.prologue.outputs.len(), 1);
        assert_eq!(split.prologue.inputs.len(), 2);
        assert_eq!(split.step.inputs.len(), 3);
        assert_eq!(live(&split.step).len(), 4, "inputs and one product");
        assert!(hoist(&g, &[false, false]).is_none());
    }
}
