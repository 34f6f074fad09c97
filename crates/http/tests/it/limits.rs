//! How many requests are open at once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bowline_http::{HttpClient, HttpConnect};
use bowline_testkit::http::Reply;
use futures_util::future::join_all;
use futures_util::poll;
use tokio::sync::Barrier;

use crate::peer::{call, open_with, request, result, server};

#[tokio::test]
async fn requests_to_one_host_wait_for_their_turn_whoever_shares_the_client() {
    const AT_ONCE: usize = 2;
    // As many as may be open come together, and never one more.
    let together = Arc::new(Barrier::new(AT_ONCE));
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let server = server(move |request| {
        let (together, open, most) = (Arc::clone(&together), Arc::clone(&open), Arc::clone(&most));
        async move {
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            together.wait().await;
            open.fetch_sub(1, Ordering::SeqCst);
            Reply::result(&request, "{}")
        }
    })
    .await;
    let client = HttpClient::builder().max_requests_per_host(AT_ONCE).build().unwrap();
    let settings = HttpConnect::new(&server.url("/mcp")).unwrap().client(client);
    let (one, other) = (open_with(&settings).await, open_with(&settings).await);
    let calls = (2..12).flat_map(|id| [call(&*one, id), call(&*other, id)]);
    for answer in join_all(calls).await {
        assert_eq!(result(answer.unwrap()), "{}");
    }
    assert_eq!(seen.load(Ordering::SeqCst), AT_ONCE);
}

#[tokio::test]
async fn a_request_that_gives_up_its_place_in_the_queue_was_never_sent() {
    let server = server(|_| std::future::pending()).await;
    let client = HttpClient::builder().max_requests_per_host(1).build().unwrap();
    let transport = open_with(&HttpConnect::new(&server.url("/mcp")).unwrap().client(client)).await;
    let first = transport.request(request(2, "tools/call")).await.unwrap();
    server.wait_for(|request| request.json()["id"] == 2).await;
    {
        let mut waiting = pin!(transport.request(request(3, "tools/call")));
        for _ in 0..10 {
            assert!(poll!(waiting.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
    }
    // The place of the first goes to the next in the queue. Nobody knows of the one between, so nobody is told.
    drop(first);
    let _third = transport.request(request(4, "tools/call")).await.unwrap();
    server.wait_for(|request| request.json()["id"] == 4).await;
    let seen = server.requests();
    assert!(seen.iter().all(|request| request.json()["id"] != 3), "{seen:?}");
    let cancelled: Vec<_> = seen.iter().filter(|request| request.rpc_method() == "notifications/cancelled").collect();
    assert!(cancelled.iter().all(|note| note.json()["params"]["requestId"] == 2), "{cancelled:?}");
}

#[tokio::test]
async fn whoever_asks_whether_there_is_room_is_told_by_the_limit_of_the_host_too() {
    let server = server(|_| std::future::pending()).await;
    let client = HttpClient::builder().max_requests_per_host(1).build().unwrap();
    let settings = HttpConnect::new(&server.url("/mcp")).unwrap().client(client);
    let (one, other) = (open_with(&settings).await, open_with(&settings).await);
    assert!(!one.is_full() && !other.is_full());
    let held = one.request(request(2, "tools/call")).await.unwrap();
    assert!(one.is_full() && other.is_full());
    drop(held);
    // Its place is given back once the server was told.
    server.wait_for(|request| request.rpc_method() == "notifications/cancelled").await;
    other.request(request(3, "tools/call")).await.unwrap();
}
