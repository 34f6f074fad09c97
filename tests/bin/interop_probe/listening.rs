//! A server that listens on a port of this machine.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::plan::Plan;
use super::processes::MARK;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(90);

/// The process; ended when it is dropped.
pub(crate) struct Listening {
    child: Child,
    pub(crate) url: String,
}

impl Listening {
    /// Starts the server of a plan and waits until it listens.
    pub(crate) async fn start(plan: &Plan, url: &str, mark: &str) -> Result<Self, String> {
        let address = free().map_err(|error| format!("no port is free: {error}"))?;
        let port = address.port().to_string();
        let with_port = |text: &str| text.replace("{port}", &port);
        let mut command = Command::new(&plan.program);
        command.args(plan.args.iter().map(|arg| with_port(arg))).current_dir(&plan.work).env(MARK, mark);
        command.envs(plan.env.iter().map(|(name, value)| (name, with_port(value))));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("cannot start {}: {error}", plan.program.display()))?;
        let mut this = Self { child, url: with_port(url) };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = this.child.try_wait() {
                return Err(format!("it ended before it listened: {status}"));
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("it does not listen after {} s", PATIENCE.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(this)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on.
fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
