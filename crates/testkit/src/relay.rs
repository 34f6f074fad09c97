//! A client on a byte stream, put through to a server behind any connector.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::frame::{self, Incoming, Message, Request};
use bowline_protocol::{ErrorCode, ErrorObject, HeaderMirrors, ProgressToken, RawJson, RequestId, Revision, method};
use bowline_transport::{Connect, InboundEvent, Routing, Transport, TransportError, WireMessage, WireRequest};
use bytes::Bytes;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::lines::Lines;
use crate::wire;

/// Why a relay ended otherwise than by the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The server cannot be reached, or the connection ended.
    #[error(transparent)]
    Server(#[from] TransportError),
    /// The client's side cannot be read or written.
    #[error("cannot talk to the client: {0}")]
    Client(#[from] io::Error),
}

/// How long what is under way may take once the client has said all.
const LINGER: Duration = Duration::from_secs(1);

/// How many tools' headers are remembered.
const MOST_TOOLS: usize = 10_000;

/// Puts a client that writes one message a line through to the server behind `connect`, until either side ends. What is
/// under way when the client has said all gets a second more.
///
/// What passes is not changed, so with a connector of an [`Inspector`](crate::Inspector) or a
/// [`Recorder`](crate::Recorder) any client can be looked at. A request that cannot be delivered is answered with an
/// error.
///
/// # Errors
/// When the server cannot be reached or ends the connection, or the client's side fails. The end of `reader` is none.
///
/// # Cancel safety
/// Dropping the future drops the connection to the server.
pub async fn relay(
    connect: &dyn Connect,
    reader: impl AsyncRead + Send + Unpin,
    mut writer: impl AsyncWrite + Send + Unpin,
) -> Result<(), RelayError> {
    let transport: Arc<dyn Transport> = Arc::from(connect.connect().await?);
    let mut inbound = transport.take_inbound();
    let (out, mut outgoing) = mpsc::channel::<Bytes>(64);
    let mut relay = Relay {
        transport: transport.clone(),
        out,
        running: JoinSet::new(),
        open: HashMap::new(),
        mirrors: HashMap::new(),
    };
    let mut lines = Lines::new(reader);
    let mut last_call = std::pin::pin!(None::<tokio::time::Sleep>);
    let ended = loop {
        if last_call.is_some() && relay.running.is_empty() && outgoing.is_empty() {
            break Ok(());
        }
        tokio::select! {
            biased;
            Some(frame) = outgoing.recv() => write(&mut writer, &frame).await?,
            Some(ended) = relay.running.join_next() => relay.ended(ended.ok()),
            event = next(&mut inbound) => match event {
                Some(InboundEvent::Message(message)) => {
                    if let Ok(frame) = wire::encode(&message) {
                        write(&mut writer, &frame).await?;
                    }
                }
                // Told by whoever looks at the connection.
                Some(InboundEvent::Closed(error)) => break Err(RelayError::Server(error)),
                Some(_) => {}
                None => inbound = None,
            },
            line = lines.next(), if last_call.is_none() => match line? {
                Some(line) => relay.take(line).await,
                None => last_call.set(Some(tokio::time::sleep(LINGER))),
            },
            Some(()) = due(last_call.as_mut()) => break Ok(()),
        }
    };
    // What is still under way is given up, as by any client that ends.
    relay.running.shutdown().await;
    let closed = transport.close().await;
    while let Ok(frame) = outgoing.try_recv() {
        write(&mut writer, &frame).await?;
    }
    ended.and_then(|()| closed.map_err(RelayError::Server))
}

/// Waits for the end of the time that is left, where it is counted.
async fn due(last_call: Pin<&mut Option<tokio::time::Sleep>>) -> Option<()> {
    match last_call.as_pin_mut() {
        Some(sleep) => {
            sleep.await;
            Some(())
        }
        None => std::future::pending().await,
    }
}

async fn next(inbound: &mut Option<bowline_transport::Inbound>) -> Option<InboundEvent> {
    match inbound {
        Some(inbound) => inbound.next().await,
        None => std::future::pending().await,
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    writer.write_all(frame).await?;
    writer.write_all(b"\n").await?;
    writer.flush().await
}

struct Relay {
    transport: Arc<dyn Transport>,
    out: mpsc::Sender<Bytes>,
    running: JoinSet<Ended>,
    /// What gives a request up, with the client's reason.
    open: HashMap<RequestId, oneshot::Sender<String>>,
    /// Which arguments of a tool go into headers, as its list said.
    mirrors: HashMap<String, HeaderMirrors>,
}

/// A request that is over, with the tools that its answer listed.
struct Ended {
    id: RequestId,
    tools: Vec<(String, HeaderMirrors)>,
}

#[derive(Default, Deserialize)]
struct Params {
    name: Option<String>,
    uri: Option<String>,
    #[serde(rename = "taskId")]
    task_id: Option<String>,
    arguments: Option<RawJson>,
    #[serde(rename = "_meta", default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(rename = "progressToken")]
    token: Option<ProgressToken>,
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    revision: Option<String>,
}

impl Relay {
    fn ended(&mut self, ended: Option<Ended>) {
        let Some(Ended { id, tools }) = ended else { return };
        self.open.remove(&id);
        for (name, mirrors) in tools {
            if self.mirrors.len() < MOST_TOOLS || self.mirrors.contains_key(&name) {
                self.mirrors.insert(name, mirrors);
            }
        }
    }

    async fn take(&mut self, line: Bytes) {
        if line.trim_ascii().is_empty() {
            return;
        }
        match frame::decode(&line) {
            Ok(Incoming::Message(message)) => self.message(message, line).await,
            Ok(Incoming::Batch(members)) => {
                for member in members {
                    if let Ok(message) = member
                        && let Ok(frame) = wire::encode(&message)
                    {
                        self.message(message, frame).await;
                    }
                }
            }
            Err(error) => {
                let error = ErrorObject::new(ErrorCode::PARSE_ERROR, error.to_string());
                self.answer(frame::encode_error(None, &error));
            }
        }
    }

    /// Answers the client in a task: nobody empties the queue while this one waits.
    fn answer(&mut self, frame: Bytes) {
        let out = self.out.clone();
        let id = RequestId::from("");
        self.running.spawn(async move {
            let _ = out.send(frame).await;
            Ended { id, tools: Vec::new() }
        });
    }

    async fn message(&mut self, message: Message, frame: Bytes) {
        let (method, params) = match &message {
            Message::Request(request) => (request.method.as_str(), request.params.as_ref()),
            Message::Notification(notification) => (notification.method.as_str(), notification.params.as_ref()),
            Message::Response(_) => ("", None),
        };
        let mut routing = Routing::new(method.to_owned());
        if let Message::Notification(_) = &message
            && method == method::NOTIFICATIONS_CANCELLED
        {
            return self.cancel(params);
        }
        let params: Params = params.and_then(|params| params.parse().ok()).unwrap_or_default();
        routing.revision = params.meta.revision.as_deref().and_then(|text| text.parse::<Revision>().ok());
        routing.name = params.name.clone().or(params.uri).or(params.task_id).map(Arc::from);
        match message {
            Message::Request(request) => {
                if let (Some(mirrors), Some(arguments)) =
                    (params.name.as_ref().and_then(|name| self.mirrors.get(name)), &params.arguments)
                {
                    routing.mirrored = mirrors.read(arguments).unwrap_or_default();
                }
                self.request(request, frame, routing, params.meta.token);
            }
            _ => {
                // Where the connection has ended, its end is told by what comes in.
                let _ = self.transport.send(WireMessage::new(frame, routing)).await;
            }
        }
    }

    fn cancel(&mut self, params: Option<&RawJson>) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Cancelled {
            request_id: RequestId,
            #[serde(default)]
            reason: String,
        }
        let Some(params) = params.and_then(|params| params.parse::<Cancelled>().ok()) else { return };
        if let Some(open) = self.open.remove(&params.request_id) {
            // One that is over by now needs no cancelling.
            let _ = open.send(params.reason);
        }
    }

    fn request(&mut self, request: Request, frame: Bytes, routing: Routing, token: Option<ProgressToken>) {
        let is_listing = request.method.as_str() == method::TOOLS_LIST;
        let id = request.id.clone();
        let mut wire = WireRequest::new(request.id, frame, routing);
        wire.progress_token = token;
        wire.cancellable = request.method.as_str() != method::INITIALIZE;
        let (give_up, given_up) = oneshot::channel();
        self.open.insert(id.clone(), give_up);
        let (transport, out) = (self.transport.clone(), self.out.clone());
        self.running.spawn(async move {
            let tools = exchange(&*transport, wire, given_up, &out, is_listing).await;
            Ended { id, tools }
        });
    }
}

/// Carries one request out; gives the tools that its answer lists.
async fn exchange(
    transport: &dyn Transport,
    request: WireRequest,
    mut given_up: oneshot::Receiver<String>,
    out: &mpsc::Sender<Bytes>,
    is_listing: bool,
) -> Vec<(String, HeaderMirrors)> {
    let id = request.id.clone();
    let failed = |error: &TransportError| {
        let error = ErrorObject::new(ErrorCode::INTERNAL_ERROR, format!("the server did not answer: {error}"));
        frame::encode_error(Some(&id), &error)
    };
    let mut exchange = match transport.request(request).await {
        Ok(exchange) => exchange,
        Err(error) => {
            let _ = out.send(failed(&error)).await;
            return Vec::new();
        }
    };
    let mut may_cancel = true;
    loop {
        let next = tokio::select! {
            biased;
            next = exchange.next() => next,
            reason = &mut given_up, if may_cancel => match reason {
                Ok(reason) => {
                    exchange.cancel(&reason);
                    return Vec::new();
                }
                Err(_) => {
                    may_cancel = false;
                    continue;
                }
            },
        };
        let (frame, tools) = match next {
            Some(Ok(message)) => {
                let tools = if is_listing { tools(&message) } else { Vec::new() };
                match wire::encode(&message) {
                    Ok(frame) => (frame, Some(tools).filter(|_| matches!(message, Message::Response(_)))),
                    Err(error) => {
                        let error = ErrorObject::new(
                            ErrorCode::INTERNAL_ERROR,
                            format!("the server's answer cannot be read: {error}"),
                        );
                        (frame::encode_error(Some(&id), &error), Some(tools))
                    }
                }
            }
            Some(Err(error)) => (failed(&error), Some(Vec::new())),
            None => return Vec::new(),
        };
        // A client that is gone ends the relay itself.
        let _ = out.send(frame).await;
        if let Some(tools) = tools {
            return tools;
        }
    }
}

/// Which arguments of the tools in a list go into headers.
fn tools(message: &Message) -> Vec<(String, HeaderMirrors)> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(default)]
        tools: Vec<Tool>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Tool {
        name: String,
        input_schema: RawJson,
    }
    let Message::Response(response) = message else { return Vec::new() };
    let listed = response.outcome.as_ref().ok().and_then(|payload| payload.clone().into_raw().ok());
    let listed = listed.and_then(|raw| raw.parse::<Listed>().ok());
    let tools = listed.map(|listed| listed.tools).unwrap_or_default();
    tools
        .into_iter()
        .filter_map(|tool| Some((tool.name, HeaderMirrors::of(&tool.input_schema).ok()?)))
        .filter(|(_, mirrors)| mirrors.iter().len() > 0)
        .collect()
}
