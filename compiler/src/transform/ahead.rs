//! What depends on nothing but the number of the step is computed for several steps at once, before the first of these.
//!
//! Random words and what is made of them alone, learning rates, the powers of Adam's corrections: of small programs they are half
//! of a step, a few numbers each, which leave most lanes of a vector empty and wait for one another. Of sixteen steps together
//! they fill vectors. Results are the same to the bit, since only what goes element by element is moved.

use super::hoist::{computes, copy};
use super::region::batch_body;
use crate::codegen::cost::{WORD_WEIGHT, weight};
use crate::ir::{Attr, Graph, Value, print::live};
use crate::ops::{Kernel, View};
use std::collections::{HashMap, HashSet};

/// The name by which it is switched off.
pub const NAME: &str = "ahead";

/// Steps that are computed together: an even number, as the buffers of slots change places after each.
pub const STEPS: usize = 16;

/// Elements of a value that is computed ahead, at most: more fill vectors by themselves, and would be read from memory.
const MOST: usize = 16;

/// What is moved takes at least as much as so many additions of one element.
const LEAST_WORK: usize = 64;

/// What an input is to the steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// The number of the step.
    Step,
    /// The same for all of them.
    Steady,
    Other,
}

/// A graph in two.
pub struct Split {
    /// Has the inputs of the graph, the number of the step as a vector of [`STEPS`]; each output has a row for each step.
    pub block: Graph,
    /// Has the inputs of the graph, then one for each output of the block: its row. Its outputs are those of the graph.
    pub step: Graph,
}

/// Splits a graph by what its inputs are. Nothing if it is not worth it.
pub fn ahead(g: &Graph, inputs: &[Input]) -> Option<Split> {
    let nodes = live(g);
    let early = early(g, &nodes, inputs);
    let outputs: Vec<(String, Value)> = frontier(g, &nodes, &early)
        .into_iter()
        .enumerate()
        .map(|(i, v)| (format!("ahead{i}"), v))
        .collect();
    if work(g, &outputs) < LEAST_WORK {
        return None;
    }
    let one = copy(g, &outputs, &[]);
    let flags: Vec<bool> = inputs.iter().map(|i| *i == Input::Step).collect();
    let (block, all) = batch_body(&one, &flags, STEPS).ok()?;
    all.iter().all(|own| *own).then(|| Split {
        block,
        step: copy(g, &g.outputs, &outputs),
    })
}

/// Of small values that are made element by element of steady inputs and the step: whether it depends on the step.
fn early(g: &Graph, nodes: &[Value], inputs: &[Input]) -> HashMap<Value, bool> {
    let mut early: HashMap<Value, bool> = HashMap::new();
    for &v in nodes {
        let node = g.node(v);
        let own = match (&node.attr, node.def.kernel) {
            (Attr::Input(i, _), _) => match inputs[*i as usize] {
                Input::Step => Some(true),
                Input::Steady => Some(false),
                Input::Other => None,
            },
            (_, Kernel::Map(_) | Kernel::Draw | Kernel::Fill | Kernel::Iota | Kernel::View(_)) => {
                let operands = g.operands(v);
                let known: Option<Vec<bool>> =
                    operands.iter().map(|o| early.get(o).copied()).collect();
                known.map(|k| k.contains(&true))
            }
            _ => None,
        };
        if let Some(own) = own.filter(|_| g.ty(v).len() <= MOST) {
            early.insert(v, own);
        }
    }
    early
}

/// The last values that depend on the step and are early, on each way to the outputs.
fn frontier(g: &Graph, nodes: &[Value], early: &HashMap<Value, bool>) -> Vec<Value> {
    let mut wanted: HashSet<Value> = g.outputs.iter().map(|o| o.1).collect();
    let mut found = Vec::new();
    for &v in nodes.iter().rev() {
        if !wanted.contains(&v) {
            continue;
        }
        // What repeats an element is better done where it is read.
        let repeats = g.node(v).def.kernel == Kernel::View(View::Broadcast);
        let is_input = matches!(g.node(v).attr, Attr::Input(..));
        if early.get(&v) == Some(&true) && computes(g, v) && !repeats && !is_input {
            found.push(v);
        } else {
            wanted.extend(g.operands(v));
        }
    }
    found.reverse();
    found
}

