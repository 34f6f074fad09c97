//! Where an icon comes from, and whether it may.

use crate::base64::{Base64Error, decode};
use crate::icons::Icon;
use crate::text::excerpt;

/// How long the address of an icon may be, data aside, in bytes.
const MAX_ADDRESS: usize = 8192;

/// Where the bytes of an icon are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IconSource {
    /// At this `https:` address.
    ///
    /// Whoever fetches it sends no credentials and no cookies, follows a redirect only where
    /// [`may_redirect_to`](Self::may_redirect_to) says so, and stops reading at a limit.
    Https(String),
    /// Here, out of a `data:` URI.
    Data {
        /// The media type that it claims; advisory, see [`IconFormat::check`](crate::IconFormat::check).
        media_type: String,
        /// The image.
        bytes: Vec<u8>,
    },
}

/// Why an icon is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IconError {
    /// Its address is neither `https:` nor `data:`.
    #[error("an icon's address must be https: or data:, not \"{0}\"")]
    Scheme(String),
    /// Its address is none: characters that no address has, no host, a user's name.
    #[error("the icon's address is not one that can be relied on: {0}")]
    Address(&'static str),
    /// It is at another place than the server, and not at one that the caller trusts.
    #[error("the icon is at {0}, which is not the server's own origin")]
    Origin(String),
    /// Its data is not what the URI says.
    #[error("the icon's data: URI cannot be read: {0}")]
    Data(String),
    /// It is larger than the limit.
    #[error("the icon is larger than {limit} {of}")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// What of.
        of: &'static str,
    },
    /// Its bytes begin like no image that is allowed.
    #[error("the icon is no png, jpeg, webp or svg image")]
    Unknown,
    /// Its bytes are of another kind than it claims.
    #[error("the icon claims to be {claimed} and is {found}")]
    Mislabelled {
        /// What it claims, made harmless and cut.
        claimed: String,
        /// What it is.
        found: &'static str,
    },
    /// It is an SVG that does more than draw.
    #[error("the icon is an svg with {0}, which may run programs or call home")]
    Active(&'static str),
    /// Its header cannot be read.
    #[error("the icon's header cannot be read")]
    Broken,
}

impl Icon {
    /// Where the icon is, if it may be shown: an `https:` address at the server's own origin or one of those that the
    /// caller trusts, or a `data:` URI of at most `max_bytes` of data.
    ///
    /// `server` is the server's address, where it has one; over other transports only trusted origins are left. Nothing
    /// is fetched here, or anywhere in this library.
    ///
    /// Specification: basic/index, section on icons.
    ///
    /// ```
    /// use bowline_protocol::{Icon, IconSource};
    ///
    /// let own = Icon::new("https://mcp.example/icon.png");
    /// assert!(own.source(Some("https://mcp.example/mcp"), &[], 65536).is_ok());
    /// let foreign = Icon::new("https://cdn.example/icon.png");
    /// assert!(foreign.source(Some("https://mcp.example/mcp"), &[], 65536).is_err());
    /// assert!(foreign.source(None, &["https://cdn.example"], 65536).is_ok());
    /// ```
    ///
    /// # Errors
    /// [`IconError`] with the reason why it must not be shown.
    pub fn source(&self, server: Option<&str>, trusted: &[&str], max_bytes: usize) -> Result<IconSource, IconError> {
        let (scheme, rest) = self.src.split_once(':').ok_or_else(|| IconError::Scheme(excerpt(&self.src, 40)))?;
        if scheme.eq_ignore_ascii_case("data") {
            return data(rest, max_bytes);
        }
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(IconError::Scheme(excerpt(scheme, 40)));
        }
        let origin = Origin::of(&self.src)?;
        let is_good = |other: &&str| Origin::of(other).is_ok_and(|other| other == origin);
        if server.iter().chain(trusted).any(is_good) {
            Ok(IconSource::Https(self.src.clone()))
        } else {
            Err(IconError::Origin(origin.to_string()))
        }
    }
}

impl IconSource {
    /// Whether a redirect to `target`, an absolute address, may be followed: it stays at the origin, scheme included.
    pub fn may_redirect_to(&self, target: &str) -> bool {
        match (self, Origin::of(target)) {
            (Self::Https(from), Ok(to)) => Origin::of(from).is_ok_and(|from| from == to),
            _ => false,
        }
    }
}

/// Host and port of an `https:` address.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an address, more strictly than those who fetch: what they might read in two ways is none.
    fn of(address: &str) -> Result<Self, IconError> {
        if address.len() > MAX_ADDRESS {
            return Err(IconError::Address("it is too long"));
        }
        if !address
            .bytes()
            .all(|byte| matches!(byte, b'!'..=b'~') && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'`'))
        {
            return Err(IconError::Address("it has characters that addresses do not have"));
        }
        let rest = match address.split_at_checked(8) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https://") => rest,
            _ => return Err(IconError::Scheme(excerpt(address, 40))),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(IconError::Address("it names a user"));
        }
        // An IPv6 address has colons of its own, within brackets.
        let port_at = authority.rfind(':').filter(|at| authority.rfind(']').is_none_or(|end| end < *at));
        let (host, port) = match port_at.and_then(|at| authority.split_at_checked(at)) {
            Some((host, port)) => (host, port.trim_start_matches(':')),
            None => (authority, ""),
        };
        let port = if port.is_empty() { Ok(443) } else { port.parse() };
        let port = port.map_err(|_| IconError::Address("its port is none"))?;
        if host.is_empty() || host.contains('%') {
            return Err(IconError::Address("its host is none"));
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "https://{}:{}", excerpt(&self.host, 100), self.port)
    }
}

