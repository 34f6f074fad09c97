//! `bowline config`: the servers of configuration files, where they come from, and what is wrong with them.

pub(crate) mod change;

use anstyle::Style;
use bowline::config::{Configuration, Problem, Server, Severity, Transport};
use serde_json::{Value, json};

use crate::configured::{self, Catalog};
use crate::exit::{CliError, Code, Stop};
use crate::options::{ConfigCommand, Format};
use crate::output::Output;
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;
use crate::table::Table;

/// Does what the command line asks of the configuration.
pub(crate) fn run(command: ConfigCommand, run: &Run, out: &mut Output) -> Result<(), Stop> {
    match command {
        ConfigCommand::List => list(run, out),
        ConfigCommand::Show(named) => show(&named.name, run, out),
        ConfigCommand::Path => path(run, out),
        ConfigCommand::Check => check(run, out),
        ConfigCommand::Explain(named) => explain(&named.name, run, out),
        ConfigCommand::Add(options) => change::add(&options, run, out),
        ConfigCommand::Remove(options) => change::remove(&options, run, out),
        ConfigCommand::Enable(options) => change::switch(&options, true, run, out),
        ConfigCommand::Disable(options) => change::switch(&options, false, run, out),
        ConfigCommand::Import(options) => change::import(&options, run, out),
        ConfigCommand::Export(options) => change::export(&options, run, out),
        ConfigCommand::Trust(options) => change::trust(&options, out),
    }
}

/// The servers of all files. Problems go to standard error, so that the list stays one.
pub(super) fn list(run: &Run, out: &mut Output) -> Result<(), Stop> {
    let config = configured::load(&run.global.config);
    let worst = |problem: &&Problem| problem.severity == Severity::Error;
    for problem in config.problems().iter().filter(worst) {
        run.console.warn(sanitize::excerpt(&problem.to_string(), 1_000));
    }
    if out.format() == Format::Json {
        let servers: Vec<Value> = config.servers().iter().map(document).collect();
        return out.json(&json!({"servers": servers, "broken": config.broken()}));
    }
    if out.format() == Format::Raw {
        let names: String =
            config.servers().iter().map(|server| format!("{}\n", sanitize::line(&server.name))).collect();
        return out.raw(names.as_bytes());
    }
    if config.servers().is_empty() {
        run.console.note(format!(
            "no configuration names a server, in none of {} places that `bowline config path` shows; \
             `bowline add NAME URL` or `bowline add NAME -- COMMAND` does, and `bowline demo` needs none",
            config.files().len()
        ));
    }
    let (plain, bold, dim) = (Style::new(), Style::new().bold(), Style::new().dimmed());
    let mut table = Table::new(1);
    for server in config.servers() {
        let state = state(server).map(|state| format!("({state})")).unwrap_or_default();
        let whose = format!("{} {}", server.host, server.scope.word());
        table.row([(bold, server.name.clone()), (plain, way(server)), (dim, whose), (plain, state)]);
    }
    for name in config.broken() {
        let why = "cannot be used: see `bowline config check`".to_owned();
        table.row([(bold, name.clone()), (plain, why), (dim, String::new()), (plain, String::new())]);
    }
    out.long_text(&table.render(out.width()))
}

/// How a server is reached, on one line.
fn way(server: &Server) -> String {
    let text = match &server.transport {
        Transport::Stdio(stdio) => {
            std::iter::once(stdio.shown_command()).chain(stdio.shown_args()).collect::<Vec<_>>().join(" ")
        }
        Transport::Remote(remote) => remote.shown_url(),
        _ => "another way".to_owned(),
    };
    sanitize::excerpt(&text, 120)
}

/// What keeps a server from being used.
fn state(server: &Server) -> Option<&'static str> {
    match (server.trusted, server.enabled) {
        (false, _) => Some("not trusted"),
        (true, false) => Some("off"),
        (true, true) => None,
    }
}

/// A server as JSON, without its secrets.
fn document(server: &Server) -> Value {
    let pairs = |pairs: &[(String, bowline::config::Template)]| -> Value {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.masked())))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mut document = json!({
        "name": server.name,
        "host": server.host.id(),
        "scope": server.scope.word(),
        "file": server.place.file.to_string_lossy(),
        "line": server.place.line,
        "enabled": server.enabled,
        "trusted": server.trusted,
    });
    let transport = match &server.transport {
        Transport::Stdio(stdio) => {
            json!({"command": stdio.shown_command(), "args": stdio.shown_args(), "env": pairs(&stdio.env)})
        }
        Transport::Remote(remote) => json!({"url": remote.shown_url(), "headers": pairs(&remote.headers)}),
        _ => json!({}),
    };
    if let (Some(document), Value::Object(transport)) = (document.as_object_mut(), transport) {
        document.extend(transport);
    }
    document
}

fn found<'c>(config: &'c Configuration, name: &str, run: &Run) -> Result<&'c Server, CliError> {
    // The error for an unknown name knows the names that there are.
    Catalog::new(&run.global).server(name)?;
    config.server(name).map_err(|error| configured::told(&error))
}

