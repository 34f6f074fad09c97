//! What a server was given in confidence, kept out of what it writes to stderr.
//!
//! A variable such as `DEBUG=true` is no secret, and hiding each `true` would make what a server says unreadable. So only
//! those values count whose name or shape says that they are one.

use std::ffi::OsString;

use bowline_transport::Secrets;
use percent_encoding::percent_decode_str;

/// What stands in place of a private key.
const KEY: &str = "(a private key, hidden)";
/// How many lines a private key may have: one of RSA with 16,384 bits has some 200.
const KEY_LINES: usize = 256;
/// How many lines of others may stand among those of a key.
const OTHER_LINES: usize = 16;
/// How many parts of a value are looked at.
const MAX_PARTS: usize = 256;
/// The shortest line of a value of many lines that is hidden alone, in bytes.
const MIN_LINE: usize = 12;

/// The values that are secrets, of an environment and of arguments.
pub(crate) fn secrets(env: &[(OsString, OsString)], args: &[OsString]) -> Secrets {
    let variables = env.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    // `--token …` gives its value a name.
    let names =
        std::iter::once("").chain(args.iter().map(|arg| arg.to_str().filter(|it| it.starts_with('-')).unwrap_or("")));
    let values = args.iter().map(|arg| arg.to_str().unwrap_or_default());
    let all = variables.chain(names.zip(values).filter(|(_, value)| !value.is_empty()));
    all.fold(Secrets::default(), |secrets, (name, value)| of_variable(secrets, name, value))
}

fn of_variable(mut secrets: Secrets, name: &str, value: &str) -> Secrets {
    let value = value.trim();
    if (is_name(name) && !is_plain(value)) || is_shape(value) {
        secrets = secrets.with(value);
        if value.contains('\n') {
            let lines = value.lines().map(str::trim).filter(|line| line.len() >= MIN_LINE);
            secrets = lines.fold(secrets, Secrets::with);
        }
    }
    if let Some(password) = password_of(value) {
        // A server may show it as it reads it.
        secrets =
            secrets.with(value).with(password).with(percent_decode_str(password).decode_utf8().unwrap_or_default());
    }
    // `{"Authorization": "Bearer …"}`, `Server=…;Password=…`, `https://…?token=…`
    let mut before = "";
    let parts = value.split(['"', '\'', ',', ';', '&', '?', '=', '\n', ' ']).map(str::trim);
    for part in parts.filter(|part| !part.is_empty() && *part != ":").take(MAX_PARTS) {
        if part.len() < value.len() && ((is_name(before) && !is_plain(part) && !is_scheme(part)) || is_shape(part)) {
            secrets = secrets.with(part);
        }
        if !is_scheme(part) {
            before = part;
        }
    }
    secrets
}

/// Whether what stands before it says what follows, and nothing more: `Bearer …`.
fn is_scheme(part: &str) -> bool {
    ["bearer", "basic", "token"].iter().any(|scheme| part.eq_ignore_ascii_case(scheme))
}

/// Whether a variable of this name holds a secret. One that says something about a secret (`TOKEN_LIMIT`) does not.
fn is_name(name: &str) -> bool {
    const ABOUT: &[&str] = &[
        "algorithm",
        "count",
        "expiry",
        "kind",
        "length",
        "limit",
        "limits",
        "method",
        "mode",
        "size",
        "timeout",
        "ttl",
        "type",
    ];
    const WITHIN: &[&str] = &["token", "secret", "passw", "passphrase", "credential", "apikey", "private", "cookie"];
    const WORDS: &[&str] = &["key", "keys", "pass", "pwd", "pw", "auth", "authorization", "dsn", "pat", "jwt", "creds"];
    if name.len() > 200 || name == "PWD" {
        return false;
    }
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let (first, last) = (words.clone().next(), words.clone().next_back());
    // `MAX_TOKENS`, but not `MAX_API_KEY`: that may be a product.
    let is_bound = last == Some("tokens") && matches!(first, Some("max" | "min"));
    if is_bound || last.is_some_and(|word| ABOUT.contains(&word)) {
        return false;
    }
    WITHIN.iter().any(|part| name.contains(part)) || name.ends_with("key") || words.any(|word| WORDS.contains(&word))
}

