//! Rows whose columns stand under each other, and fit a terminal.

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use crate::sanitize;
use crate::styled::Styled;

/// What stands between two columns.
const GAP: usize = 2;
/// How far a column gives way.
const NARROWEST: usize = 16;
/// Beyond this a column is not aligned with: one long name would push all others away.
const WIDEST: usize = 48;

/// Rows of cells. One column gives way where a terminal is too narrow for all; elsewhere nothing is cut.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    rows: Vec<[(Style, String); N]>,
    gives: usize,
}

impl<const N: usize> Table<N> {
    /// A table whose column `gives` is cut where there is no room.
    pub(crate) const fn new(gives: usize) -> Self {
        Self { rows: Vec::new(), gives }
    }

    /// Adds a row; what it says is made harmless, and stays on one line.
    pub(crate) fn row(&mut self, cells: [(Style, String); N]) {
        self.rows.push(cells.map(|(style, text)| (style, sanitize::line(&text))));
    }

    /// The rows, at most so wide.
    pub(crate) fn render(mut self, width: Option<usize>) -> Styled {
        let mut widths = self.widths();
        if let Some(width) = width {
            let others: usize =
                widths.iter().enumerate().filter(|(n, _)| *n != self.gives).map(|(_, width)| width).sum();
            let room = width.saturating_sub(others + GAP * N.saturating_sub(1)).max(NARROWEST);
            for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(self.gives)) {
                cell.1 = cut(&cell.1, room);
            }
            widths = self.widths();
        }
        let mut out = Styled::new();
        for row in self.rows {
            let last = row.iter().rposition(|(_, text)| !text.is_empty()).unwrap_or_default();
            for (n, ((style, text), width)) in row.into_iter().zip(widths).enumerate().take(last + 1) {
                let pad = if n < last { width.saturating_sub(text.width()) + GAP } else { 0 };
                out.push(style, text);
                out.push(Style::new(), " ".repeat(pad));
            }
            out = out.line();
        }
        out
    }

    fn widths(&self) -> [usize; N] {
        let of = |n: usize| self.rows.iter().filter_map(|row| row.get(n)).map(|(_, text)| text.width()).max();
        std::array::from_fn(|n| {
            let width = of(n).unwrap_or_default();
            // What gives way is what is wide.
            if n == self.gives { width } else { width.min(WIDEST) }
        })
    }
}

/// A text that takes at most so many columns, with a sign where something was left out.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if kept.width() + 1 > width {
            kept.pop();
            break;
        }
    }
    // Nothing that joins with what is no longer there.
    kept.truncate(kept.trim_end_matches(|c: char| c == '\u{200d}' || c.is_whitespace()).len());
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]], width: Option<usize>) -> String {
        let mut table = Table::new(1);
        for row in rows {
            table.row(row.map(|text| (Style::new(), text.to_owned())));
        }
        table.render(width).render(false)
    }

    #[test]
    fn columns_stand_under_each_other_by_what_is_seen() {
        let rows = [["ab", "x", "end"], ["東京", "long", ""], ["é", "", "z"]];
        assert_eq!(table(&rows, None), "ab    x     end\n東京  long\né           z\n");
    }

    #[test]
    fn one_column_gives_way_and_only_on_a_terminal() {
        let long = "y".repeat(100);
        let rows = [["name", long.as_str(), "cursor user"]];
        assert!(table(&rows, None).contains(&long));
        let line = table(&rows, Some(60));
        assert_eq!((line.trim_end().width(), line.ends_with("…  cursor user\n")), (60, true), "{line}");
        // Nothing is of use that is narrower.
        assert_eq!(table(&rows, Some(10)), format!("name  {}…  cursor user\n", "y".repeat(15)));
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
        assert_eq!((cut("東京都", 4), cut("ab cd", 4)), ("東…".to_owned(), "ab…".to_owned()));
        assert_eq!(cut("abc", 0), "…");
    }
}
