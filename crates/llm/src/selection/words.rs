//! What a person says, in the words that tools are named by.

/// Words of people, and the verbs that tools have for them. Servers name tools by a small set of verbs; people do not.
const SAYINGS: &[(&[&str], &str)] = &[];

/// The question, with the verbs added that tools may have for its own.
pub(super) fn widen(question: &str) -> String {
    let lower = question.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut wide = question.to_owned();
    for (said, verbs) in SAYINGS {
        if said.iter().any(|said| holds(&words, said)) {
            wide.push(' ');
            wide.push_str(verbs);
        }
    }
    wide
}

/// Whether the words hold this saying, which may be of several words.
fn holds(words: &[&str], saying: &str) -> bool {
    let saying: Vec<&str> = saying.split(' ').collect();
    words.windows(saying.len()).any(|window| window == saying)
}
