//! Handlers are told which server asks.

use std::sync::{Arc, Mutex};

use bowline_client::RequestContext;
use bowline_hub::Member;
use bowline_protocol::{
    CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, ElicitationSchema, Revision,
    StringSchema,
};
use bowline_testkit::{MockServer, ToolCall};

use super::support::{builder, tool};

#[tokio::test]
async fn handlers_are_told_which_member_asks_in_either_era() {
    let asking = |revision| {
        MockServer::builder()
            .revisions([revision])
            .tool(tool("ask"), |call: ToolCall| async move {
                let form = ElicitationSchema::new([("name", StringSchema::new().into())]);
                let answer = call.elicit(ElicitRequestFormParams::new("may I?", form).into()).await?;
                Ok(CallToolResult::text(format!("{:?}", answer.action)))
            })
            .build()
    };
    let seen: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let sees = Arc::clone(&seen);
    let hub = builder([
        Member::new("old", asking(Revision::V2025_11_25).connector()),
        Member::new("new", asking(Revision::V2026_07_28).connector()),
        // Its own handler wins.
        Member::new("own", asking(Revision::V2025_11_25).connector()).client(|builder| {
            builder.on_elicitation(|_: ElicitRequestParams, context: RequestContext| async move {
                assert_eq!(context.member(), None);
                Ok(ElicitResult::cancel())
            })
        }),
    ])
    .on_elicitation(move |_: ElicitRequestParams, context: RequestContext| {
        sees.lock().unwrap().push(context.member().map(str::to_owned));
        async { Ok(ElicitResult::decline()) }
    })
    .build()
    .unwrap();
    for (name, says) in [("old__ask", "Decline"), ("new__ask", "Decline"), ("own__ask", "Cancel")] {
        assert_eq!(hub.call(name).await.unwrap().joined_text(), says, "{name}");
    }
    assert_eq!(*seen.lock().unwrap(), [Some("old".to_owned()), Some("new".to_owned())]);
}
