//! `bowline guard`: what servers may do.

mod accept;

use bowline::guard::{Answer, PinKind, Pins, Questions, Remembered, Subject};
use bowline::protocol::{RawJson, ToolAnnotations, excerpt};
use bowline::store::{EmbeddedStore, StoreError};
use serde_json::{Value, json};

use super::given;
use crate::configured;
use crate::exit::{CliError, Code, Stop};
use crate::guarded::{self, Named};
use crate::options::{Answers, Decide, Definitions, Explain, Format, Guard, GuardCommand};
use crate::output::Output;
use crate::sanitize;
use crate::schema::Schema;
use crate::session::Run;
use crate::styled::Styled;

pub(crate) async fn run(options: Guard, run: &Run, out: &mut Output) -> Result<(), Stop> {
    match options.command {
        GuardCommand::Explain(options) => explain(&options, run, out),
        GuardCommand::Pins(options) => pins(options.server.as_deref(), run, out),
        GuardCommand::Accept(options) => Box::pin(accept::run(options, run, out)).await,
        GuardCommand::Forget(options) => forget(&options, run, out).await,
        GuardCommand::Pending => pending(run, out).await,
        GuardCommand::Approve(options) => {
            let answer = if options.always { Answer::Always } else { Answer::Allow };
            decide(&options, answer, run, out).await
        }
        GuardCommand::Deny(options) => {
            let answer = if options.always { Answer::Never } else { Answer::Deny };
            decide(&options, answer, run, out).await
        }
        GuardCommand::Answers(options) => answers(&options, run, out).await,
    }
}

fn explain(options: &Explain, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let policy = guarded::policy(&run.global)?;
    let built = given(&options.given)?.build(&options.tool, Schema::new(&Value::Null))?;
    let arguments = serde_json::to_value(&built.members).unwrap_or_default();
    let params = match options.method.as_str() {
        "tools/call" | "prompts/get" => json!({"name": options.tool, "arguments": arguments}),
        _ => arguments,
    };
    let params = RawJson::from(params);
    let annotations = options.read_only.then(|| ToolAnnotations::new().with_read_only_hint(true));
    let caller = guarded::caller(&run.global);
    let entry = configured::load(&run.global.config).server(&options.server).ok().and_then(|server| server.trust);
    let is_trusted = run.global.trust || entry.unwrap_or_else(|| policy.trusts(&options.server));
    let subject = Subject::of(&options.server, &options.method, Some(&options.tool))
        .with_params(&params)
        .with_caller(caller.as_deref())
        .with_annotations(annotations.as_ref(), options.read_only || is_trusted);
    let explained = policy.explain(&subject);
    if out.format() == Format::Json {
        return out.json(&explained);
    }
    let mut text = Styled::new();
    for line in explained.to_string().lines() {
        text = text.plain(line).line();
    }
    out.text(&text)
}

fn the_pins(run: &Run) -> Result<&Pins, CliError> {
    run.guard()?
        .pins()
        .ok_or_else(|| CliError::usage("there is no folder for pins").hint("name a file with --lock FILE"))
}

