//! Native kernels: what compiled programs call by address.
//!
//! - `lanes`: transcendental functions of whole arrays. The functions themselves, on one number: `singles` those of f32, which become
//!   vector code, `math` and `special` those of f64.
//! - `random`: counter-based random words.
//! - `arrays`: reductions, copies, indexing. `lines`: along one axis. `products`: matrix products.
//! - `linalg`: factorisations and solves, by the `faer` crate.
//! - `loops`: sequential loops, whose bodies are compiled functions.
//! - `pool`: threads for the parts of large loop nests and products.
//! - `clock`: what programs call whose units are timed.
//!
//! Every kernel takes words (numbers and addresses) and gives nothing back. Array kernels are compiled for AVX-512, for
//! AVX2 and for any machine from the same source, in which multiplication and addition are fused where it says so and nowhere
//! else, so that all three give the same bits. In `products`, `tiles` is written with `std::arch`.

mod arrays;
mod clock;
mod lanes;
mod linalg;
mod lines;
mod loops;
mod math;
mod pool;
mod products;
mod random;
mod singles;
mod special;

pub use loops::break_loops;

use mlc_compiler::codegen::Natives;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The instruction set that kernels use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vector {
    Portable = 1,
    Avx2 = 2,
    Avx512 = 3,
}

static VECTOR: AtomicU8 = AtomicU8::new(0);

fn best() -> Vector {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
        {
            return Vector::Avx512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Vector::Avx2;
        }
    }
    Vector::Portable
}

/// Chooses the instruction set: what the machine has, or less if `MLC_VECTOR` says `avx2` or `portable`.
///
/// # Errors
/// If `MLC_VECTOR` is something else, or something that this machine has not.
pub fn install() -> Result<Vector, String> {
    let best = best();
    let chosen = match std::env::var("MLC_VECTOR").as_deref() {
        Err(_) | Ok("") => best,
        Ok("avx512") => Vector::Avx512,
        Ok("avx2") => Vector::Avx2,
        Ok("portable") => Vector::Portable,
        Ok(other) => {
            return Err(format!(
                "MLC_VECTOR is `{other}`; it can be `avx512`, `avx2` or `portable`"
            ));
        }
    };
    if chosen as u8 > best as u8 {
        return Err(format!(
            "this machine has no {chosen:?}; the best it has is {best:?}"
        ));
    }
    VECTOR.store(chosen as u8, Ordering::Relaxed);
    Ok(chosen)
}

/// The instruction set in use.
pub(crate) fn vector() -> Vector {
    match VECTOR.load(Ordering::Relaxed) {
        3 => Vector::Avx512,
        2 => Vector::Avx2,
        1 => Vector::Portable,
        _ => install().unwrap_or(Vector::Portable),
    }
}

/// Compiles a function three times, and calls the one for this machine.
macro_rules! vectorised {
    ($name:ident ( $($arg:ident : $ty:ty),* ) $body:block) => {
        pub(super) unsafe extern "C" fn $name($($arg: $ty),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            unsafe fn body($($arg: $ty),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: the caller's promises are passed on.
                unsafe { body($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: the caller's promises are passed on.
                unsafe { body($($arg),*) }
            }
            // SAFETY: a vector path is chosen only where `install` found that the machine has it; the rest is the
            // caller's promise, passed on.
            unsafe {
                match super::vector() {
                    #[cfg(target_arch = "x86_64")]
                    super::Vector::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    super::Vector::Avx2 => avx2($($arg),*),
                    _ => body($($arg),*),
                }
            }
        }
    };
}
use vectorised;

/// A kernel's name and address.
type Entry = (&'static str, *const u8);

/// All kernels.
fn entries() -> impl Iterator<Item = Entry> {
    let tables = [
        lanes::table(),
        random::table(),
        arrays::table(),
        lines::table(),
        loops::table(),
        products::table(),
        linalg::table(),
        pool::table(),
        clock::table(),
    ];
    tables.into_iter().flatten()
}

/// The address of a kernel.
pub fn address(name: &str) -> Option<*const u8> {
    static ADDRESSES: OnceLock<HashMap<&str, usize>> = OnceLock::new();
    let known = ADDRESSES.get_or_init(|| entries().map(|e| (e.0, e.1 as usize)).collect());
    known.get(name).map(|&address| address as *const u8)
}

/// The kernels of this module, for the code generator.
pub fn natives() -> Natives {
    Natives {
        address,
        wide: vector() == Vector::Avx512,
        fuses: true,
        linalg_scratch: linalg::scratch_bytes,
    }
}

/// The names of all kernels.
pub fn names() -> Vec<&'static str> {
    entries().map(|e| e.0).collect()
}

pub use arrays::copy_large;
pub use clock::{Clock, Span, Spent, ticks};
pub use pool::{Part, set_threads, watch};
pub use products::multiply_square;
