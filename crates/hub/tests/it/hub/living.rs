//! What lives on a member's connection for longer than a call: held clients, watches, and the ear for changes.

use std::time::Duration;

use bowline_client::{ErrorKind, Timeouts};
use bowline_hub::{Circuit, Member};
use bowline_protocol::CallToolResult;
use bowline_testkit::MockServer;

use super::support::{hub, tool, with_tool};

#[tokio::test(start_paused = true)]
async fn a_client_that_is_held_keeps_no_trial_from_the_calls() {
    let server = with_tool(MockServer::builder(), "x", "hi")
        .tool(tool("hang"), |_| async {
            std::future::pending::<()>().await;
            Ok(CallToolResult::text(""))
        })
        .build();
    let hub = hub([Member::new("m", server.connector())
        .circuit(Some(Circuit::default().with_failures(1)))
        .client(|builder| builder.timeouts(Timeouts::default().with_idle(Duration::from_secs(1))))]);
    assert_eq!(hub.call("m.hang").await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(hub.call("m.x").await.unwrap_err().kind(), ErrorKind::Unavailable);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let _held = hub.client("m").await.unwrap();
    assert_eq!(hub.call("m.x").await.unwrap().joined_text(), "hi");
}
