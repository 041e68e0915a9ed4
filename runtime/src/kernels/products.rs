//! Matrix products.
//!
//! `small` has those of small matrices in a batch, `vectors` those by few vectors, `tiles` the others, where the machine has fused multiply-add; elsewhere they are
//! computed by the `gemm` crate.

mod lanes;
mod small;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod vectors;

use super::{Entry, Vector, pool, vector, vectorised};
use gemm::Parallelism;
use mlc_compiler::codegen::panels::TILE;
use small::Small;
use std::cell::Cell;
use std::ops::Range;

/// Multiplications of one part: fewer cost more to hand out than they bring.
const PART: usize = 1 << 18;

/// The same for the `gemm` crate, where parts are decided by sizes alone: their borders may change a result.
const CRATE_PART: usize = 1 << 21;

/// Its parts at most.
const CRATE_PARTS: usize = 16;

/// Elements of the summed index below which a product by few vectors is one like others.
const LONG: usize = 32;

/// What it costs to write an element whose neighbours are not written with it, in multiplications of vectors.
const APART: usize = 3;

/// Rows of a result from which parts have rows of their own, and not columns, if there are no more of these.
const TALL: usize = 144;

/// Bytes of a right operand, at most, that is packed for all threads.
const SHARED: usize = 1 << 22;

/// The columns of a panel that tiles read divide so many, whatever the vectors.
const PANEL: usize = 32;

/// Columns of a part are a multiple of this: the width of a vector.
const GRAIN: usize = 16;

/// A matrix somewhere in memory.
#[derive(Clone, Copy)]
struct View<T> {
    pub at: *mut T,
    /// From one row to the next, and from one column to the next.
    pub row: isize,
    pub column: isize,
}

// SAFETY: threads that share a matrix read it, or write to different places: the functions here see to that.
unsafe impl<T: Sync> Sync for View<T> {}

impl<T> View<T> {
    /// The part that starts at a row and a column.
    ///
    /// # Safety
    /// The matrix has both.
    pub unsafe fn from(self, row: usize, column: usize) -> Self {
        // SAFETY: the caller's row and column are in the matrix.
        let at = unsafe {
            self.at
                .offset(row as isize * self.row + column as isize * self.column)
        };
        Self { at, ..self }
    }

    pub fn transposed(self) -> Self {
        Self {
            at: self.at,
            row: self.column,
            column: self.row,
        }
    }
}

/// The right operand of a product in tiles.
#[derive(Clone, Copy)]
enum Right<T> {
    Lies(View<T>),
    /// In the panels that tiles read, which [`Element::pack`] leaves.
    Packed(*const T),
}

/// A result of `m` rows and `n` columns, each element a sum of `k` products.
#[derive(Clone, Copy)]
struct Size {
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl Size {
    /// That of the transposed result.
    fn transposed(self) -> Self {
        Self {
            m: self.n,
            n: self.m,
            k: self.k,
        }
    }

    fn work(self) -> usize {
        self.m * self.n * self.k
    }
}

/// Memory that a thread keeps for packed operands and partial sums.
#[derive(Default)]
struct Buffer(Vec<[u64; 8]>);

impl Buffer {
    /// So many bytes, which start at a cache line.
    fn room(&mut self, bytes: usize) -> *mut u8 {
        let lines = bytes.div_ceil(64) + 1;
        if self.0.len() < lines {
            self.0.resize(lines, [0; 8]);
        }
        let at = self.0.as_mut_ptr().cast::<u8>();
        // SAFETY: there is one line more than is asked for.
        unsafe { at.add(at.align_offset(64)) }
    }

    /// This thread's.
    fn with(f: impl FnOnce(&mut Self)) {
        thread_local! {
            static BUFFER: Cell<Buffer> = Cell::default();
        }
        let mut buffer = BUFFER.take();
        f(&mut buffer);
        BUFFER.set(buffer);
    }
}

/// What products of one element type are computed by.
trait Element: Copy + Sync + 'static {
    /// `out = x @ y` in tiles, by this thread. False, and nothing done, if the machine has not the instructions.
    ///
    /// # Safety (of all)
    /// The matrices are where they are said to be, `out` apart from the others, and `size.k` is not 0.
    unsafe fn tiles(size: Size, x: View<Self>, y: Right<Self>, out: View<Self>) -> bool;
    /// Puts some columns of a right operand of `size.k` rows and `size.n` columns where tiles read them best. The first is a multiple of
    /// [`PANEL`]; there is room for rows of a multiple of a vector.
    unsafe fn pack(size: Size, columns: Range<usize>, y: View<Self>, to: *mut Self);
    /// The same by the `gemm` crate.
    unsafe fn plain(size: Size, matrices: [View<Self>; 3]);
    /// The same where `y` has few columns and the rows of `x` are contiguous.
    unsafe fn dots(size: Size, matrices: [View<Self>; 3]);
    /// The same where `x` is one row, and the rows of `y` and `out` are contiguous.
    unsafe fn scaled(size: Size, matrices: [View<Self>; 3]);
    /// Some of the products of a batch.
    unsafe fn small(all: &Small<Self>, range: Range<usize>);
}

