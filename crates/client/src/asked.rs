//! What a server asks, and whether it may: the checks before a handler runs and before its answer leaves.

use bowline_protocol::frame::Request;
use bowline_protocol::{
    CreateMessageRequestParams, ElicitRequestParams, ErrorCode, ErrorObject, InputRequest, RawJson, Revision, Root,
    excerpt, method, path_at,
};
use serde::de::DeserializeOwned;

use crate::declared::Declared;
use crate::elicitation;
use crate::sampling::{self, Sampling};

/// A request of the server that this client serves.
#[derive(Debug)]
pub(crate) enum Ask {
    Ping,
    Roots,
    Sample(Box<Sampling>),
    Elicit(Box<ElicitRequestParams>),
}

impl Ask {
    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Ping => method::PING,
            Self::Roots => method::ROOTS_LIST,
            Self::Sample(_) => method::SAMPLING_CREATE_MESSAGE,
            Self::Elicit(_) => method::ELICITATION_CREATE,
        }
    }
}

/// Reads a request of the server.
///
/// The error is the answer: -32601 for what no handler is installed for, -32602 for what does not fit.
pub(crate) fn read(request: &Request, declared: &Declared, revision: Revision) -> Result<Ask, ErrorObject> {
    let declared = declared.in_revision(revision);
    match request.method.as_str() {
        method::PING => Ok(Ask::Ping),
        method::ROOTS_LIST => roots(&declared),
        method::SAMPLING_CREATE_MESSAGE => {
            sample(&declared, revision, || params::<CreateMessageRequestParams>(request))
        }
        method::ELICITATION_CREATE => elicit(&declared, revision, || params::<ElicitRequestParams>(request)),
        other => Err(unknown(other)),
    }
}

/// Reads what a result asks for (2026-07-28, basic/patterns/mrtr): by the same rules.
pub(crate) fn read_input(request: InputRequest, declared: &Declared, revision: Revision) -> Result<Ask, ErrorObject> {
    let declared = declared.in_revision(revision);
    match request {
        InputRequest::ListRoots(_) => roots(&declared),
        InputRequest::CreateMessage(request) => sample(&declared, revision, || Ok(request.params)),
        InputRequest::Elicit(request) => elicit(&declared, revision, || Ok(request.params)),
        _ => Err(invalid("a request of an unknown kind")),
    }
}

fn roots(declared: &Declared) -> Result<Ask, ErrorObject> {
    if declared.roots { Ok(Ask::Roots) } else { Err(unsupported("roots are")) }
}

fn sample(
    declared: &Declared,
    revision: Revision,
    params: impl FnOnce() -> Result<CreateMessageRequestParams, ErrorObject>,
) -> Result<Ask, ErrorObject> {
    let support = declared.sampling.ok_or_else(|| unsupported("sampling is"))?;
    sampling::admit(params()?, support, revision)
}

fn elicit(
    declared: &Declared,
    revision: Revision,
    params: impl FnOnce() -> Result<ElicitRequestParams, ErrorObject>,
) -> Result<Ask, ErrorObject> {
    let support = declared.elicitation.ok_or_else(|| unsupported("elicitation is"))?;
    elicitation::admit(params()?, support, revision)
}

fn unknown(method: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("unknown method {}", excerpt(method, 80)))
}

fn unsupported(what: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("{what} not supported by this client"))
}

pub(crate) fn invalid(message: impl Into<String>) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, message)
}

fn params<T: DeserializeOwned>(request: &Request) -> Result<T, ErrorObject> {
    let raw = request.params.clone().unwrap_or(RawJson::EMPTY_OBJECT);
    raw.parse().map_err(|error| {
        let at = path_at(raw.as_str(), error.line(), error.column());
        let reason = excerpt(&error.to_string(), 300);
        invalid(if at.is_empty() { reason } else { format!("{at}: {reason}") })
    })
}

