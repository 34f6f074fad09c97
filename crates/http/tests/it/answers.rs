//! What an answer may look like, and what becomes of one that is none.

use std::time::Duration;

use bowline_http::HttpConnect;
use bowline_protocol::ErrorCode;
use bowline_protocol::frame::Message;
use bowline_testkit::http::{HttpServer, Reply};
use bowline_transport::{Fault, InboundEvent, Limits, Sent, TransportErrorKind};

use crate::peer::{answering, call, connect, open, open_with, request, result, server, shake};

#[tokio::test]
async fn case_http_008_h_06_a_notification_may_be_answered_with_200_or_204_and_nothing() {
    for status in [200, 202, 204] {
        let server = HttpServer::start(move |request| async move {
            if request.rpc_method().starts_with("notifications/") {
                return Reply::status(status);
            }
            crate::peer::dull(&request).unwrap_or_else(|| Reply::result(&request, "{}"))
        })
        .await
        .unwrap();
        let transport = open(&server).await;
        assert_eq!(result(call(&*transport, 2).await.unwrap()), "{}");
    }
}

#[tokio::test]
async fn case_http_011_h_03_content_types_have_parameters_and_any_case() {
    for kind in ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        let server = answering(move |request| {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"a":1}}}}"#, request.json()["id"]);
            Reply::status(200).with("content-type", kind).body(body)
        })
        .await;
        assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), r#"{"a":1}"#);
    }
    for kind in ["text/event-stream; charset=utf-8", "Text/Event-Stream;charset=UTF-8"] {
        let server = answering(move |request| {
            let body =
                format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{\"a\":1}}}}\n\n", request.json()["id"]);
            Reply::status(200).with("content-type", kind).body(body)
        })
        .await;
        assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), r#"{"a":1}"#);
    }
}

#[tokio::test]
async fn messages_in_one_body_or_event_are_taken_and_told() {
    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"a"}}"#;
    for (kind, before, between) in [
        ("application/json", "", "\n"),
        ("application/json", "\u{feff}", ""),
        ("text/event-stream", "data: ", "\ndata: "),
        ("text/event-stream", "data: ", ""),
    ] {
        let server = answering(move |request| {
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"a":1}}}}"#, request.json()["id"]);
            let end = if kind == "text/event-stream" { "\n\n" } else { "" };
            Reply::status(200).with("content-type", kind).body(format!("{before}{answer}{between}{log}{end}"))
        })
        .await;
        let transport = open(&server).await;
        let mut inbound = transport.take_inbound().unwrap();
        let mut exchange = transport.request(request(2, "tools/call")).await.unwrap();
        assert!(matches!(exchange.next().await, Some(Ok(Message::Notification(_)))), "{kind} {between:?}");
        let Some(Ok(Message::Response(answer))) = exchange.next().await else { panic!("an answer was due") };
        assert_eq!(result(answer), r#"{"a":1}"#);
        assert!(matches!(inbound.next().await, Some(InboundEvent::Fault(Fault::OnOneLine { len: 2 }))));
    }
}

#[tokio::test]
async fn case_http_013_h_37_a_page_is_an_error_that_shows_its_start() {
    let page = format!("<!doctype html><title>Sign in</title>{}", "<p>x".repeat(5000));
    let server = HttpServer::start(move |_| {
        let page = page.clone();
        async move { Reply::status(200).with("content-type", "text/html; charset=utf-8").body(page) }
    })
    .await
    .unwrap();
    let transport = connect(&HttpConnect::new(&server.url("/mcp?key=SECRET")).unwrap()).await;
    let error = shake(&*transport).await.unwrap_err();
    let text = error.to_string();
    assert_eq!((error.kind(), error.status(), error.sent()), (TransportErrorKind::Protocol, Some(200), Sent::Yes));
    assert!(text.contains("text/html") && text.contains("Sign in") && text.contains("/mcp"), "{text}");
    assert!(text.len() < 1000 && !text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn case_http_014_h_07_an_error_of_the_protocol_is_the_answer_whatever_the_status() {
    for (status, kind) in
        [(200, ""), (200, "application/json"), (400, "application/json"), (500, "application/json"), (400, "")]
    {
        let server = answering(move |_| {
            let body = r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32099,"message":"topic missing"}}"#;
            let reply = Reply::status(status).body(body);
            if kind.is_empty() { reply } else { reply.with("content-type", kind) }
        })
        .await;
        let transport = open(&server).await;
        let mut exchange = transport.request(request(2, "tools/call")).await.unwrap();
        let Some(Ok(Message::Response(response))) = exchange.next().await else { panic!("an answer was due") };
        let error = response.outcome.unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (ErrorCode(-32099), "topic missing"), "{status} {kind}");
        assert_eq!(exchange.status(), Some(status));
    }
}

