//! Checks of leases.

use std::time::Duration;

use super::{CheckResult, ContractError, ensure, key, until, within};
use crate::key::Names;
use crate::store::{Store, Value, Version};

const LONG: Duration = Duration::from_secs(600);

async fn taken(store: &dyn Store, key: &crate::Key, ttl: Duration) -> Result<Version, ContractError> {
    store.lease(key, ttl).await?.ok_or_else(|| ContractError::new("nobody holds the lease, and it was not given"))
}

/// While one holds a lease nobody else gets it; the next holder has a greater number.
pub async fn a_lease_is_held_by_one(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("held")?;
        let first = taken(store, &key, LONG).await?;
        ensure!(store.lease(&key, LONG).await?.is_none(), "a lease was given twice");
        ensure!(store.lease(&super::key("other")?, LONG).await?.is_some(), "a lease of another place is in the way");
        ensure!(store.release(&key, first).await?, "its holder could not let go of it");
        let second = taken(store, &key, LONG).await?;
        ensure!(second > first, "the next holder is {second:?} after {first:?}");
        Ok(())
    })
    .await
}

/// Of many who ask at once, one gets it.
pub async fn one_of_many_gets_a_lease(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("many")?;
        let asked = futures_util::future::try_join_all((0..16).map(|_| store.lease(&key, LONG))).await?;
        let given = asked.iter().flatten().count();
        ensure!(given == 1, "{given} of 16 got the lease");
        Ok(())
    })
    .await
}

/// Who does not hold a lease neither renews nor ends it.
pub async fn a_lease_is_let_go_and_renewed_by_its_holder_alone(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("alone")?;
        ensure!(!store.release(&key, Version::new(1)).await?, "a lease that nobody holds was let go");
        ensure!(!store.renew(&key, Version::new(1), LONG).await?, "a lease that nobody holds was renewed");
        let before = taken(store, &key, LONG).await?;
        ensure!(store.release(&key, before).await?, "its holder could not let go of it");
        ensure!(!store.release(&key, before).await?, "it was let go twice");
        let holder = taken(store, &key, LONG).await?;
        ensure!(!store.renew(&key, before, LONG).await?, "the holder before renewed it");
        ensure!(!store.release(&key, before).await?, "the holder before let go of it");
        ensure!(store.renew(&key, holder, LONG).await?, "its holder could not renew it");
        ensure!(store.lease(&key, LONG).await?.is_none(), "it was given while it was held");
        Ok(())
    })
    .await
}

/// A lease that is not renewed ends; a renewal counts from when it was done, also where it is shorter.
pub async fn a_lease_ends_by_itself(store: &dyn Store) -> CheckResult {
    const SHORT: Duration = Duration::from_millis(50);
    within(async {
        let key = key("ends")?;
        let first = taken(store, &key, SHORT).await?;
        let next = std::cell::Cell::new(None);
        let again = async || {
            next.set(store.lease(&key, LONG).await?);
            Ok(next.get().is_some())
        };
        until(again).await?;
        ensure!(!store.renew(&key, first, LONG).await?, "a lease that had ended was renewed");
        ensure!(next.get().is_some_and(|next| next > first), "{:?} holds it after {first:?}", next.get());
        let Some(second) = next.get() else { return Ok(()) };
        ensure!(store.renew(&key, second, SHORT).await?, "its holder could not renew it");
        until(again).await
    })
    .await
}

/// A lease and a value at one place have nothing to do with each other, and a lease has no name in a list.
pub async fn leases_and_values_are_apart(store: &dyn Store) -> CheckResult {
    within(async {
        let key = key("both")?;
        let holder = taken(store, &key, LONG).await?;
        ensure!(store.get(&key).await?.is_none(), "a lease is seen as a value");
        ensure!(!store.delete(&key).await?, "a lease was deleted as a value");
        let names = store.names(&Names::of("contract")?.starting_with(key.name())).await?;
        ensure!(names.is_empty(), "a lease is listed: {names:?}");
        let version = store.put(&key, Value::from("a")).await?;
        ensure!(!store.release(&key, version).await?, "a value was let go as a lease");
        ensure!(store.release(&key, holder).await?, "a value is in the way of a lease");
        ensure!(store.get(&key).await?.is_some(), "letting go of a lease deleted a value");
        Ok(())
    })
    .await
}
