//! How a server is started.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bowline_transport::{BoxFuture, Connect, Limits, Network, Secrets, Transport, TransportError, TransportErrorKind};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::confided::{self, Mask};
use crate::env::{EnvRules, InheritEnv, child_env};
use crate::process::{Pipes, ServerProcess};
use crate::program::{explain_spawn_failure, no_program, short_name};
use crate::stderr::{StderrLines, StderrSinks, StderrTail};
use crate::transport::{Parts, StdioTransport};

/// What happens to what a server writes to its stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StderrMode {
    /// Read always, whatever comes: the last lines are kept for errors, each line goes to the callbacks and streams
    /// of the connector, and as a `tracing` event of level debug and target `bowline::stdio::stderr`. Private keys are
    /// hidden in all of these, as are the values of the server's variables and arguments that are secrets by their name
    /// (`GITHUB_TOKEN`, `--api-key`) or their shape (`sk-…`). Values of less than four bytes are shown.
    #[default]
    Capture,
    /// Goes where this process's own stderr goes.
    Inherit,
    /// Goes nowhere.
    Null,
}

/// Starts a server as a child process and speaks to it over its stdin and stdout.
///
/// Each connection is a fresh process. Nothing passes through a shell.
///
/// ```no_run
/// use bowline_stdio::StdioConnect;
/// use bowline_transport::Connect;
///
/// # async fn example() -> Result<(), bowline_transport::TransportError> {
/// let connect = StdioConnect::new("uvx")
///     .args(["mcp-server-git", "--repository", "."])
///     .env("GIT_AUTHOR_NAME", "me")
///     .on_stderr(|line| eprintln!("git server: {line}"));
/// let transport = connect.connect().await?;
/// transport.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct StdioConnect {
    program: OsString,
    args: Vec<OsString>,
    inherit: InheritEnv,
    changes: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
    grace: Duration,
    limits: Limits,
    stderr: StderrMode,
    sinks: StderrSinks,
}

