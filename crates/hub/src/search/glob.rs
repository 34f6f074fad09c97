//! Names that a pattern with `*` and `?` fits.

/// The longest pattern, in letters; what is beyond it is cut off.
const MAX_PATTERN: usize = 256;

/// A pattern: `*` is any text, `?` any letter, and the rest itself, in capitals or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Vec<char>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        let mut letters = Vec::new();
        push_lower(pattern, &mut letters);
        letters.truncate(MAX_PATTERN);
        Self(letters)
    }

    /// Tells whether it fits the name of a tool, or that of its server, a dot, and its own.
    pub(super) fn fits_tool(&self, server: &str, tool: &str) -> bool {
        let mut letters = Vec::with_capacity(server.len() + 1 + tool.len());
        push_lower(server, &mut letters);
        letters.push('.');
        let bare = letters.len();
        push_lower(tool, &mut letters);
        letters.get(bare..).is_some_and(|bare| self.fits(bare)) || self.fits(&letters)
    }

    /// Tells whether it fits the whole name. The time is bounded by the lengths of both, multiplied.
    fn fits(&self, name: &[char]) -> bool {
        let pattern = &self.0;
        let (mut at, mut in_name) = (0, 0);
        // Where to go on when the rest does not fit: after the last star, a letter further on.
        let mut again: Option<(usize, usize)> = None;
        while let Some(letter) = name.get(in_name) {
            match pattern.get(at) {
                Some('*') => {
                    again = Some((at + 1, in_name));
                    at += 1;
                    continue;
                }
                Some(wanted) if *wanted == '?' || wanted == letter => {
                    at += 1;
                    in_name += 1;
                    continue;
                }
                _ => {}
            }
            let Some((after_star, begun)) = again else { return false };
            again = Some((after_star, begun + 1));
            at = after_star;
            in_name = begun + 1;
        }
        pattern.get(at..).unwrap_or_default().iter().all(|letter| *letter == '*')
    }
}

fn push_lower(text: &str, letters: &mut Vec<char>) {
    if text.is_ascii() {
        letters.extend(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
    } else {
        letters.extend(text.chars().flat_map(char::to_lowercase));
    }
}

#[cfg(test)]
mod tests {
    use super::{Glob, push_lower};

    fn fits(pattern: &str, name: &str) -> bool {
        let mut letters = Vec::new();
        push_lower(name, &mut letters);
        Glob::new(pattern).fits(&letters)
    }

    #[test]
    fn a_pattern_fits_the_whole_name() {
        for (pattern, name, wanted) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("read_*", "read_file", true),
            ("read_*", "bread_file", false),
            ("*file*", "read_FILE_info", true),
            ("get?issue", "get_issue", true),
            ("get?issue", "getissue", false),
            ("*a*b*c", "xxaxxbxxbxxc", true),
            ("*a*b*c", "xxaxxbxxbxx", false),
            ("Größe*", "grÖSSE", false),
            ("GRÖSS*", "größser", false),
            ("ÄB*", "äbc", true),
        ] {
            assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_comes_to_an_end() {
        assert!(!fits(&"*a".repeat(100), &"a".repeat(99)));
        assert!(!fits(&format!("{}b", "*a".repeat(100)), &"a".repeat(10_000)));
    }
}
