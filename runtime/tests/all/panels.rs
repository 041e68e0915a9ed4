//! Chains of nests and products along the same rows: machine code against the interpreter, against the same units one after
//! another, and one thread against several.

use super::operations::{Words, assert_close, bytes, run_with, values};
use mlc_compiler::codegen::Natives;
use mlc_compiler::codegen::describe;
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{Attr, Contract, DType, Graph, Type, Value};
use mlc_compiler::ops::{self, Domain, OpDef};
use mlc_runtime::kernels::{Vector, install, natives, set_threads};

fn contract(g: &mut Graph, x: Value, y: Value, sum: (usize, usize)) -> Value {
    let sum = vec![sum];
    let attr = Attr::Contract(Contract { batch: vec![], sum });
    g.add(&ops::CONTRACT, attr, &[x, y])
}

fn map(g: &mut Graph, def: &'static OpDef, x: &[Value]) -> Value {
    g.add(def, Attr::None, x)
}

fn over(g: &mut Graph, def: &'static OpDef, x: Value, axes: &[usize]) -> Value {
    g.add(def, Attr::Axes(axes.to_vec()), &[x])
}

/// A graph, the types of its inputs, and how many of its outputs come first that no fusion reassociates.
struct Case {
    g: Graph,
    types: Vec<Type>,
    exact: usize,
}

fn case(mut g: Graph, types: Vec<Type>, exact: &[Value], others: &[Value]) -> Case {
    let outputs = exact.iter().chain(others).enumerate();
    g.outputs = outputs.map(|(i, v)| (format!("y{i}"), *v)).collect();
    let exact = exact.len();
    Case { g, types, exact }
}

/// The gradient of a logistic regression, with the largest residual and the sum of what each row adds to the likelihood.
fn regression(dtype: DType, rows: usize, columns: usize) -> Case {
    let mut g = Graph::new();
    let types = [vec![rows, columns], vec![columns], vec![rows]];
    let types = types.map(|shape| Type::new(dtype, shape)).to_vec();
    let x = g.input("x", types[0].clone());
    let w = g.input("w", types[1].clone());
    let y = g.input("y", types[2].clone());
    let s = contract(&mut g, x, w, (1, 0));
    let p = map(&mut g, &ops::SIGMOID, &[s]);
    let r = g.sub(p, y);
    let gradient = contract(&mut g, r, x, (0, 0));
    let ys = g.mul(y, s);
    let soft = map(&mut g, &ops::SOFTPLUS, &[s]);
    let each = g.sub(ys, soft);
    let sum = over(&mut g, &ops::SUM, each, &[0]);
    let most = over(&mut g, &ops::MAX_OVER, r, &[0]);
    // What comes of the chain is used after it.
    let step = g.mul(gradient, w);
    let length = over(&mut g, &ops::SUM, step, &[0]);
    let all = g.mul(length, sum);
    case(g, types, &[r, gradient, most], &[sum, all])
}

/// Several vectors at once; a nest of rows and columns, with sums of its rows and of its columns; the matrix on the other side;
/// and another matrix.
fn rows_and_columns(dtype: DType, rows: usize, columns: usize) -> Case {
    let mut g = Graph::new();
    let types = [
        vec![rows, columns],
        vec![3, columns],
        vec![columns],
        vec![rows, 40],
        vec![3],
    ];
    let types = types.map(|shape| Type::new(dtype, shape)).to_vec();
    let x = g.input("x", types[0].clone());
    let w = g.input("w", types[1].clone());
    let b = g.input("b", types[2].clone());
    let z = g.input("z", types[3].clone());
    let c = g.input("c", types[4].clone());
    let three = contract(&mut g, x, w, (1, 1));
    // Several of these narrow rows fit into a vector.
    let c = g.broadcast(c, vec![rows, 3], vec![1]);
    let shifted = g.add2(three, c);
    let t = map(&mut g, &ops::TANH, &[shifted]);
    let one = contract(&mut g, x, b, (1, 0));
    let wide = g.broadcast(one, vec![rows, columns], vec![0]);
    let b2 = g.broadcast(b, vec![rows, columns], vec![1]);
    let moved = g.add2(x, b2);
    let scaled = g.mul(moved, wide);
    let squares = g.mul(scaled, scaled);
    let of_rows = over(&mut g, &ops::SUM, squares, &[1]);
    let of_columns = over(&mut g, &ops::SUM, scaled, &[0]);
    let back = contract(&mut g, b, scaled, (0, 1));
    let both = g.add2(back, one);
    let first = contract(&mut g, x, both, (0, 0));
    let second = contract(&mut g, both, z, (0, 0));
    let exact = [three, t, one, scaled, back];
    case(g, types, &exact, &[of_rows, of_columns, first, second])
}

