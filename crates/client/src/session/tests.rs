//! The way to an agreement, step by step.

use bowline_transport::{Sent, TransportError};
use serde_json::json;

use super::*;
use crate::declared::{Declared, ElicitationSupport};

const NEWEST: Wanted = Wanted::Newest { known: None };

fn session(wanted: Wanted) -> Session {
    let introduction = Introduction {
        info: Implementation::new("t", "0"),
        declared: Declared { elicitation: Some(ElicitationSupport::default()), ..Declared::default() },
        extensions: bowline_protocol::Extra::new(),
        names_itself: true,
        trace: crate::trace::Trace::default(),
    };
    Session::new(Arc::new(introduction), wanted)
}

fn result(json: serde_json::Value) -> Result<Payload, ErrorObject> {
    Ok(RawJson::from(json).into())
}

fn error(code: i64, message: &str, data: Option<serde_json::Value>) -> Result<Payload, ErrorObject> {
    let error = ErrorObject::new(ErrorCode(code), message);
    Err(match data {
        Some(data) => error.with_data(RawJson::from(data)),
        None => error,
    })
}

fn unsupported_version(supported: &[&str]) -> Result<Payload, ErrorObject> {
    error(-32022, "Unsupported protocol version", Some(json!({"supported": supported, "requested": "2026-07-28"})))
}

fn discovered(versions: &[&str]) -> Result<Payload, ErrorObject> {
    result(json!({
        "resultType": "complete", "supportedVersions": versions, "capabilities": {"tools": {}}, "ttlMs": 0,
        "cacheScope": "private", "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "f", "version": "1"}},
    }))
}

fn initialized(version: &str) -> Result<Payload, ErrorObject> {
    result(json!({"protocolVersion": version, "capabilities": {}, "serverInfo": {"name": "f", "version": "1"}}))
}

fn question(step: Step) -> Question {
    match step {
        Step::Request(question) => question,
        other => panic!("a request, not {other:?}"),
    }
}

fn asks_for(step: Step, method: &str) -> serde_json::Value {
    let question = question(step);
    assert_eq!(question.method, method);
    question.params.to_value()
}

fn ready(step: Step) -> ServerInfo {
    match step {
        Step::Ready { server, notify } => {
            assert_eq!(notify.is_some(), server.revision.era() == Era::Handshake);
            *server
        }
        other => panic!("ready, not {other:?}"),
    }
}

fn failure(step: Step) -> Error {
    match step {
        Step::Fail(error) => error,
        other => panic!("a failure, not {other:?}"),
    }
}

const DISCOVER: &str = "server/discover";
const INITIALIZE: &str = "initialize";

#[test]
fn l_15_the_first_question_is_that_of_the_newest_revision() {
    let mut session = session(NEWEST);
    let asked = question(session.start());
    assert_eq!((asked.method, asked.revision), (DISCOVER, Some(Revision::V2026_07_28)));
    let meta = &asked.params.to_value()["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({"elicitation": {"form": {}}}));
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "t");
    let server = ready(session.answered(DISCOVER, discovered(&["2026-07-28", "2025-11-25"])));
    assert_eq!((server.revision, server.info.name.as_str()), (Revision::V2026_07_28, "f"));
    assert_eq!(server.supported_versions, ["2026-07-28", "2025-11-25"]);
}

#[test]
fn l_12_the_client_is_named_unless_that_is_switched_off() {
    let mut session = session(NEWEST);
    Arc::make_mut(&mut session.introduction).names_itself = false;
    let params = asks_for(session.start(), DISCOVER);
    assert!(params["_meta"].get("io.modelcontextprotocol/clientInfo").is_none());
    assert!(params["_meta"].get("io.modelcontextprotocol/clientCapabilities").is_some());
}

#[test]
fn l_02_a_revision_with_a_handshake_is_asked_for_at_once() {
    let mut session = session(Wanted::This(Revision::V2025_06_18));
    let params = asks_for(session.start(), INITIALIZE);
    assert_eq!(params["protocolVersion"], "2025-06-18");
    assert_eq!(params["capabilities"], json!({"elicitation": {}}));
    assert_eq!(params["clientInfo"]["name"], "t");
    assert_eq!(ready(session.answered(INITIALIZE, initialized("2024-11-05"))).revision, Revision::V2024_11_05);
}

