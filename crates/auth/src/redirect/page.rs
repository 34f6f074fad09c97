//! The page that a person ends at: what happened, in words, and nothing else.

use http::StatusCode;

/// What a person is told in the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// The answer to the login came.
    Received,
    /// The answer came, and it is a no.
    Failed,
    /// It belongs to no login that is waited for.
    Stray,
    /// There is nothing here.
    Nothing,
}

impl Page {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Received => StatusCode::OK,
            Self::Failed | Self::Stray => StatusCode::BAD_REQUEST,
            Self::Nothing => StatusCode::NOT_FOUND,
        }
    }

    /// The page. What came in the address is not repeated in it.
    pub(crate) fn html(self) -> String {
        let (title, text) = match self {
            // It is not known yet whether the program gets its token for it.
            Self::Received => (
                "Answer received",
                "The program finishes the sign-in, and says so. You can close this page and go back to it.",
            ),
            Self::Failed => ("Not signed in", "The sign-in failed. Go back to the program, which says why."),
            Self::Stray => (
                "Not signed in",
                "This answer belongs to no sign-in that the program waits for. Go back to it and start again.",
            ),
            Self::Nothing => ("Nothing here", "This address is only for the end of a sign-in."),
        };
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>\n"
        )
    }
}
