//! The decoders.

use bowline::config::{Configuration, Host, Resolver, Surroundings, System};
use bowline::form::Form;
use bowline::llm::{Format, LoweredSchema, Request, SchemaTarget};
use bowline::protocol::frame::{self, Incoming, Message};
use bowline::protocol::{
    CallToolRequestParams, CallToolResult, CancelledNotificationParams, CompleteRequestParams, CompleteResult,
    CreateMessageRequestParams, CreateMessageResult, CreateTaskResult, DiscoverResult, ElicitRequestParams,
    ElicitResult, ElicitationSchema, Entries, GetPromptRequestParams, GetPromptResult, GetTaskResult, HeaderMirrors,
    IconFormat, IconLimits, InitializeRequestParams, InitializeResult, InputRequiredResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListRootsResult, ListTasksResult, ListToolsResult,
    LoggingMessageNotificationParams, ProgressNotificationParams, RawJson, ReadResourceRequestParams,
    ReadResourceResult, Root, SubscriptionsAcknowledgedNotificationParams, SubscriptionsListenRequestParams,
    TaskStatusNotificationParams, Tool, TraceContext, UriTemplate, VisitUrl,
};
use bowline_event_stream::Decoder;
use bowline_testkit::{Cassette, Redaction, Script};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::corpus::Corpus;
use crate::lines::lines;

/// A decoder of foreign bytes.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) corpus: Corpus,
    pub(crate) run: fn(&[u8]),
}

pub(crate) const ALL: &[Target] = &[
    Target { name: "envelope", corpus: Corpus::Messages, run: envelope },
    Target { name: "messages", corpus: Corpus::Messages, run: messages },
    Target { name: "lines", corpus: Corpus::Streams, run: lines },
    Target { name: "answers", corpus: Corpus::Answers, run: answers },
    Target { name: "event-stream", corpus: Corpus::Events, run: event_stream },
    Target { name: "headers", corpus: Corpus::Headers, run: headers },
    Target { name: "mirrors", corpus: Corpus::Messages, run: mirrors },
    Target { name: "forms", corpus: Corpus::Messages, run: forms },
    Target { name: "uris", corpus: Corpus::Uris, run: uris },
    Target { name: "templates", corpus: Corpus::Templates, run: templates },
    Target { name: "icons", corpus: Corpus::Uris, run: icons },
    Target { name: "cassette", corpus: Corpus::Cassettes, run: cassette },
    Target { name: "redaction", corpus: Corpus::Messages, run: redaction },
    Target { name: "script", corpus: Corpus::Messages, run: script },
    Target { name: "configuration", corpus: Corpus::Configurations, run: configuration },
    Target { name: "models", corpus: Corpus::Models, run: models },
    Target { name: "tool-schemas", corpus: Corpus::Models, run: tool_schemas },
];

fn envelope(input: &[u8]) {
    let frame = Bytes::copy_from_slice(input);
    let whole = frame::decode(&frame);
    let lazy = frame::decode_lazily(&frame);
    // What is read in full is read the same where the result is left for later.
    if whole.is_ok() {
        assert!(lazy.is_ok(), "decoded at once, and not lazily");
    }
    let members = match lazy {
        Ok(Incoming::Message(message)) => vec![message],
        Ok(Incoming::Batch(members)) => members.into_iter().flatten().collect(),
        Err(error) => return drop(error.to_string()),
    };
    for member in members {
        match member {
            Message::Response(response) => {
                if let Ok(payload) = response.outcome {
                    drop(payload.kind());
                    drop(payload.decode::<ListToolsResult>());
                    drop(payload.into_raw());
                }
            }
            Message::Request(request) => {
                let line =
                    frame::encode_request(&request.id, request.method.as_str(), request.params.as_ref(), None, None);
                assert!(frame::decode(&line).is_ok(), "a request that was read cannot be read again");
            }
            Message::Notification(notification) => {
                let line = frame::encode_notification(notification.method.as_str(), notification.params.as_ref(), None);
                assert!(frame::decode(&line).is_ok(), "a notification that was read cannot be read again");
            }
        }
    }
}

