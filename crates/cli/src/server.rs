//! From options to a server: how to start it, and what it gets.

use std::ffi::OsString;

use bowline::protocol::{Revision, Root};
use bowline::stdio::{self, StdioConnect};

use crate::args::read_file;
use crate::console::Console;
use crate::exit::CliError;
use crate::options::{Global, InheritEnv, Server};
use crate::sanitize;
use crate::styled::Styled;
use crate::suggest;

/// How to start the server that the options name. With `-v`, what it writes to its standard error is shown.
pub(crate) fn connect(
    global: &Global,
    server: &Server,
    target: Option<&str>,
    console: &Console,
) -> Result<StdioConnect, CliError> {
    let mut connect = program(global, server, target)?.inherit_env(match global.inherit_env {
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
        let console = console.clone();
        connect =
            connect.on_stderr(move |line| console.line(Styled::new().dim("server: ").plain(sanitize::line(line))));
    }
    Ok(connect)
}

fn program(global: &Global, server: &Server, target: Option<&str>) -> Result<StdioConnect, CliError> {
    const FORMS: &str = "write `-- command arguments…` at the end, or --stdio \"command arguments…\"";
    if let Some(target) = target {
        return Err(CliError::usage(format!(
            "`{target}` names no server: this version reaches servers by their command alone"
        ))
        .hint(FORMS));
    }
    match (&global.stdio, server.command.split_first()) {
        // What stands on this command line is meant, whatever the variable BOWLINE_STDIO says.
        (_, Some((program, arguments))) => Ok(bowline::stdio(program).args(arguments)),
        (Some(line), None) => StdioConnect::from_command_line(line)
            .map_err(|error| CliError::usage(format!("--stdio: {error}")).hint(FORMS)),
        (None, None) => Err(CliError::usage("no server is named").hint(format!("{FORMS}; `bowline demo` needs none"))),
    }
}

/// `K=V`, where the value may be taken from this environment or from a file. Errors never show a value.
fn variable(pair: &str) -> Result<(String, OsString), CliError> {
    let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(CliError::usage("-e wants K=V").hint("write for instance -e TOKEN=env:MY_TOKEN"));
    };
    let value = if let Some(variable) = value.strip_prefix("env:") {
        std::env::var_os(variable).ok_or_else(|| {
            CliError::usage(format!("-e {name}=env:{variable}: this environment has no `{variable}`"))
                .hint(format!("set it before, or write -e {name}=file:PATH"))
        })?
    } else if let Some(path) = value.strip_prefix("file:") {
        read_file(path)?.trim_end_matches(['\r', '\n']).to_owned().into()
    } else {
        value.into()
    };
    Ok((name.to_owned(), value))
}

/// The revision that the options ask for.
pub(crate) fn revision(global: &Global) -> Result<Option<Revision>, CliError> {
    let Some(wanted) = &global.revision else { return Ok(None) };
    let known: Vec<&str> =
        Revision::ALL.iter().filter(|r| **r <= Revision::LATEST_HANDSHAKE).map(|r| r.as_str()).collect();
    let found = Revision::ALL.iter().find(|revision| revision.as_str() == wanted && known.contains(&revision.as_str()));
    found.copied().map(Some).ok_or_else(|| {
        let hint = suggest::did_you_mean(wanted, known.iter().copied())
            .unwrap_or_else(|| format!("it may be {}", known.join(", ")));
        CliError::usage(format!("--revision `{wanted}` is none that this version speaks")).hint(hint)
    })
}

/// The folders that the options permit the server to know about.
pub(crate) fn roots(global: &Global) -> Result<Vec<Root>, CliError> {
    let root = |path: &std::path::PathBuf| {
        Root::from_path(path).map_err(|error| CliError::usage(format!("--roots {}: {error}", path.display())))
    };
    global.roots.iter().map(root).collect()
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
}
