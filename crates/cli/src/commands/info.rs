//! `bowline info`: what a server says about itself, or about one of its tools.

use bowline::protocol::{Era, RawJson, Revision, Tool};
use bowline::{Client, ServerInfo};
use serde::Serialize;
use serde_json::{Value, json};

use super::{find, server_name};
use crate::exit::{CliError, Code, Stop};
use crate::options::{Format, Info};
use crate::output::Output;
use crate::render;
use crate::sanitize;
use crate::session::{Logs, Run};
use crate::styled::Styled;
use crate::suggest;

pub(crate) async fn run(options: Info, run: &Run, out: &mut Output) -> Result<(), Stop> {
    run.with_server(&options.server, Logs::Console, async |client| {
        let Some(name) = &options.tool else { return about_server(&client.server(), out) };
        let tool = find(client.tools(), name, |tool| &tool.name).await?;
        let tool = tool.map_err(|known| unknown_tool(name, &known, client))?;
        if options.schema {
            return out.json(&Schemas { input_schema: &tool.input_schema, output_schema: tool.output_schema.as_ref() });
        }
        if options.input_schema {
            return out.json(&tool.input_schema);
        }
        if options.output_schema {
            return out.json(&tool.output_schema);
        }
        match out.format() {
            Format::Json => out.json(&tool),
            _ => out.long_text(&about_tool(&tool)),
        }
    })
    .await
}

/// Both schemas of a tool; `null` where it has no schema for its result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schemas<'a> {
    input_schema: &'a RawJson,
    output_schema: Option<&'a RawJson>,
}

/// The error for a tool that the server does not list.
pub(super) fn unknown_tool(name: &str, known: &[String], client: &Client) -> CliError {
    let hint = suggest::did_you_mean(name, known.iter().map(String::as_str)).map_or_else(
        || "`bowline list` shows its tools".to_owned(),
        |hint| format!("{hint} `bowline list` shows all its tools"),
    );
    CliError::new(Code::Tool, format!("the server `{}` has no tool `{}`", server_name(client), sanitize::line(name)))
        .hint(sanitize::line(&hint))
}

fn about_server(server: &ServerInfo, out: &mut Output) -> Result<(), Stop> {
    if out.format() == Format::Json {
        let mut document = json!({
            "protocolVersion": server.revision.as_str(),
            "era": era(server.revision),
            "supportedVersions": server.supported_versions,
            "serverInfo": server.info,
            "capabilities": server.capabilities,
            "deprecated": deprecated(server),
        });
        if let (Some(instructions), Some(members)) = (&server.instructions, document.as_object_mut()) {
            members.insert("instructions".to_owned(), instructions.as_str().into());
        }
        return out.json(&document);
    }
    let mut text = Styled::new()
        .bold(sanitize::line(&server.info.name))
        .plain(format!(" {}", sanitize::line(&server.info.version)));
    if let Some(title) = &server.info.title {
        text = text.dim(format!(" ({})", sanitize::line(title)));
    }
    let how = match server.revision.era() {
        Era::Handshake => "with a handshake",
        _ => "without sessions",
    };
    text = text.line().dim("revision      ").plain(format!("{}, {how}", server.revision)).line();
    let others: Vec<String> = server.supported_versions.iter().map(|version| sanitize::line(version)).collect();
    if !others.is_empty() {
        text = text.dim("speaks        ").plain(others.join(", ")).line();
    }
    let capabilities = serde_json::to_value(&server.capabilities).unwrap_or_default();
    text = text.dim("capabilities  ").plain(words(&capabilities)).line();
    let deprecated = deprecated(server);
    if !deprecated.is_empty() {
        text = text.dim("deprecated    ").plain(deprecated.join(", ")).line();
    }
    if let Some(instructions) = &server.instructions {
        text = text.dim("instructions").line().plain(indented(instructions)).line();
    }
    out.long_text(&text)
}

/// The era of a revision as one word.
fn era(revision: Revision) -> &'static str {
    match revision.era() {
        Era::Handshake => "handshake",
        _ => "stateless",
    }
}

/// What is in use that the newest revision has deprecated or no longer has (2026-07-28, deprecated features).
fn deprecated(server: &ServerInfo) -> Vec<&'static str> {
    let mut found = Vec::new();
    if server.revision.era() == Era::Handshake {
        found.push("sessions (initialize)");
    }
    if server.capabilities.logging.is_some() {
        found.push("logging");
    }
    if server.capabilities.tasks.is_some() {
        found.push("tasks of 2025-11-25");
    }
    if server.capabilities.resources.as_ref().is_some_and(|r| r.subscribe()) && server.revision.era() == Era::Handshake
    {
        found.push("resources/subscribe");
    }
    found
}

/// Capabilities with the parts that are switched on: `tools (listChanged), logging`.
fn words(capabilities: &Value) -> String {
    let Some(members) = capabilities.as_object().filter(|members| !members.is_empty()) else {
        return "none".to_owned();
    };
    let one = |(name, details): (&String, &Value)| {
        let on: Vec<&str> = details
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| **value != Value::Bool(false))
            .map(|(key, _)| key.as_str())
            .collect();
        let name = sanitize::line(name);
        if on.is_empty() { name } else { format!("{name} ({})", sanitize::line(&on.join(", "))) }
    };
    members.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn about_tool(tool: &Tool) -> Styled {
    let value = serde_json::to_value(tool).unwrap_or_default();
    let entry = render::tool_line(tool);
    let mut text = Styled::new().bold(sanitize::line(&entry.name)).plain(sanitize::line(&entry.rest)).line();
    if let Some(title) = &tool.title {
        text = text.dim(sanitize::line(title)).line();
    }
    if let Some(description) = &tool.description {
        text = text.line().plain(description.trim_end()).line();
    }
    let described: Vec<(String, String)> = value
        .pointer("/inputSchema/properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| Some((sanitize::line(name), sanitize::line(schema.get("description")?.as_str()?))))
        .collect();
    if !described.is_empty() {
        text = text.line();
        for (name, description) in described {
            text = text.plain("  ").bold(name).plain(format!(": {description}")).line();
        }
    }
    if let Some(hints) = value.get("annotations").and_then(Value::as_object).filter(|hints| !hints.is_empty()) {
        let hints: Vec<String> = hints.iter().map(|(key, value)| sanitize::line(&format!("{key}: {value}"))).collect();
        text = text.line().dim(format!("it says of itself: {}", hints.join(", "))).line();
    }
    text
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_read_as_words() {
        let capabilities = json!({"tools": {"listChanged": true}, "logging": {}, "resources": {"subscribe": true, "listChanged": false}});
        assert_eq!(words(&capabilities), "tools (listChanged), logging, resources (subscribe)");
        assert_eq!(words(&json!({})), "none");
    }
}
