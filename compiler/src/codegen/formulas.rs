//! Functions of single-precision numbers as formulas of simple operations, written once: the native kernels evaluate them on
//! numbers, the code generator on the terms of a vector program. Both round in the same way, so both give the same bits.
//!
//! Products and sums of polynomials and reductions are fused: half as many operations, which wait for one another half as
//! long, and err less.
//!
//! Where products bound, tables of sixteen numbers, which a register holds, stand for half of them: another unit of the processor
//! picks from these. `exp`, `log`, `tanh` and `erf` have one for each interval that the upper bits of the argument tell apart, and
//! polynomials through the function at Chebyshev's nodes (worked out with forty digits). The coefficients of `expm1` are those of
//! the Cephes library (Moshier); `softplus` and `erfinv` have their own, of least largest error (by Lawson's weights, in f64).

#![expect(
    clippy::excessive_precision,
    reason = "coefficients stand as they were published"
)]

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A single-precision number, or what stands for one. No operation is contracted with another but by [`Real::times_plus`].
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
    /// `self * y + z`, rounded once.
    fn times_plus(self, y: Self, z: Self) -> Self;
    /// With the sign of `x` in place of its own, which is none.
    fn signed_as(self, x: Self) -> Self;
    /// The smaller of both; what is no number stays.
    fn at_most(self, y: f32) -> Self;
    /// Moved into `low..=high`; what is no number stays.
    fn bounded(self, low: f32, high: f32) -> Self;
    fn below(self, y: f32) -> Self::Truth;
    fn above(self, y: f32) -> Self::Truth;
    fn select(c: Self::Truth, x: Self, y: Self) -> Self;
    /// The bits as an int.
    fn bits(self) -> Self::Int;
    /// `self * 2^n`, rounded once, with `n` rounded down, which is in -252..=254, and a `self` that times `2^(n / 2)` is no subnormal.
    fn scaled(self, n: Self) -> Self;
    /// Self where `x` is a positive number; `zero`, which is one of the infinities, where it is zero; infinity where it is
    /// infinity; no number where it is negative or none.
    fn where_positive(self, x: Self, zero: f32) -> Self;
}

/// A 32-bit int that wraps around, or what stands for one.
pub trait Int: Copy {
    type Real;

    fn plus(self, y: i32) -> Self;
    fn minus(self, y: Self) -> Self;
    /// `y - self`
    fn taken_from(self, y: i32) -> Self;
    /// The smaller of both.
    fn capped(self, y: i32) -> Self;
    fn left(self, n: u32) -> Self;
    /// With the sign.
    fn right(self, n: u32) -> Self;
    fn real(self) -> Self::Real;
    /// The number that has these bits.
    fn as_bits(self) -> Self::Real;
    /// The number of a table at the lowest four bits.
    fn pick(self, table: &'static Table) -> Self::Real;
}

/// Sixteen numbers, by their bits.
pub type Table = [u32; 16];

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
    fn times_plus(self, y: Self, z: Self) -> Self {
        self.mul_add(y, z)
    }

    #[inline(always)]
    fn signed_as(self, x: Self) -> Self {
        f32::from_bits(self.to_bits() | x.to_bits() & 0x8000_0000)
    }

    #[inline(always)]
    fn at_most(self, y: f32) -> Self {
        if y < self { y } else { self }
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
        let n = n.floor() as i32;
        let half = n >> 1;
        self * pow2(half) * pow2(n.wrapping_sub(half))
    }

