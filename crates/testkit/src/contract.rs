//! What every transport has to do, as checks against a mock server.
//!
//! Whoever writes a transport serves [`server`] through it and runs each check, with
//! [`transport_contract!`](crate::transport_contract) or [`run_all`].
//!
//! ```
//! use bowline_testkit::contract;
//! use bowline_transport::Connect;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let passed = contract::run_all(&|limits| {
//!     Box::new(contract::server().connector().with_limits(limits)) as Box<dyn Connect>
//! })
//! .await?;
//! assert!(passed.contains(&"answers_come_in_any_order"));
//! # Ok::<(), contract::ContractError>(())
//! # }).unwrap();
//! ```

mod close;
mod exchanges;
mod limits;
mod peer;
mod tools;
mod unasked;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use bowline_transport::{Connect, Limits, TransportError};

pub use self::close::{
    after_a_close_everything_fails_unsent, close_ends_open_exchanges, open_exchanges_fail_when_the_peer_goes_away,
    the_connector_connects_again,
};
pub use self::exchanges::{
    a_late_answer_is_harmless, a_request_answers, answers_come_in_any_order, dropping_an_exchange_cancels_once,
    errors_are_answers, ids_keep_their_type, progress_goes_to_its_request, uncancellable_requests_end_in_silence,
};
pub use self::limits::{
    large_messages_pass_both_ways, open_exchanges_are_bounded, oversize_messages_end_the_connection,
    text_is_kept_byte_for_byte,
};
pub use self::tools::{builder, server};
pub use self::unasked::{answers_reach_the_server, inbound_is_taken_once, unasked_messages_keep_their_order};

/// How long a check may take. It is no measure of speed: a check that hangs fails rather than stops the run.
const DEADLINE: Duration = Duration::from_secs(60);

/// Makes a connector with these limits, whose peer is a fresh [`server`] for each connection or one for all.
pub type Connector<'a> = &'a (dyn Fn(Limits) -> Box<dyn Connect> + Send + Sync);

/// What a transport did instead of what it has to do.
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

impl From<TransportError> for ContractError {
    fn from(error: TransportError) -> Self {
        Self(format!("the transport failed: {error:?}"))
    }
}

/// The outcome of a check.
pub type CheckResult = Result<(), ContractError>;

/// Bounds a check.
pub(crate) async fn within(check: impl Future<Output = CheckResult>) -> CheckResult {
    match tokio::time::timeout(DEADLINE, check).await {
        Ok(result) => result,
        Err(_) => Err(ContractError::new(format!("nothing came for {} s", DEADLINE.as_secs()))),
    }
}

/// Fails with a message unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::contract::ContractError::new(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

/// Makes a test of each check of the contract, in a module of this name.
///
/// The second argument names a function beside the module: `fn(Limits) -> Box<dyn Connect>`. The crate that uses it
/// needs tokio with its macros.
///
/// ```
/// use bowline_transport::{Connect, Limits};
///
/// fn connect(limits: Limits) -> Box<dyn Connect> {
///     Box::new(bowline_testkit::contract::server().connector().with_limits(limits))
/// }
///
/// bowline_testkit::transport_contract!(memory, connect);
/// ```
#[macro_export]
macro_rules! transport_contract {
    ($name:ident, $connect:ident) => {
        mod $name {
            $crate::transport_contract!(@list tests $connect);
        }
    };
    (@list $then:ident $($argument:tt)*) => {
        $crate::transport_contract!(@$then $($argument)*;
            a_request_answers
            answers_come_in_any_order
            ids_keep_their_type
            errors_are_answers
            progress_goes_to_its_request
            dropping_an_exchange_cancels_once
            a_late_answer_is_harmless
            uncancellable_requests_end_in_silence
            inbound_is_taken_once
            unasked_messages_keep_their_order
            answers_reach_the_server
            text_is_kept_byte_for_byte
            large_messages_pass_both_ways
            oversize_messages_end_the_connection
            open_exchanges_are_bounded
            close_ends_open_exchanges
            after_a_close_everything_fails_unsent
            open_exchanges_fail_when_the_peer_goes_away
            the_connector_connects_again
        );
    };
    (@tests $connect:ident; $($check:ident)*) => {
        $(
            #[tokio::test]
            async fn $check() -> $crate::contract::CheckResult {
                $crate::contract::$check(&super::$connect).await
            }
        )*
    };
    (@run $connector:ident $passed:ident; $($check:ident)*) => {
        $(
            $check($connector).await.map_err(|error| ContractError(format!("{}: {error}", stringify!($check))))?;
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
/// Dropping the future drops the connection of the check that runs.
pub async fn run_all(connector: Connector<'_>) -> Result<Vec<&'static str>, ContractError> {
    let mut passed = Vec::new();
    crate::transport_contract!(@list run connector passed);
    Ok(passed)
}
