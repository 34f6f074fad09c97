//! Progress and cancellation of requests.
//!
//! Specification: basic/utilities/progress and basic/utilities/cancellation.

use crate::id::{ProgressToken, RequestId};
use crate::wire::object;

object! {
    /// The parameters of `notifications/progress`.
    ///
    /// ```
    /// use bowline_protocol::{ProgressNotificationParams, RequestId};
    ///
    /// let half = ProgressNotificationParams::new(RequestId::from(7), 50).with_total(100).with_message("half way");
    /// assert_eq!(half.fraction(), Some(0.5));
    /// ```
    pub struct ProgressNotificationParams (meta) {
        required {
            /// The token that the request carried.
            progress_token: ProgressToken,
            /// How far it is; grows with each notification.
            #[serde(with = "crate::lenient::number")]
            progress: f64,
        }
        optional {
            /// How far it will go, where that is known.
            #[serde(serialize_with = "crate::lenient::optional_number::serialize", deserialize_with = "crate::lenient::amount")]
            total: f64 => with_total,
            /// What is being done (since 2025-03-26).
            #[serde(deserialize_with = "crate::lenient::label")]
            message: String => with_message,
        }
    }
}

impl ProgressNotificationParams {
    /// The part that is done, from 0 to 1; none without a positive total.
    pub fn fraction(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > 0.0)?;
        Some((self.progress / total).clamp(0.0, 1.0))
    }
}

object! {
    /// The parameters of `notifications/cancelled`.
    #[derive(Default)]
    pub struct CancelledNotificationParams (meta) {
        optional {
            /// The request; none only in 2025-11-25, where a task may be meant instead.
            request_id: RequestId => with_request_id,
            /// Why, for a log.
            #[serde(deserialize_with = "crate::lenient::label")]
            reason: String => with_reason,
        }
    }
}
