//! Documents: which kinds there are that providers take, and their text where they are text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_protocol::excerpt;

use crate::message::Media;

/// How a document is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Pdf,
    /// Text, in UTF-8.
    Text,
    /// What it is begins like any archive, and has a file of this name in it.
    Archive(&'static [u8]),
    /// It begins as all do that Office wrote before there were archives.
    Compound,
}

struct Kind {
    mime: &'static str,
    /// What the names of such files end with.
    extension: &'static str,
    nature: Nature,
}

const KINDS: [Kind; 9] = [
    Kind { mime: "application/pdf", extension: "pdf", nature: Nature::Pdf },
    Kind { mime: "text/plain", extension: "txt", nature: Nature::Text },
    Kind { mime: "text/markdown", extension: "md", nature: Nature::Text },
    Kind { mime: "text/csv", extension: "csv", nature: Nature::Text },
    Kind { mime: "text/html", extension: "html", nature: Nature::Text },
    Kind {
        mime: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        extension: "docx",
        nature: Nature::Archive(b"word/document.xml"),
    },
    Kind {
        mime: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        extension: "xlsx",
        nature: Nature::Archive(b"xl/workbook.xml"),
    },
    Kind { mime: "application/msword", extension: "doc", nature: Nature::Compound },
    Kind { mime: "application/vnd.ms-excel", extension: "xls", nature: Nature::Compound },
];

fn kind(mime: &str) -> Option<&'static Kind> {
    let mime = mime.split(';').next().unwrap_or_default().trim();
    KINDS.iter().find(|kind| kind.mime.eq_ignore_ascii_case(mime))
}

/// What the names of documents of this type end with; none where no provider takes it.
pub(crate) fn extension(mime: &str) -> Option<&'static str> {
    kind(mime).map(|kind| kind.extension)
}

/// The plain name of a type of text documents; none where it is none of those.
pub(crate) fn text_type(mime: &str) -> Option<&'static str> {
    kind(mime).filter(|kind| kind.nature == Nature::Text).map(|kind| kind.mime)
}

/// The plain name of a type of Office documents; none where it is none of those.
pub(crate) fn office_type(mime: &str) -> Option<&'static str> {
    kind(mime).filter(|kind| matches!(kind.nature, Nature::Archive(_) | Nature::Compound)).map(|kind| kind.mime)
}

/// Whether bytes can be of the type of Office documents that they are said to be.
pub(crate) fn is_office(mime: &str, bytes: &[u8]) -> bool {
    match kind(mime).map(|kind| kind.nature) {
        Some(Nature::Archive(file)) => {
            bytes.starts_with(b"PK\x03\x04") && bytes.windows(file.len()).any(|part| part == file)
        }
        Some(Nature::Compound) => bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        _ => false,
    }
}

/// The text of a text document; none of any other, or where it is damaged.
pub(crate) fn text(media: &Media) -> Option<String> {
    let _ = text_type(&media.mime_type)?;
    String::from_utf8(STANDARD.decode(&media.data).ok()?).ok()
}

/// A text document as text, with a line of what it is before it.
pub(crate) fn told(media: &Media) -> Option<String> {
    let text = text(media)?;
    let kind = excerpt(&media.mime_type, 80);
    Some(match &media.name {
        Some(name) => format!("{} ({kind}):\n{text}", excerpt(name, 300)),
        None => format!("({kind}):\n{text}"),
    })
}

/// A text document of a text.
pub(crate) fn of_text(mime: &str, name: &str, text: &str) -> Media {
    Media::new(mime, STANDARD.encode(text)).with_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_by_their_type_and_their_bytes() {
        let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        let xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        let word = b"PK\x03\x04\x14\0..[Content_Types].xml..word/document.xml..";
        assert!(is_office(docx, word) && !is_office(xlsx, word) && !is_office(docx, b"PK\x03\x04 an archive"));
        assert!(is_office("application/msword", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on"));
        assert!(!is_office("application/pdf", b"%PDF-") && !is_office("text/csv", b"a,b"));
        assert_eq!(text_type("Text/CSV; charset=utf-8"), Some("text/csv"));
        assert_eq!((text_type("text/x-python"), office_type(docx), extension(xlsx)), (None, Some(docx), Some("xlsx")));
    }

    #[test]
    fn a_text_document_is_text_where_that_is_wanted() {
        let media = of_text("text/csv", "file:///a.csv", "a,b\n1,2");
        assert_eq!(told(&media).unwrap(), "file:///a.csv (text/csv):\na,b\n1,2");
        assert_eq!(text(&Media::new("text/csv", "*")), None);
        assert_eq!(text(&Media::new("application/pdf", "JVBERi0=")), None);
    }
}
