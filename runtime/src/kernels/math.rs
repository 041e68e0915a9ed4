//! Functions of one number that are no formulas of the compiler's: angles in f32 by polynomials that compilers turn into
//! vector code, others in f64.

#![expect(
    clippy::excessive_precision,
    reason = "coefficients stand as they were published"
)]

use mlc_compiler::codegen::formulas;

/// The largest angle that `sin` and `cos` reduce themselves.
pub const ANGLE: f32 = 1e5;

/// An angle of at most `ANGLE` less the nearest multiple of a right angle, and which multiple that is. The first part of the right
/// angle has 33 bits, so that its multiples are exact (Cody and Waite).
#[inline(always)]
fn reduced(x: f32) -> (f64, i64) {
    // Rounding by adding and taking away 1.5 * 2^52 works in every vector width.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    let x = f64::from(x);
    let shifted = x * std::f64::consts::FRAC_2_PI + MAGIC;
    let n = shifted - MAGIC;
    let r = x - n * 1.570_796_310_901_641_845_70 - n * 1.589_325_477_352_819_669_16e-8;
    (r, shifted.to_bits() as i64)
}

/// The sine of an angle of at most `ANGLE` plus a number of right angles: polynomials on half a right angle to either
/// side, from FreeBSD's `k_sinf.c` and `k_cosf.c`, in f64.
#[inline(always)]
fn sine(x: f32, ahead: i64) -> f32 {
    let (r, n) = reduced(x);
    let n = n.wrapping_add(ahead);
    let z = r * r;
    let s = r + r
        * z
        * (-0.166_666_666_416_265_235_595
            + z * (0.008_333_329_385_889_463_175_6
                + z * (-0.000_198_393_348_360_966_317_347
                    + z * 0.000_002_718_311_493_989_821_906_4)));
    let c = 1.0
        + z * (-0.499_999_997_251_031_003_120
            + z * (0.041_666_623_323_739_063_189_4
                + z * (-0.001_388_676_377_460_992_946_92
                    + z * 0.000_024_390_448_796_277_409_065_4)));
    let y = if n & 1 == 0 { s } else { c };
    (if n & 2 == 0 { y } else { -y }) as f32
}

#[inline(always)]
pub fn sin(x: f32) -> f32 {
    sine(x, 0)
}

#[inline(always)]
pub fn cos(x: f32) -> f32 {
    sine(x, 1)
}

/// x^y, in f64: the logarithm to base 2 by the series of the inverse hyperbolic tangent, and the power of 2 by that of exp.
/// The error before rounding is below 2^-36.
#[inline(always)]
pub fn pow(x: f32, y: f32) -> f32 {
    // Rounding by adding and taking away 1.5 * 2^52 works in every vector width.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    let (base, y) = (f64::from(x).abs(), f64::from(y));
    let bits = base.to_bits() as i64;
    // base = m 2^e, with m from the root of a half to that of two.
    let e = bits.wrapping_sub(0x3fe6_a09e_667f_3bcd) >> 52;
    let m = f64::from_bits(bits.wrapping_sub(e << 52) as u64);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let z2 = z * z;
    // Neighbours are joined first, so that few operations wait for one another.
    let by = |power: f64, high: f64, low: f64| power.mul_add(high, low);
    let low = by(z2, by(z, 1.0 / 7.0, 1.0 / 5.0), by(z, 1.0 / 3.0, 1.0));
    let high = by(
        z2,
        by(z, 1.0 / 15.0, 1.0 / 13.0),
        by(z, 1.0 / 11.0, 1.0 / 9.0),
    );
    let series = by(z2 * z2, high, low);
    // An int in the lower bits of MAGIC, as a number.
    let e = f64::from_bits((e as u64).wrapping_add(MAGIC.to_bits())) - MAGIC;
    let log = by(s * (2.0 * std::f64::consts::LOG2_E), series, e);
    let log = if base == 0.0 { f64::NEG_INFINITY } else { log };
    let log = if base < f64::INFINITY { log } else { base };
    let t = y * log;
    let t = if t > 200.0 { 200.0 } else { t };
    let t = if t < -200.0 { -200.0 } else { t };
    let shifted = t + MAGIC;
    let r = (t - (shifted - MAGIC)) * std::f64::consts::LN_2;
    let (r2, r4) = (r * r, r * r * (r * r));
    let low = by(r2, by(r, 1.0 / 6.0, 0.5), 1.0 + r);
    let high = by(
        r2,
        by(r, 1.0 / 5040.0, 1.0 / 720.0),
        by(r, 1.0 / 120.0, 1.0 / 24.0),
    );
    let highest = by(r, 1.0 / 362_880.0, 1.0 / 40320.0);
    let p = by(r4, by(r4, highest, high), low);
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0f64.to_bits()));
    let power = p * scale;
    let one = y == 0.0 || base == 1.0 && !y.is_nan();
    let power = if one { 1.0 } else { power };
    // Of negative numbers only integral powers are real; above 2^53 all are even.
    let whole = |y: f64| {
        let near = (y + MAGIC) - MAGIC;
        near == y || y.abs() >= 4_503_599_627_370_496.0
    };
    let negative = x.is_sign_negative();
    let odd = whole(y) && !whole(0.5 * y);
    let power = if negative && odd { -power } else { power };
    let real = x >= 0.0 || x == f32::NEG_INFINITY || whole(y);
    let power = if real { power } else { f64::NAN };
    if x == 1.0 { 1.0 } else { power as f32 }
}