    #[inline(always)]
    fn where_positive(self, x: Self, zero: f32) -> Self {
        let y = if x < f32::INFINITY { self } else { x };
        let y = if x == 0.0 { zero } else { y };
        if x >= 0.0 { y } else { f32::NAN }
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
    fn taken_from(self, y: i32) -> Self {
        y.wrapping_sub(self)
    }

    #[inline(always)]
    fn capped(self, y: i32) -> Self {
        self.min(y)
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

    #[inline(always)]
    fn pick(self, table: &'static Table) -> f32 {
        f32::from_bits(table[(self & 15) as usize])
    }
}

/// A polynomial, from the coefficient of the highest power down.
///
/// Neighbours are joined by `x`, side by side, pairs of many by its square, and what is left, one after another, by one more power. Up
/// to twelve coefficients, no more operations wait for one another than by Estrin's scheme, which takes a product more for each
/// power; in loops over many elements it is products that bound.
#[inline(always)]
fn polynomial<R: Real, const N: usize>(x: R, coefficients: [f32; N]) -> R {
    let mut terms = [x; N];
    let mut n = 0;
    // From the constant up.
    for pair in coefficients.rchunks(2) {
        terms[n] = match pair {
            [high, low] => x.constant(*high).times_plus(x, x.constant(*low)),
            single => x.constant(single[0]),
        };
        n += 1;
    }
    let mut power = x * x;
    if n > 3 {
        for i in 0..n / 2 {
            terms[i] = terms[2 * i + 1].times_plus(power, terms[2 * i]);
        }
        if n % 2 == 1 {
            terms[n / 2] = terms[n - 1];
        }
        n = n.div_ceil(2);
        power = power * power;
    }
    let mut sum = terms[n - 1];
    for i in (0..n - 1).rev() {
        sum = sum.times_plus(power, terms[i]);
    }
    sum
}

/// The polynomial of an interval, whose coefficients are in tables, from that of the highest power down.
#[inline(always)]
fn polynomial_of<R: Real>(interval: R::Int, place: R, tables: &'static [Table]) -> R {
    let mut y = interval.pick(&tables[0]);
    for table in &tables[1..] {
        y = y.times_plus(place, interval.pick(table));
    }
    y
}

/// log(2) n taken from x, which is near: log(2) in two parts.
#[inline(always)]
fn without_powers<R: Real>(x: R, n: R) -> R {
    let r = n.times_plus(x.constant(-std::f32::consts::LN_2), x);
    n.times_plus(x.constant(1.904_654_3e-9), r)
}

/// exp(x) = (1 + q) 2^n: q, which has all its digits where it is small, and n, which is integral.
#[inline(always)]
fn exp_parts<R: Real>(x: R) -> (R, R) {
    // Rounding by adding and taking away 1.5 * 2^23 works in every vector width.
    const MAGIC: f32 = 12_582_912.0;
    let c = |c: f32| x.constant(c);
    let n = x.times_plus(c(std::f32::consts::LOG2_E), c(MAGIC)) - MAGIC;
    let r = without_powers(x, n);
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
    (p.times_plus(r * r, r), n)
}

/// 2^(i / 16).
static EXP: Table = [
    0x3f80_0000,
    0x3f85_aac3,
    0x3f8b_95c2,
    0x3f91_c3d3,
    0x3f98_37f0,
    0x3f9e_f532,
    0x3fa5_fed7,
    0x3fad_583f,
    0x3fb5_04f3,
    0x3fbd_08a4,
    0x3fc5_672a,
    0x3fce_248c,
    0x3fd7_44fd,
    0x3fe0_ccdf,
    0x3fea_c0c7,
    0x3ff5_257d,
];

/// What rounding took from these.
static EXP_REST: Table = [
    0x0000_0000,
    0x334f_9891,
    0xb260_aba1,
    0x3367_5624,
    0x3323_1b71,
    0x3341_2342,
    0xb32c_9d5e,
    0xb22d_eaf6,
    0x32cf_e77a,
    0xb341_4fe8,
    0x320a_a837,
    0x3228_fc24,
    0xb2d4_a58a,
    0xb21e_ab59,
    0xb241_16de,
    0x3229_2436,
];

/// exp(x) = (1 + q) 2^n: q, n, and by its lowest four bits the number of sixteenths of n. The highest x give infinity, the lowest zero.
#[inline(always)]
fn exp_by_sixteenths<R: Real>(x: R) -> (R, R, R::Int) {
    // Adding and taking away 1.5 * 2^19 rounds to sixteenths, and leaves their number in the lower bits.
    const MAGIC: f32 = 786_432.0;
    let c = |c: f32| x.constant(c);
    let x = x.bounded(-104.0, 88.8);
    let shifted = x.times_plus(c(std::f32::consts::LOG2_E), c(MAGIC));
    let n = shifted - MAGIC;
    let r = without_powers(x, n);
    let q = polynomial(r, [0.166_668_62, 0.500_009_8]).times_plus(r * r, r);
    (q, n, shifted.bits())
}

/// exp(x), within 1.1 ulp, or half of the least subnormal.
#[inline(always)]
pub fn exp<R: Real>(x: R) -> R {
    let (q, n, sixteenths) = exp_by_sixteenths(x);
    let power = sixteenths.pick(&EXP);
    power.times_plus(q, power).scaled(n)
}

/// exp(x), within 0.7 ulp, for what rounds again.
#[inline(always)]
fn close_exp<R: Real>(x: R) -> R {
    let (q, n, sixteenths) = exp_by_sixteenths(x);
    let (power, rest) = (sixteenths.pick(&EXP), sixteenths.pick(&EXP_REST));
    (power.times_plus(q, rest) + power).scaled(n)
}

/// The bits of the least m that stands with its number as it is. The intervals begin here; the tenth has 1 within.
const LEAST: i32 = 0x3f34_2f70;

/// A positive normal number by its bits: m and e with m 2^e that number, m between 0.7038 and twice that, and by its lowest four bits which
/// of sixteen intervals m is in, each of 2^19 floats.
#[inline(always)]
fn parts_of_bits<R: Real>(bits: R::Int) -> (R, R::Int, R::Int) {
    let above = bits.plus(-LEAST);
    let e = above.right(23);
    (bits.minus(e.left(23)).as_bits(), e, above.right(19))
}

/// 1 / c, for a c within each interval whose logarithm is nearly a float: that of 1 is 1, and those beside it are such that digits
/// are left where logarithms nearly cancel.
static RECIPROCAL: Table = [
    0x3fb1_d641,
    0x3faa_9192,
    0x3fa3_a6d0,
    0x3f9d_60bc,
    0x3f97_8a3d,
    0x3f92_2ac8,
    0x3f8d_26e6,
    0x3f88_69df,
    0x3f83_d84f,
    0x3f80_0000,
    0x3f74_37a1,
    0x3f63_458a,
    0x3f57_45fc,
    0x3f4c_983a,
    0x3f42_e8e6,
    0x3f3a_0814,
];

/// log(c).
static LOG: Table = [
    0xbea8_5d4a,
    0xbe92_ffc1,
    0xbe7b_9b4b,
    0xbe53_940d,
    0xbe2c_def8,
    0xbe07_e7d6,
    0xbdc8_4edf,
    0xbd82_60a3,
    0xbcf2_7420,
    0x0000_0000,
    0x3d40_ffe5,
    0x3df3_c6ca,
    0x3e31_6d5a,
    0x3e65_86be,
    0x3e8b_9792,
    0x3ea3_7632,
];

/// -log2(c).
static MINUS_LOG2: Table = [
    0x3ef2_e604,
    0x3ed4_1325,
    0x3eb5_7eed,
    0x3e98_9f1b,
    0x3e79_666d,
    0x3e44_1202,
    0x3e10_7de3,
    0x3dbc_184f,
    0x3d2e_e4b0,
    0x0000_0000,
    0xbd8b_3843,
    0xbe2f_d8fc,
    0xbe7f_f929,
    0xbea5_9179,
    0xbec9_6388,
    0xbeeb_d34c,
];

/// log(1 + r) + log(c) + e log(2), for the c of an interval.
#[inline(always)]
fn log_of_parts<R: Real>(r: R, interval: R::Int, e: R) -> R {
    let p = polynomial(
        r,
        [0.194_582_45, -0.250_144_99, 0.333_336_56, -0.499_999_97],
    );
    let m = p.times_plus(r * r, r) + interval.pick(&LOG);
    e.times_plus(r.constant(std::f32::consts::LN_2), m)
}

/// log(x), within 1 ulp.
#[inline(always)]
pub fn log<R: Real>(x: R) -> R {
    // Subnormal numbers are scaled up first.
    let small = x.below(f32::MIN_POSITIVE);
    let (m, e, interval) = parts_of_bits::<R>(R::select(small, x * 8_388_608.0, x).bits());
    let r = m.times_plus(interval.pick(&RECIPROCAL), x.constant(-1.0));
    let e = e.real() - R::select(small, x.constant(23.0), x.constant(0.0));
    log_of_parts(r, interval, e).where_positive(x, f32::NEG_INFINITY)
}

/// log(1 + x), within 1.5 ulp.
#[inline(always)]
pub fn log1p<R: Real>(x: R) -> R {
    // At least 2^-24, or nothing.
    let u = x + 1.0;
    // What rounding took from 1 + x: nothing of large ones, whose powers of two would be no numbers below.
    let lost = x - (u - 1.0);
    let (m, e, interval) = parts_of_bits::<R>(u.bits());
    let reciprocal = interval.pick(&RECIPROCAL);
    let scale = reciprocal.bits().minus(e.capped(126).left(23)).as_bits();
    let r = lost.times_plus(scale, m.times_plus(reciprocal, x.constant(-1.0)));
    log_of_parts(r, interval, e.real()).where_positive(u, f32::NEG_INFINITY)
}

/// exp(x) - 1, within 1.7 ulp.
#[inline(always)]
pub fn expm1<R: Real>(x: R) -> R {
    // (q + 1 - 2^-n) 2^n has all digits of q where that is small; the lowest gives -1.
    let (q, n) = exp_parts(x.bounded(-87.5, 88.8));
    let rest = x.constant(1.0) - x.constant(1.0).scaled(-n);
    (q + rest).scaled(n)
}

/// The middles of sixteen intervals of |x|, whose widths grow with |x| + 1: floats that tanh takes nearly to floats. The first is at
/// the twelfth place, as the bits of 1 have it, and begins in its middle.
static TANH_CENTRE: Table = [
    0x3fa0_5b30,
    0x3fe0_19e7,
    0x400f_9630,
    0x4030_14e0,
    0x4060_2d22,
    0x408f_68e8,
    0x40af_6c2e,
    0x40cf_c207,
    0x40ff_1424,
    0x4120_a3c7,
    0x4140_a3d7,
    0x4160_a3d6,
    0x0000_0000,
    0x3ebe_36c0,
    0x3f1f_41df,
    0x3f5e_c556,
];

/// tanh as polynomials of the distance from these middles, from the coefficient of the sixth power down.
static TANH: [Table; 7] = [
    [
        0x3c77_4342,
        0x3b06_e03e,
        0xba3d_720b,
        0xba0f_7c0b,
        0xb923_93ae,
        0xb7bc_391b,
        0xb64f_5b10,
        0xb4e7_5a71,
        0xb2be_9fc5,
        0xb407_0bbb,
        0xb11e_4caf,
        0xae39_8f18,
        0xbd02_c3de,
        0xbd8d_a379,
        0xbcc5_8907,
        0x3c55_2958,
    ],
    [
        0xbc9e_ac2f,
        0x3b66_ddfa,
        0x3b83_493a,
        0x3afa_3716,
        0x39fe_6080,
        0x3893_9e79,
        0x3720_62dd,
        0x35aa_483f,
        0x339c_ba70,
        0xb2f8_4f40,
        0xb011_9752,
        0xad2a_a869,
        0x3e0f_7f28,
        0x3ca7_226b,
        0xbd5d_4f9b,
        0xbd71_85db,
    ],
    [
        0xbc52_a0f4,
        0xbcc0_9238,
        0xbc4c_0197,
        0xbba6_b639,
        0xba9c_2260,
        0xb932_ca8a,
        0xb7c1_a9da,
        0xb64c_e932,
        0xb42b_4942,
        0x3444_02e5,
        0x3165_c28d,
        0x2e86_a9a0,
        0xba1c_ed29,
        0x3e2b_cb93,
        0x3e0e_0332,
        0x3d7e_cb85,
    ],
    [
        0x3ddd_8cff,
        0x3d80_b848,
        0x3ce0_85fd,
        0x3c2c_5de1,
        0x3b1d_3ee6,
        0x39b2_b974,
        0x3841_835d,
        0x36cd_2f65,
        0x34a8_c8fc,
        0x3316_06c3,
        0x302f_ea7d,
        0x2d4e_3470,
        0xbeaa_a83b,
        0xbe39_4946,
        0xbc9f_4170,
        0x3da5_1e88,
    ],
    [
        0xbe72_a7a6,
        0xbddb_1dfc,
        0xbd30_4857,
        0xbc83_6a99,
        0xbb6c_df0a,
        0xba06_3241,
        0xb891_3e11,
        0xb71a_0235,
        0xb4ff_d590,
        0xb3a3_eece,
        0xb0c0_2822,
        0xade1_3f2a,
        0xb3c7_38f5,
        0xbe9e_f40d,
        0xbec4_886b,
        0xbeb6_6d3c,
    ],
    [
        0x3e8e_e556,
        0x3de8_bd90,
        0x3d34_4b97,
        0x3c84_7dfd,
        0x3b6d_4d40,
        0x3a06_3bcd,
        0x3891_3f9d,
        0x371a_0044,
        0x3500_0bb9,
        0x310b_045d,
        0x2e22_c59b,
        0x2b3e_d09a,
        0x3f80_0000,
        0x3f5f_ae41,
        0x3f31_d460,
        0x3f02_07e2,
    ],
    [
        0x3f59_5c23,
        0x3f71_03e1,
        0x3f7a_4d68,
        0x3f7d_ebdf,
        0x3f7f_893e,
        0x3f7f_ef38,
        0x3f7f_fdbb,
        0x3f7f_ffb3,
        0x3f7f_fffc,
        0x3f80_0000,
        0x3f80_0000,
        0x3f80_0000,
        0x0000_0000,
        0x3eb5_eb98,
        0x3f0d_7663,
        0x3f33_93de,
    ],
];

/// tanh(x), within 1.4 ulp.
#[inline(always)]
pub fn tanh<R: Real>(x: R) -> R {
    // From 9.1 on it is 1.
    let a = x.abs().at_most(10.0);
    let interval = (a + 1.0).bits().right(21);
    let place = a - interval.pick(&TANH_CENTRE);
    polynomial_of(interval, place, &TANH).signed_as(x)
}

/// 1 / (1 + exp(-x)), within 2.9 ulp.
#[inline(always)]
pub fn sigmoid<R: Real>(x: R) -> R {
    let e = close_exp(-x.abs());
    let up = x.constant(1.0) / (e + 1.0);
    R::select(x.below(0.0), e * up, up)
}

/// log(1 + exp(x)), within 2.9 ulp; that of 1 + e by the inverse hyperbolic tangent of e / (2 + e).
#[inline(always)]
pub fn softplus<R: Real>(x: R) -> R {
    let up = R::select(x.above(0.0), x, x.constant(0.0));
    let e = close_exp(-x.abs());
    let s = e / (e + 2.0);
    let z = s * s;
    let p = polynomial(z, [0.140_059_93, 0.140_009_03, 0.200_107_63, 0.333_332_1]);
    let twice = s + s;
    up + (twice * z).times_plus(p, twice)
}

/// The inverse of erf, divided by its argument, as polynomials in the place of y = 2 - log2(1 - x^2) within each of the
/// intervals from 2 to 32 that the exponent of y and the first two bits behind it tell apart: from the coefficients of the
/// fourth power down. Places are counted in 2^-21 of an interval. The last interval, which no x reaches, is for what rounding
/// puts just below 2.
static ERFINV: [Table; 5] = [
    [
        0x8ba8_9d4b,
        0x8978_b928,
        0x0b8d_b532,
        0x0c04_fe45,
        0x0e40_c806,
        0x0e54_1c7d,
        0x0e35_052a,
        0x0e01_8fa4,
        0x0f6f_c0a8,
        0x0e0c_fbbf,
        0x8de5_9c0d,
        0x8e13_0cac,
        0x8fd1_6363,
        0x8f5d_5c2b,
        0x8ef3_f165,
        0x0000_0000,
    ],
    [
        0x994c_f082,
        0x9957_708a,
        0x9957_cefc,
        0x994e_c788,
        0x9abf_1ed4,
        0x9a8d_946b,
        0x9a2f_b4a7,
        0x99a9_ef5d,
        0x99e3_5bef,
        0x1aa6_9758,
        0x1ac2_3245,
        0x1aa3_2d41,
        0x1bf6_df2a,
        0x1b90_bea5,
        0x1b35_df04,
        0x0000_0000,
    ],
    [
        0x25b5_d9d9,
        0x258e_7c56,
        0x254c_2e6e,
        0x24f9_faa5,
        0x254a_f1d0,
        0xa594_db04,
        0xa620_dec2,
        0xa652_08f4,
        0xa766_a408,
        0xa75b_da13,
        0xa739_a65e,
        0xa717_fa7a,
        0xa7f9_55a3,
        0xa7af_e732,
        0xa783_bfcb,
        0x0000_0000,
    ],
    [
        0x3324_ade3,
        0x3329_c05b,
        0x332d_928b,
        0x3330_23a1,
        0x33b1_809a,
        0x33b1_0966,
        0x33ad_424e,
        0x33a7_610b,
        0x3420_725d,
        0x3412_2a40,
        0x3405_77e9,
        0x33f5_e4c8,
        0x3464_a9aa,
        0x344a_7719,
        0x3437_702b,
        0x0000_0000,
    ],
    [
        0x3f62_dfc5,
        0x3f77_c9f1,
        0x3f86_a13f,
        0x3f91_9097,
        0x3f9c_9f47,
        0x3fb2_d256,
        0x3fc8_be41,
        0x3fde_0c8a,
        0x3ff2_8b5a,
        0x400c_6d85,
        0x401d_e1ea,
        0x402d_e2f1,
        0x403c_b2e3,
        0x4057_8c9a,
        0x406f_9c69,
        0x3f62_dfc5,
    ],
];

/// The inverse of erf, within 3 ulp.
#[inline(always)]
pub fn erfinv<R: Real>(x: R) -> R {
    let rest = (-x).times_plus(x, x.constant(1.0));
    let (m, e, interval) = parts_of_bits::<R>(rest.bits());
    let r = m.times_plus(interval.pick(&RECIPROCAL), x.constant(-1.0));
    // -log2(1 + r) / r
    let p = polynomial(
        r,
        [
            0.351_281_43,
            -0.481_149_43,
            0.721_353_1,
            -std::f32::consts::LOG2_E,
        ],
    );
    // What is less than one is summed first.
    let bits = (p.times_plus(r, interval.pick(&MINUS_LOG2)) + e.taken_from(2).real()).bits();
    let interval = bits.right(21);
    let place = bits.minus(interval.left(21)).real();
    let y = polynomial_of(interval, place, &ERFINV);
    y.where_positive(rest, f32::INFINITY) * x
}

/// erf divided by its argument, as polynomials of the sixteen intervals of one unit around the multiples of a unit, which is 8 / 31:
/// in the number of units from the multiple, from the coefficient of the fifth power down. The constant is the sum of the last two
/// tables, the second of which is the constant rounded. The polynomials go through the function at Chebyshev's nodes.
static ERF: [Table; 7] = [
    [
        0x0155_5555,
        0xb82f_a063,
        0xb86e_d06b,
        0xb82a_9a5d,
        0xb732_6257,
        0x374f_180e,
        0x37a5_9cd3,
        0x3783_f11d,
        0x370c_17ce,
        0x3635_9dfa,
        0xb3d4_be0c,
        0xb580_9944,
        0xb580_1b74,
        0xb541_87ed,
        0xb505_bf16,
        0xb4b5_4546,
    ],
    [
        0x3a02_6a3c,
        0x39ca_978f,
        0x3903_dc91,
        0xb906_90dd,
        0xb986_f370,
        0xb981_bccd,
        0xb929_0a04,
        0xb892_0b81,
        0xb71e_8cd7,
        0x378e_fa4f,
        0x37bd_20e2,
        0x37a2_7926,
        0x3771_add8,
        0x372b_05d2,
        0x36f0_83ef,
        0x36ab_39fe,
    ],
    [
        0x8096_aaab,
        0x3af2_50d5,
        0x3b3e_2fef,
        0x3b3b_c710,
        0x3b05_69a8,
        0x3a80_af56,
        0x391d_b43b,
        0xb99f_1303,
        0xb9ea_8844,
        0xb9dc_e372,
        0xb9b0_919b,
        0xb983_c4b8,
        0xb940_baf1,
        0xb90d_9de7,
        0xb8d3_4f79,
        0xb8a0_7cd6,
    ],
    [
        0xbccd_32fa,
        0xbcb5_8da5,
        0xbc72_0066,
        0xbbc0_15f7,
        0x3ad4_2e88,
        0x3bc8_f831,
        0x3bfd_b8cf,
        0x3bf3_2aae,
        0x3bcc_4b41,
        0x3ba0_be59,
        0x3b76_a08b,
        0x3b3d_08df,
        0x3b12_96d0,
        0x3ae7_0a8d,
        0x3ab9_12c2,
        0x3a96_7c99,
    ],
    [
        0x000b_9555,
        0xbd45_318f,
        0xbdaf_51c7,
        0xbdd9_87fd,
        0xbde1_5c4f,
        0xbdd0_659e,
        0xbdb3_1fef,
        0xbd93_9b26,
        0xbd6e_fd82,
        0xbd41_6b03,
        0xbd1e_1606,
        0xbd03_0864,
        0xbcdc_639e,
        0xbcbb_d321,
        0xbca1_f52d,
        0xbc8d_1591,
    ],
    [
        0x3373_99fd,
        0xb322_be20,
        0x3177_46d9,
        0x32df_120c,
        0x32c6_e280,
        0xb13e_3e64,
        0xb2c9_7a97,
        0x3120_f00c,
        0xb1f6_8ef8,
        0x30a1_8be5,
        0x317b_61f1,
        0x31f3_4d4e,
        0x3264_6404,
        0xb101_e91c,
        0x325b_0ce8,
        0xb168_9330,
    ],
    [
        0x3f90_6eba,
        0x3f8d_4a11,
        0x3f84_9213,
        0x3f70_34aa,
        0x3f54_3467,
        0x3f38_e701,
        0x3f20_9d45,
        0x3f0c_354c,
        0x3ef7_2189,
        0x3edc_3826,
        0x3ec6_590f,
        0x3eb4_5a57,
        0x3ea5_54d4,
        0x3e98_9d75,
        0x3e8d_b6d8,
        0x3e84_4444,
    ],
];

/// erf(x), within 0.7 ulp, and within 1.1 between one and two times the smallest normal number.
#[inline(always)]
pub fn erf<R: Real>(x: R) -> R {
    // Rounding by adding and taking away 1.5 * 2^23 leaves an int in the lower bits.
    const MAGIC: f32 = 12_582_912.0;
    const UNITS: f32 = 3.875;
    let c = |c: f32| x.constant(c);
    // From 3.92 on it is 1.
    let a = x.abs().at_most(3.99);
    let shifted = a.times_plus(c(UNITS), c(MAGIC));
    let interval = shifted.bits();
    let place = a.times_plus(c(UNITS), -(shifted - MAGIC));
    let [powers @ .., constant] = &ERF;
    let q = polynomial_of(interval, place, powers);
    // Rounded once, but for the smaller part.
    a.times_plus(interval.pick(constant), a * q).signed_as(x)
}
