//! What a member weighs: counted on this thread alone, with the servers on another.

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use bowline_client::Client;
use bowline_hub::{Hub, Member};
use bowline_protocol::Revision;
use bowline_testkit::MockServer;
use bowline_transport::{Connect, MemoryConnect};
use tokio::io::DuplexStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use super::support::with_tool;

const MEMBERS: usize = 64;
/// How many bytes a connected member may hold while nobody uses it, of which a client alone has most.
const MOST: i64 = 32 << 10;
/// How many of them may be the hub's own: the subscription to a server that is asked to tell of changes (2026-07-28), its
/// names and lists, statistics, health.
const OWN: i64 = 12 << 10;

/// The ways to servers that another thread serves.
fn connectors(servers: &Arc<Runtime>, revision: Revision) -> Vec<impl Connect + use<>> {
    let server = with_tool(MockServer::builder().revisions([revision]), "echo", "hi").build();
    // The server's tasks are made over there, so that they do not count here.
    let (connect, mut pipes) = mpsc::channel::<DuplexStream>(MEMBERS);
    servers.spawn(async move {
        while let Some(pipe) = pipes.recv().await {
            let server = server.clone();
            tokio::spawn(async move {
                let (read, write) = tokio::io::split(pipe);
                server.serve(read, write).await
            });
        }
    });
    let one = |_| {
        let connect = connect.clone();
        MemoryConnect::new(move |pipe| connect.try_send(pipe).unwrap())
    };
    (0..MEMBERS).map(one).collect()
}

fn hub(connectors: Vec<impl Connect>) -> Hub {
    let members = connectors.into_iter().enumerate().map(|(n, connector)| Member::new(format!("m{n}"), connector));
    Hub::builder().members(members).build().unwrap()
}

fn each(weight: &AllocationInfo) -> i64 {
    weight.bytes_current / MEMBERS as i64
}

/// What is heard and answered in the background has its time.
async fn rest() {
    tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>()).await.unwrap_err();
}

#[test]
fn an_idle_connected_member_is_small() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let servers = Arc::new(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (alone, many) = (connectors(&servers, revision), connectors(&servers, revision));

        let mut clients = Vec::with_capacity(MEMBERS);
        let client = measure(|| {
            runtime.block_on(async {
                for connector in alone {
                    let client = Client::builder().connect(connector).await.unwrap();
                    client.call("echo").await.unwrap();
                    clients.push(client);
                }
                rest().await;
            });
        });
        let mut kept = None;
        let member = measure(|| {
            let hub = hub(many);
            runtime.block_on(async {
                assert_eq!(hub.tools().await.items.len(), MEMBERS);
                for n in 0..MEMBERS {
                    assert_eq!(hub.call(format!("m{n}__echo")).await.unwrap().joined_text(), "hi");
                }
                rest().await;
            });
            kept = Some(hub);
        });
        println!("{revision}: {} bytes for each idle member, of which a client has {}", each(&member), each(&client));
        assert!((1..=MOST).contains(&each(&member)), "{} bytes", each(&member));
        assert!(each(&member) - each(&client) <= OWN, "{} bytes of the hub's own", each(&member) - each(&client));
        runtime.block_on(async {
            kept.unwrap().close().await;
        });
    }
}

#[test]
fn a_member_that_is_not_connected_has_no_task_and_is_smaller() {
    let servers = Arc::new(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    let mut hub_then = None;
    let connectors = connectors(&servers, Revision::V2025_11_25);
    let weight = measure(|| hub_then = Some(hub(connectors)));
    println!("{} bytes for each member that is not connected", each(&weight));
    assert!((1..=4_608).contains(&each(&weight)), "{} bytes", each(&weight));
    // Made without a runtime: there is nothing that could run.
    drop(hub_then);
}
