//! Eigenvalues of symmetric matrices, and singular values.
//!
//! Where eigenvalues or singular values repeat, vectors are one choice of many, and what depends on the choice has no
//! derivative. The factor 1 / (w_j - w_i) of the rules is taken as 0 where the difference is at most 64 units in the last
//! place of the largest value: derivatives are finite, and right for what does not depend on the choice (sums over the
//! vectors of a repeated value, functions of all values alike). A second derivative there leaves out what couples the
//! vectors of one value.

use super::{BATCH, SQUARE, cases, only_matrix, only_square, packed};
use crate::ir::{Graph, Value};
use crate::ops::{Ad, Arity, Domain, Kernel, Linalg, OpDef};

/// A table of `d_j - d_i`, or with `plus` of `d_j + d_i`: `[.., n]` to `[.., n, n]`.
fn pairs(g: &mut Graph, d: Value, plus: bool) -> Value {
    let n = *g.ty(d).shape.last().unwrap_or(&0);
    let (i, j) = (g.along_rows(d, n), g.along_columns(d, n));
    if plus { g.add2(j, i) } else { g.sub(j, i) }
}

/// Eigenvalues w and eigenvectors V of (A + Aᵀ) / 2 = V diag(w) Vᵀ.
///
/// Shape: `[.., n, n]` to `[.., n + 1, n]`: the ascending eigenvalues, then V, whose columns are eigenvectors. Derivatives:
/// Giles (2008), "Collected matrix derivative results", section 3.1, for symmetric matrices.
pub static EIGH: OpDef = OpDef {
    name: "eigh",
    doc: "The ascending eigenvalues of (A + Aᵀ) / 2, above its eigenvectors, which are columns.",
    arity: Arity::Exactly(1),
    shape: |_, types| {
        let (dtype, batch, n) = only_square("eigh", types)?;
        packed(dtype, batch, &[n + 1, n])
    },
    kernel: Kernel::Linalg(Linalg::Eigh),
    ad: Ad::Custom {
        // M = Vᵀ dA V: dw = diag(M), dV = V (F ∘ M)
        jvp: |g, v, _, t| {
            let (_, vectors, f) = eigen(g, v);
            let da = g.symmetric(t[0]?);
            let right = g.matmul(da, vectors);
            let m = g.matmul_tn(vectors, right);
            let dw = g.diagonal(m);
            let dw = g.as_row(dw);
            let turned = g.mul(f, m);
            let dv = g.matmul(vectors, turned);
            Some(g.stacked(&[dw, dv]))
        },
        // The symmetric part of V (diag(w̄) + F ∘ (Vᵀ V̄)) Vᵀ
        vjp: |g, v, _, ct| {
            let (_, vectors, f) = eigen(g, v);
            let (dw, dv) = eigen_parts(g, ct);
            let inner = g.matmul_tn(vectors, dv);
            let inner = g.mul(f, inner);
            let dw = g.on_diagonal(dw);
            let inner = g.add2(inner, dw);
            let left = g.matmul(vectors, inner);
            let da = g.matmul_nt(left, vectors);
            vec![Some(g.symmetric(da))]
        },
    },
    batch: BATCH,
    cases: || cases(SQUARE, Domain::Spread),
};

/// The two parts of a packed result.
fn eigen_parts(g: &mut Graph, v: Value) -> (Value, Value) {
    let n = *g.ty(v).shape.last().unwrap_or(&0);
    (g.first_row(v), g.rows(v, 1, n + 1))
}

/// The two parts, and F: F_ij = 1 / (w_j - w_i), 0 on the diagonal and where eigenvalues repeat.
fn eigen(g: &mut Graph, v: Value) -> (Value, Value, Value) {
    let (values, vectors) = eigen_parts(g, v);
    let gaps = pairs(g, values, false);
    let f = g.recip_or_zero(gaps, values);
    (values, vectors, f)
}