/// Whether a value says little, whatever its name: a switch, a number, a way to log in, where a file is.
fn is_plain(value: &str) -> bool {
    const SWITCHES: &[&str] = &[
        "true", "false", "none", "null", "auto", "default", "required", "optional", "enabled", "disabled", "basic",
        "bearer", "digest", "token", "oauth", "oauth2", "oidc", "saml", "ed25519", "ecdsa",
    ];
    let is_number = value.len() < 6 && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_path = is_rooted(value) && !value.split(['/', '\\']).any(|name| is_random(name, 18));
    is_number || is_path || SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch))
}

/// Whether a value begins as the path of a file does.
fn is_rooted(value: &str) -> bool {
    let drive = value.as_bytes().get(1..3).is_some_and(|drive| drive == b":\\" || drive == b":/");
    drive || ["/", "~/", "./", "../"].iter().any(|root| value.starts_with(root))
}

/// Whether a value looks like a key, whatever its name. Folders may have any name, so paths never do.
fn is_shape(value: &str) -> bool {
    const BEGINNINGS: &[&str] = &[
        "-----BEGIN",
        "AIza",
        "AKIA",
        "ASIA",
        "SG.",
        "eyJ",
        "gh",
        "github_pat_",
        "glpat-",
        "hf_",
        "npm_",
        "pypi-",
        "rk_",
        "sk-",
        "sk_",
        "xox",
    ];
    let is_long = value.len() >= 16 && !value.contains(' ');
    let mut begins = BEGINNINGS.iter().filter(|beginning| value.starts_with(**beginning));
    // `gho_`, `ghp_`, and what else there is of them.
    let is_known = begins.any(|beginning| *beginning != "gh" || value.as_bytes().get(3) == Some(&b'_'));
    (is_long && is_known) || value.starts_with("-----BEGIN") || (!is_rooted(value) && is_random(value, 20))
}

/// Whether a word of so many bytes is of letters of both cases and digits, or long and of hexadecimal digits, as nobody
/// writes by hand.
fn is_random(word: &str, least: usize) -> bool {
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    let is_word =
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'));
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let is_hex = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    // A path has short names between its slashes.
    let longest = word.split('/').map(str::len).max().unwrap_or_default();
    is_word && longest >= least && (is_mixed || is_hex)
}

/// The password of an address: `scheme://user:password@host`.
fn password_of(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    // A password may hold any of these, where it is not written as it should be.
    let is_loose = !authority.contains('@');
    let (userinfo, _) = if is_loose { rest } else { authority }.rsplit_once('@')?;
    let (user, password) = userinfo.split_once(':')?;
    // `https://host:4873/@scope/package`, `https://host/npm:package@1`
    let is_web = ["http", "https", "ws", "wss"].iter().any(|web| scheme.ends_with(web));
    let port = password.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = is_web && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    (!is_loose || !(is_port || user.contains(['/', '?', '#']))).then_some(password)
}

impl Key {
    /// Whether a line may be of it: one word of base64, also where a log has words before it, or one of its headers. Once
    /// there was another line among them, a word has to look like more than one of a log.
    fn has(&self, line: &str) -> bool {
        const LEAST: usize = 32;
        const LEAST_AMONG_OTHERS: usize = 48;

        let bare = line.trim().trim_matches(['"', '\'', ',']).trim_end_matches("\\n").trim_end_matches("\\r");
        let last = bare.split_whitespace().next_back().unwrap_or_default();
        let is_base64 = last.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
        let is_header = ["Proc-Type:", "DEK-Info:", "Version:", "Comment:"].iter().any(|header| line.contains(header));
        let is_alone = last.len() == bare.len();
        let is_in_column = is_alone || line.rfind(last) == Some(self.column);
        let is_padded = last.ends_with('=');
        let is_word = match self.others {
            0 => is_in_column || is_padded || last.len() >= LEAST,
            _ => is_in_column && (is_padded || last.len() >= LEAST / 2) || last.len() >= LEAST_AMONG_OTHERS,
        };
        is_header || (is_base64 && is_word)
    }
}

