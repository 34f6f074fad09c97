//! A server over WebSocket, by the transport that the Python SDK had in its first generation.

use super::listening::{Listening, free};
use super::*;

#[tokio::test]
async fn python_websocket_lists_calls_and_ends_with_its_session() {
    let Some(server) = Installed::find("python-websocket") else { return };
    let address = free();
    let mut command = Command::new(server.directory.join("servers/python-websocket/bin/python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/websocket.py")).arg(address.port().to_string());
    let listening = Listening::start(address, command.env(MARK, server.mark())).await;
    let (client, lists) = server.connect(Client::builder(), listening.target("ws", "/")).await;
    assert_eq!(lists, Lists { tools: Some(1), resources: None, templates: None, prompts: None });

    assert_eq!(client.call("add").arg("a", 2).arg("b", 40).await.unwrap().joined_text(), "42");
    let wrong = client.call("add").arg("a", "two").await.unwrap();
    assert!(wrong.is_error(), "arguments of the wrong type are refused");
    client.ping().await.unwrap();

    let revision = client.server().revision.to_string();
    client.close().await.unwrap();
    // It goes on for as long as it believes in the session.
    listening.ended().await;
    server.record(&revision, lists, "add, a refusal, ping, the end of the session");
}
