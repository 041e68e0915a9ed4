//! Functions of single-precision numbers that are computed in f64: polynomials without branches, of which compilers make vector
//! code of every width. Each result is rounded once, from a value whose relative error is below 2^-30.
//!
//! Where a function has a domain of its own, what lies outside is for a function of f64 (see `lanes`).
//!
//! Coefficients are those of the polynomials through the function at Chebyshev's nodes of the interval, worked out with fifty
//! digits, but where a source is named.

#![expect(
    clippy::excessive_precision,
    clippy::unreadable_literal,
    reason = "coefficients stand as they were published or computed"
)]

use super::special;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, LN_2, LOG2_E, PI};

/// Rounding by adding and taking away 1.5 * 2^52 works in every vector width.
const MAGIC: f64 = 6_755_399_441_055_744.0;

/// A polynomial, from the coefficient of the highest power down: even and odd powers apart, so that half as many operations
/// wait for one another.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let square = x * x;
    let (mut before, mut last) = (coefficients[0], coefficients[1]);
    for c in &coefficients[2..] {
        (before, last) = (last, before.mul_add(square, *c));
    }
    before.mul_add(x, last)
}

/// A positive normal number as (1 + m) 2^e, with 1 + m from the root of a half to that of two.
#[inline(always)]
fn parts(x: f64) -> (f64, f64) {
    let bits = x.to_bits() as i64;
    let e = bits.wrapping_sub(0x3fe6_a09e_667f_3bcd) >> 52;
    let m = f64::from_bits(bits.wrapping_sub(e << 52) as u64) - 1.0;
    // An int in the lower bits of MAGIC, as a number.
    let e = f64::from_bits((e as u64).wrapping_add(MAGIC.to_bits())) - MAGIC;
    (m, e)
}

/// The inverse hyperbolic tangent of s, divided by s, in s^2.
const ATANH: [f64; 8] = [
    1.0 / 15.0,
    1.0 / 13.0,
    1.0 / 11.0,
    1.0 / 9.0,
    1.0 / 7.0,
    1.0 / 5.0,
    1.0 / 3.0,
    1.0,
];

/// Half of log(1 + m), for an m of [`parts`], as a product: by the series of the inverse hyperbolic tangent.
#[inline(always)]
fn half_log(m: f64) -> (f64, f64) {
    let s = m / (m + 2.0);
    (s, polynomial(s * s, &ATANH))
}

/// log(1 + m) + e log(2)
#[inline(always)]
fn log_of_parts((m, e): (f64, f64)) -> f64 {
    let (s, series) = half_log(m);
    (2.0 * s).mul_add(series, e * LN_2)
}

/// log2(1 + m) + e
#[inline(always)]
fn log2_of_parts((m, e): (f64, f64)) -> f64 {
    let (s, series) = half_log(m);
    (s * (2.0 * LOG2_E)).mul_add(series, e)
}

/// The logarithm of a positive number.
#[inline(always)]
fn log(x: f64) -> f64 {
    log_of_parts(parts(x))
}

/// log(1 + x), for an x above -1; what is no number and infinity stay.
#[inline(always)]
fn log1p(x: f64) -> f64 {
    let (m, e) = parts(1.0 + x);
    let y = log_of_parts((if e == 0.0 { x } else { m }, e));
    if x < f64::INFINITY { y } else { x }
}

/// What is no number stays.
#[inline(always)]
fn bounded(x: f64, low: f64, high: f64) -> f64 {
    let x = if x > high { high } else { x };
    if x < low { low } else { x }
}

/// The series of exp.
const EXP: [f64; 10] = [
    1.0 / 362_880.0,
    1.0 / 40320.0,
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    1.0 / 2.0,
    1.0,
    1.0,
];

