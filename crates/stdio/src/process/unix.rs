//! Process groups.

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use tokio::process::Command;

/// The command as the leader of a group of its own.
///
/// So it is not interrupted together with this process by a terminal's Ctrl-C, and all of it can be ended.
pub(super) fn isolated(command: Command) -> CommandWrap {
    let mut command = CommandWrap::from(command);
    command.wrap(ProcessGroup::leader());
    command
}

/// Asks the group to end; says whether there is something to wait for.
pub(super) fn terminate(child: &dyn ChildWrapper) -> bool {
    // Fails where the last one has just gone.
    let _ = child.signal(Signal::SIGTERM as i32);
    true
}

/// Whether a process of the group is left, be it a zombie. The leader must have been reaped.
pub(super) fn group_exists(id: u32) -> bool {
    let Some(group) = i32::try_from(id).ok().filter(|id| *id > 1).map(Pid::from_raw) else {
        return false;
    };
    // Orphans come to this process where it is the first of its container, or a subreaper.
    while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) =
        waitpid(Pid::from_raw(-group.as_raw()), Some(WaitPidFlag::WNOHANG))
    {}
    killpg(group, None) != Err(Errno::ESRCH)
}

/// Whether all that is left are zombies that the first process of the system does not reap, as in many containers.
///
/// Looks at every process of the system.
#[cfg(target_os = "linux")]
pub(super) fn only_zombies(group: u32) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    let group = group.to_string();
    let mut stats = processes
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit))
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    !stats.any(|stat| {
        // The name in parentheses may hold anything; state, parent and group follow it.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        let state = fields.next();
        fields.nth(1) == Some(&*group) && !matches!(state, Some("Z" | "X"))
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn only_zombies(_group: u32) -> bool {
    false
}
