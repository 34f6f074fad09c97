//! Names that a pattern with `*` and `?` fits.

/// The longest pattern, in letters; what is beyond it is cut off.
const MAX_PATTERN: usize = 256;

/// A pattern: `*` is any text, `?` any letter, and the rest itself, in capitals or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Vec<char>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.chars().flat_map(char::to_lowercase).take(MAX_PATTERN).collect())
    }

    /// Tells whether it fits the whole name. The time is bounded by the lengths of both, multiplied.
    pub(super) fn fits(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
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

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn a_pattern_fits_the_whole_name() {
        for (pattern, name, fits) in [
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
            assert_eq!(Glob::new(pattern).fits(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_comes_to_an_end() {
        assert!(!Glob::new(&"*a".repeat(100)).fits(&"a".repeat(99)));
        assert!(!Glob::new(&format!("{}b", "*a".repeat(100))).fits(&"a".repeat(10_000)));
    }
}
