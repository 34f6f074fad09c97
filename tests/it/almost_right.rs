//! What servers send that is almost right costs no more than it has to, and is told.

use bowline::Target;
use bowline::prelude::*;
use bowline::protocol::Leniency;
use bowline::transport::Fault;
use bowline_testkit::http::{HttpMode, MockHttp};
use bowline_testkit::socket::MockSocket;
use bowline_testkit::websocket::MockWebSocket;
use bowline_testkit::{Misbehaviour, MockServer, Script, When, demo};
use serde_json::json;

use crate::support::{Child, ScriptExt, connect, faults, ping_times, rest, server, with_handshake, within};

/// A result with half of an emoji, at two places.
const CUT: &str = r#"{"content":[{"type":"text","text":"a\ud83d"}],"_meta":{"\udc19":1}}"#;

fn raw(json: &str) -> RawJson {
    json.parse().unwrap()
}

/// A server that answers requests of a method with this.
fn answering(method: &str, result: &str) -> MockServer {
    demo::builder().misbehave(When::method(method), Misbehaviour::Answer(raw(result))).build()
}

/// What was read leniently, and how often.
fn lenient(events: &[Event]) -> Vec<(&str, Leniency, u64)> {
    let lenient = |fault| match fault {
        &Fault::Lenient { ref method, leniency, count, .. } => Some((method.as_str(), leniency, count)),
        _ => None,
    };
    faults(events).into_iter().filter_map(lenient).collect()
}

async fn is_read_over(name: &str, target: impl Connect) {
    let client = within(Client::builder().connect(target)).await.unwrap();
    let mut events = client.events();
    for _ in 0..5 {
        let result = within(client.call("echo").arg("message", "x")).await.unwrap();
        assert_eq!(result.joined_text(), "a\u{fffd}", "{name}");
        assert_eq!(result.meta.unwrap().get("\u{fffd}").unwrap(), 1, "{name}");
    }
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let told = [1, 2, 4].map(|count| ("tools/call", Leniency::NoCharacter, count));
    assert_eq!(lenient(&events), told, "{name}");
    assert_eq!(faults(&events).len(), told.len(), "{name}: {events:?}");
}

#[tokio::test]
async fn half_of_a_character_is_read_over_every_transport() {
    let server = || answering("tools/call", CUT);
    is_read_over("memory", server().connector()).await;
    let child = Child::program(env!("CARGO_BIN_EXE_mock-server"), &["--fault", &format!("answer={CUT}@tools/call")]);
    is_read_over("stdio", child.connect.clone()).await;
    for (mode, path) in [(HttpMode::Json, "/mcp"), (HttpMode::Stream, "/mcp"), (HttpMode::Stream, "/sse")] {
        let listening = MockHttp::new(server()).mode(mode).start().await.unwrap();
        is_read_over(path, Target::parse(&listening.url(path)).unwrap()).await;
    }
    let listening = MockWebSocket::new(server()).start().unwrap();
    is_read_over("websocket", Target::parse(&listening.url("/")).unwrap()).await;
    let listening = MockSocket::new(server()).tcp().unwrap();
    is_read_over("tcp", Target::parse(listening.target()).unwrap()).await;
}

