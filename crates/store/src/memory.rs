//! A store that ends with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_transport::BoxFuture;
use bytes::Bytes;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::key::{Key, Names};
use crate::lease::MAX_TTL;
use crate::limits::Limits;
use crate::store::{Entry, Store, Swapped, Value, Version};
use crate::watch::{Watch, WatchSender};

/// Keeps state for as long as the process runs. Clones share what they keep.
///
/// ```
/// use bowline_store::{Key, MemoryStore, Store, Value};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::default();
/// let key = Key::new("notes", "a")?;
/// store.put(&key, Value::from("text")).await?;
/// assert_eq!(store.clone().get(&key).await?.unwrap().bytes, "text");
/// # Ok::<(), bowline_store::StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    limits: Limits,
    table: Arc<Mutex<Table>>,
}

impl MemoryStore {
    /// An empty store with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, table: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.drop_ended(Instant::now());
        table
    }
}

impl Store for MemoryStore {
    fn max_value_bytes(&self) -> usize {
        self.limits.max_value_bytes
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let table = self.table();
            let slot = table.slots.get(&Place::value(key));
            Ok(slot.map(|slot| Entry::new(slot.bytes.clone(), slot.version)))
        })
    }

    fn put<'a>(&'a self, key: &'a Key, value: Value) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let mut table = self.table();
            let version = table.set(Place::value(key), &value.bytes, value.ttl, &self.limits)?;
            table.tell(key);
            Ok(version)
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
        value: Option<Value>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        Box::pin(async move {
            let mut table = self.table();
            let place = Place::value(key);
            if table.slots.get(&place).map(|slot| slot.version) != seen {
                return Ok(Swapped::Conflict);
            }
            let version = match value {
                Some(value) => table.set(place, &value.bytes, value.ttl, &self.limits)?,
                None => {
                    table.remove(&place);
                    table.next_version()
                }
            };
            table.tell(key);
            Ok(Swapped::As(version))
        })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut table = self.table();
            let was = table.remove(&Place::value(key)).is_some();
            if was {
                table.tell(key);
            }
            Ok(was)
        })
    }

    fn names<'a>(&'a self, names: &'a Names) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let place = |name: &str| Place { leased: false, text: format!("{}/{name}", names.namespace()) };
            let first = Bound::Included(place(names.prefix()));
            let first = match names.previous() {
                Some(after) if after >= names.prefix() => Bound::Excluded(place(after)),
                _ => first,
            };
            let table = self.table();
            let begins = place(names.prefix());
            let range = table.slots.range((first, Bound::Unbounded)).map(|(place, _)| place);
            let found = range.take_while(|place| !place.leased && place.text.starts_with(&begins.text));
            let cut = names.namespace().len() + 1;
            Ok(found.take(names.page()).filter_map(|place| place.text.get(cut..).map(str::to_owned)).collect())
        })
    }

    fn lease<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        Box::pin(async move {
            let mut table = self.table();
            let place = Place::lease(key);
            if table.slots.contains_key(&place) {
                return Ok(None);
            }
            table.set(place, &[], Some(ttl.min(MAX_TTL)), &self.limits).map(Some)
        })
    }

    fn renew<'a>(&'a self, key: &'a Key, holder: Version, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.table().renew(&Place::lease(key), holder, ttl.min(MAX_TTL))) })
    }

    fn release<'a>(&'a self, key: &'a Key, holder: Version) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut table = self.table();
            let place = Place::lease(key);
            let held = table.slots.get(&place).is_some_and(|slot| slot.version == holder);
            if held {
                table.remove(&place);
            }
            Ok(held)
        })
    }

    fn watch<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Option<Watch>, StoreError>> {
        Box::pin(async move {
            let (sender, watch) = Watch::channel();
            let mut table = self.table();
            // Those that went away are found by the next change of their namespace, or here.
            table.watchers.retain(|(_, sender)| !sender.is_closed());
            table.watchers.push((namespace.to_owned(), sender));
            Ok(Some(watch))
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table();
        f.debug_struct("MemoryStore").field("entries", &table.slots.len()).field("bytes", &table.bytes).finish()
    }
}

/// Values come before leases, so that a walk over values ends at them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    leased: bool,
    text: String,
}

impl Place {
    fn value(key: &Key) -> Self {
        Self { leased: false, text: key.as_str().to_owned() }
    }

    fn lease(key: &Key) -> Self {
        Self { leased: true, text: key.as_str().to_owned() }
    }
}

#[derive(Default)]
struct Table {
    slots: BTreeMap<Place, Slot>,
    /// What ends by itself, in the order in which it does.
    ends: BTreeSet<(Instant, Place)>,
    bytes: u64,
    last: u64,
    watchers: Vec<(String, WatchSender)>,
}

struct Slot {
    bytes: Bytes,
    version: Version,
    ends: Option<Instant>,
}

impl Table {
    fn next_version(&mut self) -> Version {
        self.last += 1;
        Version::new(self.last)
    }

