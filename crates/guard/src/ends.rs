//! Long texts, of which a person sees both ends.

/// The beginning and the end of a text that is longer than so many bytes, and how much is between them.
pub(crate) fn ends(text: &str, bound: usize) -> String {
    if text.len() <= bound {
        return text.to_owned();
    }
    let (mut head, mut tail) = (bound / 2, text.len() - bound / 2);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    let (before, after) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    format!("{before} … ({} bytes more) … {after}", tail - head)
}