/// Roots are `file://` URIs without a way out of them (client/roots).
pub(crate) fn check_roots(roots: &[Root]) -> Result<(), ErrorObject> {
    for root in roots {
        let path = root.uri.strip_prefix("file://").map(|path| path.to_ascii_lowercase().replace("%2e", "."));
        if path.is_none_or(|path| path.split(['/', '\\']).any(|part| part == "..")) {
            tracing::error!(uri = %root.uri, "a root must be a file:// URI without `..`; roots/list was answered with an error");
            return Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the client's roots are not usable"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::{ElicitationSupport, SamplingSupport};
    use bowline_protocol::frame::{Incoming, Message, decode};

    const ALL: Declared = Declared {
        roots: true,
        sampling: Some(SamplingSupport { tools: false, context: false }),
        elicitation: Some(ElicitationSupport { form: true, url: false }),
        tasks: false,
    };

    fn asked(json: &str, declared: &Declared) -> Result<Ask, ErrorObject> {
        let frame = bytes::Bytes::copy_from_slice(json.as_bytes());
        match decode(&frame).unwrap() {
            Incoming::Message(Message::Request(request)) => read(&request, declared, Revision::V2025_11_25),
            other => panic!("a request, not {other:?}"),
        }
    }

    fn code(result: Result<Ask, ErrorObject>) -> i64 {
        result.unwrap_err().code.0
    }

    #[test]
    fn j_07_what_no_handler_is_installed_for_is_an_unknown_method() {
        let none = Declared::default();
        assert_eq!(code(asked(r#"{"id":1,"method":"foo/bar"}"#, &ALL)), -32601);
        for method in ["roots/list", "sampling/createMessage", "elicitation/create"] {
            let error = asked(&format!(r#"{{"id":1,"method":"{method}","params":{{}}}}"#), &none).unwrap_err();
            assert_eq!(error.code.0, -32601, "{method}");
            assert!(error.message.contains("not supported"), "{}", error.message);
        }
    }

    #[test]
    fn case_sampling_001_a_request_without_max_tokens_reaches_the_handler() {
        let json = r#"{"id":3,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"route?"}}]}}"#;
        let Ok(Ask::Sample(asked)) = asked(json, &ALL) else { panic!("a sampling request") };
        assert_eq!(asked.params.max_tokens, None);
    }

    #[test]
    fn params_that_do_not_fit_are_answered_with_the_place() {
        let json = r#"{"id":3,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":7}]}}"#;
        let error = asked(json, &ALL).unwrap_err();
        assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
        assert!(error.message.starts_with("messages[0].content"), "{}", error.message);
    }

    #[test]
    fn q_03_tools_are_refused_unless_declared() {
        let json = r#"{"id":3,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"tools":[]}}"#;
        assert_eq!(code(asked(json, &ALL)), -32602);
    }

    #[test]
    fn q_07_tool_results_stand_alone_and_answer_every_use() {
        let ask = |messages: &str| {
            asked(
                &format!(
                    r#"{{"id":3,"method":"sampling/createMessage","params":{{"maxTokens":9,"messages":[{messages}]}}}}"#
                ),
                &ALL,
            )
        };
        let used = r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{}}]}"#;
        let result = r#"{"type":"tool_result","toolUseId":"a","content":[]}"#;
        let text = r#"{"type":"text","text":"x"}"#;
        assert!(ask(&format!(r#"{used},{{"role":"user","content":[{result}]}}"#)).is_ok());
        assert_eq!(code(ask(&format!(r#"{used},{{"role":"user","content":[{result},{text}]}}"#))), -32602);
        assert_eq!(code(ask(&format!(r#"{used},{{"role":"user","content":{text}}}"#))), -32602);
        assert_eq!(code(ask(&format!(r#"{{"role":"user","content":[{result}]}}"#))), -32602);
        assert_eq!(code(ask(used)), -32602);
    }

    #[test]
    fn d_02_a_missing_mode_is_a_form_and_d_03_an_undeclared_one_is_refused() {
        let form = r#"{"id":1,"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}}"#;
        assert!(matches!(asked(form, &ALL), Ok(Ask::Elicit(_))));
        let url = r#"{"id":1,"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://x","elicitationId":"1"}}"#;
        assert_eq!(code(asked(url, &ALL)), -32602);
        let other = r#"{"id":1,"method":"elicitation/create","params":{"mode":"voice","message":"m"}}"#;
        assert_eq!(code(asked(other, &ALL)), -32602);
    }

    #[test]
    fn o_02_only_file_uris_without_a_way_out_are_roots() {
        assert!(check_roots(&[Root::new("file:///home/u/a..b")]).is_ok());
        for bad in ["http://x/", "/home", "file:///a/../b", "file:///a/%2E%2e/b", "file:///a/.%2e/b"] {
            assert!(check_roots(&[Root::new(bad)]).is_err(), "{bad}");
        }
    }
}
