//! Random words: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011), keyed by seed and site, counted by block and step.

use super::{Entry, vectorised};

/// The finaliser of splitmix64.
fn mix64(mut z: u64) -> u64 {
    z ^= z >> 30;
    z = z.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^= z >> 27;
    z = z.wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Blocks that are computed side by side.
const WIDTH: usize = 16;

/// Words of so many blocks.
const WORDS: usize = 4 * WIDTH;

/// `N` blocks of a stream from `first` on, each `apart` behind the one before, by their first, second, third and fourth words, of
/// which only the low half counts.
///
/// A counter's word takes a lane of 64 bits: what the products need and what they give.
#[inline(always)]
fn blocks<const N: usize>(first: u64, apart: u64, step: u64, key: u64) -> [[u64; N]; 4] {
    const LOW: u64 = 0xffff_ffff;
    let number = |i| first.wrapping_add(apart.wrapping_mul(i as u64));
    let mut c0: [u64; N] = std::array::from_fn(|i| number(i) & LOW);
    let mut c1: [u64; N] = std::array::from_fn(|i| number(i) >> 32);
    let mut c2 = [step & LOW; N];
    let mut c3 = [step >> 32; N];
    let mut k = [key & LOW, key >> 32];
    for _ in 0..10 {
        for (((c0, c1), c2), c3) in c0.iter_mut().zip(&mut c1).zip(&mut c2).zip(&mut c3) {
            let a = 0xd251_1f53 * (*c0 & LOW);
            let b = 0xcd9e_8d57 * (*c2 & LOW);
            *c0 = (b >> 32) ^ *c1 ^ k[0];
            *c2 = (a >> 32) ^ *c3 ^ k[1];
            *c1 = b;
            *c3 = a;
        }
        k = [(k[0] + 0x9e37_79b9) & LOW, (k[1] + 0xbb67_ae85) & LOW];
    }
    [c0, c1, c2, c3]
}

/// The words of `WIDTH` blocks, in their order.
#[inline(always)]
fn words(first: u64, step: u64, key: u64) -> [u32; WORDS] {
    // Two vectors, of every other block: their low halves lie between one another.
    let even = blocks::<{ WIDTH / 2 }>(first, 2, step, key);
    let odd = blocks::<{ WIDTH / 2 }>(first.wrapping_add(1), 2, step, key);
    let mut words = [0; WORDS];
    for i in 0..WIDTH / 2 {
        for j in 0..4 {
            words[8 * i + j] = even[j][i] as u32;
            words[8 * i + 4 + j] = odd[j][i] as u32;
        }
    }
    words
}

/// The keys of the round behind.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn next_keys(keys: [std::arch::x86_64::__m512i; 2]) -> [std::arch::x86_64::__m512i; 2] {
    use std::arch::x86_64::*;
    [
        _mm512_add_epi32(keys[0], _mm512_set1_epi64(0x9e37_79b9)),
        _mm512_add_epi32(keys[1], _mm512_set1_epi64(0xbb67_ae85)),
    ]
}

/// One round on the counters of eight blocks, a word of which takes the low half of a lane.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn round(
    c: [std::arch::x86_64::__m512i; 4],
    keys: [std::arch::x86_64::__m512i; 2],
) -> [std::arch::x86_64::__m512i; 4] {
    use std::arch::x86_64::*;
    // Only the low halves count, in the products, too.
    let a = _mm512_mul_epu32(_mm512_set1_epi64(0xd251_1f53), c[0]);
    let b = _mm512_mul_epu32(_mm512_set1_epi64(0xcd9e_8d57), c[2]);
    let (high_a, high_b) = (_mm512_srli_epi64::<32>(a), _mm512_srli_epi64::<32>(b));
    // 0x96: the exclusive or of three.
    [
        _mm512_ternarylogic_epi64::<0x96>(high_b, c[1], keys[0]),
        b,
        _mm512_ternarylogic_epi64::<0x96>(high_a, c[3], keys[1]),
        a,
    ]
}

