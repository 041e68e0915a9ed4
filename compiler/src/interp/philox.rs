//! Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; 2011), written plainly.

/// The finaliser of splitmix64.
fn mix64(mut z: u64) -> u64 {
    z ^= z >> 30;
    z = z.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^= z >> 27;
    z = z.wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Ten rounds on one counter.
pub fn block(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = 0xd251_1f53_u64 * u64::from(c[0]);
        let b = 0xcd9e_8d57_u64 * u64::from(c[2]);
        c = [
            (b >> 32) as u32 ^ c[1] ^ k[0],
            b as u32,
            (a >> 32) as u32 ^ c[3] ^ k[1],
            a as u32,
        ];
        k = [
            k[0].wrapping_add(0x9e37_79b9),
            k[1].wrapping_add(0xbb67_ae85),
        ];
    }
    c
}

/// A site's stream: the key that names it, and the step. `counters`: the step, then the iterations of the loops around
/// the site, outermost first, which change the key.
pub fn stream(seed: u64, site: u64, counters: &[i64]) -> (u64, u64) {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut key = mix64(seed.wrapping_add(GOLDEN.wrapping_mul(mix64(site))));
    for &c in counters.iter().skip(1) {
        key = mix64(key.wrapping_add(GOLDEN.wrapping_mul(mix64(c as u64 ^ GOLDEN))));
    }
    (key, counters.first().copied().unwrap_or(0) as u64)
}

/// Word `i` of a stream at a step.
pub fn word(key: u64, step: u64, i: u64) -> u32 {
    let b = i >> 2;
    let out = block(
        [b as u32, (b >> 32) as u32, step as u32, (step >> 32) as u32],
        [key as u32, (key >> 32) as u32],
    );
    out[(i & 3) as usize]
}

#[cfg(test)]
mod tests {
    use super::block;

    /// The known answers published with the generator (Random123, `kat_vectors`).
    #[test]
    fn known_answers() {
        assert_eq!(
            block([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            block([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            block(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}
