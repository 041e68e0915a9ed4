//! Functions of single-precision numbers as formulas of simple operations, written once: the native kernels evaluate them on
//! numbers, the code generator on the terms of a vector program. Both round in the same way, so both give the same bits.
//!
//! The coefficients are those of the Cephes library (Moshier), but for `erfinv`, which is Giles' ("Approximating the erfinv
//! function", 2012).

#![expect(
    clippy::excessive_precision,
    reason = "coefficients stand as they were published"
)]

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A single-precision number, or what stands for one. No operation is contracted with another.
pub trait Real:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f32, Output = Self>
    + Sub<f32, Output = Self>
    + Mul<f32, Output = Self>
{
    type Int: Int<Real = Self>;
    type Truth: Copy;

    /// A constant, beside a number of the same kind.
    fn constant(self, x: f32) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    /// Moved into `low..=high`; what is no number stays.
    fn bounded(self, low: f32, high: f32) -> Self;
    fn below(self, y: f32) -> Self::Truth;
    fn above(self, y: f32) -> Self::Truth;
    fn equals(self, y: f32) -> Self::Truth;
    /// Not `self >= y`: below it, or no number.
    fn not_at_least(self, y: f32) -> Self::Truth;
    fn select(c: Self::Truth, x: Self, y: Self) -> Self;
    /// The bits as an int.
    fn bits(self) -> Self::Int;
    /// `self * 2^n` for an integral `n` in -252..=254, a result that is no subnormal, and a `self` of at least a half and at
    /// most two.
    fn scaled(self, n: Self) -> Self;
}

/// A 32-bit int that wraps around, or what stands for one.
pub trait Int: Copy {
    type Real;

    fn plus(self, y: i32) -> Self;
    fn minus(self, y: Self) -> Self;
    fn left(self, n: u32) -> Self;
    /// With the sign.
    fn right(self, n: u32) -> Self;
    fn real(self) -> Self::Real;
    /// The number that has these bits.
    fn as_bits(self) -> Self::Real;
}

impl Real for f32 {
    type Int = i32;
    type Truth = bool;

    #[inline(always)]
    fn constant(self, x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn bounded(self, low: f32, high: f32) -> Self {
        self.clamp(low, high)
    }

    #[inline(always)]
    fn below(self, y: f32) -> bool {
        self < y
    }

    #[inline(always)]
    fn above(self, y: f32) -> bool {
        self > y
    }

    #[inline(always)]
    fn equals(self, y: f32) -> bool {
        self == y
    }

    #[inline(always)]
    #[expect(
        clippy::neg_cmp_op_on_partial_ord,
        reason = "it holds for what is no number"
    )]
    fn not_at_least(self, y: f32) -> bool {
        !(self >= y)
    }

    #[inline(always)]
    fn select(c: bool, x: Self, y: Self) -> Self {
        if c { x } else { y }
    }

    #[inline(always)]
    fn bits(self) -> i32 {
        self.to_bits() as i32
    }

    #[inline(always)]
    fn scaled(self, n: Self) -> Self {
        // In two steps, because 2^128 is no f32.
        let pow2 = |n: i32| f32::from_bits((n.wrapping_add(127) << 23) as u32);
        let n = n as i32;
        let half = n >> 1;
        self * pow2(half) * pow2(n.wrapping_sub(half))
    }
}

impl Int for i32 {
    type Real = f32;

    #[inline(always)]
    fn plus(self, y: i32) -> Self {
        self.wrapping_add(y)
    }

    #[inline(always)]
    fn minus(self, y: Self) -> Self {
        self.wrapping_sub(y)
    }

    #[inline(always)]
    fn left(self, n: u32) -> Self {
        self << n
    }

    #[inline(always)]
    fn right(self, n: u32) -> Self {
        self >> n
    }

    #[inline(always)]
    fn real(self) -> f32 {
        self as f32
    }

    #[inline(always)]
    fn as_bits(self) -> f32 {
        f32::from_bits(self as u32)
    }
}

/// A polynomial, from the coefficient of the highest power down.
#[inline(always)]
fn polynomial<R: Real, const N: usize>(x: R, coefficients: [f32; N]) -> R {
    estrin(x, coefficients.map(|c| x.constant(c)))
}

/// The same, by Estrin's scheme: neighbours are joined by `x`, then pairs by its square, and so on, so that few operations wait
/// for one another.
#[inline(always)]
fn estrin<R: Real, const N: usize>(x: R, coefficients: [R; N]) -> R {
    let mut terms = [x; N];
    let mut n = 0;
    // From the constant up.
    for pair in coefficients.rchunks(2) {
        terms[n] = match pair {
            [high, low] => x * *high + *low,
            single => single[0],
        };
        n += 1;
    }
    let mut power = x;
    while n > 1 {
        power = power * power;
        for i in 0..n / 2 {
            terms[i] = terms[2 * i + 1] * power + terms[2 * i];
        }
        if n % 2 == 1 {
            terms[n / 2] = terms[n - 1];
        }
        n = n.div_ceil(2);
    }
    terms[0]
}

