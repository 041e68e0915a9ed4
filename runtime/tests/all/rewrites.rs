//! Laws of the simplifier that are more than an operation replaced by another: what is left of a small graph, and that machine code for
//! it, and the interpreter, compute what the interpreter does of the graph as it was; of special values, too.

use super::operations::{Words, assert_close, run_compiled, values};
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{Attr, Contract, DType, Graph, Literal, Type, Value, print};
use mlc_compiler::ops::{self, Domain};
use mlc_compiler::transform::optimise;

/// The operations that are left, oldest first, but for inputs and literals; and results that are the same.
fn left(g: &Graph, special: bool, what: &str) -> Vec<&'static str> {
    let mut words = Words(11);
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 80.0];
    let inputs: Vec<Tensor> = g
        .inputs
        .iter()
        .map(|i| {
            let ty = g.ty(i.value).clone();
            let domain = match ty.dtype {
                DType::I32 => Domain::Below(12),
                _ => Domain::Between(-2.0, 2.0),
            };
            let mut v = values(&ty, domain, &mut words);
            if special && ty.dtype.is_real() {
                // In every other row, so to speak.
                let at = |n: usize| (n / 16).is_multiple_of(2) && n.is_multiple_of(5);
                (0..v.len())
                    .filter(|&n| at(n))
                    .for_each(|n| v[n] = numbers[n / 5 % 6]);
            }
            Tensor::new(ty, v)
        })
        .collect();
    let short = optimise(g.clone(), &[]);
    let exact = eval(g, &inputs);
    let told = eval(&short, &inputs);
    let made = run_compiled(&short, &inputs);
    for (i, y) in exact.iter().enumerate() {
        assert_close(
            y,
            &told[i],
            1e-5,
            &format!("{what}: interpreted, output {i}"),
        );
        assert_close(y, &made[i], 1e-5, &format!("{what}: compiled, output {i}"));
    }
    let live = print::live(&short).into_iter();
    live.filter(|v| !short.operands(*v).is_empty())
        .map(|v| short.node(v).def.name)
        .collect()
}

fn real(shape: &[usize]) -> Type {
    Type::new(DType::F32, shape.to_vec())
}

fn output(mut g: Graph, y: Value) -> Graph {
    g.outputs.push(("y".into(), y));
    g
}

/// `x` without `m` of its row.
fn minus_row(g: &mut Graph, x: Value, m: Value) -> Value {
    let shape = g.ty(x).shape.clone();
    let m = g.lead(m, &shape);
    g.sub(x, m)
}

#[test]
fn a_softmax_by_its_logarithm_has_one_exponential() {
    for guarded in [false, true] {
        for in_steps in [false, true] {
            let mut g = Graph::new();
            let x = g.input("x", real(&[40, 16]));
            let mut m = g.add(&ops::MAX_OVER, Attr::Axes(vec![1]), &[x]);
            if guarded {
                let finite = g.unary(&ops::IS_FINITE, m);
                let zero = g.constant_like(0.0, m);
                m = g.select(finite, m, zero);
            }
            let c = minus_row(&mut g, x, m);
            let e = g.exp(c);
            let s = g.sum(e, vec![1]);
            let l = g.log(s);
            let (from, of_row) = if in_steps { (c, l) } else { (x, g.add2(m, l)) };
            let p = minus_row(&mut g, from, of_row);
            let p = g.exp(p);
            let g = output(g, p);
            for special in [false, true] {
                let names = left(&g, special, &format!("{guarded} {in_steps} {special}"));
                let count = |name: &str| names.iter().filter(|n| **n == name).count();
                assert_eq!((count("exp"), count("log")), (1, 0), "{names:?}");
            }
        }
    }
}

#[test]
fn a_softmax_by_the_logarithm_of_something_else_stays() {
    // The sum is one of another exponential; nothing says that x does not overflow.
    let mut g = Graph::new();
    let x = g.input("x", real(&[40, 16]));
    let e = g.exp(x);
    let s = g.sum(e, vec![1]);
    let l = g.log(s);
    let p = minus_row(&mut g, x, l);
    let p = g.exp(p);
    let names = left(&output(g, p), true, "unshifted");
    assert!(names.contains(&"log"), "{names:?}");
}

#[test]
fn powers_that_are_roots_are_roots_where_nothing_is_negative() {
    let of = |p: f64, squared: bool| {
        let mut g = Graph::new();
        let x = g.input("x", real(&[70]));
        let x = if squared { g.mul(x, x) } else { x };
        let p = g.constant_like(p, x);
        let y = g.pow(x, p);
        left(&output(g, y), true, "a power")
    };
    assert_eq!(of(-0.5, true), ["mul", "sqrt", "div"]);
    assert_eq!(of(0.5, true), ["mul", "sqrt"]);
    assert_eq!(of(-0.5, false), ["pow"]);
    assert_eq!(of(0.5, false), ["pow"]);
    assert_eq!(of(-1.0, false), ["div"]);
}

