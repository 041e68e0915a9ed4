//! Constants become inputs, so that graphs which differ in nothing else have one machine code: the applications of a stage
//! to several learning rates, each with draws of its own.
//!
//! Note [Which constants]
//! All reals but 0, 1 and -1, and the keys of draws: a function of the graph alone. Were it only those in which the graphs
//! at hand differ, the code of a stage, and so the last bits of what it leaves, would depend on what ran before it.
//! This comes after all passes, so arithmetic on constants has been done as it is elsewhere.

use crate::ir::print::live;
use crate::ir::{Attr, DType, Graph, Literal, Loop, Owned, Type, Value};
use crate::ops;
use std::collections::HashMap;

/// What an added input holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Constant {
    /// A number.
    Real(f64, DType),
    /// `int[2]`: low and high half of the key of a draw.
    Site(u64),
}

impl Constant {
    fn ty(self) -> Type {
        match self {
            Constant::Real(_, dtype) => Type::scalar(dtype),
            Constant::Site(_) => Type::new(DType::I32, vec![2]),
        }
    }
}

/// A graph without its constants.
pub struct Lifted {
    /// Its inputs: those that it had, then one for each constant.
    pub graph: Graph,
    pub constants: Vec<Constant>,
}

/// Makes inputs of a graph's constants: of a number as many as it has uses, so that two constants which happen to be equal
/// stay two.
pub fn lift(g: &Graph) -> Lifted {
    let nodes = live(g);
    let number = |v: Value| match &g.node(v).attr {
        Attr::Fill(Literal::Real(x), ty) if lifts(*x) && !ty.is_empty() => {
            Some(Constant::Real(*x, ty.dtype))
        }
        _ => None,
    };
    let mut constants = Vec::new();
    // The first of each node's constants, and the body of a loop without its own.
    let mut taken: HashMap<Value, (usize, Option<Graph>)> = HashMap::new();
    for &v in &nodes {
        let first = constants.len();
        let mut body = None;
        constants.extend(g.operands(v).into_iter().filter_map(number));
        match &g.node(v).attr {
            Attr::Draw { site, .. } => constants.push(Constant::Site(*site)),
            Attr::Loop(l) => {
                let inner = lift(&l.body);
                constants.extend(inner.constants);
                body = Some(inner.graph);
            }
            _ => {}
        }
        taken.insert(v, (first, body));
    }
    let first_output = constants.len();
    constants.extend(g.outputs.iter().filter_map(|o| number(o.1)));
    let mut out = Graph::new();
    let mut map: HashMap<Value, Value> = HashMap::new();
    for input in &g.inputs {
        let new = out.input(input.name.clone(), g.ty(input.value).clone());
        map.insert(input.value, new);
    }
    let mut added = Vec::new();
    for (i, c) in constants.iter().enumerate() {
        added.push(out.input(format!("constant{i}"), c.ty()));
    }
    for v in nodes {
        if map.contains_key(&v) || number(v).is_some() {
            continue;
        }
        let node = g.node(v);
        let (mut next, body) = taken.remove(&v).unwrap_or_default();
        let mut operands = Vec::new();
        for o in g.operands(v) {
            operands.push(match number(o) {
                Some(_) => {
                    next += 1;
                    filled(&mut out, added[next - 1], g.ty(o))
                }
                None => map[&o],
            });
        }
        let attr = match &node.attr {
            Attr::Draw { shape, .. } => {
                operands.push(added[next]);
                let shape = shape.clone();
                Attr::Draw { site: 0, shape }
            }
            Attr::Loop(l) => {
                let body = body.unwrap_or_default();
                let more = body.inputs.len() - l.body.inputs.len();
                operands.extend(&added[next..next + more]);
                Attr::Loop(Owned::new(Loop {
                    body,
                    ..(**l).clone()
                }))
            }
            other => other.clone(),
        };
        (out.origin, out.strict) = (node.origin, node.strict);
        out.guard = node.guard.map(|c| map[&c]);
        let new = out.add(node.def, attr, &operands);
        (out.guard, out.strict) = (None, false);
        map.insert(v, new);
    }
    let mut next = first_output;
    for (name, v) in &g.outputs {
        let new = match number(*v) {
            Some(_) => {
                next += 1;
                filled(&mut out, added[next - 1], g.ty(*v))
            }
            None => map[v],
        };
        out.outputs.push((name.clone(), new));
    }
    Lifted {
        graph: out,
        constants,
    }
}

/// See Note [Which constants].
fn lifts(x: f64) -> bool {
    x != 0.0 && x.abs() != 1.0
}

