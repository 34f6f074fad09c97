//! Text with styles, harmless however it was made.

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use crate::sanitize;
use crate::table::cut;

/// Pieces of text, each with a style.
///
/// Every piece is made harmless when it is rendered, so whoever builds one need not think of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Styled(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
struct Piece {
    style: Style,
    text: String,
    /// Whether it is cut where its line is too wide for the terminal.
    gives: bool,
}

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

    /// Something that is good to see the beginning of: on a terminal it is cut where its line ends.
    pub(crate) fn glimpse(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece { style: Style::new().dimmed(), text: text.into(), gives: true });
        self
    }

    /// Ends the line.
    pub(crate) fn line(self) -> Self {
        self.plain("\n")
    }

    pub(crate) fn push(&mut self, style: Style, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.0.push(Piece { style, text, gives: false });
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
        self.render_within(None, colour)
    }

    /// The same, for a terminal of this width.
    pub(crate) fn render_within(&self, width: Option<usize>, colour: bool) -> String {
        let mut out = String::new();
        let mut column = 0;
        for Piece { style, text, gives } in &self.0 {
            let mut text = sanitize::text(text);
            if let Some(width) = width {
                if *gives {
                    text = cut(&text, width.saturating_sub(column)).into();
                }
                column = match text.rsplit_once('\n') {
                    Some((_, last)) => last.width(),
                    None => column + text.width(),
                };
            }
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

    #[test]
    fn a_glimpse_is_cut_where_a_terminal_ends() {
        let text = Styled::new().plain("name\n  ").glimpse("description").line();
        assert_eq!(text.render(false), "name\n  description\n");
        assert_eq!(text.render_within(Some(8), false), "name\n  descr…\n");
        assert_eq!(text.render_within(Some(80), false), text.render(false));
    }
}
