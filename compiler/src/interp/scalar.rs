//! Scalar functions on f64, straight from their definitions.

use crate::ir::DType;
use crate::ops::Scalar;

/// NaN if either is NaN; equal operands give the first.
pub fn max(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if y > x {
        y
    } else {
        x
    }
}

/// NaN if either is NaN; equal operands give the first.
pub fn min(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if y < x {
        y
    } else {
        x
    }
}

/// A scalar function; `from` is the operands' element type, `to` the result's.
pub fn apply(f: Scalar, x: &[f64], from: DType, to: DType) -> f64 {
    let b = |c: bool| f64::from(u8::from(c));
    let int = |i: i64| f64::from(i as i32);
    let is_int = from == DType::I32;
    match f {
        Scalar::Identity | Scalar::First => x[0],
        Scalar::Zero => 0.0,
        Scalar::Add if is_int => int(x[0] as i64 + x[1] as i64),
        Scalar::Sub if is_int => int(x[0] as i64 - x[1] as i64),
        Scalar::Mul if is_int => int((x[0] as i64).wrapping_mul(x[1] as i64)),
        Scalar::Neg if is_int => int(-(x[0] as i64)),
        Scalar::Abs if is_int => int((x[0] as i64).abs()),
        Scalar::Add => x[0] + x[1],
        Scalar::Sub => x[0] - x[1],
        Scalar::Mul => x[0] * x[1],
        Scalar::Div => x[0] / x[1],
        Scalar::IntDiv if x[1] == 0.0 => 0.0,
        Scalar::IntDiv => int((x[0] / x[1]).floor() as i64),
        Scalar::Mod if is_int && x[1] == 0.0 => 0.0,
        Scalar::Mod => x[0] - x[1] * (x[0] / x[1]).floor(),
        Scalar::Pow => x[0].powf(x[1]),
        Scalar::Max => max(x[0], x[1]),
        Scalar::Min => min(x[0], x[1]),
        Scalar::Neg => -x[0],
        Scalar::Abs => x[0].abs(),
        Scalar::Sign if x[0].is_nan() => x[0],
        Scalar::Sign => b(x[0] > 0.0) - b(x[0] < 0.0),
        Scalar::Sqrt => x[0].sqrt(),
        Scalar::Exp => x[0].exp(),
        Scalar::Log => x[0].ln(),
        Scalar::Log1p => x[0].ln_1p(),
        Scalar::Expm1 => x[0].exp_m1(),
        Scalar::Sin => x[0].sin(),
        Scalar::Cos => x[0].cos(),
        Scalar::Tanh => x[0].tanh(),
        Scalar::Sigmoid if x[0] >= 0.0 => 1.0 / (1.0 + (-x[0]).exp()),
        Scalar::Sigmoid => x[0].exp() / (1.0 + x[0].exp()),
        Scalar::Softplus => max(x[0], 0.0) + (-x[0].abs()).exp().ln_1p(),
        Scalar::Erf => libm::erf(x[0]),
        Scalar::Erfinv => erfinv(x[0]),
        Scalar::Lgamma => libm::lgamma(x[0]),
        Scalar::Digamma => digamma(x[0]),
        Scalar::Trigamma => trigamma(x[0]),
        Scalar::Floor => x[0].floor(),
        Scalar::Ceil => x[0].ceil(),
        Scalar::Round => x[0].round_ties_even(),
        Scalar::IsFinite => b(x[0].is_finite()),
        Scalar::Lt => b(x[0] < x[1]),
        Scalar::Le => b(x[0] <= x[1]),
        Scalar::Eq => b(x[0] == x[1]),
        Scalar::Ne => b(x[0] != x[1]),
        Scalar::And => b(x[0] != 0.0 && x[1] != 0.0),
        Scalar::Or => b(x[0] != 0.0 || x[1] != 0.0),
        Scalar::Not => b(x[0] == 0.0),
        Scalar::BitAnd => f64::from(x[0] as i32 & x[1] as i32),
        Scalar::BitOr => f64::from(x[0] as i32 | x[1] as i32),
        Scalar::BitXor => f64::from(x[0] as i32 ^ x[1] as i32),
        Scalar::ShiftLeft => f64::from((x[0] as i32).wrapping_shl(x[1] as i32 as u32)),
        Scalar::ShiftRight => f64::from((x[0] as i32).wrapping_shr(x[1] as i32 as u32)),
        Scalar::Select => {
            if x[0] != 0.0 {
                x[1]
            } else {
                x[2]
            }
        }
        Scalar::Cast => match to {
            DType::F32 | DType::F64 => x[0],
            DType::I32 => f64::from(x[0] as i32),
            DType::Bool => b(x[0] != 0.0),
        },
        Scalar::Special(f) => super::special::apply(f, x),
        Scalar::BitsToUnit => {
            let bits = x[0] as i64 as u32;
            match to {
                DType::F64 => (f64::from(bits) + 0.5) / 4_294_967_296.0,
                _ => (f64::from(bits >> 9) + 0.5) / 8_388_608.0,
            }
        }
    }
}

/// The inverse of `erf`, by Newton's method from a rough start.
fn erfinv(y: f64) -> f64 {
    if y.is_nan() || y.abs() > 1.0 {
        return f64::NAN;
    }
    if y.abs() == 1.0 {
        return y * f64::INFINITY;
    }
    // Winitzki's approximation, then Newton on erfc, which keeps its digits in the tails.
    let l = (-y * y).ln_1p();
    let t = 2.0 / (std::f64::consts::PI * 0.147) + l / 2.0;
    let mut x = ((t * t - l / 0.147).sqrt() - t).sqrt();
    let target = 1.0 - y.abs();
    for _ in 0..4 {
        let slope = -std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp();
        x -= (libm::erfc(x) - target) / slope;
    }
    x.copysign(y)
}

/// d lgamma / dx: recurrence up to 20, then the asymptotic series (Abramowitz and Stegun 6.3.18).
pub fn digamma(mut x: f64) -> f64 {
    if x <= 0.0 {
        if x == x.floor() {
            return f64::NAN;
        }
        // Reflection: digamma(1 - x) - digamma(x) = pi / tan(pi x).
        let p = std::f64::consts::PI;
        return digamma(1.0 - x) - p / (p * x).tan();
    }
    let mut shift = 0.0;
    while x < 20.0 {
        shift -= 1.0 / x;
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series =
        y * (1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y * (1.0 / 240.0 - y / 132.0))));
    shift + x.ln() - 0.5 / x - series
}

/// d digamma / dx (Abramowitz and Stegun 6.4.12).
fn trigamma(mut x: f64) -> f64 {
    if x <= 0.0 {
        if x == x.floor() {
            return f64::INFINITY;
        }
        let s = std::f64::consts::PI / (std::f64::consts::PI * x).sin();
        return s * s - trigamma(1.0 - x);
    }
    let mut sum = 0.0;
    while x < 20.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    sum + 1.0 / x
        + y / 2.0
        + (1.0 / x) * y * (1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y / 30.0)))
}
