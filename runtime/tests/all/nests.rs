//! Loop nests with reductions: machine code against the interpreter, and one thread against several.

use super::operations::{Words, assert_close, bytes, run_compiled, values};
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{Attr, DType, Graph, Type, Value};
use mlc_compiler::ops::{self, Domain, OpDef};
use mlc_runtime::kernels::set_threads;

/// `tanh(x + b)` and `x * b`, with reductions of each over the rows, the columns and everything.
fn graph(dtype: DType, rows: usize, columns: usize, by_row: bool) -> (Graph, Vec<Type>) {
    let mut g = Graph::new();
    let whole = Type::new(dtype, vec![rows, columns]);
    let part = Type::new(dtype, vec![if by_row { columns } else { rows }]);
    let x = g.input("x", whole.clone());
    let b = g.input("b", part.clone());
    let b = g.broadcast(b, whole.shape.clone(), vec![usize::from(by_row)]);
    let sum = g.add2(x, b);
    let t = g.add(&ops::TANH, Attr::None, &[sum]);
    let m = g.mul(x, b);
    let mut outputs = vec![t];
    let reductions: [&'static OpDef; 4] = [&ops::SUM, &ops::MAX_OVER, &ops::MIN_OVER, &ops::PROD];
    for (y, def) in [t, m, t, m].into_iter().zip(reductions) {
        for axes in [vec![0], vec![1], vec![0, 1]] {
            outputs.push(g.add(def, Attr::Axes(axes), &[y]));
        }
    }
    g.outputs = outputs
        .into_iter()
        .enumerate()
        .map(|(i, v): (usize, Value)| (format!("y{i}"), v))
        .collect();
    (g, vec![whole, part])
}

#[test]
fn reductions_in_nests_agree_with_the_interpreter_for_any_threads() {
    let shapes = [
        (96, 64),
        (1, 5000),
        (7, 700),
        (40, 33),
        (3000, 48),
        (5, 3),
        (64, 784),
        (1, 1),
        (0, 40),
        (40, 0),
    ];
    for (rows, columns) in shapes {
        for (dtype, tolerance) in [(DType::F32, 2e-4), (DType::F64, 1e-9)] {
            for by_row in [true, false] {
                let (g, types) = graph(dtype, rows, columns, by_row);
                let mut words = Words(17);
                let inputs: Vec<Tensor> = types
                    .iter()
                    .map(|ty| {
                        Tensor::new(
                            ty.clone(),
                            values(ty, Domain::Between(-1.5, 1.5), &mut words),
                        )
                    })
                    .collect();
                set_threads(1);
                let one = run_compiled(&g, &inputs);
                set_threads(3);
                let three = run_compiled(&g, &inputs);
                for (i, (exact, y)) in eval(&g, &inputs).iter().zip(&one).enumerate() {
                    let what =
                        format!("output {i} of {rows} x {columns}, {dtype:?}, by rows {by_row}");
                    assert_close(exact, y, tolerance, &what);
                    assert_eq!(bytes(y), bytes(&three[i]), "{what}: threads");
                }
            }
        }
    }
}

#[test]
fn products_do_not_depend_on_threads() {
    let mut g = Graph::new();
    let (m, k, n) = (130, 517, 260);
    let a = g.input("a", Type::new(DType::F32, vec![m, k]));
    let b = g.input("b", Type::new(DType::F32, vec![k, n]));
    let attr = Attr::Contract(mlc_compiler::ir::Contract {
        batch: vec![],
        sum: vec![(1, 0)],
    });
    let y = g.add(&ops::CONTRACT, attr, &[a, b]);
    g.outputs = vec![("y".into(), y)];
    let mut words = Words(5);
    let inputs: Vec<Tensor> = [a, b]
        .map(|v| {
            Tensor::new(
                g.ty(v).clone(),
                values(g.ty(v), Domain::Between(-1.0, 1.0), &mut words),
            )
        })
        .to_vec();
    set_threads(1);
    let one = run_compiled(&g, &inputs);
    set_threads(4);
    let four = run_compiled(&g, &inputs);
    assert_eq!(bytes(&one[0]), bytes(&four[0]));
    assert_close(&eval(&g, &inputs)[0], &one[0], 1e-3, "a product");
}
