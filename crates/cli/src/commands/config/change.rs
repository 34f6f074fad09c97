//! Changes to configuration files: servers added, removed, switched, copied; folders trusted.

use std::path::PathBuf;

use bowline::config::{Edit, Host, Scope, Server, Surroundings, Way, locations};
use serde_json::json;

use crate::configured::{self, Catalog};
use crate::exit::{CliError, Code, Stop};
use crate::options::{Add, Export, Format, Global, Import, Remove, ScopeChoice, TransportChoice, Trust};
use crate::output::Output;
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;
use crate::suggest;

pub(crate) fn add(options: &Add, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let server = new_server(options, &run.global)?;
    let mut edit = open(options.file.host.unwrap_or(Host::Bowline), options.file.scope, options.file.file.clone())?;
    let lost = edit.add(&server, options.force).map_err(|error| {
        let error = configured::told(&error);
        if error.message.contains("already") { error.hint("--force takes its place") } else { error }
    })?;
    tell_lost(run, &server.name, &lost);
    let name = sanitize::line(shlex::try_quote(&server.name).as_deref().unwrap_or(&server.name));
    finish(edit, "added", &[server.name], false, out)?;
    run.console.note(format!("`bowline list {name}` shows what it has, `bowline doctor {name}` why it does not work"));
    Ok(())
}

/// The server that the words and options describe. Values stay references where they are some.
fn new_server(options: &Add, global: &Global) -> Result<Server, CliError> {
    let text = |word: &std::ffi::OsString| {
        let text = word.to_str().map(str::to_owned);
        text.ok_or_else(|| CliError::usage("a word of the command is no UTF-8 text, which no configuration file holds"))
    };
    match (&options.url, options.command.split_first()) {
        (Some(_), Some(_)) => Err(CliError::usage("the server is named twice: by a URL and by a command")
            .hint("leave out the URL, or what stands behind --")),
        (None, None) => Err(CliError::usage("it is not said what the server is")
            .hint("write its URL, or `-- command arguments…`, behind the name")),
        (Some(url), None) => {
            if !bowline::Target::is_url(url) {
                return Err(CliError::usage("what stands behind the name is no URL")
                    .hint("a URL begins with http: https: ws: wss: unix: or tcp:; a program stands behind --"));
            }
            if let Some(option) = global.stated_for_programs() {
                return Err(CliError::usage(format!(
                    "{option} is for servers that are programs, and this one has a URL"
                )));
            }
            let way = match global.transport {
                TransportChoice::Auto | TransportChoice::HttpFirst => Way::Auto,
                TransportChoice::Http => Way::Http,
                TransportChoice::Sse => Way::Sse,
                TransportChoice::SseFirst => Way::SseFirst,
                TransportChoice::Ws => Way::WebSocket,
                TransportChoice::Stdio => {
                    return Err(CliError::usage("--transport stdio is for servers that are programs"));
                }
            };
            let mut server = Server::remote(&options.name, url, way);
            for line in &global.header {
                let (name, value) =
                    line.split_once(':').filter(|(name, _)| !name.trim().is_empty()).ok_or_else(|| {
                        CliError::usage("-H wants \"K: V\"").hint("write for instance -H \"X-Api-Key: env:MY_KEY\"")
                    })?;
                server = server.with_header(name.trim(), &reference(value.trim()));
            }
            if let Some(variable) = &global.bearer_env {
                server = server.with_bearer(&format!("${{{variable}}}"));
            }
            Ok(server)
        }
        (None, Some((program, args))) => {
            if let Some(option) = global.stated_for_urls() {
                return Err(CliError::usage(format!("{option} is for servers with a URL, and this one is a program")));
            }
            let args = args.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let mut server = Server::program(&options.name, &text(program)?, args);
            for pair in &global.env {
                let (name, value) = pair
                    .split_once('=')
                    .filter(|(name, _)| !name.is_empty())
                    .ok_or_else(|| CliError::usage("-e wants K=V").hint("write for instance -e TOKEN=env:MY_TOKEN"))?;
                server = server.with_env(name, &reference(value));
            }
            if let Some(folder) = &global.cwd {
                let folder = folder.to_str().ok_or_else(|| CliError::usage("--cwd is no UTF-8 text"))?;
                server = server.with_cwd(folder);
            }
            Ok(server)
        }
    }
}

/// `env:VAR` and `file:PATH` as they stand in bowline's own file. A value is not looked up: the file refers to it.
fn reference(value: &str) -> String {
    if let Some(variable) = value.strip_prefix("env:") {
        format!("${{{variable}}}")
    } else if let Some(path) = value.strip_prefix("file:") {
        format!("${{file:{path}}}")
    } else {
        value.to_owned()
    }
}

pub(crate) fn remove(options: &Remove, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let mut edit = open(options.file.host.unwrap_or(Host::Bowline), options.file.scope, options.file.file.clone())?;
    edit.remove(&options.name).map_err(|error| elsewhere(&error, &options.name, run))?;
    finish(edit, "removed", std::slice::from_ref(&options.name), false, out)
}

pub(crate) fn switch(options: &Remove, on: bool, run: &Run, out: &mut Output) -> Result<(), Stop> {
    if options.file.host.is_none() {
        // In bowline's own file any server can be switched; a name that nobody knows is a slip.
        Catalog::new(&run.global).server(&options.name)?;
    }
    let mut edit = open(options.file.host.unwrap_or(Host::Bowline), options.file.scope, options.file.file.clone())?;
    edit.set_enabled(&options.name, on).map_err(|error| elsewhere(&error, &options.name, run))?;
    finish(edit, if on { "enabled" } else { "disabled" }, std::slice::from_ref(&options.name), false, out)
}

