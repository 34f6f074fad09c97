//! What every store has to do, as checks against yours.
//!
//! Whoever writes a store runs each check, with [`store_contract!`](crate::store_contract) or [`run_all`]. Checks
//! have names of their own in the store, so they may run against one that keeps other things, and at the same time; no
//! check asks how fast it is.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bowline_store::{MemoryStore, contract};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let passed = contract::run_all(&MemoryStore::default()).await?;
//! assert!(passed.contains(&"what_is_put_is_got"));
//! # Ok::<(), contract::ContractError>(())
//! # }).unwrap();
//! ```

mod leases;
mod values;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::StoreError;
use crate::key::Key;
use crate::store::Store;

pub use self::leases::{
    a_lease_ends_by_itself, a_lease_is_held_by_one, a_lease_is_let_go_and_renewed_by_its_holder_alone,
    leases_and_values_are_apart, one_of_many_gets_a_lease,
};
pub use self::values::{
    a_change_wins_or_is_refused, a_watch_tells_of_changes, changes_at_once_are_not_lost, names_come_in_pages_and_order,
    names_of_any_letters_are_apart, namespaces_are_apart, values_are_bounded, values_end_with_their_time,
    versions_are_never_given_twice, what_is_deleted_is_gone, what_is_put_is_got,
};

/// How long a check may take. It is no measure of speed: a check that hangs fails rather than stops the run.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a store did instead of what it has to do.
#[derive(Debug)]
pub struct ContractError(String);

impl ContractError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ContractError {}

impl From<StoreError> for ContractError {
    fn from(error: StoreError) -> Self {
        Self(format!("the store failed: {error}"))
    }
}

/// The outcome of a check.
pub type CheckResult = Result<(), ContractError>;

/// Bounds a check.
async fn within(check: impl Future<Output = CheckResult>) -> CheckResult {
    match tokio::time::timeout(DEADLINE, check).await {
        Ok(result) => result,
        Err(_) => Err(ContractError::new(format!("it was not done within {} s", DEADLINE.as_secs()))),
    }
}

/// A name that no other check has, in this process or another.
fn unique(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{name} {} {count} {}", std::process::id(), now.as_nanos())
}

fn key(name: &str) -> Result<Key, StoreError> {
    Key::new("contract", &unique(name))
}

/// Waits until a condition holds, as long as the check may take.
async fn until<F: Future<Output = Result<bool, StoreError>>>(mut holds: impl FnMut() -> F) -> CheckResult {
    while !holds().await? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Fails with a message unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::contract::ContractError::new(format!($($message)+)));
        }
    };
}
use ensure;

/// Makes a test of each check of the contract, in a module of this name.
///
/// The second argument names a function beside the module: `async fn() -> impl Store`, called for each check; the
/// store may be empty or not. The crate that uses it needs tokio with its macros and time.
///
/// ```
/// use bowline_store::{MemoryStore, Store};
///
/// async fn open() -> impl Store {
///     MemoryStore::default()
/// }
///
/// bowline_store::store_contract!(memory, open);
/// ```
#[macro_export]
macro_rules! store_contract {
    ($name:ident, $open:ident) => {
        mod $name {
            $crate::store_contract!(@list tests $open);
        }
    };
    (@list $then:ident $($argument:tt)*) => {
        $crate::store_contract!(@$then $($argument)*;
            what_is_put_is_got
            what_is_deleted_is_gone
            a_change_wins_or_is_refused
            changes_at_once_are_not_lost
            versions_are_never_given_twice
            values_end_with_their_time
            values_are_bounded
            namespaces_are_apart
            names_of_any_letters_are_apart
            names_come_in_pages_and_order
            a_watch_tells_of_changes
            a_lease_is_held_by_one
            one_of_many_gets_a_lease
            a_lease_is_let_go_and_renewed_by_its_holder_alone
            a_lease_ends_by_itself
            leases_and_values_are_apart
        );
    };
    (@tests $open:ident; $($check:ident)*) => {
        $(
            #[tokio::test]
            async fn $check() -> $crate::contract::CheckResult {
                $crate::contract::$check(&super::$open().await).await
            }
        )*
    };
    (@run $store:ident $passed:ident; $($check:ident)*) => {
        $(
            $check($store).await.map_err(|error| ContractError(format!("{}: {error}", stringify!($check))))?;
            $passed.push(stringify!($check));
        )*
    };
}

/// Runs every check, one after another, and gives their names.
///
/// # Errors
/// The first check that failed, by name, and what it saw.
///
/// # Cancel safety
/// Dropping the future leaves what the check that runs has put.
pub async fn run_all(store: &dyn Store) -> Result<Vec<&'static str>, ContractError> {
    let mut passed = Vec::new();
    crate::store_contract!(@list run store passed);
    Ok(passed)
}
