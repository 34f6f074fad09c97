use bowline_protocol::{RawJson, ToolAnnotations};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn tool(name: &str, description: &str) -> Tool {
    Tool::new(name, RawJson::EMPTY_OBJECT).with_description(description)
}

fn names(index: &SearchIndex, query: &SearchQuery) -> Vec<String> {
    index.search(query).iter().map(|hit| format!("{}.{}", hit.server, hit.tool)).collect()
}

fn found(index: &SearchIndex, text: &str) -> Vec<String> {
    names(index, &SearchQuery::new(text))
}

fn some() -> SearchIndex {
    let mut index = SearchIndex::new();
    index.replace(
        "github",
        &[tool("create_issue", "Opens an issue"), tool("list_issues", "Lists the issues of a repository")],
    );
    index.replace("disk", &[tool("readFile", "Reads a file"), tool("write_file", "Writes text to a file")]);
    index
}

#[test]
fn names_count_more_than_what_is_said_and_hits_tell_where() {
    let mut index = SearchIndex::new();
    index.replace("a", &[tool("other", "Is about a search for something"), tool("search", "Finds things")]);
    let hits = index.search(&SearchQuery::new("search"));
    assert_eq!(hits.iter().map(|hit| &*hit.tool).collect::<Vec<_>>(), ["search", "other"]);
    assert_eq!(hits[0].fields().collect::<Vec<_>>(), [SearchField::Name]);
    assert_eq!(hits[1].fields().collect::<Vec<_>>(), [SearchField::Description]);
    assert!(hits[0].score > hits[1].score);
    assert_eq!(hits[0].summary.as_deref(), Some("Finds things"));
}

#[test]
fn every_part_of_a_tool_is_searched() {
    let schema = json!({ "properties": {
        "owner": { "description": "whose repository" },
        "filter": { "properties": { "labels": { "items": { "properties": { "colour": {} } } } } },
    } });
    let tool = Tool::new("get", RawJson::from(schema)).with_title("Fetch something").with_description("By number");
    let mut index = SearchIndex::new();
    index.replace("tracker", &[tool]);
    for (word, field) in [
        ("get", SearchField::Name),
        ("tracker", SearchField::Server),
        ("fetch", SearchField::Title),
        ("number", SearchField::Description),
        ("owner", SearchField::Parameter),
        ("labels", SearchField::Parameter),
        ("colour", SearchField::Parameter),
        ("whose", SearchField::ParameterDescription),
    ] {
        let hits = index.search(&SearchQuery::new(word));
        assert_eq!(hits.len(), 1, "{word}");
        assert_eq!(hits[0].fields().collect::<Vec<_>>(), [field], "{word}");
    }
}

#[test]
fn words_are_found_in_capitals_plurals_and_beginnings() {
    let index = some();
    for text in ["read file", "READ FILES", "readFile", "readfile", "read_fil", "fil rea"] {
        assert_eq!(found(&index, text)[0], "disk.readFile", "{text}");
    }
    assert!(found(&index, "rea file").iter().all(|name| name.starts_with("disk")));
    assert_eq!(found(&index, "how do I open an issue?")[0], "github.create_issue");
    // Only the last word may be a beginning.
    assert_eq!(found(&index, "wri issue").len(), 2);
}

#[test]
fn a_word_that_no_tool_has_is_taken_for_the_nearest() {
    let index = some();
    assert_eq!(found(&index, "creaet isue")[0], "github.create_issue");
    assert_eq!(found(&index, "repositroy"), ["github.list_issues"]);
    // Where tools have it as it stands, near ones are not looked for.
    let mut index = SearchIndex::new();
    index.replace("a", &[tool("pages", ""), tool("paper", ""), tool("pager", "")]);
    assert_eq!(found(&index, "paper"), ["a.paper"]);
    assert!(found(&index, "xyzzy").is_empty() && found(&index, "").is_empty() && found(&index, "??").is_empty());
}

#[test]
fn other_words_of_the_same_meaning_count_less_and_once() {
    let mut index = SearchIndex::new();
    index.replace("a", &[tool("delete_branch", "Removes, erases it"), tool("add_branch", "")]);
    let asked = |others: &[&str]| names(&index, &SearchQuery::new("drop that branch").or("drop", others));
    assert_eq!(asked(&[])[0], "a.add_branch");
    assert_eq!(asked(&["deletes", "purge"])[0], "a.delete_branch");
    let score = |others: &[&str]| index.search(&SearchQuery::new("drop that branch").or("drop", others))[0].score;
    assert_eq!(score(&["delete"]), score(&["delete", "remove", "erase"]));
    // Words that no tool has, and what is no single word, change nothing.
    assert_eq!(asked(&["purge", "to delete", ""]), asked(&[]));
    // Where a word that no tool has is told, near ones are not looked for.
    assert_eq!(names(&index, &SearchQuery::new("dorp").or("dorp", ["add"])), ["a.add_branch"]);
    let many: Vec<String> = (0..100).map(|n| format!("w{}", letters(n))).collect();
    let query = many.iter().fold(SearchQuery::new("branch"), |query, word| query.or(word, &many));
    assert!(query.others.len() == 32 && query.others.values().all(|others| others.len() == 16));
}