#[tokio::test]
async fn half_of_a_character_in_what_a_server_says_of_itself_refuses_nothing() {
    let introduction = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":"true"}},
        "serverInfo":{"name":"s\ud83d","version":"1"},"instructions":"\ud83d then"}"#;
    let tools = r#"{"tools":[{"name":"good","description":"\ud83d"},{"name":"cut\ud83d"}]}"#;
    let server = MockServer::builder()
        .revisions([Revision::V2025_11_25])
        .misbehave(When::method("initialize"), Misbehaviour::Answer(raw(&introduction.replace('\n', " "))))
        .misbehave(When::method("tools/list"), Misbehaviour::Answer(raw(tools)))
        .build();
    let (sender, told) = std::sync::mpsc::channel();
    let builder = with_handshake().on_event(move |event| drop(sender.send(event)));
    let client = within(builder.connect(server.connector())).await.unwrap();
    let said = client.server();
    assert_eq!((said.info.name.as_str(), said.instructions.as_deref()), ("s\u{fffd}", Some("\u{fffd} then")));
    let mut pages = client.tools();
    let listed = within(pages.next()).await.unwrap().unwrap();
    assert_eq!((listed.name.as_str(), listed.description.as_deref()), ("good", Some("\u{fffd}")));
    assert!(within(pages.next()).await.is_none());
    // Under another name the server would not know it.
    let [problem] = pages.problems() else { panic!("{:?}", pages.problems()) };
    assert!(problem.index == 1 && problem.error.contains("cannot be sent back"), "{problem}");
    within(client.close()).await.unwrap();
    let events: Vec<Event> = told.iter().collect();
    let expected = [
        ("initialize", Leniency::NoCharacter, 1),
        ("initialize", Leniency::Boolean, 1),
        ("tools/list", Leniency::NoCharacter, 2),
    ];
    assert_eq!(lenient(&events), expected);
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_read_as_half_of_a_character_is() {
    for answer in [
        &b"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"caf\xe9\"}]}}"[..],
        b"{\"jsonrpc\": \"2.0\", \"id\": 2, \"result\": {\"content\": [{\"type\": \"text\", \"text\": \"caf\xe9\"}]}}",
    ] {
        let server =
            demo::builder().misbehave(When::method("tools/call"), Misbehaviour::Garbage(answer.into())).build();
        let client = within(with_handshake().connect(server.connector())).await.unwrap();
        let mut events = client.events();
        let result = within(client.call("echo").arg("message", "x")).await.unwrap();
        assert_eq!(result.joined_text(), "caf\u{fffd}");
        within(client.close()).await.unwrap();
        let events = rest(&mut events).await;
        assert_eq!(lenient(&events), [("tools/call", Leniency::NoCharacter, 1)]);
    }
}

