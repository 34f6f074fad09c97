//! What becomes of the structured results of tools.

#[cfg(feature = "schema")]
mod schemas;
#[cfg(not(feature = "schema"))]
mod unchecked;

use bowline_protocol::{CallToolResult, JsonKind, Revision, excerpt, method};
use bowline_transport::Sent;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::events::Event;

#[cfg(feature = "schema")]
pub use schemas::OutputSchema;
#[cfg(feature = "schema")]
pub(crate) use schemas::Outputs;
#[cfg(not(feature = "schema"))]
pub(crate) use unchecked::Outputs;

/// What becomes of a tool's structured result that does not fit the tool's `outputSchema` (server/tools: clients
/// SHOULD validate).
///
/// A result with `is_error` is never checked, and a tool that was not listed has no schema here. Text and other
/// content is never looked at.
///
/// ```
/// use bowline_client::{Client, OutputSchemas};
///
/// let strict = Client::builder().output_schemas(OutputSchemas::Reject);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", expect(clippy::exhaustive_enums, reason = "one may refuse, tell or do nothing"))]
#[cfg_attr(not(feature = "schema"), expect(unreachable_pub, reason = "set with the feature `schema`"))]
pub enum OutputSchemas {
    /// The call fails with [`ErrorKind::Output`](crate::ErrorKind::Output); the result is in the error. A schema that
    /// cannot be used, and a check that comes to no verdict, are told as with [`Warn`](Self::Warn).
    Reject,
    /// The caller gets the result, and a warning is logged and told as [`Event::Output`](crate::Event::Output).
    #[default]
    Warn,
    /// The caller gets the result.
    Ignore,
}

/// What is wrong with a structured result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is not what it should be.
    Unfit(String),
    /// Nobody knows whether it is what it should be.
    #[cfg_attr(not(feature = "schema"), expect(dead_code, reason = "comes of checks"))]
    Unknown(String),
}

/// Whether there is nothing to look at in a result.
pub(crate) fn is_plain(client: &Client, tool: &str, result: &CallToolResult) -> bool {
    let outputs = &client.kept().outputs;
    // What failed has other things to tell than what its schema promises.
    !is_task(result)
        && (outputs.policy() == OutputSchemas::Ignore
            || result.is_error()
            || (result.structured_content.is_none() && !outputs.has(tool)))
}

/// Whether it is no result but the word of 2025-11-25 that there will be one, which nobody asked for.
fn is_task(result: &CallToolResult) -> bool {
    result.content.is_empty()
        && result.structured_content.is_none()
        && !result.is_error()
        && result.extra.get("task").is_some_and(|task| task.get("taskId").is_some())
}

/// Looks at the structured part of a result before the caller gets it.
pub(crate) async fn judge(client: &Client, tool: &str, result: CallToolResult) -> Result<CallToolResult, Error> {
    if is_plain(client, tool, &result) {
        return Ok(result);
    }
    if is_task(&result) {
        let what = "the server carries the call on as a task, which was not asked for, and gave no result; report it to \
                    the server's makers";
        return Err(Error::new(ErrorKind::Protocol, what).with_sent(Sent::Yes).with_method(method::TOOLS_CALL));
    }
    let outputs = &client.kept().outputs;
    let policy = outputs.policy();
    let problem = match kind_problem(&result, client.server().revision) {
        None => outputs.check(tool, &result).await,
        problem => problem,
    };
    let problem = match problem {
        None => return Ok(result),
        Some(Problem::Unfit(problem)) if policy == OutputSchemas::Reject => {
            let message = format!("the tool \"{}\" broke its promise: {problem}", excerpt(tool, 80));
            return Err(Error::output(message, result).with_method(method::TOOLS_CALL));
        }
        Some(Problem::Unfit(problem) | Problem::Unknown(problem)) => problem,
    };
    tracing::warn!(tool = %excerpt(tool, 80), problem, "a structured result is not what it should be");
    client.supervisor().emit(|| Event::Output { tool: tool.to_owned(), problem });
    Ok(result)
}

/// Until 2025-11-25 structured content is an object; since 2026-07-28 it is any value (schema, CallToolResult).
fn kind_problem(result: &CallToolResult, revision: Revision) -> Option<Problem> {
    let kind = result.structured_content.as_ref()?.kind();
    (kind != JsonKind::Object && !revision.has_any_structured_content())
        .then(|| Problem::Unfit(format!("structuredContent is {kind}, and {revision} has objects alone there")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_04_t_05_structured_content_is_an_object_until_2025_11_25() {
        for (json, kind) in [("null", "null"), ("[1]", "an array"), ("7", "a number"), ("\"x\"", "a string")] {
            let result: CallToolResult =
                serde_json::from_str(&format!(r#"{{"content":[],"structuredContent":{json}}}"#)).unwrap();
            assert_eq!(result.structured_content.as_ref().unwrap().as_str(), json);
            for revision in [Revision::V2025_06_18, Revision::V2025_11_25] {
                let Some(Problem::Unfit(problem)) = kind_problem(&result, revision) else { panic!("{json}") };
                assert!(problem.contains(kind) && problem.contains(revision.as_str()), "{problem}");
            }
            assert_eq!(kind_problem(&result, Revision::V2026_07_28), None);
        }
        let absent: CallToolResult = serde_json::from_str(r#"{"content":[]}"#).unwrap();
        assert_eq!(absent.structured_content, None);
        assert_eq!(kind_problem(&absent, Revision::V2025_06_18), None);
        let object: CallToolResult = serde_json::from_str(r#"{"structuredContent":{}}"#).unwrap();
        assert_eq!(kind_problem(&object, Revision::V2025_06_18), None);
    }
}