/// How a server is given up that refuses `initialize` after this answer to the question for the newer era.
fn refused_after(answer: Result<Payload, ErrorObject>) -> Error {
    let mut session = session(NEWEST);
    session.start();
    asks_for(session.answered(DISCOVER, answer), INITIALIZE);
    failure(session.answered(INITIALIZE, error(-32601, "Method not found", None)))
}

#[test]
fn an_answer_that_cannot_be_used_is_told_where_the_older_way_is_closed_too() {
    for (answer, says) in [
        (result(json!([])), "wrong shape"),
        (result(json!({"supportedVersions": []})), "names no version"),
        (result(json!({"resultType": 7, "supportedVersions": ["2026-07-28"]})), "of kind \"7\""),
        (error(-32603, "database is down", None), "database is down"),
    ] {
        let error = refused_after(answer);
        assert_eq!(error.method(), Some(DISCOVER), "{error}");
        assert!(error.to_string().contains(says) && error.to_string().contains("initialize"), "{error}");
    }
    let error = refused_after(error(-32601, "Method not found", None));
    assert_eq!((error.method(), error.kind()), (Some(INITIALIZE), ErrorKind::Server));
}

#[test]
fn l_23_an_unknown_kind_of_result_says_nothing_of_the_server() {
    for kind in ["banana", "input_required", "task", "Complete", ""] {
        let answer = json!({"resultType": kind, "supportedVersions": ["2026-07-28"], "capabilities": {}});
        let error = refused_after(result(answer));
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains(&format!("of kind \"{kind}\"")), "{error}");
    }
}

#[test]
fn a_server_that_contradicts_itself_is_told_so() {
    let mut twice = session(NEWEST);
    twice.start();
    asks_for(twice.answered(DISCOVER, unsupported_version(&["2026-07-28"])), DISCOVER);
    let error = failure(twice.answered(DISCOVER, unsupported_version(&["2026-07-28"])));
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert!(error.to_string().contains("refuses protocol version 2026-07-28, and says"), "{error}");

    let mut session = session(Wanted::This(Revision::V2025_11_25));
    session.start();
    let error = failure(session.answered(INITIALIZE, initialized("2026-07-28")));
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert!(error.to_string().contains("for protocol version 2025-11-25 with 2026-07-28"), "{error}");
}

#[test]
fn l_16_any_answer_that_is_no_sign_of_the_newer_era_leads_to_the_older_one() {
    let odd = [
        error(-32601, "Method not found", None),
        error(-32602, "Invalid request parameters", None),
        error(-32600, "Bad Request: Missing session ID", None),
        error(-32000, "Server not initialized", None),
        error(-1, "no", None),
        error(-32002, "Received request before initialization was complete", None),
        result(json!({})),
        result(json!({"supportedVersions": []})),
        result(json!([1])),
        result(json!({"supportedVersions": {"x": 1}})),
        result(json!({"supportedVersions": 7})),
        result(json!({"resultType": "x", "supportedVersions": ["2026-07-28"]})),
    ];
    for answer in odd {
        let mut session = session(NEWEST);
        session.start();
        let params = asks_for(session.answered(DISCOVER, answer), INITIALIZE);
        assert_eq!(params["protocolVersion"], "2025-11-25");
        assert_eq!(ready(session.answered(INITIALIZE, initialized("2025-06-18"))).revision, Revision::V2025_06_18);
    }
}

#[test]
fn case_lifecycle_010_an_answer_of_http_alone_leads_to_the_older_era_too() {
    let refusal = |kind, status| TransportError::new(kind, "HTTP").with_status(status).with_sent(Sent::Yes);
    for status in [400, 404, 405, 406, 415, 500, 501] {
        let mut session = session(NEWEST);
        session.start();
        let step = session.refused(DISCOVER, refusal(TransportErrorKind::Protocol, status));
        assert_eq!(asks_for(step, INITIALIZE)["protocolVersion"], "2025-11-25", "{status}");
    }
    for status in [401, 403, 429, 502, 503, 504] {
        let mut session = session(NEWEST);
        session.start();
        let kind = if status < 404 { TransportErrorKind::Unauthorized } else { TransportErrorKind::Protocol };
        assert_eq!(failure(session.refused(DISCOVER, refusal(kind, status))).status(), Some(status));
    }
}

