//! URIs as servers read them, for patterns: whoever calls chooses how one is written.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Action;
use super::file::Patterns;

/// Patterns of URIs, also in the forms that all spellings of a URI have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UriPatterns {
    written: Patterns,
    /// With each of [`PORTS`]: which port goes without saying is not known of a pattern whose scheme is a wildcard, and it
    /// may be one of those that a wildcard for the port stands for.
    plain: [Patterns; 2],
}

/// The port that goes without saying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    LeftOut,
    Written,
}

const PORTS: [Port; 2] = [Port::LeftOut, Port::Written];

impl From<Patterns> for UriPatterns {
    fn from(written: Patterns) -> Self {
        let plain = PORTS.map(|port| Patterns(written.0.iter().map(|pattern| plain(pattern, port)).collect()));
        Self { written, plain }
    }
}

impl UriPatterns {
    /// Whether one fits. A rule that allows lets no other spelling through, and none gets past a rule that does not, nor does
    /// what servers may not look at: a query and a fragment.
    pub(super) fn fit(&self, uri: &str, action: Action) -> bool {
        let as_written = self.written.fit(uri);
        let as_read = |uri: &str| PORTS.iter().zip(&self.plain).any(|(port, fitting)| fitting.fit(&plain(uri, *port)));
        if action == Action::Allow {
            return as_written && as_read(uri);
        }
        let bare = |marks: &[char]| uri.split(marks).next().filter(|bare| bare.len() < uri.len());
        as_written || as_read(uri) || [&['#'][..], &['?', '#']].into_iter().filter_map(bare).any(as_read)
    }
}

/// A URI in one of its spellings: scheme and host in lower case, without who asks, the port that goes without saying as is
/// said, what is escaped by percent signs decoded once, and a path without empty segments, `.` and `..`; `\` parts segments
/// as well. Other than that it is as it was.
fn plain(uri: &str, usual: Port) -> String {
    let (before, query) = uri.find(['?', '#']).map_or((uri, ""), |at| uri.split_at(at));
    let (scheme, rest) = before.split_once(':').unwrap_or(("", before));
    let scheme = scheme.to_ascii_lowercase();
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.find(['/', '\\']).map_or((rest, ""), |at| rest.split_at(at)),
        // A file without a host may be written so.
        None if scheme == "file" && rest.starts_with(['/', '\\']) => ("", rest),
        None => return (decoded(before) + decoded(query)).into_owned(),
    };
    let host = decoded(host).to_lowercase();
    let host = host.rsplit('@').next().unwrap_or_default();
    let known = match scheme.as_str() {
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        _ => "",
    };
    // The colons of an address in brackets begin no port.
    let (host, port) = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).unwrap_or((host, ""));
    let port = if port.bytes().all(|byte| byte == b'0') { port } else { port.trim_start_matches('0') };
    let port = match usual {
        Port::LeftOut if port == known => "",
        Port::Written if port.is_empty() => known,
        _ => port,
    };
    let colon = if port.is_empty() { "" } else { ":" };
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = if scheme == "file" && host == "localhost" { "" } else { host };
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
    format!("{scheme}://{host}{colon}{port}{begin}{}{end}{}", segments.join("/"), decoded(query))
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
            ("https://me:pw@H.:443/a", "https://h/a"),
            ("https://h:444", "https://h:444"),
            ("https://h:0443", "https://h"),
            ("https://h:", "https://h"),
            ("https://h:0", "https://h:0"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[::443]", "http://[::443]"),
            ("file:/etc/shadow", "file:///etc/shadow"),
            ("file:\\etc\\shadow", "file:///etc/shadow"),
            ("file:a/../b", "file:a/../b"),
            ("urn:a:%62/../c", "urn:a:b/../c"),
            ("a%2", "a%2"),
            ("*", "*"),
            ("note://*", "note://*"),
            ("note://{folder}/*", "note://{folder}/*"),
        ] {
            assert_eq!(plain(spelling, Port::LeftOut), form, "{spelling}");
        }
    }

    #[test]
    fn the_port_that_goes_without_saying_can_be_written() {
        for (spelling, form) in [
            ("https://h/a", "https://h:443/a"),
            ("HTTP://H.:80/a", "http://h:80/a"),
            ("wss://[::1]:", "wss://[::1]:443"),
            ("https://h:*/a", "https://h:*/a"),
            ("*://h/a", "*://h/a"),
            ("file:///a", "file:///a"),
            ("note://h/a", "note://h/a"),
        ] {
            assert_eq!(plain(spelling, Port::Written), form, "{spelling}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_path_has_nothing_to_resolve(path in "[a-c./%25\\\\]{0,20}") {
            let plain = plain(&format!("file:///{path}"), Port::LeftOut);
            prop_assert!(!plain.contains("/../") && !plain.contains("/./") && !plain.ends_with("/.."));
        }

        #[test]
        fn foreign_text_never_panics(text in "\\PC*") {
            for port in PORTS {
                let _ = plain(&text, port);
            }
        }
    }
}
