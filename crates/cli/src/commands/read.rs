//! `bowline read`: reads a resource.

use std::time::Duration;

use bowline::Client;

use super::renderer;
use crate::exit::{CliError, Stop};
use crate::options::{Format, Read};
use crate::output::Output;
use crate::progress::ProgressView;
use crate::render;
use crate::sanitize;
use crate::session::{Logs, Run};
use crate::suggest;

/// How long is looked for a resource with nearly the name of one that is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many resources are looked at for that.
const MOST: usize = 10_000;

pub(crate) async fn run(options: Read, run: &Run, out: &mut Output) -> Result<(), Stop> {
    if let Some(configured) = &options.server.configured {
        configured.permit_resource(&options.uri)?;
    }
    run.with_server(&options.server, Logs::Console, async |client| {
        let progress = ProgressView::new(&run.console, &options.uri);
        let view = progress.clone();
        let result = client.read(options.uri.as_str()).on_progress(move |report| view.update(&report)).await;
        progress.finish();
        let result = match result {
            Ok(result) => result,
            Err(error) if error.is_resource_not_found() => {
                let hint = nearest(client, &options.uri).await;
                let all = "`bowline list --resources --templates` shows what can be read";
                let hint = hint.map_or_else(|| all.to_owned(), |hint| format!("{hint} {all}"));
                return Err(CliError::from(error).hint(sanitize::line(&hint)).into());
            }
            Err(error) => return Err(error.into()),
        };
        for problem in &result.problems {
            run.console.warn(format!("part {} of the contents cannot be read: {}", problem.index, problem.error));
        }
        let mut renderer = renderer(out, &options.save);
        match out.format() {
            Format::Json => {
                if renderer.saver.is_some() {
                    renderer.read(&result)?;
                }
                out.json(&result)
            }
            Format::Raw => out.raw(&render::raw_contents(&result.contents)),
            _ => out.long_text(&renderer.read(&result)?),
        }
    })
    .await
}

/// The resource whose URI is nearly this one. A list that cannot be had says nothing.
async fn nearest(client: &Client, uri: &str) -> Option<String> {
    let mut pages = client.resources();
    let mut known = Vec::new();
    let read = async {
        while let Some(Ok(resource)) = pages.next().await {
            known.push(resource.uri);
            if known.len() == MOST {
                break;
            }
        }
    };
    // What came until then is enough to look through.
    let _ = tokio::time::timeout(PATIENCE, read).await;
    suggest::did_you_mean(uri, known.iter().map(String::as_str))
}
