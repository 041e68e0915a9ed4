//! Matrix products in tiles of registers, by fused multiply-add.
//!
//! A tile is a few rows by one or two vectors of the result. Of the right operand a panel of a tile's width is packed, row
//! after row of the summed index, and stays in the second cache while all rows pass; the left operand is read where it lies. An element of the result is the sum of stretches of the summed index, each a chain of fused
//! multiply-adds from its first element to its last: how the work is divided, and how wide vectors are, changes no bit.

use super::lanes::{Lanes, SQUARE};
use super::{Buffer, Right, Size, View};
use mlc_compiler::codegen::panels::PACKED_ROWS;
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};
use std::ops::Range;

/// Elements of the summed index in one stretch, at most.
const STRETCH: usize = 512;

/// Bytes of the packed panels of the right operand: what the second cache holds besides the rest.
const PACKED: usize = 1 << 18;

/// What one tile is computed from: `k` products for each element.
struct Tile<T> {
    k: usize,
    x: View<T>,
    /// Whole vectors, `y_row` numbers apart.
    y: *const T,
    y_row: isize,
    out: View<T>,
    /// Columns of the result.
    columns: usize,
    /// Whether the products are added to what is there.
    add: bool,
}

/// Rows of a tile, at most.
const MOST: usize = 14;

/// Computes a tile of `R` rows and `C` vectors.
#[inline(always)]
unsafe fn tile<V: Lanes, const R: usize, const C: usize>(t: &Tile<V::Number>) {
    // SAFETY: the caller's tile lies in its matrices.
    unsafe {
        let mut sums = [[V::zero(); C]; R];
        // Where every fourth row is: one address after the other would be a chain as long as the tile's rows.
        let mut x: [*const V::Number; MOST / 4 + 1] = std::array::from_fn(|i| {
            t.x.at
                .cast_const()
                .wrapping_offset(4 * i as isize * t.x.row)
        });
        let mut y = t.y;
        for _ in 0..t.k {
            let mut columns = [V::zero(); C];
            for (c, v) in columns.iter_mut().enumerate() {
                *v = V::load(y.add(c * V::N));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(x[r / 4].offset((r % 4) as isize * t.x.row));
                for (s, y) in sums.iter_mut().zip(columns) {
                    *s = x.fused(y, *s);
                }
            }
            for x in &mut x {
                *x = x.wrapping_offset(t.x.column);
            }
            y = y.offset(t.y_row);
        }
        if t.out.column == 1 {
            for (r, sums) in sums.into_iter().enumerate() {
                let row = t.out.at.offset(r as isize * t.out.row);
                for (c, sum) in sums.into_iter().enumerate() {
                    let at = row.add(c * V::N);
                    let left = t.columns - c * V::N;
                    if left >= V::N {
                        let sum = if t.add { V::load(at).plus(sum) } else { sum };
                        sum.store(at);
                    } else {
                        let sum = if t.add {
                            V::load_some(at, left).plus(sum)
                        } else {
                            sum
                        };
                        sum.store_some(at, left);
                    }
                }
            }
        } else {
            scatter::<V, R, C>(t, sums);
        }
    }
}

/// Writes a tile's sums to a result whose columns are apart.
#[inline(always)]
unsafe fn scatter<V: Lanes, const R: usize, const C: usize>(
    t: &Tile<V::Number>,
    sums: [[V; C]; R],
) {
    // SAFETY: as in `tile`; the array has the layout of the vectors.
    unsafe {
        for (r, mut row) in sums.into_iter().enumerate() {
            for (c, sum) in row.iter_mut().enumerate() {
                let numbers = std::ptr::from_mut(sum).cast::<V::Number>();
                let left = (t.columns - c * V::N).min(V::N);
                let out = t.out.from(r, c * V::N);
                if t.add {
                    let mut old = V::zero();
                    let place = std::ptr::from_mut(&mut old).cast::<V::Number>();
                    for i in 0..left {
                        *place.add(i) = *out.at.offset(i as isize * out.column);
                    }
                    *sum = old.plus(*sum);
                }
                for i in 0..left {
                    *out.at.offset(i as isize * out.column) = *numbers.add(i);
                }
            }
        }
    }
}