#[test]
fn near_words_are_looked_for_in_place_of_the_first_few_unknown_ones() {
    let index = some();
    assert_eq!(found(&index, "xyzzya xyzzyb xyzzyc repositroy"), ["github.list_issues"]);
    assert!(found(&index, "xyzzya xyzzyb xyzzyc xyzzyd repositroy").is_empty());
}

#[test]
fn a_server_is_replaced_and_removed_without_a_trace() {
    let mut index = some();
    index.set_groups("disk", ["local"]);
    index.replace("disk", &[tool("delete_file", "Deletes a file")]);
    assert_eq!(found(&index, "file"), ["disk.delete_file"]);
    assert_eq!(index.len(), 3);
    assert_eq!(names(&index, &SearchQuery::all().group("local")), ["disk.delete_file"]);
    assert!(index.remove("disk") && !index.remove("disk"));
    assert!(found(&index, "file").is_empty());
    index.remove("github");
    assert!(index.is_empty());
    assert_eq!(index.terms.sizes(), (0, 0));
}

#[test]
fn filters_are_by_server_group_hints_and_name() {
    let mut index = some();
    let hinted = |name: &str, hints: ToolAnnotations| tool(name, "of a file").with_annotations(hints);
    let hints = ToolAnnotations::default;
    index.replace(
        "more",
        &[
            hinted("stat", hints().with_read_only_hint(true)),
            hinted("touch", hints().with_destructive_hint(false).with_idempotent_hint(true)),
            hinted("wipe", hints().with_destructive_hint(true).with_open_world_hint(false)),
            tool("sync", "of a file"),
        ],
    );
    index.set_groups("more", ["x", "y"]);
    index.set_groups("disk", ["y"]);
    let of = |query: SearchQuery| names(&index, &query);
    assert_eq!(of(SearchQuery::all().read_only()), ["more.stat"]);
    assert_eq!(of(SearchQuery::all().not_destructive()), ["more.stat", "more.touch"]);
    assert_eq!(of(SearchQuery::all().idempotent()), ["more.stat", "more.touch"]);
    assert_eq!(of(SearchQuery::all().closed_world()), ["more.wipe"]);
    assert_eq!(of(SearchQuery::new("file").group("x")).len(), 4);
    assert_eq!(of(SearchQuery::new("file").group("y")).len(), 6);
    assert_eq!(of(SearchQuery::new("file").group("y").server("disk")).len(), 2);
    assert!(of(SearchQuery::new("file").group("none")).is_empty() && of(SearchQuery::all().server("none")).is_empty());
    assert_eq!(of(SearchQuery::glob("*FILE")), ["disk.readFile", "disk.write_file"]);
    assert_eq!(of(SearchQuery::glob("github.*")), ["github.create_issue", "github.list_issues"]);
    assert_eq!(of(SearchQuery::new("file").matching("w*")), ["disk.write_file", "more.wipe"]);
}

#[test]
fn hits_are_bounded_and_in_the_same_order_however_the_index_came_about() {
    let servers: Vec<String> = (0..30).map(|n| format!("s{n:02}")).collect();
    let tools: Vec<Tool> = (0..40).map(|n| tool(&format!("get_{n}"), "Gets the same thing")).collect();
    let mut one = SearchIndex::new();
    servers.iter().for_each(|server| drop(one.replace(server, &tools)));
    let mut other = SearchIndex::new();
    for server in servers.iter().rev().chain(servers.iter().take(10)) {
        other.replace("gone", &tools);
        other.replace(server, &tools);
    }
    other.remove("gone");
    let query = SearchQuery::new("get thing").limit(100);
    let first = one.search(&query);
    assert_eq!(first, other.search(&query));
    assert_eq!(first.len(), 100);
    assert!(first.is_sorted_by_key(|hit| (hit.server.clone(), hit.tool.clone())));
    assert_eq!(one.search(&SearchQuery::all().limit(usize::MAX)).len(), 1000);
    assert!(one.search(&query.limit(0)).is_empty());
}