/// Lines of a server, without what it was given in confidence, and without private keys.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    secrets: Secrets,
    /// The key that has begun; none outside of one.
    key: Option<Key>,
}

/// A key that is printed line by line.
#[derive(Debug, Default)]
struct Key {
    /// Where in its line it began: a log has words before each.
    column: usize,
    /// How many lines of it are behind its first.
    lines: usize,
    /// How many lines were among them that are none of it.
    others: usize,
}

impl Mask {
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self { secrets, key: None }
    }

    /// The line, as it may be shown; none where all of it is within a key. Whether it `is_cut`, as its end may be a part of a
    /// value.
    pub(crate) fn line(&mut self, line: &str, is_cut: bool) -> Option<String> {
        let shown = self.without_keys(line)?;
        if !is_cut {
            return Some(self.secrets.hide(&shown));
        }
        let whole = shown.trim_end_matches(char::REPLACEMENT_CHARACTER);
        Some(self.secrets.hide_cut(whole) + shown.get(whole.len()..).unwrap_or_default())
    }

    fn without_keys(&mut self, line: &str) -> Option<String> {
        let mut rest = line;
        let mut shown = String::new();
        if let Some(key) = &mut self.key {
            if let Some(behind) = end_of_key(rest) {
                rest = behind;
                self.key = None;
                if rest.trim().is_empty() {
                    return None;
                }
            } else if key.lines < KEY_LINES && key.has(rest) {
                key.lines += 1;
                return None;
            } else {
                // Of another thread, or it was none, or its end did not come.
                key.others += 1;
                if key.lines >= KEY_LINES || key.others > OTHER_LINES {
                    self.key = None;
                }
            }
        }
        while let Some((before, within)) = begin_of_key(rest) {
            shown.push_str(before);
            shown.push_str(KEY);
            match end_of_key(within) {
                Some(behind) => rest = behind,
                None => {
                    let column = line.len() - rest.len() + before.len();
                    self.key = Some(Key { column, ..Key::default() });
                    return Some(shown);
                }
            }
        }
        shown.push_str(rest);
        Some(shown)
    }
}

/// What stands before the head of a private key, and behind it.
fn begin_of_key(text: &str) -> Option<(&str, &str)> {
    const BEGIN: &str = "-----BEGIN ";
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(BEGIN)?;
        let behind = text.get(at + BEGIN.len()..)?;
        let (label, within) = behind.split_once("-----")?;
        if label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK") {
            return Some((text.get(..at)?, within));
        }
        from = at + BEGIN.len();
    }
}

