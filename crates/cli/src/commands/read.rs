//! `bowline read`: reads a resource.

use super::renderer;
use crate::exit::{CliError, Stop};
use crate::options::{Format, Read};
use crate::output::Output;
use crate::progress::ProgressView;
use crate::render;
use crate::session::{Logs, Run};

pub(crate) async fn run(options: Read, run: &Run, out: &mut Output) -> Result<(), Stop> {
    if let Some(configured) = &options.server.configured {
        configured.permit_resource(&options.uri)?;
    }
    run.with_server(&options.server, Logs::Console, async |client| {
        let progress = ProgressView::new(&run.console, &options.uri);
        let view = progress.clone();
        let result = client.read(options.uri.as_str()).on_progress(move |report| view.update(&report)).await;
        progress.finish();
        let result = result.map_err(|error| {
            let unknown = error.is_resource_not_found();
            let error = CliError::from(error);
            if unknown { error.hint("`bowline list --resources --templates` shows what can be read") } else { error }
        })?;
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
