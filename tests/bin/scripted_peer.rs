//! A child process that plays a script of `bowline_testkit::Script`.
//!
//! `scripted-peer (--script JSON | --script-file PATH) [--record PATH]`; the script may also stand in the
//! environment variable `BOWLINE_SCRIPT`. What else is given is left to the script.

use std::error::Error;
use std::process::ExitCode;

use bowline_testkit::Script;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut script = std::env::var("BOWLINE_SCRIPT").ok();
    let mut record = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--script" => script = args.next(),
            "--script-file" => {
                script = Some(std::fs::read_to_string(args.next().ok_or("--script-file needs a path")?)?)
            }
            "--record" => record = Some(std::fs::File::create(args.next().ok_or("--record needs a path")?)?),
            _ => {}
        }
    }
    let script = Script::from_json(&script.ok_or("no script; give --script, --script-file or BOWLINE_SCRIPT")?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let code = runtime.block_on(script.serve_stdio(record));
    // A read of standard input cannot be interrupted; the process must not wait for it.
    runtime.shutdown_background();
    Ok(code?)
}
