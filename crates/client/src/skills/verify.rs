//! Whether a file is what the entry of its skill says.

use bowline_protocol::{SkillResource, hex};
use sha2::{Digest as _, Sha256};

/// Checks size and digest of a file. The size comes first: it costs nothing.
pub(super) fn file(entry: &SkillResource, bytes: &[u8]) -> Result<(), String> {
    let size = bytes.len() as u64;
    if size != entry.size {
        return Err(format!("its size is {size}, and in the entry {}", entry.size));
    }
    let digest = digest(bytes);
    if digest != entry.digest {
        return Err(format!("its digest is {digest}, and in the entry {}", entry.digest));
    }
    Ok(())
}

/// The digest of a file, as entries write it.
fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn size_and_digest_have_to_fit() {
        assert_eq!(file(&SkillResource::new("x", ABC, 3_u64), b"abc"), Ok(()));
        let error = file(&SkillResource::new("x", ABC, 3_u64), b"abcd").unwrap_err();
        assert_eq!(error, "its size is 4, and in the entry 3");
        let error = file(&SkillResource::new("x", ABC, 3_u64), b"abd").unwrap_err();
        assert!(error.starts_with("its digest is sha256:a52d") && error.ends_with(ABC), "{error}");
    }
}
