//! The session as a state machine: what to send, what to make of what came. No I/O, no clock.
//!
//! The four revisions with `initialize` are here. The stateless era begins at [`Session::start`] with another
//! first step and otherwise shares the checks.

use std::str::FromStr;

use bowline_protocol::{
    ClientCapabilities, ErrorObject, Implementation, InitializeRequestParams, InitializeResult, Payload, RawJson,
    Revision, ServerCapabilities,
    method::{self, Method},
};

use crate::declared::Declared;
use crate::error::{Error, ErrorKind};

/// What a server said of itself, and what was agreed with it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The negotiated revision of the protocol.
    pub revision: Revision,
    /// Name and version. For display and logs only: never decide by it.
    pub info: Implementation,
    /// What the server offers.
    pub capabilities: ServerCapabilities,
    /// How to use the server, for a model.
    pub instructions: Option<String>,
}

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this request and tell [`Session::answered`] how it ended.
    Request { method: &'static str, params: RawJson },
    /// The handshake is done once this notification is sent.
    Ready { server: Box<ServerInfo>, notify: &'static str },
    /// There will be no session.
    Fail(Error),
}

/// The handshake of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    info: Implementation,
    declared: Declared,
    /// The revision that is asked for.
    asked: Revision,
    /// Whether another revision was tried before.
    retried: bool,
}

impl Session {
    pub(crate) const fn new(info: Implementation, declared: Declared, asked: Revision) -> Self {
        Self { info, declared, asked, retried: false }
    }

    /// The first step.
    pub(crate) fn start(&self) -> Step {
        if self.asked > Revision::LATEST_HANDSHAKE {
            return Step::Fail(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "revision {} has no handshake and is not spoken yet; ask for {} or older",
                    self.asked,
                    Revision::LATEST_HANDSHAKE
                ),
            ));
        }
        let capabilities: ClientCapabilities = self.declared.capabilities(self.asked);
        let params = InitializeRequestParams::new(self.asked.as_str(), capabilities, self.info.clone());
        match RawJson::from_serialize(&params) {
            Ok(params) => Step::Request { method: method::INITIALIZE, params },
            Err(error) => Step::Fail(Error::new(ErrorKind::Config, format!("the client info is not json: {error}"))),
        }
    }

    /// What follows from the answer to the request of the last step.
    pub(crate) fn answered(&mut self, outcome: Result<Payload, ErrorObject>) -> Step {
        match outcome {
            Ok(result) => self.agree(&result),
            Err(error) => self.try_a_listed_revision(error),
        }
    }

    fn agree(&self, result: &Payload) -> Step {
        let result: InitializeResult = match result.decode() {
            Ok(result) => result,
            Err(error) => return Step::Fail(Error::shape(&error).with_method(method::INITIALIZE)),
        };
        // Specification: basic/lifecycle, version negotiation. A version that we do not speak ends it.
        match Revision::from_str(&result.protocol_version) {
            Ok(revision) if revision <= Revision::LATEST_HANDSHAKE => Step::Ready {
                server: Box::new(ServerInfo {
                    revision,
                    info: result.server_info,
                    capabilities: result.capabilities,
                    instructions: result.instructions,
                }),
                notify: method::NOTIFICATIONS_INITIALIZED,
            },
            _ => Step::Fail(Error::new(
                ErrorKind::UnsupportedVersion,
                format!(
                    "the server speaks protocol version \"{}\", this client {}; update the older of the two",
                    bowline_protocol::excerpt(&result.protocol_version, 64),
                    list(handshake_revisions())
                ),
            )),
        }
    }

    /// Some servers refuse a version they do not know instead of offering theirs, and name theirs in the error.
    fn try_a_listed_revision(&mut self, error: ErrorObject) -> Step {
        let listed: Vec<Revision> =
            handshake_revisions().filter(|r| *r != self.asked).filter(|r| mentions(&error, r.as_str())).collect();
        match listed.iter().max() {
            Some(newest) if !self.retried => {
                self.asked = *newest;
                self.retried = true;
                self.start()
            }
            _ => Step::Fail(Error::server(error).with_method(method::INITIALIZE)),
        }
    }
}

/// The revisions with a handshake, oldest first.
fn handshake_revisions() -> impl Iterator<Item = Revision> {
    Revision::ALL.iter().copied().filter(|r| *r <= Revision::LATEST_HANDSHAKE)
}

fn list(revisions: impl Iterator<Item = Revision>) -> String {
    revisions.map(|r| r.to_string()).collect::<Vec<_>>().join(", ")
}

/// Whether an error is about versions and names this one.
fn mentions(error: &ErrorObject, version: &str) -> bool {
    let about_versions = error.message.to_ascii_lowercase().contains("version");
    about_versions
        && (error.message.contains(version) || error.data.as_ref().is_some_and(|d| d.as_str().contains(version)))
}

