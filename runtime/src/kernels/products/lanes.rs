//! Vectors of one instruction set, as matrix products need them.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::ops::{Add, Mul};

/// A vector of `N` numbers.
///
/// # Safety
/// Every function may be called only where the machine has the instruction set, with pointers to as many numbers as it says.
pub(super) trait Lanes: Copy {
    type Number: Copy + Add<Output = Self::Number> + Mul<Output = Self::Number>;
    const N: usize;
    /// How many vectors the machine holds.
    const REGISTERS: usize;
    /// The number 0.
    const NONE: Self::Number;

    unsafe fn zero() -> Self;
    unsafe fn splat(at: *const Self::Number) -> Self;
    unsafe fn load(at: *const Self::Number) -> Self;
    /// The first `n` numbers; zeros behind.
    unsafe fn load_some(at: *const Self::Number, n: usize) -> Self;
    unsafe fn store(self, at: *mut Self::Number);
    unsafe fn store_some(self, at: *mut Self::Number, n: usize);
    /// `self * x + y`, rounded once.
    unsafe fn fused(self, x: Self, y: Self) -> Self;
    /// The same of numbers.
    unsafe fn fused_numbers(x: Self::Number, y: Self::Number, z: Self::Number) -> Self::Number;
    unsafe fn plus(self, x: Self) -> Self;
    unsafe fn times(self, x: Self) -> Self;
    /// The sum of all lanes: of the first half and the second, and so on.
    unsafe fn total(self) -> Self::Number;
    /// The totals of several vectors, one after the other.
    unsafe fn totals<const R: usize>(all: [Self; R], to: *mut Self::Number);
    /// Writes `to[j * step + i] = from[i * stride + j]` for `i` and `j` below [`SQUARE`].
    unsafe fn transpose(
        from: *const Self::Number,
        stride: isize,
        to: *mut Self::Number,
        step: usize,
    ) {
        // SAFETY: as above.
        unsafe {
            for i in 0..SQUARE {
                for j in 0..SQUARE {
                    *to.add(j * step + i) = *from.offset(i as isize * stride).add(j);
                }
            }
        }
    }
}

/// As [`Lanes::totals`], each by itself.
#[inline(always)]
unsafe fn one_by_one<V: Lanes, const R: usize>(all: [V; R], to: *mut V::Number) {
    for (r, v) in all.into_iter().enumerate() {
        // SAFETY: the caller's place has room for so many.
        unsafe { *to.add(r) = v.total() };
    }
}

/// Four numbers, on any machine.
macro_rules! portable {
    ($number:ty) => {
        // SAFETY (of all): the trait's functions promise the places.
        impl Lanes for [$number; 4] {
            type Number = $number;
            const N: usize = 4;
            const REGISTERS: usize = 16;
            const NONE: $number = 0.0;

            #[inline(always)]
            unsafe fn zero() -> Self {
                [0.0; 4]
            }
            #[inline(always)]
            unsafe fn splat(at: *const $number) -> Self {
                // SAFETY: as above.
                [unsafe { *at }; 4]
            }
            #[inline(always)]
            unsafe fn load(at: *const $number) -> Self {
                // SAFETY: as above.
                unsafe { *at.cast() }
            }
            #[inline(always)]
            unsafe fn load_some(at: *const $number, n: usize) -> Self {
                // SAFETY: as above.
                std::array::from_fn(|i| if i < n { unsafe { *at.add(i) } } else { 0.0 })
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut $number) {
                // SAFETY: as above.
                unsafe { *at.cast() = self }
            }
            #[inline(always)]
            unsafe fn store_some(self, at: *mut $number, n: usize) {
                for (i, x) in self.into_iter().enumerate().take(n) {
                    // SAFETY: as above.
                    unsafe { *at.add(i) = x };
                }
            }
            #[inline(always)]
            unsafe fn fused(self, x: Self, y: Self) -> Self {
                std::array::from_fn(|i| self[i].mul_add(x[i], y[i]))
            }
            #[inline(always)]
            unsafe fn fused_numbers(x: $number, y: $number, z: $number) -> $number {
                x.mul_add(y, z)
            }
            #[inline(always)]
            unsafe fn plus(self, x: Self) -> Self {
                std::array::from_fn(|i| self[i] + x[i])
            }
            #[inline(always)]
            unsafe fn times(self, x: Self) -> Self {
                std::array::from_fn(|i| self[i] * x[i])
            }
            #[inline(always)]
            unsafe fn total(self) -> $number {
                (self[0] + self[2]) + (self[1] + self[3])
            }
            #[inline(always)]
            unsafe fn totals<const R: usize>(all: [Self; R], to: *mut $number) {
                // SAFETY: as above.
                unsafe { one_by_one(all, to) }
            }
        }
    };
}

