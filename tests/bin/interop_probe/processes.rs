//! Which processes a server left behind.

use std::time::{Duration, Instant};

/// Marks the processes of a run, through their environment.
pub(crate) const MARK: &str = "BOWLINE_INTEROP_MARK";

/// How long the last of a group may take to vanish after its end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The processes whose environment carries the mark, once there are none or patience is over. Looked at where there
/// is a `/proc`.
pub(crate) async fn left(mark: &str) -> Vec<u32> {
    let started = Instant::now();
    loop {
        let marked = marked(mark);
        if marked.is_empty() || started.elapsed() > PATIENCE {
            return marked;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn marked(mark: &str) -> Vec<u32> {
    let wanted = format!("{MARK}={mark}");
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let carries = |id: &u32| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    ids.filter(carries).collect()
}
