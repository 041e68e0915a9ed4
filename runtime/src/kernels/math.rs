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