#[test]
fn products_by_literals_are_sums() {
    let mut g = Graph::new();
    let x = g.input("x", real(&[5, 20]));
    let w = g.fill(Literal::Real(1.0), real(&[20]));
    let y = g.contract(x, w, vec![], vec![(1, 0)]);
    assert_eq!(left(&output(g, y), true, "x @ ones"), ["sum"]);

    let mut g = Graph::new();
    let x = g.input("x", real(&[5, 20]));
    let w = g.fill(Literal::Real(0.5), real(&[3, 5]));
    let y = g.contract(w, x, vec![], vec![(1, 0)]);
    let names = left(&output(g, y), true, "halves @ x");
    assert_eq!(names, ["mul", "sum", "broadcast"]);
}

#[test]
fn products_without_a_sum_are_element_wise() {
    let outer = |batch: &[(usize, usize)], left_shape: &[usize], right: &[usize]| {
        let mut g = Graph::new();
        let x = g.input("x", real(left_shape));
        let y = g.input("y", real(right));
        let c = Contract {
            batch: batch.to_vec(),
            sum: vec![],
        };
        let y = g.add(&ops::CONTRACT, Attr::Contract(c), &[x, y]);
        left(&output(g, y), true, "an outer product")
    };
    assert_eq!(outer(&[], &[7], &[9]), ["broadcast", "broadcast", "mul"]);
    assert_eq!(outer(&[(0, 0)], &[7], &[7]), ["mul"]);
    assert_eq!(
        outer(&[(0, 0)], &[7, 3], &[7, 4]),
        ["broadcast", "broadcast", "mul"]
    );
    assert_eq!(outer(&[(1, 0)], &[3, 7], &[7, 4]), ["contract"]);
}

#[test]
fn strict_sums_are_not_touched() {
    let mut g = Graph::new();
    let x = g.input("x", real(&[5, 20]));
    g.strict = true;
    let w = g.fill(Literal::Real(1.0), real(&[20]));
    let y = g.contract(x, w, vec![], vec![(1, 0)]);
    let t = g.transpose(x, vec![1, 0]);
    let t = g.neg(t);
    let s = g.sum(t, vec![0, 1]);
    g.outputs = vec![("y".into(), y), ("s".into(), s)];
    let names = left(&g, true, "strict");
    assert!(names.contains(&"contract"), "{names:?}");
    let transposed = names.iter().position(|n| *n == "transpose");
    assert!(
        transposed < names.iter().position(|n| *n == "sum"),
        "{names:?}"
    );
}

#[test]
fn transposes_move_behind_functions_and_vanish_in_reductions() {
    let mut g = Graph::new();
    let x = g.input("x", real(&[5, 6, 7]));
    let r = g.input("r", real(&[7, 6]));
    let t = g.transpose(x, vec![2, 0, 1]);
    let r = g.broadcast(r, vec![7, 5, 6], vec![0, 2]);
    let d = g.sub(t, r);
    let e = g.exp(d);
    let s = g.add(&ops::MAX_OVER, Attr::Axes(vec![1]), &[e]);
    let names = left(&output(g, s), true, "of a transpose");
    assert_eq!(
        names,
        [
            "transpose",
            "broadcast",
            "sub",
            "exp",
            "reduce_max",
            "transpose"
        ]
    );

    let mut g = Graph::new();
    let x = g.input("x", real(&[5, 9]));
    let t = g.transpose(x, vec![1, 0]);
    let e = g.exp(t);
    let s = g.sum(e, vec![0]);
    assert_eq!(left(&output(g, s), true, "a sum"), ["exp", "sum"]);
}

#[test]
fn a_function_of_another_shape_is_computed_in_the_first() {
    let mut g = Graph::new();
    let x = g.input("x", real(&[5, 9]));
    let r = g.input("r", real(&[9]));
    let flat = g.reshape(x, vec![45]);
    let r = g.broadcast(r, vec![5, 9], vec![1]);
    let r = g.reshape(r, vec![45]);
    let d = g.sub(flat, r);
    let e = g.exp(d);
    let s = g.sum(e, vec![0]);
    g.outputs = vec![("e".into(), e), ("s".into(), s)];
    let names = left(&g, true, "of a reshape");
    assert_eq!(names, ["broadcast", "sub", "exp", "reshape", "sum"]);
}