impl ServerInfo {
    /// Whether a request may be sent: the revision has the method and the server declared what it belongs to.
    ///
    /// Specification: basic/lifecycle, operation: only what was negotiated may be used.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the reason.
    pub(crate) fn check(&self, name: &str) -> Result<(), Error> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Unsupported, why).with_method(name));
        if !Method::of(name).is_none_or(|m| m.client_may_send(self.revision)) {
            return refuse(format!("revision {} has no such method", self.revision));
        }
        let capabilities = &self.capabilities;
        let (capability, declared) = match name {
            method::TOOLS_LIST | method::TOOLS_CALL => ("tools", capabilities.tools.is_some()),
            method::PROMPTS_LIST | method::PROMPTS_GET => ("prompts", capabilities.prompts.is_some()),
            method::RESOURCES_LIST | method::RESOURCES_TEMPLATES_LIST | method::RESOURCES_READ => {
                ("resources", capabilities.resources.is_some())
            }
            method::RESOURCES_SUBSCRIBE | method::RESOURCES_UNSUBSCRIBE => {
                ("resources.subscribe", capabilities.resources.as_ref().is_some_and(|r| r.subscribe()))
            }
            method::LOGGING_SET_LEVEL => ("logging", capabilities.logging.is_some()),
            // 2024-11-05 has the method and no capability for it.
            method::COMPLETION_COMPLETE => {
                ("completions", capabilities.completions.is_some() || self.revision == Revision::V2024_11_05)
            }
            _ if name.starts_with("tasks/") => ("tasks", capabilities.tasks.is_some()),
            _ => return Ok(()),
        };
        if declared {
            Ok(())
        } else {
            refuse(format!(
                "the server declared no capability \"{capability}\"; allow_undeclared(true) sends it all the same"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_protocol::ErrorCode;

    fn session() -> Session {
        Session::new(Implementation::new("t", "0"), Declared::default(), Revision::LATEST_HANDSHAKE)
    }

    fn initialized(json: &str) -> Step {
        session().answered(Ok(json.parse::<RawJson>().unwrap().into()))
    }

    fn server(json: &str) -> ServerInfo {
        match initialized(json) {
            Step::Ready { server, notify } => {
                assert_eq!(notify, "notifications/initialized");
                *server
            }
            other => panic!("ready, not {other:?}"),
        }
    }

    #[test]
    fn l_02_the_newest_revision_with_a_handshake_is_asked_for() {
        let Step::Request { method: "initialize", params } = session().start() else { panic!("initialize") };
        let params = params.to_value();
        assert_eq!(params["protocolVersion"], "2025-11-25");
        assert_eq!(params["capabilities"], serde_json::json!({}));
        assert_eq!(params["clientInfo"]["name"], "t");
    }

    #[test]
    fn case_lifecycle_001_null_capabilities_are_absent() {
        let server = server(
            r#"{"protocolVersion":"2025-06-18","capabilities":{"logging":null,"tools":{"listChanged":null},"resources":null},"serverInfo":{"name":"f","version":"1"},"instructions":null}"#,
        );
        assert!(server.check("tools/list").is_ok());
        assert_eq!(server.check("logging/setLevel").unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(server.check("resources/list").unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn l_06_an_older_revision_is_adopted() {
        let server =
            server(r#"{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"f","version":"1"}}"#);
        assert_eq!(server.revision, Revision::V2024_11_05);
        assert!(server.check("completion/complete").is_ok(), "2024-11-05 has no capability for completions");
    }

    #[test]
    fn l_05_an_unknown_version_is_an_error_that_names_both_sides() {
        for version in [r#""2031-01-01""#, r#""1.0""#, r#""2026-07-28""#] {
            let json = format!(
                r#"{{"protocolVersion":{version},"capabilities":{{}},"serverInfo":{{"name":"f","version":"1"}}}}"#
            );
            let Step::Fail(error) = initialized(&json) else { panic!("a failure") };
            assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
            assert!(
                error.to_string().contains(version.trim_matches('"')) && error.to_string().contains("2025-11-25"),
                "{error}"
            );
        }
    }

    #[test]
    fn case_lifecycle_005_a_refused_version_is_replaced_by_the_newest_that_the_error_lists() {
        let mut session = session();
        let refusal = || {
            ErrorObject::new(
                ErrorCode(-32000),
                "Bad Request: Unsupported protocol version (supported versions: 2025-06-18, 2025-03-26, 2024-11-05)",
            )
        };
        let Step::Request { params, .. } = session.answered(Err(refusal())) else { panic!("a second try") };
        assert_eq!(params.to_value()["protocolVersion"], "2025-06-18");
        let Step::Fail(error) = session.answered(Err(refusal())) else { panic!("one retry only") };
        assert_eq!(error.code(), Some(ErrorCode(-32000)));
    }

    #[test]
    fn an_error_that_is_not_about_versions_is_final() {
        let error = ErrorObject::new(ErrorCode::INTERNAL_ERROR, "no licence since 2025-06-18");
        assert!(matches!(session().answered(Err(error)), Step::Fail(_)));
    }

    #[test]
    fn g_04_a_method_that_the_revision_lacks_is_refused() {
        let server = server(
            r#"{"protocolVersion":"2025-03-26","capabilities":{"tools":{}},"serverInfo":{"name":"f","version":"1"}}"#,
        );
        let error = server.check("server/discover").unwrap_err();
        assert!(error.to_string().contains("2025-03-26"), "{error}");
        assert!(server.check("vendor/own").is_ok(), "methods outside the specification are the caller's business");
    }
}
