//! What a member weighs: counted on this thread alone, with the servers on another.

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use bowline_hub::{Hub, Member};
use bowline_protocol::Revision;
use bowline_testkit::MockServer;
use bowline_transport::MemoryConnect;
use tokio::runtime::{Builder, Runtime};

use super::support::with_tool;

const MEMBERS: usize = 64;

/// A hub whose servers are served by another thread.
fn hub(servers: &Arc<Runtime>, revision: Revision) -> Hub {
    let members = (0..MEMBERS).map(|n| {
        let server = with_tool(MockServer::builder().revisions([revision]), "echo", "hi").build();
        let servers = Arc::clone(servers);
        let connector = MemoryConnect::new(move |pipe| {
            let server = server.clone();
            servers.spawn(async move {
                let (read, write) = tokio::io::split(pipe);
                server.serve(read, write).await
            });
        });
        Member::new(format!("m{n}"), connector)
    });
    Hub::builder().members(members).build().unwrap()
}

#[test]
fn an_idle_connected_member_is_small() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let servers = Arc::new(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut hub_then = None;
        let weight = measure(|| {
            let hub = hub(&servers, revision);
            runtime.block_on(async {
                assert_eq!(hub.tools().await.items.len(), MEMBERS);
                let called = hub.call("m7__echo").await.unwrap();
                assert_eq!(called.joined_text(), "hi");
                tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>()).await.unwrap_err();
            });
            hub_then = Some(hub);
        });
        let each = weight.bytes_current / MEMBERS as i64;
        println!("{revision}: {each} bytes for each connected member, at most 32768");
        assert!((1..=32_768).contains(&each), "{each} bytes");
        let hub = hub_then.unwrap();
        runtime.block_on(async {
            hub.close().await;
        });
    }
}

#[test]
fn a_member_that_is_not_connected_has_no_task_and_is_smaller() {
    let servers = Arc::new(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    let mut hub_then = None;
    let weight = measure(|| hub_then = Some(hub(&servers, Revision::V2025_11_25)));
    let each = weight.bytes_current / MEMBERS as i64;
    println!("{each} bytes for each member, at most 8192");
    // The server that stands ready for it in this process is in the number.
    assert!((1..=8_192).contains(&each), "{each} bytes");
    // Made without a runtime: there is nothing that could run.
    drop(hub_then);
}