/// digamma(x), by recurrence to large arguments and the asymptotic series (Abramowitz and Stegun 6.3.18).
pub fn digamma(x: f64) -> f64 {
    if x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x <= 0.0 {
        if x == x.floor() {
            return f64::NAN;
        }
        let near = std::f64::consts::PI * (x - x.round());
        return digamma(1.0 - x) - std::f64::consts::PI / libm::tan(near);
    }
    let (mut x, mut y) = (x, 0.0);
    while x < 12.0 {
        y -= 1.0 / x;
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    let series = z
        * (1.0 / 12.0
            - z * (1.0 / 120.0
                - z * (1.0 / 252.0
                    - z * (1.0 / 240.0 - z * (1.0 / 132.0 - z * (691.0 / 32760.0 - z / 12.0))))));
    y + x.ln() - 0.5 / x - series
}

/// The derivative of digamma (Abramowitz and Stegun 6.4.12).
pub fn trigamma(x: f64) -> f64 {
    if x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x <= 0.0 {
        if x == x.floor() {
            return f64::INFINITY;
        }
        let s = std::f64::consts::PI / libm::sin(std::f64::consts::PI * (x - x.round()));
        return s * s - trigamma(1.0 - x);
    }
    let (mut x, mut y) = (x, 0.0);
    while x < 12.0 {
        y += 1.0 / (x * x);
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    y + 1.0 / x
        + 0.5 * z
        + z / x
            * (1.0 / 6.0
                - z * (1.0 / 30.0
                    - z * (1.0 / 42.0
                        - z * (1.0 / 30.0
                            - z * (5.0 / 66.0 - z * (691.0 / 2730.0 - z * 7.0 / 6.0))))))
}

/// The inverse of erf: a first guess in f32, then Newton's and Halley's steps on `erf` or `erfc`.
pub fn erfinv64(x: f64) -> f64 {
    if x.abs() >= 1.0 || x.is_nan() {
        return if x.abs() == 1.0 {
            x * f64::INFINITY
        } else {
            f64::NAN
        };
    }
    if x == 0.0 {
        return x;
    }
    let a = x.abs();
    let mut y = if a < 0.999_999 {
        f64::from(formulas::erfinv(a as f32))
    } else {
        // The tail: erfc(y) ~ exp(-y^2) / (y sqrt(pi)).
        let l = -(1.0 - a).ln();
        (l - 0.5 * (l * std::f64::consts::PI).ln()).sqrt()
    };
    for _ in 0..4 {
        let error = if y > 0.5 {
            (1.0 - a) - libm::erfc(y)
        } else {
            libm::erf(y) - a
        };
        let slope = std::f64::consts::FRAC_2_SQRT_PI * (-y * y).exp();
        let step = error / slope;
        y -= step / (1.0 + y * step);
    }
    if x < 0.0 { -y } else { y }
}

/// log|gamma(x)|
pub fn lgamma(x: f64) -> f64 {
    libm::lgamma(x)
}
