//! Other words for what people say: tools are named by a few words of their trade.

mod table;

use self::table::OTHERS;

/// How much of a question is looked at, in words.
const MOST: usize = 32;

/// The words of a question, in lower case, with the words that tools may have for each of them: its own form in a
/// dictionary, and others of the same meaning. Only those that have any.
pub(super) fn others(question: &str) -> Vec<(String, Vec<String>)> {
    let words = question.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).take(MOST);
    let others = words.filter_map(|word| {
        let word = word.to_lowercase();
        let forms = forms(&word);
        let meant: Vec<&str> = meanings(&word).chain(forms.iter().flat_map(|form| meanings(form))).collect();
        let mut all: Vec<String> = Vec::new();
        for other in forms.iter().map(String::as_str).chain(meant) {
            if other != word && !all.iter().any(|known| known == other) {
                all.push(other.to_owned());
            }
        }
        (!all.is_empty()).then_some((word, all))
    });
    others.collect()
}

fn meanings(word: &str) -> impl Iterator<Item = &'static str> + use<> {
    let at = OTHERS.binary_search_by(|(known, _)| (*known).cmp(word)).ok();
    at.and_then(|at| OTHERS.get(at)).into_iter().flat_map(|(_, others)| others.split(' '))
}

/// What an English word may be a form of. Some of it is no word, and then no tool has it.
fn forms(word: &str) -> Vec<String> {
    let mut forms = Vec::new();
    if word.len() < 4 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return forms;
    }
    for (ending, instead) in
        [("ies", "y"), ("es", ""), ("s", ""), ("ied", "y"), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e")]
    {
        let Some(stem) = word.strip_suffix(ending).filter(|stem| stem.len() > 2) else { continue };
        forms.push(format!("{stem}{instead}"));
        // As in `planned`.
        let mut last = stem.bytes().rev();
        if instead.is_empty() && ending != "s" && last.next() == last.next() {
            forms.push(stem.get(..stem.len() - 1).unwrap_or(stem).to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_order_and_have_others() {
        assert!(OTHERS.is_sorted_by(|(one, _), (other, _)| one < other));
        assert!(OTHERS.iter().all(|(word, others)| others.split(' ').all(|other| !other.is_empty() && other != *word)));
    }

    #[test]
    fn a_word_has_those_of_its_meaning_and_of_what_it_is_a_form_of() {
        let of = |word: &str| others(word).pop().map(|(_, others)| others).unwrap_or_default();
        assert_eq!(of("BUG"), ["issue"]);
        assert_eq!(of("removing"), ["remov", "remove", "delete"]);
        assert_eq!(of("planned")[..2], ["plann", "plan"]);
        assert!(of("tickets").contains(&"issue".to_owned()) && of("replied").contains(&"respond".to_owned()));
        assert!(of("xyz").is_empty() && of("größen").is_empty() && others("...").is_empty());
        assert_eq!(others(&"bug ".repeat(1000)).len(), MOST);
    }
}
