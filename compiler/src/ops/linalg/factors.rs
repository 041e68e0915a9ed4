//! Cholesky and QR factors.

use super::matrices::Part;
use super::{BATCH, SQUARE, cases, only_matrix, only_square, packed};
use crate::ops::{Ad, Arity, Domain, Kernel, Linalg, OpDef};

/// L, lower triangular with a positive diagonal, with L Lᵀ = (A + Aᵀ) / 2.
///
/// Shape: `[.., n, n]`. Derivatives: Murray (2016), "Differentiation of the Cholesky decomposition", equations 8 and 9.
pub static CHOLESKY: OpDef = OpDef {
    name: "cholesky",
    doc: "The lower Cholesky factor of (A + Aᵀ) / 2. If that is not positive definite, the lower triangle is NaN.",
    arity: Arity::Exactly(1),
    shape: |_, types| {
        let (dtype, batch, n) = only_square("cholesky", types)?;
        packed(dtype, batch, &[n, n])
    },
    kernel: Kernel::Linalg(Linalg::Cholesky),
    ad: Ad::Custom {
        // dL = L Φ(L⁻¹ dA L⁻ᵀ)
        jvp: |g, v, _, t| {
            let da = g.symmetric(t[0]?);
            let left = g.triangular_solve(v, da, true, false);
            let right = g.matrix_transpose(left);
            let both = g.triangular_solve(v, right, true, false);
            let phi = g.half_lower(both);
            Some(g.matmul(v, phi))
        },
        // The symmetric part of L⁻ᵀ Φ(Lᵀ ct) L⁻¹
        vjp: |g, v, _, ct| {
            let inner = g.matmul_tn(v, ct);
            let phi = g.half_lower(inner);
            let left = g.triangular_solve(v, phi, true, true);
            let right = g.matrix_transpose(left);
            let both = g.triangular_solve(v, right, true, true);
            vec![Some(g.symmetric(both))]
        },
    },
    batch: BATCH,
    cases: || cases(SQUARE, Domain::PositiveDefinite),
};

/// A = Q R with orthonormal columns Q and R upper triangular, its diagonal not negative, for at least as many rows as
/// columns.
///
/// Shape: `[.., m, n]` to `[.., m + n, n]`: the rows of Q, then those of R. Derivatives: Walter and Lehmann (2010),
/// "Algorithmic differentiation of linear algebra functions", section 3. They need columns that are independent; where they are
/// not, the factors have no derivative, and what is computed is NaN.
pub static QR: OpDef = OpDef {
    name: "qr",
    doc: "The thin QR factors, Q above R, of a matrix with at least as many rows as columns; R's diagonal is not negative.",
    arity: Arity::Exactly(1),
    shape: |_, types| {
        let (dtype, batch, m, n) = only_matrix("qr", types)?;
        if m < n {
            return Err(format!(
                "`qr` takes a matrix with at least as many rows as columns, not `{}`",
                types[0]
            ));
        }
        packed(dtype, batch, &[m + n, n])
    },
    kernel: Kernel::Linalg(Linalg::Qr),
    ad: Ad::Custom {
        // C = Qᵀ dA R⁻¹, Ω its lower triangle made antisymmetric: dQ = Q Ω + (dA R⁻¹ - Q C), dR = (C - Ω) R.
        jvp: |g, v, x, t| {
            let (m, n) = (rows_of(g, x[0]), columns_of(g, x[0]));
            let (q, r) = (g.rows(v, 0, m), g.rows(v, m, m + n));
            let da = g.matrix_transpose(t[0]?);
            let z = g.triangular_solve(r, da, false, true);
            let z = g.matrix_transpose(z);
            let c = g.matmul_tn(q, z);
            let low = g.only(c, Part::StrictlyLower);
            let high = g.matrix_transpose(low);
            let omega = g.sub(low, high);
            let rest = g.sub(c, omega);
            let dr = g.matmul(rest, r);
            let inside = g.matmul(q, rest);
            let dq = g.sub(z, inside);
            Some(g.stacked(&[dq, dr]))
        },
        // M = R R̄ᵀ - Q̄ᵀ Q, its lower triangle mirrored: (Q̄ + Q M) R⁻ᵀ.
        vjp: |g, v, x, ct| {
            let (m, n) = (rows_of(g, x[0]), columns_of(g, x[0]));
            let (q, r) = (g.rows(v, 0, m), g.rows(v, m, m + n));
            let (dq, dr) = (g.rows(ct, 0, m), g.rows(ct, m, m + n));
            // Below the diagonal R is 0 whatever A is.
            let dr = g.only(dr, Part::Upper);
            let a = g.matmul_nt(r, dr);
            let b = g.matmul_tn(dq, q);
            let m = g.sub(a, b);
            let low = g.only(m, Part::Lower);
            let strict = g.only(m, Part::StrictlyLower);
            let high = g.matrix_transpose(strict);
            let mirrored = g.add2(low, high);
            let moved = g.matmul(q, mirrored);
            let sum = g.add2(dq, moved);
            let sum = g.matrix_transpose(sum);
            let da = g.triangular_solve(r, sum, false, false);
            vec![Some(g.matrix_transpose(da))]
        },
    },
    batch: BATCH,
    cases: || {
        let shapes: &[&[usize]] = &[&[3, 2], &[7, 5], &[4, 1], &[3, 0], &[2, 5, 3]];
        cases(&[SQUARE, shapes].concat(), Domain::Dominant)
    },
};

fn rows_of(g: &crate::ir::Graph, x: crate::ir::Value) -> usize {
    let shape = &g.ty(x).shape;
    shape[shape.len() - 2]
}

fn columns_of(g: &crate::ir::Graph, x: crate::ir::Value) -> usize {
    let shape = &g.ty(x).shape;
    shape[shape.len() - 1]
}
