//! Sums in order: machine code gives the interpreter's bits, which rounds at every step.

use super::operations::{Words, bytes, run_compiled, values};
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{Attr, Contract, DType, Graph, Type, Value};
use mlc_compiler::ops::{self, Domain};
use mlc_compiler::transform::differentiate::grad;
use mlc_compiler::transform::optimise;

fn agree(g: &Graph, what: &str) {
    let mut words = Words(23);
    let inputs: Vec<Tensor> = g
        .inputs
        .iter()
        .map(|i| {
            let ty = g.ty(i.value).clone();
            let v = values(&ty, Domain::Between(-2.0, 2.0), &mut words);
            Tensor::new(ty, v)
        })
        .collect();
    let g = optimise(g.clone(), &[]);
    for (i, (exact, y)) in eval(&g, &inputs)
        .iter()
        .zip(run_compiled(&g, &inputs))
        .enumerate()
    {
        assert_eq!(bytes(exact), bytes(&y), "{what}: output {i}");
    }
}

#[test]
fn reductions_over_any_axes() {
    for dtype in [DType::F32, DType::F64] {
        for shape in [
            vec![37],
            vec![5, 70],
            vec![3, 40, 6],
            vec![2, 0, 3],
            vec![4, 1, 3, 5],
        ] {
            for mask in 1..1usize << shape.len() {
                let axes: Vec<usize> = (0..shape.len()).filter(|a| mask >> a & 1 == 1).collect();
                let mut g = Graph::new();
                let x = g.input("x", Type::new(dtype, shape.clone()));
                g.strict = true;
                let y = g.mul(x, x);
                for def in [&ops::SUM, &ops::PROD] {
                    let s = g.add(def, Attr::Axes(axes.clone()), &[y]);
                    g.outputs.push((def.name.into(), s));
                }
                agree(&g, &format!("{dtype:?} {shape:?} over {axes:?}"));
            }
        }
    }
}

#[test]
fn products_and_their_derivatives() {
    let layouts = [
        (vec![], vec![(1, 0)], vec![70, 37], vec![37, 20]),
        (vec![], vec![(0, 0), (1, 1)], vec![30, 7], vec![30, 7]),
        (vec![], vec![(1, 0), (0, 1)], vec![30, 7], vec![7, 30]),
        (vec![(0, 1)], vec![(2, 0)], vec![3, 4, 19], vec![19, 3, 5]),
        (vec![], vec![(0, 0)], vec![0], vec![0]),
    ];
    for (batch, sum, left, right) in layouts {
        let mut g = Graph::new();
        let x = g.input("x", Type::new(DType::F32, left));
        let y = g.input("y", Type::new(DType::F32, right));
        g.strict = true;
        let p = g.add(
            &ops::CONTRACT,
            Attr::Contract(Contract { batch, sum }),
            &[x, y],
        );
        g.strict = false;
        let axes = (0..g.ty(p).rank()).collect();
        let total = g.sum(p, axes);
        let d: Vec<Value> = grad(&mut g, total, &[x, y]).unwrap();
        g.outputs.push(("product".into(), p));
        g.outputs
            .extend(d.into_iter().map(|d| ("derivative".into(), d)));
        agree(&g, "a product");
    }
}