#[test]
fn an_error_of_the_protocol_keeps_the_status_that_it_came_with() {
    let refused = || Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "no"));
    let mut session = session(NEWEST);
    session.start();
    session.comes_with(Some(400));
    asks_for(session.answered(DISCOVER, refused()), INITIALIZE);
    session.comes_with(Some(503));
    assert_eq!(failure(session.answered(INITIALIZE, refused())).status(), Some(503));
}

#[test]
fn l_16_silence_leads_to_the_older_era_and_a_late_answer_still_counts() {
    let mut session = session(NEWEST);
    assert!(question(session.start()).impatient);
    asks_for(session.silent(), INITIALIZE);
    assert_eq!(ready(session.answered(DISCOVER, discovered(&["2026-07-28"]))).revision, Revision::V2026_07_28);
}

#[test]
fn l_16_a_slow_server_may_refuse_either_question_first() {
    let mut older = session(NEWEST);
    older.start();
    older.silent();
    assert!(matches!(older.answered(DISCOVER, error(-32601, "unknown", None)), Step::Wait));
    assert_eq!(ready(older.answered(INITIALIZE, initialized("2025-11-25"))).revision, Revision::V2025_11_25);

    let mut newer = session(NEWEST);
    newer.start();
    newer.silent();
    assert!(matches!(newer.answered(INITIALIZE, error(-32601, "unknown", None)), Step::Wait));
    assert_eq!(ready(newer.answered(DISCOVER, discovered(&["2026-07-28"]))).revision, Revision::V2026_07_28);

    let mut neither = session(NEWEST);
    neither.start();
    neither.silent();
    assert!(matches!(neither.answered(INITIALIZE, error(-32603, "broken", None)), Step::Wait));
    assert_eq!(failure(neither.answered(DISCOVER, error(-32601, "unknown", None))).code(), Some(ErrorCode(-32603)));
}

