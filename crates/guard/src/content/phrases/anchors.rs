//! Where words begin that may be meant for a model: one automaton finds all of them in one pass.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, PatternID, StartKind};

use super::Role;
use super::neighbours::{Words, is_followed};

/// What an anchor may turn out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// Away with what was said before.
    Override,
    /// Behind the back of the person.
    Secrecy,
    /// The same, with a word for telling next.
    Untold,
    /// Marks that set apart who speaks.
    ChatMarkup,
    /// A tag that makes words sound important.
    Tag,
    /// The conversation, or the prompt, is to be handed over.
    Conversation,
    /// A file with credentials.
    Credentials,
    /// A file that may have some.
    Settings,
    /// What is to be done with other tools.
    OtherTools,
    /// What models are called: a comment that does so speaks to them.
    Model,
    /// A comment of HTML.
    Comment,
    /// What Markdown shows to nobody.
    MarkdownComment,
    /// What HTML shows to nobody.
    Unseen,
    MarkdownLink,
    HtmlLink,
    DataUrl,
}

/// Beginnings that are looked for everywhere.
const ANYWHERE: &[(&str, Test)] = &[
    ("ignore", Test::Override),
    ("disregard", Test::Override),
    ("forget", Test::Override),
    ("override", Test::Override),
    ("not", Test::Untold),
    ("n't", Test::Untold),
    ("n’t", Test::Untold),
    ("never", Test::Untold),
    ("without", Test::Untold),
    ("hide", Test::Secrecy),
    ("conceal", Test::Secrecy),
    ("keep", Test::Secrecy),
    ("secretly", Test::Secrecy),
    ("<|im_", Test::ChatMarkup),
    ("<|system|>", Test::ChatMarkup),
    ("<|user|>", Test::ChatMarkup),
    ("<|assistant|>", Test::ChatMarkup),
    ("<|endoftext|>", Test::ChatMarkup),
    ("<|eot_id|>", Test::ChatMarkup),
    ("<|start_header_id|>", Test::ChatMarkup),
    ("[inst]", Test::ChatMarkup),
    ("[/inst]", Test::ChatMarkup),
    // As it may stand in JSON.
    ("[\\/inst]", Test::ChatMarkup),
    ("<<sys>>", Test::ChatMarkup),
    ("<|begin_of_text|>", Test::ChatMarkup),
    ("<|channel|>", Test::ChatMarkup),
    ("<start_of_turn>", Test::ChatMarkup),
    ("<end_of_turn>", Test::ChatMarkup),
    ("<function_calls>", Test::ChatMarkup),
    ("<function_results>", Test::ChatMarkup),
    ("<|start|>", Test::ChatMarkup),
    ("<|message|>", Test::ChatMarkup),
    ("<|header_start|>", Test::ChatMarkup),
    ("<|eom_id|>", Test::ChatMarkup),
    ("<｜user｜>", Test::ChatMarkup),
    ("<｜assistant｜>", Test::ChatMarkup),
    ("<｜begin▁of▁sentence｜>", Test::ChatMarkup),
    ("<｜end▁of▁sentence｜>", Test::ChatMarkup),
    ("<｜tool", Test::ChatMarkup),
    ("<important", Test::Tag),
    ("<critical", Test::Tag),
    ("<secret", Test::Tag),
    ("<hidden", Test::Tag),
    ("<system", Test::Tag),
    ("<instruction", Test::Tag),
    ("<admin", Test::Tag),
    ("conversation", Test::Conversation),
    ("chat", Test::Conversation),
    ("system", Test::Conversation),
    ("assistant", Test::Model),
    ("agent", Test::Model),
    ("llm", Test::Model),
    ("model", Test::Model),
    ("<!--", Test::Comment),
    ("](", Test::MarkdownLink),
    ("<a ", Test::HtmlLink),
    ("data:", Test::DataUrl),
];

