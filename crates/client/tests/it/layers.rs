//! Calls through layers.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::{Call, CallService, Client, Error, ErrorKind, Event, Reply, Safety};
use bowline_protocol::{CallToolResult, Leniency, RawJson, Tool, ToolAnnotations};
use bowline_testkit::{Misbehaviour, MockServer, ToolCall, When};
use bowline_transport::{
    BoxFuture, Connect, Exchange, Fault, Sent, Transport, TransportError, WireRequest, WrapConnect, WrapTransport,
};
use serde_json::json;
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A layer that is a function of the call and what is inside.
#[derive(Clone)]
struct Through<S, F>(S, F);

impl<S, F, R, E> Service<Call> for Through<S, F>
where
    S: Clone,
    F: Fn(S, Call) -> R,
    R: Future<Output = Result<Reply, E>> + Send + 'static,
{
    type Response = Reply;
    type Error = E;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, E>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        Box::pin((self.1)(self.0.clone(), call))
    }
}

fn through<F, R, E>(f: F) -> impl Layer<CallService, Service = Through<CallService, F>> + Send + Sync
where
    F: Fn(CallService, Call) -> R + Clone + Send + Sync,
    R: Future<Output = Result<Reply, E>> + Send + 'static,
{
    layer_fn(move |inner| Through(inner, f.clone()))
}

/// What layers saw.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A layer that notes the methods.
    fn layer(&self, name: &'static str) -> impl Layer<CallService, Service: Noting> + Send + Sync + use<> {
        let seen = self.clone();
        through(move |mut inner: CallService, call: Call| {
            seen.note(format!("{name} {} {}", call.method(), call.name().unwrap_or("-")));
            inner.call(call)
        })
    }
}

trait Noting: Service<Call, Response = Reply, Error = Error, Future: Send> + Clone + Send + Sync + 'static {}
impl<S: Service<Call, Response = Reply, Error = Error, Future: Send> + Clone + Send + Sync + 'static> Noting for S {}

fn server() -> MockServer {
    let schema = json!({"type": "object"});
    let reads = ToolAnnotations::new().with_read_only_hint(true);
    MockServer::builder()
        .tool(Tool::new("look", schema.clone()).with_annotations(reads), |_| async { Ok(CallToolResult::text("seen")) })
        .tool(Tool::new("count", schema), |call: ToolCall| async move {
            for n in 1..=3 {
                call.progress(f64::from(n), None, None).await;
            }
            Ok(CallToolResult::text("counted"))
        })
        .build()
}

#[tokio::test]
async fn the_first_layer_is_the_outermost_and_all_calls_of_users_go_through() {
    let seen = Seen::default();
    let server = server();
    let client = Client::builder()
        .layer(seen.layer("outer"))
        .layer(seen.layer("inner"))
        .connect(server.connector())
        .await
        .unwrap();
    assert_eq!(seen.take(), [""; 0], "the handshake is the client's own");
    assert_eq!(client.call("look").await.unwrap().joined_text(), "seen");
    assert_eq!(seen.take(), ["outer tools/call look", "inner tools/call look"]);
    client.tools().all().await.unwrap();
    client.request("tools/call").params(json!({"name": "look"})).await.unwrap();
    client.request("tools/list").await.unwrap();
    let _ = client.discover().await;
    let _ = client.task("7").await;
    let _ = client.list_page::<Tool>(None).await.unwrap();
    let outer: Vec<_> =
        seen.take().into_iter().filter_map(|line| Some(line.strip_prefix("outer ")?.to_owned())).collect();
    let expected =
        ["tools/list -", "tools/call look", "tools/list -", "server/discover -", "tasks/get 7", "tools/list -"];
    assert_eq!(outer, expected);
}

#[tokio::test]
async fn a_second_attempt_goes_on_with_the_progress_of_the_first() {
    let twice = through(|mut inner: CallService, call: Call| async move {
        let again = call.next_attempt();
        assert_eq!(inner.call(call).await?.attempts(), 1);
        let reply = inner.call(again).await?;
        assert_eq!(reply.attempts(), 2);
        Ok::<_, Error>(reply)
    });
    let server = server();
    let client = Client::builder().layer(twice).connect(server.connector()).await.unwrap();
    let progress = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&progress);
    let result = client.call("count").on_progress(move |p| told.lock().unwrap().push(p.progress)).await.unwrap();
    assert_eq!(result.joined_text(), "counted");
    assert_eq!(*progress.lock().unwrap(), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
}