/// What pins or answers of a server are kept under that is named: by a configuration, or as it is shown here.
fn key_of(server: &str, run: &Run, key: impl FnOnce(&Named<'_>) -> String) -> String {
    let config = configured::load(&run.global.config);
    config.server(server).map_or_else(|_| server.to_owned(), |found| key(&Named::Configured(found, None)))
}

fn pins(server: Option<&str>, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let key = server.map(|server| key_of(server, run, |named| named.key(&run.global)));
    let servers = the_pins(run)?.servers();
    let servers: Vec<_> =
        servers.into_iter().filter(|found| key.as_ref().is_none_or(|wanted| found.key == *wanted)).collect();
    if out.format() == Format::Json {
        let all = servers.iter().map(|server| {
            let pins = server
                .pins
                .iter()
                .map(|(kind, name, hash, since)| json!({"kind": kind, "name": name, "hash": hash, "since": since}));
            json!({
                "server": server.key, "identity": server.identity, "name": server.name, "version": server.version,
                "pins": pins.collect::<Vec<_>>(),
            })
        });
        return out.json(&all.collect::<Vec<_>>());
    }
    let mut text = Styled::new();
    for server in &servers {
        let version = server.version.as_deref().map(|version| format!(" {}", sanitize::excerpt(version, 40)));
        let name = server
            .name
            .as_deref()
            .map(|name| format!("  {}{}", sanitize::excerpt(name, 80), version.unwrap_or_default()));
        text = text.bold(sanitize::line(&server.key)).dim(name.unwrap_or_default()).line();
        for (kind, name, hash, since) in &server.pins {
            let hash = hash.get(..12).unwrap_or(hash);
            text =
                text.plain(format!("  {kind} {}", sanitize::line(name))).dim(format!("  {hash} since {since}")).line();
        }
    }
    out.long_text(&text)
}

async fn forget(options: &Definitions, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let pins = the_pins(run)?;
    let key = Named::of(&options.of).key(&run.global);
    let failed = |error: bowline::guard::PinsError| CliError::new(Code::Unexpected, error.to_string());
    let before: usize = pins.servers().iter().filter(|server| server.key == key).map(|server| server.pins.len()).sum();
    if options.names.is_empty() {
        pins.forget(&key, None).await.map_err(failed)?;
    }
    for name in &options.names {
        for kind in PinKind::ALL.iter().copied() {
            pins.forget(&key, Some((kind, name))).await.map_err(failed)?;
        }
    }
    let after: usize = pins.servers().iter().filter(|server| server.key == key).map(|server| server.pins.len()).sum();
    let forgotten = before.saturating_sub(after);
    if out.format() == Format::Json {
        return out.json(&json!({"server": key, "forgotten": forgotten}));
    }
    let s = if forgotten == 1 { "" } else { "s" };
    out.text(&Styled::new().plain(format!("{forgotten} pin{s} of {} forgotten", sanitize::line(&key))).line())
}

fn store(run: &Run) -> Result<EmbeddedStore, CliError> {
    run.store().ok_or_else(|| CliError::usage("there is no folder for answers").hint("set BOWLINE_STATE_DIR"))
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::new(Code::Unexpected, error.to_string())
    }
}

async fn pending(run: &Run, out: &mut Output) -> Result<(), Stop> {
    let pending = Questions::new(store(run)?).pending().await.map_err(CliError::from)?;
    if out.format() == Format::Json {
        return out.json(&pending);
    }
    let mut text = Styled::new();
    for one in &pending {
        let question = &one.question;
        text = text.bold(sanitize::line(&one.id)).plain(format!("  {}", sanitize::line(&question.title()))).line();
        text.append(guarded::details(question));
    }
    out.text(&text)
}

async fn decide(options: &Decide, answer: Answer, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let questions = Questions::new(store(run)?);
    if !questions.answer(&options.id, answer).await.map_err(CliError::from)? {
        return Err(CliError::usage(format!("no call waits under `{}`", sanitize::line(&options.id)))
            .hint("`bowline guard pending` shows those that do")
            .into());
    }
    if out.format() == Format::Json {
        return out.json(&json!({"id": options.id, "answer": answer}));
    }
    out.text(&Styled::new().plain(format!("{}: {}", sanitize::line(&options.id), answer.name())).line())
}

async fn answers(options: &Answers, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let remembered = Remembered::in_store(store(run)?);
    let key = options.server.as_deref().map(|server| key_of(server, run, |named| named.answers_key()));
    if options.forget {
        let forgotten = remembered.forget(key.as_deref()).await.map_err(CliError::from)?;
        if out.format() == Format::Json {
            return out.json(&json!({"forgotten": forgotten}));
        }
        let s = if forgotten == 1 { "" } else { "s" };
        return out.text(&Styled::new().plain(format!("{forgotten} answer{s} forgotten")).line());
    }
    let mut all = remembered.all().await.map_err(CliError::from)?;
    // As it stands in what is kept.
    let key = key.map(|key| excerpt(&key, 200));
    all.retain(|kept| key.as_ref().is_none_or(|key| kept.server == *key));
    if out.format() == Format::Json {
        return out.json(&all);
    }
    let mut text = Styled::new();
    for kept in &all {
        let name = kept.name.as_deref().map(|name| format!(".{}", sanitize::line(name))).unwrap_or_default();
        text = text.plain(format!("{} {}{name}", kept.answer.name(), sanitize::line(&kept.server))).line();
    }
    out.text(&text)
}
