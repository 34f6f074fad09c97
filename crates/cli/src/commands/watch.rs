//! `bowline watch`: changes as they come.

use std::time::Duration;

use bowline::protocol::{Era, SubscriptionFilter};
use bowline::{Change, Client, ErrorKind, Event, Subscription, SubscriptionEnd};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::exit::{CliError, Code, Stop};
use crate::options::{Format, Watch};
use crate::output::Output;
use crate::sanitize;
use crate::session::{Logs, Run, log_line};
use crate::styled::Styled;

pub(crate) async fn run(options: Watch, run: &Run, out: &mut Output) -> Result<(), Stop> {
    if let Some(configured) = &options.server.configured {
        options.uris.iter().try_for_each(|uri| configured.permit_resource(uri))?;
    }
    run.with_server(&options.server, Logs::Command, async |client| {
        let mut events = client.events();
        let mut subscriptions = subscribe(client, &options.uris, run).await?;
        run.console.note("watching; Ctrl-C ends it");
        let mut left = options.count;
        let mut end = std::pin::pin!(sleep(options.for_time.unwrap_or(Duration::MAX)));
        while left != Some(0) {
            let news = tokio::select! {
                // What is told before the end of a subscription is printed before it.
                biased;
                event = events.next() => match event {
                    None => return Err(closed("it ended").into()),
                    Some(Event::Closed(error)) => return Err(closed(&error.to_string()).into()),
                    Some(event) => describe(&event),
                },
                told = subscriptions.next() => match told {
                    Told::Resumed(of) => Some((
                        Styled::new().bold("resumed").plain(format!(" {of}; what changed in between was not told")),
                        json!({"event": "resumed", "of": of}),
                    )),
                    Told::Ended(of) => {
                        run.console.note(format!("the server ended the subscription to {of}"));
                        if subscriptions.are_over() && client.server().revision.era() == Era::Stateless {
                            return Ok(());
                        }
                        None
                    }
                    Told::Lost(why) => return Err(CliError::new(Code::Connect, why).into()),
                },
                () = &mut end => return Ok(()),
            };
            let Some((text, json)) = news else { continue };
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

/// What the server was asked to tell.
#[derive(Default)]
struct Subscriptions {
    lists: Option<Subscription>,
    resources: Option<Subscription>,
}

/// What became of a subscription; its changes are events as well.
enum Told {
    Resumed(&'static str),
    Ended(&'static str),
    Lost(String),
}

/// Asks for the changes of the lists and of these resources. Says on standard error what the server did not grant.
async fn subscribe(client: &Client, uris: &[String], run: &Run) -> Result<Subscriptions, Stop> {
    let mut subscriptions = Subscriptions::default();
    if !uris.is_empty() {
        let filter = SubscriptionFilter::new().with_resource_subscriptions(uris.to_vec());
        let resources = client.listen(filter).await?;
        for uri in resources.refused().resource_subscriptions.iter().flatten() {
            run.console.warn(format!("the server will not tell when {} changes", sanitize::line(uri)));
        }
        subscriptions.resources = Some(resources);
    }
    match client.changes().await {
        Ok(lists) => {
            let refused = lists.refused();
            for (list, is_refused) in [
                ("tools", refused.tools_list_changed),
                ("prompts", refused.prompts_list_changed),
                ("resources", refused.resources_list_changed),
            ] {
                if is_refused == Some(true) {
                    run.console.warn(format!("the server will not tell when its list of {list} changes"));
                }
            }
            subscriptions.lists = Some(lists);
        }
        // Without a session nothing else can come. In one, servers tell more than they declare.
        Err(error) if uris.is_empty() && client.server().revision.era() == Era::Stateless => return Err(error.into()),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            run.console.detail(format!("the lists are not watched: {error}"));
        }
        Err(error) => run.console.warn(format!("the lists are not watched: {error}")),
    }
    Ok(subscriptions)
}

impl Subscriptions {
    const fn are_over(&self) -> bool {
        self.lists.is_none() && self.resources.is_none()
    }

    /// The next that is no change; waits for ever where there is nothing left.
    async fn next(&mut self) -> Told {
        tokio::select! {
            told = next(&mut self.lists, "lists") => told,
            told = next(&mut self.resources, "resources") => told,
        }
    }
}

async fn next(subscription: &mut Option<Subscription>, of: &'static str) -> Told {
    loop {
        let Some(open) = subscription else { return std::future::pending().await };
        match open.next().await {
            Some(Change::Resumed) => return Told::Resumed(of),
            Some(_) => continue,
            None => {}
        }
        let told = match open.ended() {
            Some(SubscriptionEnd::Server) => Some(Told::Ended(of)),
            // The connection itself tells its end.
            Some(SubscriptionEnd::Closed) | None => None,
            Some(end) => Some(Told::Lost(end.to_string())),
        };
        *subscription = None;
        if let Some(told) = told {
            return told;
        }
    }
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