#[tokio::test]
async fn errors_of_other_layers_are_kept_as_the_source_and_ours_come_back_as_they_were() {
    #[derive(Debug, thiserror::Error)]
    #[error("no more coins")]
    struct NoCoins;

    let refuses = through(|mut inner: CallService, call: Call| async move {
        if call.name() == Some("look") {
            return Err(BoxError::from(NoCoins));
        }
        inner.call(call).await.map_err(BoxError::from)
    });
    let server = server();
    let client = Client::builder().layer(refuses).connect(server.connector()).await.unwrap();
    let error = client.call("look").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Layer, Sent::Maybe));
    assert_eq!(error.to_string(), "tools/call: a layer failed: no more coins");
    assert!(std::error::Error::source(&error).unwrap().is::<NoCoins>());
    let error = client.call("nothing").await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Server, Sent::Yes));
}

#[tokio::test(start_paused = true)]
async fn the_total_limit_holds_for_all_attempts_and_for_layers_that_wait() {
    let server = server();
    server.misbehave(When::method("tools/call"), Misbehaviour::NeverAnswer);
    let again = through(|mut inner: CallService, call: Call| async move {
        let mut next = call.next_attempt();
        let mut outcome = inner.call(call).await;
        while outcome.as_ref().is_err_and(|error| error.is_timeout())
            && next.deadline().unwrap() > tokio::time::Instant::now()
        {
            let after = next.next_attempt();
            outcome = inner.call(next).await;
            next = after;
        }
        outcome
    });
    let client = Client::builder().layer(again).connect(server.connector()).await.unwrap();
    let began = tokio::time::Instant::now();
    let limit = Duration::from_secs(25);
    let error = client.call("look").idle_timeout(Duration::from_secs(10)).max_time(limit).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 25s"), "{error}");
    assert_eq!((began.elapsed().as_secs(), error.sent()), (25, Sent::Maybe));
    let calls = server.journal().methods().iter().filter(|method| *method == "tools/call").count();
    assert_eq!(calls, 3);

    let waits = through(|_: CallService, _: Call| std::future::pending::<Result<Reply, Error>>());
    let client = Client::builder().layer(waits).connect(server.connector()).await.unwrap();
    let error = client.call("look").max_time(limit).await.unwrap_err();
    assert!(error.is_timeout() && error.method() == Some("tools/call"), "{error}");
}

#[tokio::test]
async fn annotations_decide_only_where_the_server_is_trusted() {
    let seen = Seen::default();
    let layer = || {
        let seen = seen.clone();
        through(move |mut inner: CallService, call: Call| {
            seen.note(format!("{:?}", call.safety()));
            inner.call(call)
        })
    };
    let server = server();
    let plain = Client::builder().layer(layer()).connect(server.connector()).await.unwrap();
    plain.tools().all().await.unwrap();
    plain.call("look").await.unwrap();
    plain.call("look").safety(Safety::Idempotent).await.unwrap();
    assert_eq!(seen.take(), ["ReadOnly", "Unsafe", "Idempotent"]);
    let trusting = Client::builder().layer(layer()).trust_annotations(true).connect(server.connector()).await.unwrap();
    trusting.call("look").await.unwrap();
    trusting.tools().all().await.unwrap();
    trusting.call("look").await.unwrap();
    trusting.call("count").await.unwrap();
    assert_eq!(seen.take(), ["Unsafe", "ReadOnly", "ReadOnly", "Unsafe"]);
}

