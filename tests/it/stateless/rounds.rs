//! Calls that need input: answered by the handlers, or by hand (basic/patterns/mrtr).

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline::prelude::*;
use bowline::protocol::{CreateMessageRequestParams, ElicitRequestParams, ElicitResult, InputRequest, Root};
use bowline::{Outcome, refused};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{connect, connect_with, server, text};
use crate::support::{Flag, answers, received, within};

fn form(message: &str) -> Value {
    json!({"method": "elicitation/create", "params": {
        "mode": "form", "message": message,
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    }})
}

fn asks(requests: Value, state: Option<&str>) -> Value {
    let mut result = json!({"resultType": "input_required", "inputRequests": requests});
    if let Some(state) = state {
        result["requestState"] = state.into();
    }
    result
}

fn wants_again(state: &str) -> Value {
    json!({"resultType": "input_required", "requestState": state})
}

fn named(name: &'static str) -> bowline::ClientBuilder {
    Client::builder().on_elicitation(move |_: ElicitRequestParams, _: RequestContext| async move {
        Ok(ElicitResult::accept([("name", name.into())]))
    })
}

#[tokio::test]
async fn case_elicitation_005_mr_01_mr_02_and_mr_03() {
    let state = "eyJ+/=é";
    let script = server()
        .expect("tools/call")
        .reply(asks(json!({"who": form("Name?")}), Some(state)))
        .expect("tools/call")
        .reply(asks(json!({"again": form("Name?")}), None))
        .expect("tools/call")
        .reply(text("done"));
    let (client, journal) = connect_with(named("Ada"), script).await;
    let result = within(client.call("book").arg("table", 4)).await.unwrap();
    assert_eq!(result.joined_text(), "done");
    let calls = received(&journal, "tools/call");
    let [first, second, third] = calls.as_slice() else { panic!("{calls:?}") };
    let accepted = json!({"action": "accept", "content": {"name": "Ada"}});
    for (call, responses) in [(second, json!({"who": accepted})), (third, json!({"again": accepted}))] {
        assert_eq!(call["params"]["name"], "book");
        assert_eq!(call["params"]["arguments"], json!({"table": 4}));
        assert_eq!(call["params"]["inputResponses"], responses);
    }
    assert!(first["id"] != second["id"] && second["id"] != third["id"] && first["id"] != third["id"]);
    assert_eq!(second["params"]["requestState"], state);
    assert!(third["params"].get("requestState").is_none(), "the state of an earlier round is not sent again");
    assert!(first["params"].get("inputResponses").is_none());
    assert!(answers(&journal).is_empty(), "answers are no messages of their own");
}

#[tokio::test]
async fn mr_01_and_mr_08_every_kind_of_question_goes_to_its_handler_at_once() {
    let questions = json!({
        "who": form("Name?"), "where": {"method": "roots/list"},
        "what": {"method": "sampling/createMessage", "params": {"maxTokens": 9, "messages": []}},
    });
    for (method, result) in [
        ("tools/call", text("x")),
        ("prompts/get", json!({"resultType": "complete", "messages": []})),
        ("resources/read", json!({"resultType": "complete", "contents": []})),
    ] {
        let script = server().expect(method).reply(asks(questions.clone(), Some("s"))).expect(method).reply(result);
        let builder = named("Ada").roots(vec![Root::new("file:///a")]).on_sampling(
            |_: CreateMessageRequestParams, _: RequestContext| async {
                Ok(bowline::protocol::CreateMessageResult::new("m", bowline::protocol::TextContent::new("t")))
            },
        );
        let (client, journal) = connect_with(builder, script).await;
        match method {
            "tools/call" => drop(within(client.call("t")).await.unwrap()),
            "prompts/get" => drop(within(client.prompt("p")).await.unwrap()),
            _ => drop(within(client.read("x:y")).await.unwrap()),
        }
        let responses = received(&journal, method)[1]["params"]["inputResponses"].clone();
        assert_eq!(responses["who"]["action"], "accept");
        assert_eq!(responses["where"]["roots"][0]["uri"], "file:///a");
        assert_eq!(responses["what"]["model"], "m");
    }
}

