//! Other words for what people say: tools are named by a few words of their trade.

use std::borrow::Cow;

/// How much of a question is looked at, in words.
const MOST: usize = 32;

/// What people say, and the words that tools have for it. Sorted.
const OTHERS: &[(&str, &str)] = &[
    ("admin", "role"),
    ("answer", "reply"),
    ("appointment", "event"),
    ("bug", "issue"),
    ("bugs", "issue"),
    ("chat", "message"),
    ("delete", "remove"),
    ("directory", "folder"),
    ("doc", "document"),
    ("done", "complete"),
    ("email", "mail message"),
    ("erase", "delete"),
    ("file", "document"),
    ("finish", "complete"),
    ("finished", "complete"),
    ("folder", "directory"),
    ("free", "availability"),
    ("hide", "archive"),
    ("hours", "time"),
    ("look", "search"),
    ("mail", "email message"),
    ("meeting", "event"),
    ("member", "user role"),
    ("moderator", "role"),
    ("mr", "merge request"),
    ("music", "track playback"),
    ("page", "document"),
    ("people", "user"),
    ("person", "user contact"),
    ("photo", "image"),
    ("picture", "image"),
    ("post", "message"),
    ("pr", "pull request"),
    ("remove", "delete"),
    ("repo", "repository"),
    ("say", "send message"),
    ("send", "message"),
    ("song", "track"),
    ("tell", "send message"),
    ("text", "message"),
    ("undo", "revert restore"),
    ("where", "search"),
    ("write", "create"),
];

/// A question with other words for what it says behind it.
pub(super) fn with_others(question: &str) -> Cow<'_, str> {
    let words = question.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let others = words.take(MOST).filter_map(|word| {
        let word = word.to_lowercase();
        let at = OTHERS.binary_search_by(|(known, _)| (*known).cmp(&word)).ok()?;
        OTHERS.get(at).map(|(_, others)| *others)
    });
    let mut whole = Cow::Borrowed(question);
    for other in others {
        let whole = whole.to_mut();
        whole.push(' ');
        whole.push_str(other);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_order_and_stand_behind_the_question() {
        assert!(OTHERS.is_sorted_by(|(one, _), (other, _)| one < other));
        assert_eq!(with_others("File a Bug, please"), "File a Bug, please document issue");
        assert!(matches!(with_others("scale the deployment"), Cow::Borrowed(_)));
    }
}
