//! Over a transport whose streams break alone, as those of HTTP do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bowline_client::Subscription;
use bowline_protocol::frame::{Incoming, Message, decode};
use bowline_transport::{
    BoxFuture, Connect, Exchange, ExchangeSource, Inbound, InboundSender, Transport, TransportError,
    TransportErrorKind, WireMessage, WireRequest,
};

use super::*;

/// What the `n`-th subscription gets, by its id; after that its stream stays open.
type Stream = dyn Fn(usize, i64) -> Vec<Result<Value, TransportError>> + Send + Sync;

#[derive(Clone)]
struct Web {
    stream: Arc<Stream>,
    seen: Arc<Mutex<Vec<i64>>>,
    dropped: Arc<Mutex<Vec<i64>>>,
}

impl Web {
    fn new(stream: impl Fn(usize, i64) -> Vec<Result<Value, TransportError>> + Send + Sync + 'static) -> Self {
        Self { stream: Arc::new(stream), seen: Arc::default(), dropped: Arc::default() }
    }

    async fn client(&self) -> Client {
        Client::builder().revision(Revision::V2026_07_28).connect(self.clone()).await.unwrap()
    }

    fn seen(&self) -> Vec<i64> {
        self.seen.lock().unwrap().clone()
    }
}

impl Connect for Web {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        let (sender, inbound) = Inbound::channel(8);
        let line = Line { web: self.clone(), inbound: Mutex::new(Some(inbound)), sender: Mutex::new(Some(sender)) };
        Box::pin(async { Ok(Box::new(line) as Box<dyn Transport>) })
    }

    fn describe(&self) -> String {
        "the web".into()
    }
}

struct Line {
    web: Web,
    inbound: Mutex<Option<Inbound>>,
    sender: Mutex<Option<InboundSender>>,
}

struct Said {
    id: i64,
    messages: VecDeque<Result<Message, TransportError>>,
    dropped: Arc<Mutex<Vec<i64>>>,
}

impl ExchangeSource for Said {
    fn poll_message(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
        self.messages.pop_front().map_or(Poll::Pending, |message| Poll::Ready(Some(message)))
    }

    fn cancel(&mut self, _: &str) {
        self.dropped.lock().unwrap().push(self.id);
    }
}

impl Transport for Line {
    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        let bowline_protocol::RequestId::Number(id) = request.id else { panic!("{:?}", request.id) };
        let said = if request.routing.method == LISTEN {
            let mut seen = self.web.seen.lock().unwrap();
            seen.push(id);
            (self.web.stream)(seen.len(), id)
        } else {
            vec![Ok(json!({ "jsonrpc": "2.0", "id": id, "result": discovered() }))]
        };
        let message = |value: Value| match decode(&value.to_string().into()).unwrap() {
            Incoming::Message(message) => message,
            Incoming::Batch(_) => panic!("a batch"),
        };
        let messages = said.into_iter().map(|item| item.map(message)).collect();
        let said = Said { id, messages, dropped: Arc::clone(&self.web.dropped) };
        Box::pin(async { Ok(Exchange::new(said)) })
    }

    fn send(&self, message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>> {
        panic!("over this transport nothing is sent but requests: {message:?}")
    }

    fn take_inbound(&self) -> Option<Inbound> {
        self.inbound.lock().unwrap().take()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        self.sender.lock().unwrap().take();
        Box::pin(async { Ok(()) })
    }
}

fn broken() -> TransportError {
    TransportError::new(TransportErrorKind::Closed, "the stream broke").with_sent(Sent::Yes)
}

#[tokio::test(start_paused = true)]
async fn su_05_a_stream_that_breaks_is_asked_for_once_more_with_a_new_id() {
    let web = Web::new(|nth, id| match nth {
        1 => vec![
            Ok(acknowledged(id, &json!({ "toolsListChanged": true, "resourceSubscriptions": ["note://1"] }))),
            // Inside of the exchange the id may be missing, and may not be another.
            Ok(json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" })),
            Ok(updated(id + 1, "note://1")),
            Err(broken()),
        ],
        _ => vec![Ok(acknowledged(id, &json!({ "toolsListChanged": true }))), Ok(updated(id, "note://1"))],
    });
    let client = web.client().await;
    let mut events = client.events();
    let mut changes = client.listen(with_resource(tools(), "note://1")).await.unwrap();
    assert!(changes.refused().is_empty());
    assert_eq!((changes.next().await, changes.next().await), (Some(Change::Tools), Some(Change::Resumed)));
    assert_eq!(changes.refused(), with_resource(SubscriptionFilter::new(), "note://1"), "less than before");
    assert_eq!(fault(&mut events).await, unasked("resources/updated", 1));
    assert_eq!(fault(&mut events).await, unasked("resources/updated", 2));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(web.seen(), [2, 3]);
    // SU-06: the stream is closed, and no message says so: `send` would panic.
    drop(changes);
    tokio::task::yield_now().await;
    assert_eq!(*web.dropped.lock().unwrap(), [3]);
}

#[tokio::test(start_paused = true)]
async fn su_05_a_result_is_not_followed_by_another_request() {
    let web = Web::new(|_, id| vec![Ok(acknowledged(id, &json!({ "toolsListChanged": true }))), Ok(ended(id))]);
    let client = web.client().await;
    let mut changes = client.listen(tools()).await.unwrap();
    assert_eq!(changes.next().await, None);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(web.seen(), [2]);
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Server)));
}

/// How many requests a kind of end leads to in an hour, and the subscription after it.
async fn hour(
    stream: impl Fn(usize, i64) -> Vec<Result<Value, TransportError>> + Send + Sync + 'static,
) -> (usize, Subscription) {
    let web = Web::new(stream);
    let client = web.client().await;
    let changes = client.listen(tools()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let seen = web.seen();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    (seen.len(), changes)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_the_stream_at_once_for_ever_is_not_stormed() {
    let granted = |id| Ok(acknowledged(id, &json!({ "toolsListChanged": true })));
    let (count, mut changes) = hour(move |_, id| vec![granted(id), Err(broken())]).await;
    assert!((100..300).contains(&count), "{count} requests in an hour");
    assert_eq!(changes.next().await, Some(Change::Resumed), "and told once, however often");

    let error = |code: i64| {
        move |id: i64| Ok(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": "no" } }))
    };
    let busy = error(-32603);
    let (count, _) =
        hour(move |nth, id| if nth == 1 { vec![granted(id), Err(broken())] } else { vec![busy(id)] }).await;
    assert!((100..300).contains(&count), "{count} requests in an hour");

    // What another try would not change is the end.
    let unknown = error(-32601);
    let (count, mut changes) =
        hour(move |nth, id| if nth == 1 { vec![granted(id), Err(broken())] } else { vec![unknown(id)] }).await;
    assert_eq!((count, changes.next().await), (2, None));
    assert!(matches!(changes.ended(), Some(SubscriptionEnd::Refused(error)) if error.kind() == ErrorKind::Server));

    // No acknowledgement the second time: each try takes its minute.
    let (count, _) = hour(move |nth, id| if nth == 1 { vec![granted(id), Err(broken())] } else { Vec::new() }).await;
    assert!((30..70).contains(&count), "{count} requests in an hour");
}
