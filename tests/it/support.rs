//! Peers for the tests, and what the tests look at.

use std::future::IntoFuture;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::{Era, RequestId};
use bowline::stdio::StdioConnect;
use bowline::transport::Fault;
use bowline::{ClientBuilder, Events};
use bowline_testkit::{Journal, Script};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Far more than anything takes, on a loaded machine too.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// "At once", where the alternative is a wait of minutes.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Bounds a wait, so that a hang is a failure.
pub(crate) async fn within<W: IntoFuture>(work: W) -> W::Output {
    tokio::time::timeout(LONG, work.into_future()).await.expect("it took longer than a minute")
}

/// Bounds a wait that has to end at once.
pub(crate) async fn soon<W: IntoFuture>(work: W) -> W::Output {
    tokio::time::timeout(SOON, work.into_future()).await.expect("it took longer than ten seconds")
}

/// Waits for what only the system can tell.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "in vain: {what}");
}

/// A script of a server of the newest revision that declares everything, up to the end of the handshake.
pub(crate) fn server() -> Script {
    Script::new().handshake("2025-11-25", everything())
}

/// All capabilities that a server may declare, tasks aside.
pub(crate) fn everything() -> Value {
    json!({
        "tools": { "listChanged": true },
        "resources": { "listChanged": true, "subscribe": true },
        "prompts": { "listChanged": true },
        "logging": {},
        "completions": {},
    })
}

/// A result of a tool.
pub(crate) fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

pub(crate) trait ScriptExt {
    /// Answers so many pings, for [`ping_times`].
    fn pings(self, count: u32) -> Self;
    /// Sends a message.
    fn message(self, message: Value) -> Self;
}

impl ScriptExt for Script {
    fn pings(self, count: u32) -> Self {
        (0..count).fold(self, |script, _| script.expect("ping").reply(json!({})))
    }

    fn message(self, message: Value) -> Self {
        self.send(message.to_string())
    }
}

/// Uses up ids: the first request after the handshake has id 2.
pub(crate) async fn ping_times(client: &Client, count: u32) {
    for _ in 0..count {
        within(client.ping()).await.unwrap();
    }
}

/// A client that asks for a handshake at once, for peers that say literally what a script says.
pub(crate) fn with_handshake() -> ClientBuilder {
    Client::builder().known_era(Era::Handshake)
}

/// Connects to a script in memory.
pub(crate) async fn connect(script: Script) -> (Client, Journal) {
    connect_with(Client::builder(), script).await
}

/// Connects to a script in memory, with the settings of a builder. The scripts are servers with a handshake, so that
/// is what they are asked for.
pub(crate) async fn connect_with(builder: ClientBuilder, script: Script) -> (Client, Journal) {
    let (connector, journal) = script.connector();
    (within(builder.known_era(Era::Handshake).connect(connector)).await.unwrap(), journal)
}

/// Sees the events from the first on, which [`Client::events`] cannot.
pub(crate) fn watched(builder: ClientBuilder) -> (ClientBuilder, mpsc::Receiver<Event>) {
    let (sender, events) = mpsc::channel(4096);
    (builder.on_event(move |event| sender.try_send(event).unwrap()), events)
}

/// All events until the end of the connection, without that end.
pub(crate) async fn rest(events: &mut Events) -> Vec<Event> {
    let mut rest = Vec::new();
    loop {
        match within(events.next()).await {
            Some(Event::Closed(_)) | None => return rest,
            Some(event) => rest.push(event),
        }
    }
}

/// The faults among events.
pub(crate) fn faults(events: &[Event]) -> Vec<&Fault> {
    let faults = events.iter().filter_map(|event| match event {
        Event::Fault(fault) => Some(fault),
        _ => None,
    });
    faults.collect()
}

/// What was received with this method, as trees.
pub(crate) fn received(journal: &Journal, method: &str) -> Vec<Value> {
    journal.lines().iter().filter(|line| line.method() == method).map(bowline_testkit::Recorded::to_value).collect()
}

/// The answers that were received, as trees.
pub(crate) fn answers(journal: &Journal) -> Vec<Value> {
    journal.lines().iter().filter(|line| line.is_answer()).map(bowline_testkit::Recorded::to_value).collect()
}

/// Waits for the answer to a request of the server.
pub(crate) async fn answer(journal: &Journal, id: impl Into<RequestId>) -> Value {
    let id = id.into();
    within(journal.wait_for(|line| line.is_answer() && line.id() == Some(&id))).await.to_value()
}

/// Says whether it was dropped.
#[derive(Clone, Default)]
pub(crate) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Sets the flag when it is dropped.
    pub(crate) fn on_drop(&self) -> impl Drop + Send + use<> {
        struct OnDrop(Flag);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.set();
            }
        }
        OnDrop(self.clone())
    }
}

/// A script in a child process, whose lines and descendants can be looked at.
pub(crate) struct Child {
    pub(crate) connect: StdioConnect,
    mark: String,
    record: PathBuf,
}

/// Marks the processes of a test, through their environment.
const MARK: &str = "BOWLINE_TEST_MARK";

impl Child {
    /// A child that plays a script.
    pub(crate) fn script(script: &Script) -> Self {
        Self::run(env!("CARGO_BIN_EXE_scripted-peer"), &["--script", &script.to_json()])
    }

    /// A child that starts the one that plays the script, and waits for it.
    pub(crate) fn wrapped(script: &Script) -> Self {
        let peer = env!("CARGO_BIN_EXE_scripted-peer");
        Self::run("sh", &["-c", r#""$@"; exit $?"#, "sh", peer, "--script", &script.to_json()])
    }

    /// A child in shell.
    pub(crate) fn shell(script: &str) -> Self {
        Self::run("sh", &["-c", script, "sh"])
    }

    /// A program that takes `--record PATH` at the end.
    fn run(program: &str, args: &[&str]) -> Self {
        let mut child = Self::program(program, args);
        child.connect = child.connect.clone().arg("--record").arg(&child.record);
        child
    }

    /// Any program; it records nothing.
    pub(crate) fn program(program: &str, args: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let record = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{mark}"));
        let connect =
            StdioConnect::new(program).args(args.iter().copied()).env(MARK, &mark).grace(Duration::from_millis(300));
        Self { connect, mark, record }
    }

    pub(crate) async fn connect(&self) -> Client {
        within(with_handshake().connect(self.connect.clone())).await.unwrap()
    }

    /// The lines that the child received.
    pub(crate) fn received(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(&self.record).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The methods that the child received.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.received().iter().map(|line| line["method"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The child and its descendants, as far as they run. Known only where there is a `/proc`.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let wanted = format!("{MARK}={}", self.mark);
        let carries = |id: &u32| {
            let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        };
        process_ids().filter(carries).collect()
    }

    /// Waits until the child and its descendants are gone, and none is left to be reaped.
    pub(crate) async fn gone(&self) {
        until("the child is gone", || self.processes().is_empty()).await;
        until("the child is reaped", || zombies().is_empty()).await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Not every child makes one.
        let _ = std::fs::remove_file(&self.record);
    }
}

fn process_ids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The state and the parent of a process.
fn stat(id: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// The children of this process, zombies included.
pub(crate) fn children() -> Vec<u32> {
    process_ids().filter(|id| stat(*id).is_some_and(|(_, parent)| parent == std::process::id())).collect()
}

/// The children of this process that nobody has reaped.
pub(crate) fn zombies() -> Vec<u32> {
    children().into_iter().filter(|id| stat(*id).is_some_and(|(state, _)| state == "Z")).collect()
}