/// exp(x), within 2 ulp; underflow is to zero.
#[inline(always)]
pub fn exp<R: Real>(x: R) -> R {
    // Rounding by adding and taking away 1.5 * 2^23 works in every vector width.
    const MAGIC: f32 = 12_582_912.0;
    let clamped = x.bounded(-87.5, 88.8);
    let n = (clamped * std::f32::consts::LOG2_E + MAGIC) - MAGIC;
    let r = (clamped - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let p = polynomial(
        r,
        [
            1.987_569_1e-4,
            1.398_199_9e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            5e-1,
        ],
    );
    // The highest gives infinity.
    let y = ((p * r * r + r) + 1.0).scaled(n);
    R::select(x.below(-87.4), x.constant(0.0), y)
}

/// log(x) of the bits of a positive normal number, plus `e` times log(2); of other bits, anything.
#[inline(always)]
fn log_of_bits<R: Real>(bits: R::Int, e: impl FnOnce(R) -> R) -> R {
    let shift = bits.plus(-0x3f35_04f3).right(23);
    let m = bits.minus(shift.left(23)).as_bits() - 1.0;
    let e = e(shift.real());
    let z = m * m;
    let p = polynomial(
        m,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333_1e-1,
        ],
    );
    let y = m * z * p + e * -2.121_944_4e-4 - z * 0.5;
    (m + y) + e * 0.693_359_4
}

/// log(x), within 2 ulp.
#[inline(always)]
pub fn log<R: Real>(x: R) -> R {
    // Subnormal numbers are scaled up first.
    let small = x.below(f32::MIN_POSITIVE);
    let bits = R::select(small, x * 8_388_608.0, x).bits();
    let y = log_of_bits(bits, |e: R| {
        e - R::select(small, x.constant(23.0), x.constant(0.0))
    });
    let y = R::select(x.equals(f32::INFINITY), x, y);
    let y = R::select(x.equals(0.0), x.constant(f32::NEG_INFINITY), y);
    R::select(x.not_at_least(0.0), x.constant(f32::NAN), y)
}

/// log(1 + x)
#[inline(always)]
pub fn log1p<R: Real>(x: R) -> R {
    // At least 2^-24, or nothing.
    let u = x + 1.0;
    // What rounding took from 1 + x, to first order.
    let lost = x - (u - 1.0);
    let y = log_of_bits(u.bits(), |e: R| e) + lost / u;
    let y = R::select(u.equals(1.0), x, y);
    let y = R::select(x.equals(f32::INFINITY), x, y);
    let y = R::select(x.equals(-1.0), x.constant(f32::NEG_INFINITY), y);
    R::select(x.not_at_least(-1.0), x.constant(f32::NAN), y)
}

/// exp(x) - 1
#[inline(always)]
pub fn expm1<R: Real>(x: R) -> R {
    let p = polynomial(
        x,
        [
            2.480_158_7e-5,
            1.984_127e-4,
            1.388_888_9e-3,
            8.333_333e-3,
            4.166_666_6e-2,
            1.666_666_7e-1,
            5e-1,
        ],
    );
    let near = p * x * x + x;
    R::select(x.abs().below(0.5), near, exp(x) - 1.0)
}

#[inline(always)]
pub fn tanh<R: Real>(x: R) -> R {
    let a = x.abs();
    let far = x.constant(1.0) - x.constant(2.0) / (exp(a * 2.0) + 1.0);
    let far = R::select(x.below(0.0), -far, far);
    let z = x * x;
    let p = polynomial(
        z,
        [
            -5.704_988_7e-3,
            2.063_908_9e-2,
            -5.373_971_5e-2,
            1.333_144_2e-1,
            -3.333_328e-1,
        ],
    );
    let near = p * z * x + x;
    R::select(a.below(0.625), near, far)
}

/// 1 / (1 + exp(-x))
#[inline(always)]
pub fn sigmoid<R: Real>(x: R) -> R {
    let e = exp(-x.abs());
    let up = x.constant(1.0) / (e + 1.0);
    R::select(x.below(0.0), e * up, up)
}

/// log(1 + exp(x))
#[inline(always)]
pub fn softplus<R: Real>(x: R) -> R {
    let up = R::select(x.above(0.0), x, x.constant(0.0));
    up + log1p(exp(-x.abs()))
}

/// The inverse of erf.
#[inline(always)]
pub fn erfinv<R: Real>(x: R) -> R {
    let one = x.constant(1.0);
    // At least 2^-24 within the ends.
    let rest = (one - x) * (x + 1.0);
    let w = -log_of_bits(rest.bits(), |e: R| e);
    let near = w.below(5.0);
    let v = R::select(near, w - 2.5, w.sqrt() - 3.0);
    // The coefficients of one of two polynomials, from that of the highest power.
    const NEAR: [f32; 9] = [
        2.810_226_4e-8,
        3.432_739_4e-7,
        -3.523_387_7e-6,
        -4.391_506_5e-6,
        2.185_808_7e-4,
        -1.253_725_03e-3,
        -4.177_681_64e-3,
        2.466_407_3e-1,
        1.501_409_41,
    ];
    const FAR: [f32; 9] = [
        -2.002_142_57e-4,
        1.009_505_58e-4,
        1.349_343_22e-3,
        -3.673_428_44e-3,
        5.739_507_73e-3,
        -7.622_461_3e-3,
        9.438_870_47e-3,
        1.001_674_06,
        2.832_976_82,
    ];
    let mut coefficients = [x; 9];
    for (c, (n, f)) in coefficients.iter_mut().zip(NEAR.iter().zip(&FAR)) {
        *c = R::select(near, x.constant(*n), x.constant(*f));
    }
    let y = estrin(v, coefficients) * x;
    let y = R::select(x.abs().equals(1.0), x * f32::INFINITY, y);
    R::select(rest.not_at_least(0.0), x.constant(f32::NAN), y)
}
