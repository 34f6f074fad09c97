//! Servers as child processes. Where bytes alone matter, the peer lives in this process.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bowline::prelude::*;
use bowline::transport::{Fault, Limits};
use bowline_testkit::Script;
use serde_json::json;

use crate::support::{
    Child, ScriptExt, connect, faults, ping_times, rest, server, soon, text, until, watched, with_handshake, within,
};

const MINUTES: Duration = Duration::from_secs(30 * 60);

// Duty: S-03, S-05
#[tokio::test]
async fn case_stdio_001() {
    let result =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "w", "version": "1" } });
    let long = format!("Weather server {}", "x".repeat(50_000));
    for banner in ["Weather server ready on stdio", &long] {
        let script = Script::new()
            .send(banner)
            .expect("initialize")
            .message(json!({ "jsonrpc": "2.0", "id": 1, "result": result }))
            .expect("notifications/initialized")
            .pings(1);
        let child = Child::script(&script);
        let (builder, mut events) = watched(with_handshake());
        let client = within(builder.connect(child.connect.clone())).await.unwrap();
        assert_eq!(client.server().info.name, "w");
        within(client.ping()).await.unwrap();
        within(client.close()).await.unwrap();

        let Some(Event::Fault(fault)) = within(events.recv()).await else { panic!("the banner") };
        assert!(matches!(fault, Fault::NotAMessage { count: 1, .. }));
        assert!(fault.to_string().contains("Weather server"), "{fault}");
        assert!(fault.to_string().len() < 1000, "the banner is shortened");
        assert!(matches!(within(events.recv()).await, Some(Event::Closed(_))));
        assert_eq!(child.methods(), ["initialize", "notifications/initialized", "ping"]);
    }
}

