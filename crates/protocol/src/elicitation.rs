//! Elicitation: a server asks the person, by a form or by a visit to a URL (since 2025-06-18).
//!
//! Specification: client/elicitation.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::form::ElicitationSchema;
use crate::meta::Extra;
use crate::raw::RawJson;
use crate::result::plain_result;
use crate::tagged::{Tag, WithTag};
use crate::tasks::TaskMetadata;
use crate::text::reason;
use crate::wire::{object, open_enum};

/// The parameters of `elicitation/create`, told by their `mode`; none means a form.
///
/// ```
/// use bowline_protocol::ElicitRequestParams;
///
/// let params: ElicitRequestParams = serde_json::from_str(
///     r#"{"message": "Name?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}"#,
/// )?;
/// let ElicitRequestParams::Form(form) = params else { panic!("a form") };
/// assert_eq!(form.requested_schema.properties.names().collect::<Vec<_>>(), ["name"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ElicitRequestParams {
    /// A form to fill in.
    Form(ElicitRequestFormParams),
    /// A URL to visit (since 2025-11-25).
    Url(ElicitRequestUrlParams),
    /// A mode that this library does not know, kept whole.
    Other(RawJson),
}

impl ElicitRequestParams {
    /// What the server says to the person; none in a mode that this library does not know.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Form(form) => Some(&form.message),
            Self::Url(url) => Some(&url.message),
            Self::Other(_) => None,
        }
    }
}

open_enum! {
    /// How a server asks the person.
    pub enum ElicitMode {
        /// By a form.
        "form" => Form,
        /// By a visit to a URL.
        "url" => Url,
    }
}

object! {
    /// A form for the person to fill in.
    ///
    /// The specification forbids servers to ask for passwords and the like by a form.
    pub struct ElicitRequestFormParams (meta) {
        required {
            /// What the server says to the person.
            message: String,
            /// The fields.
            requested_schema: ElicitationSchema,
        }
        optional {
            /// `form`, or not said; revisions before 2025-11-25 have no such member.
            mode: ElicitMode => with_mode,
            /// Asks for the request to be run as a task (2025-11-25).
            #[serde(deserialize_with = "crate::tasks::metadata")]
            task: TaskMetadata => with_task,
        }
    }
}

object! {
    /// A URL for the person to visit (since 2025-11-25).
    ///
    /// Show the whole URL and ask before it is opened; never open it unasked.
    pub struct ElicitRequestUrlParams (meta) {
        required {
            /// What the server says to the person.
            message: String,
            /// The URL.
            url: String,
        }
        optional {
            /// What `notifications/elicitation/complete` will name (2025-11-25).
            elicitation_id: String => with_elicitation_id,
            /// Asks for the request to be run as a task (2025-11-25).
            #[serde(deserialize_with = "crate::tasks::metadata")]
            task: TaskMetadata => with_task,
        }
    }
}

impl From<ElicitRequestFormParams> for ElicitRequestParams {
    fn from(form: ElicitRequestFormParams) -> Self {
        Self::Form(form)
    }
}

impl From<ElicitRequestUrlParams> for ElicitRequestParams {
    fn from(url: ElicitRequestUrlParams) -> Self {
        Self::Url(url)
    }
}

impl Serialize for ElicitRequestParams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Form(form) => form.serialize(serializer),
            Self::Url(inner) => WithTag { tag: Tag { name: "mode", value: "url" }, inner }.serialize(serializer),
            Self::Other(raw) => raw.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ElicitRequestParams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Head {
            mode: Option<ElicitMode>,
        }

        /// Takes the tag away, which the enum writes by itself.
        #[derive(Deserialize)]
        struct Untagged {
            #[serde(rename = "mode")]
            _mode: ElicitMode,
            #[serde(flatten)]
            inner: ElicitRequestUrlParams,
        }

        let raw = RawJson::deserialize(deserializer)?;
        let decoded = match raw.parse::<Head>().map(|head| head.mode) {
            Ok(None | Some(ElicitMode::Form)) => raw.parse_question().map(Self::Form),
            Ok(Some(ElicitMode::Url)) => raw.parse_question::<Untagged>().map(|url| Self::Url(url.inner)),
            Ok(Some(ElicitMode::Other(_))) => Ok(Self::Other(raw)),
            Err(error) => Err(error),
        };
        // In words that nobody takes for something to be mended.
        decoded.map_err(|error| serde::de::Error::custom(reason(&error)))
    }
}

open_enum! {
    /// What the person did with a request.
    pub enum ElicitAction {
        /// Answered it, or agreed to visit the URL.
        "accept" => Accept,
        /// Refused.
        "decline" => Decline,
        /// Went away without a choice.
        "cancel" => Cancel,
    }
}

object! {
    /// What the person answered.
    ///
    /// ```
    /// use bowline_protocol::ElicitResult;
    ///
    /// let result = ElicitResult::accept([("name", "octocat".into())]);
    /// assert_eq!(serde_json::to_string(&result)?, r#"{"action":"accept","content":{"name":"octocat"}}"#);
    /// assert_eq!(serde_json::to_string(&ElicitResult::cancel())?, r#"{"action":"cancel"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct ElicitResult (meta) {
        required {
            /// What the person did.
            action: ElicitAction,
        }
        optional {
            /// What was filled in, only if a form was accepted: strings, numbers, booleans and lists of strings.
            #[serde(deserialize_with = "crate::lenient::feature")]
            content: Extra => with_content,
        }
    }
}
plain_result!(ElicitResult);

impl ElicitResult {
    /// The form was filled in.
    pub fn accept<N: Into<String>>(content: impl IntoIterator<Item = (N, serde_json::Value)>) -> Self {
        let content: Extra = content.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self::new(ElicitAction::Accept).with_content(content)
    }

    /// The person agreed to visit the URL.
    pub fn accept_url() -> Self {
        Self::new(ElicitAction::Accept)
    }

    /// The person refused.
    pub fn decline() -> Self {
        Self::new(ElicitAction::Decline)
    }

    /// The person went away without a choice.
    pub fn cancel() -> Self {
        Self::new(ElicitAction::Cancel)
    }
}

object! {
    /// The parameters of `notifications/elicitation/complete` (2025-11-25): the visit to a URL is over.
    pub struct ElicitationCompleteNotificationParams (meta) {
        required {
            /// Which one.
            elicitation_id: String,
        }
    }
}
