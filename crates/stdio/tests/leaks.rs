//! Counts what is left. A binary of its own: other tests would be counted as well.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod support;

use std::time::Duration;

use bowline_transport::Transport;

use support::{ECHO, call, lives, sh, until, within};

#[tokio::test]
async fn two_hundred_servers_leave_no_process_and_no_descriptor() {
    let connect = sh(ECHO).grace(Duration::from_secs(10));
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // What the runtime opens for its first process stays.
    within(connect.spawn().unwrap().close()).await.unwrap();
    let before = descriptors();

    let mut ids = Vec::new();
    for n in 0..200 {
        let transport = connect.spawn().unwrap();
        let id = transport.id().unwrap();
        ids.push(id);
        call(&transport, 1).await.unwrap();
        match n % 3 {
            0 => {
                within(transport.close()).await.unwrap();
                assert!(!lives(id));
            }
            1 => {
                let process = nix::unistd::Pid::from_raw(id.cast_signed());
                nix::sys::signal::kill(process, nix::sys::signal::SIGKILL).unwrap();
                call(&transport, 2).await.expect_err("the server is dead");
            }
            _ => drop(transport),
        }
    }
    until("all processes are gone", || !ids.iter().any(|id| lives(*id))).await;
    until("all descriptors are closed", || descriptors() <= before).await;
}
