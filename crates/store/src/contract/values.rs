//! Checks of values, versions, names and watches.

use std::time::Duration;

use bytes::Bytes;

use super::{CheckResult, ensure, key, unique, until, within};
use crate::error::StoreErrorKind;
use crate::key::{Key, Names};
use crate::store::{Store, Swapped, Value, Version};
use crate::watch::Change;

/// A value comes back byte for byte, whatever bytes they are, until another one is put.
pub async fn what_is_put_is_got(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("put")?;
        ensure!(store.get(&key).await?.is_none(), "something was there before anything was put");
        let all: Bytes = (0..=255).collect::<Vec<u8>>().into();
        for bytes in [Bytes::from_static(b""), all, Bytes::from_static(b"\0\r\n$-1\r\n"), vec![7; 100_000].into()] {
            let version = store.put(&key, Value::new(bytes.clone())).await?;
            let entry = store.get(&key).await?;
            let same = entry.as_ref().is_some_and(|entry| entry.bytes == bytes && entry.version == version);
            ensure!(same, "{entry:?} came back for {} bytes put as {version:?}", bytes.len());
        }
        Ok(())
    })
    .await
}

/// A value that was deleted is gone, and deleting tells whether there was one.
pub async fn what_is_deleted_is_gone(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("delete")?;
        ensure!(!store.delete(&key).await?, "nothing was there, and it was deleted");
        store.put(&key, Value::from("a")).await?;
        ensure!(store.delete(&key).await?, "something was there, and it was not deleted");
        ensure!(store.get(&key).await?.is_none(), "it is still there after it was deleted");
        ensure!(!store.delete(&key).await?, "it was deleted twice");
        Ok(())
    })
    .await
}

/// A swap is done where the version that was seen is still there, and refused otherwise.
pub async fn a_change_wins_or_is_refused(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("swap")?;
        let some = || Some(Value::from("a"));
        let unseen = Some(Version::new(1));
        ensure!(
            store.swap(&key, unseen, some()).await? == Swapped::Conflict,
            "a version was taken for one that is not there"
        );
        let Swapped::As(first) = store.swap(&key, None, some()).await? else {
            return Err(super::ContractError::new("nothing was there, and nothing could be put"));
        };
        ensure!(store.swap(&key, None, some()).await? == Swapped::Conflict, "something was taken for nothing");
        let Swapped::As(second) = store.swap(&key, Some(first), Some(Value::from("b"))).await? else {
            return Err(super::ContractError::new("the version that was seen was refused"));
        };
        for value in [some(), None] {
            let old = store.swap(&key, Some(first), value).await?;
            ensure!(old == Swapped::Conflict, "an old version was taken for the one that is there");
        }
        let entry = store.get(&key).await?;
        let right = entry.as_ref().is_some_and(|entry| entry.bytes == "b" && entry.version == second);
        ensure!(right, "{entry:?} is there after what was refused");
        let gone = store.swap(&key, Some(second), None).await?;
        ensure!(matches!(gone, Swapped::As(version) if version > second), "it could not be taken away: {gone:?}");
        ensure!(store.get(&key).await?.is_none(), "it is there after it was taken away");
        Ok(())
    })
    .await
}