/// What can be read can be written, and read again.
fn round<T: DeserializeOwned + Serialize>(input: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(input) {
        let text = serde_json::to_string(&value).unwrap_or_else(|error| panic!("it cannot be written: {error}"));
        if let Err(error) = serde_json::from_str::<T>(&text) {
            panic!("what was written cannot be read: {error}: {text:.300}");
        }
    }
}

fn messages(input: &[u8]) {
    round::<CallToolRequestParams>(input);
    round::<CallToolResult>(input);
    round::<CancelledNotificationParams>(input);
    round::<CompleteRequestParams>(input);
    round::<CompleteResult>(input);
    round::<CreateMessageRequestParams>(input);
    round::<CreateMessageResult>(input);
    round::<CreateTaskResult>(input);
    round::<DiscoverResult>(input);
    round::<ElicitRequestParams>(input);
    round::<ElicitResult>(input);
    round::<GetPromptRequestParams>(input);
    round::<GetPromptResult>(input);
    round::<GetTaskResult>(input);
    round::<InitializeRequestParams>(input);
    round::<InitializeResult>(input);
    round::<InputRequiredResult>(input);
    round::<ListPromptsResult>(input);
    round::<ListResourceTemplatesResult>(input);
    round::<ListResourcesResult>(input);
    round::<ListRootsResult>(input);
    round::<ListTasksResult>(input);
    round::<ListToolsResult>(input);
    round::<LoggingMessageNotificationParams>(input);
    round::<ProgressNotificationParams>(input);
    round::<ReadResourceRequestParams>(input);
    round::<ReadResourceResult>(input);
    round::<Root>(input);
    round::<SubscriptionsAcknowledgedNotificationParams>(input);
    round::<SubscriptionsListenRequestParams>(input);
    round::<TaskStatusNotificationParams>(input);
    round::<Tool>(input);
}

/// Answers of HTTP/1.1.
fn answers(input: &[u8]) {
    let read = |piece| bowline_http::read_answer(input, piece).ok();
    // However the bytes were cut on their way.
    let whole = read(input.len());
    assert_eq!(whole, read(1), "pieces make a difference");
    assert_eq!(whole, read(7), "pieces make a difference");
}

fn event_stream(input: &[u8]) {
    let events = |piece: usize| {
        let mut decoder = Decoder::new(4 << 10);
        let mut events = Vec::new();
        for chunk in input.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(chunk));
            loop {
                match decoder.next_event() {
                    Ok(Some(event)) => events.push(event),
                    Ok(None) => break,
                    Err(_) => return None,
                }
            }
        }
        Some(events)
    };
    // However the bytes were cut on their way.
    let whole = events(input.len().max(1));
    assert_eq!(whole, events(1), "pieces make a difference");
    assert_eq!(whole, events(7), "pieces make a difference");
}

fn headers(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let value = text.split_once(": ").map_or(text, |(_, value)| value);
    let trace = TraceContext::new().with_traceparent(value).with_tracestate(value).with_baggage(value);
    let mut meta = bowline::protocol::Meta::new();
    meta.set_trace_context(&trace);
    let _ = meta.malformed_trace_key();
}

fn mirrors(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(raw) = text.parse::<RawJson>() else { return };
    if let Ok(mirrors) = HeaderMirrors::of(&raw) {
        drop(mirrors.read(&raw));
    }
}

fn forms(input: &[u8]) {
    let Ok(schema) = serde_json::from_slice::<ElicitationSchema>(input) else { return };
    let Ok(mut form) = Form::new(&schema) else { return };
    drop(form.defaults());
    let names: Vec<String> = form.fields().iter().map(|field| field.name.clone()).collect();
    for name in names {
        for text in ["", "1", "-0.5", "true", "a@b.example", "2025-01-01", "x,y", "\u{202e}"] {
            drop(form.set_text(&name, text));
        }
        drop(form.set(&name, serde_json::json!([1])));
        drop(form.leave_out(&name));
    }
    drop(form.finish());
}

