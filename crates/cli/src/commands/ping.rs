//! `bowline ping`: how long the server takes to answer.

use std::time::{Duration, Instant};

use bowline::protocol::Era;
use serde_json::json;

use super::server_name;
use crate::duration;
use crate::exit::Stop;
use crate::options::{Format, Ping};
use crate::output::Output;
use crate::session::{Logs, Run};
use crate::styled::Styled;

pub(crate) async fn run(options: Ping, run: &Run, out: &mut Output) -> Result<(), Stop> {
    let started = Instant::now();
    run.with_server(&options.server, Logs::Console, async |client| {
        let connected = started.elapsed();
        let is_json = out.format() == Format::Json;
        let mut times = Vec::new();
        for _ in 0..options.count {
            let sent = Instant::now();
            match client.server().revision.era() {
                Era::Handshake => client.ping().await?,
                // Revisions without sessions have no ping; this is what every server of them answers.
                _ => drop(client.discover().await?),
            }
            let time = sent.elapsed();
            if !is_json {
                out.text(
                    &Styled::new()
                        .plain(format!("{} answered in {}", server_name(client), duration::show(time)))
                        .line(),
                )?;
            }
            times.push(time);
        }
        if is_json {
            let times: Vec<f64> = times.iter().copied().map(milliseconds).collect();
            return out.json(
                &json!({"server": client.server().info.name, "connect_ms": milliseconds(connected), "ping_ms": times}),
            );
        }
        run.console.note(format!("connected in {}", duration::show(connected)));
        Ok(())
    })
    .await
}

/// To the microsecond.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1_000.0
}
