//! The stdio transport keeps the contract of transports, with a real child process.

use bowline::stdio::StdioConnect;
use bowline::transport::{Connect, Limits};

fn connect(limits: Limits) -> Box<dyn Connect> {
    Box::new(StdioConnect::new(env!("CARGO_BIN_EXE_mock-server")).arg("--contract").limits(limits))
}

bowline_testkit::transport_contract!(stdio, connect);
