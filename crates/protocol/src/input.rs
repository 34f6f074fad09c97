//! Input that a server needs before it can give its result (2026-07-28).
//!
//! What older revisions send as requests of the server stands here inside of a result, and the answers inside of
//! the next attempt. Specification: basic/utilities/mrtr.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::elicitation::{ElicitRequestParams, ElicitResult};
use crate::entries::Entries;
use crate::params::RequestParams;
use crate::raw::RawJson;
use crate::result::{ResultKind, plain_result};
use crate::roots::ListRootsResult;
use crate::sampling::{CreateMessageRequestParams, CreateMessageResult};
use crate::tagged::tagged;
use crate::wire::object;

object! {
    /// A result that is none yet: answer, and send the request again.
    ///
    /// The next attempt is a request of its own, with the same parameters, the answers, and `request_state`.
    pub struct InputRequiredResult (meta) {
        preset {
            /// What kind of result this is.
            result_type: ResultKind = ResultKind::InputRequired => with_result_type,
        }
        optional {
            /// What the server asks, by keys of its own.
            #[serde(deserialize_with = "crate::lenient::entries")]
            input_requests: InputRequests => with_input_requests,
            /// What the server wants back, byte for byte. Where there is none, send none.
            request_state: String => with_request_state,
        }
    }
}
plain_result!(InputRequiredResult);

impl Default for InputRequiredResult {
    fn default() -> Self {
        Self::new()
    }
}

/// What a server asks, by keys of its own.
pub type InputRequests = Entries<InputRequest>;

/// The answers, by the keys of the requests.
pub type InputResponses = Entries<InputResponse>;

tagged! {
    /// Something that a server asks of the client, told by its `method`.
    pub enum InputRequest by "method" {
        /// To ask the person.
        "elicitation/create" => Elicit(ElicitRequest),
        /// To ask the model.
        "sampling/createMessage" => CreateMessage(CreateMessageRequest),
        /// For the roots.
        "roots/list" => ListRoots(ListRootsRequest),
    }
}

object! {
    /// A request to ask the person.
    pub struct ElicitRequest {
        required {
            /// The parameters.
            params: ElicitRequestParams,
        }
    }
}

object! {
    /// A request to ask the model.
    pub struct CreateMessageRequest {
        required {
            /// The parameters.
            params: CreateMessageRequestParams,
        }
    }
}

object! {
    /// A request for the roots.
    #[derive(Default)]
    pub struct ListRootsRequest {
        optional {
            /// The parameters.
            params: RequestParams => with_params,
        }
    }
}

/// The answer to an [`InputRequest`], told by the member that only its kind has.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum InputResponse {
    /// What the person said: it has an `action`.
    Elicit(ElicitResult),
    /// The roots: it has `roots`.
    ListRoots(ListRootsResult),
    /// What the model said: it has a `model`.
    CreateMessage(Box<CreateMessageResult>),
    /// A kind that this library does not know, kept whole.
    Other(RawJson),
}

impl From<ElicitResult> for InputResponse {
    fn from(result: ElicitResult) -> Self {
        Self::Elicit(result)
    }
}

impl From<ListRootsResult> for InputResponse {
    fn from(result: ListRootsResult) -> Self {
        Self::ListRoots(result)
    }
}

impl From<CreateMessageResult> for InputResponse {
    fn from(result: CreateMessageResult) -> Self {
        Self::CreateMessage(Box::new(result))
    }
}

impl Serialize for InputResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Elicit(result) => result.serialize(serializer),
            Self::ListRoots(result) => result.serialize(serializer),
            Self::CreateMessage(result) => result.serialize(serializer),
            Self::Other(raw) => raw.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for InputResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        struct Signs {
            action: Option<RawJson>,
            roots: Option<RawJson>,
            model: Option<RawJson>,
        }

        let raw = RawJson::deserialize(deserializer)?;
        let signs: Signs = raw.parse().unwrap_or_default();
        let decoded = if signs.action.is_some() {
            raw.parse().map(Self::Elicit)
        } else if signs.roots.is_some() {
            raw.parse().map(Self::ListRoots)
        } else if signs.model.is_some() {
            raw.parse().map(Self::CreateMessage)
        } else {
            Ok(Self::Other(raw))
        };
        decoded.map_err(serde::de::Error::custom)
    }
}