/// Packs `k` rows of some columns into panels: each is as wide as a tile, the last as few vectors as hold the rest, with
/// zeros behind it.
#[inline(always)]
unsafe fn pack<V: Lanes>(k: usize, columns: usize, y: View<V::Number>, to: *mut V::Number) {
    let width = 2 * V::N;
    // SAFETY: the caller's matrix has these rows and columns, and the target room for whole vectors.
    unsafe {
        if y.column == 1 {
            // Row by row, as they lie in memory.
            let whole = columns - columns % width;
            let rest = (columns - whole).next_multiple_of(V::N);
            for l in 0..k {
                let from = y.at.offset(l as isize * y.row);
                for p in (0..whole).step_by(width) {
                    let to = to.add(p * k + l * width);
                    V::load(from.add(p)).store(to);
                    V::load(from.add(p + V::N)).store(to.add(V::N));
                }
                for c in (whole..columns).step_by(V::N) {
                    let to = to.add(whole * k + l * rest + c - whole);
                    V::load_some(from.add(c), (columns - c).min(V::N)).store(to);
                }
            }
            return;
        }
        for p in (0..columns).step_by(width) {
            let columns = width.min(columns - p);
            let width = columns.next_multiple_of(V::N);
            pack_turned::<V>(k, columns, width, y.from(0, p), to.add(p * k));
        }
    }
}

/// Packs `k` rows of one panel, whose rows are not contiguous.
#[inline(always)]
unsafe fn pack_turned<V: Lanes>(
    k: usize,
    columns: usize,
    width: usize,
    y: View<V::Number>,
    to: *mut V::Number,
) {
    let whole = if y.row == 1 {
        [k, columns].map(|n| n - n % SQUARE)
    } else {
        [0; 2]
    };
    // SAFETY: as above.
    unsafe {
        for j in (0..whole[1]).step_by(SQUARE) {
            for l in (0..whole[0]).step_by(SQUARE) {
                V::transpose(y.from(l, j).at, y.column, to.add(l * width + j), width);
            }
        }
        let zero = V::zero();
        let zero = *std::ptr::from_ref(&zero).cast::<V::Number>();
        for l in 0..k {
            let done = if l < whole[0] { whole[1] } else { 0 };
            for j in done..columns {
                *to.add(l * width + j) = *y.from(l, j).at;
            }
            for j in columns..width {
                *to.add(l * width + j) = zero;
            }
        }
    }
}

/// Packs some columns of a right operand of `k` rows and `n` columns: stretch after stretch of its rows, each in panels. The first
/// column is one of a panel.
#[inline(always)]
unsafe fn pack_stretches<V: Lanes>(
    [k, n]: [usize; 2],
    columns: Range<usize>,
    y: View<V::Number>,
    to: *mut V::Number,
) {
    let (_, stretch) = even(k, STRETCH);
    let row = n.next_multiple_of(V::N);
    // SAFETY: the caller's columns are in the matrix, and the target has room for whole vectors of each row.
    unsafe {
        for l in (0..k).step_by(stretch) {
            let k = stretch.min(k - l);
            let to = to.add(l * row + columns.start * k);
            pack::<V>(k, columns.len(), y.from(l, columns.start), to);
        }
    }
}

/// Splits `n` into as few nearly even pieces of at most `most` as there can be: how many, and how long each at most.
fn even(n: usize, most: usize) -> (usize, usize) {
    let pieces = n.div_ceil(most).max(1);
    (pieces, n.div_ceil(pieces))
}

/// Whether a right operand is not packed: its rows are contiguous, and too few rows of the result make use of it.
fn reads_in_place<T>(m: usize, y: &View<T>) -> bool {
    y.column == 1 && m < PACKED_ROWS
}

/// A function for each number of rows, from one, and of vectors.
type Tiles<T> = [[unsafe fn(&Tile<T>); 2]];

