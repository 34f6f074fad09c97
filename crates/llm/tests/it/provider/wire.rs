//! Answers over HTTP that are not as they are said to be: siblings of llm-012, on the wire.

use bowline_testkit::http::{HttpServer, Reply};

use super::*;

/// One answer, as a stream of events and whole, in two formats: with a name for each event, and without.
const CHAT_EVENTS: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const CHAT: &str = r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#;
const LINES: &str =
    "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true}\n";
const LINE: &str = r#"{"message":{"content":"a"},"done":true}"#;
const GEMINI_EVENT: &str =
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\"}]}";

async fn server(reply: impl Fn() -> Reply + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |_| std::future::ready(reply())).await.unwrap()
}

fn model(server: &HttpServer, format: Format) -> HttpModelBuilder {
    HttpModel::builder(format, "mock").base_url(server.url("/v1")).key("sk-very-secret".to_owned()).retries(0)
}

fn hello() -> Request {
    Request::new(vec![Message::user("x")])
}

/// What a server that answers so makes of a request, streamed and not.
async fn both(
    format: Format,
    reply: impl Fn() -> Reply + Clone + Send + Sync + 'static,
) -> Vec<Result<String, (ModelErrorKind, String)>> {
    let mut all = Vec::new();
    for streaming in [true, false] {
        let server = server(reply.clone()).await;
        let answer = model(&server, format).streaming(streaming).build().unwrap().answer(&hello()).await;
        all.push(answer.map(|answer| answer.text()).map_err(|error| (error.kind(), error.to_string())));
    }
    all
}

fn typed(kind: &str, body: impl Into<Vec<u8>>) -> Reply {
    let reply = Reply::status(200).body(body.into());
    if kind.is_empty() { reply } else { reply.with("content-type", kind) }
}

