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

/// Blocks that are computed side by side, one in each lane of a vector.
const WIDTH: usize = 16;

/// Blocks `first..first + WIDTH` of a stream, by their first, second, third and fourth words.
#[inline(always)]
fn blocks<const WIDTH: usize>(first: u64, step: u64, key: u64) -> [[u32; WIDTH]; 4] {
    let mut c0 = [0u32; WIDTH];
    let mut c1 = [0u32; WIDTH];
    for (i, (low, high)) in c0.iter_mut().zip(&mut c1).enumerate() {
        let b = first.wrapping_add(i as u64);
        (*low, *high) = (b as u32, (b >> 32) as u32);
    }
    let mut c2 = [step as u32; WIDTH];
    let mut c3 = [(step >> 32) as u32; WIDTH];
    let mut k = [key as u32, (key >> 32) as u32];
    for _ in 0..10 {
        for (((c0, c1), c2), c3) in c0.iter_mut().zip(&mut c1).zip(&mut c2).zip(&mut c3) {
            let a = 0xd251_1f53_u64 * u64::from(*c0);
            let b = 0xcd9e_8d57_u64 * u64::from(*c2);
            *c0 = (b >> 32) as u32 ^ *c1 ^ k[0];
            *c2 = (a >> 32) as u32 ^ *c3 ^ k[1];
            *c1 = b as u32;
            *c3 = a as u32;
        }
        k = [
            k[0].wrapping_add(0x9e37_79b9),
            k[1].wrapping_add(0xbb67_ae85),
        ];
    }
    [c0, c1, c2, c3]
}

// `n` words of the stream of a site. `seed`: two ints, low and high half; `counters`: `m` ints, the step and the iterations
// of the loops around the site, which change the key.
vectorised!(random_bits(n: usize, seed: *const i32, m: usize, counters: *const i32, site: u64, out: *mut u32) {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    // SAFETY: the caller gives two ints, and at least one.
    let (low, high, step) = unsafe { (*seed, *seed.add(1), *counters) };
    let seed = u64::from(low as u32) | u64::from(high as u32) << 32;
    let mut key = mix64(seed.wrapping_add(GOLDEN.wrapping_mul(mix64(site))));
    for i in 1..m {
        // SAFETY: there are `m` counters.
        let c = i64::from(unsafe { *counters.add(i) }) as u64;
        key = mix64(key.wrapping_add(GOLDEN.wrapping_mul(mix64(c ^ GOLDEN))));
    }
    let step = i64::from(step) as u64;
    if n <= 4 {
        let words = blocks::<1>(0, step, key);
        for (i, [word]) in words.iter().enumerate().take(n) {
            // SAFETY: `out` holds `n` words.
            unsafe { *out.add(i) = *word };
        }
        return;
    }
    let mut at = 0;
    let mut block = 0;
    while at < n {
        let words = blocks::<WIDTH>(block, step, key);
        for i in 0..WIDTH * 4 {
            if at + i < n {
                // SAFETY: `out` holds `n` words.
                unsafe { *out.add(at + i) = words[i & 3][i >> 2] };
            }
        }
        at += WIDTH * 4;
        block += WIDTH as u64;
    }
});

pub fn table() -> Vec<Entry> {
    vec![("mlc_random_bits", random_bits as *const u8)]
}
