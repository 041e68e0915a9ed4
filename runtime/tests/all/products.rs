//! Matrix products of many shapes and layouts: machine code against the interpreter, and one thread against several.

use super::operations::{Words, assert_close, bytes, run_compiled, values};
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{Attr, Contract, DType, Graph, Type};
use mlc_compiler::ops::{self, Domain};
use mlc_runtime::kernels::set_threads;

/// Checks the product of operands whose axes are named in order: `a` and `b` are batched, `m` and `n` are free, `k` is summed.
fn check(dtype: DType, axes: [&str; 2], [b, m, n, k]: [usize; 4]) {
    // A second batched axis, of three.
    let extent = |c: char| match c {
        'a' => 3,
        'b' => b,
        'm' => m,
        'n' => n,
        _ => k,
    };
    let at = |c: char| Some((axes[0].find(c)?, axes[1].find(c)?));
    let contract = Contract {
        batch: ['a', 'b'].into_iter().filter_map(at).collect(),
        sum: at('k').into_iter().collect(),
    };
    let mut g = Graph::new();
    let operands = axes.map(|a| {
        let ty = Type::new(dtype, a.chars().map(extent).collect::<Vec<_>>());
        g.input(a, ty)
    });
    let y = g.add(&ops::CONTRACT, Attr::Contract(contract), &operands);
    g.outputs = vec![("y".into(), y)];
    let mut words = Words(5);
    let inputs: Vec<Tensor> = operands
        .map(|v| {
            let ty = g.ty(v).clone();
            let numbers = values(&ty, Domain::Between(-1.0, 1.0), &mut words);
            Tensor::new(ty, numbers)
        })
        .to_vec();
    let what = format!("{dtype:?} {axes:?}, batch {b}, {m} x {n} x {k}");
    set_threads(1);
    let one = run_compiled(&g, &inputs);
    set_threads(3);
    let three = run_compiled(&g, &inputs);
    assert_eq!(bytes(&one[0]), bytes(&three[0]), "{what}: threads");
    let tolerance = if dtype == DType::F32 { 2e-4 } else { 1e-11 };
    assert_close(&eval(&g, &inputs)[0], &one[0], tolerance, &what);
}

const LAYOUTS: [[&str; 2]; 12] = [
    ["mk", "kn"],
    ["km", "kn"],
    ["mk", "nk"],
    ["km", "nk"],
    ["bmk", "bkn"],
    ["mbk", "nbk"],
    ["bkm", "bkn"],
    ["kbm", "knb"],
    ["abmk", "akbn"],
    ["ambk", "anbk"],
    ["bmak", "kabn"],
    ["bkam", "nbka"],
];

const SIZES: [[usize; 4]; 20] = [
    [50, 4, 4, 4],
    [400, 3, 1, 3],
    [17, 9, 8, 8],
    [7, 1, 6, 3],
    [2, 0, 3, 4],
    [2, 3, 4, 0],
    [0, 3, 4, 5],
    [3, 1, 1, 1],
    [1, 1, 1, 300],
    [3, 3, 3, 3],
    [2, 1, 40, 35],
    [2, 41, 1, 35],
    [1, 3, 65, 70],
    [1, 65, 2, 70],
    [1, 33, 17, 9],
    [9, 64, 16, 64],
    [2, 130, 10, 64],
    [1, 13, 70, 1100],
    [1, 1, 90, 2000],
    [1, 2000, 1, 90],
];

#[test]
fn products_agree_with_the_interpreter_in_any_layout() {
    for sizes in SIZES {
        for axes in LAYOUTS {
            for dtype in [DType::F32, DType::F64] {
                check(dtype, axes, sizes);
            }
        }
    }
}

#[test]
fn products_do_not_depend_on_threads() {
    check(DType::F32, ["mk", "kn"], [1, 130, 260, 517]);
    check(DType::F32, ["km", "nk"], [1, 260, 40, 517]);
    check(DType::F32, ["km", "kn"], [1, 3, 100, 20000]);
    check(DType::F64, ["bmk", "bnk"], [20, 64, 33, 40]);
    check(DType::F32, ["mk", "k"], [1, 3000, 1, 120]);
    check(DType::F32, ["k", "kn"], [1, 1, 120, 3000]);
    check(DType::F32, ["k", "kn"], [1, 1, 90000, 3]);
}