#[tokio::test]
async fn what_an_answer_is_it_says_by_how_it_begins() {
    let types = ["", "application/json", "text/event-stream", "text/plain", "application/x-ndjson; charset=utf-8"];
    for kind in types {
        for (format, body) in [
            (Format::OpenAiChat, CHAT_EVENTS.to_owned()),
            (Format::OpenAiChat, CHAT.to_owned()),
            (Format::OpenAiChat, format!("\u{feff}{CHAT_EVENTS}")),
            (Format::OpenAiChat, format!("\n\n  {CHAT}\n")),
            (Format::OpenAiChat, format!("\u{feff}{CHAT}")),
            (Format::OpenAiChat, CHAT_EVENTS.replace('\n', "\r\n")),
            (Format::OpenAiChat, CHAT_EVENTS.replace("\n\n", "\n")),
            (Format::OpenAiChat, format!(": is thinking\n\nevent: ping\ndata: now\n\n{CHAT_EVENTS}")),
            (Format::OpenAiChat, CHAT_EVENTS.replace("data: [DONE]\n\n", "")),
            (Format::OpenAiChat, CHAT_EVENTS.trim_end().to_owned()),
            (Format::Gemini, GEMINI_EVENT.to_owned()),
            (Format::Gemini, format!("{GEMINI_EVENT}\n\n")),
            (Format::Gemini, format!("[{}]", &GEMINI_EVENT[6..])),
            (Format::Ollama, LINES.to_owned()),
            (Format::Ollama, LINES.trim_end().to_owned()),
            (Format::Ollama, LINES.replace('\n', "\r\n\r\n")),
            (Format::Ollama, format!("\u{feff}{LINES}")),
            (Format::Ollama, LINE.to_owned()),
        ] {
            for answer in both(format, {
                let body = body.clone();
                move || typed(kind, body.clone())
            })
            .await
            {
                assert_eq!(answer, Ok("a".to_owned()), "{format} as \"{kind}\": {body:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_what_it_is() {
    for format in Format::ALL {
        for kind in ["", "text/html", "text/event-stream", "application/json"] {
            let page = "\n<!DOCTYPE html><html><head><title>Sign in</title></head><body>sk-very-secret</body></html>";
            for answer in both(format, move || typed(kind, page)).await {
                let (error, told) = answer.unwrap_err();
                assert_eq!(error, ModelErrorKind::Unreadable, "{format} \"{kind}\": {told}");
                assert!(told.contains("Sign in") && told.contains("address of the API"), "{format} \"{kind}\": {told}");
                assert!(!told.contains("sk-very"), "{told}");
            }
        }
        if format != Format::Bedrock {
            for answer in both(format, || typed("", "upstream says sk-very-secret no")).await {
                let (error, told) = answer.unwrap_err();
                assert_eq!(error, ModelErrorKind::Unreadable, "{format}: {told}");
                assert!(told.contains("upstream says (hidden) no"), "{format}: {told}");
            }
        }
        for answer in both(format, || typed("", "")).await {
            assert_eq!(answer.unwrap_err().0, ModelErrorKind::Cut, "{format}");
        }
        let packed = || typed("application/json", "\x1f\u{8b}").with("content-encoding", "x-packed");
        for answer in both(format, packed).await {
            let (error, told) = answer.unwrap_err();
            assert_eq!(error, ModelErrorKind::Unreadable, "{told}");
            assert!(told.contains("\"x-packed\", which was not asked for"), "{told}");
        }
        // Nobody says that it is packed.
        for answer in both(format, || typed("application/json", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\x56".to_vec())).await
        {
            let (error, told) = answer.unwrap_err();
            assert_eq!(error, ModelErrorKind::Unreadable, "{told}");
            assert!(told.contains("\"gzip\", which was not asked for"), "{told}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_no_reason_to_lose_the_rest() {
    let body = CHAT.replace("\"a\"", "\"K\u{e4}se\"");
    // As a server writes it whose text is in Latin-1.
    let latin: Vec<u8> = body.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    for answer in both(Format::OpenAiChat, move || typed("application/json; charset=iso-8859-1", latin.clone())).await {
        assert_eq!(answer, Ok("K\u{fffd}se".to_owned()));
    }
}

#[tokio::test]
async fn a_key_goes_nowhere_that_a_provider_redirects_to() {
    let elsewhere = server(|| typed("", CHAT)).await;
    let to = elsewhere.url("/v1/chat/completions");
    let moved = move || Reply::status(307).with("location", &to);
    for answer in both(Format::OpenAiChat, moved).await {
        let (error, told) = answer.unwrap_err();
        assert_eq!(error, ModelErrorKind::Config, "{told}");
        assert!(told.contains("redirects"), "{told}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_line_without_an_end_is_held_no_further_than_an_answer_may_be() {
    for (format, begin) in [(Format::OpenAiChat, "data: {\"a\": \""), (Format::Ollama, "{\"a\": \"")] {
        let server = server(move || typed("", format!("{begin}{}", "x".repeat(300_000)))).await;
        let error =
            model(&server, format).max_answer_bytes(10_000).build().unwrap().answer(&hello()).await.unwrap_err();
        assert_eq!(error.kind(), ModelErrorKind::TooLarge, "{format}: {error}");
        assert!(error.to_string().contains("raise max_answer_bytes"), "{error}");
    }
}

#[tokio::test]
async fn comments_are_a_sign_of_life() {
    let thinks = |reply: Reply, _| reply.data(": still thinking\n\n").wait(Duration::from_millis(250));
    let server = server(move || (0..20).fold(Reply::events(), thinks).data(CHAT_EVENTS)).await;
    let model = model(&server, Format::OpenAiChat).idle_timeout(Duration::from_secs(4)).build().unwrap();
    assert_eq!(model.answer(&hello()).await.unwrap().text(), "a");
}

#[tokio::test]
async fn a_stream_that_breaks_off_behind_its_end_is_whole_and_before_it_is_cut() {
    let whole = CHAT_EVENTS.strip_suffix("data: [DONE]\n\n").unwrap();
    let at = whole.find("data: {\"choices\":[{\"delta\":{},").unwrap();
    for (body, is_whole) in [(whole, true), (&whole[..at], false), (&whole[..at + 20], false)] {
        let server = server(move || Reply::events().data(body).cut()).await;
        let answer = model(&server, Format::OpenAiChat).build().unwrap().answer(&hello()).await;
        match answer {
            Ok(answer) => assert!(is_whole && answer.text() == "a", "{body}"),
            Err(error) => {
                assert!(!is_whole && error.kind() == ModelErrorKind::Cut, "{body}: {error}");
                assert_eq!(error.partial().unwrap().text(), "a");
            }
        }
    }
}

#[tokio::test]
async fn who_is_busy_is_asked_again_however_it_is_told() {
    let body = r#"{"error":{"code":429,"message":"slow","details":[{"retryDelay":"0s"}]}}"#;
    let raw = |kind: &str, body: &str| MockTurn::Raw { content_type: kind.to_owned(), body: body.into() };
    for busy in [
        MockTurn::Html { code: 503 },
        raw("application/json", body),
        raw("text/event-stream", body),
        raw("text/event-stream", &format!("data: {body}\n\n")),
    ] {
        for streaming in [true, false] {
            let provider = MockProvider::start([busy.clone(), MockTurn::say("well")]).await.unwrap();
            let model = builder(&provider, Format::Mistral).streaming(streaming).build().unwrap();
            assert_eq!(model.answer(&ask()).await.unwrap().text(), "well", "{busy:?}");
            assert_eq!(provider.requests().len(), 2);
        }
    }
}
