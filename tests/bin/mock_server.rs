//! The demonstration server of `bowline_testkit::demo`, with `--contract` the one of its contract tests, or with
//! `--paces` the one that each revision is tested with, over standard input and output.
//!
//! `mock-server [--contract | --paces] [--revision R]… [--page-size N] [--fault NAME[=VALUE][@METHOD[#N]]]…`

use std::error::Error;
use std::process::ExitCode;

use bowline_testkit::{contract, demo};
use bowline_tests::paces;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut server = demo::builder();
    args.retain(|arg| {
        server = match arg.as_str() {
            "--contract" => contract::builder(),
            "--paces" => paces::builder(),
            _ => return true,
        };
        false
    });
    let mut revisions = Vec::new();
    for pair in args.chunks(2) {
        let [option, value] = pair else { return Err(format!("{} needs a value", pair.concat()).into()) };
        server = match option.as_str() {
            "--revision" => {
                revisions.push(value.parse()?);
                server
            }
            "--page-size" => server.page_size(value.parse()?),
            "--fault" => server.misbehave_as(value)?,
            other => return Err(format!("no option {other}").into()),
        };
    }
    let server = server.revisions(revisions).build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(server.serve_stdio());
    // A read of standard input cannot be interrupted; the process must not wait for it.
    runtime.shutdown_background();
    Ok(code?)
}
