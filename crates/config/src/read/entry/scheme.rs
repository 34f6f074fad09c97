//! How an address begins, and whether that fits what else its entry says.

use super::Way;
use crate::Template;
use crate::problem::shown;
use crate::template::Part;

/// How the addresses begin that there is a way to.
const KNOWN: [&str; 6] = ["http", "https", "ws", "wss", "unix", "tcp"];

/// Checks as much as is known before variables are filled in.
///
/// # Errors
/// What is wrong with the address; nothing of it is shown but how it begins.
pub(super) fn check(url: &Template, stated: Option<Way>) -> Result<(), String> {
    let [Part::Text(head), rest @ ..] = url.parts() else { return Ok(()) };
    let Some((scheme, behind)) = head.split_once(':') else {
        // A variable may go on with it.
        return if rest.is_empty() { Err(no_address(head)) } else { Ok(()) };
    };
    let scheme = scheme.to_ascii_lowercase();
    let is_web = matches!(scheme.as_str(), "http" | "https" | "ws" | "wss");
    let fits = match scheme.as_str() {
        "http" | "https" => stated != Some(Way::WebSocket),
        "ws" | "wss" => matches!(stated, None | Some(Way::Auto | Way::WebSocket)),
        _ => matches!(stated, None | Some(Way::Auto)),
    };
    if !KNOWN.contains(&scheme.as_str()) {
        Err(no_address(head))
    } else if is_web && !behind.starts_with("//") && (rest.is_empty() || !"//".starts_with(behind)) {
        Err(format!("needs `//` behind `{scheme}:`"))
    } else if !fits {
        Err(format!("begins with `{scheme}:`, which does not fit the type: leave the type out, or set it right"))
    } else {
        Ok(())
    }
}

fn no_address(head: &str) -> String {
    let known = "is no address: it begins with none of http://, https://, ws://, wss://, unix: and tcp:";
    let host = head.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = host.starts_with(|first: char| first.is_ascii_alphanumeric())
        && host.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':'));
    if is_host && (head != host || host.contains('.')) {
        format!("{known}; is it http://{}?", shown(host))
    } else {
        known.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Configuration, Host};

    fn wrong(entry: &str) -> String {
        let text = format!("{{\"mcpServers\":{{\"a\":{entry}}}}}");
        let config = Configuration::read(Host::Generic, "f.json", &text);
        config.server("a").map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn an_address_that_is_none_is_told_with_its_place() {
        for (url, is) in [
            ("localhost:3000/mcp", "f.json:1:27: `url` is no address"),
            ("localhost:3000/mcp", "is it http://localhost:3000?"),
            ("example.com", "is it http://example.com?"),
            ("htps://h/mcp", "is no address"),
            ("u:s3cret@h/mcp", "is no address"),
            ("/sse", "is no address"),
            ("touch /tmp/x", "is no address"),
            ("file:///x", "is no address"),
            ("http:/h/mcp", "needs `//` behind `http:`"),
        ] {
            let told = wrong(&format!("{{\"url\":\"{url}\"}}"));
            assert!(told.contains(is) && !told.contains("s3cret"), "{url}: {told}");
        }
    }

    #[test]
    fn a_type_that_does_not_fit_the_address_is_told() {
        for (word, url) in [("http", "ws://h"), ("sse", "unix:/x"), ("ws", "https://h"), ("streamable-http", "tcp:h:1")]
        {
            let told = wrong(&format!("{{\"type\":\"{word}\",\"url\":\"{url}\"}}"));
            assert!(told.contains("does not fit the type"), "{word} {url}: {told}");
        }
    }

    #[test]
    fn what_fits_and_what_a_variable_may_make_fit_is_taken() {
        for entry in [
            r#"{"url":"HTTPS://h/mcp"}"#,
            r#"{"url":"${U}"}"#,
            r#"{"url":"${U}/mcp","type":"ws"}"#,
            r#"{"url":"http${S}://h"}"#,
            r#"{"url":"http:${REST}"}"#,
            r#"{"url":"ws://h"}"#,
            r#"{"url":"wss://h","type":"websocket"}"#,
            r#"{"url":"unix:/run/x.sock"}"#,
            r#"{"url":"tcp:localhost:1"}"#,
            r#"{"url":" http://h "}"#,
        ] {
            assert_eq!(wrong(entry), "", "{entry}");
        }
    }
}
