//! `bowline inspect`: every frame that passes.

use std::path::Path;

use bowline::protocol::RequestId;
use bowline::{Client, Listed};
use bowline_testkit::{Direction, Inspected, InspectedStream, Inspector, InspectorBuilder, RelayError, relay};
use serde_json::Value;

use crate::exit::{CliError, Code, Stop};
use crate::guarded::Named;
use crate::options::{DirectionChoice, Format, Inspect};
use crate::output::Output;
use crate::render;
use crate::server;
use crate::session::{Logs, Run, Signals, interrupted};

/// How many frames wait to be printed.
const WAITING: usize = 10_000;
/// How much of a frame is shown, in characters.
const SHOWN: usize = 100_000;

pub(crate) async fn run(options: Inspect, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let connect = server::connector(run, &options.server).await?;
    let mut builder = filters(&options)?.redaction(server::redaction(&options.secrets)?);
    if let Some(path) = &options.file {
        builder = builder.to_file(path).map_err(|error| unwritable(path, &error))?;
    }
    if options.proxy {
        return proxy(builder, options.file.as_deref(), connect, run).await;
    }
    let (builder, mut frames) = builder.stream(WAITING);
    let inspector = builder.build();
    let result = {
        let mut view = View { out: &mut *out, frames: &mut frames, to_file: options.file.is_some() };
        let client = run.asking(&Named::of(&options.server), run.builder(Logs::Console)?)?;
        run.with_client(client, inspector.wrap(connect), async |client| {
            view.during(lists(client)).await?;
            match options.follow {
                true => view.during(std::future::pending()).await,
                false => Ok(()),
            }
        })
        .await
    };
    let result = result.map_err(|stop| stop.about(&options.server));
    // What passed while the connection was closed.
    View { out, frames: &mut frames, to_file: options.file.is_some() }.waiting()?;
    flush(&inspector, options.file.as_deref())?;
    if frames.dropped() > 0 {
        run.console.warn(format!("{} frames came faster than they could be shown", frames.dropped()));
    }
    let counts = inspector.counts();
    run.console.note(format!(
        "{} frames to the server, {} to the client, {} bytes",
        counts.to_server, counts.to_client, counts.bytes
    ));
    result
}

fn filters(options: &Inspect) -> Result<InspectorBuilder, CliError> {
    let mut builder = Inspector::builder();
    for method in &options.method {
        builder = builder.method(method);
    }
    for id in &options.id {
        builder = builder.id(id.parse::<i64>().map_or_else(|_| RequestId::from(id.as_str()), RequestId::from));
    }
    if let Some(direction) = options.direction {
        builder = builder.direction(match direction {
            DirectionChoice::ToServer => Direction::ToServer,
            DirectionChoice::ToClient => Direction::ToClient,
        });
    }
    Ok(builder)
}

/// Puts a client through, with the frames on standard error or in the file.
async fn proxy(
    mut builder: InspectorBuilder,
    file: Option<&Path>,
    connect: Box<dyn bowline::transport::Connect>,
    run: &Run,
) -> Result<(), Stop> {
    if file.is_none() {
        let console = run.console.clone();
        builder = builder.on_event(move |told| console.line(render::passed(told, SHOWN)));
    }
    let inspector = builder.build();
    let ended = put_through(&inspector.wrap(connect)).await;
    flush(&inspector, file)?;
    ended
}

/// Puts a client on standard input and output through to a server, until either ends or a signal comes.
pub(super) async fn put_through(connect: &dyn bowline::transport::Connect) -> Result<(), Stop> {
    let mut signals = Signals::new()?;
    tokio::select! {
        biased;
        () = signals.next() => Err(interrupted()),
        ended = relay(connect, tokio::io::stdin(), tokio::io::stdout()) => match ended {
            Ok(()) => Ok(()),
            Err(RelayError::Server(error)) => Err(CliError::from(bowline::Error::from(error)).into()),
            Err(RelayError::Client(error)) => Err(Stop::from_write(&error)),
            Err(error) => Err(CliError::new(Code::Unexpected, error.to_string()).into()),
        },
    }
}

fn flush(inspector: &Inspector, file: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = file else { return Ok(()) };
    inspector.flush().map_err(|error| unwritable(path, &error))
}

pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    let code = if error.kind() == std::io::ErrorKind::AlreadyExists { Code::Usage } else { Code::Unexpected };
    CliError::new(code, format!("cannot write `{}`: {error}", path.display()))
}

/// All that a server lists.
async fn lists(client: &Client) -> Result<(), Stop> {
    let has = client.server().capabilities.clone();
    if has.tools.is_some() {
        drain(client.tools()).await?;
    }
    if has.resources.is_some() {
        drain(client.resources()).await?;
        drain(client.resource_templates()).await?;
    }
    if has.prompts.is_some() {
        drain(client.prompts()).await?;
    }
    Ok(())
}

async fn drain<T: Listed>(mut pages: bowline::Pages<T>) -> Result<(), Stop> {
    while let Some(item) = pages.next().await {
        item?;
    }
    Ok(())
}

/// Prints what passed.
struct View<'a> {
    out: &'a mut Output,
    frames: &'a mut InspectedStream,
    /// Whether they go into a file, and only there.
    to_file: bool,
}

impl View<'_> {
    /// Prints while something goes on.
    async fn during(&mut self, work: impl Future<Output = Result<(), Stop>>) -> Result<(), Stop> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(told) = self.frames.next() => self.print(&told)?,
                done = &mut work => return done,
            }
        }
    }

    /// Prints what waits.
    fn waiting(&mut self) -> Result<(), Stop> {
        while let Some(told) = self.frames.try_next() {
            self.print(&told)?;
        }
        Ok(())
    }

    fn print(&mut self, told: &Inspected) -> Result<(), Stop> {
        if self.to_file {
            return Ok(());
        }
        match self.out.format() {
            Format::Json => self.out.json_line(&serde_json::from_str::<Value>(&told.to_json()).unwrap_or_default()),
            _ => self.out.text(&render::passed(told, SHOWN).line()),
        }
    }
}