#[tokio::test]
async fn h_07_an_error_without_an_id_fails_the_request_that_it_came_to() {
    let server = answering(|_| {
        Reply::status(400)
            .with("content-type", "application/json")
            .body(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: unsupported"}}"#)
    })
    .await;
    let error = call(&*open(&server).await, 2).await.unwrap().outcome.unwrap_err();
    assert_eq!(error.code, ErrorCode(-32000));
}

#[tokio::test]
async fn case_http_025_a_wait_that_the_server_asks_for_is_in_the_error() {
    for (value, wanted) in [(Some("1"), Some(1)), (Some("100000"), Some(100_000)), (Some("soon"), None), (None, None)] {
        let server = answering(move |_| {
            let reply = Reply::status(429).body("slow down");
            match value {
                Some(value) => reply.with("retry-after", value),
                None => reply,
            }
        })
        .await;
        let error = call(&*open(&server).await, 2).await.unwrap_err();
        assert_eq!((error.status(), error.sent()), (Some(429), Sent::No));
        assert_eq!(error.retry_after(), wanted.map(Duration::from_secs));
        assert!(error.to_string().contains("slow down"), "{error}");
    }
}

#[tokio::test]
async fn case_http_026_errors_say_whether_the_call_may_have_run() {
    let busy = answering(|_| Reply::status(503)).await;
    assert_eq!(call(&*open(&busy).await, 2).await.unwrap_err().sent(), Sent::Maybe);

    let reset = answering(|_| Reply::closed()).await;
    let error = call(&*open(&reset).await, 2).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Maybe));

    // Nobody listens on a port that was just given back.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let transport = connect(&HttpConnect::new(&url).unwrap()).await;
    let error = transport.request(request(1, "tools/call")).await.err().unwrap();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Connect, Sent::No));
    assert!(error.to_string().contains(&url), "{error}");
}

#[tokio::test]
async fn case_http_030_broken_json_fails_its_request_alone() {
    let server = answering(|request| match request.json()["id"].as_i64() {
        Some(2) => Reply::json(r#"{"jsonrpc":"2.0","id":2,"resu"#),
        Some(3) => Reply::events().data("data: not json\n\n"),
        // Says that it is longer than it is.
        Some(4) => Reply::json(r#"{"jsonrpc":"2.0","id":4,"#).data("").cut(),
        _ => Reply::result(request, "{}"),
    })
    .await;
    let transport = open(&server).await;
    let other = transport.request(request(9, "tools/call")).await.unwrap();
    for (id, shown) in [(2, "\"resu"), (3, "not json")] {
        let error = call(&*transport, id).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::Yes));
        assert!(error.to_string().contains(shown), "{error}");
    }
    let error = call(&*transport, 4).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Yes), "{error}");
    assert_eq!(result(crate::peer::answer(other).await.unwrap()), "{}");
    assert_eq!(result(call(&*transport, 5).await.unwrap()), "{}");
}

