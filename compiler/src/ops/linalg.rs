//! Linear algebra on the last two axes, with any number of batch axes before them.
//!
//! - `solves`: triangular and general systems, determinants. `factors`: Cholesky and QR. `spectra`: eigenvalues and
//!   singular values. `matrices`: what their derivatives are built of.
//!
//! Conventions, which the interpreter and the native kernels share, so that a result is one matrix and not one of several:
//! - Symmetric matrices: what is factored is (A + Aᵀ) / 2, so a derivative by A is symmetric and agrees with finite
//!   differences along any direction, whether it keeps A symmetric or not.
//! - The component of each eigenvector, and of each column of U, that is largest in magnitude (the first of those within a
//!   millionth of the largest) is positive; the columns of V follow those of U. R's diagonal is not negative.
//! - What has no answer is NaN as a whole, so that the run's check stops it: the factor of a matrix that is not positive
//!   definite (its lower triangle), the solution of a singular system, everything made of a matrix with an element that is
//!   infinite or no number.
//! - Results are computed in f64 and rounded once, for f32 operands too.
//!
//! Results of several parts are packed into one tensor, along the axis of rows; who calls takes them apart with slices.

mod factors;
mod matrices;
mod solves;
mod spectra;

pub use factors::{CHOLESKY, QR};
pub use solves::{SLOGDET, SOLVE, TRIANGULAR_SOLVE};
pub use spectra::{EIGH, SVD};

use super::rules::Rule;
use super::{Batch, Case, Domain};
use crate::ir::{Attr, DType, Type};

/// All operands are given the new axis: batch axes are in front.
const BATCH: Batch = Batch::Shift(|attr, _| attr.clone());

/// The batch axes, rows and columns of a matrix of reals.
fn matrix(name: &str, ty: &Type) -> Result<(Vec<usize>, usize, usize), String> {
    let rank = ty.rank();
    if rank < 2 || !ty.dtype.is_real() {
        return Err(format!("`{name}` takes a matrix of reals, not `{ty}`"));
    }
    Ok((
        ty.shape[..rank - 2].to_vec(),
        ty.shape[rank - 2],
        ty.shape[rank - 1],
    ))
}

/// The same of an operation's only operand.
fn only_matrix(name: &str, types: &[&Type]) -> Result<(DType, Vec<usize>, usize, usize), String> {
    let [ty] = types else {
        return Err(format!("`{name}` takes one matrix"));
    };
    let (batch, m, n) = matrix(name, ty)?;
    Ok((ty.dtype, batch, m, n))
}

/// An operation's only operand, which is square.
fn only_square(name: &str, types: &[&Type]) -> Result<(DType, Vec<usize>, usize), String> {
    let [ty] = types else {
        return Err(format!("`{name}` takes one matrix"));
    };
    let (batch, n) = square(name, ty)?;
    Ok((ty.dtype, batch, n))
}

/// The batch axes and the size of a square matrix of reals.
fn square(name: &str, ty: &Type) -> Result<(Vec<usize>, usize), String> {
    let (batch, m, n) = matrix(name, ty)?;
    if m != n {
        return Err(format!("`{name}` takes a square matrix, not `{ty}`"));
    }
    Ok((batch, n))
}

/// The operands of a solve: a square matrix, and right-hand sides with as many rows.
fn system(name: &str, types: &[&Type]) -> Rule {
    let [a, b] = types else {
        return Err(format!("`{name}` takes a matrix and right-hand sides"));
    };
    let (batch, n) = square(name, a)?;
    let (same, rows, _) = matrix(name, b)?;
    if a.dtype != b.dtype || batch != same || rows != n {
        return Err(format!(
            "`{name}` of a `{a}` needs right-hand sides with {n} rows, not `{b}`"
        ));
    }
    Ok((*b).clone())
}

/// The rank-2 type with the batch axes in front.
fn packed(dtype: DType, mut batch: Vec<usize>, tail: &[usize]) -> Rule {
    batch.extend(tail);
    super::rules::sized(dtype, batch)
}

/// Shapes of square matrices that the generic tests use.
const SQUARE: &[&[usize]] = &[
    &[1, 1],
    &[0, 0],
    &[3, 3],
    &[5, 5],
    &[7, 7],
    &[2, 3, 3],
    &[2, 1, 2, 2],
];

/// One operand of each shape in f64, and one that is large and one in f32.
fn cases(shapes: &[&[usize]], domain: Domain) -> Vec<Case> {
    let one = |dtype, shape: &[usize]| Case {
        attr: Attr::None,
        operands: vec![(Type::new(dtype, shape.to_vec()), domain)],
    };
    let mut all: Vec<Case> = shapes.iter().map(|s| one(DType::F64, s)).collect();
    all.push(one(DType::F32, &[17, 17]));
    all.push(one(DType::F32, &[3, 5, 5]));
    all
}
