//! From options to a server: how to start or reach it, and what it gets.

use std::env::VarError;
use std::ffi::OsString;
use std::sync::Arc;

use bowline::config::Endpoint;
use bowline::protocol::Revision;
use bowline::stdio::{self, StdioConnect};
use bowline::transport::Connect;
use bowline::{Folders, Target, TargetOptions};
use bowline_testkit::Redaction;

use crate::args::read_file;
use crate::configured;
use crate::console::Console;
use crate::credentials;
use crate::exit::CliError;
use crate::options::{Global, InheritEnv, Secrets, Server, TransportChoice};
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;
use crate::suggest;

/// The server that the options name.
#[derive(Debug)]
pub(crate) enum Named {
    /// A program to start.
    Program(Box<StdioConnect>),
    /// A server that runs already.
    Url(Box<Target>),
}

/// The server that the options name, and how to reach it.
pub(crate) async fn named(run: &Run, server: &Server) -> Result<Named, CliError> {
    let global = &*run.global;
    if let Some(configured) = &server.configured {
        let global = &global.for_configured();
        configured.tell_doubts(&run.console);
        return way(run, global, "server", configured::endpoint(global, configured)?).await;
    }
    match &server.url {
        Some(url) => {
            let options = options(run, global, url, false).await?;
            Ok(Named::Url(Box::new(Target::parse_with(url, &options)?)))
        }
        None => {
            let program = fitted(program(global, server)?, global, "server", &run.console)?;
            Ok(Named::Program(Box::new(program)))
        }
    }
}

/// How to reach an endpoint of the configuration with what the options say. What a program writes to its standard error
/// is shown behind `label`.
pub(crate) async fn way(run: &Run, global: &Global, label: &str, endpoint: Endpoint) -> Result<Named, CliError> {
    match endpoint {
        Endpoint::Program(found) => {
            for_programs(global)?;
            let program = fitted(bowline::program_of(&found), global, label, &run.console)?;
            Ok(Named::Program(Box::new(program)))
        }
        Endpoint::Remote(address) => {
            let has_own = address.bearer.is_some() || address.headers.iter().any(|(name, _)| authorizes(name));
            let options = options(run, global, &address.url, has_own).await?;
            Ok(Named::Url(Box::new(Target::to_address(&address, options)?)))
        }
        _ => Err(CliError::usage("this version has no way to such a server")),
    }
}

impl Named {
    /// How to get there, of whatever kind it is.
    pub(crate) fn into_connector(self) -> Box<dyn Connect> {
        match self {
            Self::Program(connect) => connect,
            Self::Url(target) => target,
        }
    }
}

/// How to get to the server that the options name, of whatever kind it is.
pub(crate) async fn connector(run: &Run, server: &Server) -> Result<Box<dyn Connect>, CliError> {
    Ok(named(run, server).await?.into_connector())
}

/// What the options want taken out of frames.
pub(crate) fn redaction(secrets: &Secrets) -> Result<Redaction, CliError> {
    if secrets.keep_secrets {
        return Ok(Redaction::none());
    }
    let mut redaction = Redaction::new();
    for name in &secrets.redact_name {
        redaction = redaction.name(name);
    }
    for text in &secrets.redact {
        redaction = redaction.value(if let Some(variable) = text.strip_prefix("env:") {
            text_variable("--redact", variable)?
        } else if let Some(path) = text.strip_prefix("file:") {
            file_text(path)?
        } else {
            text.clone()
        });
    }
    Ok(redaction)
}

/// How to start a program with what the options say. With `-v`, what it writes to its standard error is shown.
fn fitted(connect: StdioConnect, global: &Global, label: &str, console: &Console) -> Result<StdioConnect, CliError> {
    let mut connect = connect.inherit_env(match global.inherit_env {
        InheritEnv::All => stdio::InheritEnv::All,
        InheritEnv::Safe => stdio::InheritEnv::SafeList,
        InheritEnv::None => stdio::InheritEnv::None,
    });
    for pair in &global.env {
        let (name, value) = variable(pair)?;
        connect = connect.env(name, value);
    }
    if let Some(folder) = &global.cwd {
        connect = connect.current_dir(folder);
    }
    if console.verbose() > 0 {
        let (console, label) = (console.clone(), format!("{}: ", sanitize::line(label)));
        connect = connect.on_stderr(move |line| {
            console.line(Styled::new().dim(label.as_str()).plain(sanitize::line(line)));
        });
    }
    Ok(connect)
}