/// What stands behind the foot of a key.
fn end_of_key(text: &str) -> Option<&str> {
    let (_, behind) = text.split_once("-----END ")?;
    Some(behind.split_once("-----").map_or("", |(_, behind)| behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(env: &[(&str, &str)], text: &str) -> String {
        let env: Vec<_> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut mask = Mask::new(secrets(&env, &[]));
        text.lines().filter_map(|line| mask.line(line, false)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn case_security_010_what_its_name_or_its_shape_says_is_a_secret_is_hidden() {
        for (name, value) in [
            ("PW", "p-SECRET-3"),
            ("GITHUB_TOKEN", "hunter2"),
            ("OPENAI_API_KEY", "any thing"),
            ("MyApiKey", "k-93j2kd"),
            ("AWS_SECRET_ACCESS_KEY", "/aB3dE6gH9/jK2mN5pQ8sT1vW4yZ7"),
            ("X", "sk-proj-0123456789abcdef"),
            ("X", "ghp_0123456789abcdefghij"),
            ("X", "aB3dE6gH9jK2mN5pQ8sT1v"),
            ("X", "0123456789abcdef0123456789abcdef"),
            ("DATABASE", "postgres://me:correct@h/db"),
        ] {
            let said = masked(&[(name, value)], &format!("error: {value} is refused"));
            assert_eq!(said, "error: (hidden) is refused", "{name}={value}");
        }
        for (value, part) in [
            ("postgres://me:correct@h/db", "correct"),
            ("postgres://me:c/rr@ct@h/db", "c/rr@ct"),
            (r#"{"Authorization": "Bearer tok-SECRET-1"}"#, "tok-SECRET-1"),
            (r#"{"user": "me", "password": "hunter2"}"#, "hunter2"),
            ("Server=h;Password=hunter2;Port=1", "hunter2"),
            ("https://h/mcp?key=q-SECRET-5", "q-SECRET-5"),
            ("aB3dE6gH9jK2mN5pQ8sT1v,bB3dE6gH9jK2mN5pQ8sT1v", "bB3dE6gH9jK2mN5pQ8sT1v"),
        ] {
            let said = masked(&[("SETTINGS", value)], &format!("no: {part}!"));
            assert_eq!(said, "no: (hidden)!", "{value}");
        }
    }

    #[test]
    fn case_security_010_what_arguments_say_is_a_secret_is_hidden() {
        let args = ["--port", "8080", "--api-key", "k-1234", "--token=t-5678", "-v", "ghp_0123456789abcdefghij"];
        let mut mask = Mask::new(secrets(&[], &args.map(OsString::from)));
        let said = mask.line(&format!("{args:?}"), false).unwrap();
        let shown = r#"["--port", "8080", "--api-key", "(hidden)", "--token=(hidden)", "-v", "(hidden)"]"#;
        assert_eq!(said, shown);
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for (name, value) in [
            ("DEBUG", "true"),
            ("PATH", "/usr/local/bin:/usr/bin"),
            ("PWD", "/home/me/project"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key-2026.json"),
            ("SSH_AUTH_SOCK", "/tmp/ssh-XXXXabcdef12/agent.99"),
            ("MAX_TOKENS", "4096"),
            ("AUTH_REQUIRED", "true"),
            ("MODEL", "claude-opus-4-1-20250805"),
            ("BASE_URL", "https://user@api.example.com:8443/v1/things"),
            ("SETTINGS", r#"{"level": "info", "file": "/var/log/Server1/output.log"}"#),
            ("TMPDIR", "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/"),
            ("PWD", "/Users/me/CustomerPortal2024Backend"),
            ("HOME", r"C:\Users\CustomerPortal2024Backend"),
            ("REGISTRY", "https://h:4873/@scope/pkg@1.0"),
            ("PACKAGE", "https://h/npm:package@1.0"),
            ("AUTH_MODE", "basic"),
            ("AUTH", "oauth"),
            ("SSH_KEY_TYPE", "ed25519"),
            ("TOKEN_LIMIT", "200000"),
            ("MAX_TOKENS", "200000"),
        ] {
            let text = format!("using {value} and info /var/log/Server1/output.log");
            assert_eq!(masked(&[(name, value)], &text), text, "{name}={value}");
            // `--pwd` is a password.
            if name == "PWD" {
                continue;
            }
            let argument = secrets(&[], &[format!("--{}", name.to_ascii_lowercase()).into(), value.into()]);
            assert_eq!(Mask::new(argument).line(&text, false).as_deref(), Some(&*text), "--{name} {value}");
        }
    }

    #[test]
    fn what_says_where_a_secret_is_hides_it_by_name_all_the_same() {
        for (name, value) in [
            ("API_TOKEN", "/aB3dE6gH9jK2mN5pQ8sT1v"),
            ("LIMITED_KEY", "hunter2"),
            ("MAX_API_KEY", "hunter2"),
            ("TOKEN_LIMIT", "aB3dE6gH9jK2mN5pQ8sT1v"),
            ("AUTH", "hunter2"),
            ("DATABASE", "postgres://me:1234/x@h/db"),
        ] {
            assert_eq!(masked(&[(name, value)], &format!("no: {value}!")), "no: (hidden)!", "{name}={value}");
        }
    }

    #[test]
    fn case_security_010_a_password_of_an_address_is_hidden_as_it_is_read_too() {
        let env = [("DATABASE", "postgres://me:c%40rr%2Fect%zz@h/db")];
        assert_eq!(masked(&env, "no: c@rr/ect%zz, c%40rr%2Fect%zz"), "no: (hidden), (hidden)");
    }

    #[test]
    fn a_key_is_hidden_among_lines_of_others_and_behind_the_words_of_a_log() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        let text = format!(
            "-----BEGIN PRIVATE KEY-----\n{line}\nrequest 7 took 3 ms\n{line}\nready\n{line}\naB==\n\
             -----END PRIVATE KEY-----\nbehind"
        );
        assert_eq!(masked(&[], &text), format!("{KEY}\nrequest 7 took 3 ms\nready\nbehind"));
        let text = format!("-----BEGIN PRIVATE KEY-----\n{line}\naB3dE6\n-----END PRIVATE KEY-----");
        let logged: Vec<_> = text.lines().map(|line| format!("10:00 INFO {line}")).collect();
        assert_eq!(masked(&[], &logged.join("\n")), format!("10:00 INFO {KEY}"));
        let open = format!("-----BEGIN PRIVATE KEY-----\n{}{line}", "not of it\n".repeat(OTHER_LINES + 1));
        assert!(masked(&[], &open).ends_with(line));
    }

    #[test]
    fn a_key_that_is_printed_line_by_line_is_hidden_until_its_end() {
        let lines = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(3);
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
            let text = format!("before\nkey: -----BEGIN {label}-----\n{lines}aB==\n-----END {label}-----\nbehind");
            assert_eq!(masked(&[], &text), format!("before\nkey: {KEY}\nbehind"), "{label}");
        }
        let logged = format!("-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----");
        let logged = logged.lines().map(|line| format!("10:00 INFO {line}")).collect::<Vec<_>>().join("\n");
        assert_eq!(masked(&[], &logged), format!("10:00 INFO {KEY}"));
        let one = r#"{"key":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n","n":1}"#;
        assert_eq!(masked(&[], one), format!(r#"{{"key":"{KEY}\n","n":1}}"#));
    }

    #[test]
    fn what_is_no_key_ends_it_and_one_without_end_is_bounded() {
        let text = "a key begins with -----BEGIN PRIVATE KEY-----, and this one does not\nset KEY and try again";
        let shown = format!("a key begins with {KEY}\nset KEY and try again");
        assert_eq!(masked(&[], text), shown);
        let open = format!("-----BEGIN PRIVATE KEY-----\n{}", "aB3dE6gH\n".repeat(KEY_LINES + 2));
        assert_eq!(masked(&[], &open), format!("{KEY}\naB3dE6gH\naB3dE6gH"));
        let public = "-----BEGIN CERTIFICATE-----\naB3dE6gH\n-----BEGIN PUBLIC KEY-----\naB3d";
        assert_eq!(masked(&[], public), public);
    }

    #[test]
    fn a_value_of_many_lines_is_hidden_line_by_line_and_a_cut_one_to_its_cut() {
        let value = "-----BEGIN THING-----\nfirst-part-of-it\nsecond-part-of-it\n-----END THING-----";
        assert_eq!(masked(&[("THING", value)], "x first-part-of-it\ny second-part-of-it"), "x (hidden)\ny (hidden)");
        let env = [("TOKEN".into(), "tok-SECRET-1234".into())];
        assert_eq!(Mask::new(secrets(&env, &[])).line("no tok-SECRET-1", true).as_deref(), Some("no (hidden)"));
    }
}
