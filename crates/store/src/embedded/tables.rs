//! What stands in the file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use redb::{
    ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition, TableError,
    WriteTransaction,
};

use super::file::Failure;
use crate::error::{StoreError, StoreErrorKind};
use crate::key::{Key, Names};
use crate::lease::MAX_TTL;
use crate::limits::Limits;
use crate::store::{Entry, Version};

/// Places and what is there: the version, when it ends, and the bytes.
const ENTRIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("entries");
/// Where something ends by itself, in the order in which it does.
const ENDS: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("ends");
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
/// The places of the last changes of values, in the order of the changes.
const CHANGES: TableDefinition<'_, u64, &str> = TableDefinition::new("changes");

const FORMAT: u64 = 1;
const NEVER: u64 = u64::MAX;
/// How many changes are kept for those who watch. Who looks too seldom for that is told that some were missed.
const KEPT_CHANGES: u64 = 256;
/// How many entries that have ended a change takes away.
const SWEEP: usize = 64;

/// The place of a value. No namespace begins with what sets a lease apart.
pub(super) fn value(key: &Key) -> String {
    format!("={}", key.as_str())
}

/// The place of a lease.
pub(super) fn lease(key: &Key) -> String {
    format!("!{}", key.as_str())
}

fn is_lease(place: &str) -> bool {
    place.starts_with('!')
}

/// The time of the machine's clock, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(NEVER)
}

fn end_of(ttl: Option<Duration>, now: u64) -> u64 {
    let ttl = ttl.and_then(|ttl| u64::try_from(ttl.as_millis()).ok());
    // Rounded up, as a time of less than a millisecond is not none.
    ttl.map_or(NEVER, |ttl| now.saturating_add(ttl.max(1)))
}

/// What stands in front of the bytes of an entry.
#[derive(Clone, Copy)]
struct Head {
    version: Version,
    ends: u64,
}

impl Head {
    fn read(record: &[u8]) -> Result<(Self, &[u8]), Failure> {
        let damaged = || Failure::Garbage("an entry is cut short".to_owned());
        let (version, rest) = record.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (ends, bytes) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
        let version = Version::new(u64::from_le_bytes(*version));
        Ok((Self { version, ends: u64::from_le_bytes(*ends) }, bytes))
    }

    /// A lease that would end beyond the longest time was given while the clock went ahead, and counts no longer.
    fn is_live(self, place: &str, now: u64) -> bool {
        let latest = now.saturating_add(u64::try_from(MAX_TTL.as_millis()).unwrap_or(NEVER));
        now < self.ends && !(is_lease(place) && self.ends > latest)
    }
}

