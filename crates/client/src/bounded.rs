//! A map that never grows beyond its bounds: what was not used for longest makes room.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// A map with a bound on its entries and on what they weigh together, in bytes.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    slots: HashMap<Arc<K>, Slot<V>>,
    /// The keys by their last use.
    order: BTreeMap<u64, Arc<K>>,
    uses: u64,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Eq + Hash, V> Bounded<K, V> {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { slots: HashMap::new(), order: BTreeMap::new(), uses: 0, bytes: 0, max_entries, max_bytes }
    }

    /// Puts an entry in, in place of one with the same key, and tells how many others made room for it.
    ///
    /// One that is larger than the whole map is not put in, and counts as one that made room.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize) -> usize {
        self.remove(&key);
        if weight > self.max_bytes || self.max_entries == 0 {
            return 1;
        }
        let mut evicted = 0;
        while self.slots.len() >= self.max_entries || self.bytes + weight > self.max_bytes {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(slot) = self.slots.remove(&oldest) {
                self.bytes -= slot.weight;
                evicted += 1;
            }
        }
        let (key, used) = (Arc::new(key), self.next_use());
        self.order.insert(used, Arc::clone(&key));
        self.slots.insert(key, Slot { value, weight, used });
        self.bytes += weight;
        evicted
    }

    /// The entry, which is thereby the one that was used last.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        let used = self.next_use();
        let slot = self.slots.get_mut(key)?;
        if let Some(key) = self.order.remove(&std::mem::replace(&mut slot.used, used)) {
            self.order.insert(used, key);
        }
        Some(&slot.value)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let slot = self.slots.remove(key)?;
        self.order.remove(&slot.used);
        self.bytes -= slot.weight;
        Some(slot.value)
    }

    /// Keeps the entries that `keep` accepts, and tells how many it did not.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) -> usize {
        let before = self.slots.len();
        let (order, bytes) = (&mut self.order, &mut self.bytes);
        self.slots.retain(|key, slot| {
            let stays = keep(key, &slot.value);
            if !stays {
                order.remove(&slot.used);
                *bytes -= slot.weight;
            }
            stays
        });
        before - self.slots.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What the entries weigh together.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    const fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(map: &Bounded<u32, ()>) -> Vec<u32> {
        let mut keys: Vec<u32> = map.slots.keys().map(|key| **key).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let mut map = Bounded::new(3, 100);
        for key in 1..=3 {
            assert_eq!(map.insert(key, (), 10), 0);
        }
        assert!(map.get(&1).is_some());
        assert_eq!(map.insert(4, (), 10), 1);
        assert_eq!(keys(&map), [1, 3, 4]);
        assert_eq!(map.insert(5, (), 85), 2, "the bytes count as well");
        assert_eq!((keys(&map), map.bytes()), (vec![4, 5], 95));
    }

    #[test]
    fn an_entry_that_is_larger_than_all_leaves_the_others() {
        let mut map = Bounded::new(3, 100);
        map.insert(1, (), 10);
        assert_eq!(map.insert(2, (), 101), 1);
        assert_eq!((keys(&map), map.bytes()), (vec![1], 10));
        assert_eq!(Bounded::new(0, 100).insert(1, (), 1), 1);
    }

    #[test]
    fn the_sums_hold_through_replacing_and_leaving_out() {
        let mut map = Bounded::new(3, 100);
        for (key, weight) in [(1, 10), (2, 20), (1, 30), (3, 5)] {
            map.insert(key, (), weight);
        }
        assert_eq!((map.len(), map.bytes()), (3, 55));
        assert_eq!(map.retain(|key, ()| *key != 1), 1);
        assert_eq!((map.len(), map.bytes(), map.order.len()), (2, 25, 2));
        assert_eq!(map.remove(&2), Some(()));
        assert_eq!(map.remove(&2), None);
        assert_eq!((map.len(), map.bytes(), map.order.len()), (1, 5, 1));
    }
}
