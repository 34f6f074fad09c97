//! `WWW-Authenticate`: what a server wants to see.
//!
//! RFC 9110, section 11.6.1: one header may hold several challenges, and commas part them as well as the parameters
//! of one. What cannot be read ends its header; what came before it counts.

use crate::scope::Scopes;

/// How many bytes of all headers together are read.
const MAX_BYTES: usize = 16 << 10;
/// How many challenges, and how many parameters of one, are kept.
const MAX_ITEMS: usize = 32;

/// One challenge: a scheme and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scheme {
    name: String,
    params: Vec<(String, String)>,
}

impl Scheme {
    /// A parameter; names are compared without case, and the first one counts.
    fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What the challenges of one answer say about OAuth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Where the metadata of the resource is, as it was written.
    pub(crate) metadata: Option<String>,
    /// None where nothing is said of scopes.
    pub(crate) scopes: Option<Scopes>,
    pub(crate) error: Option<String>,
    /// Whether tokens are to be bound to a key (`DPoP`).
    pub(crate) dpop: bool,
    /// Whether `Bearer` is among the schemes.
    pub(crate) bearer: bool,
}

impl Wanted {
    /// Reads the headers of one answer. Schemes other than `Bearer` and `DPoP` are somebody else's matter.
    pub(crate) fn read(headers: impl Iterator<Item = impl AsRef<str>>) -> Self {
        let mut wanted = Self::default();
        for scheme in parse(headers) {
            let dpop = scheme.name.eq_ignore_ascii_case("dpop");
            let bearer = scheme.name.eq_ignore_ascii_case("bearer");
            if !dpop && !bearer {
                continue;
            }
            wanted.dpop |= dpop;
            wanted.bearer |= bearer;
            let first = |kept: &mut Option<String>, name: &str| {
                if kept.is_none() {
                    *kept = scheme.param(name).map(str::to_owned);
                }
            };
            first(&mut wanted.metadata, "resource_metadata");
            first(&mut wanted.error, "error");
            if wanted.scopes.is_none() {
                wanted.scopes = scheme.param("scope").map(Scopes::parse).filter(|scopes| !scopes.is_empty());
            }
        }
        wanted
    }

    pub(crate) fn is_error(&self, code: &str) -> bool {
        self.error.as_deref() == Some(code)
    }
}

/// The challenges of all headers, in their order.
pub(crate) fn parse(headers: impl Iterator<Item = impl AsRef<str>>) -> Vec<Scheme> {
    let (mut schemes, mut room) = (Vec::new(), MAX_BYTES);
    for header in headers {
        let header = header.as_ref();
        let Some(left) = room.checked_sub(header.len()) else { break };
        room = left;
        Reader(header).challenges(&mut schemes);
    }
    schemes
}

struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn challenges(&mut self, schemes: &mut Vec<Scheme>) {
        while schemes.len() < MAX_ITEMS {
            self.skip(|byte| byte == b',' || is_blank(byte));
            let Some(name) = self.token() else { return };
            let mut scheme = Scheme { name: name.to_owned(), params: Vec::new() };
            let goes_on = self.params(&mut scheme);
            schemes.push(scheme);
            if !goes_on {
                return;
            }
        }
    }

    /// Reads what belongs to a scheme, up to the next one. False where the rest cannot be read.
    fn params(&mut self, scheme: &mut Scheme) -> bool {
        self.skip(is_blank);
        if self.token68() {
            return true;
        }
        loop {
            self.skip(|byte| byte == b',' || is_blank(byte));
            let before = self.0;
            let Some(name) = self.token() else { return self.0.is_empty() };
            self.skip(is_blank);
            if !self.eat(b'=') {
                // It is the scheme of the next challenge.
                self.0 = before;
                return true;
            }
            self.skip(is_blank);
            let Some(value) = self.value() else { return false };
            if scheme.params.len() < MAX_ITEMS {
                scheme.params.push((name.to_owned(), value));
            }
        }
    }

    /// Skips credentials that are one blob, if the rest begins with one. A blob is told from a parameter by what
    /// follows: nothing, or a comma.
    fn token68(&mut self) -> bool {
        let body = self.0.len() - self.0.trim_start_matches(is_token68).len();
        let (blob, rest) = self.0.split_at(body);
        let rest = rest.trim_start_matches('=').trim_start_matches([' ', '\t']);
        let ends = rest.is_empty() || rest.starts_with(',');
        if blob.is_empty() || !ends {
            return false;
        }
        self.0 = rest;
        true
    }

    fn value(&mut self) -> Option<String> {
        if !self.eat(b'"') {
            // Values with characters that want quotes are in use without them, such as URLs.
            let end = self.0.find([',', ' ', '\t']).unwrap_or(self.0.len());
            let (value, rest) = self.0.split_at(end);
            self.0 = rest;
            return Some(value.to_owned());
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, character)) = chars.next() {
            match character {
                '"' => {
                    self.0 = self.0.get(at + 1..).unwrap_or_default();
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                other => value.push(other),
            }
        }
        // It does not end.
        self.0 = "";
        None
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| !is_token(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.0.as_bytes().first() == Some(&byte);
        if eaten {
            self.0 = self.0.get(1..).unwrap_or_default();
        }
        eaten
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) {
        let end = self.0.bytes().position(|byte| !what(byte)).unwrap_or(self.0.len());
        self.0 = self.0.get(end..).unwrap_or_default();
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_token68(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~+/".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Vec<(String, Vec<(String, String)>)> {
        parse(headers.iter().copied()).into_iter().map(|scheme| (scheme.name, scheme.params)).collect()
    }

    fn of(name: &str, params: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
        (name.to_owned(), params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_description_that_is_not_ascii_hides_nothing_beside_it() {
        let mut headers = http::HeaderMap::new();
        for (said, scope) in [(&b"G\xfcltigkeit"[..], "a"), ("\u{d1a0}\u{d070}".as_bytes(), "b")] {
            let value = [
                b"Bearer error=\"invalid_token\", error_description=\"",
                said,
                b"\", scope=\"",
                scope.as_bytes(),
                b"\"",
            ];
            headers.insert(http::header::WWW_AUTHENTICATE, value.concat().as_slice().try_into().unwrap());
            let wanted = Wanted::read(bowline_http::www_authenticate(&headers));
            assert_eq!(wanted.scopes, Some(Scopes::parse(scope)));
            assert!(wanted.is_error("invalid_token"));
        }
    }

    #[test]
    fn a_03_challenges_are_told_apart_whatever_their_order() {
        assert_eq!(
            read(&[r#"Basic realm="a, b=\"c\"", Bearer scope="x y", error=invalid_token"#]),
            [of("Basic", &[("realm", "a, b=\"c\"")]), of("Bearer", &[("scope", "x y"), ("error", "invalid_token")])]
        );
        assert_eq!(
            read(&["Negotiate", "NTLM abc==, bearer", "Newauth a = 1 ,, DPoP algs=\"ES256\""]),
            [
                of("Negotiate", &[]),
                of("NTLM", &[]),
                of("bearer", &[]),
                of("Newauth", &[("a", "1")]),
                of("DPoP", &[("algs", "ES256")])
            ]
        );
        assert_eq!(
            read(&["Bearer resource_metadata=https://h/prm?a=1, scope=x"]),
            [of("Bearer", &[("resource_metadata", "https://h/prm?a=1"), ("scope", "x")])]
        );
    }

    #[test]
    fn a_03_what_cannot_be_read_spoils_nothing_before_it() {
        assert_eq!(read(&["Bearer scope=\"x\", error=\"never ends"]), [of("Bearer", &[("scope", "x")])]);
        assert_eq!(read(&["", ",, ,", "\u{fc}ber", "=", "\"x\""]), []);
        let long = format!("Bearer scope=\"{}\"", "x".repeat(MAX_BYTES));
        assert_eq!(read(&["Bearer a=1", &long]), [of("Bearer", &[("a", "1")])]);
        assert!(read(&["x,".repeat(1000).as_str()]).len() <= MAX_ITEMS);
    }

    #[test]
    fn a_03_what_is_wanted_is_read_from_bearer_and_dpop_alone() {
        let wanted = Wanted::read(
            [r#"Basic scope="no", DPoP error="use_dpop_nonce""#, r#"Bearer SCOPE="b a", resource_metadata="/prm""#]
                .into_iter(),
        );
        assert_eq!(wanted.metadata.as_deref(), Some("/prm"));
        assert_eq!(wanted.scopes, Some(Scopes::parse("b a")));
        assert!(wanted.is_error("use_dpop_nonce") && wanted.dpop && wanted.bearer);
        assert_eq!(Wanted::read(["Bearer scope=\"\""].into_iter()).scopes, None);
        assert_eq!(Wanted::read(std::iter::empty::<&str>()), Wanted::default());
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_or_left(text in "[ -~]{0,200}|\\PC{0,60}") {
            let _ = Wanted::read([text.as_str()].into_iter());
        }

        #[test]
        fn a_quoted_value_comes_back(value in "[ -~]{0,60}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Basic realm=\"x\", Bearer scope=\"{quoted}\", a=1");
            let schemes = parse([header.as_str()].into_iter());
            proptest::prop_assert_eq!(schemes[1].param("scope"), Some(value.as_str()));
            proptest::prop_assert_eq!(schemes[1].param("a"), Some("1"));
        }
    }
}