#[tokio::test]
async fn mr_04_parallel_calls_keep_their_states_apart() {
    let script = server()
        .expect("tools/call")
        .reply(asks(json!({"k": form("?")}), Some("first")))
        .expect("tools/call")
        .reply(text("first done"))
        .expect("tools/call")
        .reply(text("other"));
    let (client, journal) = connect_with(named("Ada"), script).await;
    within(client.call("one")).await.unwrap();
    within(client.call("two")).await.unwrap();
    let calls = received(&journal, "tools/call");
    assert_eq!(calls[1]["params"]["requestState"], "first");
    let last = &calls[2]["params"];
    assert!(last.get("requestState").is_none() && last.get("inputResponses").is_none(), "{last}");
}

#[tokio::test(start_paused = true)]
async fn mr_05_a_server_that_only_wants_the_call_again_is_bounded_in_rounds_and_pace() {
    let script = (0..5).fold(server(), |script, n| script.expect("tools/call").reply(wants_again(&n.to_string())));
    let (client, journal) = connect_with(Client::builder().max_rounds(3), script).await;
    let started = Instant::now();
    let error = client.call("t").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Protocol, Sent::Yes));
    assert!(error.to_string().contains("max_rounds"), "{error}");
    assert_eq!(received(&journal, "tools/call").len(), 4);
    assert!(started.elapsed() >= Duration::from_millis(100 + 200 + 400), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn mr_05_a_round_in_which_nothing_is_asked_waits_as_one_without_questions() {
    for nothing in [json!({}), json!([])] {
        let again = || asks(nothing.clone(), None);
        let script = (0..3).fold(server(), |script, _| script.expect("tools/call").reply(again()));
        let (client, journal) = connect(script.expect("tools/call").reply(text("done"))).await;
        let started = Instant::now();
        assert_eq!(client.call("t").await.unwrap().joined_text(), "done");
        assert!(started.elapsed() >= Duration::from_millis(100 + 200 + 400), "{:?}", started.elapsed());
        assert_eq!(received(&journal, "tools/call")[3]["params"]["inputResponses"], json!({}));
    }
}

#[tokio::test(start_paused = true)]
async fn one_deadline_is_over_all_rounds_and_the_time_of_handlers_is_no_silence() {
    let asking = || server().expect("tools/call").reply(asks(json!({"k": form("?")}), None)).expect("tools/call");
    let slow = |time: u64| {
        Client::builder().on_elicitation(move |_: ElicitRequestParams, _: RequestContext| async move {
            tokio::time::sleep(Duration::from_secs(time)).await;
            Ok(ElicitResult::decline())
        })
    };
    let (client, _) = connect_with(slow(300), asking().reply(text("late"))).await;
    assert_eq!(client.call("t").await.unwrap().joined_text(), "late");

    let (client, journal) = connect_with(slow(700), asking().reply(text("too late"))).await;
    let started = Instant::now();
    let error = client.call("t").await.unwrap_err();
    assert_eq!((error.kind(), started.elapsed().as_secs()), (ErrorKind::Timeout, 600));
    assert_eq!(received(&journal, "tools/call").len(), 1, "no round begins after the limit");
}

#[tokio::test]
async fn mr_07_a_refusal_ends_the_call_and_nothing_is_sent() {
    let question = json!({"s": {"method": "sampling/createMessage", "params": {"maxTokens": 9, "messages": []}}});
    let script = server().expect("tools/call").reply(asks(question, Some("secret-state")));
    let builder =
        Client::builder().on_sampling(|_: CreateMessageRequestParams, _: RequestContext| async { Err(refused()) });
    let (client, journal) = connect_with(builder, script).await;
    let error = within(client.call("t")).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::InputRefused, Sent::Yes));
    assert!(error.to_string().contains("sampling/createMessage"), "{error}");
    assert!(!format!("{error:?}{error}").contains("secret-state"));
    within(client.close()).await.unwrap();
    assert_eq!(journal.methods(), ["server/discover", "tools/call"]);
}

#[tokio::test]
async fn d_03_and_q_03_what_was_not_declared_is_not_answered() {
    let url = json!({"method": "elicitation/create", "params": {"mode": "url", "message": "m", "url": "https://x"}});
    let tools = json!({"method": "sampling/createMessage", "params": {"maxTokens": 9, "messages": [], "tools": []}});
    for question in [url, tools, json!({"method": "roots/list"}), json!({"method": "vendor/own"})] {
        let script = server().expect("tools/call").reply(asks(json!({"k": question}), None));
        let (client, journal) = connect_with(named("Ada"), script).await;
        let error = within(client.call("t")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InputRefused, "{question}");
        assert_eq!(received(&journal, "tools/call").len(), 1);
    }
}

