//! Matrix products, by the `gemm` crate.

use super::{Entry, pool, vectorised};
use gemm::Parallelism;

/// Multiplications of one part: smaller ones cost more to hand out than they bring.
const PART: usize = 1 << 21;

/// Parts at most.
const MAX_PARTS: usize = 16;

/// Rows or columns of a part are a multiple of this: the width of a vector.
const GRAIN: usize = 16;

/// How a product of `m` rows and `n` columns is divided, by its sizes alone: into parts of so many rows or, if there are
/// more columns, columns.
fn chunk(m: usize, n: usize, k: usize) -> usize {
    let parts = (m * n * k / PART).clamp(1, MAX_PARTS);
    m.max(n).div_ceil(parts).next_multiple_of(GRAIN)
}

/// `out = x @ y` for each of a batch. `meta`: batch, m, n, k; then the strides (batch, row, column) of x, y and out.
macro_rules! product {
    ($name:ident, $ty:ty) => {
        unsafe extern "C" fn $name(meta: *const i64, x: *const $ty, y: *const $ty, out: *mut $ty) {
            // SAFETY: the code generator gives thirteen numbers, and layouts that stay inside the buffers.
            unsafe {
                let d = std::slice::from_raw_parts(meta, 13);
                let (m, n, k) = (d[1] as usize, d[2] as usize, d[3] as usize);
                let s = |i: usize| d[i] as isize;
                for b in 0..d[0] as isize {
                    let (x, y, out) = (
                        x.offset(b * s(4)),
                        y.offset(b * s(7)),
                        out.offset(b * s(10)),
                    );
                    if k == 0 {
                        std::ptr::write_bytes(out, 0, m * n);
                        continue;
                    }
                    let (x, y, out) = (x as usize, y as usize, out as usize);
                    let by_rows = m > n;
                    let chunk = chunk(m, n, k);
                    pool::run(m.max(n).div_ceil(chunk), |part| {
                        let first = part * chunk;
                        let left = chunk.min(m.max(n) - first);
                        let (m, n) = if by_rows { (left, n) } else { (m, left) };
                        let at = |p: usize, rows: isize, columns: isize| {
                            let stride = if by_rows { rows } else { columns };
                            (p as *mut $ty).offset(first as isize * stride)
                        };
                        gemm::gemm(
                            m,
                            n,
                            k,
                            at(out, s(11), s(12)),
                            s(12),
                            s(11),
                            false,
                            at(x, s(5), 0),
                            s(6),
                            s(5),
                            at(y, 0, s(9)),
                            s(9),
                            s(8),
                            0.0,
                            1.0,
                            false,
                            false,
                            false,
                            Parallelism::None,
                        );
                    });
                }
            }
        }
    };
}

/// `out = x @ y` of square matrices of `n` rows, by the kernel that programs call.
///
/// # Panics
/// If a matrix has not `n * n` elements.
pub fn multiply_square(n: usize, x: &[f32], y: &[f32], out: &mut [f32]) {
    assert!(
        [x.len(), y.len(), out.len()] == [n * n; 3],
        "the matrices have n * n elements"
    );
    let (size, row) = ((n * n) as i64, n as i64);
    let meta = [1, row, row, row, size, row, 1, size, row, 1, size, row, 1];
    // SAFETY: the layouts are those of the slices, which are as long as was checked.
    unsafe { gemm_f32(meta.as_ptr(), x.as_ptr(), y.as_ptr(), out.as_mut_ptr()) };
}

product!(gemm_f32, f32);
product!(gemm_f64, f64);

/// As `product!`, each element a sum in the order of the summed index, one product after another.
macro_rules! ordered {
    ($name:ident, $ty:ty) => {
        vectorised!($name(meta: *const i64, x: *const $ty, y: *const $ty, out: *mut $ty) {
            // SAFETY: as above; a result is laid out row by row, and apart from the operands.
            unsafe {
                let d = std::slice::from_raw_parts(meta, 13);
                let (m, n, k) = (d[1] as usize, d[2] as usize, d[3] as usize);
                let at = |p: *const $ty, i: [usize; 3], s: &[i64]| {
                    let offset: i64 = i.iter().zip(s).map(|(i, s)| *i as i64 * s).sum();
                    *p.offset(offset as isize)
                };
                for b in 0..d[0] as usize {
                    for i in 0..m {
                        let row = std::slice::from_raw_parts_mut(out.add((b * m + i) * n), n);
                        row.fill(0.0);
                        for l in 0..k {
                            let x = at(x, [b, i, l], &d[4..7]);
                            for (j, s) in row.iter_mut().enumerate() {
                                *s += x * at(y, [b, l, j], &d[7..10]);
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
    vec![
        ("mlc_gemm_f32", gemm_f32 as *const u8),
        ("mlc_gemm_f64", gemm_f64 as *const u8),
        ("mlc_ordered_product_f32", ordered_product_f32 as *const u8),
        ("mlc_ordered_product_f64", ordered_product_f64 as *const u8),
    ]
}
