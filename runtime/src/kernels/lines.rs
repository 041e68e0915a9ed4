//! Along one axis: running sums and the like, the place of the maximum, the order of the elements.
//!
//! All see a buffer as `[outer, n, inner]` and go along the middle axis.

use super::Entry;
use std::cmp::Ordering;

macro_rules! running {
    ($name:ident, $ty:ty, $f:expr) => {
        unsafe extern "C" fn $name(
            outer: usize,
            n: usize,
            inner: usize,
            x: *const $ty,
            out: *mut $ty,
        ) {
            let f = $f;
            for o in 0..outer {
                for r in 0..n {
                    for i in 0..inner {
                        let at = (o * n + r) * inner + i;
                        // SAFETY: both buffers hold `outer * n * inner` elements.
                        unsafe {
                            let x = *x.add(at);
                            *out.add(at) = if r == 0 {
                                x
                            } else {
                                f(*out.add(at - inner), x)
                            };
                        }
                    }
                }
            }
        }
    };
}

running!(cumsum_f32, f32, |a: f32, b: f32| a + b);
running!(cumsum_f64, f64, |a: f64, b: f64| a + b);
running!(cumsum_i32, i32, i32::wrapping_add);
running!(cumprod_f32, f32, |a: f32, b: f32| a * b);
running!(cumprod_f64, f64, |a: f64, b: f64| a * b);
running!(cumprod_i32, i32, i32::wrapping_mul);
// A number that is none wins.
running!(cummax_f32, f32, |a: f32, b: f32| if a.is_nan() || b <= a {
    a
} else {
    b
});
running!(cummax_f64, f64, |a: f64, b: f64| if a.is_nan() || b <= a {
    a
} else {
    b
});
running!(cummax_i32, i32, i32::max);
running!(cummin_f32, f32, |a: f32, b: f32| if a.is_nan() || b >= a {
    a
} else {
    b
});
running!(cummin_f64, f64, |a: f64, b: f64| if a.is_nan() || b >= a {
    a
} else {
    b
});
running!(cummin_i32, i32, i32::min);

/// Ascending, numbers that are none last and equal among themselves.
fn order_f32(a: &f32, b: &f32) -> Ordering {
    a.partial_cmp(b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// See [`order_f32`].
fn order_f64(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

macro_rules! ordered {
    ($argmax:ident $argsort:ident, $ty:ty, $order:expr) => {
        /// The index of the first maximum.
        unsafe extern "C" fn $argmax(
            outer: usize,
            n: usize,
            inner: usize,
            x: *const $ty,
            out: *mut i32,
        ) {
            let order = $order;
            for o in 0..outer {
                for i in 0..inner {
                    // SAFETY: `x` holds `outer * n * inner` elements, `out` `outer * inner`.
                    unsafe {
                        let at = |r: usize| *x.add((o * n + r) * inner + i);
                        let mut best = 0;
                        for r in 1..n {
                            if order(&at(r), &at(best)) == Ordering::Greater {
                                best = r;
                            }
                        }
                        *out.add(o * inner + i) = best as i32;
                    }
                }
            }
        }

        /// Indices that sort; equal elements keep their order.
        unsafe extern "C" fn $argsort(
            outer: usize,
            n: usize,
            inner: usize,
            x: *const $ty,
            out: *mut i32,
        ) {
            let order = $order;
            let mut line: Vec<(i32, $ty)> = Vec::with_capacity(n);
            for o in 0..outer {
                for i in 0..inner {
                    // SAFETY: both buffers hold `outer * n * inner` elements.
                    unsafe {
                        let at = |r: usize| (o * n + r) * inner + i;
                        line.clear();
                        line.extend((0..n).map(|r| (r as i32, *x.add(at(r)))));
                        line.sort_by(|a, b| order(&a.1, &b.1));
                        for (r, (from, _)) in line.iter().enumerate() {
                            *out.add(at(r)) = *from;
                        }
                    }
                }
            }
        }
    };
}

ordered!(argmax_f32 argsort_f32, f32, order_f32);
ordered!(argmax_f64 argsort_f64, f64, order_f64);
ordered!(argmax_i32 argsort_i32, i32, i32::cmp);

macro_rules! entries {
    ($($name:ident)*) => {
        vec![$((concat!("mlc_", stringify!($name)), $name as *const u8)),*]
    };
}

pub fn table() -> Vec<Entry> {
    entries!(
        cumsum_f32 cumsum_f64 cumsum_i32 cumprod_f32 cumprod_f64 cumprod_i32
        cummax_f32 cummax_f64 cummax_i32 cummin_f32 cummin_f64 cummin_i32
        argmax_f32 argmax_f64 argmax_i32 argsort_f32 argsort_f64 argsort_i32
    )
}
