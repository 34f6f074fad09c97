//! Inputs that are almost right.

use bowline_testkit::Seed;

/// The largest input, in bytes.
const MAX: usize = 64 << 10;

/// What decoders treat in a way of its own.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "-0",
    "0",
    "-1",
    "1e999",
    "9007199254740993",
    "18446744073709551616",
    "0.1",
    "\\u0000",
    "\\ud800",
    "\\\"",
    "\u{feff}",
    "\u{202e}",
    "\u{0}",
    "\n",
    "\r",
    "\r\n",
    " ",
    "\t",
    "data:",
    "id:",
    "event:",
    "retry:",
    "{\"a\":",
    "[[",
    "{}",
    "[]",
    "%00",
    "%",
    "../",
    "//",
    "@",
    "#",
    "?",
    "{+",
    "{?",
    "*}",
    "xn--",
    "é",
    "file://",
    "https://",
    "\"id\":1",
    "\"jsonrpc\":\"2.0\"",
    "\"result\":",
    "\"error\":",
    "\"method\":",
    "\"params\":",
    "\"type\":",
    "\"_meta\":{",
];

fn pick<'a, T>(seed: &mut Seed, from: &'a [T]) -> Option<&'a T> {
    let place = usize::try_from(seed.below(from.len() as u64)).ok()?;
    from.get(place)
}

fn place(seed: &mut Seed, len: usize) -> usize {
    usize::try_from(seed.below(len as u64 + 1)).unwrap_or(0)
}

/// An input made from one of these, and pieces of others.
pub(crate) fn input(seed: &mut Seed, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = pick(seed, corpus).cloned().unwrap_or_default();
    for _ in 0..=seed.below(8) {
        change(seed, &mut input, corpus);
        input.truncate(MAX);
    }
    input
}

fn change(seed: &mut Seed, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = place(seed, input.len());
    let to = at + place(seed, (input.len() - at).min(64));
    match seed.below(9) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << seed.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = u8::try_from(seed.below(256)).unwrap_or(0);
            }
        }
        2 => drop(input.drain(at..to)),
        3 => input.truncate(at),
        4 | 5 => {
            let word = pick(seed, WORDS).map_or(&b""[..], |word| word.as_bytes());
            input.splice(at..at, word.iter().copied());
        }
        6 => {
            // Many of the same: depth, length, and what is quadratic.
            let piece = input.get(at..to).unwrap_or_default().to_vec();
            let times = 1 << seed.below(12);
            let room = MAX.saturating_sub(input.len()) / piece.len().max(1);
            let more = piece.repeat(room.min(times));
            input.splice(at..at, more);
        }
        7 => {
            let word = pick(seed, WORDS).map_or(&b""[..], |word| word.as_bytes());
            let more = word.repeat((1 << seed.below(13)).min(MAX / word.len().max(1)));
            input.splice(at..at, more);
        }
        _ => {
            let Some(other) = pick(seed, corpus) else { return };
            let from = place(seed, other.len());
            let until = from + place(seed, other.len() - from);
            let piece = other.get(from..until).unwrap_or_default().to_vec();
            input.splice(at..to, piece);
        }
    }
}
