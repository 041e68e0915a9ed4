//! Systems of equations and determinants.

use super::matrices::Part;
use super::{BATCH, SQUARE, cases, only_square, packed, system};
use crate::ir::{Attr, Graph, Type, Value};
use crate::ops::rules::{bad_attr, f64s};
use crate::ops::{Ad, Arity, Batch, CONCAT, Case, Domain, Kernel, Lane, Linalg, OpDef};

/// Systems that the generic tests solve: the matrix and the right-hand sides.
const SYSTEMS: &[(&[usize], &[usize])] = &[
    (&[1, 1], &[1, 2]),
    (&[3, 3], &[3, 1]),
    (&[5, 5], &[5, 0]),
    (&[0, 0], &[0, 2]),
    (&[7, 7], &[7, 3]),
    (&[2, 3, 3], &[2, 3, 2]),
];

fn systems(attr: &Attr, count: usize) -> Vec<Case> {
    let one = |dtype, a: &[usize], b: &[usize]| Case {
        attr: attr.clone(),
        operands: vec![
            (Type::new(dtype, a.to_vec()), Domain::Dominant),
            (Type::new(dtype, b.to_vec()), Domain::Between(-1.0, 1.0)),
        ],
    };
    let mut all: Vec<Case> = SYSTEMS
        .iter()
        .take(count)
        .map(|(a, b)| one(f64s(&[]).dtype, a, b))
        .collect();
    all.push(one(crate::ir::DType::F32, &[17, 17], &[17, 5]));
    all
}

/// A matrix that all lanes share is factored once: the lanes' right-hand sides become columns of one system.
fn batch(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let node = g.node(v).clone();
    let [a, b] = lanes else { return v };
    if a.batched || !b.batched {
        let (a, b) = (a.with_axis(g, n), b.with_axis(g, n));
        return g.add(node.def, node.attr, &[a, b]);
    }
    let shape = g.ty(b.value).shape.clone();
    let rank = shape.len();
    let last = g.transpose(b.value, (1..rank).chain([0]).collect());
    let mut joined = shape[1..rank - 1].to_vec();
    joined.push(shape[rank - 1] * n);
    let columns = g.reshape(last, joined);
    let x = g.add(node.def, node.attr, &[a.value, columns]);
    let apart = g.reshape(x, shape[1..].iter().copied().chain([n]).collect());
    g.transpose(
        apart,
        std::iter::once(rank - 1).chain(0..rank - 1).collect(),
    )
}

/// The attribute of a triangular solve as (lower, transpose, unit).
fn triangle(g: &Graph, v: Value) -> (bool, bool, bool) {
    match g.node(v).attr {
        Attr::Triangle {
            lower,
            transpose,
            unit,
        } => (lower, transpose, unit),
        _ => (true, false, false),
    }
}

/// The elements of the matrix that the solve reads.
fn read(lower: bool, unit: bool) -> Part {
    match (lower, unit) {
        (true, false) => Part::Lower,
        (true, true) => Part::StrictlyLower,
        (false, false) => Part::Upper,
        (false, true) => Part::StrictlyUpper,
    }
}

/// X with T X = B or Tᵀ X = B.
///
/// Shapes: `[.., n, n]` and `[.., n, k]` to `[.., n, k]`. With `t` the tangent, dX = T⁻¹ (dB - dT X).
pub static TRIANGULAR_SOLVE: OpDef = OpDef {
    name: "triangular_solve",
    doc: "X with T X = B (or Tᵀ X = B), where T is a triangle of the first operand. A zero on the diagonal gives NaN.",
    arity: Arity::Exactly(2),
    shape: |attr, types| match attr {
        Attr::Triangle { .. } => system("triangular_solve", types),
        other => bad_attr("triangular_solve", other),
    },
    kernel: Kernel::Linalg(Linalg::TriangularSolve),
    ad: Ad::Custom {
        jvp: |g, v, x, t| {
            let (lower, transpose, unit) = triangle(g, v);
            let mut right = t[1];
            if let Some(da) = t[0] {
                let dt = g.only(da, read(lower, unit));
                let moved = if transpose {
                    g.matmul_tn(dt, v)
                } else {
                    g.matmul(dt, v)
                };
                right = Some(match right {
                    Some(db) => g.sub(db, moved),
                    None => g.neg(moved),
                });
            }
            let attr = g.node(v).attr.clone();
            right.map(|r| g.add(&TRIANGULAR_SOLVE, attr, &[x[0], r]))
        },
        vjp: |g, v, x, ct| {
            let (lower, transpose, unit) = triangle(g, v);
            let attr = Attr::Triangle {
                lower,
                transpose: !transpose,
                unit,
            };
            let db = g.add(&TRIANGULAR_SOLVE, attr, &[x[0], ct]);
            let outer = if transpose {
                g.matmul_nt(v, db)
            } else {
                g.matmul_nt(db, v)
            };
            let outer = g.neg(outer);
            let da = g.only(outer, read(lower, unit));
            vec![Some(da), Some(db)]
        },
    },
    batch: Batch::Custom(batch),
    cases: || {
        let mut all = vec![];
        for (lower, transpose, unit) in [
            (true, false, false),
            (true, true, false),
            (false, false, false),
            (false, true, false),
            (true, false, true),
            (false, true, true),
        ] {
            let attr = Attr::Triangle {
                lower,
                transpose,
                unit,
            };
            let count = if lower { SYSTEMS.len() } else { 3 };
            all.extend(systems(&attr, count));
        }
        all
    },
};

