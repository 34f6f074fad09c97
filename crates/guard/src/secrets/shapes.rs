//! The shapes of the credentials of well-known services.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

/// Which bytes a credential is of.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `-` and `_`.
    Word,
    /// Word, and slashes.
    Path,
    /// Word, and dots between its parts.
    Dotted,
    /// Capital letters and digits.
    Upper,
    /// Hexadecimal digits in lower case.
    Hex,
    /// Base64, padding included.
    Base64,
}

impl Of {
    const fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
        }
    }
}

/// One shape: how it begins, what follows, and how much of that at least and at most.
#[derive(Debug)]
struct Shape {
    rule: &'static str,
    begins: &'static str,
    of: Of,
    least: usize,
    most: usize,
}

const fn shape(rule: &'static str, begins: &'static str, of: Of, least: usize, most: usize) -> Shape {
    Shape { rule, begins, of, least, most }
}

const SHAPES: &[Shape] = &[
    shape("anthropic-key", "sk-ant-", Of::Word, 24, 200),
    shape("aws-key", "AKIA", Of::Upper, 16, 16),
    shape("aws-key", "ASIA", Of::Upper, 16, 16),
    shape("azure-key", "AccountKey=", Of::Base64, 40, 120),
    shape("azure-key", "SharedAccessKey=", Of::Base64, 40, 120),
    shape("atlassian-token", "ATATT3", Of::Word, 60, 300),
    shape("databricks-token", "dapi", Of::Hex, 32, 40),
    shape("digitalocean-token", "dop_v1_", Of::Hex, 64, 64),
    shape("discord-webhook", "discord.com/api/webhooks/", Of::Path, 60, 120),
    shape("docker-token", "dckr_pat_", Of::Word, 20, 60),
    shape("github-token", "ghp_", Of::Alnum, 36, 255),
    shape("github-token", "gho_", Of::Alnum, 36, 255),
    shape("github-token", "ghu_", Of::Alnum, 36, 255),
    shape("github-token", "ghs_", Of::Alnum, 36, 255),
    shape("github-token", "ghr_", Of::Alnum, 36, 255),
    shape("github-token", "github_pat_", Of::Word, 60, 255),
    shape("gitlab-token", "glpat-", Of::Dotted, 20, 300),
    shape("gitlab-token", "gldt-", Of::Dotted, 20, 300),
    shape("gitlab-token", "glrt-", Of::Dotted, 20, 300),
    shape("google-key", "AIza", Of::Word, 35, 35),
    shape("google-secret", "GOCSPX-", Of::Word, 28, 28),
    shape("google-token", "ya29.", Of::Dotted, 40, 2_048),
    shape("figma-token", "figd_", Of::Word, 36, 60),
    shape("grafana-token", "glsa_", Of::Word, 32, 60),
    shape("groq-key", "gsk_", Of::Alnum, 48, 60),
    shape("huggingface-token", "hf_", Of::Alnum, 34, 40),
    shape("linear-key", "lin_api_", Of::Alnum, 40, 60),
    shape("notion-token", "ntn_", Of::Alnum, 40, 60),
    shape("npm-token", "npm_", Of::Alnum, 36, 36),
    shape("openai-key", "sk-proj-", Of::Word, 40, 220),
    shape("openai-key", "sk-svcacct-", Of::Word, 40, 220),
    shape("openai-key", "sk-admin-", Of::Word, 40, 220),
    shape("openai-key", "sk-", Of::Alnum, 48, 60),
    shape("openrouter-key", "sk-or-v1-", Of::Hex, 64, 64),
    shape("perplexity-key", "pplx-", Of::Alnum, 40, 60),
    shape("postman-key", "PMAK-", Of::Word, 50, 70),
    shape("pypi-token", "pypi-AgE", Of::Word, 50, 300),
    shape("replicate-token", "r8_", Of::Alnum, 37, 40),
    shape("sendgrid-key", "SG.", Of::Dotted, 60, 70),
    shape("shopify-token", "shpat_", Of::Hex, 32, 32),
    shape("slack-token", "xoxb-", Of::Word, 24, 120),
    shape("slack-token", "xoxp-", Of::Word, 24, 120),
    shape("slack-token", "xoxa-", Of::Word, 24, 120),
    shape("slack-token", "xoxr-", Of::Word, 24, 120),
    shape("slack-token", "xoxs-", Of::Word, 24, 120),
    shape("slack-token", "xapp-", Of::Word, 24, 120),
    shape("slack-webhook", "hooks.slack.com/services/", Of::Base64, 40, 80),
    shape("stripe-key", "sk_live_", Of::Alnum, 24, 120),
    shape("stripe-key", "rk_live_", Of::Alnum, 24, 120),
    shape("stripe-key", "sk_test_", Of::Alnum, 24, 120),
    shape("stripe-secret", "whsec_", Of::Base64, 32, 80),
    shape("supabase-token", "sbp_", Of::Hex, 40, 40),
    shape("tavily-key", "tvly-", Of::Word, 30, 60),
    shape("vault-token", "hvs.", Of::Word, 24, 200),
    shape("xai-key", "xai-", Of::Alnum, 60, 100),
];