/// Of changes at the same time, each that is not refused counts.
pub async fn changes_at_once_are_not_lost(store: &dyn Store) -> CheckResult {
    const WORKERS: usize = 4;
    const STEPS: usize = 10;
    within(async {
        let key = key("count")?;
        let count = |bytes: &Bytes| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<usize>().ok());
        let work = async || -> CheckResult {
            for _ in 0..STEPS {
                loop {
                    let entry = store.get(&key).await?;
                    let before = entry.as_ref().map_or(Some(0), |entry| count(&entry.bytes));
                    let Some(before) = before else {
                        return Err(super::ContractError::new("something else than a number came back"));
                    };
                    let next = Value::new((before + 1).to_string());
                    let seen = entry.map(|entry| entry.version);
                    if matches!(store.swap(&key, seen, Some(next)).await?, Swapped::As(_)) {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            Ok(())
        };
        futures_util::future::try_join_all((0..WORKERS).map(|_| work())).await?;
        let entry = store.get(&key).await?;
        let total = entry.as_ref().and_then(|entry| count(&entry.bytes));
        ensure!(total == Some(WORKERS * STEPS), "{total:?} of {} steps were counted", WORKERS * STEPS);
        Ok(())
    })
    .await
}

/// Versions grow, also over a deletion.
pub async fn versions_are_never_given_twice(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("versions")?;
        let mut last = store.put(&key, Value::from("a")).await?;
        for round in 0..5 {
            if round % 2 == 0 {
                store.delete(&key).await?;
            }
            let next = store.put(&key, Value::from("a")).await?;
            ensure!(next > last, "{next:?} came after {last:?}");
            last = next;
        }
        Ok(())
    })
    .await
}

/// A value with a time to live goes by itself; one with a long time, or none, stays.
pub async fn values_end_with_their_time(store: &dyn Store) -> CheckResult {
    within(async {
        let (short, long, none) = (key("short")?, key("long")?, key("none")?);
        let briefly = || Value::from("a").for_at_most(Duration::from_millis(50));
        store.put(&long, Value::from("a").for_at_most(Duration::from_secs(3600))).await?;
        store.put(&none, briefly()).await?;
        store.put(&none, Value::from("a")).await?;
        let first = store.put(&short, briefly()).await?;
        until(async || Ok(store.get(&short).await?.is_none())).await?;
        ensure!(
            store.swap(&short, Some(first), Some(Value::from("b"))).await? == Swapped::Conflict,
            "what had ended was swapped"
        );
        ensure!(!store.delete(&short).await?, "what had ended was deleted");
        ensure!(store.swap(&short, None, Some(briefly())).await? != Swapped::Conflict, "what had ended is in the way");
        ensure!(store.get(&long).await?.is_some(), "an hour is over too soon");
        ensure!(store.get(&none).await?.is_some(), "a value without a time ended with that of the one before it");
        store.put(&long, Value::from("b").for_at_most(Duration::MAX)).await?;
        ensure!(store.get(&long).await?.is_some(), "the longest time is over at once");
        Ok(())
    })
    .await
}

/// The largest value is taken, and one that is larger by a byte is not and changes nothing.
pub async fn values_are_bounded(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("bounded")?;
        let max = store.max_value_bytes();
        let most = Bytes::from(vec![b'x'; max]);
        let version = store.put(&key, Value::new(most.clone())).await?;
        let more = Value::new(vec![b'y'; max + 1]);
        for result in
            [store.put(&key, more.clone()).await.map(drop), store.swap(&key, Some(version), Some(more)).await.map(drop)]
        {
            let kind = result.err().map(|error| error.kind());
            ensure!(kind == Some(StoreErrorKind::TooLarge), "a value of {max} bytes and one gave {kind:?}");
        }
        let kept = store.get(&key).await?.is_some_and(|entry| entry.bytes == most);
        ensure!(kept, "what was refused changed what is there");
        store.delete(&key).await?;
        Ok(())
    })
    .await
}

/// The same name in two namespaces is two places.
pub async fn namespaces_are_apart(store: &dyn Store) -> CheckResult {
    within(async {
        let name = unique("apart");
        let (one, other) = (Key::new("contract", &name)?, Key::new("contract-2", &name)?);
        store.put(&one, Value::from("one")).await?;
        ensure!(store.get(&other).await?.is_none(), "a value is seen in another namespace");
        store.put(&other, Value::from("other")).await?;
        store.delete(&other).await?;
        ensure!(store.get(&one).await?.is_some(), "a value was deleted in another namespace");
        let names = store.names(&Names::of("contract-2")?.starting_with(name)).await?;
        ensure!(names.is_empty(), "{names:?} is listed in another namespace");
        Ok(())
    })
    .await
}