/// `(f(x) - l)[i, k[i]]` for all rows, as lanes have it; `l` is a number of each row, and `f(x)` is computed for itself, too, if it is
/// shared.
fn picked(rows: usize, columns: usize, shared: bool) -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", real(&[rows, columns]));
    let l = g.input("l", real(&[rows]));
    let k = g.input("k", Type::new(DType::I32, vec![rows]));
    let f = g.unary(&ops::SIN, x);
    let d = minus_row(&mut g, f, l);
    let s = g.sum(f, vec![1]);
    if shared {
        g.outputs.push(("s".into(), s));
    }
    let flat = g.reshape(d, vec![rows * columns]);
    let at = ops::lane_index(&mut g, k, rows, columns);
    let y = g.add(&ops::GATHER, Attr::Axis(0), &[flat, at]);
    output(g, y)
}

#[test]
fn one_element_of_each_row_is_summed_where_rows_are_short_and_computed() {
    let names = left(&picked(40, 10, true), true, "short rows");
    assert!(!names.contains(&"gather"), "{names:?}");
    // The row's number is taken from the sum.
    assert_eq!(names[names.len() - 2..], ["sum", "sub"], "{names:?}");
}

#[test]
fn one_element_of_each_row_is_computed_alone() {
    for (columns, shared) in [(5, true), (70, true), (10, false), (70, false)] {
        let names = left(&picked(40, columns, shared), true, &format!("of {columns}"));
        let gather = names.iter().position(|n| *n == "gather").unwrap();
        assert_eq!(names[gather + 1..], ["sin", "sub"], "{names:?}");
        assert!(!names.contains(&"broadcast"), "{names:?}");
    }
}

#[test]
fn a_few_elements_of_a_function_are_the_function_of_a_few() {
    let mut g = Graph::new();
    let x = g.input("x", real(&[40, 6]));
    let r = g.input("r", real(&[6]));
    let k = g.input("k", Type::new(DType::I32, vec![3]));
    let r = g.broadcast(r, vec![40, 6], vec![1]);
    let d = g.sub(x, r);
    let e = g.exp(d);
    let y = g.add(&ops::GATHER, Attr::Axis(0), &[e, k]);
    let names = left(&output(g, y), true, "rows");
    assert_eq!(names, ["gather", "broadcast", "sub", "exp"]);
}

#[test]
fn one_element_in_each_row_of_zeros_is_a_selection() {
    for columns in [5, 10, 70] {
        let mut g = Graph::new();
        let v = g.input("v", real(&[40]));
        let k = g.input("k", Type::new(DType::I32, vec![40]));
        let at = ops::lane_index(&mut g, k, 40, columns);
        let attr = Attr::Scatter {
            axis: 0,
            extent: 40 * columns,
        };
        let y = g.add(&ops::SCATTER_ADD, attr, &[v, at]);
        let y = g.reshape(y, vec![40, columns]);
        let names = left(&output(g, y), true, &format!("{columns} columns"));
        assert!(
            names.contains(&"select") && !names.contains(&"scatter_add"),
            "{names:?}"
        );
    }
}

#[test]
fn signs_move_out_of_products_and_sums() {
    let mut g = Graph::new();
    let x = g.input("x", real(&[9]));
    let y = g.input("y", real(&[9]));
    let n = g.neg(y);
    let p = g.mul(x, n);
    let s = g.sum(p, vec![0]);
    assert_eq!(left(&output(g, s), true, "signs"), ["mul", "sum", "neg"]);
}

#[test]
fn reductions_of_what_repeats_are_those_of_what_is_repeated() {
    let of = |axes: &[usize], def: &'static ops::OpDef| {
        let mut g = Graph::new();
        let x = g.input("x", real(&[6, 9]));
        let x = g.broadcast(x, vec![4, 6, 5, 9], vec![1, 3]);
        let y = g.add(def, Attr::Axes(axes.to_vec()), &[x]);
        left(&output(g, y), true, &format!("{} over {axes:?}", def.name))
    };
    assert_eq!(of(&[1], &ops::SUM), ["sum", "broadcast"]);
    assert_eq!(of(&[0, 2], &ops::SUM), ["mul"]);
    assert_eq!(of(&[0, 1, 3], &ops::SUM), ["sum", "mul", "broadcast"]);
    assert_eq!(of(&[0, 2], &ops::MAX_OVER), [""; 0]);
    assert_eq!(of(&[2, 3], &ops::MAX_OVER), ["reduce_max", "broadcast"]);
    assert!(of(&[0, 1], &ops::PROD).contains(&"prod"));
}