#[tokio::test]
async fn a_request_that_is_accepted_and_not_answered_is_an_error() {
    for status in [200, 202, 204] {
        let server = answering(move |_| Reply::status(status)).await;
        let error = call(&*open(&server).await, 2).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::Yes), "{error}");
    }
    let server = answering(|_| Reply::json(r#"{"jsonrpc":"2.0","id":99,"result":{}}"#)).await;
    assert_eq!(call(&*open(&server).await, 2).await.unwrap_err().kind(), TransportErrorKind::Protocol);
}

#[tokio::test]
async fn what_is_larger_than_the_limit_is_an_error_and_no_memory() {
    let server = answering(|request| {
        let filler = "x".repeat(4096);
        match request.json()["id"].as_i64() {
            Some(2) => Reply::result(request, format_args!("\"{filler}\"")),
            Some(3) => Reply::events().data("data: ").data(filler).hold(),
            Some(4) => Reply::status(500).body(filler.repeat(64)),
            _ => Reply::result(request, "{}"),
        }
    })
    .await;
    let limits = Limits::default().with_max_frame_bytes(1024);
    let transport = open_with(&HttpConnect::new(&server.url("/mcp")).unwrap().limits(limits)).await;
    for id in [2, 3] {
        let error = call(&*transport, id).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::TooLarge, Sent::Yes), "{error}");
    }
    let error = call(&*transport, 4).await.unwrap_err();
    assert!(error.to_string().len() < 1000, "{error}");
    assert_eq!(result(call(&*transport, 5).await.unwrap()), "{}");
}

#[tokio::test]
async fn batches_and_ids_as_text_are_understood() {
    let server = answering(|request| match request.json()["id"].as_i64() {
        Some(2) => Reply::json(
            r#"[{"jsonrpc":"2.0","method":"notifications/message","params":{}},{"jsonrpc":"2.0","id":2,"result":{}}]"#,
        ),
        _ => Reply::json(r#"{"jsonrpc":"2.0","id":"3","result":{}}"#),
    })
    .await;
    let transport = open(&server).await;
    assert_eq!(result(call(&*transport, 2).await.unwrap()), "{}");
    assert_eq!(result(call(&*transport, 3).await.unwrap()), "{}");
}

#[tokio::test]
async fn case_sse_001_an_answer_with_crlf_arrives_while_its_stream_stays_open() {
    let server = answering(|_| {
        let answer = "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\r\n\r\n";
        Reply::events().data(answer).hold()
    })
    .await;
    assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), "{}");
}

#[tokio::test]
async fn case_sse_005_a_result_over_several_data_lines_is_whole() {
    let server = answering(|_| {
        let answer = "data: {\"jsonrpc\":\"2.0\",\"id\":2,\ndata: \"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}}\n\n";
        Reply::events().data(answer).hold()
    })
    .await;
    let result: serde_json::Value =
        serde_json::from_str(&result(call(&*open(&server).await, 2).await.unwrap())).unwrap();
    assert_eq!(result["content"][0]["text"], "ok");
}

#[tokio::test]
async fn case_sse_016_the_type_message_may_be_said_or_not_with_a_space_or_not() {
    for before in ["data: ", "data:", "event:message\ndata: ", "event: message\ndata: "] {
        let server = answering(move |_| {
            let answer = format!("{before}{{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{{}}}}\n\n");
            Reply::events().data(answer).hold()
        })
        .await;
        assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), "{}", "{before:?}");
    }
}

#[tokio::test]
async fn case_sse_016_case_sse_017_events_without_a_type_are_messages_and_pings_are_not() {
    let server = answering(|_| {
        Reply::events()
            .data("event: ping\ndata: 2026-11-25 10:00:00\n\ndata:\n\nevent: message\ndata:\n\n: x\n\n")
            .data("data:{\"jsonrpc\":\"2.0\",\"id\":2,\ndata: \"result\":{}}\n\n")
            .hold()
    })
    .await;
    assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), "{}");
}

#[tokio::test(start_paused = true)]
async fn case_http_017_nothing_but_the_caller_limits_how_long_a_stream_lasts() {
    let server = server(|request| async move {
        let progress = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";
        let mut reply = Reply::events();
        for _ in 0..60 {
            reply = reply.data(progress).wait(Duration::from_secs(60));
        }
        reply.data(format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{}}}}\n\n", request.json()["id"]))
    })
    .await;
    assert_eq!(result(call(&*open(&server).await, 2).await.unwrap()), "{}");
}

