//! What a call is given, for whoever is asked about it and for the record.

use bowline_client::Call;
use bowline_protocol::{RawJson, hex, method};
use sha2::{Digest as _, Sha256};

use crate::audit::Arguments;
use crate::consent::shown_arguments;
use crate::guard::Core;
use crate::pins::canonical;

/// The arguments of a tool or prompt, or the parameters of another method, as JSON text. Where the arguments cannot be told,
/// as where they stand twice, that is all of the parameters.
pub(super) fn arguments_of(method: &str, params: &RawJson) -> Option<String> {
    match method {
        method::TOOLS_CALL | method::PROMPTS_GET => {
            #[derive(serde::Deserialize)]
            struct Params {
                arguments: Option<RawJson>,
            }
            match params.parse::<Params>() {
                Ok(params) => Some(params.arguments?.as_str().to_owned()),
                Err(_) => Some(params.as_str().to_owned()),
            }
        }
        _ => Some(params.as_str().to_owned()),
    }
}

/// The hash of a call's arguments, and what may be kept of them as text.
pub(super) fn arguments_for_record(core: &Core, call: &Call, shows: bool) -> Option<Arguments> {
    let params = call.params()?;
    match (&core.outgoing, shows) {
        (Some(outgoing), true) => {
            let text = arguments_of(call.method(), params)?;
            let text = outgoing.redact(&text).unwrap_or(text);
            Some(Arguments::Json(shown_arguments(&text)))
        }
        // Without somebody who takes secrets out there is the hash alone.
        _ => {
            let arguments = arguments_of(call.method(), params).and_then(|text| text.parse().ok());
            let arguments: &RawJson = arguments.as_ref().unwrap_or(params);
            let text = canonical(arguments).unwrap_or_else(|| arguments.as_str().to_owned());
            Some(Arguments::Sha256(hex(&Sha256::digest(text))))
        }
    }
}