/// Singular values s and vectors of A = U diag(s) Vᵀ, thin: k = min(m, n) of each.
///
/// Shape: `[.., m, n]` to `[.., m + n + 1, k]`: the descending singular values, then U `[m, k]`, then V `[n, k]`.
/// Derivatives: Townsend (2016), "Differentiating the singular value decomposition". With P = Uᵀ dA V, E_ij = 1 / (s_j - s_i),
/// G_ij = 1 / (s_j + s_i), its F ∘ (P S + S Pᵀ) is (E ∘ (P + Pᵀ) + G ∘ (P - Pᵀ)) / 2, and the same with a minus for V. In this
/// form what a repeated singular value leaves out is only what depends on the choice of its vectors.
pub static SVD: OpDef = OpDef {
    name: "svd",
    doc: "The descending singular values, above the left and then the right singular vectors, which are columns.",
    arity: Arity::Exactly(1),
    shape: |_, types| {
        let (dtype, batch, m, n) = only_matrix("svd", types)?;
        packed(dtype, batch, &[m + n + 1, m.min(n)])
    },
    kernel: Kernel::Linalg(Linalg::Svd),
    ad: Ad::Custom {
        jvp: |g, v, x, t| {
            let s = singular(g, v, x[0]);
            let da = t[0]?;
            let right = g.matmul(da, s.v);
            let p = g.matmul_tn(s.u, right);
            let ds = g.diagonal(p);
            let pt = g.matrix_transpose(p);
            let (even, odd) = (g.add2(p, pt), g.sub(p, pt));
            let (even, odd) = (g.mul(s.e, even), g.mul(s.g, odd));
            let (plus, minus) = (g.add2(even, odd), g.sub(even, odd));
            let (plus, minus) = (g.scaled(plus, 0.5), g.scaled(minus, 0.5));
            let mut du = g.matmul(s.u, plus);
            let mut dv = g.matmul(s.v, minus);
            if s.tall {
                // (I - U Uᵀ) dA V S⁻¹
                let rest = outside(g, s.u, right);
                let rest = over_columns(g, rest, s.inverse);
                du = g.add2(du, rest);
            }
            if s.wide {
                let left = g.matmul_tn(da, s.u);
                let rest = outside(g, s.v, left);
                let rest = over_columns(g, rest, s.inverse);
                dv = g.add2(dv, rest);
            }
            let ds = g.as_row(ds);
            Some(g.stacked(&[ds, du, dv]))
        },
        vjp: |g, v, x, ct| {
            let s = singular(g, v, x[0]);
            let (ds, du, dv) = singular_parts(g, ct, x[0]);
            let (xu, xv) = (g.matmul_tn(s.u, du), g.matmul_tn(s.v, dv));
            let (even, odd) = (g.add2(xu, xv), g.sub(xu, xv));
            let (even, odd) = (g.mul(s.e, even), g.mul(s.g, odd));
            let (even_t, odd_t) = (g.matrix_transpose(even), g.matrix_transpose(odd));
            let (even, odd) = (g.add2(even, even_t), g.sub(odd, odd_t));
            let inner = g.add2(even, odd);
            let inner = g.scaled(inner, 0.5);
            let ds = g.on_diagonal(ds);
            let inner = g.add2(inner, ds);
            let left = g.matmul(s.u, inner);
            let mut da = g.matmul_nt(left, s.v);
            if s.tall {
                let rest = outside(g, s.u, du);
                let rest = over_columns(g, rest, s.inverse);
                let rest = g.matmul_nt(rest, s.v);
                da = g.add2(da, rest);
            }
            if s.wide {
                let rest = outside(g, s.v, dv);
                let rest = over_columns(g, rest, s.inverse);
                let rest = g.matmul_nt(s.u, rest);
                da = g.add2(da, rest);
            }
            vec![Some(da)]
        },
    },
    batch: BATCH,
    cases: || {
        let shapes: &[&[usize]] = &[
            &[3, 2],
            &[2, 3],
            &[7, 5],
            &[5, 7],
            &[1, 4],
            &[3, 0],
            &[2, 4, 3],
        ];
        cases(&[SQUARE, shapes].concat(), Domain::Spread)
    },
};

/// What the rules of [`SVD`] share.
struct Singular {
    u: Value,
    v: Value,
    /// 1 / (s_j - s_i), or 0.
    e: Value,
    /// 1 / (s_j + s_i), or 0.
    g: Value,
    /// 1 / s, or 0: `[.., k]`.
    inverse: Value,
    /// More rows than columns.
    tall: bool,
    /// More columns than rows.
    wide: bool,
}

fn singular_parts(g: &mut Graph, v: Value, x: Value) -> (Value, Value, Value) {
    let shape = &g.ty(x).shape;
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    (
        g.first_row(v),
        g.rows(v, 1, m + 1),
        g.rows(v, m + 1, m + n + 1),
    )
}

fn singular(g: &mut Graph, packed: Value, x: Value) -> Singular {
    let shape = &g.ty(x).shape;
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let (s, u, v) = singular_parts(g, packed, x);
    let (minus, plus) = (pairs(g, s, false), pairs(g, s, true));
    Singular {
        u,
        v,
        e: g.recip_or_zero(minus, s),
        g: g.recip_or_zero(plus, s),
        inverse: g.recip_or_zero(s, s),
        tall: m > n,
        wide: n > m,
    }
}

/// `x - q qᵀ x`
fn outside(g: &mut Graph, q: Value, x: Value) -> Value {
    let inner = g.matmul_tn(q, x);
    let inside = g.matmul(q, inner);
    g.sub(x, inside)
}

/// Column j of `x` times `d_j`.
fn over_columns(g: &mut Graph, x: Value, d: Value) -> Value {
    let shape = &g.ty(x).shape;
    let rows = shape[shape.len() - 2];
    let d = g.along_columns(d, rows);
    g.mul(x, d)
}
