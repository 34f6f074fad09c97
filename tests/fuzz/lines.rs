//! The codec of lines, which is private: through a connection that hears them.

use std::cell::OnceCell;

use bowline::protocol::RequestId;
use bowline::protocol::frame::{Message, encode_request};
use bowline::transport::{
    Exchange, Fault, Inbound, InboundEvent, Limits, Mux, Routing, Sent, Transport, TransportError, TransportErrorKind,
    WireRequest,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

/// How many bytes wait between the two sides.
const PIPE: usize = 16 << 10;

/// How something ended.
type End = (TransportErrorKind, Sent);

/// What a client hears of a connection.
#[derive(Debug, PartialEq)]
struct Heard {
    /// What came of two requests.
    exchanges: [Vec<Result<Message, End>>; 2],
    unasked: Vec<Unasked>,
}

#[derive(Debug, PartialEq)]
enum Unasked {
    Message(Message),
    Fault(Fault),
    Closed(TransportErrorKind),
}

/// In whatever pieces bytes come, the same is heard, and all that was waited for ends.
pub(crate) fn lines(input: &[u8]) {
    thread_local! {
        static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
    }
    RUNTIME.with(|runtime| {
        let made = || Builder::new_current_thread().enable_time().build().unwrap_or_else(|error| panic!("{error}"));
        let hear = |piece| match runtime.get_or_init(made).block_on(hear(input, piece)) {
            Ok(heard) => heard,
            Err(error) => panic!("it does not take two requests: {error}"),
        };
        let whole = hear(input.len().max(1));
        assert_eq!(whole, hear(7), "pieces make a difference");
        if input.len() < 1 << 10 {
            assert_eq!(whole, hear(1), "pieces make a difference");
        }
    });
}

/// Asks twice, once with a loss of progress and once without, and takes what came once all has come.
async fn hear(input: &[u8], piece: usize) -> Result<Heard, TransportError> {
    let (ours, mut theirs) = tokio::io::duplex(PIPE);
    let (read, write) = tokio::io::split(ours);
    // Room for all faults, which are dropped where there is none: nobody takes them before the end.
    let limits = Limits::default()
        .with_max_frame_bytes(8 << 10)
        .with_max_exchange_queue(4)
        .with_max_exchange_bytes(1 << 10)
        .with_max_inbound_queue(1 << 20);
    let mux = Mux::builder().limits(limits).spawn(read, write);
    let ask = |id: RequestId, token: RequestId| {
        let frame = encode_request(&id, "tools/call", None, Some(&token), None);
        WireRequest::new(id, frame, Routing::new("tools/call")).with_progress_token(token)
    };
    let mut exchanges =
        [mux.request(ask(1.into(), 1.into())).await?, mux.request(ask("a".into(), "p".into()).keeping_all()).await?];
    // Both have left before anything comes, so that the verdict on each is the same however soon the end is.
    for _ in 0..2 {
        while theirs.read_u8().await.is_ok_and(|byte| byte != b'\n') {}
    }
    for piece in input.chunks(piece) {
        // A line that is too long ends the connection, and then nobody reads on.
        tokio::select! {
            biased;
            written = theirs.write_all(piece) => if written.is_err() { break },
            () = mux.ended() => break,
        }
    }
    let _ = theirs.shutdown().await;
    mux.ended().await;
    let unasked = match mux.take_inbound() {
        Some(inbound) => rest(inbound).await,
        None => Vec::new(),
    };
    let [lossy, whole] = &mut exchanges;
    Ok(Heard { exchanges: [outcome(lossy).await, outcome(whole).await], unasked })
}

async fn outcome(exchange: &mut Exchange) -> Vec<Result<Message, End>> {
    let mut all = Vec::new();
    while let Some(came) = exchange.next().await {
        all.push(came.map_err(|error| (error.kind(), error.sent())));
    }
    assert!(matches!(all.last(), Some(Ok(Message::Response(_)) | Err(_))), "an exchange without an end");
    all
}

async fn rest(mut inbound: Inbound) -> Vec<Unasked> {
    let mut all = Vec::new();
    while let Some(event) = inbound.next().await {
        all.push(match event {
            InboundEvent::Message(message) => Unasked::Message(message),
            InboundEvent::Fault(fault) => Unasked::Fault(fault),
            InboundEvent::Closed(error) => Unasked::Closed(error.kind()),
            other => panic!("a new kind of event: {other:?}"),
        });
    }
    assert!(matches!(all.last(), Some(Unasked::Closed(_))), "a connection without an end");
    all
}
