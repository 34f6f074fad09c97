//! An end in order.

use std::future::IntoFuture;
use std::time::Duration;

use bowline_client::{Client, ErrorKind};
use bowline_protocol::{CallToolResult, Tool};
use bowline_resilience::{DrainLayer, recommended};
use bowline_testkit::{MockServer, ToolCall};
use bowline_transport::Sent;
use serde_json::json;
use tokio::time::sleep;

async fn scene() -> (MockServer, DrainLayer, Client) {
    let server = MockServer::builder()
        .tool(Tool::new("wait", json!({"type": "object"})), |call: ToolCall| async move {
            sleep(Duration::from_secs(call.argument("seconds")?)).await;
            Ok(CallToolResult::text("done"))
        })
        .build();
    let drain = DrainLayer::new();
    let builder = Client::builder().layer(drain.clone()).layer(recommended());
    let client = builder.connect(server.connector()).await.unwrap();
    (server, drain, client)
}

#[tokio::test(start_paused = true)]
async fn what_runs_gets_its_time_and_the_rest_an_error_that_says_so() {
    let (server, drain, client) = scene().await;
    client.call("wait").arg("seconds", 0).await.unwrap();
    let calls: Vec<_> =
        [1, 2, 600].map(|seconds| tokio::spawn(client.call("wait").arg("seconds", seconds).into_future())).into();
    while server.journal().methods().iter().filter(|method| *method == "tools/call").count() < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(drain.running(), 3);
    let (report, late) = tokio::join!(drain.shutdown(&client, Duration::from_secs(10)), async {
        sleep(Duration::from_secs(1)).await;
        client.call("wait").arg("seconds", 0).await.unwrap_err()
    });
    assert_eq!((late.kind(), late.sent()), (ErrorKind::Closed, Sent::No));
    assert_eq!((report.ended, report.cancelled, report.refused), (2, 1, 1));
    assert!(report.closed.is_ok() && report.took >= Duration::from_secs(10), "{report:?}");
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await.unwrap());
    }
    let last = outcomes.pop().unwrap().unwrap_err();
    assert_eq!((last.kind(), last.sent()), (ErrorKind::Closed, Sent::Maybe));
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
    assert!(client.is_closed());
    assert_eq!(drain.running(), 0);
    server.journal().wait_for_method("notifications/cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn with_nothing_to_wait_for_it_is_over_at_once_and_may_be_asked_for_twice() {
    let (_server, drain, client) = scene().await;
    let report = drain.shutdown(&client, Duration::MAX).await;
    assert_eq!((report.ended, report.cancelled), (0, 0));
    assert!(report.took < Duration::from_secs(1), "{report:?}");
    drain.shutdown(&client, Duration::ZERO).await.closed.unwrap();
}
