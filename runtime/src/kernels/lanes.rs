//! Transcendental functions of arrays: `(n, x, out)`, where `x` and `out` may be the same. Each has a form for one number, in a module
//! of its name, which gives the same bits.

use super::{Entry, Vector, math, singles, special, vector, vectorised};
use mlc_compiler::codegen::formulas;

macro_rules! one {
    ($name:ident, $ty:ty, ($($x:ident),+), $f:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "a function may be one of another crate")]
            use super::*;

            extern "C" fn one($($x: $ty),+) -> $ty {
                ($f)($($x),+)
            }

            /// For machines whose instructions can fuse multiplication and addition.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe extern "C" fn one_fused($($x: $ty),+) -> $ty {
                ($f)($($x),+)
            }

            pub fn address() -> *const u8 {
                #[cfg(target_arch = "x86_64")]
                if vector() != Vector::Portable {
                    return one_fused as *const u8;
                }
                one as *const u8
            }
        }
    };
}

macro_rules! unary {
    ($name:ident, $ty:ty, $f:expr) => {
        one!($name, $ty, (x), $f);
        vectorised!($name(n: usize, x: *const $ty, out: *mut $ty) {
            let f = $f;
            for i in 0..n {
                // SAFETY: both arrays hold `n` elements; an element is read before it is written.
                unsafe { *out.add(i) = f(*x.add(i)) };
            }
        });
    };
}

/// A function in stretches: vectors first, then the numbers that are not for them, one by one, in f64.
macro_rules! in_stretches {
    ($name:ident, $fits:expr, $near:expr, $far:expr) => {
        one!($name, f32, (x), |x: f32| {
            if $fits(x) {
                $near(x)
            } else {
                $far(f64::from(x)) as f32
            }
        });
        vectorised!($name(n: usize, x: *const f32, out: *mut f32) {
            const STRETCH: usize = 64;
            let mut at = 0;
            while at < n {
                let len = STRETCH.min(n - at);
                // SAFETY: `x` holds `n` elements; they are copied, because `out` may be the same array.
                let numbers = unsafe {
                    let mut numbers = [1.0f32; STRETCH];
                    std::ptr::copy_nonoverlapping(x.add(at), numbers.as_mut_ptr(), len);
                    numbers
                };
                let mut values = [0.0f32; STRETCH];
                for (y, x) in values.iter_mut().zip(&numbers) {
                    *y = $near(*x);
                }
                for (y, x) in values.iter_mut().zip(&numbers) {
                    if !$fits(*x) {
                        *y = $far(f64::from(*x)) as f32;
                    }
                }
                // SAFETY: `out` holds `n` elements.
                unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), out.add(at), len) };
                at += len;
            }
        });
    };
}

unary!(exp_f32, f32, formulas::exp::<f32>);
unary!(log_f32, f32, formulas::log::<f32>);
unary!(log1p_f32, f32, formulas::log1p::<f32>);
unary!(expm1_f32, f32, formulas::expm1::<f32>);
unary!(tanh_f32, f32, formulas::tanh::<f32>);
unary!(sigmoid_f32, f32, formulas::sigmoid::<f32>);
unary!(softplus_f32, f32, formulas::softplus::<f32>);
unary!(erfinv_f32, f32, formulas::erfinv::<f32>);
unary!(erf_f32, f32, formulas::erf::<f32>);
unary!(erfc_f32, f32, singles::erfc);
unary!(erfcx_f32, f32, singles::erfcx);
unary!(ndtr_f32, f32, singles::ndtr);
unary!(log_ndtr_f32, f32, singles::log_ndtr);
unary!(ndtri_f32, f32, singles::ndtri);
unary!(i0e_f32, f32, singles::i0e);
unary!(i1e_f32, f32, singles::i1e);
unary!(exp2_f32, f32, singles::exp2);
unary!(log2_f32, f32, singles::log2);
unary!(asin_f32, f32, singles::asin);
unary!(acos_f32, f32, singles::acos);
unary!(atan_f32, f32, singles::atan);
unary!(sinh_f32, f32, singles::sinh);
unary!(cosh_f32, f32, singles::cosh);
unary!(asinh_f32, f32, singles::asinh);
unary!(acosh_f32, f32, singles::acosh);
unary!(atanh_f32, f32, singles::atanh);
in_stretches!(sin_f32, singles::is_near, singles::sin, libm::sin);
in_stretches!(cos_f32, singles::is_near, singles::cos, libm::cos);
in_stretches!(tan_f32, singles::is_near, singles::tan, libm::tan);
in_stretches!(
    lgamma_f32,
    singles::is_positive,
    singles::lgamma,
    libm::lgamma
);
in_stretches!(
    digamma_f32,
    singles::is_positive,
    singles::digamma,
    math::digamma
);
in_stretches!(
    trigamma_f32,
    singles::is_positive,
    singles::trigamma,
    math::trigamma
);