portable!(f32);
portable!(f64);

/// Rows and columns of what [`Lanes::transpose`] moves.
pub(super) const SQUARE: usize = 8;

/// Eight by eight numbers, in registers of eight.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_f32(from: *const f32, stride: isize, to: *mut f32, step: usize) {
    // SAFETY: the caller has AVX, and gives places for eight by eight numbers.
    unsafe {
        let row = |i: isize| _mm256_loadu_ps(from.offset(i * stride));
        let x: [__m256; 8] = [0, 1, 2, 3, 4, 5, 6, 7].map(row);
        let pair = |i: usize| {
            (
                _mm256_unpacklo_ps(x[i], x[i + 1]),
                _mm256_unpackhi_ps(x[i], x[i + 1]),
            )
        };
        let ((a0, a1), (b0, b1), (c0, c1), (d0, d1)) = (pair(0), pair(2), pair(4), pair(6));
        let four = |a, b| (_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xEE));
        let ((p0, p1), (p2, p3)) = (four(a0, b0), four(a1, b1));
        let ((q0, q1), (q2, q3)) = (four(c0, d0), four(c1, d1));
        for (j, (p, q)) in [(p0, q0), (p1, q1), (p2, q2), (p3, q3)]
            .into_iter()
            .enumerate()
        {
            _mm256_storeu_ps(to.add(j * step), _mm256_permute2f128_ps(p, q, 0x20));
            _mm256_storeu_ps(to.add((j + 4) * step), _mm256_permute2f128_ps(p, q, 0x31));
        }
    }
}

/// Eight by eight numbers, as four squares of four by four.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_f64(from: *const f64, stride: isize, to: *mut f64, step: usize) {
    for (i, j) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
        // SAFETY: the caller has AVX, and gives places for eight by eight numbers.
        unsafe {
            let from = from.offset(i as isize * stride + j as isize);
            let to = to.add(j * step + i);
            let x: [__m256d; 4] = [0, 1, 2, 3].map(|i| _mm256_loadu_pd(from.offset(i * stride)));
            let (a, b) = (
                _mm256_unpacklo_pd(x[0], x[1]),
                _mm256_unpackhi_pd(x[0], x[1]),
            );
            let (c, d) = (
                _mm256_unpacklo_pd(x[2], x[3]),
                _mm256_unpackhi_pd(x[2], x[3]),
            );
            _mm256_storeu_pd(to, _mm256_permute2f128_pd(a, c, 0x20));
            _mm256_storeu_pd(to.add(step), _mm256_permute2f128_pd(b, d, 0x20));
            _mm256_storeu_pd(to.add(2 * step), _mm256_permute2f128_pd(a, c, 0x31));
            _mm256_storeu_pd(to.add(3 * step), _mm256_permute2f128_pd(b, d, 0x31));
        }
    }
}

