//! The client for programs without an async runtime.

use bowline::SubscriptionEnd;
use bowline::blocking::Client;
use bowline::prelude::{Change, ErrorKind, Sent};
use serde_json::json;

use crate::support::{Child, within};

fn server() -> Child {
    Child::program(env!("CARGO_BIN_EXE_mock-server"), &[])
}

/// Waits, in a program that has no runtime.
fn gone(child: &Child) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(child.gone());
}

#[test]
fn a_program_without_a_runtime_lists_calls_reads_and_closes() {
    let client = Client::connect(env!("CARGO_BIN_EXE_mock-server")).unwrap();
    assert_eq!(client.server().info.name, "bowline-demo");
    client.ping().unwrap();
    assert!(client.tools().unwrap().iter().any(|tool| tool.name == "echo"));
    assert_eq!(client.call("echo", json!({ "message": "ahoy" })).unwrap().joined_text(), "ahoy");
    let resources = client.resources().unwrap();
    assert!(!client.read(&resources[0].uri).unwrap().contents.is_empty());
    assert!(!client.prompts().unwrap().is_empty() && !client.resource_templates().unwrap().is_empty());
    client.close().unwrap();
}

#[test]
fn a_close_and_a_drop_leave_no_process() {
    let child = server();
    let client = Client::connect_with(bowline::Client::builder(), child.connect.clone()).unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(child.processes().len(), 1);
    }
    client.close().unwrap();
    assert!(child.processes().is_empty());

    let client = Client::connect_with(bowline::Client::builder(), child.connect.clone()).unwrap();
    drop(client);
    gone(&child);
}

#[test]
fn requests_after_a_close_of_the_inner_client_fail_unsent() {
    let child = server();
    let client = Client::connect_with(bowline::Client::builder(), child.connect.clone()).unwrap();
    client.run(bowline::Client::close).unwrap();
    let error = client.call("echo", ()).unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No));
    client.close().unwrap();
}

#[test]
fn changes_are_an_iterator_that_waits() {
    let server = bowline_testkit::demo::server();
    let client = Client::connect_with(bowline::Client::builder(), server.connector()).unwrap();
    let uri = client.resources().unwrap()[0].uri.clone();
    let mut note = client.subscribe(&uri).unwrap();
    let mut lists = client.changes().unwrap();
    assert!(note.refused().is_empty() && lists.refused().is_empty());
    client.run(|_| server.resource_updated(&uri));
    assert_eq!(note.next(), Some(Change::Resource { uri: uri.clone() }));
    assert_eq!(lists.next_within(std::time::Duration::from_millis(1)), None);
    assert!(lists.ended().is_none());
    client.run(bowline::Client::close).unwrap();
    assert_eq!((note.next(), lists.next()), (None, None));
    assert!(matches!(note.ended(), Some(SubscriptionEnd::Closed)));
}

#[test]
fn what_cannot_be_started_is_an_error() {
    assert_eq!(Client::connect("no-such-program-xyz").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(Client::connect("npx 'a").unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn within_an_async_runtime_it_is_refused() {
    let child = server();
    let error = Client::connect_with(bowline::Client::builder(), child.connect.clone()).unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Config, Sent::No));
    assert!(error.to_string().contains("bowline::Client"), "{error}");
    assert!(child.processes().is_empty());
}

#[tokio::test]
async fn it_may_be_dropped_within_an_async_runtime() {
    let child = server();
    let connector = child.connect.clone();
    let connect = std::thread::spawn(move || Client::connect_with(bowline::Client::builder(), connector));
    let client = connect.join().unwrap().unwrap();
    drop(client);
    within(child.gone()).await;
}
