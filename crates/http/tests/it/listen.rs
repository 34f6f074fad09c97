//! The stream of unasked messages.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline_http::HttpConnect;
use bowline_testkit::http::{HttpServer, Reply};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::peer::{SESSION, call, count, dull, open, open_with, unasked};

const CHANGED: &str = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}";

/// A server whose GETs are answered by this, with the number of the GET.
async fn listening(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> HttpServer {
    let gets = AtomicUsize::new(0);
    HttpServer::start(move |request| {
        let reply = if request.method == "GET" {
            reply(gets.fetch_add(1, Ordering::Relaxed) + 1)
        } else {
            dull(&request).unwrap_or_else(|| Reply::result(&request, "{}"))
        };
        async move { reply }
    })
    .await
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn case_http_004_h_31_a_server_without_a_stream_is_asked_once() {
    for status in [400, 404, 405, 406, 501] {
        let server = listening(move |_| Reply::status(status)).await;
        let transport = open(&server).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(count(&server, "GET"), 1, "{status}");
        call(&*transport, 2).await.unwrap();
    }
}

/// Keeps paused time from going on by itself.
fn busy() -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    }))
}

/// The connections that requests with this method came over.
fn connections(server: &HttpServer, method: &str) -> BTreeSet<u64> {
    let requests = server.requests();
    requests.iter().filter(|request| request.method == method).map(|request| request.connection).collect()
}

