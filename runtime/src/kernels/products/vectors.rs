//! Products of a matrix and one vector or few: as fast as the matrix comes from memory.
//!
//! The order of each sum depends on the shape and the layout alone, and nothing is rounded once where another instruction
//! set would round twice: all vector paths give the same bits.

use super::lanes::Lanes;
use super::{Buffer, Entry, Size, Vector, View, pool, vector, vectorised};
use mlc_compiler::codegen::panels;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

/// Vectors at most.
pub(super) const FEW: usize = 4;

/// Numbers of the matrix in one part, about: fewer cost more to hand out than they bring.
const PART: usize = 1 << 15;

/// Parts at most.
const MAX_PARTS: usize = 16;

/// Lanes of a sum along a row.
const LANES: usize = 16;

/// Rows whose multiples are added to a sum of rows at once.
const GROUP: usize = 8;

/// Rows of a matrix and columns of another, `k` numbers each, contiguous.
struct Dots<T> {
    m: usize,
    n: usize,
    k: usize,
    x: View<T>,
    y: View<T>,
    out: View<T>,
}

/// `out[i, j] = sum of x[i, l] * y[l, j]`: in sixteen lanes, which `P` vectors have, and then a fixed tree; `R` rows at
/// once.
#[inline(always)]
unsafe fn dots<V: Lanes, const P: usize, const R: usize>(d: &Dots<V::Number>) {
    debug_assert!(P * V::N == LANES);
    // SAFETY: passed on.
    unsafe {
        let steps = d.k.div_ceil(LANES);
        let held = d.n == 1 && P * (steps + R) < V::REGISTERS;
        match steps {
            1 if held => return dots_held::<V, P, R, 1>(d),
            2 if held => return dots_held::<V, P, R, 2>(d),
            3 if held => return dots_held::<V, P, R, 3>(d),
            4 if held => return dots_held::<V, P, R, 4>(d),
            5 if held => return dots_held::<V, P, R, 5>(d),
            6 if held => return dots_held::<V, P, R, 6>(d),
            7 if held => return dots_held::<V, P, R, 7>(d),
            8 if held => return dots_held::<V, P, R, 8>(d),
            _ => {}
        }
    }
    let whole = d.m - d.m % R;
    // SAFETY: the rows are in the matrix.
    unsafe {
        for i in (0..whole).step_by(R) {
            dots_of_rows::<V, P, R>(d, i);
        }
        for i in whole..d.m {
            dots_of_rows::<V, P, 1>(d, i);
        }
    }
}

/// The same for one column, of as many numbers as `C` times the lanes have or a few less, which stays in registers.
#[inline(always)]
unsafe fn dots_held<V: Lanes, const P: usize, const R: usize, const C: usize>(d: &Dots<V::Number>) {
    let left: [usize; P] =
        std::array::from_fn(|p| (d.k + LANES - C * LANES).saturating_sub(p * V::N).min(V::N));
    let full = left[P - 1] == V::N;
    let whole = d.m - d.m % R;
    // SAFETY: the caller's rows and column have `k` numbers; of the last vectors only those are read.
    unsafe {
        let load = |at: *const V::Number, c: usize, p: usize| {
            let from = c * LANES + p * V::N;
            if c < C - 1 || full {
                V::load(at.wrapping_add(from))
            } else {
                V::load_some(at.wrapping_add(from), left[p])
            }
        };
        let y: [[V; P]; C] =
            std::array::from_fn(|c| std::array::from_fn(|p| load(d.y.at.cast_const(), c, p)));
        for i in (0..whole).step_by(R) {
            held_rows::<V, P, R, C>(d, i, &y, load);
        }
        for i in whole..d.m {
            held_rows::<V, P, 1, C>(d, i, &y, load);
        }
    }
}

