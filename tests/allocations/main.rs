//! How often the client allocates, and how much it holds, counted on its thread alone; the server is on another, or
//! another process.
//!
//! The counts do not depend on the machine, so a number that grew was made to grow: by a change here, or by a library.
//! Lower a bound when its number falls.

#[path = "../page.rs"]
mod page;
mod peer;

use std::future::Future;

use allocation_counter::measure;
use bowline::stdio::StdioConnect;
use bowline::{Client, Target};
use bowline_protocol::{ListToolsResult, RawJson};
use bowline_transport::Connect;
use tokio::runtime::{Builder, Runtime};

/// How many calls share what happens now and then, such as a fresh buffer.
const CALLS: u64 = 500;
/// How many come before, so that tables and buffers have their size.
const FIRST: u64 = 50;

/// How many open clients share what a thread has once.
const CLIENTS: usize = 32;

/// A client, and the runtime of its one thread.
struct Session {
    runtime: Runtime,
    client: Client,
}

impl Session {
    fn with(connector: impl Connect) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(Client::builder().connect(connector)).unwrap();
        Self { runtime, client }
    }

    /// How often `call` allocates, without what does not happen in every call.
    fn count<'c, F: Future<Output = ()>>(&'c self, call: impl Fn(&'c Client) -> F) -> u64 {
        let calls = |count| {
            self.runtime.block_on(async {
                for _ in 0..count {
                    call(&self.client).await
                }
            })
        };
        calls(FIRST);
        measure(|| calls(CALLS)).count_total / CALLS
    }

    fn small_calls(&self) -> u64 {
        self.count(|client| async {
            assert!(!client.call("echo").arg("message", "hi").await.unwrap().content.is_empty());
        })
    }
}

#[track_caller]
fn bounded(what: &str, count: u64, most: u64) {
    println!("{what}: {count} allocations, at most {most}");
    assert!(count <= most, "{what}: {count} allocations, where {most} were enough");
}

#[track_caller]
fn bounded_bytes(what: &str, count: u64, most: u64) {
    println!("{what}: {count} bytes, at most {most}");
    assert!(count <= most, "{what}: {count} bytes, where {most} were enough");
}

#[test]
fn a_small_call_in_a_session_over_memory() {
    bounded("a call", Session::with(peer::in_session()).small_calls(), 8);
}

/// What glibc has at hand for whoever asks: larger blocks cost five times as much.
#[test]
fn the_future_of_a_call_is_a_small_block() {
    let session = Session::with(peer::in_session());
    let future = session.client.call("echo").arg("message", "hi").into_future();
    bounded_bytes("the future of a call", size_of_val(&*future) as u64, 1032);
}

#[test]
fn a_small_call_without_a_session_over_memory() {
    bounded("a call", Session::with(peer::stateless()).small_calls(), 8);
}

#[test]
fn a_small_call_over_the_pipes_of_a_child() {
    let connector = StdioConnect::new(env!("CARGO_BIN_EXE_mock-server"));
    bounded("a call", Session::with(connector).small_calls(), 8);
}

#[test]
fn a_small_call_over_http() {
    let target = Target::parse(&peer::over_http(false)).unwrap();
    bounded("a call", Session::with(target).small_calls(), 16);
}

/// How many bytes a client holds that is open and has nothing to do.
fn held_by_a_client(url: &str) -> u64 {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let call = async |client: &Client| drop(client.call("echo").arg("message", "hi").await.unwrap());
    let open = async || {
        let client = Client::builder().connect(Target::parse(url).unwrap()).await.unwrap();
        call(&client).await;
        client
    };
    let _first = runtime.block_on(open());
    let mut clients = Vec::with_capacity(CLIENTS);
    let held = measure(|| {
        runtime.block_on(async {
            for _ in 0..CLIENTS {
                clients.push(open().await);
            }
            // What each began beside its call is over, or waits.
            for client in &clients {
                call(client).await;
            }
        });
    });
    u64::try_from(held.bytes_current).unwrap() / CLIENTS as u64
}

#[test]
fn an_open_client_over_http() {
    bounded_bytes("an open client", held_by_a_client(&peer::over_http(false)), 20_000);
}

#[test]
fn an_open_client_over_http_that_listens() {
    bounded_bytes("an open client that listens", held_by_a_client(&peer::over_http(true)), 24_100);
}

#[test]
fn pieces_of_progress() {
    let session = Session::with(peer::in_session());
    let count = |pieces| {
        session.count(|client| async move {
            client.call("progress").arg("pieces", pieces).on_progress(|_| {}).await.unwrap();
        })
    };
    // The queue grows as far as the caller is behind.
    bounded("32 pieces of progress", count(32).saturating_sub(count(0)), 4);
}

#[test]
fn a_page_of_tools_by_tool() {
    const TOOLS: usize = 1000;
    let page = RawJson::from(page::of_tools(TOOLS));
    let info = measure(|| assert_eq!(page.parse::<ListToolsResult>().unwrap().tools.len(), TOOLS));
    bounded("a tool of a page", info.count_total / TOOLS as u64, 4);
}

#[test]
fn counts_are_those_of_this_thread() {
    let info = measure(|| {
        std::thread::spawn(|| drop(vec![String::from("x"); 10_000])).join().unwrap();
        drop(Box::new(1));
    });
    // A thread takes a few to start.
    assert!((1..50).contains(&info.count_total), "{info:?}");
}