/// Beginnings that matter only where text speaks.
const WHERE_IT_SPEAKS: &[(&str, Test)] = &[
    (".ssh/", Test::Credentials),
    ("id_rsa", Test::Credentials),
    ("id_ed25519", Test::Credentials),
    ("id_ecdsa", Test::Credentials),
    (".aws/credentials", Test::Credentials),
    ("/etc/passwd", Test::Credentials),
    ("/etc/shadow", Test::Credentials),
    (".netrc", Test::Credentials),
    (".git-credentials", Test::Credentials),
    (".kube/config", Test::Credentials),
    (".gnupg", Test::Credentials),
    (".docker/config.json", Test::Credentials),
    ("/proc/self/environ", Test::Credentials),
    ("claude_desktop_config", Test::Credentials),
    ("mcp.json", Test::Credentials),
    ("wallet.dat", Test::Credentials),
    (".aws\\credentials", Test::Credentials),
    (".config/gh/hosts", Test::Credentials),
    (".claude.json", Test::Credentials),
    (".vault-token", Test::Credentials),
    (".bash_history", Test::Credentials),
    (".zsh_history", Test::Credentials),
    ("application_default_credentials", Test::Credentials),
    ("login.keychain", Test::Credentials),
    (".pypirc", Test::Settings),
    (".npmrc", Test::Settings),
    (".env", Test::Settings),
    ("[//]:", Test::MarkdownComment),
    ("[comment]:", Test::MarkdownComment),
    ("display:none", Test::Unseen),
    ("display: none", Test::Unseen),
    ("visibility:hidden", Test::Unseen),
    ("visibility: hidden", Test::Unseen),
    ("font-size:0", Test::Unseen),
    ("font-size: 0", Test::Unseen),
    ("opacity:0", Test::Unseen),
    ("opacity: 0", Test::Unseen),
    ("tool", Test::OtherTools),
];

/// Words one of which follows an anchor that is worth a closer look; none for one that always is.
fn next_words(anchor: &str) -> Option<&'static Words> {
    static VERBS: Words =
        Words::of(&["tell", "mention", "inform", "notify", "reveal", "disclose", "alert", "let", "ever"]);
    static DOING: Words = Words::of(&["telling", "mentioning", "informing", "notifying"]);
    static KEPT: Words = Words::of(&["this", "it", "that"]);
    static HISTORY: Words = Words::of(&["history"]);
    static PROMPT: Words = Words::of(&["prompt"]);
    // What can follow in the expression for each of them.
    static TOLD: Words = Words::of(&[
        "about",
        "above",
        "all",
        "and",
        "any",
        "anything",
        "developer",
        "earlier",
        "every",
        "everything",
        "foregoing",
        "given",
        "guardrails",
        "guidelines",
        "instructions",
        "of",
        "original",
        "other",
        "preceding",
        "previous",
        "prior",
        "restrictions",
        "safety",
        "system",
        "the",
        "these",
        "this",
        "those",
        "user",
        "users",
        "what",
        "your",
    ]);
    Some(match anchor {
        "ignore" | "disregard" | "forget" | "override" => &TOLD,
        "not" | "n't" | "n’t" | "never" => &VERBS,
        "without" => &DOING,
        "keep" => &KEPT,
        "chat" => &HISTORY,
        "system" => &PROMPT,
        _ => return None,
    })
}

/// The automaton of a kind of text.
#[derive(Debug)]
pub(super) struct Anchors {
    automaton: DFA,
    start: StateID,
    /// What each may turn out to be, its length, and the words one of which has to follow.
    tests: Vec<(Test, usize, Option<&'static Words>)>,
}

impl Anchors {
    #[expect(clippy::expect_used, reason = "the patterns are those above, and a test builds both automata")]
    fn new(anchors: &[&[(&str, Test)]]) -> Self {
        let all = || anchors.iter().copied().flatten();
        let automaton = DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(all().map(|(anchor, _)| anchor))
            .expect("an automaton of a few hundred states");
        let start = automaton.start_state(Anchored::No).expect("it has no other start");
        Self {
            automaton,
            start,
            tests: all().map(|(anchor, test)| (*test, anchor.len(), next_words(anchor))).collect(),
        }
    }