impl StdioConnect {
    /// A server that is started by `program`: a name that is looked for in the server's `PATH`, or a path.
    ///
    /// On Windows a name is completed by `PATHEXT`, as [`resolve_windows`](crate::resolve_windows) does it.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            inherit: InheritEnv::default(),
            changes: Vec::new(),
            folder: None,
            grace: Duration::from_secs(2),
            limits: Limits::default(),
            stderr: StderrMode::default(),
            sinks: StderrSinks::default(),
        }
    }

    /// A server that is started by a line as a person types it, such as `npx -y some-server "a b"`.
    ///
    /// Words are split by the quoting rules of POSIX shells, and that is all of a shell: no variables, no pipes, no
    /// wildcards. The rules hold on Windows too, where a backslash outside of single quotes is thus lost: write
    /// `'C:\tools\srv.exe'`, or slashes.
    ///
    /// ```
    /// use bowline_stdio::StdioConnect;
    /// use bowline_transport::Connect;
    ///
    /// let connect = StdioConnect::from_command_line("npx -y some-server 'a b'")?;
    /// assert_eq!(connect.describe(), "npx");
    /// assert!(StdioConnect::from_command_line("npx 'a").is_err());
    /// # Ok::<(), bowline_transport::TransportError>(())
    /// ```
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when the line is empty, a quote is not closed, or the first word is no program
    /// but a URL or a variable (`NAME=value`), of which the error shows nothing.
    pub fn from_command_line(line: &str) -> Result<Self, TransportError> {
        let bad = |what: &str| Err(TransportError::new(TransportErrorKind::Config, what));
        let Some(words) = shlex::split(line) else {
            return bad(
                "the command line has a quote that is not closed, or ends with a backslash; close it, or put the quote itself into other quotes",
            );
        };
        let mut words = words.into_iter();
        match words.next().filter(|program| !program.is_empty()) {
            Some(program) => match no_program(OsStr::new(&program)) {
                Some(message) => bad(message),
                None => Ok(Self::new(program).args(words)),
            },
            None => bad("the command line names no program; write it like `npx -y some-server`"),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the server's environment, on top of what it inherits.
    ///
    /// This is where a stdio server's credentials belong (basic/authorization). They are shown nowhere.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.changes.push((name.into(), Some(value.into())));
        self
    }

    /// Takes a variable out of the server's environment.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.changes.push((name.into(), None));
        self
    }

    /// Sets how much of this process's environment the server inherits. Default [`InheritEnv::SafeList`].
    #[must_use]
    pub const fn inherit_env(mut self, inherit: InheritEnv) -> Self {
        self.inherit = inherit;
        self
    }

    /// Sets the server's working directory. Default that of this process.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets how long each step of an end may take before the next, harder one. Default 2 s, as the official SDKs.
    ///
    /// The steps are the end of stdin, SIGTERM and SIGKILL, so a close takes at most about two times this.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the bounds of the connection.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what happens to the server's stderr. Default [`StderrMode::Capture`].
    #[must_use]
    pub const fn stderr(mut self, mode: StderrMode) -> Self {
        self.stderr = mode;
        self
    }

    /// Calls `callback` with each line of captured stderr, without its newline; longer lines are cut after 4 KiB. Private
    /// keys are hidden, as are the values of the server's variables and arguments that are secrets by their name or their
    /// shape, from four bytes on.
    ///
    /// It must not block: while it runs, nothing more is read. One that panics is not called again.
    #[must_use]
    pub fn on_stderr(mut self, callback: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.sinks.add(callback);
        self
    }

    /// The lines of captured stderr from now on, of all connections of this connector and its clones.
    pub fn stderr_lines(&self) -> StderrLines {
        self.sinks.subscribe()
    }

    /// Starts a server. Must be called within a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// [`TransportErrorKind::NotFound`] when there is no such program, interpreter or working directory,
    /// [`Connect`](TransportErrorKind::Connect) when it may not be run, [`Config`](TransportErrorKind::Config) when
    /// its arguments cannot be passed on or there is no runtime, [`Io`](TransportErrorKind::Io) for what else the
    /// system refuses.
    pub fn spawn(&self) -> Result<StdioTransport, TransportError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(TransportError::new(
                TransportErrorKind::Config,
                "a server can be started within a tokio runtime only; call this from a task or under `block_on`",
            ));
        }
        let env = child_env(std::env::vars_os(), self.changes.iter().cloned(), self.inherit, EnvRules::CURRENT);
        let program = find(&self.program, &env);
        let mut command = Command::new(program.as_deref().unwrap_or(&self.program));
        command.args(&self.args).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(match self.stderr {
            StderrMode::Capture => Stdio::piped(),
            StderrMode::Inherit => Stdio::inherit(),
            StderrMode::Null => Stdio::null(),
        });
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let (process, pipes) = ServerProcess::start(command).map_err(|error| {
            explain_spawn_failure(&self.program, self.folder.as_deref(), lookup(&env, "PATH"), error)
        })?;
        self.transport(process, pipes, confided::secrets(&env, &self.args))
    }

    fn transport(
        &self,
        process: ServerProcess,
        pipes: Pipes,
        confided: Secrets,
    ) -> Result<StdioTransport, TransportError> {
        let server = short_name(&self.program);
        let Pipes { stdin: Some(stdin), stdout: Some(stdout), stderr: stderr_pipe } = pipes else {
            return Err(TransportError::new(TransportErrorKind::Io, format!("`{server}` was started without pipes")));
        };
        tracing::debug!(server, id = process.id(), "started a server");
        let stderr = StderrTail::new();
        let mut stderr_reader = JoinSet::new();
        match stderr_pipe {
            Some(pipe) => {
                let mask = Mask::new(confided.clone());
                stderr_reader.spawn(stderr.clone().drain(pipe, server.clone(), self.sinks.clone(), mask));
            }
            None => stderr.end(),
        }
        // A server may write its environment to stdout, and what it was started with. Hardly anything is shown of that, so
        // all that was set for it is hidden.
        let values = self.changes.iter().filter_map(|(_, value)| value.as_deref()?.to_str());
        let secrets = values.fold(confided, Secrets::with);
        let parts = Parts { server, process, stdin, stdout, stderr, stderr_reader, secrets };
        Ok(StdioTransport::new(parts, self.grace, self.limits))
    }
}

impl Connect for StdioConnect {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move { self.spawn().map(|transport| Box::new(transport) as Box<dyn Transport>) })
    }

    /// The program's file name. Arguments and variables may hold secrets.
    fn describe(&self) -> String {
        short_name(&self.program)
    }

    fn network(&self) -> Option<Network> {
        Some(Network::new("pipe"))
    }
}

impl fmt::Debug for StdioConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioConnect")
            .field("program", &short_name(&self.program))
            .field("args", &self.args.len())
            .field("inherit", &self.inherit)
            .field("variables", &self.changes.len())
            .field("folder", &self.folder)
            .field("grace", &self.grace)
            .field("limits", &self.limits)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

fn lookup<'a>(env: &'a [(OsString, OsString)], wanted: &str) -> Option<&'a OsStr> {
    let found = env.iter().find(|(name, _)| EnvRules::CURRENT.same(name, OsStr::new(wanted)));
    found.map(|(_, value)| value.as_os_str())
}

/// The file that Windows would start, where that differs from what the standard library would look for.
fn find(program: &OsStr, env: &[(OsString, OsString)]) -> Option<OsString> {
    if !cfg!(windows) {
        return None;
    }
    let variable = |name: &str| {
        // A server that inherits nothing is looked for all the same.
        lookup(env, name).map(OsStr::to_os_string).or_else(|| std::env::var_os(name)).unwrap_or_default()
    };
    let (path, extensions) = (variable("PATH"), variable("PATHEXT"));
    let is_file = |file: &str| std::path::Path::new(file).is_file();
    crate::program::resolve_windows(program.to_str()?, path.to_str()?, extensions.to_str()?, is_file).map(Into::into)
}