#[tokio::test]
async fn a_service_keeps_its_client_and_a_layer_keeps_no_connection() {
    let kept: Arc<Mutex<Option<CallService>>> = Arc::default();
    let keeps = {
        let kept = Arc::clone(&kept);
        through(move |mut inner: CallService, call: Call| {
            *kept.lock().unwrap() = Some(inner.clone());
            inner.call(call)
        })
    };
    let server = server();
    let client = Client::builder().layer(keeps).connect(server.connector()).await.unwrap();
    let mut service = client.service();
    drop(client);
    let params: RawJson = r#"{"name":"look"}"#.parse().unwrap();
    let call = Call::new("tools/call").with_params(params);
    let reply = service.call(call.clone()).await.unwrap();
    assert_eq!(reply.decode::<CallToolResult>().unwrap().joined_text(), "seen");
    assert_eq!(reply.attempts(), 1);
    drop(service);
    server.journal().wait_ended().await;
    let mut inner = kept.lock().unwrap().take().unwrap();
    assert_eq!(inner.call(call).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_reply_to_a_call_made_by_hand_tells_once_what_was_lenient() {
    let looks = through(|mut inner: CallService, call: Call| {
        let reply = inner.call(call);
        async move {
            let reply = reply.await?;
            let _ = reply.decode::<CallToolResult>();
            Ok::<_, Error>(reply)
        }
    });
    let answer = Misbehaviour::Answer(r#"{"content":"ahoy"}"#.parse().unwrap());
    let server = MockServer::builder().misbehave(When::method("tools/call"), answer).build();
    let client = Client::builder().allow_undeclared(true).layer(looks).connect(server.connector()).await.unwrap();
    let mut events = client.events();
    for _ in 0..3 {
        let call = Call::new("tools/call").with_params(r#"{"name":"t"}"#.parse::<RawJson>().unwrap());
        let reply = client.service().call(call).await.unwrap();
        for _ in 0..2 {
            assert_eq!(reply.decode::<CallToolResult>().unwrap().joined_text(), "ahoy");
        }
    }
    assert_eq!(client.call("t").await.unwrap().joined_text(), "ahoy");
    client.close().await.unwrap();
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Fault(Fault::Lenient { leniency, count, .. }) = event {
            told.push((leniency, count));
        }
    }
    assert_eq!(told, [1, 2, 4].map(|count| [(Leniency::Text, count), (Leniency::List, count)]).concat());
}

#[tokio::test]
async fn a_layer_may_answer_in_the_servers_place() {
    let answers = through(|_: CallService, _: Call| {
        let answer = RawJson::from_serialize(&CallToolResult::text("made up")).unwrap();
        std::future::ready(Ok::<_, Error>(Reply::new(answer)))
    });
    let server = server();
    let client = Client::builder().layer(answers).connect(server.connector()).await.unwrap();
    assert_eq!(client.call("look").await.unwrap().joined_text(), "made up");
    assert!(!server.journal().methods().iter().any(|method| method == "tools/call"));
}

/// Notes which requests the transport may not write twice.
struct Onlooker<T: ?Sized> {
    seen: Seen,
    inner: Box<T>,
}

impl WrapConnect for Onlooker<dyn Connect> {
    type Inner = dyn Connect;

    fn inner(&self) -> &dyn Connect {
        &*self.inner
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async {
            let inner = Connect::connect(&*self.inner).await?;
            Ok(Box::new(Onlooker { seen: self.seen.clone(), inner }) as Box<dyn Transport>)
        })
    }
}

impl WrapTransport for Onlooker<dyn Transport> {
    type Inner = dyn Transport;

    fn inner(&self) -> &dyn Transport {
        &*self.inner
    }

    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        if request.once {
            self.seen.note(&*request.routing.method);
        }
        Transport::request(&*self.inner, request)
    }
}

#[tokio::test]
async fn what_the_caller_says_is_unsafe_is_so_for_the_transport_too_also_behind_a_layer() {
    let server = server();
    for layered in [false, true] {
        let seen = Seen::default();
        let connect = Onlooker { seen: seen.clone(), inner: Box::new(server.connector()) as Box<dyn Connect> };
        let builder = match layered {
            true => Client::builder().layer(Seen::default().layer("a")),
            false => Client::builder(),
        };
        let client = builder.connect(connect).await.unwrap();
        client.request("tools/list").await.unwrap();
        client.request("tools/list").safety(Safety::ReadOnly).await.unwrap();
        assert_eq!(seen.take(), [""; 0]);
        client.request("tools/list").safety(Safety::Unsafe).await.unwrap();
        assert_eq!(seen.take(), ["tools/list"]);
        client.close().await.unwrap();
    }
}
