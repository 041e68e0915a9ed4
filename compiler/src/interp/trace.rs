//! Where a value that is not finite comes from.
//!
//! before: a graph, its inputs, and a node with an element that is no number. after: the operation that first gave one, the
//! element, and what it was given. Elements are followed one by one through what works element by element; through other
//! operations, to the first element of an operand that is as bad. Of a choice only the side that was taken is followed.
//! Does not: say whether an infinity that was meant (a mask, the logarithm of zero) is to blame; it names both ends.

use super::{Tensor, iterations, run};
use crate::ir::graph::Origin;
use crate::ir::{Attr, Graph, Loop, Type, Value};
use crate::ops::{self, Kernel};
use ndarray::{ArrayD, IxDyn};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// The values of a tensor, from the outside.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Range {
    /// The least and the largest finite value; none if there is none.
    pub finite: Option<(f64, f64)>,
    pub nans: usize,
    pub infinite: usize,
    pub count: usize,
}

impl Range {
    /// Of some values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut r = Range {
            finite: None,
            nans: 0,
            infinite: 0,
            count: 0,
        };
        for x in values {
            r.count += 1;
            if x.is_nan() {
                r.nans += 1;
            } else if x.is_infinite() {
                r.infinite += 1;
            } else {
                let (low, high) = r.finite.unwrap_or((x, x));
                r.finite = Some((low.min(x), high.max(x)));
            }
        }
        r
    }
}

/// What an operation was given.
#[derive(Clone, Debug)]
pub struct Operand {
    pub origin: Origin,
    /// The name, of an input of the program.
    pub name: Option<String>,
    pub ty: Type,
    pub range: Range,
    /// Its value at the element in question, where it has that element.
    pub here: Option<f64>,
    pub constant: bool,
}

/// An operation that gave a value that is not finite from values that are as they should be.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The operation; nothing if it was so when it was given to the program.
    pub op: Option<&'static str>,
    pub origin: Origin,
    /// The name, of an input of the program.
    pub name: Option<String>,
    pub ty: Type,
    /// The first such element.
    pub index: Vec<usize>,
    pub value: f64,
    pub operands: Vec<Operand>,
    /// The iterations of the loops that it stands in, outermost first, counted from 0.
    pub iterations: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Nan,
    Infinite,
}

impl Kind {
    fn holds(self, x: f64) -> bool {
        match self {
            Kind::Nan => x.is_nan(),
            Kind::Infinite => x.is_infinite(),
        }
    }

    fn first(self, a: &ArrayD<f64>) -> Option<Vec<usize>> {
        let mut all = a.indexed_iter();
        all.find(|(_, x)| self.holds(**x))
            .map(|(i, _)| ndarray::Dimension::slice(&i).to_vec())
    }
}

/// Where the bad elements of an output come from: the operation that made them and, if that had been given an infinity, the
/// one which made that. Nothing if the interpreter finds the output finite.
pub fn causes(g: &Graph, inputs: &[Tensor], output: Value) -> Vec<Cause> {
    let mut only = g.clone();
    only.outputs = vec![(String::new(), output)];
    let state = State::new(&only, inputs);
    let kinds = [Kind::Nan, Kind::Infinite];
    let Some(kind) = kinds
        .into_iter()
        .find(|k| k.first(&state.values[&output]).is_some())
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let infinity = state.search(output, kind, &mut found);
    if let (Kind::Nan, Some((at, within))) = (kind, infinity) {
        within.search(at, Kind::Infinite, &mut found);
    }
    found
}

/// A graph with the values of all its nodes.
struct State<'g> {
    graph: std::borrow::Cow<'g, Graph>,
    values: HashMap<Value, ArrayD<f64>>,
    iterations: Vec<usize>,
}

impl<'g> State<'g> {
    fn new(g: &'g Graph, inputs: &[Tensor]) -> Self {
        Self {
            graph: std::borrow::Cow::Borrowed(g),
            values: run(g, inputs),
            iterations: Vec::new(),
        }
    }

