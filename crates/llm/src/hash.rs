//! Names that are told apart by a hash of what they stand for.

use bowline_protocol::hex;
use sha2::{Digest as _, Sha256};

/// Eight hexadecimal digits of a text.
pub(crate) fn hashed(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    hex(digest.get(..4).unwrap_or(&digest))
}

/// Letters and digits of a text, as many as wanted, up to 32.
pub(crate) fn word(text: &str, length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let digest = Sha256::digest(text.as_bytes());
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).map(|letter| char::from(*letter));
    digest.iter().filter_map(letter).take(length).collect()
}
