//! Errors of the client as errors of the command.

use bowline::{Error, ErrorKind};

use crate::exit::{CliError, Code, Stop};

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::NotFound | ErrorKind::Connect | ErrorKind::Closed => Code::Connect,
            ErrorKind::Timeout => Code::Timeout,
            ErrorKind::Config => Code::Usage,
            ErrorKind::Server
            | ErrorKind::Protocol
            | ErrorKind::Unsupported
            | ErrorKind::UnsupportedVersion
            | ErrorKind::TooLarge => Code::Protocol,
            _ => Code::Unexpected,
        };
        // The messages say what to do about the failure itself; this is what the command can do.
        let hint = match error.kind() {
            ErrorKind::NotFound => Some("the server's PATH and folder are set with -e PATH=… and --cwd"),
            ErrorKind::Connect | ErrorKind::Closed => Some("add -v to see all that it says"),
            ErrorKind::Timeout => {
                Some("give it longer with --timeout, --max-time or --connect-timeout, or add -v to see what it says")
            }
            ErrorKind::UnsupportedVersion => Some("ask for another revision with --revision"),
            ErrorKind::Unsupported => Some("`bowline info` shows what the server has"),
            ErrorKind::Protocol => Some("add -vv to see more of what happened"),
            _ => None,
        };
        // The message ends with the last lines; the whole of them is worth showing when there is more.
        let stderr = error.stderr().filter(|text| text.lines().filter(|line| !line.trim().is_empty()).count() > 3);
        let stderr = stderr.map(str::to_owned);
        let mut this = Self::new(code, error.to_string()).hint_if(hint.map(str::to_owned)).detail(stderr);
        this.server_error = error.server_error().and_then(|object| serde_json::to_value(object).ok()).map(Box::new);
        this
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        CliError::from(error).into()
    }
}
