//! Pieces of derivative rules: products, transposes and triangles of the last two axes.

use crate::ir::{Attr, DType, Graph, Value};
use crate::ops;

/// The place of an element of a matrix, compared with the diagonal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// On or below the diagonal.
    Lower,
    /// Below the diagonal.
    StrictlyLower,
    /// On or above the diagonal.
    Upper,
    /// Above the diagonal.
    StrictlyUpper,
    Diagonal,
}

impl Graph {
    fn product(&mut self, x: Value, y: Value, sum: (usize, usize)) -> Value {
        let rank = self.ty(x).rank();
        let batch = (0..rank - 2).map(|i| (i, i)).collect();
        self.contract(x, y, batch, vec![(rank - sum.0, rank - sum.1)])
    }

    /// `x y`
    pub(super) fn matmul(&mut self, x: Value, y: Value) -> Value {
        self.product(x, y, (1, 2))
    }

    /// `xᵀ y`
    pub(super) fn matmul_tn(&mut self, x: Value, y: Value) -> Value {
        self.product(x, y, (2, 2))
    }

    /// `x yᵀ`
    pub(super) fn matmul_nt(&mut self, x: Value, y: Value) -> Value {
        self.product(x, y, (1, 1))
    }

    /// `xᵀ`
    pub(super) fn matrix_transpose(&mut self, x: Value) -> Value {
        let rank = self.ty(x).rank();
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 1, rank - 2);
        self.transpose(x, perm)
    }

    /// `(x + xᵀ) / 2`
    pub(super) fn symmetric(&mut self, x: Value) -> Value {
        let t = self.matrix_transpose(x);
        let sum = self.add2(x, t);
        self.scaled(sum, 0.5)
    }

    /// `factor x`
    pub(super) fn scaled(&mut self, x: Value, factor: f64) -> Value {
        let factor = self.constant_like(factor, x);
        self.mul(x, factor)
    }

    /// The index along one axis, in every element of a tensor of the shape of `like`.
    fn place(&mut self, like: Value, axis: usize) -> Value {
        let shape = self.ty(like).shape.clone();
        let iota = Attr::Iota {
            shape: vec![shape[axis]],
            axis: 0,
        };
        let index = self.add(&ops::IOTA, iota, &[]);
        self.broadcast(index, shape, vec![axis])
    }

    /// Is an element of a matrix like `like` in the part?
    pub(super) fn inside(&mut self, like: Value, part: Part) -> Value {
        let rank = self.ty(like).rank();
        let (i, j) = (self.place(like, rank - 2), self.place(like, rank - 1));
        match part {
            Part::Lower => self.binary(&ops::LE, j, i),
            Part::StrictlyLower => self.binary(&ops::LT, j, i),
            Part::Upper => self.binary(&ops::LE, i, j),
            Part::StrictlyUpper => self.binary(&ops::LT, i, j),
            Part::Diagonal => self.binary(&ops::EQ, i, j),
        }
    }

    /// `x` in a part of the matrix, zero elsewhere.
    pub(super) fn only(&mut self, x: Value, part: Part) -> Value {
        let inside = self.inside(x, part);
        let zero = self.constant_like(0.0, x);
        self.select(inside, x, zero)
    }

    /// The lower triangle with half of the diagonal: Φ of Murray (2016).
    pub(super) fn half_lower(&mut self, x: Value) -> Value {
        let half = self.scaled(x, 0.5);
        let diagonal = self.only(half, Part::Diagonal);
        let below = self.only(x, Part::StrictlyLower);
        self.add2(below, diagonal)
    }

    /// The diagonal: `[.., n, n]` to `[.., n]`.
    pub(super) fn diagonal(&mut self, x: Value) -> Value {
        let rank = self.ty(x).rank();
        let d = self.only(x, Part::Diagonal);
        self.sum(d, vec![rank - 1])
    }

    /// A diagonal matrix: `[.., n]` to `[.., n, n]`.
    pub(super) fn on_diagonal(&mut self, d: Value) -> Value {
        let rank = self.ty(d).rank();
        let n = self.ty(d).shape[rank - 1];
        let rows = self.along_rows(d, n);
        self.only(rows, Part::Diagonal)
    }

    /// `[.., n]` to `[.., n, columns]`: element i all along row i.
    pub(super) fn along_rows(&mut self, d: Value, columns: usize) -> Value {
        let mut shape = self.ty(d).shape.clone();
        shape.push(columns);
        self.lead(d, &shape)
    }

    /// `[.., n]` to `[.., rows, n]`: element j all along column j.
    pub(super) fn along_columns(&mut self, d: Value, rows: usize) -> Value {
        let mut shape = self.ty(d).shape.clone();
        let rank = shape.len();
        shape.insert(rank - 1, rows);
        let axes = (0..rank).filter(|&a| a != rank - 1).chain([rank]).collect();
        self.broadcast(d, shape, axes)
    }

    /// Identity matrices of the shape of the square `like`.
    pub(super) fn identity_like(&mut self, like: Value) -> Value {
        let one = self.constant_like(1.0, like);
        self.only(one, Part::Diagonal)
    }

    /// Rows `start..stop`.
    pub(super) fn rows(&mut self, x: Value, start: usize, stop: usize) -> Value {
        let axis = self.ty(x).rank() - 2;
        self.slice_axis(x, axis, start, stop)
    }

    /// The first row as a vector.
    pub(super) fn first_row(&mut self, x: Value) -> Value {
        let row = self.rows(x, 0, 1);
        let mut shape = self.ty(row).shape.clone();
        shape.remove(shape.len() - 2);
        self.reshape(row, shape)
    }

    /// Matrices below one another.
    pub(super) fn stacked(&mut self, parts: &[Value]) -> Value {
        let axis = self.ty(parts[0]).rank() - 2;
        self.add(&ops::CONCAT, Attr::Axis(axis), parts)
    }

    /// `[.., n]` to `[.., 1, n]`.
    pub(super) fn as_row(&mut self, d: Value) -> Value {
        let mut shape = self.ty(d).shape.clone();
        shape.insert(shape.len() - 1, 1);
        self.reshape(d, shape)
    }

    /// The triangle of `t` that `attr` names, or its transpose, solved for `b`.
    pub(super) fn triangular_solve(
        &mut self,
        t: Value,
        b: Value,
        lower: bool,
        transpose: bool,
    ) -> Value {
        let attr = Attr::Triangle {
            lower,
            transpose,
            unit: false,
        };
        self.add(&super::TRIANGULAR_SOLVE, attr, &[t, b])
    }

    /// `1 / x`, and 0 where `x` is at most `tolerance` times the largest magnitude of `scale` (`[.., n]`, repeated along
    /// the axes of `x` behind its batch axes). Its derivatives are 0 there, too.
    pub(super) fn recip_or_zero(&mut self, x: Value, scale: Value) -> Value {
        let ty = self.ty(x).clone();
        // Sixty-four units in the last place: what rounding makes of equal eigenvalues is less, what can be told apart
        // in the element type is more.
        let tolerance = match ty.dtype {
            DType::F32 => 64.0 * f64::from(f32::EPSILON),
            _ => 64.0 * f64::EPSILON,
        };
        let axis = self.ty(scale).rank() - 1;
        let size = self.unary(&ops::ABS, scale);
        let largest = self.add(&ops::MAX_OVER, Attr::Axes(vec![axis]), &[size]);
        let bound = self.scaled(largest, tolerance);
        let bound = self.lead(bound, &ty.shape);
        let size = self.unary(&ops::ABS, x);
        let small = self.binary(&ops::LE, size, bound);
        let one = self.constant_like(1.0, x);
        let safe = self.select(small, one, x);
        let inverse = self.recip(safe);
        let zero = self.constant_like(0.0, x);
        self.select(small, zero, inverse)
    }
}
