//! Which connection a request goes over.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use bowline_http::HttpClient;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{Sent, TransportErrorKind};
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::peer::{answer, answering, call, dull, open, request, result};

/// The numbers of the connections that calls came over.
fn connections(server: &HttpServer) -> BTreeSet<u64> {
    let requests = server.requests();
    let calls = requests.iter().filter(|request| request.rpc_method() == "tools/call");
    calls.map(|request| request.connection).collect()
}

fn event(id: &str) -> String {
    format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n\n")
}

#[tokio::test]
async fn calls_one_after_another_share_a_connection() {
    for streams in [false, true] {
        let server = answering(move |request| match streams {
            false => Reply::result(request, "{}"),
            true => Reply::events().data(event(&request.json()["id"].to_string())),
        })
        .await;
        let transport = open(&server).await;
        for id in 2..22 {
            assert_eq!(result(call(&*transport, id).await.unwrap()), "{}");
        }
        assert_eq!(connections(&server).len(), 1, "{:?}", connections(&server));
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_not_used_again() {
    let server = answering(|request| Reply::result(request, "{}").with("connection", "close")).await;
    let transport = open(&server).await;
    for id in 2..8 {
        assert_eq!(result(call(&*transport, id).await.unwrap()), "{}");
    }
    assert_eq!(connections(&server).len(), 6);
}

#[tokio::test]
async fn what_changes_nothing_is_sent_once_more_where_a_connection_that_rested_ends_without_a_word() {
    let known = Mutex::new(BTreeSet::new());
    let server = HttpServer::start(move |request| {
        let is_first = known.lock().unwrap().insert(request.connection);
        let reply = match (dull(&request), request.rpc_method().as_str()) {
            (Some(reply), _) => reply,
            // Only then is there nothing that could have been read before.
            (None, "prompts/list") => Reply::closed(),
            (None, _) if is_first => Reply::result(&request, "{}"),
            (None, _) => Reply::closed(),
        };
        async move { reply }
    })
    .await
    .unwrap();
    let transport = open(&server).await;
    let count = |method: &str| server.requests().iter().filter(|request| request.rpc_method() == method).count();
    let ask = async |id, method| answer(transport.request(request(id, method)).await?).await;
    for id in 2..5 {
        assert_eq!(result(ask(id, "tools/list").await.unwrap()), "{}");
    }
    // The answer of the last is whole when its call ends, and its connection goes back to rest before that is told; so the
    // next request goes over it first.
    assert!(count("tools/list") > 3);
    let error = ask(7, "prompts/list").await.unwrap_err();
    assert_eq!((error.kind(), error.sent(), count("prompts/list")), (TransportErrorKind::Closed, Sent::Maybe, 2));
    // The connection of that one is gone, so this opens one to rest.
    assert_eq!(result(ask(8, "tools/list").await.unwrap()), "{}");
    let error = ask(9, "tools/call").await.unwrap_err();
    assert_eq!((error.kind(), error.sent(), count("tools/call")), (TransportErrorKind::Closed, Sent::Maybe, 1));
    // Whoever says that it may do harm is believed, whatever the method.
    assert_eq!(result(ask(10, "tools/list").await.unwrap()), "{}");
    let exchange = transport.request(request(11, "resources/list").sent_once()).await.unwrap();
    let error = answer(exchange).await.unwrap_err();
    assert_eq!((error.kind(), error.sent(), count("resources/list")), (TransportErrorKind::Closed, Sent::Maybe, 1));
}

#[tokio::test]
async fn a_stream_that_goes_on_after_its_answer_holds_up_no_other_call() {
    let server = answering(|request| Reply::events().data(event(&request.json()["id"].to_string())).hold()).await;
    let transport = open(&server).await;
    for id in 2..6 {
        assert_eq!(result(call(&*transport, id).await.unwrap()), "{}");
    }
    assert_eq!(connections(&server).len(), 4);
}

#[tokio::test]
async fn a_connection_that_waited_for_too_long_is_closed() {
    let server = answering(|request| Reply::result(request, "{}")).await;
    let transport = open(&server).await;
    for id in 2..5 {
        call(&*transport, id).await.unwrap();
        // Nobody's timer but the pool's is there to be waited for.
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(91)).await;
        tokio::time::resume();
    }
    assert_eq!(connections(&server).len(), 3);
}

#[tokio::test]
async fn a_connection_is_used_again_only_while_the_server_says_that_it_keeps_it() {
    let server = answering(|request| Reply::result(request, "{}").with("keep-alive", "timeout=5, max=100")).await;
    let transport = open(&server).await;
    for (id, rest) in [(2, 3), (3, 5), (4, 5)] {
        call(&*transport, id).await.unwrap();
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(rest)).await;
        tokio::time::resume();
    }
    assert_eq!(connections(&server).len(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_ends_while_it_rests_is_closed_soon() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let client = HttpClient::builder().without_proxy().build().unwrap();
    // An end, and bytes that nobody asked for.
    for says in ["", "HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        let asking = async {
            client.send(Method::GET, &url, HeaderMap::new(), None).await.unwrap();
        };
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            stream
        };
        let ((), mut stream) = tokio::join!(asking, serving);
        tokio::time::pause();
        // It rests, and longer than it takes until it is watched.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let began = Instant::now();
        if says.is_empty() {
            stream.shutdown().await.unwrap();
        } else {
            stream.write_all(says.as_bytes()).await.unwrap();
        }
        let _ = stream.read(&mut [0; 16]).await;
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_takes_its_connection_with_it() {
    let server = crate::peer::server(|request| async move {
        match request.json()["id"].as_i64() {
            Some(2) => std::future::pending().await,
            _ => Reply::result(&request, "{}"),
        }
    })
    .await;
    let transport = open(&server).await;
    let held = transport.request(request(2, "tools/call")).await.unwrap();
    server.wait_for(|request| request.json()["id"] == 2).await;
    held.cancel("enough");
    server.wait_for(|request| request.rpc_method() == "notifications/cancelled").await;
    for id in 3..6 {
        assert_eq!(result(call(&*transport, id).await.unwrap()), "{}");
    }
    let requests = server.requests();
    let given_up = requests.iter().find(|request| request.json()["id"] == 2).map(|request| request.connection);
    let later = requests.iter().filter(|request| request.json()["id"].as_i64() > Some(2));
    assert!(later.into_iter().all(|request| Some(request.connection) != given_up));
}
