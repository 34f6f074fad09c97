//! Text with styles, harmless however it was made.

use anstyle::Style;

use crate::sanitize;

/// Pieces of text, each with a style.
///
/// Every piece is made harmless when it is rendered, so whoever builds one need not think of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Styled(Vec<(Style, String)>);

impl Styled {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn plain(mut self, text: impl Into<String>) -> Self {
        self.push(Style::new(), text);
        self
    }

    pub(crate) fn bold(mut self, text: impl Into<String>) -> Self {
        self.push(Style::new().bold(), text);
        self
    }

    pub(crate) fn dim(mut self, text: impl Into<String>) -> Self {
        self.push(Style::new().dimmed(), text);
        self
    }

    /// Ends the line.
    pub(crate) fn line(self) -> Self {
        self.plain("\n")
    }

    pub(crate) fn push(&mut self, style: Style, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.0.push((style, text));
        }
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text for a terminal or a pipe, with or without the styles.
    pub(crate) fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for (style, text) in &self.0 {
            let text = sanitize::text(text);
            if colour && *style != Style::new() {
                out.push_str(&format!("{style}{text}{style:#}"));
            } else {
                out.push_str(&text);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_harmless_and_styles_are_ours() {
        let text = Styled::new().bold("a\u{1b}[31mb").plain(" \u{202e}").line();
        assert_eq!(text.render(false), "ab \\u{202e}\n");
        assert_eq!(text.render(true), "\u{1b}[1mab\u{1b}[0m \\u{202e}\n");
    }
}