/// Reads what is behind `data:`. Only Base64 is read: an image is nothing else (basic/index).
fn data(rest: &str, max_bytes: usize) -> Result<IconSource, IconError> {
    let bad = |what: &str| IconError::Data(what.to_owned());
    // Before anything is copied: three bytes take four characters.
    if rest.len() / 4 * 3 > max_bytes.saturating_add(MAX_ADDRESS) {
        return Err(IconError::TooLarge { limit: max_bytes as u64, of: "bytes" });
    }
    let (head, text) = rest.split_once(',').ok_or_else(|| bad("it has no comma"))?;
    let media_type = head.strip_suffix(";base64").ok_or_else(|| bad("it is not base64"))?;
    let bytes = decode(text).map_err(|error: Base64Error| bad(&error.to_string()))?;
    if bytes.len() > max_bytes {
        return Err(IconError::TooLarge { limit: max_bytes as u64, of: "bytes" });
    }
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(IconSource::Data { media_type, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Option<&str> = Some("https://mcp.example/mcp?x=1");

    fn source(src: &str) -> Result<IconSource, IconError> {
        Icon::new(src).source(SERVER, &["https://cdn.example:8443"], 64)
    }

    #[test]
    fn ic_01_only_https_and_data_are_accepted() {
        assert!(source("HTTPS://mcp.example/i.png").is_ok());
        for scheme in
            ["http", "javascript", "file", "ftp", "ws", "wss", "blob", "vscode", "view-source", "intent", " https"]
        {
            let refused = source(&format!("{scheme}://mcp.example/i.png"));
            assert!(matches!(refused, Err(IconError::Scheme(_))), "{scheme}: {refused:?}");
        }
        for no_scheme in ["", "//mcp.example/i.png", "/i.png", "https:/mcp.example", "https:mcp.example"] {
            assert!(source(no_scheme).is_err(), "{no_scheme}");
        }
    }

    #[test]
    fn ic_03_the_origin_is_the_servers_or_a_trusted_one() {
        for good in [
            "https://mcp.example/a/b.png?c#d",
            "https://MCP.EXAMPLE",
            "https://mcp.example:443/",
            "https://cdn.example:8443/i.svg",
        ] {
            assert!(source(good).is_ok(), "{good}");
        }
        for foreign in [
            "https://mcp.example.evil/i.png",
            "https://evil/mcp.example/i.png",
            "https://mcp.example:8443/",
            "https://cdn.example/",
            "https://[::1]/",
        ] {
            assert!(matches!(source(foreign), Err(IconError::Origin(_))), "{foreign}");
        }
        for odd in [
            "https://mcp.example@evil/i.png",
            "https://evil\\@mcp.example/",
            "https://mcp.example\t/",
            "https://mcp.example:99999/",
            "https://mcp.example:x/",
            "https://",
            "https://m\u{441}p.example/",
            "https://mcp%2eexample/",
        ] {
            assert!(matches!(source(odd), Err(IconError::Address(_))), "{odd}");
        }
        let local = Icon::new("https://mcp.example/i.png");
        assert!(local.source(None, &[], 64).is_err(), "a server without an address has no origin");
        let plain = Icon::new("https://mcp.example:80/i.png").source(Some("http://mcp.example/mcp"), &[], 64);
        assert!(plain.is_err(), "another scheme is another origin");
        let six = Icon::new("https://[::1]:8443/i.png").source(Some("https://[::1]:8443/mcp"), &[], 64);
        assert!(six.is_ok());
    }

    #[test]
    fn ic_01_redirects_change_neither_scheme_nor_origin() {
        let icon = source("https://mcp.example/i.png").unwrap();
        assert!(icon.may_redirect_to("https://mcp.example/other"));
        for target in
            ["http://mcp.example/i.png", "https://evil/i.png", "https://mcp.example:444/", "/i.png", "data:,x"]
        {
            assert!(!icon.may_redirect_to(target), "{target}");
        }
        assert!(!source("data:image/png;base64,AA==").unwrap().may_redirect_to("https://mcp.example/"));
    }

    #[test]
    fn ic_01_ic_05_data_is_base64_and_bounded() {
        let read = source("data:image/PNG;charset=x;base64,iVBORw0KGgo=").unwrap();
        let IconSource::Data { media_type, bytes } = read else { panic!("{read:?}") };
        assert_eq!((media_type.as_str(), bytes.as_slice()), ("image/png", b"\x89PNG\r\n\x1a\n".as_slice()));
        for bad in
            ["data:", "data:image/png,x", "data:image/png;base64", "data:image/png;base64,%%%", "data:text/html,<b>"]
        {
            assert!(matches!(source(bad), Err(IconError::Data(_))), "{bad}");
        }
        let large = format!("data:image/png;base64,{}", "A".repeat(92));
        assert!(matches!(source(&large), Err(IconError::TooLarge { .. })));
        let huge = format!("data:image/png;base64,{}", "A".repeat(1 << 20));
        assert!(matches!(source(&huge), Err(IconError::TooLarge { .. })));
    }
}