    /// Follows a bad value to where it was made, and notes it. Gives an infinite operand of that operation, if it has one.
    fn search(
        &self,
        from: Value,
        kind: Kind,
        found: &mut Vec<Cause>,
    ) -> Option<(Value, State<'static>)> {
        let g = &*self.graph;
        let mut at = from;
        let mut index = kind.first(&self.values[&at])?;
        loop {
            if let Attr::Part(k, _) = g.node(at).attr {
                let owner = g.operands(at)[0];
                match &g.node(owner).attr {
                    Attr::Call(c) => {
                        at = g.operands(owner)[c.args + k as usize];
                        index = kind.first(&self.values[&at])?;
                        continue;
                    }
                    Attr::Loop(l) => {
                        let given = g.operands(owner).into_iter();
                        let bad = { given }.find(|o| kind.first(&self.values[o]).is_some());
                        match bad {
                            Some(o) => at = o,
                            None => return self.search_loop(owner, l, kind, found),
                        }
                        index = kind.first(&self.values[&at])?;
                        continue;
                    }
                    _ => {}
                }
            }
            match self.next(at, &index, kind) {
                Some((o, i)) => (at, index) = (o, i),
                None => break,
            }
        }
        found.push(self.cause(at, &index));
        let infinite = |o: &Value| {
            let x = &self.values[o];
            match same_shape(g, at, *o) {
                true => x[IxDyn(&index)].is_infinite(),
                false => Kind::Infinite.first(x).is_some(),
            }
        };
        let operand = g.operands(at).into_iter().find(infinite)?;
        let owned = State {
            graph: std::borrow::Cow::Owned(g.clone()),
            values: self.values.clone(),
            iterations: self.iterations.clone(),
        };
        Some((operand, owned))
    }

    /// The operand that a bad element comes from, and the element of it.
    fn next(&self, at: Value, index: &[usize], kind: Kind) -> Option<(Value, Vec<usize>)> {
        let g = &*self.graph;
        let operands = g.operands(at);
        let place = IxDyn(index);
        if g.is(at, &ops::SELECT) && operands.len() == 3 {
            let yes = self.values[&operands[0]].get(place.clone()) == Some(&1.0);
            let taken = operands[if yes { 1 } else { 2 }];
            let bad = self.values[&taken]
                .get(place)
                .is_some_and(|x| kind.holds(*x));
            return bad.then(|| (taken, index.to_vec()));
        }
        if matches!(g.node(at).def.kernel, Kernel::Map(_)) {
            let bad = |o: &Value| {
                self.values[o]
                    .get(place.clone())
                    .is_some_and(|x| kind.holds(*x))
            };
            let o = operands.into_iter().find(bad)?;
            return Some((o, index.to_vec()));
        }
        let first = |o: Value| kind.first(&self.values[&o]).map(|i| (o, i));
        operands.into_iter().find_map(first)
    }

    fn search_loop(
        &self,
        owner: Value,
        l: &Loop,
        kind: Kind,
        found: &mut Vec<Cause>,
    ) -> Option<(Value, State<'static>)> {
        let g = &*self.graph;
        let tensor = |o: &Value| Tensor {
            ty: g.ty(*o).clone(),
            data: self.values[o].clone(),
        };
        let given: Vec<Tensor> = g.operands(owner).iter().map(tensor).collect();
        let mut result = None;
        iterations(l, &given, &mut |t, inputs, outs| {
            let bad = |out: &Tensor| kind.first(&out.data).is_some();
            let Some(k) = outs[..l.parts()].iter().position(bad) else {
                return ControlFlow::Continue(());
            };
            let mut state = State::new(&l.body, inputs);
            state.iterations.clone_from(&self.iterations);
            state.iterations.push(t);
            result = state.search(l.body.outputs[k].1, kind, found);
            ControlFlow::Break(())
        });
        result
    }

