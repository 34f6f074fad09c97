//! Pages of a text.

use bowline_protocol::excerpt;

use super::Artifact;

/// How much of a line is shown where lines are looked for.
const SHOWN_OF_LINE: usize = 400;

/// A piece of a text that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The text.
    pub text: String,
    /// How many bytes the whole has.
    pub total: usize,
    /// The byte where the next piece begins; none after the last.
    pub next: Option<usize>,
}

pub(super) fn at(artifact: &Artifact, offset: usize, most: usize) -> Result<Page, String> {
    let whole = text(artifact)?;
    if offset > whole.len() {
        return Err(format!("{} ends at byte {}; ask for an offset before that", artifact.handle, whole.len()));
    }
    // A model may name any byte: the character that it is within is read whole.
    let begin = whole.floor_char_boundary(offset);
    let mut end = whole.floor_char_boundary(begin.saturating_add(most));
    if end < whole.len()
        && let Some(line) = whole.get(begin..end).and_then(|piece| piece.rfind('\n'))
    {
        end = begin + line + 1;
    }
    let piece = whole.get(begin..end).unwrap_or_default();
    Ok(Page { text: piece.to_owned(), total: whole.len(), next: (end < whole.len()).then_some(end) })
}

/// The lines that hold the words, each behind the byte where it begins.
pub(super) fn of_lines(artifact: &Artifact, words: &str, most: usize) -> Result<Page, String> {
    let (whole, words) = (text(artifact)?, words.trim().to_lowercase());
    if words.is_empty() {
        return Err("no words to find were given".to_owned());
    }
    let (mut found, mut at) = (String::new(), 0);
    let mut next = None;
    for line in whole.split_inclusive('\n') {
        if line.to_lowercase().contains(&words) {
            let shown = format!("{at}: {}\n", excerpt(line.trim_end(), SHOWN_OF_LINE));
            if found.len() + shown.len() > most {
                next = Some(at);
                break;
            }
            found.push_str(&shown);
        }
        at += line.len();
    }
    Ok(Page { text: found, total: whole.len(), next })
}

fn text(artifact: &Artifact) -> Result<&str, String> {
    artifact.text().ok_or_else(|| {
        let Artifact { handle, mime, content, .. } = artifact;
        format!("{handle} is no text: {mime}, {} bytes; tell the user of it, who can save it", content.len())
    })
}