#[tokio::test]
async fn an_answer_that_begins_with_a_byte_order_mark_is_read() {
    let server = answering(|request| {
        let id = request.json()["id"].as_i64().unwrap();
        let (status, rest) =
            if id == 2 { (200, r#""result":{}"#) } else { (400, r#""error":{"code":-32099,"message":"m"}"#) };
        let body = format!("\u{feff}{{\"jsonrpc\":\"2.0\",\"id\":{id},{rest}}}");
        Reply::status(status).with("content-type", "application/json; charset=utf-8").body(body)
    })
    .await;
    let transport = open(&server).await;
    assert_eq!(result(call(&*transport, 2).await.unwrap()), "{}");
    assert_eq!(call(&*transport, 3).await.unwrap().outcome.unwrap_err().code, ErrorCode(-32099));
}

#[tokio::test]
async fn a_stream_without_the_answer_is_an_error_that_shows_what_came() {
    for (body, wanted) in [
        ("event: error\ndata: upstream is away\n\n", "event of type \"error\": upstream is away"),
        ("<html><title>Sign in</title>\n</html>", "<html><title>Sign in</title>"),
        (r#"{"jsonrpc":"2.0","id":2,"result":{}}"#, r#"no whole event: {"jsonrpc":"2.0","id":2,"result":{}}"#),
        ("data: {\"jsonrpc\":\"2.0\",\"id\":2,", r#"no whole event: data: {"jsonrpc":"2.0","id":2,"#),
        (
            "data: {\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}\n\n",
            "the id 77, which is not open: this one has the id 2",
        ),
        (": nothing\n\n", "without the answer to tools/call"),
    ] {
        let server = answering(move |_| Reply::events().data(body)).await;
        let error = call(&*open(&server).await, 2).await.unwrap_err();
        assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Yes), "{body}: {error}");
        assert!(error.to_string().contains(wanted), "{body}: {error}");
    }
}

#[tokio::test]
async fn case_sse_002_a_last_event_without_its_blank_line_is_the_answer_where_it_is_whole() {
    for end in ["", "\n", "\r", "\r\n"] {
        for whole in [true, false] {
            let rest = if whole { r#""result":{"a":{"b":1}}}"# } else { r#""result":{"a":{"b":1}}"# };
            let body = format!("data: {{\"jsonrpc\":\"2.0\",\ndata: \"id\":2,{rest}{end}");
            let server = answering(move |_| Reply::events().data(body.clone())).await;
            let transport = open(&server).await;
            let mut inbound = transport.take_inbound().unwrap();
            let outcome = call(&*transport, 2).await;
            if whole {
                assert_eq!(result(outcome.unwrap()), r#"{"a":{"b":1}}"#, "{end:?}");
                assert!(matches!(inbound.next().await, Some(InboundEvent::Fault(Fault::EventWithoutEnd))));
            } else {
                assert!(outcome.unwrap_err().to_string().contains("what came is no whole event"), "{end:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_to_another_request_is_named() {
    let server = answering(|_| {
        Reply::status(200).with("content-type", "application/json").body(r#"{"jsonrpc":"2.0","id":77,"result":{}}"#)
    })
    .await;
    let error = call(&*open(&server).await, 2).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Protocol, Sent::Yes));
    assert!(error.to_string().contains("the id 77, which is not open: this one has the id 2"), "{error}");
}

#[tokio::test]
async fn case_http_025_a_wait_stands_beside_an_error_of_the_protocol_too() {
    for (value, wanted) in [(Some("7"), Some(7)), (None, None)] {
        let server = answering(move |_| {
            let body = r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32029,"message":"slow down"}}"#;
            let reply = Reply::status(429).with("content-type", "application/json").body(body);
            match value {
                Some(value) => reply.with("retry-after", value),
                None => reply,
            }
        })
        .await;
        let transport = open(&server).await;
        let mut exchange = transport.request(request(2, "tools/call")).await.unwrap();
        let Some(Ok(Message::Response(response))) = exchange.next().await else { panic!("an answer was due") };
        assert_eq!(response.outcome.unwrap_err().code, ErrorCode(-32029));
        assert_eq!(exchange.retry_after(), wanted.map(Duration::from_secs));
    }
}