    fn cause(&self, at: Value, index: &[usize]) -> Cause {
        let g = &*self.graph;
        let node = g.node(at);
        let name = |v: Value| {
            let input = g.inputs.iter().find(|i| i.value == v);
            input.map(|i| i.name.clone())
        };
        let operands = g.operands(at).into_iter().map(|o| Operand {
            origin: g.node(o).origin,
            name: name(o),
            ty: g.ty(o).clone(),
            range: Range::of(self.values[&o].iter().copied()),
            here: same_shape(g, at, o)
                .then(|| self.values[&o].get(IxDyn(index)).copied())
                .flatten(),
            constant: g.literal(o).is_some(),
        });
        Cause {
            op: (!matches!(node.attr, Attr::Input(..))).then_some(node.def.name),
            origin: node.origin,
            name: name(at),
            ty: node.ty.clone(),
            index: index.to_vec(),
            value: self.values[&at][IxDyn(index)],
            operands: operands.collect(),
            iterations: self.iterations.clone(),
        }
    }
}

/// Does an operation work on the operand element by element?
fn same_shape(g: &Graph, at: Value, operand: Value) -> bool {
    matches!(g.node(at).def.kernel, Kernel::Map(_)) && g.ty(at).shape == g.ty(operand).shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{DType, Literal};

    fn tensor(values: &[f64]) -> Tensor {
        Tensor::new(Type::new(DType::F64, vec![values.len()]), values.to_vec())
    }

    /// The logarithm of a negative number is to blame, and neither the sum that hands it on nor the side not taken.
    #[test]
    fn the_first_operation_is_named_with_the_element() {
        let mut g = Graph::new();
        let ty = Type::new(DType::F64, vec![3]);
        let x = g.input("x", ty.clone());
        let zero = g.fill(Literal::Real(0.0), ty);
        let log = g.add(&ops::LOG, Attr::None, &[x]);
        let odd = g.add(&ops::DIV, Attr::None, &[zero, zero]);
        let below = g.add(&ops::LT, Attr::None, &[x, zero]);
        let chosen = g.add(&ops::SELECT, Attr::None, &[below, log, x]);
        let hidden = g.add(&ops::SELECT, Attr::None, &[below, chosen, odd]);
        let out = g.add(&ops::ADD, Attr::None, &[x, hidden]);
        g.outputs = vec![("out".into(), out)];
        let found = causes(&g, &[tensor(&[-1.0, -2.0, -3.0])], out);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].op, found[0].index.as_slice()),
            (Some("log"), &[0][..])
        );
        assert_eq!(found[0].operands[0].here, Some(-1.0));
        assert_eq!(found[0].operands[0].range.finite, Some((-3.0, -1.0)));
        // Of the other side the quotient is taken.
        let found = causes(&g, &[tensor(&[1.0, 2.0, 3.0])], out);
        assert_eq!(found[0].op, Some("div"));
        assert!(causes(&g, &[tensor(&[-1.0, -2.0, -3.0])], below).is_empty());
    }

    /// An infinity that became no number is followed to where it was made.
    #[test]
    fn an_infinity_is_followed_too() {
        let mut g = Graph::new();
        let x = g.input("x", Type::new(DType::F64, vec![2]));
        let big = g.add(&ops::EXP, Attr::None, &[x]);
        let out = g.add(&ops::SUB, Attr::None, &[big, big]);
        g.outputs = vec![("out".into(), out)];
        let found = causes(&g, &[tensor(&[1.0, 1e3])], out);
        let ops: Vec<_> = found.iter().map(|c| (c.op, c.index.clone())).collect();
        assert_eq!(ops, [(Some("sub"), vec![1]), (Some("exp"), vec![1])]);
        // What came so is told as that.
        let found = causes(&g, &[tensor(&[f64::NAN, 0.0])], out);
        assert_eq!((found[0].op, found[0].name.as_deref()), (None, Some("x")));
    }
}