    fn set(
        &mut self,
        place: Place,
        bytes: &[u8],
        ttl: Option<Duration>,
        limits: &Limits,
    ) -> Result<Version, StoreError> {
        if bytes.len() > limits.max_value_bytes {
            return Err(StoreError::too_large(bytes.len(), limits.max_value_bytes));
        }
        self.make_room(&place, bytes.len(), limits)?;
        self.remove(&place);
        let version = self.next_version();
        let ends = ttl.and_then(|ttl| Instant::now().checked_add(ttl));
        if let Some(ends) = ends {
            self.ends.insert((ends, place.clone()));
        }
        self.bytes += weight(&place, bytes.len());
        // A copy, as a part of a larger buffer would keep all of that.
        self.slots.insert(place, Slot { bytes: Bytes::copy_from_slice(bytes), version, ends });
        Ok(version)
    }

    /// Lets what ends first make way, if that is enough; what is replaced does not count.
    fn make_room(&mut self, place: &Place, bytes: usize, limits: &Limits) -> Result<(), StoreError> {
        let replaced = self.slots.get(place).map(|slot| weight(place, slot.bytes.len()));
        let mut total = self.bytes - replaced.unwrap_or(0) + weight(place, bytes);
        let mut count = self.slots.len() as u64 + u64::from(replaced.is_none());
        let mut leave = Vec::new();
        let mut going = self.ends.iter().map(|(_, going)| going).filter(|going| !going.leased && *going != place);
        while total > limits.max_bytes || count > limits.max_entries {
            let Some(next) = going.next() else { return Err(StoreError::full("in memory")) };
            total -= self.slots.get(next).map_or(0, |slot| weight(next, slot.bytes.len()));
            count -= 1;
            leave.push(next.clone());
        }
        for place in leave {
            self.remove(&place);
        }
        Ok(())
    }

    fn remove(&mut self, place: &Place) -> Option<Slot> {
        let slot = self.slots.remove(place)?;
        self.bytes -= weight(place, slot.bytes.len());
        if let Some(ends) = slot.ends {
            self.ends.remove(&(ends, place.clone()));
        }
        Some(slot)
    }

    fn renew(&mut self, place: &Place, holder: Version, ttl: Duration) -> bool {
        let Some(slot) = self.slots.get_mut(place).filter(|slot| slot.version == holder) else { return false };
        let ends = Instant::now().checked_add(ttl);
        if let Some(before) = std::mem::replace(&mut slot.ends, ends) {
            self.ends.remove(&(before, place.clone()));
        }
        if let Some(ends) = ends {
            self.ends.insert((ends, place.clone()));
        }
        true
    }

    fn drop_ended(&mut self, now: Instant) {
        while let Some((_, place)) = self.ends.first().filter(|(ends, _)| *ends <= now).cloned() {
            self.remove(&place);
        }
    }

    fn tell(&mut self, key: &Key) {
        self.watchers.retain(|(namespace, sender)| namespace != key.namespace() || sender.send(key.name()));
    }
}

fn weight(place: &Place, bytes: usize) -> u64 {
    (place.text.len() + bytes) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StoreErrorKind;

    fn key(name: &str) -> Key {
        Key::new("test", name).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_first_makes_way_and_what_does_not_end_never() {
        let store = MemoryStore::new(Limits::default().with_max_entries(3));
        store.put(&key("stays"), Value::from("a")).await.unwrap();
        store.put(&key("later"), Value::from("b").for_at_most(Duration::from_secs(20))).await.unwrap();
        store.put(&key("soon"), Value::from("c").for_at_most(Duration::from_secs(10))).await.unwrap();
        store.put(&key("new"), Value::from("d")).await.unwrap();
        let names = store.names(&Names::of("test").unwrap()).await.unwrap();
        assert_eq!(names, ["later", "new", "stays"]);
        store.put(&key("newer"), Value::from("e")).await.unwrap();
        let full = store.put(&key("newest"), Value::from("f")).await.unwrap_err();
        assert_eq!(full.kind(), StoreErrorKind::Full);
        // What is there already can still be changed, and nothing was lost by the attempt.
        store.put(&key("stays"), Value::from("g")).await.unwrap();
        assert_eq!(store.names(&Names::of("test").unwrap()).await.unwrap(), ["new", "newer", "stays"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_does_not_make_way() {
        let store = MemoryStore::new(Limits::default().with_max_entries(1));
        let holder = store.lease(&key("a"), Duration::from_secs(5)).await.unwrap().unwrap();
        assert_eq!(store.put(&key("b"), Value::from("")).await.unwrap_err().kind(), StoreErrorKind::Full);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(store.renew(&key("a"), holder, Duration::from_secs(5)).await.unwrap());
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(store.lease(&key("a"), Duration::from_secs(5)).await.unwrap().is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        store.put(&key("b"), Value::from("")).await.unwrap();
    }

    #[tokio::test]
    async fn bytes_are_bounded_by_what_is_kept() {
        let store = MemoryStore::new(Limits::default().with_max_bytes(30));
        for _ in 0..100 {
            store.put(&key("a"), Value::from("0123456789")).await.unwrap();
        }
        let full = store.put(&key("b"), Value::from("0123456789")).await.unwrap_err();
        assert_eq!(full.kind(), StoreErrorKind::Full);
        assert!(store.delete(&key("a")).await.unwrap());
        store.put(&key("b"), Value::from("0123456789")).await.unwrap();
        assert_eq!(store.table().bytes, 16);
    }
}