fn filled(g: &mut Graph, constant: Value, ty: &Type) -> Value {
    if ty.rank() == 0 {
        return constant;
    }
    let attr = Attr::Broadcast {
        shape: ty.shape.clone(),
        axes: vec![],
    };
    g.add(&ops::BROADCAST, attr, &[constant])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::{Tensor, eval};
    use crate::ir::{fingerprint, verify};
    use std::hash::{DefaultHasher, Hasher};

    /// y = x * rate + draws, and in a loop c = c * rate + draws.
    fn graph(rate: f64, site: u64) -> Graph {
        let body = |g: &mut Graph, x: Value, seed: Value, step: Value| {
            let ty = g.ty(x).clone();
            let r = g.fill(Literal::Real(rate), ty.clone());
            let y = g.add(&ops::MUL, Attr::None, &[x, r]);
            let shape = ty.shape.clone();
            let bits = g.add(&ops::RANDOM_BITS, Attr::Draw { site, shape }, &[seed, step]);
            let draws = g.add(&ops::BITS_TO_UNIT, Attr::DType(ty.dtype), &[bits]);
            g.add(&ops::ADD, Attr::None, &[y, draws])
        };
        let ty = Type::new(DType::F64, vec![3]);
        let (int, seed_ty) = (Type::scalar(DType::I32), Type::new(DType::I32, vec![2]));
        let mut inner = Graph::new();
        let index = inner.input("i", int.clone());
        let carry = inner.input("c", ty.clone());
        let seed = inner.input("seed", seed_ty.clone());
        let next = body(&mut inner, carry, seed, index);
        inner.outputs.push(("c".into(), next));
        let mut g = Graph::new();
        let x = g.input("x", ty);
        let seed = g.input("seed", seed_ty);
        let step = g.input("step", int);
        let y = body(&mut g, x, seed, step);
        let l = Loop {
            body: inner,
            carries: 1,
            slices: 0,
            rows: 0,
            saved: 0,
            count: 4,
            reverse: false,
            bounded: false,
        };
        let token = g.add(&ops::LOOP, Attr::Loop(Owned::new(l)), &[y, seed]);
        let z = super::super::loops::part(&mut g, token, 0);
        g.outputs.push(("z".into(), z));
        g
    }

    /// x * a + b
    fn twice(a: f64, b: f64) -> Graph {
        let mut g = Graph::new();
        let ty = Type::new(DType::F32, vec![2]);
        let x = g.input("x", ty.clone());
        let [a, b] = [a, b].map(|c| g.fill(Literal::Real(c), ty.clone()));
        let product = g.add(&ops::MUL, Attr::None, &[x, a]);
        let sum = g.add(&ops::ADD, Attr::None, &[product, b]);
        g.outputs.push(("y".into(), sum));
        g
    }

    #[test]
    fn lifted_graphs_are_one_and_compute_the_same() {
        let hash = |g: &Graph| {
            let mut h = DefaultHasher::new();
            fingerprint::feed(g, &mut h);
            h.finish()
        };
        let inputs = [
            Tensor::new(Type::new(DType::F64, vec![3]), vec![1.0, -2.0, 0.5]),
            Tensor::new(Type::new(DType::I32, vec![2]), vec![3.0, 4.0]),
            Tensor::new(Type::scalar(DType::I32), vec![7.0]),
        ];
        let mut seen = Vec::new();
        for (rate, site) in [(0.3, 5), (-2.5, u64::MAX - 3)] {
            let g = graph(rate, site);
            let lifted = lift(&g);
            verify::verify(&lifted.graph).unwrap();
            assert_eq!(lifted.constants.len(), 4);
            let mut all = inputs.to_vec();
            for c in &lifted.constants {
                let values = match *c {
                    Constant::Real(x, _) => vec![x],
                    Constant::Site(s) => {
                        vec![
                            f64::from(s as u32 as i32),
                            f64::from((s >> 32) as u32 as i32),
                        ]
                    }
                };
                all.push(Tensor::new(c.ty(), values));
            }
            let expected = eval(&g, &inputs)[0].values();
            assert_eq!(eval(&lifted.graph, &all)[0].values(), expected);
            seen.push((hash(&g), hash(&lifted.graph)));
        }
        assert_ne!(seen[0].0, seen[1].0);
        assert_eq!(seen[0].1, seen[1].1);
        // Equal by chance.
        assert_eq!(
            hash(&lift(&twice(0.3, 0.4)).graph),
            hash(&lift(&twice(0.3, 0.3)).graph)
        );
        // What differs more stays apart.
        let other = lift(&graph(1.0, 5));
        assert_ne!(hash(&other.graph), seen[0].1);
    }
}
