//! What determines a graph's results, fed to a hasher: equal streams mean graphs that compute the same to the bit.
//!
//! Nodes that no output needs, spans, names of inputs and outputs, and the numbers of bindings do not count. The rules of
//! functions that state their own derivative do not either: where a derivative was taken, it is in the graph.

use super::print::live;
use super::{Attr, Graph, Value};
use std::hash::{Hash, Hasher};

/// Feeds the nodes that matter, oldest first, and which of them are inputs and outputs.
pub fn feed(g: &Graph, h: &mut impl Hasher) {
    let nodes = live(g);
    let mut number = vec![u32::MAX; g.len()];
    for (i, v) in nodes.iter().enumerate() {
        number[v.0 as usize] = i as u32;
    }
    let place = |v: Value| number[v.0 as usize];
    nodes.len().hash(h);
    for &v in &nodes {
        let node = g.node(v);
        node.def.name.hash(h);
        feed_attr(&node.attr, h);
        let operands = g.operands(v);
        operands.len().hash(h);
        operands.iter().for_each(|&o| place(o).hash(h));
        node.guard.map(place).hash(h);
        node.strict.hash(h);
    }
    g.inputs.len().hash(h);
    g.inputs.iter().for_each(|i| place(i.value).hash(h));
    g.outputs.len().hash(h);
    g.outputs.iter().for_each(|o| place(o.1).hash(h));
}

fn feed_attr(attr: &Attr, h: &mut impl Hasher) {
    match attr {
        Attr::Id(_) => {}
        Attr::Loop(l) => {
            let shape = (l.carries, l.slices, l.rows, l.saved, l.count);
            (shape, l.reverse, l.bounded).hash(h);
            feed(&l.body, h);
        }
        Attr::Call(c) => (&c.name, c.args, c.results).hash(h),
        attr => attr.hash(h),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{DType, Literal, Type};
    use crate::ops;
    use std::hash::DefaultHasher;

    fn hash(g: &Graph) -> u64 {
        let mut h = DefaultHasher::new();
        feed(g, &mut h);
        h.finish()
    }

    fn square(name: &str, dead: bool, factor: f64) -> Graph {
        let mut g = Graph::new();
        let ty = Type::new(DType::F32, vec![3]);
        let x = g.input(name, ty.clone());
        let c = g.fill(Literal::Real(factor), ty);
        if dead {
            g.add(&ops::ADD, Attr::None, &[x, c]);
        }
        let y = g.add(&ops::MUL, Attr::None, &[x, c]);
        g.outputs.push((name.to_string(), y));
        g
    }

    #[test]
    fn what_computes_the_same_has_one_fingerprint() {
        let one = hash(&square("a", false, 2.0));
        assert_eq!(one, hash(&square("b", true, 2.0)));
        assert_ne!(one, hash(&square("a", false, 3.0)));
        let mut swapped = square("a", false, 2.0);
        let x = swapped.inputs[0].value;
        swapped.outputs[0].1 = x;
        assert_ne!(one, hash(&swapped));
    }
}