#[tokio::test(start_paused = true)]
async fn the_connection_that_asked_for_a_stream_in_vain_carries_the_calls() {
    for status in [404, 405, 501] {
        let _busy = busy();
        let server = listening(move |_| Reply::status(status)).await;
        let transport = open(&server).await;
        for id in 2..5 {
            call(&*transport, id).await.unwrap();
        }
        assert_eq!(count(&server, "GET"), 1, "{status}");
        assert_eq!(connections(&server, "POST"), connections(&server, "GET"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_opens_a_connection_of_its_own_once_there_is_a_stream() {
    let _busy = busy();
    let server = listening(|_| Reply::events().hold()).await;
    let transport = open(&server).await;
    call(&*transport, 2).await.unwrap();
    assert_eq!(connections(&server, "POST").len(), 2);
}

#[tokio::test]
async fn a_call_does_not_wait_for_a_server_that_is_silent_about_its_stream() {
    let server = HttpServer::start(|request| async move {
        match dull(&request) {
            Some(_) if request.method == "GET" => std::future::pending().await,
            Some(reply) => reply,
            None => Reply::result(&request, "{}"),
        }
    })
    .await
    .unwrap();
    let transport = open(&server).await;
    // It never answers: whoever waited for that would not end.
    timeout(Duration::from_secs(60), call(&*transport, 2)).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn case_http_006_a_stream_that_ends_at_once_is_asked_for_ever_less() {
    for retry in ["", "retry: 1\n\n"] {
        let server = listening(move |_| Reply::events().data(retry)).await;
        let transport = open(&server).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        let gets = count(&server, "GET");
        assert!((5..=30).contains(&gets), "{gets} requests in ten minutes");
        call(&*transport, 2).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn h_28_the_wait_that_the_server_asks_for_is_kept() {
    let server = listening(|_| Reply::events().data("retry: 100000\n\n")).await;
    let _transport = open(&server).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(count(&server, "GET"), 1);
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(count(&server, "GET"), 2);
}

#[tokio::test(start_paused = true)]
async fn case_sse_010_h_29_a_reconnect_names_the_last_event() {
    let server = listening(|get| match get {
        1 => Reply::events().data(format!("id: 7\ndata: {CHANGED}\n\n")).cut(),
        _ => Reply::events().data(format!("data: {CHANGED}\n\n")).hold(),
    })
    .await;
    let transport = open(&server).await;
    let mut inbound = transport.take_inbound().unwrap();
    assert_eq!(unasked(&mut inbound).await, "notifications/tools/list_changed");
    assert_eq!(unasked(&mut inbound).await, "notifications/tools/list_changed");
    let gets: Vec<_> = server.requests().into_iter().filter(|request| request.method == "GET").collect();
    assert_eq!((gets[0].header("last-event-id"), gets[1].header("last-event-id")), ("", "7"));
    assert_eq!(gets[1].header("mcp-session-id"), SESSION);
}

#[tokio::test(start_paused = true)]
async fn case_sse_010_a_new_session_does_not_name_an_event_of_the_old_one() {
    let server = listening(|get| match get {
        1 => Reply::events().data(format!("id: 7\ndata: {CHANGED}\n\n")).cut(),
        2 => Reply::status(404),
        _ => Reply::events().data(format!("data: {CHANGED}\n\n")).hold(),
    })
    .await;
    let connect = HttpConnect::new(&server.url("/mcp")).unwrap();
    let transport = open_with(&connect).await;
    let mut inbound = transport.take_inbound().unwrap();
    assert_eq!(unasked(&mut inbound).await, "notifications/tools/list_changed");
    assert!(unasked(&mut inbound).await.starts_with("closed: "));
    let transport = open_with(&connect).await;
    assert_eq!(unasked(&mut transport.take_inbound().unwrap()).await, "notifications/tools/list_changed");
    let gets: Vec<_> = server.requests().into_iter().filter(|request| request.method == "GET").collect();
    let ids: Vec<_> = gets.iter().map(|request| request.header("last-event-id")).collect();
    assert_eq!(ids, ["", "7", ""]);
}

#[tokio::test(start_paused = true)]
async fn case_sse_015_comments_keep_a_stream_alive_and_silence_ends_it() {
    let server = listening(|get| {
        let mut reply = Reply::events();
        for _ in 0..40 {
            reply = reply.wait(Duration::from_secs(15)).data(": keepalive\n\n");
        }
        if get == 1 { reply.data(format!("data: {CHANGED}\n\n")).hold() } else { Reply::events().hold() }
    })
    .await;
    let settings = HttpConnect::new(&server.url("/mcp")).unwrap().idle_timeout(Duration::from_secs(60));
    let transport = open_with(&settings).await;
    let mut inbound = transport.take_inbound().unwrap();
    assert_eq!(unasked(&mut inbound).await, "notifications/tools/list_changed");
    assert_eq!(count(&server, "GET"), 1);
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(count(&server, "GET"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_is_listened_to_again() {
    let server = listening(|get| match get {
        1 => Reply::status(503).with("retry-after", "5"),
        2 => Reply::closed(),
        _ => Reply::events().data(format!("data: {CHANGED}\n\n")).hold(),
    })
    .await;
    let transport = open(&server).await;
    let mut inbound = transport.take_inbound().unwrap();
    assert_eq!(unasked(&mut inbound).await, "notifications/tools/list_changed");
}

#[tokio::test(start_paused = true)]
async fn h_34_a_stream_that_the_server_no_longer_knows_ends_the_session() {
    let server = listening(|get| if get == 1 { Reply::events().cut() } else { Reply::status(404) }).await;
    let transport = open(&server).await;
    let mut inbound = transport.take_inbound().unwrap();
    let end = unasked(&mut inbound).await;
    assert!(end.starts_with("closed: ") && end.contains("no longer knows the session"), "{end}");
}

#[tokio::test]
async fn h_32_requests_of_the_server_are_answered_by_a_post() {
    let server =
        listening(|_| Reply::events().data("data: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"ping\"}\n\n").hold())
            .await;
    let transport = open(&server).await;
    let mut inbound = transport.take_inbound().unwrap();
    assert_eq!(unasked(&mut inbound).await, "ping");
    let frame = bowline_protocol::frame::encode_result(&"q".into(), &bowline_protocol::RawJson::EMPTY_OBJECT);
    // The dull server knows no answers, and says so.
    let sent = transport.send(bowline_transport::WireMessage::new(frame, Default::default())).await;
    assert!(sent.is_ok(), "{sent:?}");
    let answer = server.wait_for(|request| request.json()["id"] == "q").await;
    assert_eq!((answer.method.as_str(), answer.header("mcp-session-id")), ("POST", SESSION));
}