/// 2^t, for a t between -1000 and 1000.
#[inline(always)]
fn power_of_2(t: f64) -> f64 {
    let shifted = t + MAGIC;
    let r = (t - (shifted - MAGIC)) * LN_2;
    let p = polynomial(r, &EXP);
    p * f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0f64.to_bits()))
}

/// exp(x), of which single precision knows nothing below -200 and above 200. The product by log2(e) has errors below 2^-44.
#[inline(always)]
fn exp(x: f64) -> f64 {
    power_of_2(bounded(x, -200.0, 200.0) * LOG2_E)
}

/// The largest angle that `sin` and `cos` reduce themselves.
pub const ANGLE: f32 = 1e5;

/// Whether an angle is one of these.
#[inline(always)]
pub fn is_near(x: f32) -> bool {
    x.abs() <= ANGLE
}

/// An angle of at most `ANGLE` less the nearest multiple of a right angle, and which multiple that is. The first part of the right
/// angle has 33 bits, so that its multiples are exact (Cody and Waite).
#[inline(always)]
fn reduced(x: f32) -> (f64, i64) {
    let x = f64::from(x);
    let shifted = x * std::f64::consts::FRAC_2_PI + MAGIC;
    let n = shifted - MAGIC;
    let r = x - n * 1.570_796_310_901_641_845_70 - n * 1.589_325_477_352_819_669_16e-8;
    (r, shifted.to_bits() as i64)
}

/// Sine and cosine of an angle of at most half a right angle: polynomials from FreeBSD's `k_sinf.c` and `k_cosf.c`, in f64.
#[inline(always)]
fn sine_and_cosine(r: f64) -> (f64, f64) {
    let z = r * r;
    let s = polynomial(
        z,
        &[
            0.000_002_718_311_493_989_821_906_4,
            -0.000_198_393_348_360_966_317_347,
            0.008_333_329_385_889_463_175_6,
            -0.166_666_666_416_265_235_595,
            1.0,
        ],
    );
    let c = polynomial(
        z,
        &[
            0.000_024_390_448_796_277_409_065_4,
            -0.001_388_676_377_460_992_946_92,
            0.041_666_623_323_739_063_189_4,
            -0.499_999_997_251_031_003_120,
            1.0,
        ],
    );
    // A product, so that zero keeps its sign.
    (r * s, c)
}

