//! Servers that ask the user.

use bowline::prelude::*;
use bowline::protocol::TextContent;
use bowline_testkit::Script;
use serde_json::{Value, json};

use crate::support::{ScriptExt, answer, answers, connect_with, received, server, within};

fn asking(script: Script) -> Script {
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    let request = json!({
        "jsonrpc": "2.0", "id": "e", "method": "elicitation/create",
        "params": { "message": "Name?", "requestedSchema": schema },
    });
    script.message(request).expect_answer(json!("e")).pings(1)
}

/// What is answered where the user did this.
async fn answered(result: ElicitResult) -> Value {
    let builder = Client::builder().on_elicitation(move |_: ElicitRequestParams, _: RequestContext| {
        let result = result.clone();
        async { Ok(result) }
    });
    let (client, journal) = connect_with(builder, asking(server())).await;
    let answer = answer(&journal, "e").await;
    within(client.ping()).await.unwrap();
    answer["result"].clone()
}

#[tokio::test]
async fn case_elicitation_001() {
    assert_eq!(answered(ElicitResult::cancel()).await, json!({ "action": "cancel" }));
    assert_eq!(answered(ElicitResult::decline()).await, json!({ "action": "decline" }));
    let content = [("name", json!("Ada"))];
    assert_eq!(
        answered(ElicitResult::accept(content.clone())).await,
        json!({ "action": "accept", "content": { "name": "Ada" } })
    );
    // Content that does not belong there, and wrong content, never leave.
    assert_eq!(
        answered(ElicitResult::decline().with_content(ElicitResult::accept(content).content.unwrap())).await,
        json!({ "action": "decline" })
    );
    for wrong in [ElicitResult::accept([("name", json!(7))]), ElicitResult::accept([("other", json!("x"))])] {
        assert_eq!(answered(wrong).await, json!({ "action": "cancel" }));
    }
}

#[tokio::test]
async fn case_elicitation_002() {
    let ask = |id: &str, method: &str| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": {} });
    let script = server()
        .message(ask("e", "elicitation/create"))
        .expect_answer(json!("e"))
        .message(ask("s", "sampling/createMessage"))
        .expect_answer(json!("s"))
        .message(ask("r", "roots/list"))
        .expect_answer(json!("r"))
        .pings(1);
    let (client, journal) = connect_with(Client::builder(), script).await;
    answer(&journal, "r").await;
    within(client.ping()).await.unwrap();
    assert_eq!(received(&journal, "initialize")[0]["params"]["capabilities"], json!({}));
    let answers = answers(&journal);
    assert_eq!(answers.len(), 3);
    for answer in answers {
        assert_eq!(answer["error"]["code"], -32601, "{answer}");
    }

    let builder = Client::builder()
        .on_elicitation(|_: ElicitRequestParams, _: RequestContext| async { Ok(ElicitResult::decline()) })
        .on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async {
            Ok(CreateMessageResult::new("m", TextContent::new("x")))
        })
        .roots(Vec::<Root>::new());
    let (_client, journal) = connect_with(builder, server()).await;
    let declared = &received(&journal, "initialize")[0]["params"]["capabilities"];
    for capability in ["elicitation", "sampling", "roots"] {
        assert!(declared[capability].is_object(), "{declared}");
    }
}
