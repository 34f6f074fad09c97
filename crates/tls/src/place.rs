//! Which addresses are those of this machine.

use std::net::IpAddr;

/// Whether a host, as a URL has it, names this machine: `localhost` or a loopback address.
///
/// Where `localhost` really leads to is up to the system: whoever connects by that name checks the address that it
/// led to.
///
/// ```
/// use bowline_tls::is_this_machine;
///
/// assert!(is_this_machine("localhost") && is_this_machine("127.0.0.1") && is_this_machine("[::1]"));
/// assert!(!is_this_machine("localhost.example.com"));
/// ```
pub fn is_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    bare.parse()
        .map_or_else(|_| bare.eq_ignore_ascii_case("localhost"), |address: IpAddr| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn addresses_of_this_machine_are_known() {
        for (host, ours) in [
            ("localhost", true),
            ("LocalHost", true),
            ("127.0.0.1", true),
            ("127.8.8.8", true),
            ("[::1]", true),
            ("::1", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("192.168.0.1", false),
            ("0.0.0.0", false),
            ("[::]", false),
            ("", false),
        ] {
            assert_eq!(is_this_machine(host), ours, "{host}");
        }
    }
}