/// Layers of a net and their derivatives: products of two matrices one after another, with nests of elements, of rows and of columns
/// between.
fn layers(dtype: DType, rows: usize, inputs: usize, width: usize) -> Case {
    let mut g = Graph::new();
    let types = [
        vec![rows, inputs],
        vec![inputs, width],
        vec![width],
        vec![width, width],
        vec![width, 10],
    ];
    let types = types.map(|shape| Type::new(dtype, shape)).to_vec();
    let x = g.input("x", types[0].clone());
    let first = g.input("first", types[1].clone());
    let bias = g.input("bias", types[2].clone());
    let second = g.input("second", types[3].clone());
    let third = g.input("third", types[4].clone());
    let product = contract(&mut g, x, first, (1, 0));
    let bias = g.broadcast(bias, vec![rows, width], vec![1]);
    let shifted = g.add2(product, bias);
    let one = map(&mut g, &ops::TANH, &[shifted]);
    let product = contract(&mut g, one, second, (1, 0));
    let two = map(&mut g, &ops::SIGMOID, &[product]);
    let out = contract(&mut g, two, third, (1, 0));
    let squares = g.mul(out, out);
    let of_rows = over(&mut g, &ops::SUM, squares, &[1]);
    let of_rows = g.broadcast(of_rows, vec![rows, 10], vec![0]);
    let d_out = g.mul(out, of_rows);
    let back = contract(&mut g, d_out, third, (1, 1));
    let d_two = g.mul(back, two);
    let back = contract(&mut g, d_two, second, (1, 1));
    let d_one = g.mul(back, one);
    let d_first = contract(&mut g, x, d_one, (0, 0));
    let d_second = contract(&mut g, one, d_two, (0, 0));
    let d_third = contract(&mut g, two, d_out, (0, 0));
    let d_bias = over(&mut g, &ops::SUM, d_one, &[0]);
    let all = over(&mut g, &ops::SUM, squares, &[0, 1]);
    let exact = [out, d_one, d_first, d_second, d_third];
    case(g, types, &exact, &[d_bias, all])
}

/// The gradient of a matrix, and a step with it.
fn update(dtype: DType, rows: usize, inputs: usize, width: usize) -> Case {
    let mut g = Graph::new();
    let matrix = vec![inputs, width];
    let types = [
        vec![rows, inputs],
        vec![rows, width],
        matrix.clone(),
        matrix,
    ];
    let types = types.map(|shape| Type::new(dtype, shape)).to_vec();
    let x = g.input("x", types[0].clone());
    let d = g.input("d", types[1].clone());
    let w = g.input("w", types[2].clone());
    let mean = g.input("mean", types[3].clone());
    let gradient = contract(&mut g, x, d, (0, 0));
    let mean = g.add2(mean, gradient);
    let scale = map(&mut g, &ops::TANH, &[mean]);
    let w = g.sub(w, scale);
    let size = g.mul(gradient, gradient);
    let size = over(&mut g, &ops::SUM, size, &[0, 1]);
    case(g, types, &[w, mean], &[size])
}

fn run_as(case: &Case, inputs: &[Tensor], fuses: bool, threads: usize) -> Vec<Tensor> {
    set_threads(threads);
    match fuses {
        true => run_with(&case.g, natives(), inputs),
        false => run_with(
            &case.g,
            Natives {
                fuses: false,
                ..natives()
            },
            inputs,
        ),
    }
}

/// Whether products of two matrices are computed in tiles, so that how their rows are divided changes no bit.
fn in_tiles() -> bool {
    install() != Ok(Vector::Portable)
}

/// `blocked`: are there products of two matrices?
fn check(case: &Case, blocked: bool, tolerance: f64, what: &str) {
    let mut words = Words(23);
    let tensor = |ty: &Type| {
        let domain = Domain::Between(-0.2, 0.2);
        Tensor::new(ty.clone(), values(ty, domain, &mut words))
    };
    let inputs: Vec<Tensor> = case.types.iter().map(tensor).collect();
    let one = run_as(case, &inputs, true, 1);
    let others = [2, 3].map(|threads| run_as(case, &inputs, true, threads));
    let apart = run_as(case, &inputs, false, 2);
    for (i, exact) in eval(&case.g, &inputs).iter().enumerate() {
        let what = format!("output {i} of {what}");
        assert_close(exact, &one[i], tolerance, &what);
        for other in &others {
            assert_eq!(bytes(&one[i]), bytes(&other[i]), "{what}: threads");
        }
        if i < case.exact && (in_tiles() || !blocked) {
            assert_eq!(bytes(&one[i]), bytes(&apart[i]), "{what}: not fused");
        }
        assert_close(exact, &apart[i], tolerance, &format!("{what}: not fused"));
    }
}