/// Which test a beginning leads to.
#[derive(Debug, Clone, Copy)]
enum Test {
    Shape(&'static Shape),
    /// A JSON web token: three parts, of which two begin as JSON does.
    Jwt,
    /// A private key between its lines.
    Pem,
}

static TABLE: LazyLock<(AhoCorasick, Vec<Test>)> = LazyLock::new(|| {
    let begins = SHAPES.iter().map(|shape| (shape.begins, Test::Shape(shape)));
    let all: Vec<(&str, Test)> = begins.chain([("eyJ", Test::Jwt), ("-----BEGIN ", Test::Pem)]).collect();
    #[expect(clippy::expect_used, reason = "the patterns are those above, and a test builds the automaton")]
    let automaton = AhoCorasickBuilder::new()
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::LeftmostLongest)
        .build(all.iter().map(|(begins, _)| begins))
        .expect("an automaton of a few hundred states");
    (automaton, all.into_iter().map(|(_, test)| test).collect())
});

/// Tells where a text has a credential of a known shape, in order and apart from one another.
pub(super) fn scan(text: &str, found: &mut dyn FnMut(&'static str, Range<usize>)) {
    let (automaton, tests) = &*TABLE;
    let bytes = text.as_bytes();
    let mut done = 0;
    for begins in automaton.find_iter(text) {
        let at = begins.start();
        let Some(test) = tests.get(begins.pattern().as_usize()).filter(|_| at >= done) else { continue };
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        // Within a longer word it is none; what is written as `\n` ends a word too.
        let begins_word = before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-'));
        let rest = bytes.get(begins.end()..).unwrap_or_default();
        let (rule, end) = match test {
            Test::Shape(shape) if begins_word => {
                let len = rest.iter().take(shape.most + 1).take_while(|byte| shape.of.has(**byte)).count();
                if len < shape.least || len > shape.most || is_dull(rest.get(..len).unwrap_or_default()) {
                    continue;
                }
                (shape.rule, begins.end() + len)
            }
            Test::Jwt if begins_word => match jwt_len(bytes.get(at..).unwrap_or_default()) {
                Some(len) => ("json-web-token", at + len),
                None => continue,
            },
            Test::Pem => match pem_len(text.get(at..).unwrap_or_default()) {
                Some(len) => ("private-key", at + len),
                None => continue,
            },
            _ => continue,
        };
        found(rule, at..end);
        done = end;
    }
}

/// Whether a value is a row of one character or of few, as placeholders in documentation are.
fn is_dull(value: &[u8]) -> bool {
    let head = value.get(..24).unwrap_or(value);
    let mut seen = [false; 256];
    for byte in head {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    seen.iter().filter(|seen| **seen).count() < 6
}

/// How long a JSON web token is.
fn jwt_len(bytes: &[u8]) -> Option<usize> {
    const MAX: usize = 16 * 1024;
    let mut parts = [0_usize; 3];
    let mut at = 0;
    for (index, part) in parts.iter_mut().enumerate() {
        *part = bytes.get(at..)?.iter().take(MAX).take_while(|byte| Of::Word.has(**byte)).count();
        at += *part;
        if index < 2 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
    }
    let [header, claims, signature] = parts;
    let claims_begin = bytes.get(header + 1..)?.starts_with(b"eyJ");
    (header >= 10 && claims >= 10 && claims_begin && signature >= 10).then_some(at)
}

/// How long a private key in PEM is; up to the end of the text where its last line is missing.
fn pem_len(text: &str) -> Option<usize> {
    const MAX: usize = 32 * 1024;
    let label_end = text.get(11..)?.bytes().take(40).position(|byte| byte == b'-')? + 11;
    let label = text.get(11..label_end)?;
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let body = text.as_bytes().get(label_end..)?;
    let body = body.get(..MAX).unwrap_or(body);
    let end = memchr::memmem::find(body, b"-----END ").and_then(|end| {
        let behind = body.get(end + 9..)?.iter().take(60).position(|byte| *byte == b'-')?;
        let dashes = body.get(end + 9 + behind..)?.iter().take_while(|byte| **byte == b'-').count();
        Some(label_end + end + 9 + behind + dashes)
    });
    let mut end = end.unwrap_or(label_end + body.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, &str)> {
        let mut all = Vec::new();
        scan(text, &mut |rule, span| all.push((rule, &text[span])));
        all
    }

    /// Put together here, so that no scanner of this repository takes them for real ones.
    pub(crate) fn samples() -> Vec<(&'static str, String)> {
        let word = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6lM9oP2rS5uV8xA1cD4fG7iL0nQ3tU6wX9z";
        let hex = "0123456789abcdef".repeat(4);
        let cut = |begins: &str, len: usize| format!("{begins}{}", &word[..len]);
        vec![
            ("anthropic-key", cut("sk-ant-", 60)),
            ("aws-key", format!("AKIA{}", &word.to_uppercase()[..16])),
            ("azure-key", cut("AccountKey=", 64) + "=="),
            ("digitalocean-token", format!("dop_v1_{hex}")),
            ("github-token", cut("ghp_", 36)),
            ("github-token", cut("github_pat_", 22) + "_" + &word[..59]),
            ("gitlab-token", cut("glpat-", 20)),
            ("google-key", cut("AIza", 35)),
            ("huggingface-token", cut("hf_", 34)),
            ("npm-token", cut("npm_", 36)),
            ("openai-key", cut("sk-proj-", 60)),
            ("openai-key", cut("sk-", 48)),
            ("atlassian-token", cut("ATATT3", 70)),
            ("discord-webhook", cut("discord.com/api/webhooks/123456789012345678/", 60)),
            ("figma-token", cut("figd_", 40)),
            ("groq-key", cut("gsk_", 52)),
            ("openrouter-key", format!("sk-or-v1-{hex}")),
            ("perplexity-key", cut("pplx-", 48)),
            ("postman-key", format!("PMAK-{}-{}", &hex[..24], &hex[..34])),
            ("replicate-token", cut("r8_", 37)),
            ("supabase-token", format!("sbp_{}", &hex[..40])),
            ("tavily-key", cut("tvly-dev-", 32)),
            ("xai-key", cut("xai-", 70)),
            ("pypi-token", cut("pypi-AgE", 60)),
            ("sendgrid-key", cut("SG.", 22) + "." + &word[..43]),
            ("slack-token", cut("xoxb-", 40)),
            ("slack-webhook", cut("hooks.slack.com/services/T0/", 40)),
            ("stripe-key", cut("sk_live_", 24)),
            ("json-web-token", format!("eyJ{}.eyJ{}.{}", &word[..20], &word[..30], &word[..43])),
            ("private-key", format!("-----BEGIN PGP {0}-----\n\n{word}\n-----END PGP {0}-----", "PRIVATE KEY BLOCK")),
            ("private-key", format!("-----BEGIN RSA {0}-----\n{word}\n-----END RSA {0}-----", "PRIVATE KEY")),
        ]
    }

    #[test]
    fn each_shape_is_found_whole() {
        for (rule, secret) in samples() {
            let text = format!("use \"{secret}\", please");
            assert_eq!(found(&text), [(rule, secret.as_str())]);
        }
    }

    #[test]
    fn what_only_begins_so_is_clean() {
        for text in [
            "ghp_short",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "task-analysis-of-the-whole-project-and-more-of-it",
            "sk-learn and risk-adjusted",
            "AKIAcamelcase and MAKIAAAAAAAAAAAAAAAAAA",
            "eyJhbGciOiJIUzI1NiJ9",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----",
            "hf_hub_download(repo_id)",
            "npm_config_registry",
            "SG.example.com",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_key_without_its_end_goes_up_to_the_end() {
        let text = format!("a -----BEGIN {}-----\nMIIE", "PRIVATE KEY");
        assert_eq!(found(&text), [("private-key", &text[2..])]);
    }
}