#[tokio::test]
async fn case_stdio_003() {
    let script = server()
        .expect("tools/list")
        .send(r#"{"status":200,"message":"Success","results":[],"duration":12}"#)
        .send("[]")
        .send("42")
        .send("null")
        .reply(json!({ "tools": [{ "name": "a", "inputSchema": { "type": "object" } }] }))
        .pings(1);
    let (client, journal) = connect(script).await;
    let mut events = client.events();
    let tools = within(client.tools().all()).await.unwrap();
    assert_eq!(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(journal.wait_for_method("tools/list").await.id(), Some(&2.into()));
    within(client.ping()).await.unwrap();
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let count = faults(&events).len();
    assert!((1..=4).contains(&count), "{count} diagnostics for four lines");
    assert_eq!(count, events.len());
}

#[tokio::test]
async fn case_stdio_005() {
    let first = concat!(
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"a"}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":3,"result":{}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":4,"#,
    );
    let script = server()
        .pings(1)
        .expect("ping")
        .expect("ping")
        .send_raw(first)
        // The first ping has to end without the second.
        .expect("notifications/three")
        .send_raw("\"result\":{}}\n");
    let (client, _) = connect(script).await;
    let mut events = client.events();
    ping_times(&client, 1).await;
    let three = async {
        client.ping().await.unwrap();
        client.notify("notifications/three", ()).await.unwrap();
    };
    let (_, four) = within(async { tokio::join!(three, client.ping()) }).await;
    four.unwrap();
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let [Event::Log(log)] = events.as_slice() else { panic!("one log message, not {events:?}") };
    assert_eq!(log.data.as_str(), "\"a\"");
}

#[tokio::test]
async fn case_stdio_006() {
    let line =
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"naïve — 🐙\"}]}}\n";
    let (client, _) = connect(server().pings(3).expect("tools/call").send_bytewise(line)).await;
    ping_times(&client, 3).await;
    assert_eq!(within(client.call("octopus")).await.unwrap().joined_text(), "naïve — 🐙");
}

#[tokio::test]
async fn case_stdio_008() {
    let script = server()
        .expect("tools/call")
        .stderr_flood(1 << 20)
        .stderr("the last words\n")
        .reply(text("done"))
        .expect("ping")
        .exit(3);
    let child = Child::script(&script);
    let lines = Arc::new(Mutex::new((0, String::new())));
    let seen = Arc::clone(&lines);
    let connector = child.connect.clone().on_stderr(move |line| {
        let mut lines = seen.lock().unwrap();
        lines.0 += 1;
        lines.1 = line.to_owned();
    });
    let client = within(with_handshake().connect(connector)).await.unwrap();
    assert_eq!(soon(client.call("noisy")).await.unwrap().joined_text(), "done");
    until("the application sees the last line", || lines.lock().unwrap().1 == "the last words").await;
    assert!(lines.lock().unwrap().0 > 5000);

    // What is kept is seen in the error of a later failure.
    let error = within(client.ping()).await.unwrap_err();
    let kept = error.stderr().unwrap();
    assert!(kept.ends_with("\nthe last words") && kept.len() <= 8 << 10, "{} bytes", kept.len());
    within(client.close()).await.unwrap();
}

#[tokio::test]
async fn case_stdio_011() {
    let script = Script::new()
        .ignore_eof()
        .expect("initialize")
        .send(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no licence"}}"#)
        .hang();
    let child = Child::script(&script);
    let error = within(with_handshake().connect(child.connect.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(error.code().unwrap().0, -32603);
    assert_eq!(error.server_error().unwrap().message, "no licence");
    assert!(error.to_string().contains("-32603") && error.to_string().contains("no licence"), "{error}");
    child.gone().await;
}

#[cfg(unix)]
#[tokio::test]
async fn case_stdio_012() {
    let script = server().ignore_eof().expect("tools/call").reply_process().hang();
    for by_close in [true, false] {
        let child = Child::wrapped(&script);
        let client = child.connect().await;
        within(client.request("tools/call").params(json!({ "name": "who" }))).await.unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(child.processes().len(), 2, "the wrapper and the server");
        }
        if by_close {
            soon(client.close()).await.unwrap();
        } else {
            drop(client);
        }
        child.gone().await;
    }
}

#[tokio::test]
async fn case_stdio_014() {
    let builder = with_handshake().timeouts(Timeouts::default().with_connect(MINUTES));
    let error = soon(builder.connect(bowline::stdio("no-such-program-xyz"))).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::NotFound, Sent::No));
    assert!(error.to_string().contains("no-such-program-xyz"), "{error}");
    assert!(error.to_string().contains("not found"), "{error}");
}

#[tokio::test]
async fn case_stdio_018() {
    const PIECE: &str = "na\u{ef}ve \\\"\u{2014} \u{1f419}\\n";
    let decoded = "naïve \"— 🐙\n";
    // Beyond the 10 MiB of the line, not of the text.
    let times = |bytes: usize| (bytes / PIECE.len() + 1) as u64;
    let (ten, twenty) = (times(10 << 20), times(20 << 20));
    let call = |script: Script, times| {
        script
            .expect("tools/call")
            .send_raw(r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":""#)
            .send_repeated(PIECE, times)
            .send_raw("\"}]}}\n")
    };
    let child = Child::script(&call(server(), ten));
    let client = child.connect().await;
    let result = within(client.call("big")).await.unwrap();
    assert!(result.joined_text() == decoded.repeat(usize::try_from(ten).unwrap()), "the text is complete");
    within(client.close()).await.unwrap();

    // A reader that is not linear fails every time; a busy machine does not.
    let time = async |times| {
        let (client, _) = connect(call(server(), times)).await;
        let started = Instant::now();
        within(client.call("big")).await.unwrap();
        started.elapsed()
    };
    let mut ratios = Vec::new();
    for _ in 0..5 {
        ratios.push(time(twenty).await.div_duration_f64(time(ten).await));
        if ratios.iter().any(|ratio| *ratio < 3.0) {
            return;
        }
    }
    panic!("twice the length takes {ratios:?} times as long");
}

// Duty: J-16
#[tokio::test]
async fn case_stdio_019() {
    let answer = json!({
        "jsonrpc": "2.0", "id": 1,
        "result": { "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" } },
    });
    let script = Script::new()
        .ignore_eof()
        .expect("initialize")
        .send_raw(format!("{answer}\n{}", "x".repeat(100)))
        .expect("tools/call")
        .send_repeated("x".repeat(4096), (300 << 20) / 4096)
        .hang();
    let child = Child::script(&script);
    let limits = Limits::default().with_max_frame_bytes(8 << 20);
    let before = peak_memory();
    let client = within(with_handshake().connect(child.connect.clone().limits(limits))).await.unwrap();
    let error = within(client.call("endless")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains(&(8 << 20).to_string()), "{error}");
    assert!(client.is_closed());
    child.gone().await;
    // Other tests may run in the same process, so this is not near the limit, but far from the whole line.
    assert!(peak_memory().saturating_sub(before) < 200 << 20);
}

/// The most memory that this process has used, in bytes; 0 where it is not known.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    peak.map_or(0, |kilobytes: u64| kilobytes << 10)
}

