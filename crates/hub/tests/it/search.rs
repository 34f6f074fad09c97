//! How well search finds, over some 300 tools as servers offer them.

use bowline_hub::{SearchIndex, SearchQuery};
use bowline_protocol::{RawJson, Tool};
use serde_json::{Map, Value, json};

/// How many questions of a hundred have an answer among the first five hits, and as the first one. They are a bound
/// against getting worse: raise them when the search gets better.
const IN_FIVE: usize = 95;
const FIRST: usize = 75;

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn catalogue() -> SearchIndex {
    let mut index = SearchIndex::new();
    let mut servers: Vec<(&str, Vec<Tool>)> = Vec::new();
    for line in lines(include_str!("search/tools.txt")) {
        if let Some(server) = line.strip_prefix('[') {
            servers.push((server.trim_end_matches(']'), Vec::new()));
            continue;
        }
        let [name, about, parameters] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let properties: Map<_, _> =
            parameters.split_whitespace().map(|name| (name.to_owned(), json!({ "type": "string" }))).collect();
        let schema = RawJson::from(json!({ "type": "object", "properties": Value::Object(properties) }));
        servers.last_mut().unwrap().1.push(Tool::new(name, schema).with_description(about));
    }
    for (server, tools) in servers {
        let count = tools.len();
        assert_eq!(index.replace(server, &tools).tools(), count, "{server} has two of one name");
    }
    index
}

#[test]
fn most_questions_find_their_tool_among_the_first_five() {
    let index = catalogue();
    assert!(index.len() > 290, "{}", index.len());
    let (mut all, mut in_five, mut first, mut missed) = (0, 0, 0, Vec::new());
    for line in lines(include_str!("search/queries.txt")) {
        let (question, answers) = line.split_once('|').unwrap();
        let answers: Vec<&str> = answers.split_whitespace().collect();
        let hits = index.search(&SearchQuery::new(question).limit(5));
        let names: Vec<_> = hits.iter().map(|hit| format!("{}.{}", hit.server, hit.tool)).collect();
        for answer in &answers {
            assert!(!index.search(&SearchQuery::glob(answer)).is_empty(), "{answer} is not in the catalogue");
        }
        let at = names.iter().position(|name| answers.contains(&name.as_str()));
        all += 1;
        in_five += usize::from(at.is_some());
        first += usize::from(at == Some(0));
        if at != Some(0) {
            missed.push(format!("{} at {at:?}: {}", question.trim(), names.join(" ")));
        }
    }
    let told = missed.join("\n");
    println!("{in_five} of {all} among the first five, {first} first\n{told}");
    assert!(all >= 40);
    assert!(in_five * 100 >= all * IN_FIVE, "{in_five} of {all}\n{told}");
    assert!(first * 100 >= all * FIRST, "{first} of {all}\n{told}");
}
