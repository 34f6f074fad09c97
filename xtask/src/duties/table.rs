//! The rows of `tests/duties.md`.

use std::collections::HashSet;

use anyhow::{Result, bail, ensure};

/// How a reason for having no test begins, and what that says.
const REASONS: [&str; 3] = ["host: ", "later: ", "none: "];

/// The duties of one heading; their ids begin alike.
#[derive(Debug, PartialEq, Eq)]
pub struct Area {
    pub title: String,
    pub rows: Vec<Row>,
}

/// One duty.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Such as `H-24`.
    pub id: String,
    pub revisions: String,
    /// `MUST`, `SHOULD` or `MAY`.
    pub level: String,
    pub what: String,
    /// The page of the specification.
    pub place: String,
    /// Why there is no test; empty where there has to be one.
    pub reason: String,
}

/// Reads the table; what is malformed is an error with its line.
pub fn read(text: &str) -> Result<Vec<Area>> {
    let mut areas: Vec<Area> = Vec::new();
    let mut ids = HashSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(title) = line.strip_prefix("## ") {
            areas.push(Area { title: title.to_owned(), rows: Vec::new() });
        }
        let Some(inner) = line.strip_prefix("| ").filter(|inner| !inner.starts_with("id |")) else { continue };
        let cells: Vec<_> =
            inner.trim_end().trim_end_matches('|').split(" |").map(|cell| cell.trim().to_owned()).collect();
        let Ok([id, revisions, level, what, place, reason]) = <[String; 6]>::try_from(cells) else {
            bail!("line {number} has not six cells");
        };
        ensure!(split(&id).is_some(), "line {number}: `{id}` is no id such as `H-24`");
        ensure!(ids.insert(id.clone()), "line {number}: {id} is there already");
        ensure!(["MUST", "SHOULD", "MAY"].contains(&level.as_str()), "line {number}: `{level}` is no level");
        let known = reason.is_empty() || REASONS.iter().any(|start| reason.starts_with(start));
        ensure!(known, "line {number}: a reason begins with one of {REASONS:?}");
        let Some(area) = areas.last_mut() else { bail!("line {number}: {id} stands before the first heading") };
        area.rows.push(Row { id, revisions, level, what, place, reason });
    }
    ensure!(!areas.is_empty(), "there are no duties");
    Ok(areas)
}

/// Takes an id apart: capital letters, a hyphen, two digits.
pub fn split(id: &str) -> Option<(&str, &str)> {
    let (area, number) = id.split_once('-')?;
    let fits = (1..=2).contains(&area.len())
        && area.bytes().all(|byte| byte.is_ascii_uppercase())
        && number.len() == 2
        && number.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some((area, number))
}

#[cfg(test)]
mod tests {
    use super::{read, split};

    const HEAD: &str = "# Duties\n\n## Ping (G)\n\n| id | revisions | level | what | where | without a test |\n|---|---|---|---|---|---|\n";

    #[test]
    fn rows_are_read_under_their_heading() {
        let text = format!(
            "{HEAD}| G-01 | legacy | MUST | answer | ping | |\n| G-04 | 26-07 | MAY | none | log | none: so |\n"
        );
        let areas = read(&text).unwrap();
        let [area] = areas.as_slice() else { panic!("one area, not {areas:?}") };
        let [first, second] = area.rows.as_slice() else { panic!("two rows, not {:?}", area.rows) };
        assert_eq!((area.title.as_str(), first.id.as_str(), first.reason.as_str()), ("Ping (G)", "G-01", ""));
        assert_eq!((second.place.as_str(), second.reason.as_str()), ("log", "none: so"));
    }

    #[test]
    fn what_is_malformed_is_told_with_its_line() {
        for (row, what) in [
            ("| G-01 | legacy | MUST | answer | |", "six cells"),
            ("| G-1 | legacy | MUST | answer | ping | |", "no id"),
            ("| G-01 | legacy | WILL | answer | ping | |", "no level"),
            ("| G-01 | legacy | MUST | answer | ping | because |", "a reason begins"),
        ] {
            let error = read(&format!("{HEAD}{row}\n")).unwrap_err().to_string();
            assert!(error.contains("line 7") && error.contains(what), "{error}");
        }
        let row = "| G-01 | legacy | MUST | answer | ping | |\n";
        assert!(read(&format!("{HEAD}{row}{row}")).unwrap_err().to_string().contains("line 8: G-01"));
        assert!(read(row).is_err() && read("").is_err());
    }

    #[test]
    fn ids_are_letters_and_two_digits() {
        assert_eq!(split("MR-01"), Some(("MR", "01")));
        for other in ["MR-1", "MRX-01", "mr-01", "-01", "H24", "H-2x", "SEP-2663"] {
            assert_eq!(split(other), None, "{other}");
        }
    }

    #[test]
    fn the_table_of_the_project_is_well_formed() {
        read(include_str!("../../../tests/duties.md")).unwrap();
    }
}
