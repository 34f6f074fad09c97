//! Messages as bytes again.

use bowline_protocol::frame::{self, FrameError, Message, Response};
use bytes::Bytes;

/// The message as one line of JSON. What came as params or result stands in it as it came.
///
/// # Errors
/// When the result turns out not to be JSON.
pub(crate) fn encode(message: &Message) -> Result<Bytes, FrameError> {
    Ok(match message {
        Message::Request(request) => {
            frame::encode_request(&request.id, request.method.as_str(), request.params.as_ref(), None, None)
        }
        Message::Notification(notification) => {
            frame::encode_notification(notification.method.as_str(), notification.params.as_ref(), None)
        }
        Message::Response(Response { id: Some(id), outcome: Ok(payload), .. }) => {
            frame::encode_result(id, &payload.clone().into_raw()?)
        }
        // A result always has an id; the decoder sees to it.
        Message::Response(Response { id: None, outcome: Ok(payload), .. }) => {
            payload.clone().into_raw()?.as_bytes().clone()
        }
        Message::Response(Response { id, outcome: Err(error), .. }) => frame::encode_error(id.as_ref(), error),
    })
}