/// The sine of an angle of at most `ANGLE` plus a number of right angles.
#[inline(always)]
fn sine(x: f32, ahead: i64) -> f32 {
    let (r, n) = reduced(x);
    let n = n.wrapping_add(ahead);
    let (s, c) = sine_and_cosine(r);
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

/// tan(x), for angles of at most `ANGLE`.
#[inline(always)]
pub fn tan(x: f32) -> f32 {
    let (r, n) = reduced(x);
    let (s, c) = sine_and_cosine(r);
    let even = n & 1 == 0;
    ((if even { s } else { -c }) / (if even { c } else { s })) as f32
}

/// x^y: the power of 2 that y times the logarithm to base 2 is.
#[inline(always)]
pub fn pow(x: f32, y: f32) -> f32 {
    let (base, y) = (f64::from(x).abs(), f64::from(y));
    let log = log2_of_parts(parts(base));
    let log = if base == 0.0 { f64::NEG_INFINITY } else { log };
    let log = if base < f64::INFINITY { log } else { base };
    let power = power_of_2(bounded(y * log, -200.0, 200.0));
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

/// 2^x, exact where x is integral.
#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    power_of_2(bounded(f64::from(x), -200.0, 200.0)) as f32
}

/// log2(x), exact at powers of two.
#[inline(always)]
pub fn log2(x: f32) -> f32 {
    let x = f64::from(x);
    let y = log2_of_parts(parts(x));
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    (if x < 0.0 { f64::NAN } else { y }) as f32
}

/// log(exp(x) + exp(y))
#[inline(always)]
pub fn logaddexp(x: f32, y: f32) -> f32 {
    let (x, y) = (f64::from(x), f64::from(y));
    let (top, low) = if x > y { (x, y) } else { (y, x) };
    let sum = top + log1p(exp(low - top));
    // Of two infinities, too.
    (if x == y { x + LN_2 } else { sum }) as f32
}

/// atan(t) / t in t^2, for t in 0..=1.
const ATAN: [f64; 13] = [
    0.00041922786011272895,
    -0.0031954252407363946,
    0.011427633277375594,
    -0.026005995977608619,
    0.043646589442816673,
    -0.060221963879374327,
    0.074952623780996963,
    -0.090491790937205773,
    0.11105306732424464,
    -0.1428522560816021,
    0.19999978336217084,
    -0.33333332951657216,
    0.99999999998873813,
];

/// The angle of the point (x, y), by that of a slope of at most 1.
#[inline(always)]
fn angle(y: f64, x: f64) -> f64 {
    let (up, across) = (y.abs(), x.abs());
    let steep = up > across;
    let (short, long) = if steep { (across, up) } else { (up, across) };
    let t = short / long;
    // Of two infinities, and of two zeros; what is no number stays.
    let infinite = short == f64::INFINITY && long == f64::INFINITY;
    let t = if infinite { 1.0 } else { t };
    let t = if long == 0.0 { short } else { t };
    let a = t * polynomial(t * t, &ATAN);
    let a = if steep { FRAC_PI_2 - a } else { a };
    let a = if x.is_sign_negative() { PI - a } else { a };
    a.copysign(y)
}

#[inline(always)]
pub fn atan(x: f32) -> f32 {
    angle(f64::from(x), 1.0) as f32
}

#[inline(always)]
pub fn atan2(y: f32, x: f32) -> f32 {
    angle(f64::from(y), f64::from(x)) as f32
}

#[inline(always)]
pub fn asin(x: f32) -> f32 {
    let x = f64::from(x);
    angle(x, ((1.0 - x) * (1.0 + x)).sqrt()) as f32
}

#[inline(always)]
pub fn acos(x: f32) -> f32 {
    let x = f64::from(x);
    angle(((1.0 - x) * (1.0 + x)).sqrt(), x) as f32
}

/// sinh(x): its series below 1.
#[inline(always)]
pub fn sinh(x: f32) -> f32 {
    let x = f64::from(x);
    let e = exp(x.abs());
    let z = x * x;
    let series = polynomial(
        z,
        &[
            1.0 / 6_227_020_800.0,
            1.0 / 39_916_800.0,
            1.0 / 362_880.0,
            1.0 / 5040.0,
            1.0 / 120.0,
            1.0 / 6.0,
        ],
    );
    let far = (0.5 * (e - 1.0 / e)).copysign(x);
    (if z < 1.0 { x + x * (z * series) } else { far }) as f32
}

#[inline(always)]
pub fn cosh(x: f32) -> f32 {
    let e = exp(f64::from(x).abs());
    (0.5 * (e + 1.0 / e)) as f32
}

#[inline(always)]
pub fn asinh(x: f32) -> f32 {
    let x = f64::from(x);
    let a = x.abs();
    let y = log1p(a + a * a / (1.0 + (a * a + 1.0).sqrt()));
    (if a < f64::INFINITY { y } else { a }).copysign(x) as f32
}

#[inline(always)]
pub fn acosh(x: f32) -> f32 {
    let x = f64::from(x);
    let above = x - 1.0;
    let y = log1p(above + (above * (x + 1.0)).sqrt());
    (if x < 1.0 { f64::NAN } else { y }) as f32
}

#[inline(always)]
pub fn atanh(x: f32) -> f32 {
    let x = f64::from(x);
    let a = x.abs();
    let y = 0.5 * log1p(2.0 * a / (1.0 - a));
    (if a > 1.0 { f64::NAN } else { y }).copysign(x) as f32
}

/// (a + 3) exp(a^2) erfc(a) in (a - 3) / (a + 3), for a from 0.
const ERFC: [f64; 16] = [
    4.1993804543136246e-7,
    1.5333575806606106e-6,
    -3.9679404511932729e-6,
    -1.5669216414939894e-5,
    2.9795877539394651e-5,
    0.00010611631357519134,
    -0.00027651011830912845,
    -0.00054765272705043918,
    0.0030339959985186893,
    -0.0012125807627115348,
    -0.026827226529915221,
    0.11952778157604877,
    -0.3104672622822606,
    0.59022835614352753,
    -0.88339445316690741,
    1.0740069070958357,
];

/// exp(a^2) erfc(a), for an a from 0.
#[inline(always)]
fn scaled_erfc(a: f64) -> f64 {
    let a = if a > 1e100 { 1e100 } else { a };
    let r = 1.0 / (a + 3.0);
    r * polynomial((a - 3.0) * r, &ERFC)
}

#[inline(always)]
pub fn erfc(x: f32) -> f32 {
    let x = f64::from(x);
    // The square of a single-precision number is exact.
    let y = exp(-x * x) * scaled_erfc(x.abs());
    (if x < 0.0 { 2.0 - y } else { y }) as f32
}

#[inline(always)]
pub fn erfcx(x: f32) -> f32 {
    let x = f64::from(x);
    let y = scaled_erfc(x.abs());
    (if x < 0.0 { 2.0 * exp(x * x) - y } else { y }) as f32
}

/// The normal distribution function.
#[inline(always)]
pub fn ndtr(x: f32) -> f32 {
    let x = f64::from(x);
    let y = 0.5 * exp(-0.5 * x * x) * scaled_erfc(x.abs() * FRAC_1_SQRT_2);
    (if x > 0.0 { 1.0 - y } else { y }) as f32
}

/// Its logarithm.
#[inline(always)]
pub fn log_ndtr(x: f32) -> f32 {
    let x = f64::from(x);
    let half_square = 0.5 * x * x;
    let scaled = 0.5 * scaled_erfc(x.abs() * FRAC_1_SQRT_2);
    let right = x > 0.0;
    let rest = exp(-half_square) * scaled;
    let (m, e) = parts(if right { 1.0 - rest } else { scaled });
    let log = log_of_parts((if right && e == 0.0 { -rest } else { m }, e));
    let y = if right { -log.abs() } else { log - half_square };
    (if x.is_nan() { x } else { y }) as f32
}

/// The inverse of `ndtr`, by the quotients of `special::ndtri`.
#[inline(always)]
pub fn ndtri(p: f32) -> f32 {
    let p = f64::from(p);
    let q = p - 0.5;
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let root = (-log(tail)).sqrt();
    let [near, middle, far] = &special::NDTRI;
    let quotient = |[above, below]: &[[f64; 8]; 2], r: f64| {
        let [above, below] = [above, below].map(|c| {
            let [a, b, c, d, e, f, g, h] = *c;
            polynomial(r, &[h, g, f, e, d, c, b, a])
        });
        (above, below)
    };
    let (far_above, far_below) = quotient(far, root - 5.0);
    let (above, below) = quotient(middle, root - 1.6);
    let (above, below) = if root > 5.0 {
        (far_above, far_below)
    } else {
        (above, below)
    };
    let (near_above, near_below) = quotient(near, 0.180625 - q * q);
    let center = q.abs() <= 0.425;
    let (above, below) = if center {
        (near_above, near_below)
    } else {
        (above, below)
    };
    let y = above / below;
    let y = if center { q * y } else { y.copysign(q) };
    let y = if tail == 0.0 { q * f64::INFINITY } else { y };
    (if tail >= 0.0 { y } else { f64::NAN }) as f32
}

/// Whether an argument of `lgamma`, `digamma` or `trigamma` is one that these do themselves.
#[inline(always)]
pub fn is_positive(x: f32) -> bool {
    x > 0.0 && x < f32::INFINITY
}

/// log(gamma(z)) / ((z - 1) (z - 2)) in z - 1.5, for z in 1..=2.
const LGAMMA_NEAR: [f64; 13] = [
    0.00037721545217415393,
    -0.00060712484420353961,
    0.00067620478104544895,
    -0.0011080558310978199,
    0.0019283782552744899,
    -0.0032207885312005014,
    0.005446052910578167,
    -0.0094249764758695814,
    0.016797111398391926,
    -0.031308507866704826,
    0.062911400960166362,
    -0.14595989573182686,
    0.48312895054098089,
];

/// What Stirling's formula leaves of log(gamma(x)), times x, in 1 / x^2, for x from 3.
const LGAMMA_FAR: [f64; 7] = [
    0.0017901800692895539,
    -0.0014233123861739819,
    0.00081012066017438308,
    -0.00059411373808654641,
    0.00079363098102016043,
    -0.002777777643542962,
    0.083333333333181876,
];

const LN_SQRT_2PI: f64 = 0.9189385332046727417803;

/// What Stirling's formula leaves of log(gamma(x)), for an x from 3.
#[inline(always)]
fn stirling_rest(x: f64) -> f64 {
    let r = 1.0 / x;
    r * polynomial(r * r, &LGAMMA_FAR)
}

/// log(gamma(x)) of a positive number: by Stirling's formula from 3 on, below by a polynomial between 1 and 2, where the zeros
/// are, and one step of the recurrence.
#[inline(always)]
fn log_gamma(x: f64) -> f64 {
    let (far, up, down) = (x > 3.0, x < 1.0, x > 2.0);
    let z = if down { x - 1.0 } else { x };
    let z = if up { x + 1.0 } else { z };
    let below = if down { z } else { 1.0 };
    let below = if up { x } else { below };
    let log = log(if far { x } else { below });
    let near = (z - 1.0) * (z - 2.0) * polynomial(z - 1.5, &LGAMMA_NEAR);
    let near = if up { near - log } else { near + log };
    let stirling = (x - 0.5) * log - x + LN_SQRT_2PI + stirling_rest(x);
    if far { stirling } else { near }
}

#[inline(always)]
pub fn lgamma(x: f32) -> f32 {
    log_gamma(f64::from(x)) as f32
}

/// log B(x, y), without the cancellation of large logarithms: what the larger argument brings is the difference of Stirling's
/// formulas, where these hold.
#[inline(always)]
pub fn lbeta(x: f32, y: f32) -> f32 {
    let none = x.is_nan() || y.is_nan();
    let (x, y) = (f64::from(x), f64::from(y));
    let (p, q) = if x < y { (x, y) } else { (y, x) };
    let sum = p + q;
    let bend = (q - 0.5) * log1p(-p / sum) + p - p * log(sum);
    let far = bend + stirling_rest(q) - stirling_rest(sum);
    let near = log_gamma(q) - log_gamma(sum);
    let b = log_gamma(p) + if q > 3.0 { far } else { near };
    let b = if q == f64::INFINITY {
        f64::NEG_INFINITY
    } else {
        b
    };
    let b = if p == 0.0 { f64::INFINITY } else { b };
    (if none || p < 0.0 { f64::NAN } else { b }) as f32
}

/// digamma(z) / (z - ROOT) in z - 1.75, for z in 1..=2.5.
const DIGAMMA_NEAR: [f64; 16] = [
    -0.00019510726240580793,
    0.00034148973873565745,
    -0.00015875925199642913,
    0.00027810816871766298,
    -0.00088872914095946533,
    0.0015575345743674593,
    -0.0025409967241139751,
    0.0044643550354244216,
    -0.0079127692320700917,
    0.013989812224786706,
    -0.024889884417246502,
    0.04479936730958322,
    -0.082285590782912993,
    0.15712012110000509,
    -0.32625462784862256,
    0.85818321709220193,
];

/// (log(x) - 1 / 2x - digamma(x)) x^2 in 1 / x^2, for x from 2.5.
const DIGAMMA_FAR: [f64; 7] = [
    0.012776209298592069,
    -0.011990324056795133,
    0.0068065703353350838,
    -0.0041290274508286648,
    0.0039673217157826423,
    -0.0083333243454117361,
    0.083333333318764635,
];

/// digamma(x) of a positive number: by the asymptotic series from 2.5 on, below by a polynomial between 1 and 2.5, where the root
/// is, and one step of the recurrence.
#[inline(always)]
pub fn digamma(x: f32) -> f32 {
    const ROOT: [f64; 2] = [1.4616321449683622, 9.5499954299656977e-17];
    let x = f64::from(x);
    let (far, up) = (x > 2.5, x < 1.0);
    let r = 1.0 / x;
    let z = if up { x + 1.0 } else { x };
    let near = (z - ROOT[0] - ROOT[1]) * polynomial(z - 1.75, &DIGAMMA_NEAR);
    let near = if up { near - r } else { near };
    let r2 = r * r;
    let series = log(x) - 0.5 * r - r2 * polynomial(r2, &DIGAMMA_FAR);
    (if far { series } else { near }) as f32
}

/// trigamma(z) in z - 1.75, for z in 1..=2.5.
const TRIGAMMA_NEAR: [f64; 17] = [
    0.0018407040075039218,
    -0.0030503167717915131,
    0.00063873101240657477,
    -0.0010038519679054146,
    0.0058898932294854777,
    -0.0095597992420989745,
    0.013164686066832981,
    -0.020983043878175015,
    0.033830656868306443,
    -0.052987571847966018,
    0.081929010242027123,
    -0.12513595570950826,
    0.18811096967751962,
    -0.27746746908581611,
    0.40017478421525393,
    -0.56189247271712487,
    0.76410186989382872,
];

/// (trigamma(x) - 1 / x - 1 / 2x^2) x^3 in 1 / x^2, for x from 2.5.
const TRIGAMMA_FAR: [f64; 7] = [
    0.14503363150852999,
    -0.12883266783444216,
    0.065569552533477804,
    -0.032842699173050649,
    0.023797475778822153,
    -0.03333321766737708,
    0.16666666647933996,
];

/// trigamma(x) of a positive number, as `digamma`.
#[inline(always)]
pub fn trigamma(x: f32) -> f32 {
    let x = f64::from(x);
    let (far, up) = (x > 2.5, x < 1.0);
    let r = 1.0 / x;
    let r2 = r * r;
    let near = polynomial(if up { x - 0.75 } else { x - 1.75 }, &TRIGAMMA_NEAR);
    let near = if up { near + r2 } else { near };
    let series = r + r2 * (0.5 + r * polynomial(r2, &TRIGAMMA_FAR));
    (if far { series } else { near }) as f32
}

/// exp(-|x|) I0(x), as `special::i0e`, by as much of its sums as counts here.
#[inline(always)]
pub fn i0e(x: f32) -> f32 {
    let a = f64::from(x).abs();
    let near = special::chebyshev(&special::I0_NEAR[..21], a / 4.0 - 1.0);
    let far = special::chebyshev(&special::I0_FAR[..9], 16.0 / a - 1.0) / a.sqrt();
    (if a <= 8.0 { near } else { far }) as f32
}

/// exp(-|x|) I1(x), likewise.
#[inline(always)]
pub fn i1e(x: f32) -> f32 {
    let x = f64::from(x);
    let a = x.abs();
    let near = x * special::chebyshev(&special::I1_NEAR[..21], a / 4.0 - 1.0);
    let far = special::chebyshev(&special::I1_FAR[..9], 16.0 / a - 1.0) / a.sqrt();
    (if a <= 8.0 { near } else { far.copysign(x) }) as f32
}
