//! As much of Markdown as the checks of documents need: what is code and what is not, headings, links.

/// A fenced block of code.
pub struct Block<'t> {
    /// The number of its first line, the fence, from 1.
    pub line: usize,
    /// The word behind the fence up to a comma or a blank; empty where there is none.
    pub language: &'t str,
    /// The lines between the fences.
    pub lines: Vec<&'t str>,
}

/// The fenced blocks of a text, in order. One that does not end goes on to the end of the text.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open: Option<&str> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let fence = fence(line);
        match (open, fence) {
            (None, Some((marks, info))) => {
                open = Some(marks);
                let language = info.split([',', ' ', '{']).next().unwrap_or_default();
                blocks.push(Block { line: number, language, lines: Vec::new() });
            }
            // A fence ends with as many marks as it began with, and nothing behind them.
            (Some(marks), Some((more, ""))) if more.starts_with(marks) => open = None,
            (Some(_), _) => {
                if let Some(block) = blocks.last_mut() {
                    block.lines.push(line);
                }
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The lines of a text that are in no fenced block, with their numbers from 1.
pub fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = blocks(text).into_iter().map(|block| block.line..=block.line + block.lines.len() + 1).peekable();
    (1..).zip(text.lines()).filter(move |(number, _)| {
        while code.next_if(|lines| lines.end() < number).is_some() {}
        code.peek().is_none_or(|lines| !lines.contains(number))
    })
}

/// The marks and the words behind them, where a line is a fence.
fn fence(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let marks = line.len() - line.trim_start_matches('`').len();
    (marks >= 3)
        .then(|| line.split_at(marks))
        .map(|(marks, info)| (marks, info.trim()))
        .filter(|(_, info)| !info.contains('`'))
}

/// The targets of the inline links of a line, those within code left out.
pub fn links(line: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['`', ']']) {
        let behind = rest.get(at..).unwrap_or_default();
        if let Some(target) = behind.strip_prefix("](") {
            let Some((target, after)) = target.split_once(')') else { break };
            links.push(target);
            rest = after;
        } else if behind.starts_with('`') {
            rest = behind_code(behind).map_or_else(|| behind.trim_start_matches('`'), |(_, after)| after);
        } else {
            rest = behind.get(1..).unwrap_or_default();
        }
    }
    links
}

/// The pieces of code within a line.
pub fn code(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let behind = rest.get(at..).unwrap_or_default();
        let Some((code, after)) = behind_code(behind) else { break };
        found.push(code);
        rest = after;
    }
    found
}

/// The code that a text begins with, and what comes behind it.
fn behind_code(text: &str) -> Option<(&str, &str)> {
    let marks = text.len() - text.trim_start_matches('`').len();
    let (marks, rest) = text.split_at(marks);
    rest.split_once(marks)
}

/// The anchors of a text's headings, as mdBook and the usual renderers make them: the second of the same words ends in
/// `-1`, the third in `-2`.
pub fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let level = line.len() - line.trim_start_matches('#').len();
        let Some(title) = line.get(level..).and_then(|title| title.strip_prefix(' ')) else { continue };
        if !(1..=6).contains(&level) {
            continue;
        }
        let base = anchor(title.trim());
        let times = anchors.iter().filter(|known| **known == base).count();
        let taken = |n: usize| format!("{base}-{n}");
        let unique = if times == 0 {
            base
        } else {
            let mut n = 1;
            while anchors.contains(&taken(n)) {
                n += 1;
            }
            taken(n)
        };
        anchors.push(unique);
    }
    anchors
}

/// Links in a heading count by their words.
fn anchor(title: &str) -> String {
    let mut words = String::new();
    let mut rest = title;
    while let Some((before, behind)) = rest.split_once("](") {
        words.push_str(before);
        rest = behind.split_once(')').map_or("", |(_, after)| after);
    }
    words.push_str(rest);
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A `bowline` page: one\n\ntext [a](b.md#c)\n\n```rust,no_run\n# fn main() {}\n```\n\n````text\n```\n[x](y)\n```\n````\n## Again\n## Again\n";

    #[test]
    fn code_is_told_from_prose() {
        let found: Vec<_> = blocks(PAGE).iter().map(|block| (block.line, block.language, block.lines.len())).collect();
        assert_eq!(found, [(5, "rust", 1), (9, "text", 3)]);
        let lines: Vec<_> = prose(PAGE).map(|(number, _)| number).collect();
        assert_eq!(lines, [1, 2, 3, 4, 8, 14, 15]);
    }

    #[test]
    fn links_are_read_one_after_another_and_not_out_of_code() {
        assert_eq!(links("[a](b.md) and [c](https://example.com) or `[d](e)`"), ["b.md", "https://example.com"]);
        assert_eq!(links("[`Code`](page.md#code), a[1] and ``x ` [y](z)``"), ["page.md#code"]);
        assert!(links("an open ` and [no link]").is_empty());
    }

    #[test]
    fn pieces_of_code_are_read() {
        assert_eq!(code("a `b c` and ``d ` e``"), ["b c", "d ` e"]);
    }

    #[test]
    fn anchors_are_those_of_the_headings() {
        assert_eq!(anchors(PAGE), ["a-bowline-page-one", "again", "again-1"]);
        assert_eq!(
            anchors("## `bowline list` (also `ls`)\n### [Linked](x.md) words"),
            ["bowline-list-also-ls", "linked-words"]
        );
    }
}
