//! What a model is told of calls that failed.

use bowline_client::{Error, ErrorKind};
use bowline_protocol::{CallToolResult, ContentBlock, excerpt};
use bowline_transport::Sent;

use std::hash::{Hash, Hasher};

/// How much of an error is told, in bytes.
const MOST: usize = 1_500;

/// A failed call in words that the model can act on.
pub(super) fn of_error(error: &Error) -> String {
    let what = excerpt(&error.to_string(), MOST);
    match error.kind() {
        ErrorKind::Denied => format!("not allowed: {what}. Do without it, or tell the user"),
        ErrorKind::Auth => format!("the server wants the user to log in: {what}. Tell the user; do not call it again"),
        ErrorKind::Unavailable | ErrorKind::BreakerOpen | ErrorKind::NotFound | ErrorKind::Connect => {
            format!("the server cannot be used now: {what}. Use another tool, or tell the user")
        }
        _ if error.sent() == Sent::Maybe => {
            format!(
                "no result came: {what}. The call may have been carried out: look at what is there before you repeat it"
            )
        }
        _ => format!("the call failed: {what}"),
    }
}

/// Whether a person should hear of it before the model does something else.
pub(super) fn is_for_people(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Auth | ErrorKind::Denied)
}

/// A result as it tells one call from the next: its text, its data, and how many blocks it has.
pub(super) struct Digest<'r>(pub(super) &'r CallToolResult);

impl Hash for Digest<'_> {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Self(result) = self;
        result.content.len().hash(to);
        for block in &result.content {
            match block {
                ContentBlock::Text(text) => text.text.as_str().hash(to),
                ContentBlock::Image(image) => image.data.as_str().hash(to),
                ContentBlock::Audio(audio) => audio.data.as_str().hash(to),
                _ => 0_u8.hash(to),
            }
        }
        result.structured_content.as_ref().map(|data| data.as_str()).hash(to);
    }
}