/// Says in whose file a server is that is not in this one.
fn elsewhere(error: &bowline::config::Error, name: &str, run: &Run) -> CliError {
    let told = configured::told(error);
    let config = configured::load(&run.global.config);
    match config.server(name) {
        Ok(server) if error.kind() == bowline::config::ErrorKind::Unknown => {
            let place = sanitize::line(&server.place.to_string());
            told.hint(format!("it stands at {place}: say --host {} or --file", server.host))
        }
        Err(_) if error.kind() == bowline::config::ErrorKind::Unknown => {
            let names = config.servers().iter().map(|server| server.name.as_str());
            told.hint_if(suggest::did_you_mean(name, names))
        }
        _ => told,
    }
}

pub(crate) fn import(options: &Import, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let config = configured::load(&run.global.config);
    let is_asked = |server: &&Server| {
        server.host != Host::Bowline
            && (options.from.is_empty() || options.from.contains(&server.host))
            && (options.names.is_empty() || options.names.contains(&server.name))
    };
    let servers: Vec<&Server> = config.servers().iter().filter(is_asked).collect();
    all_named(&options.names, &servers, run)?;
    let edit = open(Host::Bowline, ScopeChoice::User, None)?;
    copy(edit, &servers, Copying { force: options.force, dry_run: options.dry_run, done: "imported" }, run, out)
}

pub(crate) fn export(options: &Export, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let config = configured::load(&run.global.config);
    let is_asked = |server: &&Server| options.names.is_empty() || options.names.contains(&server.name);
    let servers: Vec<&Server> = config.servers().iter().filter(is_asked).collect();
    all_named(&options.names, &servers, run)?;
    let edit = open(options.to, options.scope, options.file.clone())?;
    copy(edit, &servers, Copying { force: options.force, dry_run: options.dry_run, done: "exported" }, run, out)
}

/// Refuses names that were not found.
fn all_named(names: &[String], found: &[&Server], run: &Run) -> Result<(), CliError> {
    match names.iter().find(|name| !found.iter().any(|server| server.name == **name)) {
        None => Ok(()),
        Some(name) => {
            Catalog::new(&run.global).server(name)?;
            Err(CliError::usage(format!("`{}` is not among the files that are copied from", sanitize::line(name))))
        }
    }
}

#[derive(Clone, Copy)]
struct Copying {
    force: bool,
    dry_run: bool,
    done: &'static str,
}

/// Copies servers into a file. One that cannot be copied is told, and the others go on.
fn copy(mut edit: Edit, servers: &[&Server], how: Copying, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let mut done = Vec::new();
    let mut failed = 0;
    for server in servers {
        match edit.add(server, how.force) {
            Ok(lost) => {
                tell_lost(run, &server.name, &lost);
                done.push(server.name.clone());
            }
            Err(error) => {
                failed += 1;
                run.console.warn(format!(
                    "`{}` is left out: {}",
                    sanitize::line(&server.name),
                    configured::told(&error)
                ));
            }
        }
    }
    if done.is_empty() && failed == 0 {
        run.console.note("there is nothing to copy");
    }
    finish(edit, how.done, &done, how.dry_run, out)?;
    if failed > 0 {
        return Err(CliError::new(Code::Usage, format!("{failed} of {} could not be copied", servers.len())).into());
    }
    Ok(())
}

pub(crate) fn trust(options: &Trust, out: &mut Output) -> Result<(), Stop> {
    let folder = options.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let folder = std::fs::canonicalize(&folder)
        .map_err(|error| CliError::usage(format!("{}: {error}", sanitize::line(&folder.to_string_lossy()))))?;
    let text = folder.to_str().ok_or_else(|| CliError::usage("the folder's name is no UTF-8 text"))?;
    let mut edit = open(Host::Bowline, ScopeChoice::User, None)?;
    edit.trust(text).map_err(|error| configured::told(&error))?;
    finish(edit, "trusted", &[text.to_owned()], false, out)
}

/// The file of a host that is to be changed: the one that is there, or the first that would be looked for.
fn open(host: Host, scope: ScopeChoice, file: Option<PathBuf>) -> Result<Edit, CliError> {
    let path = match file {
        Some(path) => path,
        None => {
            let scope = if scope == ScopeChoice::Project { Scope::Project } else { Scope::User };
            let places = locations(host, &Surroundings::of_process());
            let mut fitting = places.into_iter().filter(|place| place.scope == scope && !place.is_folder());
            let first = fitting.next().map(|place| place.path).ok_or_else(|| {
                CliError::usage(format!("{} has no file for that: say which with --file", host.title()))
            })?;
            if first.exists() {
                first
            } else {
                fitting.map(|place| place.path).find(|path| path.exists()).unwrap_or(first)
            }
        }
    };
    Edit::open(host, path).map_err(|error| configured::told(&error))
}

fn tell_lost(run: &Run, name: &str, lost: &[String]) {
    if !lost.is_empty() {
        let lost = sanitize::excerpt(&lost.join(", "), 500);
        run.console
            .warn(format!("`{}`: the file has no way to say this, and it is left out: {lost}", sanitize::line(name)));
    }
}

/// Writes the file, and says what was done.
fn finish(mut edit: Edit, done: &str, names: &[String], dry_run: bool, out: &mut Output) -> Result<(), Stop> {
    if !dry_run {
        edit.save().map_err(|error| configured::told(&error))?;
    }
    let path = edit.path().to_string_lossy().into_owned();
    if out.format() == Format::Json {
        return out.json(&json!({"done": done, "names": names, "file": path, "dry_run": dry_run}));
    }
    let would = if dry_run { "would be " } else { "" };
    let mut text = Styled::new();
    for name in names {
        text = text.bold(sanitize::line(name)).plain(format!(" {would}{done}: {}", sanitize::line(&path))).line();
    }
    out.text(&text)
}