/// The totals of eight vectors, folded together: halves onto halves as one is, so to the same bits.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn totals_of_eight(x: [__m512; 8]) -> [f32; 8] {
    // SAFETY: the caller has AVX-512.
    unsafe {
        // Eight lanes of each of two vectors, then four of each of four, and two of each of eight.
        let two = |a, b| {
            let low = _mm512_shuffle_f32x4(a, b, 0x44);
            _mm512_add_ps(low, _mm512_shuffle_f32x4(a, b, 0xEE))
        };
        let four = |a, b| {
            let low = _mm512_shuffle_f32x4(a, b, 0x88);
            _mm512_add_ps(low, _mm512_shuffle_f32x4(a, b, 0xDD))
        };
        let a = four(two(x[0], x[1]), two(x[2], x[3]));
        let b = four(two(x[4], x[5]), two(x[6], x[7]));
        let [a, b] = [a, b].map(|v| _mm512_castps_pd(v));
        let low = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
        let all = _mm512_add_ps(low, _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
        let all = _mm512_add_ps(all, _mm512_movehdup_ps(all));
        let order = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);
        let all = _mm512_castps512_ps256(_mm512_permutexvar_ps(order, all));
        std::mem::transmute::<__m256, [f32; 8]>(all)
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! lanes {
    ($vector:ty, $number:ty, $n:literal, $transpose:ident, $zero:ident $splat:ident $load:ident $store:ident $fused:ident $add:ident $multiply:ident,
     |$whole:ident| $total:expr, |$all:ident, $place:ident| $totals:expr, |$at:ident, $some:ident| $load_some:expr, |$v:ident, $to:ident, $count:ident| $store_some:expr) => {
        // SAFETY (of all): the trait's functions promise the instruction set and the places.
        impl Lanes for $vector {
            type Number = $number;
            const N: usize = $n;
            const REGISTERS: usize = if size_of::<Self>() == 64 { 32 } else { 16 };
            const NONE: $number = 0.0;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: as above.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn splat(at: *const $number) -> Self {
                // SAFETY: as above.
                unsafe { $splat(*at) }
            }
            #[inline(always)]
            unsafe fn load(at: *const $number) -> Self {
                // SAFETY: as above.
                unsafe { $load(at) }
            }
            #[inline(always)]
            unsafe fn load_some($at: *const $number, $some: usize) -> Self {
                // SAFETY: as above.
                unsafe { $load_some }
            }
            #[inline(always)]
            unsafe fn store(self, at: *mut $number) {
                // SAFETY: as above.
                unsafe { $store(at, self) }
            }
            #[inline(always)]
            unsafe fn store_some(self, $to: *mut $number, $count: usize) {
                let $v = self;
                // SAFETY: as above.
                unsafe { $store_some }
            }
            #[inline(always)]
            unsafe fn fused(self, x: Self, y: Self) -> Self {
                // SAFETY: as above.
                unsafe { $fused(self, x, y) }
            }
            #[inline(always)]
            unsafe fn fused_numbers(x: $number, y: $number, z: $number) -> $number {
                x.mul_add(y, z)
            }
            #[inline(always)]
            unsafe fn plus(self, x: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(self, x) }
            }
            #[inline(always)]
            unsafe fn times(self, x: Self) -> Self {
                // SAFETY: as above.
                unsafe { $multiply(self, x) }
            }
            #[inline(always)]
            unsafe fn total(self) -> $number {
                let $whole = self;
                // SAFETY: as above.
                unsafe { $total }
            }
            #[inline(always)]
            unsafe fn totals<const R: usize>($all: [Self; R], $place: *mut $number) {
                // SAFETY: as above.
                unsafe { $totals }
            }
            #[inline(always)]
            unsafe fn transpose(
                from: *const $number,
                stride: isize,
                to: *mut $number,
                step: usize,
            ) {
                // SAFETY: as above.
                unsafe { $transpose(from, stride, to, step) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
lanes!(__m512, f32, 16, transpose_f32,
    _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_add_ps _mm512_mul_ps,
    |v| _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)).total(),
    |all, to| match all.first_chunk::<8>() {
        Some(all) if R == 8 => *to.cast() = totals_of_eight(*all),
        _ => one_by_one(all, to),
    },
    |at, n| _mm512_maskz_loadu_ps(first(n) as __mmask16, at),
    |v, to, n| _mm512_mask_storeu_ps(to, first(n) as __mmask16, v));
#[cfg(target_arch = "x86_64")]
lanes!(__m512d, f64, 8, transpose_f64,
    _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_add_pd _mm512_mul_pd,
    |v| _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1)).total(),
    |all, to| one_by_one(all, to),
    |at, n| _mm512_maskz_loadu_pd(first(n) as __mmask8, at),
    |v, to, n| _mm512_mask_storeu_pd(to, first(n) as __mmask8, v));
#[cfg(target_arch = "x86_64")]
lanes!(__m256, f32, 8, transpose_f32,
    _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_add_ps _mm256_mul_ps,
    |v| {
        let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
        _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
    },
    |all, to| one_by_one(all, to),
    |at, n| _mm256_maskload_ps(at, words(n)),
    |v, to, n| _mm256_maskstore_ps(to, words(n), v));
#[cfg(target_arch = "x86_64")]
lanes!(__m256d, f64, 4, transpose_f64,
    _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_add_pd _mm256_mul_pd,
    |v| {
        let v = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
        _mm_cvtsd_f64(_mm_add_sd(v, _mm_unpackhi_pd(v, v)))
    },
    |all, to| one_by_one(all, to),
    |at, n| _mm256_maskload_pd(at, double_words(n)),
    |v, to, n| _mm256_maskstore_pd(to, double_words(n), v));

/// A mask of the first `n` lanes, of at most sixteen.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn first(n: usize) -> u32 {
    (1 << n) - 1
}

/// The same for eight lanes of 32 bits, as AVX2 has it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn words(n: usize) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        _mm256_cmpgt_epi32(
            _mm256_set1_epi32(n as i32),
            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
        )
    }
}

/// The same for four lanes of 64 bits.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn double_words(n: usize) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe { _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), _mm256_setr_epi64x(0, 1, 2, 3)) }
}