/// The vectors that tiles are made of, if the machine has fused multiply-add.
fn tiled() -> Option<Vector> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("fma") {
        return Some(vector()).filter(|v| *v != Vector::Portable);
    }
    None
}

/// The transposed product.
fn transposed<T: Copy>([x, y, out]: [View<T>; 3]) -> [View<T>; 3] {
    [y.transposed(), x.transposed(), out.transposed()]
}

/// A way to compute a product of few vectors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Few {
    Dots,
    Scaled,
}

/// How a product is computed if one of its operands is few vectors and their layout allows.
fn few<T>(size: Size, [x, y, out]: &[View<T>; 3]) -> Option<Few> {
    if size.n <= vectors::FEW && x.column == 1 && size.k >= LONG {
        Some(Few::Dots)
    } else if size.m == 1 && y.column == 1 && out.column == 1 {
        Some(Few::Scaled)
    } else {
        None
    }
}

/// `out = x @ y` if one of them is few vectors, and their layout allows: whether it did.
unsafe fn by_few<T: Element>(size: Size, matrices: [View<T>; 3]) -> bool {
    let turned = (size.transposed(), transposed(matrices));
    let found = [(size, matrices), turned]
        .into_iter()
        .find_map(|(s, m)| Some((few(s, &m)?, s, m)));
    if let Some((way, size, matrices)) = found {
        // SAFETY: passed on.
        unsafe {
            match way {
                Few::Dots => T::dots(size, matrices),
                Few::Scaled => T::scaled(size, matrices),
            }
        }
    }
    found.is_some()
}

/// The products of a batch as small ones, if that is the better way and gives the same.
fn as_small<T: Element>(batch: &Batch, size: Size, matrices: [View<T>; 3]) -> Option<Small<'_, T>> {
    let turned = few(size.transposed(), &transposed(matrices));
    let way = few(size, &matrices).or(turned);
    let same = way != Some(Few::Dots);
    (same && small::fits(size, &matrices)).then_some(Small {
        batch,
        size,
        matrices,
        fused: way.is_none() && tiled().is_some(),
    })
}

/// Parts of so many multiplications: two for each thread, since these may be held up.
fn parts(work: usize) -> usize {
    let most = match pool::threads() {
        1 => 1,
        n => 2 * n,
    };
    (work / PART).clamp(1, most)
}

/// Runs `f` for parts of a product that have rows or columns of their own.
unsafe fn divided<T: Element>(
    parts: usize,
    size: Size,
    [x, y, out]: [View<T>; 3],
    f: impl Fn(Size, [View<T>; 3]) + Sync,
) {
    let Size { m, n, k } = size;
    if n >= m || n >= 2 * parts * GRAIN {
        // Vectors are not divided.
        let vectors = n.div_ceil(GRAIN);
        let parts = parts.min(vectors);
        pool::run(parts, |part| {
            let [first, end] = [part, part + 1].map(|p| (p * vectors / parts * GRAIN).min(n));
            let size = Size {
                m,
                n: end - first,
                k,
            };
            // SAFETY: the column is in the matrices.
            f(size, unsafe { [x, y.from(0, first), out.from(0, first)] });
        });
    } else {
        let parts = parts.min(m);
        pool::run(parts, |part| {
            let [first, end] = [part, part + 1].map(|p| p * m / parts);
            let size = Size {
                m: end - first,
                n,
                k,
            };
            // SAFETY: the row is in the matrices.
            f(size, unsafe { [x.from(first, 0), y, out.from(first, 0)] });
        });
    }
}

