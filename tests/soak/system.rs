//! What this process has: memory, descriptors, children, tasks. Zero where there is no `/proc`.

use std::time::Duration;

/// The memory in use, in bytes.
pub(crate) fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// The children of this process, dead ones that nobody has reaped included.
pub(crate) fn children() -> usize {
    let parent_of = |id: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
        fields.next()?.parse::<u32>().ok()
    };
    let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = ids.filter_map(|entry| entry.file_name().into_string().ok());
    let ids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    ids.filter(|id| parent_of(id) == Some(std::process::id())).count()
}

/// The tasks of this runtime that have not ended, the one that asks left out.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// What is left of something once it has had time to go; waits until there are no more than before.
pub(crate) async fn left(before: usize, now: impl Fn() -> usize) -> usize {
    for _ in 0..1_000 {
        if now() <= before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    now().saturating_sub(before)
}
