//! Functions of one number, in f32 by polynomials that compilers turn into vector code, in f64 by libm.
//!
//! The coefficients for f32 are those of the Cephes library (Moshier), but for `erfinv`, which is Giles' ("Approximating
//! the erfinv function", 2012).

#![expect(
    clippy::excessive_precision,
    reason = "coefficients stand as they were published"
)]

/// `2^n`, for n in -126..=127.
#[inline(always)]
fn pow2(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

/// exp(x), within 2 ulp; underflow is to zero.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Rounding by adding and taking away 1.5 * 2^23 works in every vector width.
    const MAGIC: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.5, 88.8);
    let n = (clamped * std::f32::consts::LOG2_E + MAGIC) - MAGIC;
    let r = (clamped - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let p = ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r
        + 1.666_666_5e-1)
        * r
        + 5e-1;
    let y = (p * r * r + r) + 1.0;
    // In two steps, because 2^128 is no f32.
    let n = n as i32;
    let half = n >> 1;
    let y = y * pow2(half) * pow2(n - half);
    let y = if x > 88.8 { f32::INFINITY } else { y };
    let y = if x < -87.4 { 0.0 } else { y };
    if x.is_nan() { x } else { y }
}

/// log(x), within 2 ulp.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    // Subnormal numbers are scaled up first.
    let small = x < f32::MIN_POSITIVE;
    let scaled = if small { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits() as i32;
    let shift = bits.wrapping_sub(0x3f35_04f3) >> 23;
    let m = f32::from_bits(bits.wrapping_sub(shift << 23) as u32) - 1.0;
    let e = shift as f32 - if small { 23.0 } else { 0.0 };
    let z = m * m;
    let p = (((((((7.037_683_6e-2 * m - 1.151_461e-1) * m + 1.167_699_9e-1) * m
        - 1.242_014_1e-1)
        * m
        + 1.424_932_3e-1)
        * m
        - 1.666_805_8e-1)
        * m
        + 2.000_071_5e-1)
        * m
        - 2.499_999_4e-1)
        * m
        + 3.333_333_1e-1;
    let y = m * z * p + e * -2.121_944_4e-4 - 0.5 * z;
    let y = (m + y) + e * 0.693_359_4;
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 || x.is_nan() { f32::NAN } else { y }
}

/// log(1 + x)
#[inline(always)]
pub fn log1p(x: f32) -> f32 {
    let u = 1.0 + x;
    // What rounding took from 1 + x, to first order.
    let lost = x - (u - 1.0);
    let y = log(u) + lost / u;
    let y = if u == 1.0 { x } else { y };
    let y = if x == f32::INFINITY { x } else { y };
    if x == -1.0 { f32::NEG_INFINITY } else { y }
}

/// exp(x) - 1
#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    let r = x;
    let p = (((((2.480_158_7e-5 * r + 1.984_127e-4) * r + 1.388_888_9e-3) * r + 8.333_333e-3) * r
        + 4.166_666_6e-2)
        * r
        + 1.666_666_7e-1)
        * r
        + 5e-1;
    let near = p * r * r + r;
    let far = exp(x) - 1.0;
    if x.abs() < 0.5 { near } else { far }
}

#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    let far = if x < 0.0 { -far } else { far };
    let z = x * x;
    let p = (((-5.704_988_7e-3 * z + 2.063_908_9e-2) * z - 5.373_971_5e-2) * z + 1.333_144_2e-1)
        * z
        - 3.333_328e-1;
    let near = p * z * x + x;
    let y = if a < 0.625 { near } else { far };
    if x.is_nan() { x } else { y }
}

/// 1 / (1 + exp(-x))
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let up = 1.0 / (1.0 + e);
    let y = if x < 0.0 { e * up } else { up };
    if x.is_nan() { x } else { y }
}

/// log(1 + exp(x))
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let y = (if x > 0.0 { x } else { 0.0 }) + log1p(exp(-x.abs()));
    if x.is_nan() { x } else { y }
}

#[inline(always)]
pub fn erfinv(x: f32) -> f32 {
    let w = -log((1.0 - x) * (1.0 + x));
    let v = w - 2.5;
    let near = (((((((2.810_226_4e-8 * v + 3.432_739_4e-7) * v - 3.523_387_7e-6) * v
        - 4.391_506_5e-6)
        * v
        + 2.185_808_7e-4)
        * v
        - 1.253_725_03e-3)
        * v
        - 4.177_681_64e-3)
        * v
        + 2.466_407_3e-1)
        * v
        + 1.501_409_41;
    let v = w.sqrt() - 3.0;
    let far = (((((((-2.002_142_57e-4 * v + 1.009_505_58e-4) * v + 1.349_343_22e-3) * v
        - 3.673_428_44e-3)
        * v
        + 5.739_507_73e-3)
        * v
        - 7.622_461_3e-3)
        * v
        + 9.438_870_47e-3)
        * v
        + 1.001_674_06)
        * v
        + 2.832_976_82;
    let y = if w < 5.0 { near } else { far } * x;
    if x.abs() == 1.0 { x * f32::INFINITY } else { y }
}

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
        f64::from(erfinv(a as f32))
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
