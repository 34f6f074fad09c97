//! A table on the terminal.

use serde_json::Value;

use crate::database::Table;

/// The lines of a table: texts to the left, numbers to the right.
pub(crate) fn lines(table: &Table) -> Vec<String> {
    let heads = table.columns.iter().map(|name| plain(name)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(text).collect()).collect();
    let widths: Vec<usize> = heads.iter().enumerate().map(|(at, head)| width(&rows, at, head)).collect();
    let numbers: Vec<bool> = (0..heads.len()).map(|at| is_numeric(table, at)).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).zip(&numbers).map(|((cell, &width), &is_number)| {
            if is_number { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&heads)];
    lines.extend(rows.iter().map(|row| line(row)));
    if table.has_more {
        lines.push("… and more".to_owned());
    }
    lines
}

fn width(rows: &[Vec<String>], at: usize, head: &str) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
    cells.chain([head.chars().count()]).max().unwrap_or_default()
}

fn is_numeric(table: &Table, at: usize) -> bool {
    table.rows.iter().filter_map(|row| row.get(at)).all(Value::is_number)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

/// What a server sends is not to move the cursor, nor to begin lines of its own.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lines;
    use crate::database::Table;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let columns = vec!["product".to_owned(), "n".to_owned()];
        let rows = vec![vec![json!("rope"), json!(12)], vec![json!("a\x1b[2J"), json!(7)], vec![json!(null)]];
        let table = Table { columns, rows, has_more: true };
        assert_eq!(lines(&table), ["product   n", "rope     12", "a?[2J     7", "", "… and more"]);
    }
}
