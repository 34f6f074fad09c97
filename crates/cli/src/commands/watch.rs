//! `bowline watch`: changes as they come.

use std::time::Duration;

use bowline::Event;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::exit::{CliError, Code, Stop};
use crate::options::{Format, Watch};
use crate::output::Output;
use crate::sanitize;
use crate::session::{Logs, Run, log_line};
use crate::styled::Styled;

pub(crate) async fn run(options: Watch, run: &Run, out: &mut Output) -> Result<(), Stop> {
    run.with_server(&options.server, Logs::Command, async |client| {
        let mut events = client.events();
        for uri in &options.uris {
            client.subscribe(uri.as_str()).await?;
        }
        run.console.note("watching; Ctrl-C ends it");
        let mut left = options.count;
        let mut end = std::pin::pin!(sleep(options.for_time.unwrap_or(Duration::MAX)));
        while left != Some(0) {
            let event = tokio::select! {
                event = events.next() => event,
                () = &mut end => return Ok(()),
            };
            let Some(event) = event else { return Err(closed("it ended").into()) };
            if let Event::Closed(error) = &event {
                return Err(closed(&error.to_string()).into());
            }
            let Some((text, json)) = describe(&event) else { continue };
            match out.format() {
                Format::Json => out.json_line(&json)?,
                _ => out.text(&text.line())?,
            }
            left = left.map(|left| left - 1);
        }
        Ok(())
    })
    .await
}

fn closed(reason: &str) -> CliError {
    CliError::new(Code::Connect, format!("the server ended the connection: {reason}"))
}

/// An event as a line of text and as a JSON document; none for what is no news.
fn describe(event: &Event) -> Option<(Styled, Value)> {
    let plain = |text: &str, json: Value| Some((Styled::new().bold(text), json));
    match event {
        Event::Log(log) => {
            Some((log_line(log), json!({"event": "log", "level": log.level, "logger": log.logger, "data": log.data})))
        }
        Event::ToolsChanged => plain("tools changed", json!({"event": "tools-changed"})),
        Event::ResourcesChanged => plain("resources changed", json!({"event": "resources-changed"})),
        Event::PromptsChanged => plain("prompts changed", json!({"event": "prompts-changed"})),
        Event::ResourceUpdated { uri } => Some((
            Styled::new().bold("resource updated").plain(format!(" {}", sanitize::line(uri))),
            json!({"event": "resource-updated", "uri": uri}),
        )),
        Event::Notification { method, params } => {
            let shown = params
                .as_ref()
                .map(|params| format!(" {}", sanitize::excerpt(params.as_str(), 500)))
                .unwrap_or_default();
            Some((
                Styled::new().bold("notification").plain(format!(" {}{shown}", sanitize::line(method))),
                json!({"event": "notification", "method": method, "params": params}),
            ))
        }
        Event::Lagged(count) => {
            plain(&format!("{count} events were lost: they came too fast"), json!({"event": "lagged", "count": count}))
        }
        _ => None,
    }
}
