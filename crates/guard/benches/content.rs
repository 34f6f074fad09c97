//! What a look at content costs: results as they come, clean and with something in them, and definitions; and a look for
//! credentials at what goes out.
//!
//! `cargo bench -p bowline-guard --bench content` prints times, throughput and allocations. A result is looked at
//! with 200 MiB/s and more, also a short one in which every word has to be judged.

use bowline_guard::content::{Content, Surface};
use bowline_guard::secrets::Secrets;
use bowline_protocol::RawJson;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde_json::json;

#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

/// How many bytes of text a result has.
const SIZES: [usize; 3] = [1_000, 100_000, 10_000_000];

fn main() {
    divan::main();
}

const PROSE: &str = "The quick brown fox jumps over the lazy dog, and the dog does not mind. It was told so before; see \
the report of 2026 (page 12), where each of the 3,141 cases is described in some detail. What was found then holds. ";

const CODE: &str = "    let total: usize = items.iter().map(|item| item.len()).sum();\n    if total > LIMIT {\n        \
return Err(Error::new(\"too large\"));\n    }\n    // Ignore case when matching.\n\n";

const JAPANESE: &str = "素早い茶色の狐が怠け者の犬を飛び越える。それは以前にも報告された。";

fn repeated(text: &str, bytes: usize) -> String {
    text.chars().cycle().take(bytes / (text.len() / text.chars().count())).collect()
}

fn result(text: &str) -> RawJson {
    RawJson::from(json!({"content": [{"type": "text", "text": text}]}))
}

fn look(bencher: Bencher<'_, '_>, text: &str) {
    let (content, json) = (Content::default(), result(text));
    let bencher = bencher.counter(BytesCount::new(json.as_bytes().len()));
    bencher.bench_local(|| content.check(Surface::Result, black_box(&json)));
}

#[divan::bench(args = SIZES)]
fn clean_prose(bencher: Bencher<'_, '_>, bytes: usize) {
    look(bencher, &repeated(PROSE, bytes));
}

#[divan::bench(args = SIZES)]
fn clean_code(bencher: Bencher<'_, '_>, bytes: usize) {
    look(bencher, &repeated(CODE, bytes));
}

#[divan::bench(args = SIZES)]
fn clean_japanese(bencher: Bencher<'_, '_>, bytes: usize) {
    look(bencher, &repeated(JAPANESE, bytes));
}

#[divan::bench(args = SIZES)]
fn colours_of_a_terminal(bencher: Bencher<'_, '_>, bytes: usize) {
    look(bencher, &repeated("\u{1b}[32mok\u{1b}[0m a test of something that works as it should\n", bytes));
}

/// The beginnings of what is looked for, again and again.
#[divan::bench(args = SIZES, sample_count = 10)]
fn nothing_but_anchors(bencher: Bencher<'_, '_>, bytes: usize) {
    look(bencher, &repeated("ignore not tell conversation <a ](data:<!-- ", bytes));
}

/// A page of 100 tools that take four arguments each.
#[divan::bench]
fn a_page_of_tools(bencher: Bencher<'_, '_>) {
    let argument =
        json!({"type": "string", "description": "The path of the file, relative to the folder of the project."});
    let tool = |n: usize| {
        json!({"name": format!("read_{n}_file"), "description": PROSE, "inputSchema": {"type": "object", "required": ["a"],
            "properties": {"a": argument, "b": argument, "c": argument, "d": argument}}})
    };
    let tools: Vec<_> = (0..100).map(tool).collect();
    let (content, json) = (Content::default(), RawJson::from(json!({"tools": tools})));
    let bencher = bencher.counter(BytesCount::new(json.as_bytes().len()));
    bencher.bench_local(|| content.check(Surface::Definition, black_box(&json)));
}

#[divan::bench(args = SIZES)]
fn credentials_in_arguments(bencher: Bencher<'_, '_>, bytes: usize) {
    let json = RawJson::from(
        json!({"name": "write_file", "arguments": {"path": "src/main.rs", "content": repeated(CODE, bytes)}}),
    );
    let secrets = Secrets::default();
    let bencher = bencher.counter(BytesCount::new(json.as_bytes().len()));
    bencher.bench_local(|| secrets.check(black_box(&json)));
}
