//! `bowline replay`: the server of a recording.

use bowline_testkit::{Cassette, Matching, Pace, Player};
use serde_json::json;
use tokio::net::TcpListener;

use crate::exit::{CliError, Code, Stop};
use crate::options::{Format, Replay};
use crate::output::Output;
use crate::sanitize;
use crate::session::{Run, Signals, interrupted};
use crate::styled::Styled;

pub(crate) async fn run(options: Replay, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let read = if options.allow_cut { Cassette::read_cut(&options.file) } else { Cassette::read(&options.file) };
    let cassette = read.map_err(|error| {
        let hint = error.is_cut().then(|| "--allow-cut plays what there is".to_owned());
        CliError::usage(format!("`{}`: {error}", options.file.display())).hint_if(hint)
    })?;
    let matching = if options.strict { Matching::Strict } else { Matching::Lenient };
    let pace = if options.timed { Pace::AsRecorded } else { Pace::AtOnce };
    let player = cassette.player().matching(matching).pace(pace);
    let mut signals = Signals::new()?;
    let ended = match options.http {
        Some(address) => {
            let serving = TcpListener::bind(address).await.and_then(|listener| player.serve_http(listener));
            let serving = serving
                .map_err(|error| CliError::new(Code::Connect, format!("cannot listen at {address}: {error}")))?;
            if out.format() == Format::Json {
                out.json_line(&json!({"url": serving.url()}))?;
            } else {
                out.text(&Styled::new().plain(serving.url()).line())?;
            }
            signals.next().await;
            Err(interrupted())
        }
        None => tokio::select! {
            biased;
            () = signals.next() => Err(interrupted()),
            served = player.serve_stdio() => served.map_err(|error| Stop::from_write(&error)),
        },
    };
    tell(&player, run, options.strict).and(ended)
}

/// Says what did not fit; strictly, that is an error.
fn tell(player: &Player, run: &Run, strict: bool) -> Result<(), Stop> {
    let report = player.report();
    for mismatch in &report.mismatches {
        run.console.warn(sanitize::text(&mismatch.to_string()));
    }
    if report.unused > 0 {
        run.console.detail(format!("{} recorded requests were not made", report.unused));
    }
    if strict && report.missed > 0 {
        let error = format!("{} messages are not what was recorded", report.missed);
        return Err(CliError::new(Code::Protocol, error).hint("without --strict the order does not count").into());
    }
    Ok(())
}
