//! Who takes the next call: without I/O, clock or lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that look random and are the same for the same seed, from any number of threads.
#[derive(Debug)]
pub(super) struct Numbers(AtomicU64);

/// What the sequence advances by: odd, so that it comes by every number.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Numbers {
    pub(super) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(super) fn next(&self) -> u64 {
        mixed(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }
}

/// Spreads a number over all 64 bits.
const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number below `bound` out of 32 random bits.
const fn below(bits: u64, bound: u64) -> u64 {
    ((bits & 0xffff_ffff) * bound) >> 32
}

/// The weights of those who can be drawn.
#[derive(Debug, Default)]
pub(super) struct Weights {
    /// The sum of the weights up to and with each.
    ends: Vec<u64>,
}

impl Weights {
    pub(super) fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let mut sum = 0_u64;
        let ends = weights.into_iter().map(|weight| {
            sum += u64::from(weight.max(1));
            sum
        });
        Self { ends: ends.collect() }
    }

    fn total(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }

    fn end(&self, index: usize) -> u64 {
        self.ends.get(index).copied().unwrap_or_default()
    }

    fn holder(&self, ticket: u64) -> usize {
        self.ends.partition_point(|end| *end <= ticket)
    }

    /// Draws two different ones by their weights, or the only one. None where there is none.
    pub(super) fn draw(&self, random: u64) -> Option<(usize, Option<usize>)> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let first = self.holder(below(random, total));
        let start = first.checked_sub(1).map_or(0, |before| self.end(before));
        let weight = self.end(first) - start;
        let rest = total - weight;
        if rest == 0 {
            return Some((first, None));
        }
        let ticket = below(random >> 32, rest);
        let ticket = if ticket < start { ticket } else { ticket + weight };
        Some((first, Some(self.holder(ticket))))
    }
}

/// Two different numbers below `count`, which is at least 2.
pub(super) const fn pair(random: u64, count: usize) -> (usize, usize) {
    let first = below(random, count as u64);
    let second = below(random >> 32, count as u64 - 1);
    let second = if second < first { second } else { second + 1 };
    (first as usize, second as usize)
}

/// Open calls and weight of one who could take a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) open: u32,
    pub(super) weight: u32,
}

impl Load {
    /// Whether it bears less for its weight. Whoever was drawn first takes the call where both bear the same, so that
    /// weights count also while there is little to do.
    pub(super) fn is_below(self, other: Self) -> bool {
        u64::from(self.open) * u64::from(other.weight.max(1)) < u64::from(other.open) * u64::from(self.weight.max(1))
    }
}

/// Where a key belongs among those with these numbers and weights: always to the same one while it is there, and when one
/// leaves only its keys move.
pub(super) fn home(key: u64, among: impl IntoIterator<Item = (u64, u32)>) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for (index, (number, weight)) in among.into_iter().enumerate() {
        // 53 bits are what a float holds exactly; the half keeps it off 0.
        let unit = ((mixed(key ^ mixed(number)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        let distance = -unit.ln() / f64::from(weight.max(1));
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, index));
        }
    }
    best.map(|(_, index)| index)
}

/// A key of a caller as a number: the same in every process.
pub(super) fn key_of(text: &str) -> u64 {
    // FNV-1a; what callers choose is no secret, and all that a clash does is to share a connection.
    mixed(
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_two_that_are_drawn_differ_and_exist(weights in prop::collection::vec(1_u32..1000, 1..300), seed: u64) {
            let (drawn, numbers) = (Weights::new(weights.iter().copied()), Numbers::new(seed));
            for _ in 0..50 {
                let (first, second) = drawn.draw(numbers.next()).unwrap();
                prop_assert!(first < weights.len());
                prop_assert_eq!(second.is_none(), weights.len() == 1);
                prop_assert!(second.is_none_or(|second| second < weights.len() && second != first));
                if weights.len() > 1 {
                    let (first, second) = pair(numbers.next(), weights.len());
                    prop_assert!(first != second && first < weights.len() && second < weights.len());
                }
            }
        }

        #[test]
        fn each_is_drawn_first_as_its_weight_says(weights in prop::collection::vec(1_u32..20, 2..6), seed: u64) {
            const DRAWS: u32 = 40_000;
            let (drawn, numbers) = (Weights::new(weights.iter().copied()), Numbers::new(seed));
            let mut counts = vec![0_u32; weights.len()];
            for _ in 0..DRAWS {
                counts[drawn.draw(numbers.next()).unwrap().0] += 1;
            }
            let total: u32 = weights.iter().sum();
            for (count, weight) in counts.iter().zip(&weights) {
                let wanted = f64::from(DRAWS) * f64::from(*weight) / f64::from(total);
                // Seven standard deviations.
                prop_assert!((f64::from(*count) - wanted).abs() < 7.0 * wanted.sqrt() + 7.0, "{counts:?} {weights:?}");
            }
        }

        #[test]
        fn open_calls_stay_even_for_their_weights(
            weights in prop::collection::vec(1_u32..8, 2..20), seed: u64, ends in prop::collection::vec(any::<prop::sample::Index>(), 2000)
        ) {
            let (drawn, numbers) = (Weights::new(weights.iter().copied()), Numbers::new(seed));
            let mut open = vec![0_u32; weights.len()];
            let mut calls: Vec<usize> = Vec::new();
            for end in ends {
                let (first, second) = drawn.draw(numbers.next()).unwrap();
                let load = |index: usize| Load { open: open[index], weight: weights[index] };
                let second = second.unwrap();
                let taken = if load(second).is_below(load(first)) { second } else { first };
                let other = if taken == first { second } else { first };
                prop_assert!(!load(other).is_below(load(taken)));
                open[taken] += 1;
                calls.push(taken);
                // Up to some number of calls are open.
                if calls.len() > 40 * weights.len() {
                    open[calls.swap_remove(end.index(calls.len()))] -= 1;
                }
            }
            let per_weight = |index: usize| f64::from(open[index]) / f64::from(weights[index]);
            let all: Vec<f64> = (0..open.len()).map(per_weight).collect();
            let mean = f64::from(open.iter().sum::<u32>()) / f64::from(weights.iter().sum::<u32>());
            prop_assert!(all.iter().all(|load| *load <= 2.0 * mean + 6.0), "{all:?}, mean {mean}");
        }

        #[test]
        fn a_key_moves_only_when_its_home_leaves(keys in prop::collection::vec(any::<u64>(), 1..100), count in 2_u64..40, gone: prop::sample::Index) {
            let all: Vec<(u64, u32)> = (0..count).map(|number| (number, 1 + number as u32 % 3)).collect();
            let gone = gone.index(all.len());
            let rest: Vec<(u64, u32)> = all.iter().copied().enumerate().filter(|(index, _)| *index != gone).map(|(_, one)| one).collect();
            for key in keys {
                let before = home(key, all.iter().copied()).unwrap();
                let after = home(key, rest.iter().copied()).unwrap();
                prop_assert!(before == gone || all[before] == rest[after]);
            }
        }
    }

    #[test]
    fn keys_are_spread_by_weight() {
        let among = [(1, 1), (2, 3)];
        let heavy = (0..40_000).filter(|key| home(*key, among) == Some(1)).count();
        assert!((29_000..31_000).contains(&heavy), "{heavy}");
        assert_eq!(home(1, []), None);
        assert_ne!(key_of("a"), key_of("b"));
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (one, other) = (Numbers::new(7), Numbers::new(7));
        assert!((0..100).all(|_| one.next() == other.next()));
        assert_ne!(Numbers::new(8).next(), Numbers::new(7).next());
    }
}