/// The words of 32 blocks if `BOTH`, else of 16, in their order, by explicit vectors: left to the compiler, these become many narrow
/// ones, and loops over them keep them in memory.
///
/// # Safety
/// `out` has room for them.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn wide_words<const BOTH: bool>(first: u64, step: u64, key: u64, out: *mut u32) {
    use std::arch::x86_64::*;
    let all = |x: u64| _mm512_set1_epi64(x as i64);
    let low = all(0xffff_ffff);
    // Every other block from one on.
    let start = |n: u64| {
        let apart = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
        let numbers = _mm512_add_epi64(all(first.wrapping_add(n)), apart);
        [
            _mm512_and_si512(numbers, low),
            _mm512_srli_epi64::<32>(numbers),
            all(step & 0xffff_ffff),
            all(step >> 32),
        ]
    };
    let (mut c0, mut c1, mut c2, mut c3) = (start(0), start(1), start(16), start(17));
    let mut keys = [all(key & 0xffff_ffff), all(key >> 32)];
    for _ in 0..10 {
        c0 = round(c0, keys);
        c1 = round(c1, keys);
        if BOTH {
            c2 = round(c2, keys);
            c3 = round(c3, keys);
        }
        keys = next_keys(keys);
    }
    // The low half of `y` above that of `x`.
    let pair = |x, y| _mm512_mask_shuffle_epi32::<0b10_10_00_00>(x, 0xaaaa, y);
    let groups = if BOTH { 2 } else { 1 };
    for (g, [even, odd]) in [[c0, c1], [c2, c3]].into_iter().take(groups).enumerate() {
        let (e, f) = (pair(even[0], even[1]), pair(even[2], even[3]));
        let (o, p) = (pair(odd[0], odd[1]), pair(odd[2], odd[3]));
        // Blocks 0, 4, 8, 12 in quarters, and so on; then a transposition of quarters.
        let (b0, b1) = (_mm512_unpacklo_epi64(e, f), _mm512_unpacklo_epi64(o, p));
        let (b2, b3) = (_mm512_unpackhi_epi64(e, f), _mm512_unpackhi_epi64(o, p));
        let (t0, t1) = (
            _mm512_shuffle_i64x2::<0x44>(b0, b1),
            _mm512_shuffle_i64x2::<0xee>(b0, b1),
        );
        let (t2, t3) = (
            _mm512_shuffle_i64x2::<0x44>(b2, b3),
            _mm512_shuffle_i64x2::<0xee>(b2, b3),
        );
        let rows = [
            _mm512_shuffle_i64x2::<0x88>(t0, t2),
            _mm512_shuffle_i64x2::<0xdd>(t0, t2),
            _mm512_shuffle_i64x2::<0x88>(t1, t3),
            _mm512_shuffle_i64x2::<0xdd>(t1, t3),
        ];
        for (i, row) in rows.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_si512(out.add(64 * g + 16 * i).cast(), row) };
        }
    }
}

/// The key of a stream. `seed`: two ints, low and high half; `counters`: of the `m` ints, those behind the first are the iterations
/// of the loops around the site, which change the key.
///
/// # Safety
/// There are as many ints.
#[inline(always)]
unsafe fn stream_key(seed: *const i32, m: usize, counters: *const i32, site: u64) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    // SAFETY: the caller's promise.
    let (low, high) = unsafe { (*seed, *seed.add(1)) };
    let seed = u64::from(low as u32) | u64::from(high as u32) << 32;
    let mut key = mix64(seed.wrapping_add(GOLDEN.wrapping_mul(mix64(site))));
    for i in 1..m {
        // SAFETY: there are `m` counters.
        let c = i64::from(unsafe { *counters.add(i) }) as u64;
        key = mix64(key.wrapping_add(GOLDEN.wrapping_mul(mix64(c ^ GOLDEN))));
    }
    key
}

// Words `first..first + n` of the stream of a site. `counters`: the step, and what changes the key.
vectorised!(random_bits_from(n: usize, first: u64, seed: *const i32, m: usize, counters: *const i32, site: u64, out: *mut u32) {
    // SAFETY: the caller gives two ints, and `m` of them, which is at least one.
    let (key, step) = unsafe { (stream_key(seed, m, counters, site), *counters) };
    let step = i64::from(step) as u64;
    let mut block = first / 4;
    // Words of the first block that are before the first.
    let mut skip = (first % 4) as usize;
    if skip == 0 && n <= 4 {
        for (i, [word]) in blocks::<1>(block, 1, step, key).iter().enumerate().take(n) {
            // SAFETY: `out` holds `n` words.
            unsafe { *out.add(i) = *word as u32 };
        }
        return;
    }
    let mut at = 0;
    #[cfg(target_arch = "x86_64")]
    if super::vector() == super::Vector::Avx512 && skip == 0 {
        while n - at >= 2 * WORDS {
            // SAFETY: the machine has these vectors, and `out` holds `n` words.
            unsafe { wide_words::<true>(block, step, key, out.add(at)) };
            at += 2 * WORDS;
            block = block.wrapping_add(2 * WIDTH as u64);
        }
        while at < n {
            let count = WORDS.min(n - at);
            let mut words = [std::mem::MaybeUninit::<u32>::uninit(); WORDS];
            // SAFETY: as above, and `words` has room.
            unsafe {
                let place = words.as_mut_ptr().cast();
                wide_words::<false>(block, step, key, place);
                std::ptr::copy_nonoverlapping(place, out.add(at), count);
            }
            at += count;
            block = block.wrapping_add(WIDTH as u64);
        }
    }
    while at < n {
        let words = words(block, step, key);
        let count = (WORDS - skip).min(n - at);
        // SAFETY: `out` holds `n` words.
        unsafe {
            if count == WORDS {
                out.add(at).cast::<[u32; WORDS]>().write_unaligned(words);
            } else {
                std::ptr::copy_nonoverlapping(words.as_ptr().add(skip), out.add(at), count);
            }
        }
        at += count;
        block = block.wrapping_add(WIDTH as u64);
        skip = 0;
    }
});

