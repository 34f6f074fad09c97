//! Tools of real servers: of a hub, of one client, and of both together.

use bowline_client::Client;
use bowline_hub::{Hub, Member};
use bowline_llm::{AgentEvent, ClientTools, Conversation, HubTools, ScriptedModel, Together, Tools as _, Turn};
use bowline_protocol::CallToolResult;
use bowline_testkit::{MockServer, Script};

use super::{agent, all, echo, read_only, told};

fn server(says: &'static str) -> MockServer {
    MockServer::builder().tool(read_only("say"), move |_| async move { Ok(CallToolResult::text(says)) }).build()
}

#[tokio::test]
async fn tools_of_all_servers_of_a_hub_are_called_by_their_names() {
    let hub = Hub::builder()
        .member(Member::new("work", server("from work").connector()).group("day"))
        .member(Member::new("home", server("from home").connector()))
        .build()
        .unwrap();
    let model = ScriptedModel::new([
        Turn::calls([("work__say", r#"{"text": "a"}"#), ("home__say", r#"{"text": "b"}"#)]),
        Turn::say("done"),
    ]);
    let (events, _) = all(agent(&model, HubTools::new(hub.clone())).run(&mut Conversation::new(), "go")).await;
    let requests = model.requests();
    let names: Vec<&str> = requests[0].tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["read_artifact", "home__say", "work__say"]);
    assert_eq!(told(&requests[1]), [("from work".to_owned(), false), ("from home".to_owned(), false)]);
    assert!(events.iter().any(|event| matches!(event, AgentEvent::CallBegun { server, .. } if server == "work")));

    let day = HubTools::new(hub.clone()).group("day").list().await;
    assert_eq!(day.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["work__say"]);
    hub.close().await;
}

#[tokio::test]
async fn a_client_and_functions_go_together() {
    let client = Client::builder().connect(server("from the server").connector()).await.unwrap();
    let tools = Together::new().with(echo()).with(ClientTools::new(client.clone(), "only")).with(echo());
    let list = tools.list().await;
    assert_eq!(list.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["echo", "say"]);
    assert!(list.failures[0].contains("a second tool echo"), "{:?}", list.failures);
    let model = ScriptedModel::new([
        Turn::calls([("say", r#"{"text": "a"}"#), ("echo", r#"{"text": "b"}"#)]),
        Turn::say("done"),
    ]);
    agent(&model, tools).run(&mut Conversation::new(), "go").outcome().await.unwrap();
    assert_eq!(told(&model.requests()[1]), [("from the server".to_owned(), false), ("b".to_owned(), false)]);
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_down_is_told_and_the_others_go_on() {
    let down = Script::new().close_stdout().connector().0;
    let hub =
        Hub::builder().member(Member::new("up", server("fine").connector())).member(Member::new("down", down)).build();
    let hub = hub.unwrap();
    let model = ScriptedModel::new([Turn::say("ok")]);
    let (events, _) = all(agent(&model, HubTools::new(hub.clone())).run(&mut Conversation::new(), "go")).await;
    assert!(
        events.iter().any(|event| matches!(event, AgentEvent::Notice { text } if text.starts_with("down: "))),
        "{events:?}"
    );
    assert!(model.requests()[0].tools.iter().any(|tool| tool.name == "up__say"));
    hub.close().await;
}