fn program(global: &Global, server: &Server) -> Result<StdioConnect, CliError> {
    const FORMS: &str = "write `-- command arguments…` at the end, or --stdio \"command arguments…\"";
    let connect = match (&global.stdio, server.command.split_first()) {
        // What stands on this command line is meant, whatever the variable BOWLINE_STDIO says.
        (_, Some((program, arguments))) => bowline::stdio(program).args(arguments),
        (Some(line), None) => StdioConnect::from_command_line(line)
            .map_err(|error| CliError::usage(format!("--stdio: {error}")).hint(FORMS))?,
        (None, None) => {
            return Err(CliError::usage("no server is named").hint(format!(
                "write its URL or its name first, such as http://127.0.0.1:3000/mcp; for a program, {FORMS}; `bowline demo` needs none"
            )));
        }
    };
    for_programs(global)?;
    Ok(connect)
}

/// Refuses options that do nothing for programs.
fn for_programs(global: &Global) -> Result<(), CliError> {
    match global.stated_for_urls() {
        Some(option) => Err(CliError::usage(format!("{option} is for servers with a URL, and this one is a program"))
            .hint(format!("leave {option} out, or name the server by its URL"))),
        None => Ok(()),
    }
}

/// What the options say for a server with a URL. `has_own` is whether it has credentials from elsewhere already.
async fn options(run: &Run, global: &Global, url: &str, has_own: bool) -> Result<TargetOptions, CliError> {
    if let Some(option) = global.stated_for_programs() {
        return Err(CliError::usage(format!("{option} is for servers that are programs, and this one has a URL"))
            .hint(format!("leave {option} out, or name the server by its command")));
    }
    if is_socket(url) {
        // Variables are defaults, and may be there for other servers.
        return match global.stated_for_the_web() {
            Some(option) => {
                Err(CliError::usage(format!("{option} is for servers on the web, and this one is a socket"))
                    .hint(format!("leave {option} out, or name the server by http: or ws:")))
            }
            None => Ok(TargetOptions::default()),
        };
    }
    let mut options =
        TargetOptions::default().with_accept_invalid_certs(global.insecure).with_transport(match global.transport {
            TransportChoice::Auto => bowline::TransportChoice::Auto,
            TransportChoice::Http => bowline::TransportChoice::Http,
            TransportChoice::Sse => bowline::TransportChoice::Sse,
            TransportChoice::Ws => bowline::TransportChoice::WebSocket,
            TransportChoice::Stdio => bowline::TransportChoice::Stdio,
            TransportChoice::HttpFirst => bowline::TransportChoice::HttpFirst,
            TransportChoice::SseFirst => bowline::TransportChoice::SseFirst,
        });
    for line in &global.header {
        let (name, value) = header(line)?;
        options = options.with_header(name, value);
    }
    if let Some(variable) = &global.bearer_env {
        options = options.with_bearer(text_variable("--bearer-env", variable)?);
    }
    // Credentials of somebody's own are not mixed with those of a login.
    let has_own = has_own || options.bearer.is_some() || options.headers.iter().any(|(name, _)| authorizes(name));
    if !has_own && let Some(oauth) = credentials::of_server(url, run).await? {
        options = options.with_authorize(Arc::new(oauth));
    }
    Ok(options)
}

/// Whether a header has credentials.
fn authorizes(name: &str) -> bool {
    name.eq_ignore_ascii_case("authorization")
}

/// Whether a URL names a socket, which takes neither headers nor certificates.
fn is_socket(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default().trim_start();
    scheme.eq_ignore_ascii_case("unix") || scheme.eq_ignore_ascii_case("tcp")
}

/// `K=V` of `-e`.
fn variable(pair: &str) -> Result<(String, OsString), CliError> {
    assigned("-e", pair)
}