#[test]
fn changes_leave_no_more_behind_than_what_there_is() {
    let mut index = some();
    let tools: Vec<Tool> = (0..50).map(|n| tool(&format!("get_{n}"), "Gets the same thing")).collect();
    for n in 0..500 {
        index.replace(&format!("s{}", n % 10), &tools);
    }
    assert!(index.docs.len() <= 2 * index.len() + 1024, "{}", index.docs.len());
    let (words, postings) = index.terms.sizes();
    let live: usize = index.docs.iter().flatten().map(|entry| entry.terms.len()).sum();
    assert!(postings <= 2 * live + 17 * words, "{postings} of {live}");
    assert_eq!(found(&index, "write")[0], "disk.write_file");
}

#[test]
fn what_servers_say_is_bounded() {
    let huge = "word ".repeat(2 << 20);
    let deep = format!("{}1{}", "{\"properties\":{\"a\":".repeat(100), "}}".repeat(100));
    let wide: serde_json::Map<String, serde_json::Value> = (0..5000).map(|n| (format!("p{n}"), json!({}))).collect();
    let tools = [
        tool("long", &huge).with_title(huge.clone()),
        tool(&huge, "its name is too long"),
        Tool::new("deep", deep.parse::<RawJson>().unwrap()),
        Tool::new("wide", RawJson::from(json!({ "properties": wide }))),
        Tool::new("odd", RawJson::from(json!({ "properties": [1], "items": "x" }))),
        Tool::new("large", RawJson::from(json!({ "description": huge }))),
        tool("long", "a second one of the name"),
    ];
    let mut index = SearchIndex::new();
    let record = index.replace(&"s".repeat(100_000), &tools);
    assert_eq!((record.tools(), record.left_out()), (5, 2));
    assert!(record.to_bytes(usize::MAX).unwrap().len() < 250_000);
    let hits = index.search(&SearchQuery::new(&huge));
    assert_eq!(&*hits[0].tool, "long");
    assert!(hits[0].summary.as_ref().unwrap().len() <= 300);
    let of_wide = index.docs.iter().flatten().find(|entry| &*entry.tool == "wide").unwrap();
    assert!(of_wide.terms.len() < 500, "{}", of_wide.terms.len());
}

#[test]
fn a_server_of_very_many_words_is_held_to_its_share_and_found_by_names() {
    let mut n = 0;
    let mut words = |count: usize| -> String {
        n += count;
        (n - count..n).map(|n| format!("{}x ", letters(n))).collect()
    };
    let tools: Vec<Tool> = (0..1300).map(|n| tool(&format!("tool_{}", letters(n)), &words(450))).collect();
    let mut index = some();
    let others = index.terms.sizes().1;
    index.replace("hostile", &tools);
    let of_server = index.terms.sizes().1 - others;
    assert!(of_server <= MAX_SERVER_WORDS && of_server > MAX_SERVER_WORDS / 2, "{of_server}");
    for n in [0, 700, 1299] {
        let name = format!("tool_{}", letters(n));
        assert_eq!(found(&index, &name)[0], format!("hostile.{name}"));
    }
    assert_eq!(found(&index, "create issue")[0], "github.create_issue");
}

/// A word of its own for each number.
fn letters(mut n: usize) -> String {
    let mut word = String::from("q");
    loop {
        word.push(char::from(b'a' + (n % 20) as u8));
        n /= 20;
        if n == 0 {
            return word;
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_in_and_asked_for(
        tools in proptest::collection::vec(("\\PC{0,40}", "\\PC{0,80}"), 0..8),
        other in proptest::collection::vec("[a-z_]{0,12}", 0..8),
        query in "\\PC{0,60}",
    ) {
        let tools: Vec<Tool> = tools.iter().map(|(name, description)| tool(name, description)).collect();
        let other: Vec<Tool> = other.iter().map(|name| tool(name, "")).collect();
        let mut index = SearchIndex::new();
        index.replace("a", &tools);
        index.replace("b", &other);
        let before = index.search(&SearchQuery::new(&query));
        prop_assert!(before.iter().all(|hit| hit.score.is_finite() && hit.score > 0.0));
        // What comes and goes leaves nothing.
        index.replace("c", &tools);
        index.remove("c");
        prop_assert_eq!(before, index.search(&SearchQuery::new(&query)));
        let record = SearchRecord::new("a", &tools);
        let again = SearchRecord::from_bytes(&record.to_bytes(usize::MAX).unwrap());
        prop_assert_eq!(again, Some(record));
    }

    #[test]
    fn foreign_bytes_are_no_record_or_a_bounded_one(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(SearchRecord::from_bytes(&bytes).is_none());
    }
}
