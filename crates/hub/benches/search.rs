//! What search costs over 20,000 tools of 1,000 servers.
//!
//! `cargo bench -p bowline-hub --bench search` prints times and allocations. A question takes less than 1 ms at the
//! median.

use bowline_hub::{SearchIndex, SearchQuery, SearchRecord};
use bowline_protocol::{RawJson, Tool};
use divan::{Bencher, black_box};
use serde_json::json;

#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

const SERVERS: usize = 1000;
const TOOLS: usize = 20;

/// Questions of few and many words, common and rare, with beginnings, with errors, and with none that any tool has.
const QUESTIONS: &[&str] = &[
    "create issue",
    "list all open pull requests of a repository",
    "read",
    "update the status of a customer's invoice in the database",
    "fi",
    "delete a user from the team",
    "creaet repositroy",
    "xyzzyqwerty",
];

fn main() {
    divan::main();
}

/// Words as tools have them, some far more common than others.
fn pick<'a>(words: &[&'a str], seed: &mut u64) -> &'a str {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let even = (*seed >> 40) as f64 / (1_u64 << 24) as f64;
    words.get((even * even * words.len() as f64) as usize).copied().unwrap_or("thing")
}

const VERBS: &[&str] = &[
    "get", "list", "create", "update", "delete", "search", "read", "write", "find", "add", "remove", "send", "run",
    "set", "query", "fetch", "upload", "download", "merge", "close", "open", "move", "copy", "start", "stop", "export",
];
const NOUNS: &[&str] = &[
    "file",
    "issue",
    "user",
    "message",
    "page",
    "repository",
    "project",
    "database",
    "table",
    "event",
    "task",
    "comment",
    "document",
    "image",
    "record",
    "invoice",
    "customer",
    "channel",
    "branch",
    "commit",
    "workflow",
    "pod",
    "container",
    "bucket",
    "object",
    "team",
    "label",
    "status",
    "report",
    "dashboard",
    "alert",
    "incident",
    "key",
    "secret",
    "order",
    "product",
    "folder",
    "email",
    "contact",
    "deal",
    "calendar",
    "ticket",
    "sprint",
    "release",
    "log",
    "metric",
    "trace",
    "query",
    "index",
    "collection",
    "graph",
    "node",
    "relation",
    "video",
    "track",
    "playlist",
    "route",
    "place",
    "price",
];

fn tools(server: usize) -> Vec<Tool> {
    let mut seed = server as u64 + 1;
    let mut one = |n: usize| {
        let (verb, noun, other) = (pick(VERBS, &mut seed), pick(NOUNS, &mut seed), pick(NOUNS, &mut seed));
        let schema = json!({ "type": "object", "properties": {
            format!("{noun}_id"): { "type": "string", "description": format!("The identifier of the {noun}") },
            "limit": { "type": "integer", "description": "How many results are given at most" },
            other: { "type": "string", "description": format!("Only those with this {other}") },
        } });
        let about = format!(
            "{verb}s the {noun} of a {other} in the {} with its {}, as service{} does, and gives what was found",
            pick(NOUNS, &mut seed),
            pick(NOUNS, &mut seed),
            server % 200,
        );
        Tool::new(format!("{verb}_{noun}_{n}"), RawJson::from(schema)).with_description(about)
    };
    (0..TOOLS).map(&mut one).collect()
}

fn index() -> SearchIndex {
    let mut index = SearchIndex::new();
    for server in 0..SERVERS {
        index.replace(&format!("server{server}"), &tools(server));
    }
    assert_eq!(index.len(), SERVERS * TOOLS);
    index
}

#[divan::bench(args = QUESTIONS)]
fn question(bencher: Bencher<'_, '_>, text: &str) {
    let index = index();
    let query = SearchQuery::new(text);
    bencher.bench_local(|| black_box(&index).search(black_box(&query)));
}

/// Words that no tool has, among 40,000 that some have.
#[divan::bench(args = ["creaet", "creaet repositroy xyzzyqwerty commnet brnach invioce"])]
fn unknown_among_many_words(bencher: Bencher<'_, '_>, text: &str) {
    let mut index = index();
    let mut seed = 1_u64;
    let mut word = || -> String {
        let letters = (0..6 + seed % 5).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + (seed >> 40) as u8 % 26)
        });
        letters.collect()
    };
    let mut tool = |n: usize| {
        let about: Vec<String> = (0..100).map(|_| word()).collect();
        Tool::new(format!("odd_{n}"), RawJson::EMPTY_OBJECT).with_description(about.join(" "))
    };
    index.replace("odd", &(0..400).map(&mut tool).collect::<Vec<_>>());
    let query = SearchQuery::new(text);
    bencher.bench_local(|| black_box(&index).search(black_box(&query)));
}

#[divan::bench]
fn glob(bencher: Bencher<'_, '_>) {
    let index = index();
    let query = SearchQuery::glob("*no_such_name*");
    bencher.bench_local(|| black_box(&index).search(black_box(&query)));
}

/// One server's list comes anew.
#[divan::bench]
fn replace_one_server(bencher: Bencher<'_, '_>) {
    let mut index = index();
    let tools = tools(7);
    bencher.bench_local(|| index.replace("server7", &tools));
}

/// The allocations that are left over are what the index weighs.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn whole_index_from_records(bencher: Bencher<'_, '_>) {
    let records: Vec<SearchRecord> =
        (0..SERVERS).map(|server| SearchRecord::new(&format!("server{server}"), &tools(server))).collect();
    bencher.bench_local(|| {
        let mut index = SearchIndex::new();
        records.iter().for_each(|record| index.insert(record));
        index
    });
}
