//! Pings that find out whether the server still lives.

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{ErrorCode, method};
use bowline_transport::{TransportError, TransportErrorKind};
use tokio::time::{MissedTickBehavior, interval};

use crate::call::{Call, CallOptions};
use crate::connection::Connection;
use crate::error::ErrorKind;

/// Pings every `period` until the connection ends, and ends it when a ping is not answered in that time.
///
/// Specification: basic/utilities/ping. Any answer shows that the server lives, an error too; one that says that
/// the server has no ping ends the pinging instead.
pub(crate) async fn run(connection: Arc<Connection>, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let options = CallOptions { idle: Some(period), total: Some(period), ..CallOptions::default() };
        // Revisions without sessions have no ping. What every server must answer there is this.
        let method = if connection.stamped().is_some() { method::SERVER_DISCOVER } else { method::PING };
        let mut ping = Call { method: method.into(), options, ..Call::default() };
        let Err(error) = ping.run_once(&connection).await else { continue };
        match error.kind() {
            ErrorKind::Server if error.code() == Some(ErrorCode::METHOD_NOT_FOUND) => {
                return tracing::debug!("the server has no ping; it is not asked again whether it lives");
            }
            ErrorKind::Server => {}
            ErrorKind::Timeout => {
                tracing::warn!(?period, "the server did not answer a ping in time; the connection is taken as lost");
                let what = format!("the server did not answer a ping within {period:?}");
                connection.lose(&TransportError::new(TransportErrorKind::Closed, what));
                if let Err(error) = connection.transport.close().await {
                    tracing::debug!(%error, "the lost connection did not close in order");
                }
                return;
            }
            _ => return,
        }
    }
}