    /// Whether a text has any of the anchors, worth a closer look or not.
    pub(super) fn has(&self, text: &str) -> bool {
        let mut state = self.start;
        text.bytes().any(|byte| {
            state = self.automaton.next_state(Anchored::No, state, byte);
            self.automaton.is_special(state) && self.automaton.is_match(state)
        })
    }

    /// The anchors that are worth a closer look, of a text or of a string of JSON as it is written.
    pub(super) fn find<'t>(&self, text: &'t str) -> impl Iterator<Item = (Test, Range<usize>)> + use<'_, 't> {
        let bytes = text.as_bytes();
        let is_ascii = text.is_ascii();
        let mut from = (0, self.start);
        // Each byte waits for the one before, so there are two loops, of which each leaves out what it can.
        std::iter::from_fn(
            move || {
                if is_ascii { self.next_in_ascii(bytes, &mut from) } else { self.next(bytes, &mut from) }
            },
        )
    }

    /// The next anchor from a place on, which moves behind it. The automaton is walked by hand: where anchors are dense, to
    /// begin a search anew behind each costs more than all else.
    fn next_in_ascii(&self, bytes: &[u8], from: &mut (usize, StateID)) -> Option<(Test, Range<usize>)> {
        let (mut at, mut state) = *from;
        while let Some(byte) = bytes.get(at) {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            at += 1;
            if !self.automaton.is_special(state) || !self.automaton.is_match(state) {
                continue;
            }
            let found = self.worth(self.automaton.match_pattern(state, 0), bytes, at);
            if found.is_some() {
                *from = (at, self.behind(found.as_ref(), state));
                return found;
            }
            state = self.start;
        }
        *from = (at, self.start);
        None
    }

    /// Where the automaton goes on behind an anchor: anew, but for one that stands within another.
    fn behind(&self, found: Option<&(Test, Range<usize>)>, state: StateID) -> StateID {
        if matches!(found, Some((Test::Model, _))) { state } else { self.start }
    }

    /// As [`next_in_ascii`](Self::next_in_ascii), in any text.
    fn next(&self, bytes: &[u8], from: &mut (usize, StateID)) -> Option<(Test, Range<usize>)> {
        let (mut at, mut state) = *from;
        while let Some(byte) = bytes.get(at) {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            at += 1;
            if !byte.is_ascii() && state == self.start {
                // No anchor begins with another script, and what begins with one goes on in it.
                at += bytes.get(at..).unwrap_or_default().iter().take_while(|byte| !byte.is_ascii()).count();
            } else if self.automaton.is_special(state) && self.automaton.is_match(state) {
                let found = self.worth(self.automaton.match_pattern(state, 0), bytes, at);
                if found.is_some() {
                    *from = (at, self.behind(found.as_ref(), state));
                    return found;
                }
                state = self.start;
            }
        }
        *from = (at, self.start);
        None
    }

    /// The anchor that ends at a place, where it is worth a closer look.
    #[inline]
    fn worth(&self, pattern: PatternID, bytes: &[u8], at: usize) -> Option<(Test, Range<usize>)> {
        let (test, len, words) = self.tests.get(pattern.as_usize())?;
        words.is_none_or(|words| is_followed(bytes, at, words)).then(|| (*test, at.saturating_sub(*len)..at))
    }

    pub(super) fn of(role: Role) -> &'static Self {
        static SPEECH: LazyLock<Anchors> = LazyLock::new(|| Anchors::new(&[ANYWHERE, WHERE_IT_SPEAKS]));
        static DATA: LazyLock<Anchors> = LazyLock::new(|| Anchors::new(&[ANYWHERE]));
        if role.speaks() { &SPEECH } else { &DATA }
    }
}
