//! Matrix products, by the `gemm` crate.

use super::Entry;
use gemm::Parallelism;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads that one product may use.
pub static THREADS: AtomicUsize = AtomicUsize::new(1);

/// Multiplications below which threads cost more than they bring.
const WORTH_THREADS: usize = 1 << 20;

fn parallelism(work: usize) -> Parallelism {
    match THREADS.load(Ordering::Relaxed) {
        n if n > 1 && work >= WORTH_THREADS => Parallelism::Rayon(n),
        _ => Parallelism::None,
    }
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
                    gemm::gemm(
                        m,
                        n,
                        k,
                        out,
                        s(12),
                        s(11),
                        false,
                        x,
                        s(6),
                        s(5),
                        y,
                        s(9),
                        s(8),
                        0.0,
                        1.0,
                        false,
                        false,
                        false,
                        parallelism(m * n * k),
                    );
                }
            }
        }
    };
}

product!(gemm_f32, f32);
product!(gemm_f64, f64);

pub fn table() -> Vec<Entry> {
    vec![
        ("mlc_gemm_f32", gemm_f32 as *const u8),
        ("mlc_gemm_f64", gemm_f64 as *const u8),
    ]
}