/// X with A X = B, by LU factors with partial pivoting.
///
/// Shapes: `[.., n, n]` and `[.., n, k]` to `[.., n, k]`. dX = A⁻¹ (dB - dA X).
pub static SOLVE: OpDef = OpDef {
    name: "solve",
    doc: "X with A X = B, by elimination with partial pivoting. A singular A gives NaN.",
    arity: Arity::Exactly(2),
    shape: |_, types| system("solve", types),
    kernel: Kernel::Linalg(Linalg::Solve),
    ad: Ad::Custom {
        jvp: |g, v, x, t| {
            let mut right = t[1];
            if let Some(da) = t[0] {
                let moved = g.matmul(da, v);
                right = Some(match right {
                    Some(db) => g.sub(db, moved),
                    None => g.neg(moved),
                });
            }
            right.map(|r| g.binary(&SOLVE, x[0], r))
        },
        vjp: |g, v, x, ct| {
            let at = g.matrix_transpose(x[0]);
            let db = g.binary(&SOLVE, at, ct);
            let outer = g.matmul_nt(db, v);
            vec![Some(g.neg(outer)), Some(db)]
        },
    },
    batch: Batch::Custom(batch),
    cases: || systems(&Attr::None, SYSTEMS.len()),
};

/// Sign and logarithm of the magnitude of a determinant.
///
/// Shapes: `[.., n, n]` to `[.., 2]`. d log|det A| = tr(A⁻¹ dA). A singular matrix has sign 0 and logarithm -inf; its
/// derivative does not exist, and is NaN.
pub static SLOGDET: OpDef = OpDef {
    name: "slogdet",
    doc: "The sign of the determinant and the logarithm of its magnitude; 0 and -inf for a singular matrix.",
    arity: Arity::Exactly(1),
    shape: |_, types| {
        let (dtype, batch, _) = only_square("slogdet", types)?;
        packed(dtype, batch, &[2])
    },
    kernel: Kernel::Linalg(Linalg::SlogDet),
    ad: Ad::Custom {
        jvp: |g, v, x, t| {
            let moved = g.binary(&SOLVE, x[0], t[0]?);
            let axis = g.ty(v).rank() - 1;
            let d = g.diagonal(moved);
            let trace = g.sum(d, vec![axis]);
            let mut shape = g.ty(trace).shape.clone();
            shape.push(1);
            let trace = g.reshape(trace, shape);
            let zero = g.constant_like(0.0, trace);
            Some(g.add(&CONCAT, Attr::Axis(axis), &[zero, trace]))
        },
        vjp: |g, v, x, ct| {
            let axis = g.ty(v).rank() - 1;
            let at = g.matrix_transpose(x[0]);
            let eye = g.identity_like(at);
            let inverse = g.binary(&SOLVE, at, eye);
            let weight = g.slice_axis(ct, axis, 1, 2);
            let shape = g.ty(weight).shape[..axis].to_vec();
            let weight = g.reshape(weight, shape);
            let whole = g.ty(inverse).shape.clone();
            let weight = g.lead(weight, &whole);
            vec![Some(g.mul(weight, inverse))]
        },
    },
    batch: BATCH,
    cases: || cases(SQUARE, Domain::Dominant),
};
