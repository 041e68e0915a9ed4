//! Factorisations of matrices that the table's cases leave out: dense ones of many sizes, up to where kernels work in
//! blocks; matrices of low rank; matrices that have no answer. Random matrices have fixed seeds.

use super::operations::{Words, assert_close, run_compiled, values};
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{Attr, DType, Graph, Type};
use mlc_compiler::ops::{self, Domain, OpDef};

fn matrix(rows: usize, columns: usize, data: Vec<f64>) -> Tensor {
    Tensor::new(Type::new(DType::F64, vec![rows, columns]), data)
}

fn random(rows: usize, columns: usize, seed: u64) -> Tensor {
    let ty = Type::new(DType::F64, vec![rows, columns]);
    let data = values(&ty, Domain::Between(-1.0, 1.0), &mut Words(seed));
    matrix(rows, columns, data)
}

/// `x y`, or `x yᵀ`.
fn product(x: &Tensor, y: &Tensor, transposed: bool) -> Tensor {
    let (m, k) = (x.ty.shape[0], x.ty.shape[1]);
    let n = y.ty.shape[usize::from(!transposed)];
    let at = |i: usize, j: usize| -> f64 {
        let term = |l: usize| {
            let right = if transposed { [j, l] } else { [l, j] };
            x.data[[i, l].as_slice()] * y.data[right.as_slice()]
        };
        (0..k).map(term).sum()
    };
    let data = (0..m * n).map(|p| at(p / n, p % n)).collect();
    matrix(m, n, data)
}

fn transposed(x: &Tensor) -> Tensor {
    let (m, n) = (x.ty.shape[0], x.ty.shape[1]);
    let data = (0..m * n)
        .map(|p| x.data[[p % m, p / m].as_slice()])
        .collect();
    matrix(n, m, data)
}

fn identity(n: usize) -> Tensor {
    let data = (0..n * n).map(|p| if p.is_multiple_of(n + 1) { 1.0 } else { 0.0 });
    matrix(n, n, data.collect())
}

fn diagonal(d: &Tensor) -> Tensor {
    let d = d.values();
    let n = d.len();
    let at = |p: usize| {
        if p.is_multiple_of(n + 1) {
            d[p / (n + 1)]
        } else {
            0.0
        }
    };
    matrix(n, n, (0..n * n).map(at).collect())
}

/// Rows `start..stop`.
fn rows(x: &Tensor, start: usize, stop: usize) -> Tensor {
    let n = x.ty.shape[1];
    matrix(stop - start, n, x.values()[start * n..stop * n].to_vec())
}

/// What the interpreter and what machine code make of it.
fn both(def: &'static OpDef, inputs: &[Tensor]) -> [Tensor; 2] {
    let mut g = Graph::new();
    let operands: Vec<_> = inputs.iter().map(|t| g.input("x", t.ty.clone())).collect();
    let y = g.add(def, Attr::None, &operands);
    g.outputs.push(("y".into(), y));
    [
        eval(&g, inputs).remove(0),
        run_compiled(&g, inputs).remove(0),
    ]
}

/// The largest size works in blocks and by divide and conquer.
const SIZES: [usize; 6] = [1, 2, 17, 33, 64, 150];

#[test]
fn cholesky_factors_multiply_to_the_matrix() {
    for n in SIZES {
        let b = random(n, n + 2, n as u64);
        let a = product(&b, &b, true);
        let [slow, fast] = both(&ops::CHOLESKY, std::slice::from_ref(&a));
        assert_close(&fast, &slow, 1e-8, "both");
        assert_close(&product(&fast, &fast, true), &a, 1e-11, "L Lᵀ");
    }
}

#[test]
fn solutions_solve() {
    for n in SIZES {
        let (a, b) = (random(n, n, n as u64), random(n, 3, 5));
        let [slow, fast] = both(&ops::SOLVE, &[a.clone(), b.clone()]);
        assert_close(&fast, &slow, 1e-8, "both");
        assert_close(&product(&a, &fast, false), &b, 1e-10, "A X");
        let [slow, fast] = both(&ops::SLOGDET, &[a]);
        assert_close(&fast, &slow, 1e-10, "determinants");
    }
}

#[test]
fn eigenvectors_are_orthonormal_and_diagonalise() {
    for n in SIZES {
        let b = random(n, n, n as u64);
        let data = (b.values().iter().zip(transposed(&b).values()))
            .map(|(x, y)| x + y)
            .collect();
        let a = matrix(n, n, data);
        let [slow, fast] = both(&ops::EIGH, std::slice::from_ref(&a));
        assert_close(&fast, &slow, 1e-9, "both");
        for x in [slow, fast] {
            let (w, v) = (diagonal(&rows(&x, 0, 1)), rows(&x, 1, n + 1));
            let back = product(&product(&v, &w, false), &v, true);
            assert_close(&back, &a, 1e-11, "V diag(w) Vᵀ");
            assert_close(&product(&v, &v, true), &identity(n), 1e-11, "V Vᵀ");
        }
    }
}

