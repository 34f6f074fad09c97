//! `bowline record`: what passes between any client and a server, in a file.

use bowline_testkit::Recorder;

use super::inspect::{put_through, unwritable};
use crate::exit::Stop;
use crate::options::Record;
use crate::server;
use crate::session::Run;

pub(crate) async fn run(options: Record, run: &Run) -> Result<(), Stop> {
    let connect = server::connector(run, &options.server).await?;
    let builder = Recorder::builder().redaction(server::redaction(&options.secrets)?);
    let path = &options.file;
    let opened = match (options.append, options.force) {
        (true, _) => builder.append(path),
        (_, true) => builder.overwrite(path),
        _ => builder.create(path),
    };
    let recorder = opened.map_err(|error| {
        let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
        let hint = "--append records behind what is there, --force writes over it";
        unwritable(path, &error).hint_if(exists.then(|| hint.to_owned()))
    })?;
    let ended = put_through(&recorder.wrap(connect)).await;
    let lines = recorder.finish().map_err(|error| unwritable(path, &error))?;
    run.console.detail(format!("recorded {lines} lines into {}", path.display()));
    ended
}