#[test]
fn l_13_and_l_17_the_list_of_a_newer_server_is_used_and_nothing_is_guessed() {
    let mut again = session(NEWEST);
    again.start();
    let params = asks_for(again.answered(DISCOVER, unsupported_version(&["2026-07-28", "2031-01-01"])), DISCOVER);
    assert_eq!(params["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    let error = failure(again.answered(DISCOVER, unsupported_version(&["2026-07-28"])));
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);

    let mut nothing = session(NEWEST);
    nothing.start();
    let error = failure(nothing.answered(DISCOVER, unsupported_version(&["2031-01-01"])));
    assert!(error.to_string().contains("2031-01-01") && error.to_string().contains("2026-07-28"), "{error}");

    let mut older = session(NEWEST);
    older.start();
    let params = asks_for(older.answered(DISCOVER, unsupported_version(&["2025-06-18"])), INITIALIZE);
    assert_eq!(params["protocolVersion"], "2025-06-18");
}

#[test]
fn l_17_other_errors_of_the_newer_era_are_final() {
    let capability = json!({"requiredCapabilities": {"sampling": {}}});
    for (code, data) in [(-32020, None), (-32021, Some(capability)), (-32022, None)] {
        let mut session = session(NEWEST);
        session.start();
        let failed = failure(session.answered(DISCOVER, error(code, "no", data)));
        assert_eq!(failed.code(), Some(ErrorCode(code)));
    }
}

#[test]
fn l_15_a_client_of_the_newer_era_alone_says_what_an_older_server_is() {
    let mut session = session(Wanted::This(Revision::V2026_07_28));
    assert!(!question(session.start()).impatient);
    let failed = failure(session.answered(DISCOVER, error(-32601, "unknown", None)));
    assert_eq!(failed.kind(), ErrorKind::UnsupportedVersion);
    assert!(failed.to_string().contains("handshake") && failed.to_string().contains("2025-11-25"), "{failed}");
}

#[test]
fn l_19_what_is_known_saves_the_question_and_is_put_right() {
    let mut session = session(Wanted::Newest { known: Some(Era::Handshake) });
    asks_for(session.start(), INITIALIZE);
    asks_for(session.answered(INITIALIZE, error(-32601, "Method not found", None)), DISCOVER);
    assert_eq!(ready(session.answered(DISCOVER, discovered(&["2026-07-28"]))).revision, Revision::V2026_07_28);
}

#[test]
fn l_19_a_server_that_refuses_both_is_heard_on_the_first() {
    let mut session = session(Wanted::Newest { known: Some(Era::Handshake) });
    session.start();
    asks_for(session.answered(INITIALIZE, error(-32603, "no licence", None)), DISCOVER);
    let failed = failure(session.answered(DISCOVER, error(-32601, "unknown", None)));
    assert!(failed.to_string().contains("no licence"), "{failed}");

    let mut silent = self::session(Wanted::Newest { known: Some(Era::Handshake) });
    silent.start();
    assert!(question(silent.answered(INITIALIZE, error(-32603, "no licence", None))).impatient);
    assert!(failure(silent.silent()).to_string().contains("no licence"));
}

#[test]
fn a_connection_that_broke_at_the_question_is_told_apart() {
    let mut session = session(NEWEST);
    session.start();
    failure(session.refused(DISCOVER, TransportError::closed()));
    assert!(session.died_of_the_question());

    for first in [DISCOVER, INITIALIZE] {
        let mut both = self::session(NEWEST);
        both.start();
        asks_for(both.silent(), INITIALIZE);
        both.refused(first, TransportError::closed());
        assert!(both.died_of_the_question(), "{first}");
    }

    let mut later = self::session(NEWEST);
    later.start();
    later.answered(DISCOVER, error(-32601, "unknown", None));
    failure(later.refused(INITIALIZE, TransportError::closed()));
    assert!(!later.died_of_the_question());
}

#[test]
fn l_05_an_unknown_version_is_an_error_that_names_both_sides() {
    for version in ["2031-01-01", "1.0", "2026-07-28"] {
        let mut session = session(Wanted::This(Revision::V2025_11_25));
        session.start();
        let error = failure(session.answered(INITIALIZE, initialized(version)));
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
        assert!(error.to_string().contains(version) && error.to_string().contains("2025-11-25"), "{error}");
    }
}

#[test]
fn case_lifecycle_001_null_capabilities_are_absent() {
    let mut session = session(Wanted::This(Revision::V2025_11_25));
    session.start();
    let server = ready(session.answered(
        INITIALIZE,
        result(json!({
            "protocolVersion": "2025-06-18", "serverInfo": {"name": "f", "version": "1"}, "instructions": null,
            "capabilities": {"logging": null, "tools": {"listChanged": null}, "resources": null},
        })),
    ));
    assert!(server.check("tools/list").is_ok());
    assert_eq!(server.check("logging/setLevel").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(server.check("resources/list").unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn case_lifecycle_005_a_refused_version_is_replaced_by_the_newest_that_the_error_lists() {
    let refusal = || {
        let listed = "(supported versions: 2025-06-18, 2025-03-26, 2024-11-05)";
        error(-32000, &format!("Bad Request: Unsupported protocol version {listed}"), None)
    };
    let mut session = session(Wanted::This(Revision::V2025_11_25));
    session.start();
    let params = asks_for(session.answered(INITIALIZE, refusal()), INITIALIZE);
    assert_eq!(params["protocolVersion"], "2025-06-18");
    let error = failure(session.answered(INITIALIZE, refusal()));
    assert_eq!(error.code(), Some(ErrorCode(-32000)), "one retry only");
}

#[test]
fn an_error_that_is_not_about_versions_is_final() {
    let mut session = session(Wanted::This(Revision::V2025_11_25));
    session.start();
    let refusal = error(ErrorCode::INTERNAL_ERROR.0, "no licence since 2025-06-18", None);
    assert_eq!(failure(session.answered(INITIALIZE, refusal)).code(), Some(ErrorCode::INTERNAL_ERROR));
}