#[tokio::test]
async fn shapes_that_can_mean_one_thing_only_are_read() {
    let server = demo::builder()
        .misbehave(When::method("tools/call"), Misbehaviour::Answer(raw(r#"{"content":"no","isError":"true"}"#)))
        .misbehave(
            When::method("prompts/get"),
            Misbehaviour::Answer(raw(r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},"b"]}]}"#)),
        )
        .misbehave(
            When::method("resources/read"),
            Misbehaviour::Answer(raw(r#"{"contents":{"uri":"x://1","text":"a"}}"#)),
        )
        .misbehave(When::method("ping"), Misbehaviour::Answer(RawJson::NULL))
        .build();
    let client = within(with_handshake().connect(server.connector())).await.unwrap();
    let mut events = client.events();
    let result = within(client.call("echo").arg("message", "x")).await.unwrap();
    assert!(result.is_error() && result.joined_text() == "no");
    let prompt = within(client.prompt("p")).await.unwrap();
    assert_eq!(prompt.messages.iter().map(|m| m.content.as_text()).collect::<Vec<_>>(), [Some("a"), Some("b")]);
    assert_eq!(within(client.read("x://1")).await.unwrap().contents[0].uri(), Some("x://1"));
    within(client.ping()).await.unwrap();
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let expected = [
        ("tools/call", Leniency::Boolean, 1),
        ("tools/call", Leniency::Text, 1),
        ("tools/call", Leniency::List, 1),
        ("prompts/get", Leniency::Text, 2),
        ("prompts/get", Leniency::Blocks, 1),
        ("resources/read", Leniency::List, 2),
        ("ping", Leniency::Null, 1),
    ];
    assert_eq!(lenient(&events), expected);
}

#[tokio::test]
async fn an_error_that_is_almost_right_is_read_and_told() {
    let errors = [
        r#"{"code":-32000,"message":"a\ud83d"}"#,
        r#"{"code":"-32601","message":"m"}"#,
        r#""boom""#,
        r#"{"code":-32000,"message":["m"]}"#,
        r#"{"code":-32000,"message":"as it should be"}"#,
        r#"{"message":"m"}"#,
    ];
    let script = errors.iter().zip(2..).fold(server(), |script, (error, id)| {
        script.expect("tools/call").send(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
    });
    let (client, _) = connect(
        script
            .expect("tools/call")
            .send(r#"{"jsonrpc":"2.0","id":8,"result":{"content":[]},"error":{"code":-32000,"message":"m"}}"#),
    )
    .await;
    let mut events = client.events();
    for _ in 0..=errors.len() {
        assert_eq!(within(client.call("t")).await.unwrap_err().kind(), ErrorKind::Server);
    }
    within(client.close()).await.unwrap();
    let told = [("tools/call", Leniency::NoCharacter, 1), ("tools/call", Leniency::Error, 1)];
    let more = [2, 4].map(|count| ("tools/call", Leniency::Error, count));
    assert_eq!(lenient(&rest(&mut events).await), [told.as_slice(), &more].concat());
}

#[tokio::test]
async fn an_error_of_the_handshake_and_of_a_subscription_is_told_too() {
    let refusal = r#"{"jsonrpc":"2.0","id":0,"error":{"code":"-32601","message":"no"}}"#;
    let (sender, told) = std::sync::mpsc::channel();
    let script = Script::new().expect("server/discover").send(refusal).expect("initialize").reply(json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "s", "version": 1 } }));
    let builder = Client::builder().on_event(move |event| drop(sender.send(event)));
    let client =
        within(builder.connect(script.expect("notifications/initialized").hang().connector().0)).await.unwrap();
    within(client.close()).await.unwrap();
    let expected = [("server/discover", Leniency::Error, 1), ("initialize", Leniency::Label, 1)];
    assert_eq!(lenient(&told.iter().collect::<Vec<_>>()), expected);

    let script = Script::new()
        .expect("server/discover")
        .reply(json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": { "listChanged": true } } }))
        .expect("subscriptions/listen")
        .send(r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602.0,"message":"no"}}"#);
    let client = within(Client::builder().revision(Revision::V2026_07_28).connect(script.connector().0)).await.unwrap();
    let mut events = client.events();
    let filter = bowline::protocol::SubscriptionFilter::new().with_tools_list_changed(true);
    assert_eq!(within(client.listen(filter)).await.unwrap_err().code().map(|code| code.0), Some(-32602));
    within(client.close()).await.unwrap();
    assert_eq!(lenient(&rest(&mut events).await), [("subscriptions/listen", Leniency::Error, 1)]);
}

#[tokio::test]
async fn hints_of_the_wrong_kind_are_told() {
    let tools = r#"{"tools":[{"name":"t","title":["T"],"description":7,"annotations":"none","icons":{"src":"https://x/y.png"},
        "_meta":[]}]}"#;
    let (client, _) = connect(
        server()
            .expect("tools/list")
            .send(format!(r#"{{"jsonrpc":"2.0","id":2,"result":{tools}}}"#).replace('\n', " ")),
    )
    .await;
    let mut events = client.events();
    let tools = within(client.tools().all()).await.unwrap();
    assert_eq!((tools[0].title.as_deref(), tools[0].description.as_deref()), (None, Some("7")));
    within(client.close()).await.unwrap();
    let told = [Leniency::List, Leniency::Label, Leniency::Object, Leniency::Hint];
    assert_eq!(lenient(&rest(&mut events).await), told.map(|leniency| ("tools/list", leniency, 1)));
}

#[tokio::test]
async fn a_task_that_nobody_asked_for_is_no_empty_result() {
    let answer = r#"{"jsonrpc":"2.0","id":2,"result":{"task":{"taskId":"t1","status":"working","ttl":null}}}"#;
    let error = end_of(answer).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Protocol, Sent::Yes));
    assert!(error.to_string().contains("carries the call on as a task, which was not asked for"), "{error}");
    let result = end_of(r#"{"jsonrpc":"2.0","id":2,"result":{"task":"water the plants"}}"#).await.unwrap();
    assert_eq!(result.extra["task"], "water the plants");
    // What has something to tell is a result, whatever a task is named beside it.
    let answer =
        r#"{"jsonrpc":"2.0","id":2,"result":{"content":[],"structuredContent":{"a":1},"task":{"taskId":"t"}}}"#;
    assert!(end_of(answer).await.unwrap().structured_content.is_some());
    let answer = r#"{"jsonrpc":"2.0","id":2,"result":{"content":[],"isError":true,"task":{"taskId":"t"}}}"#;
    assert!(end_of(answer).await.unwrap().is_error());
}

