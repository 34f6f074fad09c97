//! Job objects. Not run in our tests.

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
use tokio::process::Command;

/// The command in a job of its own, which ends with the last handle to it, also when this process dies.
pub(super) fn isolated(command: Command) -> CommandWrap {
    let mut command = CommandWrap::from(command);
    command.wrap(KillOnDrop).wrap(JobObject);
    command
}

/// Windows has no way to ask a process without a window to end.
pub(super) const fn terminate(_child: &dyn ChildWrapper) -> bool {
    false
}

/// What a job held is gone as soon as the job is terminated; until then nothing is known.
pub(super) const fn group_exists(_id: u32) -> bool {
    false
}

/// There are none on Windows.
pub(super) const fn only_zombies(_group: u32) -> bool {
    false
}