/// Sees that the file is of the format that this program knows; one that has none yet is.
pub(super) fn check_format(file: &ReadTransaction) -> Result<(), Failure> {
    match file.open_table(NUMBERS) {
        Ok(numbers) => numbers.get("format")?.map_or(Ok(()), |format| check(format.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Another version's file is sound, and not ours to touch.
fn check(format: u64) -> Result<(), Failure> {
    if format == FORMAT {
        return Ok(());
    }
    let message = format!(
        "the store's file has format {format}, and this program knows {FORMAT}; \
         use the version of bowline that wrote it, or another file"
    );
    Err(StoreError::new(StoreErrorKind::Garbage, message).into())
}

/// What is at a place.
pub(super) fn get(file: &ReadTransaction, place: &str, now: u64) -> Result<Option<Entry>, Failure> {
    let entries = match file.open_table(ENTRIES) {
        Ok(entries) => entries,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(record) = entries.get(place)? else { return Ok(None) };
    let (head, bytes) = Head::read(record.value())?;
    Ok(head.is_live(place, now).then(|| Entry::new(Bytes::copy_from_slice(bytes), head.version)))
}

/// What changed in a namespace since a change of this number.
pub(super) struct Changed {
    /// The number of the last change.
    pub(super) last: u64,
    pub(super) names: Vec<String>,
    /// Whether there were more than are kept, or the file is another.
    pub(super) missed: bool,
}

/// What changed in a namespace since then; nothing where that is not said.
pub(super) fn changed(file: &ReadTransaction, namespace: &str, since: Option<u64>) -> Result<Changed, Failure> {
    let last = match file.open_table(NUMBERS) {
        Ok(numbers) => numbers.get("changes")?.map_or(0, |last| last.value()),
        Err(TableError::TableDoesNotExist(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    let since = since.unwrap_or(last);
    if since == last {
        return Ok(Changed { last, names: Vec::new(), missed: false });
    }
    if since > last || last - since > KEPT_CHANGES {
        return Ok(Changed { last, names: Vec::new(), missed: true });
    }
    let prefix = format!("={namespace}/");
    let mut names = Vec::new();
    for change in file.open_table(CHANGES)?.range(since + 1..=last)? {
        let (_, place) = change?;
        names.extend(place.value().strip_prefix(&prefix).map(str::to_owned));
    }
    Ok(Changed { last, names, missed: false })
}

/// A page of names.
pub(super) fn names(file: &ReadTransaction, names: &Names, now: u64) -> Result<Vec<String>, Failure> {
    let entries = match file.open_table(ENTRIES) {
        Ok(entries) => entries,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let namespace = format!("={}/", names.namespace());
    let begins = format!("{namespace}{}", names.prefix());
    let previous = names.previous().map(|previous| format!("{namespace}{previous}"));
    let first = previous.as_deref().filter(|previous| **previous >= *begins).unwrap_or(&begins);
    let mut found = Vec::new();
    for entry in entries.range(first..)? {
        let (place, record) = entry?;
        let place = place.value();
        if found.len() == names.page() || !place.starts_with(&begins) {
            break;
        }
        if previous.as_deref() != Some(place) && Head::read(record.value())?.0.is_live(place, now) {
            found.extend(place.get(namespace.len()..).map(str::to_owned));
        }
    }
    Ok(found)
}

/// All tables, open for a change.
pub(super) struct Tables<'t> {
    entries: Table<'t, &'static str, &'static [u8]>,
    ends: Table<'t, (u64, &'static str), ()>,
    numbers: Table<'t, &'static str, u64>,
    changes: Table<'t, u64, &'static str>,
    now: u64,
    changed: bool,
}

impl<'t> Tables<'t> {
    /// Opens the tables, and takes away some of what has ended.
    pub(super) fn open(change: &'t WriteTransaction) -> Result<Self, Failure> {
        // Before the others, which another format may have in another form.
        let mut numbers = change.open_table(NUMBERS)?;
        let format = numbers.get("format")?.map(|format| format.value());
        match format {
            Some(format) => check(format)?,
            None => drop(numbers.insert("format", FORMAT)?),
        }
        let entries = change.open_table(ENTRIES)?;
        let ends = change.open_table(ENDS)?;
        let changes = change.open_table(CHANGES)?;
        let mut tables = Self { entries, ends, numbers, changes, now: now_ms(), changed: false };
        for _ in 0..SWEEP {
            let first = tables.ends.first()?.map(|(key, _)| (key.value().0, key.value().1.to_owned()));
            let Some((ends, place)) = first.filter(|(ends, _)| *ends <= tables.now) else { break };
            tables.take_ending(ends, &place)?;
        }
        Ok(tables)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        Ok(self.numbers.get(name)?.map(|number| number.value()))
    }

    /// Tells whether there is anything to make last.
    pub(super) const fn is_changed(&self) -> bool {
        self.changed
    }

    /// The first version of a file is its time, so that one that comes after another begins beyond it.
    pub(super) fn next_version(&mut self) -> Result<Version, Failure> {
        let last = self.number("version")?.unwrap_or_else(|| self.now.saturating_mul(1000));
        let next = last.saturating_add(1);
        self.numbers.insert("version", next)?;
        self.changed = true;
        Ok(Version::new(next))
    }

    fn head(&self, place: &str) -> Result<Option<Head>, Failure> {
        match self.entries.get(place)? {
            Some(record) => Ok(Some(Head::read(record.value())?.0)),
            None => Ok(None),
        }
    }

    /// Which version is at a place, where something is.
    pub(super) fn version(&self, place: &str) -> Result<Option<Version>, Failure> {
        let live = self.head(place)?.filter(|head| head.is_live(place, self.now));
        Ok(live.map(|head| head.version))
    }

    pub(super) fn set(
        &mut self,
        place: &str,
        bytes: &[u8],
        ttl: Option<Duration>,
        limits: &Limits,
    ) -> Result<Version, Failure> {
        if bytes.len() > limits.max_value_bytes {
            return Err(StoreError::too_large(bytes.len(), limits.max_value_bytes).into());
        }
        self.take(place)?;
        self.make_room(weight(place, bytes.len()), limits)?;
        let version = self.next_version()?;
        self.write(place, Head { version, ends: self.end_of(place, ttl) }, bytes)?;
        self.tell(place)?;
        Ok(version)
    }

    /// Takes away what is at a place; tells whether there was something that had not ended.
    pub(super) fn remove(&mut self, place: &str) -> Result<bool, Failure> {
        let was_there = self.take(place)?.is_some_and(|head| head.is_live(place, self.now));
        if was_there {
            self.tell(place)?;
        }
        Ok(was_there)
    }

    /// Notes for those who watch that a value was changed.
    fn tell(&mut self, place: &str) -> Result<(), Failure> {
        if is_lease(place) {
            return Ok(());
        }
        let number = self.number("changes")?.unwrap_or(0).saturating_add(1);
        self.numbers.insert("changes", number)?;
        self.changes.insert(number, place)?;
        self.changes.remove(number.saturating_sub(KEPT_CHANGES))?;
        Ok(())
    }

    pub(super) fn renew(&mut self, place: &str, holder: Version, ttl: Duration) -> Result<bool, Failure> {
        if self.version(place)? != Some(holder) {
            return Ok(false);
        }
        self.take(place)?;
        self.write(place, Head { version: holder, ends: self.end_of(place, Some(ttl)) }, &[])?;
        Ok(true)
    }

    fn end_of(&self, place: &str, ttl: Option<Duration>) -> u64 {
        end_of(ttl.map(|ttl| if is_lease(place) { ttl.min(MAX_TTL) } else { ttl }), self.now)
    }

    fn write(&mut self, place: &str, head: Head, bytes: &[u8]) -> Result<(), Failure> {
        self.changed = true;
        let record = [&head.version.get().to_le_bytes()[..], &head.ends.to_le_bytes(), bytes].concat();
        self.entries.insert(place, &*record)?;
        if head.ends != NEVER {
            self.ends.insert((head.ends, place), ())?;
        }
        let total = self.number("bytes")?.unwrap_or(0).saturating_add(weight(place, bytes.len()));
        self.numbers.insert("bytes", total)?;
        Ok(())
    }

    /// Takes away what is at a place, with what is kept of it elsewhere.
    fn take(&mut self, place: &str) -> Result<Option<Head>, Failure> {
        let (head, len) = match self.entries.remove(place)? {
            None => return Ok(None),
            Some(record) => {
                let (head, bytes) = Head::read(record.value())?;
                (head, bytes.len())
            }
        };
        self.changed = true;
        if head.ends != NEVER {
            self.ends.remove((head.ends, place))?;
        }
        let total = self.number("bytes")?.unwrap_or(0).saturating_sub(weight(place, len));
        self.numbers.insert("bytes", total)?;
        Ok(Some(head))
    }

    /// Takes away what is to end then. A time without its entry would never go, and be found again for ever.
    fn take_ending(&mut self, ends: u64, place: &str) -> Result<(), Failure> {
        if self.take(place)?.is_some_and(|head| head.ends == ends) {
            return Ok(());
        }
        Err(Failure::Garbage("something ends that is not there".to_owned()))
    }

    /// Lets what ends first make way. Where that is not enough the whole change is given up, and nothing is lost.
    fn make_room(&mut self, bytes: u64, limits: &Limits) -> Result<(), Failure> {
        let fits = |total: u64, count: u64| total <= limits.max_bytes && count <= limits.max_entries;
        let mut after = None;
        loop {
            let total = self.number("bytes")?.unwrap_or(0).saturating_add(bytes);
            if fits(total, self.entries.len()? + 1) {
                return Ok(());
            }
            let Some(next) = self.first_to_go(after)? else { return Err(StoreError::full("its file").into()) };
            self.take_ending(next.0, &next.1)?;
            after = Some(next);
        }
    }

    /// What ends first after this, and is no lease.
    fn first_to_go(&self, after: Option<(u64, String)>) -> Result<Option<(u64, String)>, Failure> {
        let (ends, place) = after.unwrap_or_default();
        for entry in self.ends.range((ends, place.as_str())..)? {
            let (key, _) = entry?;
            let (ends, place) = key.value();
            if !is_lease(place) {
                return Ok(Some((ends, place.to_owned())));
            }
        }
        Ok(None)
    }
}

fn weight(place: &str, bytes: usize) -> u64 {
    (place.len() + bytes) as u64
}