/// `out = x @ y`, by all threads or by this one. How the tiles are divided changes no element.
unsafe fn product<T: Element>(alone: bool, size: Size, matrices: [View<T>; 3]) {
    // SAFETY: passed on; parts have elements of their own.
    unsafe {
        if by_few(size, matrices) {
            return;
        }
        if tiled().is_none() {
            let parts = (size.work() / CRATE_PART).clamp(1, CRATE_PARTS);
            return divided(parts, size, matrices, |size, matrices| {
                T::plain(size, matrices)
            });
        }
        let parts = if alone { 1 } else { parts(size.work()) };
        by_tiles(parts, size, matrices);
    }
}

/// `out = x @ y` in tiles, in so many parts.
unsafe fn by_tiles<T: Element>(parts: usize, size: Size, matrices: [View<T>; 3]) {
    // Vectors run along the rows of the result; or along its columns, if these are easy to read, and filled the better by
    // more than it costs to write them apart.
    let [x, ..] = matrices;
    let Size { m, n, k } = size;
    let vectors = |n: usize| n.div_ceil(GRAIN);
    let gain = (vectors(n) * m * k).saturating_sub(vectors(m) * n * k);
    let turned = x.row == 1 && x.column != 1 && gain > APART * m * n;
    let (size, matrices) = if turned {
        (size.transposed(), transposed(matrices))
    } else {
        (size, matrices)
    };
    let room = size.k * size.n.next_multiple_of(GRAIN) * size_of::<T>();
    if parts > 1 && size.m >= TALL.max(size.n) && room <= SHARED {
        // SAFETY: passed on.
        return unsafe { by_rows(parts, size, matrices, room) };
    }
    // SAFETY: passed on; parts have elements of their own.
    unsafe {
        divided(parts, size, matrices, |size, [x, y, out]| {
            T::tiles(size, x, Right::Lies(y), out);
        });
    }
}

/// The same where rows are many: the right operand is packed once for all threads, in so much room, and parts have rows of their own.
/// What comes before and after goes by rows, too, and finds them in the caches of the same threads.
unsafe fn by_rows<T: Element>(parts: usize, size: Size, [x, y, out]: [View<T>; 3], room: usize) {
    let Size { m, n, k } = size;
    Buffer::with(|buffer| {
        let to = buffer.room(room);
        let meta = [k as i64, n as i64, y.row as i64, y.column as i64];
        let groups = m.div_ceil(TILE);
        let parts = parts.min(groups);
        // SAFETY: passed on; the buffer has the room, and parts have rows of their own.
        unsafe {
            packed::<T>(&[meta], &[[y.at as usize, to as usize]]);
            let right = View {
                at: to.cast::<T>(),
                ..y
            };
            pool::run(parts, |part| {
                let [first, end] = [part, part + 1].map(|p| (p * groups / parts * TILE).min(m));
                let size = Size {
                    m: end - first,
                    n,
                    k,
                };
                T::tiles(
                    size,
                    x.from(first, 0),
                    Right::Packed(right.from(0, 0).at),
                    out.from(first, 0),
                );
            });
        }
    });
}

/// The products of a batch in two axes, and how far apart neighbours of either are in the operands and the result.
struct Batch {
    extents: [usize; 2],
    steps: [[isize; 2]; 3],
}

impl Batch {
    /// The matrices of the `b`th product.
    ///
    /// # Safety
    /// The batch has so many.
    unsafe fn at<T>(&self, b: usize, matrices: [View<T>; 3]) -> [View<T>; 3] {
        let place = [b / self.extents[1], b % self.extents[1]];
        // SAFETY: passed on.
        unsafe { self.at_place(place, matrices) }
    }

    /// Those at a place along both axes.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn at_place<T>(&self, place: [usize; 2], matrices: [View<T>; 3]) -> [View<T>; 3] {
        let [outer, inner] = place.map(|i| i as isize);
        let mut steps = self.steps.iter();
        matrices.map(|v| {
            let step = steps.next().map_or(0, |s| outer * s[0] + inner * s[1]);
            // SAFETY: the caller's promise.
            let at = unsafe { v.at.offset(step) };
            View { at, ..v }
        })
    }
}