#[tokio::test]
async fn mr_06_lists_do_not_ask_and_a_question_without_content_is_none() {
    let (client, _) = connect(server().expect("tools/list").reply(wants_again("s"))).await;
    assert_eq!(within(client.tools().all()).await.unwrap_err().kind(), ErrorKind::Protocol);
    let (client, _) = connect(server().expect("tools/call").reply(json!({"resultType": "input_required"}))).await;
    assert_eq!(within(client.call("t")).await.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test(start_paused = true)]
async fn a_state_of_ten_mebibytes_goes_back_as_it_came() {
    let state = "x".repeat(10 << 20);
    let script = server().expect("tools/call").reply(wants_again(&state)).expect("tools/call").reply(text("done"));
    let (client, journal) = connect(script).await;
    assert_eq!(client.call("t").await.unwrap().joined_text(), "done");
    assert!(received(&journal, "tools/call")[1]["params"]["requestState"] == state.as_str());
}

#[tokio::test]
async fn a_call_that_is_dropped_between_two_rounds_drops_its_handlers() {
    let script = server().expect("tools/call").reply(asks(json!({"k": form("?")}), None)).hang();
    let dropped = Flag::default();
    let (asked, mut asking) = tokio::sync::mpsc::channel(1);
    let builder = Client::builder().on_elicitation({
        let dropped = dropped.clone();
        move |_: ElicitRequestParams, _: RequestContext| {
            let (guard, asked) = (dropped.on_drop(), asked.clone());
            async move {
                asked.send(()).await.unwrap();
                std::future::pending::<()>().await;
                drop(guard);
                Ok(ElicitResult::decline())
            }
        }
    });
    let (client, journal) = connect_with(builder, script).await;
    let call = tokio::spawn(client.call("t").into_future());
    within(asking.recv()).await.unwrap();
    call.abort();
    assert!(within(call).await.unwrap_err().is_cancelled());
    assert!(dropped.is_set());
    assert!(received(&journal, "notifications/cancelled").is_empty(), "no request is open between rounds");
}

#[tokio::test]
async fn rounds_by_hand_hand_out_the_questions_and_take_the_answers() {
    let count = Arc::new(AtomicU32::new(0));
    let script = server()
        .expect("tools/call")
        .reply(asks(json!({"who": form("Name?")}), Some("st\u{fc}ck")))
        .expect("tools/call")
        .reply(text("done"));
    let builder = Client::builder().on_elicitation({
        let count = Arc::clone(&count);
        move |_: ElicitRequestParams, _: RequestContext| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok(ElicitResult::decline()) }
        }
    });
    let (client, journal) = connect_with(builder, script).await;
    let outcome = within(client.call("book").arg("table", 4).by_hand()).await.unwrap();
    let Outcome::InputRequired(pending) = outcome else { panic!("{outcome:?}") };
    assert_eq!(pending.keys(), ["who"]);
    assert!(matches!(pending.requests().unwrap().get("who"), Some(InputRequest::Elicit(_))));
    assert!(!format!("{pending:?}").contains("stück"), "the state is shown to nobody");
    let outcome = within(pending.answer("who", ElicitResult::accept([("name", "Bo".into())])).send()).await.unwrap();
    let Outcome::Complete(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!(result.joined_text(), "done");
    let second = received(&journal, "tools/call")[1]["params"].clone();
    assert_eq!((&second["requestState"], &second["arguments"]), (&json!("stück"), &json!({"table": 4})));
    assert_eq!(second["inputResponses"]["who"]["content"]["name"], "Bo");
    assert_eq!(count.load(Ordering::Relaxed), 0, "the handlers are not asked");

    let (client, _) = connect(server().expect("tools/call").reply(asks(json!({"who": form("?")}), None))).await;
    let Outcome::InputRequired(pending) = within(client.call("t").by_hand()).await.unwrap() else { panic!("asks") };
    let error = within(pending.answer("whom", ElicitResult::decline()).send()).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Config, Sent::No));
}
