//! Words that are nearly another.

/// How many letters may be wrong in a word: none in short ones.
pub(super) const fn tolerance(letters: usize) -> usize {
    match letters {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// Which letters a word has, 32 kinds of them. A letter that is put in or left out changes one kind at most, one that is
/// replaced two.
pub(super) fn letters(word: &str) -> u32 {
    word.chars().fold(0, |kinds, letter| kinds | 1 << (u32::from(letter) % 32))
}

/// Tells whether two words may be no further apart than that, by their letters.
pub(super) const fn may_be_near(one: u32, other: u32, most: usize) -> bool {
    (one ^ other).count_ones() as usize <= 2 * most
}

/// What is worked in, for one word after the other.
#[derive(Default)]
pub(super) struct Rows {
    before_last: Vec<usize>,
    last: Vec<usize>,
    now: Vec<usize>,
}

/// How many letters are to be put in, left out, replaced or swapped with the next to make one word of the other; none
/// where it is more than `most`.
pub(super) fn distance(one: &[char], other: &[char], most: usize, rows: &mut Rows) -> Option<usize> {
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let Rows { before_last, last, now } = rows;
    before_last.clear();
    last.clear();
    last.extend(0..=other.len());
    for (row, a) in one.iter().enumerate() {
        now.clear();
        now.push(row + 1);
        for (column, b) in other.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut least =
                (at(last, column) + usize::from(a != b)).min(at(last, column + 1) + 1).min(at(now, column) + 1);
            let swapped = row > 0 && column > 0 && one.get(row - 1) == Some(b) && other.get(column - 1) == Some(a);
            if swapped {
                least = least.min(at(before_last, column - 1) + 1);
            }
            now.push(least);
        }
        if now.iter().min().is_some_and(|least| *least > most) && last.iter().min().is_some_and(|least| *least > most) {
            return None;
        }
        std::mem::swap(before_last, last);
        std::mem::swap(last, now);
    }
    last.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(one: &str, other: &str, most: usize) -> Option<usize> {
        let letters = |word: &str| word.chars().collect::<Vec<_>>();
        let distance = distance(&letters(one), &letters(other), most, &mut Rows::default());
        // What is near is never ruled out beforehand.
        assert!(distance.is_none() || may_be_near(super::letters(one), super::letters(other), most), "{one} {other}");
        distance
    }

    #[test]
    fn letters_are_put_in_left_out_replaced_and_swapped() {
        for (one, other, wanted) in [
            ("issue", "issue", Some(0)),
            ("isue", "issue", Some(1)),
            ("issuee", "issue", Some(1)),
            ("isxue", "issue", Some(1)),
            ("isseu", "issue", Some(1)),
            ("reposotiry", "repository", Some(2)),
            ("cat", "horse", None),
            ("größe", "grösse", Some(2)),
        ] {
            assert_eq!(between(one, other, 2), wanted, "{one} {other}");
            assert_eq!(between(other, one, 2), wanted, "{other} {one}");
        }
    }
}