/// How many chains there are.
fn chains(case: &Case) -> usize {
    let text = describe(&case.g);
    text.lines().filter(|l| l.starts_with("panels")).count()
}

/// Sizes, and whether elements of four bytes are enough for a chain.
const SIZES: [(usize, usize, bool); 16] = [
    (0, 100, false),
    (1, 100, false),
    (3, 200_000, false),
    (100, 33, false),
    (2000, 5, false),
    (700, 100, true),
    (1281, 100, true),
    (10_000, 100, true),
    (10_007, 33, true),
    (20_000, 32, true),
    (3000, 129, true),
    (2049, 512, true),
    (4097, 40, true),
    (1000, 1000, true),
    (130, 5000, false),
    (1291, 3000, true),
];

#[test]
fn a_chain_over_panels_is_its_units_one_after_another() {
    for (rows, columns, chained) in SIZES {
        for (dtype, tolerance) in [(DType::F32, 5e-3), (DType::F64, 1e-9)] {
            let what = format!("{rows} x {columns}, {dtype:?}");
            let case = regression(dtype, rows, columns);
            if dtype == DType::F32 {
                assert_eq!(chains(&case), usize::from(chained), "{what}");
            }
            check(&case, false, tolerance, &what);
        }
    }
}

#[test]
fn a_chain_may_have_rows_and_columns_of_its_own() {
    for (rows, columns, chained) in SIZES {
        if rows * columns > 1 << 20 || columns > 10_000 {
            continue;
        }
        for (dtype, tolerance) in [(DType::F32, 5e-3), (DType::F64, 1e-9)] {
            let what = format!("{rows} x {columns}, {dtype:?}, nests of rows");
            let case = rows_and_columns(dtype, rows, columns);
            if dtype == DType::F32 && chained {
                assert_eq!(chains(&case), 1, "{what}");
            }
            check(&case, false, tolerance, &what);
        }
    }
}

/// A case of products of two matrices, and whether elements of four bytes are enough for a chain.
fn check_matrices(
    case: fn(DType, usize, usize, usize) -> Case,
    [rows, inputs, width]: [usize; 3],
    chained: bool,
) {
    for (dtype, tolerance) in [(DType::F32, 5e-3), (DType::F64, 1e-9)] {
        let what = format!("{rows} x {inputs} x {width}, {dtype:?}");
        let case = case(dtype, rows, inputs, width);
        if dtype == DType::F32 {
            assert_eq!(chains(&case), usize::from(chained), "{what}");
        }
        check(&case, true, tolerance, &what);
    }
}

#[test]
fn products_of_matrices_along_the_same_rows_are_a_chain() {
    for (rows, inputs, width, chained) in [
        (0, 20, 64, false),
        (60, 20, 64, false),
        (64, 200, 128, true),
        (100, 33, 100, true),
        (129, 40, 256, true),
        (1000, 64, 72, true),
        (2051, 16, 33, true),
        (300, 600, 600, true),
    ] {
        check_matrices(layers, [rows, inputs, width], chained);
    }
}

#[test]
fn a_large_gradient_and_its_step_are_a_chain() {
    for (rows, inputs, width, chained) in [
        (8, 1000, 1000, false),
        (8, 2048, 1024, true),
        (3, 1501, 1503, true),
        (33, 100, 25_000, false),
        (20, 20_001, 130, true),
    ] {
        check_matrices(update, [rows, inputs, width], chained);
    }
}

#[test]
fn the_units_of_a_chain_are_as_they_were() {
    for (name, case) in [
        ("layers", layers(DType::F32, 128, 64, 256)),
        ("update", update(DType::F32, 8, 2048, 1024)),
        ("regression", regression(DType::F32, 5000, 100)),
        ("rows_and_columns", rows_and_columns(DType::F32, 5000, 100)),
    ] {
        insta::assert_snapshot!(name, describe(&case.g));
    }
}
