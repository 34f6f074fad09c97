//! Pages of a text.

use bowline_protocol::excerpt;

use super::Artifact;

/// How much is shown on each side of words that are looked for, in bytes.
const AROUND: usize = 200;

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

/// The places that hold the words, each behind the byte where what is shown begins: a line, or of a long one what is
/// around the words.
pub(super) fn of_lines(artifact: &Artifact, words: &str, most: usize) -> Result<Page, String> {
    let (whole, words) = (text(artifact)?, words.trim());
    if words.is_empty() {
        return Err("no words to find were given".to_owned());
    }
    let (mut found, mut at) = (String::new(), 0);
    let mut next = None;
    while let Some(place) = find(whole, words, at) {
        let end = place + words.len();
        let line = whole.get(at..place).and_then(|before| before.rfind('\n')).map_or(at, |line| at + line + 1);
        let begin = line.max(whole.floor_char_boundary(place.saturating_sub(AROUND)));
        let rest = whole.get(end..).and_then(|behind| behind.find('\n')).map_or(whole.len(), |line| end + line);
        let stop = rest.min(whole.floor_char_boundary(end + AROUND));
        let shown = whole.get(begin..stop).unwrap_or_default();
        let shown = format!("{begin}: {}\n", excerpt(shown.trim_end(), shown.len()));
        if found.len() + shown.len() > most {
            next = Some(begin);
            break;
        }
        found.push_str(&shown);
        at = stop.max(end);
    }
    Ok(Page { text: found, total: whole.len(), next })
}

/// Where words stand next, ASCII letters in capitals or not.
fn find(whole: &str, words: &str, from: usize) -> Option<usize> {
    let (bytes, words) = (whole.as_bytes(), words.as_bytes());
    let first = words.first()?;
    let last = bytes.len().checked_sub(words.len())?;
    let starts = bytes.get(from..=last).unwrap_or_default().iter().enumerate();
    let starts = starts.filter(|(_, byte)| byte.eq_ignore_ascii_case(first)).map(|(at, _)| from + at);
    let mut starts =
        starts.filter(|at| bytes.get(*at..at + words.len()).is_some_and(|here| here.eq_ignore_ascii_case(words)));
    starts.next()
}

fn text(artifact: &Artifact) -> Result<&str, String> {
    artifact.text().ok_or_else(|| {
        let Artifact { handle, mime, content, .. } = artifact;
        format!("{handle} is no text: {mime}, {} bytes; tell the user of it, who can save it", content.len())
    })
}