/// The same for `R` rows from the `i`th.
#[inline(always)]
unsafe fn held_rows<V: Lanes, const P: usize, const R: usize, const C: usize>(
    d: &Dots<V::Number>,
    i: usize,
    y: &[[V; P]; C],
    load: impl Fn(*const V::Number, usize, usize) -> V,
) {
    // SAFETY: as above.
    unsafe {
        let first = d.x.from(i, 0).at.cast_const();
        let mut sums = [[V::zero(); R]; P];
        // All rows at once: the more is under way, the less is waited for.
        for (c, y) in y.iter().enumerate() {
            for (p, (sums, y)) in sums.iter_mut().zip(y).enumerate() {
                for (r, sum) in sums.iter_mut().enumerate() {
                    let row = first.wrapping_offset(r as isize * d.x.row);
                    *sum = sum.plus(load(row, c, p).times(*y));
                }
            }
        }
        finish::<V, P, R>(sums, d.out.from(i, 0));
    }
}

/// Adds up the lanes of `R` rows.
#[inline(always)]
unsafe fn finish<V: Lanes, const P: usize, const R: usize>(
    mut sums: [[V; R]; P],
    out: View<V::Number>,
) {
    // SAFETY: the caller's result has so many rows.
    unsafe {
        let mut half = P / 2;
        while half > 0 {
            let (first, second) = sums.split_at_mut(half);
            for (a, b) in first.iter_mut().flatten().zip(second.iter().flatten()) {
                *a = a.plus(*b);
            }
            half /= 2;
        }
        if out.row == 1 {
            V::totals(sums[0], out.at);
        } else {
            for (r, sum) in sums[0].into_iter().enumerate() {
                *out.from(r, 0).at = sum.total();
            }
        }
    }
}

/// The same for `R` rows from the `i`th, and any columns.
#[inline(always)]
unsafe fn dots_of_rows<V: Lanes, const P: usize, const R: usize>(d: &Dots<V::Number>, i: usize) {
    let whole = d.k - d.k % LANES;
    let left: [usize; P] =
        std::array::from_fn(|p| (d.k - whole).saturating_sub(p * V::N).min(V::N));
    // SAFETY: the caller's rows and columns have `k` numbers.
    unsafe {
        let first = d.x.from(i, 0).at;
        let x: [*mut V::Number; R] =
            std::array::from_fn(|r| first.wrapping_offset(r as isize * d.x.row));
        for j in 0..d.n {
            let y = d.y.from(0, j).at;
            let mut sums = [[V::zero(); R]; P];
            for l in (0..whole).step_by(LANES) {
                for (p, sums) in sums.iter_mut().enumerate() {
                    let at = l + p * V::N;
                    let y = V::load(y.add(at));
                    for (sum, x) in sums.iter_mut().zip(x) {
                        *sum = sum.plus(V::load(x.add(at)).times(y));
                    }
                }
            }
            if whole < d.k {
                for ((p, sums), left) in sums.iter_mut().enumerate().zip(left) {
                    let at = (whole + p * V::N).min(d.k);
                    let y = V::load_some(y.add(at), left);
                    for (sum, x) in sums.iter_mut().zip(x) {
                        *sum = sum.plus(V::load_some(x.add(at), left).times(y));
                    }
                }
            }
            finish::<V, P, R>(sums, d.out.from(i, j));
        }
    }
}

/// Adds to `out[j]`, for `j` below `n`, the sum of `y[l] * x[l, j]`, from the first of the `k` rows of `x` to the last; rows are
/// contiguous.
#[inline(always)]
unsafe fn scaled<V: Lanes>(
    n: usize,
    k: usize,
    x: View<V::Number>,
    y: *const V::Number,
    out: *mut V::Number,
) {
    // SAFETY: the caller's matrix has these rows and columns, and there are so many factors and results.
    unsafe {
        match n.div_ceil(V::N) {
            0 => {}
            1 => scaled_held::<V, 1>(n, k, x, y, out),
            2 => scaled_held::<V, 2>(n, k, x, y, out),
            3 => scaled_held::<V, 3>(n, k, x, y, out),
            4 => scaled_held::<V, 4>(n, k, x, y, out),
            5 => scaled_held::<V, 5>(n, k, x, y, out),
            6 => scaled_held::<V, 6>(n, k, x, y, out),
            7 => scaled_held::<V, 7>(n, k, x, y, out),
            8 => scaled_held::<V, 8>(n, k, x, y, out),
            _ => {
                let whole = k - k % GROUP;
                for l in (0..whole).step_by(GROUP) {
                    add_rows::<V, GROUP>(n, x.from(l, 0), y.add(l), out);
                }
                for l in whole..k {
                    add_rows::<V, 1>(n, x.from(l, 0), y.add(l), out);
                }
            }
        }
    }
}

