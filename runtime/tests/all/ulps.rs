//! Errors of the formulas in single precision, over their whole range: a part of all inputs, or every one of them in the long
//! test, `cargo test --release -p mlc-runtime --test all -- --ignored every_input`.
//!
//! The native kernels and the code of wide vectors evaluate the same formulas to the same bits (see the tests of vectors), so
//! what is measured here of numbers holds for both.

use mlc_compiler::codegen::formulas;
use std::sync::atomic::{AtomicU64, Ordering};

/// A function, its exact values, and by how many units in the last place it may err. What is below the smallest normal number
/// may be zero.
struct Function {
    name: &'static str,
    f: fn(f32) -> f32,
    exact: fn(f64) -> f64,
    bound: f64,
}

fn sigmoid(x: f64) -> f64 {
    let e = libm::exp(-x.abs());
    if x < 0.0 {
        e / (1.0 + e)
    } else {
        1.0 / (1.0 + e)
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

const FUNCTIONS: &[Function] = &[
    Function {
        name: "exp",
        f: formulas::exp,
        exact: libm::exp,
        bound: 1.0,
    },
    Function {
        name: "log",
        f: formulas::log,
        exact: libm::log,
        bound: 0.9,
    },
    Function {
        name: "log1p",
        f: formulas::log1p,
        exact: libm::log1p,
        bound: 1.4,
    },
    Function {
        name: "expm1",
        f: formulas::expm1,
        exact: libm::expm1,
        bound: 1.5,
    },
    Function {
        name: "tanh",
        f: formulas::tanh,
        exact: libm::tanh,
        bound: 2.4,
    },
    Function {
        name: "sigmoid",
        f: formulas::sigmoid,
        exact: sigmoid,
        bound: 2.4,
    },
    Function {
        name: "softplus",
        f: formulas::softplus,
        exact: softplus,
        bound: 2.5,
    },
];

/// The distance in units in the last place of the exact value, as a number in single precision.
fn ulps(y: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if exact.is_nan() || rounded.is_infinite() {
        // Infinity may come one number too early.
        let near = y == rounded || rounded.is_infinite() && y.abs() == f32::MAX;
        let right = if exact.is_nan() { y.is_nan() } else { near };
        return if right { 0.0 } else { f64::INFINITY };
    }
    let size = rounded.abs().max(f32::MIN_POSITIVE);
    if exact.abs() < f64::from(f32::MIN_POSITIVE) && y.abs() <= f32::MIN_POSITIVE {
        return 0.0;
    }
    let unit = f64::from(f32::from_bits(size.to_bits() + 1)) - f64::from(size);
    (f64::from(y) - exact).abs() / unit
}

/// The worst error over every `stride`th input, on two threads, and where it is.
fn worst(f: &Function, stride: u64) -> (f64, f32) {
    let next = AtomicU64::new(0);
    const CHUNK: u64 = 1 << 24;
    let work = || {
        let mut worst = (0.0, 0.0);
        loop {
            let start = next.fetch_add(CHUNK, Ordering::Relaxed);
            if start >= 1 << 32 {
                return worst;
            }
            let first = start.next_multiple_of(stride);
            for bits in (first..start + CHUNK).step_by(stride as usize) {
                let x = f32::from_bits(bits as u32);
                let error = ulps((f.f)(x), (f.exact)(f64::from(x)));
                if error > worst.0 {
                    worst = (error, x);
                }
            }
        }
    };
    std::thread::scope(|s| {
        let other = s.spawn(work);
        let mine = work();
        let other = other.join().expect("a thread of a test ended early");
        if mine.0 > other.0 { mine } else { other }
    })
}

fn check(stride: u64) {
    let mut wrong = Vec::new();
    for f in FUNCTIONS {
        let (error, x) = worst(f, stride);
        eprintln!("{}: {error:.3} ulp, at {x:e}", f.name);
        if error > f.bound {
            wrong.push(format!("{}: {error} ulp at {x:e}", f.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
}

#[test]
fn formulas_keep_their_bounds() {
    // A prime, so that all parts of the numbers vary.
    check(4099);
}

#[test]
#[ignore = "takes minutes"]
fn every_input_keeps_the_bounds() {
    check(1);
}
