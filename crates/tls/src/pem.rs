//! Reading certificates, from memory or a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bowline_transport::TransportError;
use bytes::Bytes;

use crate::settings::{Pem, config};

/// How large a file with certificates may be: many times what all authorities of the world take.
const MAX_FILE: u64 = 8 << 20;

impl Pem {
    /// The text. `what` is what errors call it.
    pub(crate) fn read(&self, what: &str) -> Result<Bytes, TransportError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => read_file(path, what),
        }
    }

    /// What errors call it.
    pub(crate) fn name(&self, what: &str) -> String {
        match self {
            Self::Text(_) => format!("the {what}"),
            Self::File(path) => format!("the {what} in {path:?}"),
        }
    }
}

fn read_file(path: &Path, what: &str) -> Result<Bytes, TransportError> {
    let failed = |error: std::io::Error| {
        config(format!("the {what} in {path:?} cannot be read ({error}); correct the path, or its permissions"))
            .with_source(error)
    };
    let mut text = Vec::new();
    // One byte more tells that there is more.
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut text)).map_err(failed)?;
    if text.len() as u64 > MAX_FILE {
        return Err(config(format!(
            "the {what} in {path:?} has more than {MAX_FILE} bytes; give the certificates alone"
        )));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let error = Pem::File("/dev/zero".into()).read("root certificate").unwrap_err();
        assert!(error.to_string().contains("/dev/zero") && error.to_string().contains("more than"), "{error}");
    }
}