unary!(exp_f64, f64, libm::exp);
unary!(log_f64, f64, libm::log);
unary!(log1p_f64, f64, libm::log1p);
unary!(expm1_f64, f64, libm::expm1);
unary!(tanh_f64, f64, libm::tanh);
unary!(sigmoid_f64, f64, |x: f64| {
    let e = libm::exp(-x.abs());
    if x < 0.0 {
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + e)
    }
});
unary!(softplus_f64, f64, |x: f64| {
    let y = (if x > 0.0 { x } else { 0.0 }) + libm::log1p(libm::exp(-x.abs()));
    if x.is_nan() { x } else { y }
});
unary!(erf_f64, f64, libm::erf);
unary!(erfinv_f64, f64, math::erfinv64);
unary!(sin_f64, f64, libm::sin);
unary!(cos_f64, f64, libm::cos);
unary!(lgamma_f64, f64, libm::lgamma);
unary!(digamma_f64, f64, math::digamma);
unary!(trigamma_f64, f64, math::trigamma);
unary!(erfc_f64, f64, libm::erfc);
unary!(erfcx_f64, f64, special::erfcx);
unary!(ndtr_f64, f64, special::ndtr);
unary!(log_ndtr_f64, f64, special::log_ndtr);
unary!(ndtri_f64, f64, special::ndtri);
unary!(i0e_f64, f64, special::i0e);
unary!(i1e_f64, f64, special::i1e);
unary!(exp2_f64, f64, libm::exp2);
unary!(log2_f64, f64, libm::log2);
unary!(tan_f64, f64, libm::tan);
unary!(asin_f64, f64, libm::asin);
unary!(acos_f64, f64, libm::acos);
unary!(atan_f64, f64, libm::atan);
unary!(sinh_f64, f64, libm::sinh);
unary!(cosh_f64, f64, libm::cosh);
unary!(asinh_f64, f64, libm::asinh);
unary!(acosh_f64, f64, math::acosh);
unary!(atanh_f64, f64, libm::atanh);

/// A function of f64 of one, two or three numbers, for both element types.
macro_rules! by_f64 {
    ($($f32:ident $f64:ident ($($x:ident),+) $f:path;)*) => {$(
        one!($f32, f32, ($($x),+), |$($x: f32),+| $f($(f64::from($x)),+) as f32);
        one!($f64, f64, ($($x),+), $f);
        vectorised!($f32(n: usize, $($x: *const f32,)+ out: *mut f32) {
            for i in 0..n {
                // SAFETY: the arrays hold `n` elements; an element is read before it is written.
                unsafe { *out.add(i) = $f($(f64::from(*$x.add(i))),+) as f32 };
            }
        });
        vectorised!($f64(n: usize, $($x: *const f64,)+ out: *mut f64) {
            for i in 0..n {
                // SAFETY: as above.
                unsafe { *out.add(i) = $f($(*$x.add(i)),+) };
            }
        });
    )*};
}