#[tokio::test]
async fn questions_in_a_list_are_not_taken_for_none() {
    let asks = |questions: &str| {
        let script = Script::new()
            .expect("server/discover")
            .reply(json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} } }))
            .expect("tools/call")
            .send(format!(
                r#"{{"jsonrpc":"2.0","id":2,"result":{{"resultType":"input_required","inputRequests":{questions}}}}}"#
            ))
            .expect("tools/call")
            .reply(crate::support::text("done"));
        async move {
            let client =
                within(Client::builder().revision(Revision::V2026_07_28).connect(script.connector().0)).await.unwrap();
            within(client.call("t")).await.map(|result| result.joined_text())
        }
    };
    for questions in [r#"[{"method":"roots/list"}]"#, "true", "\"who\""] {
        let error = asks(questions).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{questions}");
        assert!(
            error.to_string().contains("inputRequests") && error.to_string().contains("expected an object"),
            "{error}"
        );
    }
    assert_eq!(asks("[]").await.unwrap(), "done", "as PHP writes an empty object");
}

#[tokio::test]
async fn a_task_that_is_almost_right_is_told() {
    let declared = json!({ "supportedVersions": ["2026-07-28"],
        "capabilities": { "tools": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } } });
    let created =
        r#"{"resultType":"task","taskId":"t1","status":"working","statusMessage":"a\ud83d","pollIntervalMs":"soon"}"#;
    let failed = r#"{"resultType":"complete","taskId":"t1","status":"failed","error":{"code":"-32000","message":"m"}}"#;
    let script = Script::new()
        .expect("server/discover")
        .reply(declared)
        .expect("tools/call")
        .send(format!(r#"{{"jsonrpc":"2.0","id":2,"result":{created}}}"#))
        .expect("tasks/get")
        .send(format!(r#"{{"jsonrpc":"2.0","id":3,"result":{failed}}}"#));
    let client = within(Client::builder().revision(Revision::V2026_07_28).connect(script.connector().0)).await.unwrap();
    let mut events = client.events();
    let error = within(client.call("slow").as_task()).await.unwrap_err();
    assert_eq!(error.code().map(|code| code.0), Some(-32000), "{error}");
    within(client.close()).await.unwrap();
    let expected = [
        ("tools/call", Leniency::NoCharacter, 1),
        ("tools/call", Leniency::Hint, 1),
        ("tasks/get", Leniency::Error, 1),
    ];
    assert_eq!(lenient(&rest(&mut events).await), expected);
}

#[tokio::test]
async fn what_is_as_it_should_be_is_told_nothing_of() {
    let (client, _) = connect(server().pings(1).expect("tools/call").reply(crate::support::text("ahoy"))).await;
    let mut events = client.events();
    ping_times(&client, 1).await;
    within(client.call("t")).await.unwrap();
    within(client.close()).await.unwrap();
    assert!(faults(&rest(&mut events).await).is_empty());
}

/// How a call ends that is answered by this line, after the handshake: its id is 2.
async fn end_of(answer: &str) -> Result<CallToolResult, Error> {
    let (client, _) = connect(server().expect("tools/call").send(answer)).await;
    let outcome = within(client.call("t")).await;
    within(client.close()).await.unwrap();
    outcome
}

#[tokio::test]
async fn an_answer_that_is_neither_result_nor_error_says_what_it_is() {
    for (rest, kind, said) in [
        ("", ErrorKind::Server, "the server answered neither a result nor an error"),
        (r#","error":null"#, ErrorKind::Server, "the server answered neither a result nor an error"),
        (r#","result":null"#, ErrorKind::Protocol, "null came in place of an object; report it"),
        (r#","result":"done""#, ErrorKind::Protocol, "a string came in place of an object; report it"),
        (r#","result":{"content":[}"#, ErrorKind::Protocol, "the answer is not json: expected value at line 1"),
        (r#","result":{"content":7}"#, ErrorKind::Protocol, "wrong shape at content: invalid type: integer `7`"),
        (r#","result":{"isError":"so so"}"#, ErrorKind::Protocol, "invalid type: string \"so so\", expected a boolean"),
        (r#","error":"boom""#, ErrorKind::Server, "the server answered an error that is a string and no object: boom"),
        (r#","error":{"message":"m"}"#, ErrorKind::Server, "the server answered an error without a code: m"),
        (
            r#","error":{"code":"E1","message":"m"}"#,
            ErrorKind::Server,
            "an error whose code is \"E1\" and no integer: m",
        ),
        (r#","error":{"code":"-32601","message":"m"}"#, ErrorKind::Server, "error -32601 (method not found): m"),
        (r#","error":{"code":-32601.0,"message":"m"}"#, ErrorKind::Server, "error -32601 (method not found): m"),
        (r#","result":null,"error":{"code":-32000,"message":"m"}"#, ErrorKind::Server, "error -32000: m"),
        (r#","result":{},"error":{"code":-32000,"message":"m"}"#, ErrorKind::Server, "error -32000: m; a result came"),
        (r#","error":{"code":-32000,"message":"m"},"result":{}"#, ErrorKind::Server, "error -32000: m; a result came"),
    ] {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":2{rest}}}"#);
        let error = end_of(&answer).await.unwrap_err();
        let message = error.to_string();
        assert_eq!((error.kind(), error.sent()), (kind, Sent::Yes), "{answer}: {message}");
        assert!(message.starts_with("tools/call: ") && message.contains(said), "{answer}: {message}");
        assert!(!message.contains("error 0") && message.matches("not json").count() <= 1, "{message}");
    }
    for rest in [r#","error":null,"result":{}"#, r#","result":{},"error":null"#, r#","result":{},"error":"""#] {
        let result = end_of(&format!(r#"{{"jsonrpc":"2.0","id":2{rest}}}"#)).await.unwrap();
        assert!(result.content.is_empty(), "{rest}");
    }
    // Zero is a code like any other where the server sends it.
    let error = end_of(r#"{"jsonrpc":"2.0","id":2,"error":{"code":0,"message":"m"}}"#).await.unwrap_err();
    assert_eq!(error.to_string(), "tools/call: the server answered error 0: m");
}

#[tokio::test]
async fn a_message_of_the_server_with_half_a_character_is_served() {
    let script = Script::new()
        .expect("initialize")
        .reply(json!({ "protocolVersion": "2025-11-25", "capabilities": { "logging": {} }, "serverInfo": { "name": "s", "version": "1" } }))
        .expect("notifications/initialized")
        .expect("ping")
        .send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"\ud83d","data":"\ud83d"}}"#)
        .reply(json!({}));
    let (client, _) = connect(script).await;
    let mut events = client.events();
    within(client.ping()).await.unwrap();
    within(client.close()).await.unwrap();
    let events = rest(&mut events).await;
    let Some(Event::Log(log)) = events.iter().find(|event| matches!(event, Event::Log(_))) else {
        panic!("{events:?}")
    };
    assert_eq!((log.logger.as_deref(), log.data.to_value()), (Some("\u{fffd}"), json!("\u{fffd}")));
    assert_eq!(lenient(&events), [("notifications/message", Leniency::NoCharacter, 1)]);
}
