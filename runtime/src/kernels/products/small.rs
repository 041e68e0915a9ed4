//! Products of small matrices, many in a batch: loops without parts, tiles or packed operands, which cost more than they bring.
//!
//! An element is the sum of its products from the first to the last, as the other kernels have it: by fused multiply-add where
//! tiles would be used, rounded twice where the products are those of one vector.

use super::lanes::Lanes;
use super::{Batch, Size, Vector, View, vector};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};
use std::ops::Range;

/// Multiplications of one product, at most: tiles are better at more.
const MOST: usize = 1 << 12;

/// The same where each number is computed by itself, as vectors would not lie along rows.
const MOST_APART: usize = 1 << 7;

/// Rows of a product that are computed at once.
const ROWS: usize = 4;

/// The products of a batch.
pub(super) struct Small<'b, T> {
    pub batch: &'b Batch,
    pub size: Size,
    pub matrices: [View<T>; 3],
    /// Whether multiplication and addition round once.
    pub fused: bool,
}

/// Do rows of the right operand and of the result lie in memory as rows of vectors of `lanes` numbers do?
fn in_rows<T>(size: Size, [_, y, out]: &[View<T>; 3], lanes: usize) -> bool {
    size.n > 1 && size.n <= lanes && y.column == 1 && out.column == 1
}

/// Is this the better way for such products?
pub(super) fn fits<T>(size: Size, matrices: &[View<T>; 3]) -> bool {
    // The narrowest vectors in use have four numbers of four bytes or eight.
    let lanes = match vector() {
        Vector::Avx512 => 64 / size_of::<T>(),
        Vector::Avx2 => 32 / size_of::<T>(),
        Vector::Portable => 4,
    };
    size.work() <= MOST_APART || size.work() <= MOST && in_rows(size, matrices, lanes)
}

/// `R` rows of a product from the `i`th, by vectors that are as long as rows or longer.
#[inline(always)]
unsafe fn rows<V: Lanes, const R: usize, const FUSED: bool>(
    Size { n, k, .. }: Size,
    [x, y, out]: [View<V::Number>; 3],
    i: usize,
) {
    // SAFETY: the caller's rows are in its matrices.
    unsafe {
        let mut sums = [V::zero(); R];
        for l in 0..k {
            let y = V::load_some(y.from(l, 0).at, n);
            for (r, sum) in sums.iter_mut().enumerate() {
                let x = V::splat(x.from(i + r, l).at);
                *sum = match FUSED {
                    true => x.fused(y, *sum),
                    false => sum.plus(x.times(y)),
                };
            }
        }
        for (r, sum) in sums.into_iter().enumerate() {
            sum.store_some(out.from(i + r, 0).at, n);
        }
    }
}

/// A product, number by number.
#[inline(always)]
unsafe fn numbers<V: Lanes, const FUSED: bool>(
    Size { m, n, k }: Size,
    [x, y, out]: [View<V::Number>; 3],
) {
    // SAFETY: the caller's matrices have these sizes.
    unsafe {
        for i in 0..m {
            for j in 0..n {
                let (mut x, mut y) = (x.from(i, 0), y.from(0, j));
                let mut sum = V::NONE;
                for _ in 0..k {
                    sum = match FUSED {
                        true => V::fused_numbers(*x.at, *y.at, sum),
                        false => sum + *x.at * *y.at,
                    };
                    x.at = x.at.wrapping_offset(x.column);
                    y.at = y.at.wrapping_offset(y.row);
                }
                *out.from(i, j).at = sum;
            }
        }
    }
}

#[inline(always)]
unsafe fn one<V: Lanes, const FUSED: bool>(size: Size, matrices: [View<V::Number>; 3]) {
    // SAFETY: passed on.
    unsafe {
        if !in_rows(size, &matrices, V::N) {
            return numbers::<V, FUSED>(size, matrices);
        }
        let whole = size.m - size.m % ROWS;
        for i in (0..whole).step_by(ROWS) {
            rows::<V, ROWS, FUSED>(size, matrices, i);
        }
        for i in whole..size.m {
            rows::<V, 1, FUSED>(size, matrices, i);
        }
    }
}

#[inline(always)]
unsafe fn all<V: Lanes>(s: &Small<V::Number>, range: Range<usize>) {
    let inner = s.batch.extents[1];
    let mut place = [range.start / inner, range.start % inner];
    for _ in range {
        // SAFETY: the caller's batch has so many.
        unsafe {
            let matrices = s.batch.at_place(place, s.matrices);
            match s.fused {
                true => one::<V, true>(s.size, matrices),
                false => one::<V, false>(s.size, matrices),
            }
        }
        place[1] += 1;
        if place[1] == inner {
            place = [place[0] + 1, 0];
        }
    }
}

macro_rules! small {
    ($ty:ident, $avx512:ty, $avx2:ty) => {
        /// Some of the products of a batch.
        ///
        /// # Safety
        /// The matrices are where they are said to be, the results apart from the others, and the sums are not empty.
        pub(super) unsafe fn $ty(s: &Small<$ty>, range: Range<usize>) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
            unsafe fn avx512(s: &Small<$ty>, range: Range<usize>) {
                // SAFETY: passed on.
                unsafe { all::<$avx512>(s, range) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2(s: &Small<$ty>, range: Range<usize>) {
                // SAFETY: passed on.
                unsafe { all::<$avx2>(s, range) }
            }
            // SAFETY: a vector path is chosen only where the machine has it; the rest is the caller's promise.
            unsafe {
                match vector() {
                    #[cfg(target_arch = "x86_64")]
                    Vector::Avx512 => avx512(s, range),
                    #[cfg(target_arch = "x86_64")]
                    Vector::Avx2 => avx2(s, range),
                    _ => all::<[$ty; 4]>(s, range),
                }
            }
        }
    };
}

small!(f32, __m512, __m256);
small!(f64, __m512d, __m256d);