by_f64! {
    polygamma_f32 polygamma_f64 (x, y) special::polygamma;
    gammainc_f32 gammainc_f64 (x, y) special::gammainc;
    gammaincc_f32 gammaincc_f64 (x, y) special::gammaincc;
    gammainc_by_x_f32 gammainc_by_x_f64 (x, y) special::gammainc_by_x;
    gammainc_by_a_f32 gammainc_by_a_f64 (x, y) special::gammainc_by_a;
    betainc_f32 betainc_f64 (x, y, z) special::betainc;
    betainc_by_x_f32 betainc_by_x_f64 (x, y, z) special::betainc_by_x;
    betainc_by_a_f32 betainc_by_a_f64 (x, y, z) special::betainc_by_a;
    betainc_by_b_f32 betainc_by_b_f64 (x, y, z) special::betainc_by_b;
}

macro_rules! binary {
    ($name:ident, $ty:ty, $f:expr) => {
        one!($name, $ty, (x, y), $f);
        vectorised!($name(n: usize, x: *const $ty, y: *const $ty, out: *mut $ty) {
            for i in 0..n {
                // SAFETY: the arrays hold `n` elements; an element is read before it is written.
                unsafe { *out.add(i) = $f(*x.add(i), *y.add(i)) };
            }
        });
    };
}

binary!(pow_f32, f32, singles::pow);
binary!(pow_f64, f64, libm::pow);
binary!(atan2_f32, f32, singles::atan2);
binary!(atan2_f64, f64, libm::atan2);
binary!(logaddexp_f32, f32, singles::logaddexp);
binary!(logaddexp_f64, f64, special::logaddexp);
binary!(lbeta_f32, f32, singles::lbeta);
binary!(lbeta_f64, f64, special::lbeta);

macro_rules! entries {
    ($($name:ident)*) => {
        vec![$(
            (concat!("mlc_", stringify!($name)), $name as *const u8),
            (concat!("mlc_one_", stringify!($name)), $name::address())
        ),*]
    };
}

pub fn table() -> Vec<Entry> {
    entries!(
        exp_f32 log_f32 log1p_f32 expm1_f32 tanh_f32 sigmoid_f32 softplus_f32 erf_f32 erfinv_f32 sin_f32 cos_f32
        lgamma_f32 digamma_f32 trigamma_f32 exp_f64 log_f64 log1p_f64 expm1_f64 tanh_f64 sigmoid_f64 softplus_f64
        erf_f64 erfinv_f64 sin_f64 cos_f64 lgamma_f64 digamma_f64 trigamma_f64 pow_f32 pow_f64
        erfc_f32 erfc_f64 erfcx_f32 erfcx_f64 ndtr_f32 ndtr_f64 log_ndtr_f32 log_ndtr_f64 ndtri_f32
        ndtri_f64 i0e_f32 i0e_f64 i1e_f32 i1e_f64 tan_f32 tan_f64 asin_f32 asin_f64 acos_f32
        acos_f64 atan_f32 atan_f64 sinh_f32 sinh_f64 cosh_f32 cosh_f64 asinh_f32 asinh_f64 acosh_f32
        acosh_f64 atanh_f32 atanh_f64 exp2_f32 exp2_f64 log2_f32 log2_f64 atan2_f32 atan2_f64
        polygamma_f32 polygamma_f64 logaddexp_f32 logaddexp_f64 lbeta_f32 lbeta_f64 gammainc_f32
        gammainc_f64 gammaincc_f32 gammaincc_f64 gammainc_by_x_f32 gammainc_by_x_f64
        gammainc_by_a_f32 gammainc_by_a_f64 betainc_f32 betainc_f64 betainc_by_x_f32
        betainc_by_x_f64 betainc_by_a_f32 betainc_by_a_f64 betainc_by_b_f32 betainc_by_b_f64
    )
}