/// The same for short rows, `C` vectors or a little less, whose sums stay in registers.
#[inline(always)]
unsafe fn scaled_held<V: Lanes, const C: usize>(
    n: usize,
    k: usize,
    x: View<V::Number>,
    y: *const V::Number,
    out: *mut V::Number,
) {
    let last = (C - 1) * V::N;
    let left = n - last;
    // SAFETY: as above.
    unsafe {
        let mut sums: [V; C] = [V::zero(); C];
        for (c, sum) in sums[..C - 1].iter_mut().enumerate() {
            *sum = V::load(out.add(c * V::N));
        }
        let some = |at| match left {
            left if left < V::N => V::load_some(at, left),
            _ => V::load(at),
        };
        sums[C - 1] = some(out.add(last).cast_const());
        let mut row = x.at.cast_const();
        for l in 0..k {
            let factor = V::splat(y.add(l));
            for (c, sum) in sums[..C - 1].iter_mut().enumerate() {
                *sum = sum.plus(factor.times(V::load(row.add(c * V::N))));
            }
            sums[C - 1] = sums[C - 1].plus(factor.times(some(row.add(last))));
            row = row.wrapping_offset(x.row);
        }
        for (c, sum) in sums[..C - 1].iter().enumerate() {
            sum.store(out.add(c * V::N));
        }
        sums[C - 1].store_some(out.add(last), left);
    }
}

/// Adds `G` rows, each times its factor, to `out`, one after another.
#[inline(always)]
unsafe fn add_rows<V: Lanes, const G: usize>(
    n: usize,
    x: View<V::Number>,
    y: *const V::Number,
    out: *mut V::Number,
) {
    // SAFETY: as above.
    unsafe {
        let rows: [*mut V::Number; G] = std::array::from_fn(|g| x.from(g, 0).at);
        let factors: [V; G] = std::array::from_fn(|g| V::splat(y.add(g)));
        let whole = n - n % V::N;
        for j in (0..whole).step_by(V::N) {
            let mut sum = V::load(out.add(j));
            for (row, factor) in rows.iter().zip(factors) {
                sum = sum.plus(factor.times(V::load(row.add(j))));
            }
            sum.store(out.add(j));
        }
        if whole < n {
            let left = n - whole;
            let mut sum = V::load_some(out.add(whole), left);
            for (row, factor) in rows.iter().zip(factors) {
                sum = sum.plus(factor.times(V::load_some(row.add(whole), left)));
            }
            sum.store_some(out.add(whole), left);
        }
    }
}

