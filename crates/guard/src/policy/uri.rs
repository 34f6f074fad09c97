//! URIs as servers read them, for patterns: whoever calls chooses how one is written.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Action;
use super::file::Patterns;

/// Patterns of URIs, also in the one form that all spellings of a URI have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UriPatterns {
    written: Patterns,
    plain: Patterns,
}

impl From<Patterns> for UriPatterns {
    fn from(written: Patterns) -> Self {
        let plain = Patterns(written.0.iter().map(|pattern| plain(pattern)).collect());
        Self { written, plain }
    }
}

impl UriPatterns {
    /// Whether one fits. A rule that allows lets no other spelling through, and none gets past a rule that does not.
    pub(super) fn fit(&self, uri: &str, action: Action) -> bool {
        let (as_written, as_read) = (self.written.fit(uri), || self.plain.fit(&plain(uri)));
        if action == Action::Allow { as_written && as_read() } else { as_written || as_read() }
    }
}

/// A URI in one of its spellings: scheme and host in lower case, what is escaped by percent signs decoded once, and a path
/// without empty segments, `.` and `..`; `\` parts segments as well. Other than that it is as it was.
fn plain(uri: &str) -> String {
    let (before, query) = uri.find(['?', '#']).map_or((uri, ""), |at| uri.split_at(at));
    let Some((scheme, rest)) = before.split_once("://") else { return (decoded(before) + decoded(query)).into_owned() };
    let scheme = scheme.to_ascii_lowercase();
    let (host, path) = rest.find(['/', '\\']).map_or((rest, ""), |at| rest.split_at(at));
    let host = decoded(host).to_lowercase();
    let host = if scheme == "file" && host == "localhost" { "" } else { host.as_str() };
    let path = decoded(path).replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let slash = |is: bool| if is { "/" } else { "" };
    let ends = segments.is_empty() || !["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let (begin, end) = (slash(!path.is_empty()), slash(!ends));
    format!("{scheme}://{host}{begin}{}{end}{}", segments.join("/"), decoded(query))
}

/// The text with each `%41` as the character that it stands for.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_spellings_of_a_uri_have_one_form() {
        for (spelling, form) in [
            ("file:///etc/shadow", "file:///etc/shadow"),
            ("FILE://LocalHost/etc//./shadow", "file:///etc/shadow"),
            ("file:///home/me/%2e%2e/../etc/%73hadow", "file:///etc/shadow"),
            ("file:///home\\..\\etc\\shadow", "file:///etc/shadow"),
            ("file:///../../etc/shadow", "file:///etc/shadow"),
            ("https://Host.example", "https://host.example"),
            ("https://h/a/?q=%41#%zz", "https://h/a/?q=A#%zz"),
            ("https://h/", "https://h/"),
            ("urn:a:%62/../c", "urn:a:b/../c"),
            ("a%2", "a%2"),
            ("*", "*"),
            ("note://*", "note://*"),
            ("note://{folder}/*", "note://{folder}/*"),
        ] {
            assert_eq!(plain(spelling), form, "{spelling}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_path_has_nothing_to_resolve(path in "[a-c./%25\\\\]{0,20}") {
            let plain = plain(&format!("file:///{path}"));
            prop_assert!(!plain.contains("/../") && !plain.contains("/./") && !plain.ends_with("/.."));
        }

        #[test]
        fn foreign_text_never_panics(text in "\\PC*") {
            let _ = plain(&text);
        }
    }
}
