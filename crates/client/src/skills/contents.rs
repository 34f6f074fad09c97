//! The bytes of a file, out of what `resources/read` gave for it.

use bowline_protocol::{ReadResourceResult, ResourceContents};

/// The bytes of a file as they came, and their media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) bytes: Vec<u8>,
    pub(super) mime_type: Option<String>,
}

/// Takes the contents of `uri`. What else a server sends along belongs to no file that was asked for.
pub(super) fn of(uri: &str, result: ReadResourceResult) -> Result<Contents, String> {
    let mut found = result.contents.into_iter().filter(|contents| contents.uri() == Some(uri));
    let (one, more) = (found.next(), found.next());
    if more.is_some() {
        return Err("the server gave more than one content for it".to_owned());
    }
    match one {
        Some(ResourceContents::Text(text)) => Ok(Contents { bytes: text.text.into_bytes(), mime_type: text.mime_type }),
        Some(ResourceContents::Blob(blob)) => {
            let bytes = blob.decode().map_err(|error| error.to_string())?;
            Ok(Contents { bytes, mime_type: blob.mime_type })
        }
        _ => Err("the server gave no content for it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_taken_by_their_uri_and_nothing_else() {
        let uri = "skill://a/x";
        let other = || ResourceContents::text("skill://a/y", "other");
        let read = |contents: Vec<ResourceContents>| of(uri, ReadResourceResult::new(contents));
        let bytes = |contents| read(contents).unwrap().bytes;
        assert_eq!(bytes(vec![other(), ResourceContents::text(uri, "é")]), "é".as_bytes());
        assert_eq!(bytes(vec![ResourceContents::blob(uri, &[0xff, 0])]), [0xff, 0]);
        for wrong in [vec![], vec![other()], vec![ResourceContents::text(uri, "a"), ResourceContents::text(uri, "b")]] {
            assert!(read(wrong).is_err());
        }
    }
}