/// Names are any text: nothing in them has a meaning, and none is taken for another.
pub async fn names_of_any_letters_are_apart(store: &dyn Store) -> CheckResult {
    within(async {
        let first = unique("letters");
        let odd = [
            "",
            "*",
            "?",
            "[a]",
            ":",
            "/",
            "\\",
            "\0",
            "\n",
            "%",
            "é",
            "e\u{301}",
            "\u{10ffff}",
            " ",
            "' OR 1=1",
            "A",
            "a",
        ];
        let keys: Vec<Key> =
            odd.iter().map(|odd| Key::new("contract", &format!("{first}{odd}"))).collect::<Result<_, _>>()?;
        for (key, odd) in keys.iter().zip(odd) {
            store.put(key, Value::new(odd.as_bytes().to_vec())).await?;
        }
        for (key, odd) in keys.iter().zip(odd) {
            let kept = store.get(key).await?.is_some_and(|entry| entry.bytes == odd);
            ensure!(kept, "the entry of the name that ends with {odd:?} is another's");
        }
        let mut names: Vec<String> = odd.iter().map(|odd| format!("{first}{odd}")).collect();
        names.sort_unstable();
        let listed = store.names(&Names::of("contract")?.starting_with(first)).await?;
        ensure!(listed == names, "{listed:?} are listed");
        Ok(())
    })
    .await
}

/// Names come in the order of their bytes, a page after the other, without those that are gone.
pub async fn names_come_in_pages_and_order(store: &dyn Store) -> CheckResult {
    within(async {
        let first = unique("pages");
        let name = |n: usize| format!("{first} {n:02}");
        for n in (0..25).rev() {
            store.put(&Key::new("contract", &name(n))?, Value::from("a")).await?;
        }
        for n in [0, 7, 24] {
            store.delete(&Key::new("contract", &name(n))?).await?;
        }
        let brief = Key::new("contract", &name(12))?;
        store.put(&brief, Value::from("a").for_at_most(Duration::from_millis(1))).await?;
        until(async || Ok(store.get(&brief).await?.is_none())).await?;
        let mut found = Vec::new();
        loop {
            let mut page = Names::of("contract")?.starting_with(format!("{first} ")).limit(10);
            if let Some(last) = found.last() {
                page = page.after(String::clone(last));
            }
            let names = store.names(&page).await?;
            ensure!(names.len() <= 10, "a page of 10 has {} names", names.len());
            if names.is_empty() {
                break;
            }
            found.extend(names);
        }
        let wanted: Vec<String> = (0..25).filter(|n| ![0, 7, 12, 24].contains(n)).map(name).collect();
        ensure!(found == wanted, "{found:?} are listed");
        let any = store.names(&Names::of("contract")?.limit(5)).await?;
        ensure!(any.len() == 5 && any.is_sorted(), "of all names {any:?} are the first five");
        Ok(())
    })
    .await
}

/// Where a store can watch, who watches hears of what is put, swapped and deleted in the namespace, and of no other.
pub async fn a_watch_tells_of_changes(store: &dyn Store) -> CheckResult {
    within(async {
        let name = unique("watch");
        let (key, other) = (Key::new("contract-watch", &name)?, Key::new("contract", &name)?);
        let Some(mut watch) = store.watch("contract-watch").await? else { return Ok(()) };
        store.put(&other, Value::from("a")).await?;
        let version = store.put(&key, Value::from("a")).await?;
        store.swap(&key, Some(version), Some(Value::from("b"))).await?;
        store.delete(&key).await?;
        for what in ["put", "swap", "deletion"] {
            // Another check may be at work in the namespace.
            loop {
                match watch.next().await {
                    Some(Change::Entry(changed)) if changed == name => break,
                    Some(Change::Entry(_)) => {}
                    end => return Err(super::ContractError::new(format!("the {what} was not told: {end:?}"))),
                }
            }
        }
        Ok(())
    })
    .await
}
