//! "Did you mean": the nearest known name.

/// The candidate that `typed` most likely stands for, if one is near: by the letters that differ, or as its beginning.
/// Capitals, hyphens and underscores do not matter.
///
/// ```
/// assert_eq!(bowline_hub::nearest("red_file", ["read_file", "send"]), Some("read_file"));
/// ```
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(typed);
    let bound = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let known = plain(candidate);
            let near = distance(&wanted, &known);
            // `read` for `read_file` is far by edits and still what was meant.
            let begins = wanted.chars().count() >= 3 && known.starts_with(&wanted);
            (near <= bound || begins).then_some((near, candidate))
        })
        .min_by_key(|(near, _)| *near)
        .map(|(_, candidate)| candidate)
}

/// Names that differ in case or in the kind of hyphen are the same to a person. Cut, because a server's
/// names may be long and the comparison is quadratic.
fn plain(name: &str) -> String {
    name.chars().take(128).filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Edits (insert, delete, replace, swap neighbours) from one text to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if j > 0 && previous == Some(y) && b.get(j - 1) == Some(&x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
        previous = Some(x);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits_and_swaps() {
        for (a, b, n) in [("", "", 0), ("a", "", 1), ("echo", "ehco", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), n, "{a} {b}");
        }
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["echo", "read_file", "list-tables"];
        assert_eq!(nearest("ehco", known), Some("echo"));
        assert_eq!(nearest("ReadFile", known), Some("read_file"));
        assert_eq!(nearest("read", known), Some("read_file"));
        assert_eq!(nearest("list_tables", known), Some("list-tables"));
        assert_eq!(nearest("zebra", known), None);
    }
}