// Duty: S-06
#[cfg(unix)]
#[tokio::test]
async fn case_stdio_021() {
    let script = r#"
        trap 'echo SIGTERM >&2' TERM
        read -r line
        echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}'
        while read -r line; do :; done
        echo 'end of stdin' >&2
        while :; do sleep 1; done
    "#;
    let child = Child::shell(script);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let connector = child.connect.clone().on_stderr(move |line| seen.lock().unwrap().push(line.to_owned()));
    let client = within(with_handshake().connect(connector)).await.unwrap();
    let started = Instant::now();
    soon(client.close()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(600), "two steps of 300 ms");
    // A shell may add that its `sleep` was terminated: the whole group gets the signal.
    lines.lock().unwrap().retain(|line| line != "Terminated");
    assert_eq!(*lines.lock().unwrap(), ["end of stdin", "SIGTERM"]);
    child.gone().await;
}

// Duty: S-07
#[cfg(unix)]
#[tokio::test]
async fn case_stdio_023() {
    let dying = || {
        let calls = server().expect("tools/call").expect("tools/call").expect("tools/call");
        calls.stderr("fatal: out of memory\n")
    };
    for (script, ended) in [(dying().exit(137), "exit status: 137"), (dying().kill("KILL"), "signal: 9 (SIGKILL)")] {
        let child = Child::script(&script);
        let client = child.connect().await;
        let call = async || client.call("slow").idle_timeout(MINUTES).max_time(MINUTES).await.unwrap_err();
        let (a, b, c) = soon(async { tokio::join!(call(), call(), call()) }).await;
        for error in [a, b, c] {
            assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::Maybe));
            assert_eq!(error.transport_error().unwrap().exit(), Some(ended));
            assert_eq!(error.stderr(), Some("fatal: out of memory"));
            assert!(error.to_string().contains(ended) && error.to_string().contains("out of memory"), "{error}");
        }
        let error = soon(client.call("later")).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (ErrorKind::Closed, Sent::No));
        within(client.close()).await.unwrap();
        child.gone().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn case_stdio_026() {
    let builder = || with_handshake().timeouts(Timeouts::default().with_connect(MINUTES));

    let child = Child::script(&Script::new().stderr("usage: srv --port N\n").exit(2));
    let error = soon(builder().connect(child.connect.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.transport_error().unwrap().exit(), Some("exit status: 2"));
    assert_eq!(error.stderr(), Some("usage: srv --port N"));
    assert!(error.to_string().contains("exit status: 2") && error.to_string().contains("--port N"), "{error}");
    child.gone().await;

    let child = Child::script(&Script::new().ignore_eof().close_stdout().hang());
    let before = processor_time();
    let error = soon(builder().connect(child.connect.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("closed its stdout"), "{error}");
    assert!(processor_time().saturating_sub(before) < 25, "nothing is busy while it waits");
    child.gone().await;
}

/// The processor time of this thread, in ticks of 10 ms; 0 where it is not known. The runtime has no other thread.
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    ticks(11) + ticks(12)
}