fn show(name: &str, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let config = configured::load(&run.global.config);
    let server = found(&config, name, run)?;
    if out.format() == Format::Json {
        return out.json(&document(server));
    }
    let mut text = Styled::new().bold(sanitize::line(name)).plain(format!("  {}", way(server)));
    text = text.dim(format!("  {}", sanitize::line(&server.place.to_string()))).line();
    if let Some(state) = state(server) {
        text = text.plain(format!("  {state}")).line();
    }
    for explained in config.explain(name).map(|explanation| explanation.settings.as_slice()).unwrap_or_default() {
        let setting = &explained.setting;
        text = text
            .plain("  ")
            .dim(sanitize::line(&setting.key))
            .plain(format!(" {}", sanitize::excerpt(&setting.value, 500)))
            .line();
    }
    for extra in &server.extra {
        text = text.plain("  ").dim(sanitize::line(&extra.key)).plain(" (has no effect here)").line();
    }
    out.long_text(&text)
}

fn path(run: &Run, out: &mut Output) -> Result<(), Stop> {
    let config = configured::load(&run.global.config);
    if out.format() == Format::Json {
        let files: Vec<Value> = config
            .files()
            .iter()
            .map(|file| {
                json!({"host": file.host.id(), "scope": file.scope.word(), "path": file.path.to_string_lossy(), "servers": file.servers})
            })
            .collect();
        return out.json(&files);
    }
    let mut table = Table::new(1);
    for file in config.files() {
        let count = file.servers.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let whose = format!("{} {}", file.host, file.scope.word());
        let path = file.path.to_string_lossy().into_owned();
        let plain = Style::new();
        table.row([(plain, format!("{count:>3}")), (plain, path), (plain.dimmed(), whose)]);
    }
    out.long_text(&table.render(out.width()))
}

/// Prints every problem; an error is a failure of the command.
fn check(run: &Run, out: &mut Output) -> Result<(), Stop> {
    let config = configured::load(&run.global.config);
    let problems = config.problems();
    if out.format() == Format::Json {
        let problems: Vec<Value> = problems
            .iter()
            .map(|problem| {
                json!({
                    "severity": problem.severity.to_string(),
                    "file": problem.place.file.to_string_lossy(),
                    "line": problem.place.line,
                    "column": problem.place.column,
                    "server": problem.server,
                    "message": problem.message,
                })
            })
            .collect();
        out.json(&problems)?;
    } else {
        let mut text = Styled::new();
        for problem in problems {
            let server =
                problem.server.as_deref().map(|name| format!(" [{}]", sanitize::line(name))).unwrap_or_default();
            text = text
                .plain(sanitize::line(&problem.place.to_string()))
                .bold(format!(": {}", problem.severity))
                .plain(format!("{server}: {}", sanitize::excerpt(&problem.message, 1_000)))
                .line();
        }
        out.long_text(&text)?;
    }
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if errors > 0 {
        let plural = if errors == 1 { "" } else { "s" };
        return Err(CliError::new(Code::Usage, format!("the configuration has {errors} error{plural}")).into());
    }
    let files = config.files().iter().filter(|file| file.servers.is_some()).count();
    run.console.note(format!("{} servers in {files} files, and no error", config.servers().len()));
    Ok(())
}

fn explain(name: &str, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let config = configured::load(&run.global.config);
    let Some(explanation) = config.explain(name) else {
        return Err(found(&config, name, run)
            .map(|_| ())
            .err()
            .unwrap_or_else(|| Catalog::new(&run.global).unknown(name))
            .into());
    };
    if out.format() == Format::Json {
        let place = |setting: &bowline::config::Setting| json!({"value": setting.value, "file": setting.place.file.to_string_lossy(), "line": setting.place.line});
        let settings: Vec<Value> = explanation
            .settings
            .iter()
            .map(|explained| {
                let mut document = place(&explained.setting);
                if let Some(members) = document.as_object_mut() {
                    members.insert("key".into(), explained.setting.key.as_str().into());
                    members.insert("host".into(), explained.host.id().into());
                    members.insert("overrides".into(), explained.overrides.iter().map(place).collect());
                }
                document
            })
            .collect();
        let shadowed: Vec<Value> = explanation
            .shadowed
            .iter()
            .map(|(host, place)| json!({"host": host.id(), "file": place.file.to_string_lossy(), "line": place.line}))
            .collect();
        return out.json(&json!({"name": name, "settings": settings, "shadowed": shadowed}));
    }
    let mut text = Styled::new();
    for explained in &explanation.settings {
        let setting = &explained.setting;
        text = text
            .bold(sanitize::line(&setting.key))
            .plain(format!(" = {}", sanitize::excerpt(&setting.value, 500)))
            .dim(format!("  {}", sanitize::line(&setting.place.to_string())))
            .line();
        for over in &explained.overrides {
            let line = format!(
                "    over {} at {}",
                sanitize::excerpt(&over.value, 200),
                sanitize::line(&over.place.to_string())
            );
            text = text.dim(line).line();
        }
    }
    for (host, place) in &explanation.shadowed {
        text = text.dim(format!("not used: {host} {}", sanitize::line(&place.to_string()))).line();
    }
    out.long_text(&text)
}