/// `out = x @ y`; `k` is not 0.
#[inline(always)]
unsafe fn product<V: Lanes>(
    tiles: &Tiles<V::Number>,
    size: Size,
    x: View<V::Number>,
    right: Right<V::Number>,
    out: View<V::Number>,
    buffer: &mut Buffer,
) {
    let Size { m, n, k } = size;
    let bytes = size_of::<V::Number>();
    let (_, stretch) = even(k, STRETCH);
    let broad = (PACKED / bytes / stretch).next_multiple_of(2 * V::N);
    let row = n.next_multiple_of(V::N);
    let (_, height) = even(m, tiles.len());
    // SAFETY: the caller's matrices have these sizes; the buffer has room for the panels and the rows that are packed.
    unsafe {
        let room: *mut V::Number = match right {
            Right::Lies(_) => buffer.room(bytes * stretch * broad.min(row)).cast(),
            Right::Packed(_) => std::ptr::null_mut(),
        };
        for j in (0..n).step_by(broad) {
            let columns = broad.min(n - j);
            for l in (0..k).step_by(stretch) {
                let k = stretch.min(k - l);
                // So many columns are read where they are, row by row; the others where they are packed.
                let (first, lying, step, packed) = match right {
                    Right::Lies(y) => {
                        let whole = columns - columns % (2 * V::N);
                        let first = if reads_in_place(m, &y) { whole } else { 0 };
                        if first < columns {
                            let rest = y.from(l, j + first);
                            pack::<V>(k, columns - first, rest, room.add(first * k));
                        }
                        (
                            first,
                            y.from(l, j).at.cast_const(),
                            y.row,
                            room.cast_const(),
                        )
                    }
                    Right::Packed(at) => (0, std::ptr::null(), 0, at.add(l * row + j * k)),
                };
                for i in (0..m).step_by(height) {
                    let height = height.min(m - i);
                    let x = x.from(i, l);
                    for p in (0..columns).step_by(2 * V::N) {
                        let columns = (columns - p).min(2 * V::N);
                        let vectors = columns.div_ceil(V::N);
                        let (y, y_row) = if p < first {
                            (lying.add(p), step)
                        } else {
                            (packed.add(p * k), (vectors * V::N) as isize)
                        };
                        tiles[height - 1][vectors - 1](&Tile {
                            k,
                            x,
                            y,
                            y_row,
                            out: out.from(i, j + p),
                            columns,
                            add: l > 0,
                        });
                    }
                }
            }
        }
    }
}

macro_rules! instruction_set {
    ($name:ident $pack:ident, $features:literal, $number:ty, $vector:ty, [$($rows:literal)*]) => {
        /// See [`pack_stretches`]. The first column is a multiple of `PANEL`.
        ///
        /// # Safety
        /// The machine has the instruction set, the matrix is where it is said to be, and the target has room for rows of a multiple
        /// of a vector.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $pack(
            size: [usize; 2],
            columns: Range<usize>,
            y: View<$number>,
            to: *mut $number,
        ) {
            // SAFETY: passed on.
            unsafe { pack_stretches::<$vector>(size, columns, y, to) }
        }

        /// `out = x @ y`.
        ///
        /// # Safety
        /// The machine has the instruction set, the matrices are where they are said to be, `out` apart from the others,
        /// and `size.k` is not 0.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name(
            size: Size,
            x: View<$number>,
            y: Right<$number>,
            out: View<$number>,
            buffer: &mut Buffer,
        ) {
            #[target_feature(enable = $features)]
            unsafe fn one<const R: usize, const C: usize>(t: &Tile<$number>) {
                // SAFETY: passed on.
                unsafe { tile::<$vector, R, C>(t) }
            }
            const TILES: &Tiles<$number> = &[$([one::<$rows, 1>, one::<$rows, 2>]),*];
            // SAFETY: passed on.
            unsafe { product::<$vector>(TILES, size, x, y, out, buffer) }
        }
    };
}

instruction_set!(avx512_f32 pack_avx512_f32, "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma", f32, __m512, [1 2 3 4 5 6 7 8 9 10 11 12 13 14]);
instruction_set!(avx512_f64 pack_avx512_f64, "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma", f64, __m512d, [1 2 3 4 5 6 7 8 9 10 11 12 13 14]);
instruction_set!(avx2_f32 pack_avx2_f32, "avx2,fma", f32, __m256, [1 2 3 4 5 6]);
instruction_set!(avx2_f64 pack_avx2_f64, "avx2,fma", f64, __m256d, [1 2 3 4 5 6]);
