//! Servers that ask the client's model.

use std::sync::{Arc, Mutex};

use bowline::prelude::*;
use bowline::protocol::TextContent;
use serde_json::json;

use crate::support::{ScriptExt, answer, connect, connect_with, received, server, soon, within};

const REQUEST: &str = r#"{"jsonrpc":"2.0","id":3,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"route?"}}]}}"#;

#[tokio::test]
async fn case_sampling_001() {
    let script = server().send(REQUEST).expect_answer(json!(3)).pings(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let builder = Client::builder().on_sampling({
        let seen = Arc::clone(&seen);
        move |request: CreateMessageRequestParams, _: RequestContext| {
            seen.lock().unwrap().push(request.max_tokens);
            async { Ok(CreateMessageResult::new("m", TextContent::new("north"))) }
        }
    });
    let (client, journal) = connect_with(builder, script).await;
    let answer = answer(&journal, 3).await;
    within(client.ping()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [None], "the handler is asked, without a limit");
    assert_eq!(answer["result"]["content"]["text"], "north");
}

#[tokio::test]
async fn case_sampling_003() {
    let script = server().send(REQUEST).expect_answer(json!(3)).pings(1);
    let (client, journal) = connect(script).await;
    assert_eq!(received(&journal, "initialize")[0]["params"]["capabilities"].get("sampling"), None);
    // No deadline is involved: it is answered as soon as it is read.
    let answer = soon(answer(&journal, 3)).await;
    within(client.ping()).await.unwrap();
    assert_eq!(answer["error"]["code"], -32601);
    assert!(answer["error"]["message"].as_str().unwrap().contains("sampling is not supported"), "{answer}");
}
