//! What is done about what is found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kind;
use super::hit::{Hit, Role};
use crate::finding::Severity;

/// What is done about something odd. Later ones are stronger, and the strongest of a text counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// It is told, and goes on as it is.
    Note,
    /// It goes on with a word before the text that says what is odd about it.
    Mark,
    /// It goes on without the odd part: hidden characters are gone, in the place of a passage stands `[removed: …]`, and
    /// what is too large is cut.
    Strip,
    /// Nothing goes on: the call fails with a word about why.
    Block,
}

/// What is done about which findings, and how large things may be.
///
/// Written as a table of TOML, in the words of the fields with `-` for `_`; unknown keys are refused.
///
/// ```
/// use bowline_guard::content::{Action, Kind, Rules};
///
/// let rules: Rules = serde_json::from_str(r#"{"high": "block", "kinds": {"data-url": "note"}}"#)?;
/// assert_eq!((rules.high, rules.kinds[&Kind::DataUrl]), (Action::Block, Action::Note));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Rules {
    /// For findings of low severity. Default: note. Those of severity note are always noted.
    pub low: Action,
    /// For findings of medium severity. Default: mark.
    pub medium: Action,
    /// For findings of high severity. Default: strip.
    pub high: Action,
    /// For kinds of findings, whatever their severity. By default, characters that nobody sees are stripped but for those
    /// of low severity without width, which some scripts need; what is too large is cut, and images and icons that are not
    /// allowed are emptied; all else goes by severity.
    pub kinds: BTreeMap<Kind, Action>,
    /// The longest text of a definition, in bytes. Default: 65,536.
    pub definition_bytes: usize,
    /// The longest text of a definition, in estimated tokens. Default: 10,000.
    pub definition_tokens: usize,
    /// The longest text of a result, in bytes. Default: 10 MiB.
    pub result_bytes: usize,
    /// The longest text of a result, in estimated tokens: one for four bytes of ASCII, one for each other character.
    /// Default: no limit.
    pub result_tokens: Option<usize>,
    /// The largest image, in bytes. Default: 10 MiB.
    pub image_bytes: usize,
    /// The media types of images that are allowed. Default: PNG, JPEG, GIF and WebP.
    pub image_types: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            low: Action::Note,
            medium: Action::Mark,
            high: Action::Strip,
            kinds: BTreeMap::new(),
            definition_bytes: 64 << 10,
            definition_tokens: 10_000,
            result_bytes: 10 << 20,
            result_tokens: None,
            image_bytes: 10 << 20,
            image_types: ["image/png", "image/jpeg", "image/gif", "image/webp"].map(str::to_owned).to_vec(),
        }
    }
}

impl Rules {
    /// Tells everything, and changes nothing.
    pub fn noting() -> Self {
        let kinds = Kind::ALL.iter().map(|kind| (*kind, Action::Note)).collect();
        Self { low: Action::Note, medium: Action::Note, high: Action::Note, kinds, ..Self::default() }
    }

    /// Sets what is done about a kind.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind, action: Action) -> Self {
        self.kinds.insert(kind, action);
        self
    }

    /// Sets what is done about findings of high severity.
    #[must_use]
    pub const fn with_high(mut self, action: Action) -> Self {
        self.high = action;
        self
    }

    /// What is done about one hit.
    pub(super) fn action(&self, hit: &Hit) -> Action {
        if let Some(action) = self.kinds.get(&hit.kind) {
            return *action;
        }
        let may_be_needed = hit.kind == Kind::InvisibleCharacters && hit.severity <= Severity::Low;
        let is_limit = matches!(hit.kind, Kind::IconSource | Kind::Media | Kind::Oversized);
        if (hit.kind.is_of_characters() && !may_be_needed) || is_limit {
            return Action::Strip;
        }
        match hit.severity {
            Severity::Note => Action::Note,
            Severity::Low => self.low,
            Severity::Medium => self.medium,
            Severity::High => self.high,
        }
    }

    /// How long a text may be, in bytes and in tokens.
    pub(super) const fn limits(&self, role: Role) -> (usize, Option<usize>) {
        match role {
            Role::Name => (256, None),
            Role::Definition | Role::Asked => (self.definition_bytes, Some(self.definition_tokens)),
            Role::Data | Role::Word { .. } | Role::Plain => (self.result_bytes, self.result_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_with_an_unknown_word_are_refused() {
        for json in [r#"{"hihg":"block"}"#, r#"{"high":"explode"}"#, r#"{"kinds":{"data":"note"}}"#] {
            assert!(serde_json::from_str::<Rules>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_kind_wins_over_its_severity() {
        let hit = |kind, severity| Hit { kind, severity, span: 0..0, what: "" };
        let rules = Rules::default().with_kind(Kind::Instructions, Action::Block);
        assert_eq!(rules.action(&hit(Kind::Instructions, Severity::Low)), Action::Block);
        assert_eq!(rules.action(&hit(Kind::HtmlComment, Severity::Medium)), Action::Mark);
        assert_eq!(rules.action(&hit(Kind::EscapeSequence, Severity::Low)), Action::Strip);
        assert_eq!(rules.action(&hit(Kind::InvisibleCharacters, Severity::Low)), Action::Note);
        assert_eq!(Rules::noting().action(&hit(Kind::TagCharacters, Severity::High)), Action::Note);
    }
}
