//! Servers of several processes that do not end by themselves.

use bowline_stdio::{StdioConnect, StdioTransport};

use crate::support::{lives, within};

/// Ignores the end of its stdin.
pub(crate) const DEAF: &str = "while :; do sleep 0.05; done";

/// Starts a server that says on stderr which processes it consists of: `id 12`, and then `ready`.
pub(crate) async fn start(connect: &StdioConnect) -> (StdioTransport, Vec<u32>) {
    let mut lines = connect.stderr_lines();
    let transport = connect.spawn().unwrap();
    let mut ids = vec![transport.id().unwrap()];
    loop {
        let line = within(lines.next()).await.expect("the server says that it is ready");
        match line.strip_prefix("id ") {
            Some(id) => ids.push(id.parse().unwrap()),
            None if &*line == "ready" => break,
            None => {}
        }
    }
    assert!(ids.iter().all(|id| lives(*id)), "{ids:?}");
    (transport, ids)
}