fn uris(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    drop(VisitUrl::parse(text).map(|url| (url.warnings().len(), url.as_str().len())));
    drop(bowline::Target::parse(text).map_err(|error| error.to_string()));
    let _ = bowline::Target::is_url(text);
    let root: Result<Root, _> = serde_json::from_value(serde_json::json!({ "uri": text }));
    drop(root);
}

fn templates(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(template) = text.parse::<UriTemplate>() else { return };
    let mut values = Entries::default();
    let names: Vec<String> = template.variables().map(str::to_owned).collect();
    for name in names {
        values.insert(name, bowline::protocol::TemplateValue::from("a b/c?é"));
    }
    drop(template.expand(&values));
}

fn icons(input: &[u8]) {
    let _ = IconFormat::sniff(input);
    drop(IconFormat::check(input, Some("image/png"), IconLimits::default()));
    let Ok(text) = std::str::from_utf8(input) else { return };
    let icon: Result<bowline::protocol::Icon, _> = serde_json::from_value(serde_json::json!({ "src": text }));
    if let Ok(icon) = icon {
        drop(icon.source(Some("https://a.example"), &[], 1 << 20));
    }
}

fn cassette(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let whole = Cassette::parse(text);
    let cut = Cassette::parse_cut(text);
    if let Ok(cassette) = &whole {
        assert!(cut.is_ok(), "a whole cassette is no good as one that was cut");
        let _ = cassette.requests();
    }
    if let Err(error) = whole {
        assert!(error.line() <= text.lines().count().max(1), "line {} of {}", error.line(), text.lines().count());
    }
    if let Ok(cassette) = cut {
        drop(cassette.player().report());
    }
}

fn redaction(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let clean = Redaction::new().value("a").name("type").apply(text).into_owned();
    if text.parse::<RawJson>().is_ok() {
        assert!(clean.parse::<RawJson>().is_ok(), "it is no json any more: {clean:.300}");
        assert_eq!(Redaction::none().apply(text), text);
    }
}

fn script(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    drop(Script::from_json(text));
}

/// Files of every host: read by the rules of each syntax, put together, resolved and told about.
fn configuration(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for (host, name) in [
        (Host::Generic, "f.json"),
        (Host::Generic, "f.yaml"),
        (Host::Generic, "f.toml"),
        (Host::ClaudeCode, "f.json"),
        (Host::Bowline, "f.toml"),
        (Host::Goose, "f.yaml"),
    ] {
        let config = Configuration::read(host, name, &text);
        let resolver = Resolver::new(Surroundings::new(System::Linux).with_env("KEY", "value"));
        for server in config.servers() {
            // Files that variables name are none of the fuzzer's business.
            if server.variables().all(|variable| variable.source == bowline::config::VariableSource::Environment) {
                drop(server.resolve(&resolver).map_err(|error| error.to_string()));
            }
            drop(format!("{server:?}"));
        }
        for problem in config.problems() {
            assert!(!problem.to_string().contains('\n'), "a problem on more than one line");
        }
    }
}

/// A model's streamed answer, in each format: an event a line.
fn models(input: &[u8]) {
    for format in Format::ALL {
        let Ok(encoded) = bowline::llm::Target::new(format, "model").encode(&Request::default()) else { continue };
        let mut assembler = encoded.assembler();
        for line in input.split(|byte| *byte == b'\n') {
            let data = line.strip_prefix(b"data: ").unwrap_or(line);
            if let Err(error) = assembler.push("", data) {
                let told = error.to_string();
                assert!(!told.contains('\n') && told.len() < 2000, "an error is one line: {told:.300}");
                break;
            }
        }
        drop(assembler.end());
        drop(encoded.decode(input));
    }
}

/// A tool's schema, as each provider takes it.
fn tool_schemas(input: &[u8]) {
    let Ok(schema) = serde_json::from_slice::<RawJson>(input) else { return };
    for target in SchemaTarget::ALL {
        let lowered = LoweredSchema::new(&schema, target);
        assert!(lowered.schema.get("properties").is_some_and(serde_json::Value::is_object), "an object has properties");
    }
}
