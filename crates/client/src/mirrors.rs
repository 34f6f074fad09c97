//! Which arguments of which tools the server wants to see in headers as well.
//!
//! Specification: 2026-07-28, basic/transports/streamable-http, custom headers from tool parameters.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::{HeaderMirrors, ItemProblem, ListToolsResult, RawJson, Tool, excerpt};

use crate::bounded::Bounded;

/// How many tools are remembered. The one that was not called or listed for longest is forgotten first; its next call
/// is refused by the server, and lists again.
const MAX_TOOLS: usize = 10_000;
/// How many bytes they may take together.
const MAX_BYTES: usize = 4 << 20;

/// The annotated tools of a server, as it listed them last.
#[derive(Debug)]
pub(crate) struct Mirrors(Mutex<Bounded<String, Arc<HeaderMirrors>>>);

impl Default for Mirrors {
    fn default() -> Self {
        Self(Mutex::new(Bounded::new(MAX_TOOLS, MAX_BYTES)))
    }
}

impl Mirrors {
    fn tools(&self) -> MutexGuard<'_, Bounded<String, Arc<HeaderMirrors>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is mirrored of a tool's arguments; none where it has no annotations or was never listed.
    pub(crate) fn of(&self, tool: &str) -> Option<Arc<HeaderMirrors>> {
        self.tools().get(&tool.to_owned()).cloned()
    }

    /// Leaves the tools with annotations that are not valid out of a page, says so among its problems and in the log,
    /// and remembers the annotations of the others.
    pub(crate) fn screen(&self, page: &mut ListToolsResult) {
        let mut index = 0;
        let problems = std::mem::take(&mut page.problems);
        let mut unreadable = problems.iter().map(|problem| problem.index).peekable();
        let mut invalid = Vec::new();
        page.tools.retain(|tool| {
            // Items that could not be read are not in the list; those behind them keep their place.
            while unreadable.next_if_eq(&index).is_some() {
                index += 1;
            }
            let refused = self.learn(tool);
            if let Some(reason) = &refused {
                let raw = RawJson::from_serialize(tool).unwrap_or(RawJson::NULL);
                invalid.push(ItemProblem::new(index, reason.as_str(), raw));
            }
            index += 1;
            refused.is_none()
        });
        page.problems = problems;
        page.problems.extend(invalid);
    }

    /// Remembers a tool's annotations, or says why they are not valid.
    fn learn(&self, tool: &Tool) -> Option<String> {
        match HeaderMirrors::of(&tool.input_schema) {
            Ok(mirrors) if mirrors.is_empty() => {
                self.tools().remove(&tool.name);
                None
            }
            Ok(mirrors) => {
                let weight = tool.name.len() + mirrors.weight() + 128;
                self.tools().insert(tool.name.clone(), Arc::new(mirrors), weight);
                None
            }
            Err(reason) => {
                self.tools().remove(&tool.name);
                tracing::warn!(tool = excerpt(&tool.name, 80), %reason, "left a tool out of the list");
                Some(reason.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bowline_protocol::ResultType;
    use bowline_testkit::Captured;
    use serde_json::json;

    use super::*;

    fn tool(name: &str, header: &str) -> serde_json::Value {
        let properties = json!({"p": {"type": "string", "x-mcp-header": header}});
        json!({"name": name, "inputSchema": {"type": "object", "properties": properties}})
    }

    fn page(tools: &serde_json::Value) -> ListToolsResult {
        ListToolsResult::decode(&RawJson::from(json!({ "tools": tools }))).unwrap()
    }

    #[test]
    fn h_17_a_tool_with_a_bad_annotation_is_left_out_and_the_others_stay() {
        let mirrors = Mirrors::default();
        let mut page =
            page(&json!([tool("a", "A"), {"title": "unreadable"}, tool("b", "b d"), tool("c", "C"), 7, tool("d", "")]));
        mirrors.screen(&mut page);
        assert_eq!(page.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        let mut problems: Vec<_> =
            page.problems.iter().map(|problem| (problem.index, problem.error.as_str())).collect();
        problems.sort_unstable();
        assert_eq!(problems.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 4, 5]);
        assert!(problems[1].1.contains("b d") && problems[3].1.contains("empty"), "{problems:?}");
        assert_eq!(page.problems.iter().find(|p| p.index == 2).unwrap().raw.to_value()["name"], "b");
        assert!(mirrors.of("a").is_some() && mirrors.of("b").is_none());
    }

    #[test]
    fn h_13_the_newest_list_wins() {
        let mirrors = Mirrors::default();
        let header = || mirrors.of("a").map(|mirrors| mirrors.iter().map(|m| m.header.clone()).collect::<Vec<_>>());
        for (tools, wanted) in [
            (json!([tool("a", "One")]), Some(vec![String::from("One")])),
            (json!([tool("a", "Two"), tool("z", "Z")]), Some(vec![String::from("Two")])),
            (json!([{"name": "a", "inputSchema": {}}]), None),
            (json!([tool("a", "Three")]), Some(vec![String::from("Three")])),
            (json!([tool("a", "not valid")]), None),
        ] {
            mirrors.screen(&mut page(&tools));
            assert_eq!(header(), wanted);
        }
    }

    #[test]
    fn h_19_the_log_names_the_tool_and_the_reason() {
        let captured = Captured::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(captured.writer())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            Mirrors::default().screen(&mut page(&json!([tool("fine", "A"), tool("broken", "a b")])));
        });
        let log = captured.text();
        assert!(log.contains("WARN") && log.contains("broken") && log.contains("no header name"), "{log}");
        assert!(!log.contains("fine"), "{log}");
    }
}