/// `K=V` of an option, where the value may be taken from this environment or from a file. Errors never show a value.
pub(crate) fn assigned(option: &str, pair: &str) -> Result<(String, OsString), CliError> {
    let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(CliError::usage(format!("{option} wants K=V"))
            .hint(format!("write for instance {option} TOKEN=env:MY_TOKEN")));
    };
    let value = if let Some(variable) = value.strip_prefix("env:") {
        std::env::var_os(variable).ok_or_else(|| {
            CliError::usage(format!("{option} {name}=env:{variable}: this environment has no `{variable}`"))
                .hint(format!("set it before, or write {option} {name}=file:PATH"))
        })?
    } else if let Some(path) = value.strip_prefix("file:") {
        file_text(path)?.into()
    } else {
        value.into()
    };
    Ok((name.to_owned(), value))
}

/// `K: V`, where the value may be taken from this environment or from a file. Errors never show a value.
fn header(line: &str) -> Result<(String, String), CliError> {
    let Some((name, value)) = line.split_once(':').filter(|(name, _)| !name.trim().is_empty()) else {
        return Err(CliError::usage("-H wants \"K: V\"").hint("write for instance -H \"X-Api-Key: env:MY_KEY\""));
    };
    let (name, value) = (name.trim(), value.trim());
    let value = if let Some(variable) = value.strip_prefix("env:") {
        text_variable(&format!("-H {name}"), variable)?
    } else if let Some(path) = value.strip_prefix("file:") {
        file_text(path)?
    } else {
        value.to_owned()
    };
    Ok((name.to_owned(), value))
}

/// A variable of this environment, for the option `of`.
pub(crate) fn text_variable(of: &str, variable: &str) -> Result<String, CliError> {
    std::env::var(variable).map_err(|error| {
        let why = match error {
            VarError::NotPresent => format!("this environment has no `{variable}`"),
            VarError::NotUnicode(_) => format!("`{variable}` is no UTF-8 text"),
        };
        CliError::usage(format!("{of}: {why}")).hint("set it before, and give its name alone")
    })
}

/// The text of a file without its last line break.
pub(crate) fn file_text(path: &str) -> Result<String, CliError> {
    Ok(read_file(path)?.trim_end_matches(['\r', '\n']).to_owned())
}

/// The revision that the options ask for.
pub(crate) fn revision(global: &Global) -> Result<Option<Revision>, CliError> {
    let Some(wanted) = &global.revision else { return Ok(None) };
    wanted.parse().map(Some).map_err(|_| {
        let known = Revision::ALL.map(Revision::as_str);
        let hint = suggest::did_you_mean(wanted, known.iter().copied())
            .unwrap_or_else(|| format!("it may be {}", known.join(", ")));
        CliError::usage(format!("--revision `{wanted}` is none that this version speaks")).hint(hint)
    })
}

/// The folders that the options permit the server to know about.
pub(crate) fn roots(global: &Global) -> Result<Folders, CliError> {
    Folders::new(&global.roots).map_err(|error| CliError::usage(format!("--roots {}: {error}", error.path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_from_the_line_the_environment_or_a_file() {
        assert_eq!(variable("A=b=c").unwrap(), ("A".into(), "b=c".into()));
        assert_eq!(variable("A=").unwrap(), ("A".into(), "".into()));
        assert_eq!(variable("A=env:PATH").unwrap().1, std::env::var_os("PATH").unwrap());
        assert!(variable("A=env:NO_SUCH_VARIABLE_HERE").unwrap_err().message.contains("NO_SUCH_VARIABLE_HERE"));
        assert!(variable("A=file:/no/such/file").is_err());
        let error = variable("secret").unwrap_err();
        assert!(!error.message.contains("secret") && !error.hint.unwrap().contains("secret"));
    }

    #[test]
    fn headers_are_read_at_the_first_colon_and_their_values_never_shown() {
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(header("X-Key: a:b ").unwrap(), text("X-Key", "a:b"));
        assert_eq!(header("X-Key:").unwrap(), text("X-Key", ""));
        assert_eq!(header("X-Key: env:PATH").unwrap().1, std::env::var("PATH").unwrap());
        assert!(header("X-Key: env:NO_SUCH_VARIABLE_HERE").unwrap_err().message.contains("NO_SUCH_VARIABLE_HERE"));
        assert!(header("X-Key: file:/no/such/file").is_err());
        for line in ["hunter2", ": hunter2"] {
            let error = header(line).unwrap_err();
            assert!(!error.message.contains("hunter2") && !error.hint.unwrap().contains("hunter2"));
        }
    }
}
