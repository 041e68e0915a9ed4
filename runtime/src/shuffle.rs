//! The order in which an epoch visits the rows of a data set.
//!
//! `permutation(n, key)` is a pure function: a run that stops and resumes, or that uses another number
//! of threads, visits the same rows in the same order.
//! Does not: share a generator with `draw`; nothing a pipeline draws can shift the order of its data.

/// What a permutation depends on, besides its length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShuffleKey {
    /// The seed of the run.
    pub seed: u64,
    /// A hash of the name of the stage (see [`hash_name`]).
    pub stage: u64,
    /// The epoch, from 0.
    pub epoch: u64,
}

/// A hash of a name that never changes between versions or machines (64-bit FNV-1a).
pub fn hash_name(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A uniformly random permutation of `0..n`, by the Fisher-Yates shuffle.
pub fn permutation(n: usize, key: ShuffleKey) -> Vec<usize> {
    let mut words = Words::new(key);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        // `last` was a usize, and the result is no larger.
        let pick = words.below(last as u64 + 1) as usize;
        order.swap(last, pick);
    }
    order
}

/// A stream of uniform 64-bit words: word `i` is a hash of the key and `i`.
struct Words {
    key: u64,
    counter: u64,
}

impl Words {
    /// The odd constant of splitmix64, 2^64 divided by the golden ratio.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    fn new(key: ShuffleKey) -> Self {
        // The parts are absorbed one after another, so that swapping two of them, or moving one from
        // one to the other, gives another stream.
        let absorb = |state: u64, part: u64| mix(state.wrapping_add(Self::STEP) ^ mix(part));
        Words {
            key: [key.seed, key.stage, key.epoch].into_iter().fold(0, absorb),
            counter: 0,
        }
    }

    fn next(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(self.key.wrapping_add(self.counter.wrapping_mul(Self::STEP)))
    }

    /// A uniform integer below `bound`, which is not zero.
    ///
    /// The high half of `word * bound` lands in each of the `bound` bins equally often once the words
    /// whose low half falls below `2^64 mod bound` are thrown away.
    fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next()) * u128::from(bound);
        if (product as u64) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u64) < threshold {
                product = u128::from(self.next()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }
}

/// The finaliser of splitmix64: a bijection on words that spreads every bit of the input.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u64, stage: u64, epoch: u64) -> ShuffleKey {
        ShuffleKey { seed, stage, epoch }
    }

    #[test]
    fn every_row_is_visited_once() {
        for n in [0, 1, 2, 3, 10, 1000] {
            let mut order = permutation(n, key(1, 2, 3));
            order.sort_unstable();
            assert!(order.into_iter().eq(0..n));
        }
    }

    #[test]
    fn the_order_is_a_function_of_the_whole_key() {
        let base = permutation(50, key(1, 2, 3));
        assert_eq!(base, permutation(50, key(1, 2, 3)));
        for other in [
            key(2, 2, 3),
            key(1, 3, 3),
            key(1, 2, 4),
            key(2, 1, 3),
            key(3, 2, 1),
        ] {
            assert_ne!(base, permutation(50, other));
        }
    }

    /// Guards reproducibility across versions: these orders must never change.
    #[test]
    fn the_order_is_pinned() {
        assert_eq!(permutation(8, key(0, hash_name("train"), 0)), PINNED_FIRST);
        assert_eq!(permutation(8, key(7, hash_name("train"), 1)), PINNED_SECOND);
        // Published test vectors of FNV-1a and of splitmix64 started from 0.
        assert_eq!(hash_name(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash_name("a"), 0xaf63_dc4c_8601_ec8c);
        let mut words = Words { key: 0, counter: 0 };
        assert_eq!(words.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(words.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    const PINNED_FIRST: [usize; 8] = [1, 4, 6, 7, 2, 0, 5, 3];
    const PINNED_SECOND: [usize; 8] = [7, 4, 0, 3, 1, 2, 5, 6];

    /// All 24 orders of four rows come up equally often: chi-square with 23 degrees of freedom, whose
    /// 0.9999 quantile is 56.6; the keys are fixed, so this cannot fail by chance.
    #[test]
    fn all_orders_are_equally_likely() {
        let n_draws = 24_000;
        let mut counts = std::collections::HashMap::new();
        for epoch in 0..n_draws {
            *counts
                .entry(permutation(4, key(11, 5, epoch)))
                .or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        let expected = n_draws as f64 / 24.0;
        let chi2: f64 = counts
            .values()
            .map(|&c| (f64::from(c) - expected).powi(2) / expected)
            .sum();
        assert!(chi2 < 56.6, "chi-square {chi2}");
    }

    /// Below 3 * 2^62 the range of words is 4/3 of the bound: without throwing words away, one residue
    /// modulo 3 would come up half of the time.
    #[test]
    fn reduction_to_a_range_is_unbiased() {
        let mut words = Words::new(key(3, 1, 4));
        let mut counts = [0i32; 3];
        for _ in 0..30_000 {
            let x = words.below(3 << 62);
            assert!(x < 3 << 62);
            counts[(x % 3) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (count - 10_000).abs() < 400),
            "{counts:?}"
        );
    }
}