/// A function that calls the one of three which is for the vectors in use.
macro_rules! by_instruction_set {
    ($name:ident($($arg:ident: $ty:ty),*), $in_avx512:expr, $in_avx2:expr, $portable:expr) => {
        unsafe fn $name($($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: the caller's promise.
                unsafe { $in_avx512($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: the caller's promise.
                unsafe { $in_avx2($($arg),*) }
            }
            // SAFETY: a vector path is chosen only where the machine has it; the rest is the caller's promise.
            unsafe {
                match vector() {
                    #[cfg(target_arch = "x86_64")]
                    Vector::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Vector::Avx2 => avx2($($arg),*),
                    _ => $portable($($arg),*),
                }
            }
        }
    };
}

macro_rules! vectors {
    ($ty:ident $dots:ident $scaled:ident $total:ident $of_rows:ident $add_rows:ident, $avx512:ty, $in_avx512:literal, $avx2:ty, $in_avx2:literal) => {
        by_instruction_set!($dots(d: &Dots<$ty>), dots::<$avx512, $in_avx512, { 8 / $in_avx512 }>, dots::<$avx2, $in_avx2, { 8 / $in_avx2 }>, dots::<[$ty; 4], 4, 2>);
        by_instruction_set!(
            $scaled(n: usize, k: usize, x: View<$ty>, y: *const $ty, out: *mut $ty),
            scaled::<$avx512>,
            scaled::<$avx2>,
            scaled::<[$ty; 4]>
        );

        // Adds up `parts` rows of `n` numbers, `step` numbers apart, from the first to the last.
        vectorised!($total(parts: usize, n: usize, step: usize, x: *const $ty, out: *mut $ty) {
            // SAFETY: there are so many, and a result apart from them.
            unsafe {
                let out = std::slice::from_raw_parts_mut(out, n);
                out.copy_from_slice(std::slice::from_raw_parts(x, n));
                for p in 1..parts {
                    for (s, x) in out.iter_mut().zip(std::slice::from_raw_parts(x.add(p * step), n)) {
                        *s += x;
                    }
                }
            }
        });

        // `rows` rows of the product of a matrix and `n` vectors, all `k` numbers long and contiguous: one panel of a chain.
        unsafe extern "C" fn $of_rows(rows: usize, n: usize, k: usize, x: *const $ty, y: *const $ty, out: *mut $ty) {
            let view = |at: *const $ty, row: usize, column: usize| View {
                at: at.cast_mut(),
                row: row as isize,
                column: column as isize,
            };
            // SAFETY: the code generator gives buffers that are so large.
            unsafe { $dots(&Dots { m: rows, n, k, x: view(x, k, 1), y: view(y, 1, k), out: view(out, n, 1) }) }
        }

        // Adds `rows` rows of a matrix, each `n` numbers times its factor, to `out`: one panel of a chain.
        unsafe extern "C" fn $add_rows(rows: usize, n: usize, x: *const $ty, y: *const $ty, out: *mut $ty) {
            let x = View { at: x.cast_mut(), row: n as isize, column: 1 };
            // SAFETY: as above.
            unsafe { $scaled(n, rows, x, y, out) }
        }

        /// One type's products by few vectors.
        pub(super) mod $ty {
            use super::{Buffer, Dots, MAX_PARTS, PART, Size, View, panels, pool, $dots, $scaled, $total};

            /// `out = x @ y`, where `y` has few columns and the rows of `x` are contiguous.
            ///
            /// # Safety
            /// The matrices are where they are said to be, and `out` is apart from the others.
            pub unsafe fn dots(size: Size, x: View<$ty>, y: View<$ty>, out: View<$ty>) {
                let Size { m, n, k } = size;
                Buffer::with(|buffer| {
                    // SAFETY: the caller's promise; the buffer has room for `y`.
                    unsafe {
                        let mut y = y;
                        if y.row != 1 && k > 1 {
                            let packed = buffer.room(n * k * size_of::<$ty>()).cast::<$ty>();
                            for j in 0..n {
                                for l in 0..k {
                                    *packed.add(j * k + l) = *y.from(l, j).at;
                                }
                            }
                            y = View { at: packed, row: 1, column: k as isize };
                        }
                        let parts = (m * k / PART).clamp(1, MAX_PARTS);
                        let chunk = m.div_ceil(parts).next_multiple_of(4);
                        pool::run(m.div_ceil(chunk), |part| {
                            let first = part * chunk;
                            let rows = chunk.min(m - first);
                            let (x, y, out) = (x.from(first, 0), y.from(0, 0), out.from(first, 0));
                            $dots(&Dots { m: rows, n, k, x, y, out });
                        });
                    }
                });
            }

            /// `out = y @ x`, where `y` is one row, and the rows of `x` and `out` are contiguous. Where `x` is long, stretches of
            /// its rows are summed each on its own.
            ///
            /// # Safety
            /// As above.
            pub unsafe fn scaled(size: Size, y: View<$ty>, x: View<$ty>, out: View<$ty>) {
                let Size { n, k, .. } = size;
                let stretch = panels::stretch(k, n, size_of::<$ty>());
                let by_columns = stretch.is_none();
                let chunk = stretch.unwrap_or_else(|| {
                    let parts = (n * k / PART).clamp(1, MAX_PARTS);
                    n.div_ceil(parts).next_multiple_of(16)
                });
                let parts = if by_columns { n } else { k }.div_ceil(chunk);
                Buffer::with(|buffer| {
                    let sums = if by_columns || parts == 1 { 0 } else { parts * n };
                    // SAFETY: the caller's promise; the buffer has room for the vector and for the sums.
                    unsafe {
                        let room = buffer.room((sums + k) * size_of::<$ty>()).cast::<$ty>();
                        let mut factors = y;
                        if y.column != 1 && k > 1 {
                            factors = View { at: room.add(sums), row: 0, column: 1 };
                            for l in 0..k {
                                *factors.from(0, l).at = *y.from(0, l).at;
                            }
                        }
                        let at = if sums == 0 { out.at } else { room };
                        let to = View { at, row: n as isize, column: 1 };
                        pool::run(parts, |part| {
                            let first = part * chunk;
                            if by_columns {
                                let n = chunk.min(n - first);
                                let (x, y, to) = (x.from(0, first), factors.from(0, 0), to.from(0, first));
                                std::ptr::write_bytes(to.at, 0, n);
                                $scaled(n, k, x, y.at, to.at);
                            } else {
                                let k = chunk.min(k - first);
                                let (x, y, to) = (x.from(first, 0), factors.from(0, first), to.from(part, 0));
                                std::ptr::write_bytes(to.at, 0, n);
                                $scaled(n, k, x, y.at, to.at);
                            }
                        });
                        if sums > 0 {
                            $total(parts, n, n, room, out.at);
                        }
                    }
                });
            }
        }
    };
}

vectors!(f32 dots_f32 scaled_f32 total_f32 rows_product_f32 add_rows_f32, __m512, 1, __m256, 2);
vectors!(f64 dots_f64 scaled_f64 total_f64 rows_product_f64 add_rows_f64, __m512d, 2, __m256d, 4);

pub(super) fn table() -> Vec<Entry> {
    vec![
        ("mlc_rows_product_f32", rows_product_f32 as *const u8),
        ("mlc_rows_product_f64", rows_product_f64 as *const u8),
        ("mlc_add_rows_f32", add_rows_f32 as *const u8),
        ("mlc_add_rows_f64", add_rows_f64 as *const u8),
        ("mlc_total_f32", total_f32 as *const u8),
        ("mlc_total_f64", total_f64 as *const u8),
    ]
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// The sums of rows and of columns, by one set of vectors.
    fn sums(m: usize, k: usize, f: impl Fn(&Dots<f32>, &mut [f32])) -> Vec<u32> {
        let number = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 504.5 - 1.0;
        let mut x: Vec<f32> = (0..m * k).map(number).collect();
        let mut y: Vec<f32> = (0..3 * k.max(m)).map(|i| number(3 * i + 1)).collect();
        let (mut rows, mut columns) = (vec![0.0; 3 * m], vec![0.0; k]);
        let view = |at: &mut Vec<f32>, row: usize, column: usize| View {
            at: at.as_mut_ptr(),
            row: row as isize,
            column: column as isize,
        };
        let dots = Dots {
            m,
            n: 3,
            k,
            x: view(&mut x, k, 1),
            y: view(&mut y, 1, k),
            out: view(&mut rows, 3, 1),
        };
        f(&dots, &mut columns);
        rows.iter().chain(&columns).map(|x| x.to_bits()).collect()
    }

    #[test]
    fn every_set_of_vectors_gives_the_same_bits() {
        for (m, k) in [(1, 1), (3, 15), (8, 16), (9, 33), (21, 100), (2, 1000)] {
            let portable = sums(m, k, |d, columns| {
                // SAFETY: the views are of vectors, and there are `k` columns and `m` factors.
                unsafe {
                    dots::<[f32; 4], 4, 2>(d);
                    columns.fill(0.0);
                    scaled::<[f32; 4]>(d.k, d.m, d.x, d.y.at, columns.as_mut_ptr());
                }
            });
            if vector() != Vector::Portable {
                let narrow = sums(m, k, |d, columns| {
                    // SAFETY: as above, and the machine has the instructions.
                    unsafe {
                        dots::<__m256, 2, 4>(d);
                        columns.fill(0.0);
                        scaled::<__m256>(d.k, d.m, d.x, d.y.at, columns.as_mut_ptr());
                    }
                });
                assert!(portable == narrow, "{m} x {k}");
            }
            if vector() == Vector::Avx512 {
                let wide = sums(m, k, |d, columns| {
                    // SAFETY: as above.
                    unsafe {
                        dots::<__m512, 1, 8>(d);
                        columns.fill(0.0);
                        scaled::<__m512>(d.k, d.m, d.x, d.y.at, columns.as_mut_ptr());
                    }
                });
                assert!(portable == wide, "{m} x {k}");
            }
        }
    }
}