/// The products of a batch.
unsafe fn products<T: Element>(batch: &Batch, size: Size, matrices: [View<T>; 3]) {
    let count = batch.extents[0] * batch.extents[1];
    if count < pool::threads().max(2) {
        // SAFETY: passed on.
        return (0..count).for_each(|b| unsafe { product(false, size, batch.at(b, matrices)) });
    }
    let parts = parts(count * size.work()).min(count);
    let part_of = |part: usize| [part, part + 1].map(|p| p * count / parts);
    if let Some(all) = as_small(batch, size, matrices) {
        return pool::run(parts, |part| {
            let [first, end] = part_of(part);
            // SAFETY: passed on; parts have products of their own.
            unsafe { T::small(&all, first..end) };
        });
    }
    let [x, y, out] = matrices;
    pool::run(parts, |part| {
        let [first, end] = part_of(part);
        for b in first..end {
            // SAFETY: passed on; parts have products of their own.
            unsafe { product(true, size, batch.at(b, [x, y, out])) };
        }
    });
}

/// Numbers that say what a product is of.
const META: usize = 17;

/// `out = x @ y` for each of a batch. `meta`: the extents of the batch, m, n, k; then the strides (of the batch, row, column) of x,
/// y and out.
macro_rules! product {
    ($name:ident $pack:ident $rows:ident, $ty:ident, $avx512:ident $pack512:ident, $avx2:ident $pack2:ident) => {
        impl Element for $ty {
            unsafe fn tiles(size: Size, x: View<Self>, y: Right<Self>, out: View<Self>) -> bool {
                let mut done = true;
                Buffer::with(|buffer| match tiled() {
                    // SAFETY: passed on; the instructions are there.
                    #[cfg(target_arch = "x86_64")]
                    Some(Vector::Avx512) => unsafe { tiles::$avx512(size, x, y, out, buffer) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Some(Vector::Avx2) => unsafe { tiles::$avx2(size, x, y, out, buffer) },
                    _ => done = false,
                });
                done
            }

            unsafe fn pack(size: Size, columns: Range<usize>, y: View<Self>, to: *mut Self) {
                let size = [size.k, size.n];
                match tiled() {
                    // SAFETY: passed on; the instructions are there.
                    #[cfg(target_arch = "x86_64")]
                    Some(Vector::Avx512) => unsafe { tiles::$pack512(size, columns, y, to) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Some(Vector::Avx2) => unsafe { tiles::$pack2(size, columns, y, to) },
                    _ => {}
                }
            }

            unsafe fn plain(size: Size, [x, y, out]: [View<Self>; 3]) {
                let Size { m, n, k } = size;
                // SAFETY: passed on.
                unsafe {
                    gemm::gemm(
                        m,
                        n,
                        k,
                        out.at,
                        out.column,
                        out.row,
                        false,
                        x.at,
                        x.column,
                        x.row,
                        y.at,
                        y.column,
                        y.row,
                        0.0,
                        1.0,
                        false,
                        false,
                        false,
                        Parallelism::None,
                    );
                }
            }

            unsafe fn dots(size: Size, [x, y, out]: [View<Self>; 3]) {
                // SAFETY: passed on.
                unsafe { vectors::$ty::dots(size, x, y, out) }
            }

            unsafe fn scaled(size: Size, [x, y, out]: [View<Self>; 3]) {
                // SAFETY: passed on.
                unsafe { vectors::$ty::scaled(size, x, y, out) }
            }

            unsafe fn small(all: &Small<Self>, range: Range<usize>) {
                // SAFETY: passed on.
                unsafe { small::$ty(all, range) }
            }
        }

        unsafe extern "C" fn $name(meta: *const i64, x: *const $ty, y: *const $ty, out: *mut $ty) {
            // SAFETY: the code generator gives so many numbers, and layouts that stay inside the buffers; a result is laid out
            // row by row.
            unsafe {
                let d = std::slice::from_raw_parts(meta, META);
                let [outer, inner, m, n, k] = [0, 1, 2, 3, 4].map(|i| d[i] as usize);
                if k == 0 {
                    return std::ptr::write_bytes(out, 0, outer * inner * m * n);
                }
                let view = |at: *const $ty, i: usize| View {
                    at: at.cast_mut(),
                    row: d[i + 2] as isize,
                    column: d[i + 3] as isize,
                };
                let batch = Batch {
                    extents: [outer, inner],
                    steps: [5, 9, 13].map(|i| [d[i] as isize, d[i + 1] as isize]),
                };
                products(
                    &batch,
                    Size { m, n, k },
                    [view(x, 5), view(y, 9), view(out, 13)],
                );
            }
        }

        /// Puts right operands where the tiles of [`$rows`] read them best. `meta`: how many there are; then of each the rows, the columns
        /// and both strides. `places`: of each where it is, and where it comes to.
        unsafe extern "C" fn $pack(meta: *const i64, places: *const [usize; 2]) {
            // SAFETY: the code generator gives so many numbers and places, and room for what is packed.
            unsafe {
                let count = *meta as usize;
                let meta = std::slice::from_raw_parts(meta.add(1).cast::<[i64; 4]>(), count);
                packed::<$ty>(meta, std::slice::from_raw_parts(places, count));
            }
        }

        /// Some rows of `out = x @ y`. `meta`: the extents n, k; then the strides (row, column) of x and y. `packed`: what [`$pack`] made
        /// of y, or null.
        unsafe extern "C" fn $rows(
            meta: *const i64,
            first: usize,
            rows: usize,
            x: *mut $ty,
            y: *mut $ty,
            packed: *const $ty,
            out: *mut $ty,
        ) {
            // SAFETY: the code generator gives so many numbers, and layouts that stay inside the buffers; a result is laid out
            // row by row.
            unsafe {
                let [n, k, x_row, x_column, y_row, y_column] = *meta.cast::<[i64; 6]>();
                let view = |at, row, column| View { at, row, column };
                let x = view(x, x_row as isize, x_column as isize);
                let y = view(y, y_row as isize, y_column as isize);
                let out = view(out, n as isize, 1);
                let size = Size {
                    m: rows,
                    n: n as usize,
                    k: k as usize,
                };
                rows_of(size, [x.from(first, 0), y, out.from(first, 0)], packed);
            }
        }
    };
}

/// What one thread packs at a time, in numbers.
const PACK: usize = 1 << 14;

/// Packs the right operands of products in tiles.
unsafe fn packed<T: Element>(meta: &[[i64; 4]], places: &[[usize; 2]]) {
    let sizes = |[k, n, ..]: &[i64; 4]| {
        let [k, n] = [*k as usize, *n as usize];
        let broad = (PACK / k.max(1)).max(1).next_multiple_of(PANEL);
        (Size { m: 0, n, k }, broad)
    };
    let pieces = |m: &[i64; 4]| {
        let (size, broad) = sizes(m);
        size.n.div_ceil(broad)
    };
    pool::run(meta.iter().map(pieces).sum(), |mut piece| {
        for (m, [from, to]) in meta.iter().zip(places) {
            let here = pieces(m);
            if piece < here {
                let (size, broad) = sizes(m);
                let first = piece * broad;
                let columns = first..size.n.min(first + broad);
                let [.., row, column] = m.map(|x| x as isize);
                let at = *from as *mut T;
                // SAFETY: passed on; pieces have columns of their own.
                return unsafe { T::pack(size, columns, View { at, row, column }, *to as *mut T) };
            }
            piece -= here;
        }
    });
}

/// A product by this thread, one of many that have other rows of the same. Each element is what it is in the whole.
unsafe fn rows_of<T: Element>(size: Size, matrices: [View<T>; 3], packed: *const T) {
    let [x, _, out] = matrices;
    // SAFETY: passed on.
    unsafe {
        if tiled().is_none() {
            T::plain(size, matrices);
        } else if packed.is_null() {
            by_tiles(1, size, matrices);
        } else {
            T::tiles(size, x, Right::Packed(packed), out);
        }
    }
}

product!(gemm_f32 pack_f32 rows_gemm_f32, f32, avx512_f32 pack_avx512_f32, avx2_f32 pack_avx2_f32);
product!(gemm_f64 pack_f64 rows_gemm_f64, f64, avx512_f64 pack_avx512_f64, avx2_f64 pack_avx2_f64);

/// `out = x @ y` of square matrices of `n` rows, by the kernel that programs call.
///
/// # Panics
/// If a matrix has not `n * n` elements.
pub fn multiply_square(n: usize, x: &[f32], y: &[f32], out: &mut [f32]) {
    assert!(
        [x.len(), y.len(), out.len()] == [n * n; 3],
        "the matrices have n * n elements"
    );
    let row = n as i64;
    let one = [0, 0, row, 1];
    let meta = [[1, 1, row, row].as_slice(), &[row], &one, &one, &one].concat();
    // SAFETY: the layouts are those of the slices, which are as long as was checked.
    unsafe { gemm_f32(meta.as_ptr(), x.as_ptr(), y.as_ptr(), out.as_mut_ptr()) };
}

/// As `product!`, each element a sum in the order of the summed index, one product after another.
macro_rules! ordered {
    ($name:ident, $ty:ty) => {
        vectorised!($name(meta: *const i64, x: *const $ty, y: *const $ty, out: *mut $ty) {
            // SAFETY: as above; a result is laid out row by row, and apart from the operands.
            unsafe {
                let d = std::slice::from_raw_parts(meta, META);
                let [outer, inner, m, n, k] = [0, 1, 2, 3, 4].map(|i| d[i] as usize);
                let at = |p: *const $ty, i: [usize; 3], s: &[i64]| {
                    let i = [i[0] / inner, i[0] % inner, i[1], i[2]];
                    let offset: i64 = i.iter().zip(s).map(|(i, s)| *i as i64 * s).sum();
                    *p.offset(offset as isize)
                };
                for b in 0..outer * inner {
                    for i in 0..m {
                        let row = std::slice::from_raw_parts_mut(out.add((b * m + i) * n), n);
                        row.fill(0.0);
                        for l in 0..k {
                            let x = at(x, [b, i, l], &d[5..9]);
                            for (j, s) in row.iter_mut().enumerate() {
                                *s += x * at(y, [b, l, j], &d[9..13]);
                            }
                        }
                    }
                }
            }
        });
    };
}

ordered!(ordered_product_f32, f32);
ordered!(ordered_product_f64, f64);

pub fn table() -> Vec<Entry> {
    let mut all = vectors::table();
    all.extend([
        ("mlc_gemm_f32", gemm_f32 as *const u8),
        ("mlc_gemm_f64", gemm_f64 as *const u8),
        ("mlc_pack_f32", pack_f32 as *const u8),
        ("mlc_pack_f64", pack_f64 as *const u8),
        ("mlc_rows_gemm_f32", rows_gemm_f32 as *const u8),
        ("mlc_rows_gemm_f64", rows_gemm_f64 as *const u8),
        ("mlc_ordered_product_f32", ordered_product_f32 as *const u8),
        ("mlc_ordered_product_f64", ordered_product_f64 as *const u8),
    ]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between -1 and 1, and their product by `f`, in a matrix of which every other row is not touched.
    fn multiplied(size: Size, turned: [bool; 3], f: impl FnOnce(Size, [View<f32>; 3])) -> Vec<u32> {
        let Size { m, n, k } = size;
        let mut state = 1u32;
        let mut numbers = |n: usize| -> Vec<f32> {
            let next = |_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            (0..n).map(next).collect()
        };
        let (mut x, mut y) = (numbers(m * k), numbers(k * n));
        let mut out = vec![7.0; 2 * m * n];
        let view = |at: &mut Vec<f32>, rows: usize, columns: usize, turned: bool, step: usize| {
            let at = at.as_mut_ptr();
            let [row, column] = if turned {
                [1, rows * step]
            } else {
                [columns * step, 1]
            };
            View {
                at,
                row: row as isize,
                column: column as isize,
            }
        };
        let x = view(&mut x, m, k, turned[0], 1);
        let y = view(&mut y, k, n, turned[1], 1);
        f(size, [x, y, view(&mut out, m, n, turned[2], 2)]);
        let (rows, columns) = if turned[2] { (n, m) } else { (m, n) };
        for r in 0..rows {
            let behind = &out[(2 * r + 1) * columns..(2 * r + 2) * columns];
            assert!(
                behind.iter().all(|x| *x == 7.0),
                "{m} x {n} x {k}: beyond a row"
            );
        }
        out.iter().map(|x| x.to_bits()).collect()
    }

    const SIZES: [[usize; 3]; 18] = [
        [4, 4, 4],
        [9, 8, 8],
        [3, 1, 3],
        [1, 6, 3],
        [1, 1, 1],
        [1, 40, 3],
        [3, 5, 2],
        [14, 32, 7],
        [15, 33, 8],
        [29, 31, 9],
        [13, 16, 100],
        [30, 64, 64],
        [64, 20, 200],
        [70, 130, 513],
        [5, 700, 40],
        [200, 9, 33],
        [2, 3, 1025],
        [33, 1000, 70],
    ];

    /// Calls `f` for each size, and each choice of matrices that are transposed.
    fn for_all(f: impl Fn(Size, [bool; 3])) {
        for [m, n, k] in SIZES {
            for turned in 0..8 {
                f(Size { m, n, k }, [0, 1, 2].map(|i| turned & (1 << i) != 0));
            }
        }
    }

    fn assert_near(x: &[u32], y: &[u32], size: Size, turned: [bool; 3]) {
        for (a, b) in x.iter().zip(y) {
            let (a, b) = (f32::from_bits(*a), f32::from_bits(*b));
            let Size { m, n, k } = size;
            assert!(
                (a - b).abs() < 1e-4,
                "{m} x {n} x {k}, {turned:?}: {a} or {b}"
            );
        }
    }

    fn plain(size: Size, turned: [bool; 3]) -> Vec<u32> {
        multiplied(size, turned, |s, all| {
            // SAFETY: the views are of vectors.
            unsafe { f32::plain(s, all) }
        })
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn tiles_agree_with_the_crate_and_among_themselves() {
        if tiled().is_none() {
            return;
        }
        let narrow = |size: Size, [x, y, out]: [View<f32>; 3]| {
            // SAFETY: the views are of vectors, and the machine has the instructions.
            unsafe { tiles::avx2_f32(size, x, Right::Lies(y), out, &mut Buffer::default()) }
        };
        let wide = |size: Size, [x, y, out]: [View<f32>; 3]| {
            // SAFETY: as above.
            unsafe { tiles::avx512_f32(size, x, Right::Lies(y), out, &mut Buffer::default()) }
        };
        let parts = |size: Size, all: [View<f32>; 3]| {
            // SAFETY: as above.
            unsafe { divided(5, size, all, narrow) }
        };
        let room = |size: Size| size.k * size.n.next_multiple_of(GRAIN) * size_of::<f32>();
        let by_rows = |size: Size, all: [View<f32>; 3]| {
            // SAFETY: as above; so much room is asked for.
            unsafe { super::by_rows(3, size, all, room(size)) }
        };
        let some_rows = |size: Size, [x, y, out]: [View<f32>; 3]| {
            let mut buffer = Buffer::default();
            let to = buffer.room(room(size));
            let meta = [size.k as i64, size.n as i64, y.row as i64, y.column as i64];
            // SAFETY: as above; there is so much room, and the rows are in the matrices.
            unsafe {
                packed::<f32>(&[meta], &[[y.at as usize, to as usize]]);
                for first in (0..size.m).step_by(5) {
                    let m = 5.min(size.m - first);
                    let all = [x.from(first, 0), y, out.from(first, 0)];
                    rows_of(Size { m, ..size }, all, to.cast::<f32>().cast_const());
                }
            }
        };
        for_all(|size, turned| {
            let one = multiplied(size, turned, narrow);
            assert_near(&one, &plain(size, turned), size, turned);
            assert!(one == multiplied(size, turned, parts), "parts");
            assert!(one == multiplied(size, turned, by_rows), "by rows");
            assert!(one == multiplied(size, turned, some_rows), "some rows");
            if vector() == Vector::Avx512 {
                assert!(one == multiplied(size, turned, wide), "vectors");
            }
        });
    }

    #[test]
    fn small_products_in_a_batch_are_those_that_are_computed_alone() {
        let batch = Batch {
            extents: [1, 1],
            steps: [[0; 2]; 3],
        };
        for_all(|size, turned| {
            let near = plain(size, turned);
            let alone = multiplied(size, turned, |s, all| {
                // SAFETY: the views are of vectors.
                unsafe { product(true, s, all) }
            });
            let mut done = false;
            let small = multiplied(size, turned, |s, all| {
                if let Some(small) = as_small(&batch, s, all) {
                    // SAFETY: as above.
                    unsafe { f32::small(&small, 0..1) }
                    done = true;
                }
            });
            if done {
                assert_near(&small, &near, size, turned);
                assert!(small == alone || tiled().is_none(), "{turned:?}");
            }
        });
    }

    #[test]
    fn few_vectors_are_products_like_others() {
        for_all(|size, turned| {
            let Size { m, n, k } = size;
            for [m, n] in [[m, 1], [1, n], [m, 3], [2, n]] {
                let size = Size { m, n, k };
                let some = multiplied(size, turned, |s, all| {
                    // SAFETY: the views are of vectors.
                    unsafe { product(false, s, all) }
                });
                assert_near(&some, &plain(size, turned), size, turned);
            }
        });
    }
}
