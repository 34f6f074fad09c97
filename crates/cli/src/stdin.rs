//! JSON that is piped into the command.

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::args::MAX_INPUT_BYTES;
use crate::exit::{CliError, Code};

/// How long the first byte may take when nobody said that input comes. Under cron and CI standard input is often
/// a pipe that nobody writes to and nobody closes.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a pipe had to say.
#[derive(Debug, PartialEq)]
pub(crate) enum Offer {
    /// A terminal, or a pipe that was closed without a byte.
    Nothing,
    /// An open pipe that stayed silent.
    Silent,
    Text(String),
}

/// Reads standard input to its end, because the command line says so.
pub(crate) fn read() -> Result<String, CliError> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fail(&error))?;
    text(bytes)
}

/// Reads standard input if somebody is writing to it: once the first byte came, to its end.
pub(crate) async fn offered() -> Result<Offer, CliError> {
    if io::stdin().is_terminal() {
        return Ok(Offer::Nothing);
    }
    let (first_tx, first) = oneshot::channel();
    let (rest_tx, rest) = oneshot::channel();
    // A thread of its own: a read that never ends must not keep the runtime from ending.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock().take(MAX_INPUT_BYTES + 1);
        let mut byte = [0];
        let begun = input.read(&mut byte);
        let _ = first_tx.send(());
        let _ = rest_tx.send(begun.and_then(|count| {
            let mut bytes = byte.get(..count).unwrap_or_default().to_vec();
            input.read_to_end(&mut bytes).map(|_| bytes)
        }));
    });
    if tokio::time::timeout(PATIENCE, first).await.is_err() {
        return Ok(Offer::Silent);
    }
    match rest.await {
        Ok(Ok(bytes)) => {
            text(bytes).map(|text| if text.trim().is_empty() { Offer::Nothing } else { Offer::Text(text) })
        }
        Ok(Err(error)) => Err(fail(&error)),
        Err(_) => Ok(Offer::Nothing),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, CliError> {
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(CliError::usage("standard input is larger than 64 MiB").hint("give a file with --args-file"));
    }
    String::from_utf8(bytes).map_err(|_| CliError::usage("standard input is no UTF-8 text"))
}

fn fail(error: &io::Error) -> CliError {
    CliError::new(Code::Usage, format!("cannot read standard input: {error}"))
}
