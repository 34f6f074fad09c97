//! What nobody may guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::error::{AuthError, AuthErrorKind};

/// Random bytes from the system.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], AuthError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        AuthError::new(AuthErrorKind::Config, format!("the system has no random numbers ({error}); try again later"))
    })?;
    Ok(bytes)
}

/// 256 random bits in 43 characters that URLs and PKCE (RFC 7636, section 4.1) allow.
pub(crate) fn text() -> Result<String, AuthError> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}

/// The SHA-256 of a text in the spelling of PKCE's S256 and DPoP's `ath`.
pub(crate) fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_19_a_challenge_is_the_s256_of_its_verifier() {
        // The example of RFC 7636, appendix B.
        assert_eq!(
            sha256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        let (one, other) = (text().unwrap(), text().unwrap());
        assert!(one != other && one.len() == 43);
    }
}
