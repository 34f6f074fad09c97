//! The child process and all that descends from it, from the start to the end.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bowline_transport::{TransportError, TransportErrorKind};
use process_wrap::tokio::ChildWrapper;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// How long the system may take to remove processes that were killed.
const REMOVAL: Duration = Duration::from_secs(2);
/// The least time between two looks at all processes of the system.
const LOOK: Duration = Duration::from_millis(100);

/// How a server ended, once it has.
pub(crate) type Exit = watch::Receiver<Option<Arc<str>>>;

/// A server's process, the leader of a group of its own.
///
/// Whatever happens to its owner, the group does not outlive this value: dropping it kills what is left.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Box<dyn ChildWrapper>,
    id: Option<u32>,
    exit: watch::Sender<Option<Arc<str>>>,
    /// Whether leader and group are known to be gone. From then on the id may belong to somebody else.
    gone: bool,
    /// When the last look was whether all that is left are zombies.
    looked: Option<Instant>,
}

/// The ends of a child's pipes, those that were asked for.
pub(crate) struct Pipes {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

impl ServerProcess {
    /// Starts the command in a group of its own. Must be called within a tokio runtime.
    pub(crate) fn start(command: Command) -> io::Result<(Self, Pipes)> {
        let mut child = system::isolated(command).spawn()?;
        let pipes = Pipes { stdin: child.stdin().take(), stdout: child.stdout().take(), stderr: child.stderr().take() };
        let id = child.id();
        Ok((Self { child, id, exit: watch::Sender::new(None), gone: false, looked: None }, pipes))
    }

    /// The system's id of the process, which is that of its group as well.
    pub(crate) const fn id(&self) -> Option<u32> {
        self.id
    }

    /// Tells when and how the server has exited.
    pub(crate) fn exit(&self) -> Exit {
        self.exit.subscribe()
    }

    /// Waits until the server has exited, and reaps it. Descendants may go on.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub(crate) async fn exited(&mut self) {
        if self.has_exited() {
            return;
        }
        // Past the wrapper, which would wait for the whole group.
        let exit = match self.child.inner_mut().wait().await {
            Ok(status) => status.to_string(),
            // Somebody else in this process reaped it.
            Err(error) => format!("exit status unknown: {error}"),
        };
        self.exit.send_replace(Some(exit.into()));
        // Now, before the id can be given away: what is gone is never signalled again.
        self.is_gone();
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Ends the server and its group step by step, each step up to `grace`; its stdin is being closed by the caller.
    ///
    /// Specification: 2025-11-25, basic/lifecycle, shutdown. Ready when nothing is left.
    pub(crate) async fn end(&mut self, grace: Duration) -> Result<(), TransportError> {
        let _ = timeout(grace, self.exited()).await;
        // What is left of the group, once its leader has gone, had the same time to see the end of its stdin.
        if !self.is_gone() && system::terminate(&*self.child) {
            let _ = timeout(grace, self.group_gone()).await;
        }
        if !self.is_gone() {
            // Fails where the last one has just gone.
            let _ = self.child.start_kill();
            if timeout(REMOVAL, self.group_gone()).await.is_err() && !self.is_gone() {
                return Err(TransportError::new(
                    TransportErrorKind::Timeout,
                    format!(
                        "process group {} is still there after SIGKILL; look at its state with `ps`",
                        self.id.unwrap_or_default()
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Whether leader and group are gone.
    ///
    /// The id of a group is not given away while a member is left, so it is safe to signal it until this says yes.
    fn is_gone(&mut self) -> bool {
        self.gone = self.gone || (self.has_exited() && self.id.is_none_or(|id| self.group_is_gone(id)));
        self.gone
    }

    fn group_is_gone(&mut self, id: u32) -> bool {
        if !system::group_exists(id) {
            return true;
        }
        // A look at every process is dear, and until the next one zombies count as alive.
        let now = Instant::now();
        if self.looked.is_some_and(|last| now.duration_since(last) < LOOK) {
            return false;
        }
        self.looked = Some(now);
        system::only_zombies(id)
    }

    async fn group_gone(&mut self) {
        self.exited().await;
        // No system tells when a process that is not a child ends.
        let mut pause = Duration::from_millis(5);
        while !self.is_gone() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        /// Rounds of waiting for the system to let the killed process go, 5 ms each.
        const ROUNDS: u32 = 20;
        if self.is_gone() {
            return;
        }
        let _ = self.child.start_kill();
        for _ in 0..ROUNDS {
            if !matches!(self.child.inner_mut().try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn started(script: &str) -> ServerProcess {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        ServerProcess::start(command).unwrap().0
    }

    #[tokio::test]
    async fn a_group_that_is_gone_with_its_leader_is_known_to_be_gone_at_once() {
        let mut process = started("exit 0");
        process.exited().await;
        assert!(process.gone, "its id may belong to somebody else from now on");

        let mut process = started("sleep 60 & exit 0");
        process.exited().await;
        assert!(!process.gone);
        process.end(Duration::from_secs(10)).await.unwrap();
        assert!(process.gone);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_lingers_is_looked_at_now_and_then() {
        let mut process = started("sleep 60 & exit 0");
        process.exited().await;
        let first = process.looked;
        assert!(first.is_some());
        assert!(!process.is_gone());
        assert_eq!(process.looked, first);
        tokio::time::advance(LOOK).await;
        assert!(!process.is_gone());
        assert!(process.looked > first);
    }
}
