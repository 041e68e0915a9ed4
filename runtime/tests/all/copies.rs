//! Copies that are large enough for several threads: machine code against the interpreter.

use super::operations::{Words, bytes, run_compiled, values};
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{Attr, DType, Graph, Type};
use mlc_compiler::ops::{self, Domain};
use mlc_runtime::kernels::set_threads;

/// Every output's bytes, by one thread and by three, are the interpreter's.
fn check(mut g: Graph, inputs: &[Tensor]) {
    let all = g.values().filter(|v| !g.operands(*v).is_empty());
    g.outputs = all.enumerate().map(|(i, v)| (format!("y{i}"), v)).collect();
    let exact = eval(&g, inputs);
    for threads in [1, 3] {
        set_threads(threads);
        for (i, (exact, y)) in exact.iter().zip(run_compiled(&g, inputs)).enumerate() {
            assert_eq!(bytes(exact), bytes(&y), "output {i}, {threads} threads");
        }
    }
}

fn some(ty: Type, domain: Domain) -> Tensor {
    let numbers = values(&ty, domain, &mut Words(3));
    Tensor::new(ty, numbers)
}

#[test]
fn large_copies_are_the_interpreters_for_any_threads() {
    for dtype in [DType::F32, DType::F64] {
        let mut g = Graph::new();
        let ty = Type::new(dtype, vec![30, 7, 5, 44]);
        let x = g.input("x", ty.clone());
        for perm in [[0, 2, 1, 3], [3, 1, 2, 0], [1, 0, 3, 2]] {
            g.add(&ops::TRANSPOSE, Attr::Perm(perm.to_vec()), &[x]);
        }
        g.add(&ops::FLIP, Attr::Axes(vec![1, 3]), &[x]);
        let long = g.reshape(x, vec![ty.len()]);
        g.add(&ops::FLIP, Attr::Axes(vec![0]), &[long]);
        check(g, &[some(ty, Domain::Between(-1.0, 1.0))]);
    }
}

#[test]
fn large_gathers_are_the_interpreters_for_any_threads() {
    let mut g = Graph::new();
    let table = Type::new(DType::F32, vec![6, 50, 40]);
    let index = Type::new(DType::I32, vec![1000]);
    let (x, i) = (g.input("x", table.clone()), g.input("i", index.clone()));
    for axis in 0..3 {
        g.add(&ops::GATHER, Attr::Axis(axis), &[x, i]);
    }
    check(
        g,
        &[
            some(table, Domain::Between(-1.0, 1.0)),
            some(index, Domain::Below(45)),
        ],
    );
}
