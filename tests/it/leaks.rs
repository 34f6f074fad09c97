//! What is left when clients end, in whatever way: nothing.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline::prelude::*;
use bowline::stdio::StdioConnect;
use bowline::transport::{BoxFuture, Transport, TransportError, WrapConnect};

use crate::support::{Child, children, until, within, zombies};

/// Notes the processes that it starts.
#[derive(Clone)]
struct Noting {
    connect: StdioConnect,
    ids: Arc<Mutex<Vec<u32>>>,
}

impl Noting {
    fn new(child: &Child) -> Self {
        Self { connect: child.connect.clone().grace(Duration::from_secs(10)), ids: Arc::default() }
    }

    fn ids(&self) -> Vec<u32> {
        self.ids.lock().unwrap().clone()
    }

    fn last(&self) -> u32 {
        *self.ids().last().unwrap()
    }
}

impl WrapConnect for Noting {
    type Inner = StdioConnect;

    fn inner(&self) -> &StdioConnect {
        &self.connect
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async {
            let transport = self.connect.spawn()?;
            self.ids.lock().unwrap().push(transport.id().unwrap());
            Ok(Box::new(transport) as Box<dyn Transport>)
        })
    }
}

fn server() -> Child {
    Child::program(env!("CARGO_BIN_EXE_mock-server"), &[])
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits until none of the processes is there, not even to be reaped.
async fn gone(ids: &[u32]) {
    until("all processes are gone", || {
        let children = children();
        !ids.iter().any(|id| children.contains(id))
    })
    .await;
}

#[tokio::test]
async fn two_hundred_servers_leave_no_process_and_no_descriptor() {
    let child = server();
    let connect = Noting::new(&child);
    // What the runtime opens for its first process stays.
    within(within(Client::builder().connect(connect.clone())).await.unwrap().close()).await.unwrap();
    let before = descriptors();
    for n in 0..200 {
        let client = within(Client::builder().connect(connect.clone())).await.unwrap();
        match n % 3 {
            0 => within(client.close()).await.unwrap(),
            1 => drop(client),
            _ => {
                let killed = Command::new("kill").arg("-KILL").arg(connect.last().to_string()).status().unwrap();
                assert!(killed.success());
                let mut events = client.events();
                let end = within(async {
                    loop {
                        match events.next().await {
                            Some(Event::Closed(error)) => return error,
                            Some(_) => {}
                            None => panic!("events end with the end"),
                        }
                    }
                })
                .await;
                assert_eq!(end.exit(), Some("signal: 9 (SIGKILL)"));
                assert!(within(client.ping()).await.unwrap_err().is_closed());
            }
        }
    }
    let ids = connect.ids();
    assert_eq!(ids.len(), 201);
    gone(&ids).await;
    within(child.gone()).await;
    until("no zombie is left", || zombies().is_empty()).await;
    until("all descriptors are closed", || descriptors() <= before).await;
}

#[tokio::test]
async fn servers_that_refuse_the_handshake_are_not_left_behind() {
    let child = Child::program(env!("CARGO_BIN_EXE_mock-server"), &["--fault", "refuse=no@initialize"]);
    let connect = Noting::new(&child);
    for _ in 0..10 {
        let error = within(Client::builder().connect(connect.clone())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
    }
    gone(&connect.ids()).await;
}

#[tokio::test]
async fn a_connect_that_is_dropped_ends_the_server() {
    let child = Child::program(env!("CARGO_BIN_EXE_mock-server"), &["--fault", "never-answer@initialize"]);
    let connect = Noting::new(&child);
    let connecting = tokio::spawn(Client::builder().connect(connect.clone()));
    until("it was started", || !connect.ids().is_empty()).await;
    connecting.abort();
    assert!(connecting.await.unwrap_err().is_cancelled());
    gone(&[connect.last()]).await;
}

#[tokio::test]
async fn a_client_that_a_panic_drops_ends_its_server() {
    let child = server();
    let connect = Noting::new(&child);
    let client = within(Client::builder().connect(connect.clone())).await.unwrap();
    let task = tokio::spawn(async move {
        client.ping().await.unwrap();
        panic!("on purpose");
    });
    assert!(within(task).await.unwrap_err().is_panic());
    gone(&[connect.last()]).await;
}

#[tokio::test]
async fn a_call_that_is_open_does_not_keep_a_dropped_client_alive() {
    let child = Child::program(env!("CARGO_BIN_EXE_mock-server"), &["--fault", "never-answer@tools/call"]);
    let connect = Noting::new(&child);
    let client = within(Client::builder().connect(connect.clone())).await.unwrap();
    let task = tokio::spawn({
        let client = client.clone();
        async move { client.call("echo").await }
    });
    tokio::task::yield_now().await;
    drop(client);
    task.abort();
    let _ = task.await;
    gone(&[connect.last()]).await;
}

#[test]
fn a_runtime_that_ends_with_open_clients_leaves_no_process() {
    for flavor in ["current_thread", "multi_thread"] {
        let child = server();
        let connect = Noting::new(&child);
        let mut builder = match flavor {
            "current_thread" => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let clients: Vec<_> =
            (0..3).map(|_| runtime.block_on(within(Client::builder().connect(connect.clone()))).unwrap()).collect();
        drop(runtime);
        let ids = connect.ids();
        let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        other.block_on(gone(&ids));
        // The clients are of no use, and harmless.
        for client in &clients {
            let error = other.block_on(within(client.ping())).unwrap_err();
            assert!(error.is_closed(), "{error}");
            other.block_on(within(client.close())).unwrap();
        }
        drop(clients);
    }
}