/// A thin product of orthonormal factors and `[k, k]`.
fn assert_svd(x: &Tensor, a: &Tensor) {
    let (m, n) = (a.ty.shape[0], a.ty.shape[1]);
    let k = m.min(n);
    let s = diagonal(&rows(x, 0, 1));
    let (u, v) = (rows(x, 1, m + 1), rows(x, m + 1, m + n + 1));
    let back = product(&product(&u, &s, false), &v, true);
    assert_close(&back, a, 1e-11, "U diag(s) Vᵀ");
    for q in [u, v] {
        let q = transposed(&q);
        assert_close(&product(&q, &q, true), &identity(k), 1e-11, "orthonormal");
    }
}

fn assert_qr(x: &Tensor, a: &Tensor) {
    let (m, n) = (a.ty.shape[0], a.ty.shape[1]);
    let (q, r) = (rows(x, 0, m), rows(x, m, m + n));
    assert_close(&product(&q, &r, false), a, 1e-11, "Q R");
    for i in 0..n {
        assert!(r.data[[i, i].as_slice()] >= 0.0, "R's diagonal");
        (0..i).for_each(|j| assert_eq!(r.data[[i, j].as_slice()], 0.0, "below R's diagonal"));
    }
    let q = transposed(&q);
    assert_close(&product(&q, &q, true), &identity(n), 1e-11, "Qᵀ Q");
}

#[test]
fn dense_matrices_have_singular_values_and_qr() {
    for n in SIZES {
        for (m, n) in [(n, n), (n + 3, n), (3 * n, n), (n, n + 3)] {
            let a = random(m, n, n as u64);
            let [slow, fast] = both(&ops::SVD, std::slice::from_ref(&a));
            assert_close(&fast, &slow, 1e-9, "both");
            assert_svd(&slow, &a);
            assert_svd(&fast, &a);
            if m >= n {
                let [slow, fast] = both(&ops::QR, std::slice::from_ref(&a));
                assert_close(&fast, &slow, 1e-9, "both");
                assert_qr(&slow, &a);
                assert_qr(&fast, &a);
            }
        }
    }
}

#[test]
fn low_rank_leaves_the_factors_orthonormal() {
    for (m, n, rank) in [(4, 4, 0), (5, 5, 2), (9, 6, 3), (40, 33, 7), (6, 9, 2)] {
        let a = product(&random(m, rank, 1), &random(rank, n, 2), false);
        for x in both(&ops::SVD, std::slice::from_ref(&a)) {
            assert_svd(&x, &a);
        }
        if m >= n {
            for x in both(&ops::QR, std::slice::from_ref(&a)) {
                assert_qr(&x, &a);
            }
        }
    }
}

#[test]
fn what_has_no_answer_is_not_a_number_in_both() {
    let bad = |x: f64| matrix(2, 2, vec![1.0, 0.5, x, 2.0]);
    let right = matrix(2, 1, vec![1.0, 1.0]);
    for x in [f64::NAN, f64::INFINITY] {
        for def in [&ops::EIGH, &ops::SVD, &ops::QR, &ops::SLOGDET] {
            for y in both(def, &[bad(x)]) {
                assert!(y.values().iter().all(|y| y.is_nan()), "{}", def.name);
            }
        }
        let [slow, fast] = both(&ops::SOLVE, &[bad(x), right.clone()]);
        assert!(
            slow.values()
                .iter()
                .chain(&fast.values())
                .all(|y| y.is_nan())
        );
    }
    let singular = matrix(2, 2, vec![1.0, 2.0, 2.0, 4.0]);
    for y in both(&ops::SOLVE, &[singular.clone(), right]) {
        assert!(y.values().iter().all(|y| y.is_nan()));
    }
    for y in both(&ops::SLOGDET, &[singular]) {
        assert_eq!(y.values(), [0.0, f64::NEG_INFINITY]);
    }
    let indefinite = matrix(3, 3, vec![1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0]);
    for y in both(&ops::CHOLESKY, &[indefinite]) {
        let lower = |p: &usize| p % 3 <= p / 3;
        let y = y.values();
        assert!((0..9).all(|p| if lower(&p) {
            y[p].is_nan()
        } else {
            y[p] == 0.0
        }));
    }
}
