//! A client that has just enough to speak through the transport, and the dull half of a server.

use std::future::Future;

use bowline_http::HttpConnect;
use bowline_protocol::frame::{self, Message, Response};
use bowline_protocol::{RawJson, RequestId};
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};
use bowline_transport::{
    Connect, Exchange, Inbound, InboundEvent, Routing, Transport, TransportError, WireMessage, WireRequest,
};
use serde_json::json;

/// The session id that [`dull`] gives.
pub(crate) const SESSION: &str = "s1-SECRET";

/// Answers what every session begins and ends with; the rest is the test's.
pub(crate) fn dull(request: &HttpRequest) -> Option<Reply> {
    let method = request.rpc_method();
    Some(match (request.method.as_str(), method.as_str()) {
        ("POST", "initialize") => {
            let result = json!({
                "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "s", "version": "1" },
            });
            Reply::result(request, result).with("Mcp-Session-Id", SESSION)
        }
        ("POST", method) if method.starts_with("notifications/") => Reply::status(202),
        ("GET", _) => Reply::status(405).with("allow", "POST"),
        ("DELETE", _) => Reply::status(200),
        _ => return None,
    })
}

/// A server that answers what [`dull`] does not.
pub(crate) async fn server<F, R>(answer: F) -> HttpServer
where
    F: Fn(HttpRequest) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let answer = std::sync::Arc::new(answer);
    HttpServer::start(move |request| {
        let answer = std::sync::Arc::clone(&answer);
        async move {
            match dull(&request) {
                Some(reply) => reply,
                None => answer(request).await,
            }
        }
    })
    .await
    .unwrap()
}

/// A server that answers `tools/call` so, whatever is called.
pub(crate) async fn answering(reply: impl Fn(&HttpRequest) -> Reply + Send + Sync + 'static) -> HttpServer {
    server(move |request| {
        let reply = reply(&request);
        async move { reply }
    })
    .await
}

pub(crate) async fn connect(connect: &HttpConnect) -> Box<dyn Transport> {
    connect.connect().await.unwrap()
}

pub(crate) fn request(id: i64, method: &'static str) -> WireRequest {
    let id = RequestId::from(id);
    let params = json!({ "name": "knots", "arguments": {} });
    let frame = frame::encode_request(&id, method, Some(&RawJson::from(params)), None, None);
    WireRequest::new(id, frame, Routing::new(method).with_name("knots"))
}

/// Shakes hands.
pub(crate) async fn shake(transport: &dyn Transport) -> Result<Response, TransportError> {
    let params =
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "c", "version": "1" } });
    let id = RequestId::from(1);
    let frame = frame::encode_request(&id, "initialize", Some(&RawJson::from(params)), None, None);
    let request = WireRequest::new(id, frame, Routing::new("initialize")).not_cancellable();
    let response = answer(transport.request(request).await?).await?;
    notify(transport, "notifications/initialized").await?;
    Ok(response)
}

pub(crate) async fn notify(transport: &dyn Transport, method: &'static str) -> Result<(), TransportError> {
    transport.send(WireMessage::new(frame::encode_notification(method, None, None), Routing::new(method))).await
}

/// A transport that has shaken hands with the server at `/mcp`.
pub(crate) async fn open(server: &HttpServer) -> Box<dyn Transport> {
    open_with(&HttpConnect::new(&server.url("/mcp")).unwrap()).await
}

pub(crate) async fn open_with(settings: &HttpConnect) -> Box<dyn Transport> {
    let transport = connect(settings).await;
    shake(&*transport).await.unwrap();
    transport
}

/// Calls a tool under this id and waits for the answer.
pub(crate) async fn call(transport: &dyn Transport, id: i64) -> Result<Response, TransportError> {
    answer(transport.request(request(id, "tools/call")).await?).await
}

/// Waits for the answer, past all that comes before it.
pub(crate) async fn answer(mut exchange: Exchange) -> Result<Response, TransportError> {
    loop {
        match exchange.next().await {
            Some(Ok(Message::Response(response))) => return Ok(response),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => panic!("the exchange ended with nothing"),
        }
    }
}

pub(crate) fn result(response: Response) -> String {
    response.outcome.unwrap().into_raw().unwrap().as_str().to_owned()
}

/// The method of the next message that came unasked.
pub(crate) async fn unasked(inbound: &mut Inbound) -> String {
    loop {
        match inbound.next().await {
            Some(InboundEvent::Message(Message::Notification(note))) => return note.method.to_string(),
            Some(InboundEvent::Message(Message::Request(request))) => return request.method.to_string(),
            Some(InboundEvent::Closed(error)) => return format!("closed: {error}"),
            Some(_) => {}
            None => return "nothing".into(),
        }
    }
}

pub(crate) fn count(server: &HttpServer, method: &str) -> usize {
    server.requests().iter().filter(|request| request.method.as_str() == method).count()
}
