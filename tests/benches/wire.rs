//! What the parts of the wire cost, each alone: frames, the mux, event streams, a page of a list.
//!
//! `cargo bench -p bowline-tests --bench wire` prints times and allocations. Compare ratios within one run only.

#[path = "../page.rs"]
mod page;

use bowline_event_stream::Decoder;
use bowline_protocol::frame::{self, Stamp};
use bowline_protocol::{ClientCapabilities, ListToolsResult, Meta, ProgressToken, RawJson, RequestId, Revision};
use bowline_transport::{Exchange, Mux, Routing, Transport, WireRequest};
use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

/// How many bytes of text a message holds.
const SIZES: [usize; 4] = [10, 1_000, 100_000, 10_000_000];
/// How many events come at once.
const EVENTS: usize = 100;

fn main() {
    divan::main();
}

/// Text with something to escape in it.
fn text(bytes: usize) -> String {
    "a line of some \"quoted\" text\n".chars().cycle().take(bytes).collect()
}

fn params(bytes: usize) -> RawJson {
    json!({ "name": "echo", "arguments": { "text": text(bytes) } }).into()
}

#[divan::bench(args = SIZES)]
fn parse_an_answer(bencher: Bencher<'_, '_>, bytes: usize) {
    let result = json!({ "content": [{ "type": "text", "text": text(bytes) }] });
    let frame = frame::encode_result(&RequestId::from(7), &result.into());
    bencher.counter(BytesCount::new(frame.len())).bench_local(|| frame::decode(black_box(&frame)).expect("an answer"));
}

#[divan::bench(args = SIZES)]
fn parse_a_request(bencher: Bencher<'_, '_>, bytes: usize) {
    let frame = frame::encode_request(&RequestId::from(7), "tools/call", Some(&params(bytes)), None, None);
    bencher.counter(BytesCount::new(frame.len())).bench_local(|| frame::decode(black_box(&frame)).expect("a request"));
}

#[divan::bench(args = SIZES)]
fn encode_a_request(bencher: Bencher<'_, '_>, bytes: usize) {
    let (id, params) = (RequestId::from(7), params(bytes));
    let token = ProgressToken::from(7);
    bencher
        .counter(BytesCount::new(bytes))
        .bench_local(|| frame::encode_request(&id, "tools/call", black_box(Some(&params)), Some(&token), None));
}

#[divan::bench(args = SIZES)]
fn encode_a_stamped_request(bencher: Bencher<'_, '_>, bytes: usize) {
    let (id, params) = (RequestId::from(7), params(bytes));
    let mut meta = Meta::new();
    meta.set_client(Revision::V2026_07_28, &ClientCapabilities::new());
    let stamp = Stamp::new(&meta);
    bencher
        .counter(BytesCount::new(bytes))
        .bench_local(|| frame::encode_stamped_request(&id, "tools/call", black_box(Some(&params)), &stamp, None, None));
}

/// Sends a request, and gives its exchange once the server has it.
async fn ask(mux: &Mux, server: &mut DuplexStream, id: usize, read: &mut [u8]) -> Exchange {
    let id = RequestId::from(i64::try_from(id).expect("a small number"));
    let frame = frame::encode_request(&id, "ping", None, None, None);
    let exchange = mux.request(WireRequest::new(id, frame, Routing::new("ping"))).await.expect("an exchange");
    // Where others are open, the writing task writes: all of the line has to be there.
    let mut count = 0;
    while !read.get(..count).is_some_and(|line| line.ends_with(b"\n")) {
        count += server.read(read.get_mut(count..).expect("room for a ping")).await.expect("a request");
    }
    exchange
}

/// One request and its answer, while so many are open with it.
#[divan::bench(args = [1, 64, 1_024])]
fn route_an_answer(bencher: Bencher<'_, '_>, open: usize) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let (ours, mut server) = tokio::io::duplex(64 << 10);
    let mut read = vec![0; 4 << 10];
    let mux = runtime.block_on(async {
        let (reader, writer) = tokio::io::split(ours);
        Mux::builder().spawn(reader, writer)
    });
    let others: Vec<_> = (1..open).map(|id| runtime.block_on(ask(&mux, &mut server, id, &mut read))).collect();
    let mut id = open;
    bencher.bench_local(|| {
        id += 1;
        runtime.block_on(async {
            let mut exchange = ask(&mux, &mut server, id, &mut read).await;
            let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n");
            server.write_all(answer.as_bytes()).await.expect("the mux reads");
            exchange.next().await.expect("an answer").expect("a good one")
        })
    });
    assert_eq!(others.len(), open - 1);
}

/// Events that come so many bytes at a time.
#[divan::bench(args = [100, 1_000, 100_000])]
fn decode_events(bencher: Bencher<'_, '_>, bytes: usize) {
    let stream: String =
        (0..EVENTS).map(|n| format!("id: {n}\nevent: message\ndata: {}\n\n", json!({ "text": text(bytes) }))).collect();
    let chunks: Vec<Bytes> = stream.as_bytes().chunks(16 << 10).map(Bytes::copy_from_slice).collect();
    bencher.counter(BytesCount::new(stream.len())).counter(ItemsCount::new(EVENTS)).bench_local(|| {
        let mut decoder = Decoder::new(1 << 20);
        let mut events = 0;
        for chunk in &chunks {
            decoder.push(chunk.clone());
            while let Some(event) = decoder.next_event().expect("small events") {
                black_box(event);
                events += 1;
            }
        }
        assert_eq!(events, EVENTS);
    });
}

#[divan::bench]
fn decode_a_page_of_1000_tools(bencher: Bencher<'_, '_>) {
    let page = RawJson::from(page::of_tools(1000));
    bencher
        .counter(ItemsCount::new(1000_usize))
        .counter(BytesCount::new(page.as_str().len()))
        .bench_local(|| black_box(&page).parse::<ListToolsResult>().expect("a page"));
}
