//! URLs to visit, held against the parser that browsers agree with.

use bowline_protocol::{UrlWarning, VisitUrl};
use proptest::prelude::*;
use url::{Host, Url};

/// Pieces that parsers of URLs are known to differ about.
fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "https://",
        "http://",
        "HTTPS://",
        "https:",
        "//",
        "/",
        "\\",
        "@",
        ":",
        ":443",
        ":80",
        ":08",
        "?",
        "#",
        "&",
        "[",
        "]",
        "[::1]",
        "[::ffff:1.2.3.4]",
        "localhost",
        "127.0.0.1",
        "127.1",
        "0x7f",
        "0177",
        "1",
        "256",
        ".",
        "..",
        "%2e",
        "%00",
        "xn--pple-43d",
        "example.com",
        "a",
        "-",
        "_",
        "~",
        "\t",
        "\n",
        " ",
        "é",
        "。",
        "％",
        "x.example",
        "!",
        "*",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,3}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn se_07_what_is_accepted_leads_a_browser_to_the_host_that_is_shown(
        start in prop::sample::select(vec!["https://", "http://", ""]),
        pieces in prop::collection::vec(piece(), 0..8),
    ) {
        let text = format!("{start}{}", pieces.concat());
        let Ok(ours) = VisitUrl::parse(&text) else { return Ok(()) };
        // A name that a browser refuses leads nowhere.
        let Ok(theirs) = Url::parse(&text) else { return Ok(()) };
        let host = match theirs.host().unwrap() {
            // Spelled in more ways than one.
            Host::Ipv6(ip) => format!("[{ip}]"),
            other => other.to_string(),
        };
        prop_assert_eq!(host, ours.host().to_string());
        let port = ours.warnings().iter().find_map(|warning| match warning {
            UrlWarning::Port(port) => Some(*port),
            _ => None,
        });
        prop_assert_eq!(theirs.port(), port);
        prop_assert_eq!(theirs.scheme() == "https", !ours.warnings().contains(&UrlWarning::NotHttps));
        let named = !theirs.username().is_empty() || theirs.password().is_some();
        prop_assert!(!named || ours.warnings().contains(&UrlWarning::UserInfo));
    }
}