/// The first `n` words of the stream of a site.
unsafe extern "C" fn random_bits(
    n: usize,
    seed: *const i32,
    m: usize,
    counters: *const i32,
    site: u64,
    out: *mut u32,
) {
    // SAFETY: the caller's promises are passed on.
    unsafe { random_bits_from(n, 0, seed, m, counters, site, out) }
}

/// A block of each of eight streams with steps and keys of their own, side by side.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn wide_blocks(block: u64, steps: [u64; 8], keys: [u64; 8]) -> [[u64; 8]; 4] {
    use std::arch::x86_64::*;
    let all = |x: u64| _mm512_set1_epi64(x as i64);
    let halves = |x: __m512i| {
        [
            _mm512_and_si512(x, all(0xffff_ffff)),
            _mm512_srli_epi64::<32>(x),
        ]
    };
    // SAFETY: eight words of 64 bits are a vector.
    let [steps, keys]: [__m512i; 2] = unsafe { std::mem::transmute([steps, keys]) };
    let mut keys = halves(keys);
    let [low, high] = halves(steps);
    let mut c = [all(block & 0xffff_ffff), all(block >> 32), low, high];
    for _ in 0..10 {
        c = round(c, keys);
        keys = next_keys(keys);
    }
    // SAFETY: as above.
    c.map(|c| unsafe { std::mem::transmute::<__m512i, [u64; 8]>(c) })
}

/// A block of each of eight streams, by their words.
#[inline(always)]
fn block_of_each(block: u64, steps: [u64; 8], keys: [u64; 8]) -> [[u64; 8]; 4] {
    #[cfg(target_arch = "x86_64")]
    if super::vector() == super::Vector::Avx512 {
        // SAFETY: the machine has these vectors.
        return unsafe { wide_blocks(block, steps, keys) };
    }
    let each: [[[u64; 1]; 4]; 8] =
        std::array::from_fn(|i| blocks::<1>(block, 1, steps[i], keys[i]));
    std::array::from_fn(|word| each.map(|block| block[word][0]))
}

// The first `words` words of the streams of one site with several rows of counters, of which each has `m`: a row for each.
vectorised!(random_bits_of_rows(rows: usize, words: usize, seed: *const i32, m: usize, counters: *const i32, site: u64, out: *mut u32) {
    // SAFETY: the caller gives two ints, `m` for each row, of which there is at least one, and room for the words.
    unsafe {
        for first in (0..rows).step_by(8) {
            let count = (rows - first).min(8);
            let (mut steps, mut keys) = ([0; 8], [0; 8]);
            for i in 0..count {
                let own = counters.add((first + i) * m);
                steps[i] = i64::from(*own) as u64;
                // The step does not change the key.
                keys[i] = if m == 1 && i > 0 { keys[0] } else { stream_key(seed, m, own, site) };
            }
            for at in (0..words).step_by(4) {
                let block = block_of_each(at as u64 / 4, steps, keys);
                for i in 0..count {
                    let own = out.add((first + i) * words + at);
                    for (word, lanes) in block.iter().enumerate().take(words - at) {
                        *own.add(word) = lanes[i] as u32;
                    }
                }
            }
        }
    }
});

// The first words of the streams of `n` sites, at most four of each. `sites`: each site and how many words, in turn; `outs`: where
// they go.
vectorised!(random_bits_of_sites(n: usize, sites: *const u64, seed: *const i32, m: usize, counters: *const i32, outs: *const *mut u32) {
    // SAFETY: the caller gives two numbers and an address for each site, two ints, and `m` of them, which is at least one.
    unsafe {
        let step = i64::from(*counters) as u64;
        for first in (0..n).step_by(8) {
            let count = (n - first).min(8);
            let mut keys = [0; 8];
            for (i, key) in keys.iter_mut().enumerate().take(count) {
                *key = stream_key(seed, m, counters, *sites.add(2 * (first + i)));
            }
            let words = block_of_each(0, [step; 8], keys);
            for i in 0..count {
                let out = *outs.add(first + i);
                for (word, lanes) in words.iter().enumerate().take(*sites.add(2 * (first + i) + 1) as usize) {
                    *out.add(word) = lanes[i] as u32;
                }
            }
        }
    }
});

pub fn table() -> Vec<Entry> {
    vec![
        ("mlc_random_bits", random_bits as *const u8),
        ("mlc_random_bits_from", random_bits_from as *const u8),
        (
            "mlc_random_bits_of_sites",
            random_bits_of_sites as *const u8,
        ),
        ("mlc_random_bits_of_rows", random_bits_of_rows as *const u8),
    ]
}