/// What the values take, with all that they are made of, in additions of one element.
fn work(g: &Graph, values: &[(String, Value)]) -> usize {
    let mut seen: HashSet<Value> = HashSet::new();
    let mut next: Vec<Value> = values.iter().map(|v| v.1).collect();
    let mut work = 0;
    while let Some(v) = next.pop() {
        if seen.insert(v) {
            next.extend(g.operands(v));
            let each = match g.node(v).def.kernel {
                Kernel::Map(f) => weight(f),
                Kernel::Draw => WORD_WEIGHT,
                _ => 0,
            };
            work += each * g.ty(v).len();
        }
    }
    work
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::{Tensor, eval};
    use crate::ir::{DType, Type, verify};
    use crate::ops;

    /// y = x + erfinv(draw) * 0.9^step.
    fn graph() -> Graph {
        let mut g = Graph::new();
        let (int, real) = (Type::scalar(DType::I32), Type::new(DType::F32, vec![3]));
        let seed = g.input("seed", Type::new(DType::I32, vec![2]));
        let step = g.input("step", int);
        let x = g.input("x", real.clone());
        let attr = Attr::Draw {
            site: 5,
            shape: vec![3],
        };
        let bits = g.add(&ops::RANDOM_BITS, attr, &[seed, step]);
        let unit = g.add(&ops::BITS_TO_UNIT, Attr::DType(DType::F32), &[bits]);
        let draw = g.add(&ops::ERFINV, Attr::None, &[unit]);
        let t = g.add(&ops::CAST, Attr::DType(DType::F32), &[step]);
        let base = g.constant_like(0.9, t);
        let power = g.add(&ops::POW, Attr::None, &[base, t]);
        let rate = g.broadcast(power, vec![3], vec![]);
        let moved = g.mul(draw, rate);
        let y = g.add(&ops::ADD, Attr::None, &[x, moved]);
        g.outputs = vec![("y".into(), y)];
        g
    }

    #[test]
    fn steps_together_are_the_steps_one_by_one() {
        let g = graph();
        let kinds = [Input::Steady, Input::Step, Input::Other];
        let split = ahead(&g, &kinds).expect("there is enough");
        verify::verify(&split.block).unwrap();
        verify::verify(&split.step).unwrap();
        let ty = |shape: Vec<usize>, dtype| Type::new(dtype, shape);
        let seed = Tensor::new(ty(vec![2], DType::I32), vec![3.0, 1.0]);
        let x = Tensor::new(ty(vec![3], DType::F32), vec![1.0, 2.0, 3.0]);
        let numbers: Vec<f64> = (0..STEPS).map(|i| 7.0 + i as f64).collect();
        let steps = Tensor::new(ty(vec![STEPS], DType::I32), numbers.clone());
        let rows = eval(&split.block, &[seed.clone(), steps, x.clone()]);
        assert_eq!(rows[0].ty.shape, [STEPS, 3]);
        for (i, n) in numbers.into_iter().enumerate() {
            let step = Tensor::new(ty(vec![], DType::I32), vec![n]);
            let mut inputs = vec![seed.clone(), step, x.clone()];
            let whole = eval(&g, &inputs);
            let row = rows[0].values()[3 * i..][..3].to_vec();
            inputs.push(Tensor::new(ty(vec![3], DType::F32), row));
            assert_eq!(eval(&split.step, &inputs)[0].values(), whole[0].values());
        }
    }

    #[test]
    fn little_or_what_depends_on_more_stays() {
        let g = graph();
        let other = [Input::Other, Input::Step, Input::Other];
        let split = ahead(&g, &other).expect("a power is enough");
        assert_eq!(split.block.outputs.len(), 1);
        let none = [Input::Steady, Input::Other, Input::Other];
        assert!(ahead(&g, &none).is_none());
    }
}
