use std::sync::Mutex;

use bowline_protocol::{
    Annotations, AudioContent, BlobResourceContents, EmbeddedResource, ImageContent, Meta, ResourceContents,
    ResourceLink, TextContent,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::estimate_tokens;
use crate::message::{Arguments, Media};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20\0\0\0\x10";

/// Remembers what it was given.
#[derive(Default)]
struct Shelf(Mutex<Vec<(String, String)>>);

impl Keep for Shelf {
    fn keep(&self, thing: Kept<'_>) -> Option<String> {
        let text = match thing.body {
            KeptBody::Text(text) | KeptBody::Base64(text) => text.to_owned(),
        };
        let mut shelf = self.0.lock().unwrap();
        shelf.push((thing.mime_type.to_owned(), text));
        Some(format!("a{}", shelf.len()))
    }
}

fn all() -> Features {
    Features { images: true, audio: true, documents: true, ..Features::TEXT }
}

fn call() -> ToolCall {
    ToolCall::new("c1", "t", Arguments::read("{}"))
}

fn fit_by(policy: &ResultPolicy, given: CallToolResult, features: &Features) -> (Vec<Content>, Vec<(String, String)>) {
    let shelf = Shelf::default();
    let fitted = policy.fit(&call(), given, features, &shelf);
    (fitted.result.content, shelf.0.into_inner().unwrap())
}

fn fit(given: CallToolResult, features: &Features) -> Vec<Content> {
    fit_by(&ResultPolicy::default(), given, features).0
}

fn text(content: &Content) -> &str {
    let Content::Text(text) = content else { panic!("{content:?}") };
    text
}

#[test]
fn case_llm_015() {
    let data = json!({"accounts": [{"id": 1}], "total": 36});
    let alone = CallToolResult::new([]).with_structured_content(data.clone());
    assert_eq!(fit(alone, &Features::TEXT), [Content::Json(data.clone().into())]);
    let both = CallToolResult::text("36 accounts").with_structured_content(data.clone());
    let both = [(Prefer::Both, 2), (Prefer::Structured, 1), (Prefer::Content, 1)].map(|(prefer, count)| {
        let content = fit_by(&ResultPolicy { prefer, ..ResultPolicy::default() }, both.clone(), &Features::TEXT).0;
        assert_eq!(content.len(), count);
        content
    });
    assert_eq!(both[0], [Content::text("36 accounts"), Content::Json(data.clone().into())]);
    assert_eq!(both[1], [Content::Json(data.into())]);
    assert_eq!(both[2], [Content::text("36 accounts")]);
    for nothing in [CallToolResult::new([]), CallToolResult::text(" \n"), CallToolResult::new([]).with_is_error(true)] {
        assert_eq!(fit(nothing, &Features::TEXT), [Content::text(NOTHING)]);
    }
}

#[test]
fn the_same_data_is_sent_once_however_it_is_spelled() {
    let cases = [
        (vec!["{ \"b\" : [2],\n \"a\": 1 }"], json!({"a": 1, "b": [2]})),
        // As some libraries wrap what is no object.
        (vec!["5"], json!({"result": 5})),
        (vec!["five"], json!({"result": "five"})),
        (vec!["{\"a\":1}", "two"], json!({"result": [{"a": 1}, "two"]})),
    ];
    for (texts, data) in cases {
        let blocks: Vec<ContentBlock> = texts.into_iter().map(ContentBlock::text).collect();
        let given = CallToolResult::new(blocks).with_structured_content(data.clone());
        assert_eq!(fit(given, &Features::TEXT), [Content::Json(data.into())]);
    }
    // Images beside it stay.
    let given =
        CallToolResult::new([ContentBlock::text("{\"a\":1}"), ImageContent::from_bytes(PNG, "image/png").into()])
            .with_structured_content(json!({"a": 1}));
    assert!(matches!(fit(given, &all())[..], [Content::Media(_), Content::Json(_)]));
}

#[test]
fn case_llm_016_what_a_model_cannot_see_is_told_in_its_place_and_kept() {
    let given = || {
        let link = ResourceLink::new("file:///a.csv", "a.csv").with_mime_type("text/csv").with_size(1200_u64);
        let blocks: [ContentBlock; 4] = [
            ContentBlock::text("one"),
            ContentBlock::text("two"),
            ImageContent::from_bytes(PNG, "image/png").into(),
            link.into(),
        ];
        CallToolResult::new(blocks).with_is_error(true)
    };
    let link = "[a.csv](file:///a.csv) text/csv, 1.2 kB";
    let image = Content::Media(Media::new("image/png", ImageContent::from_bytes(PNG, "").data));
    assert_eq!(fit(given(), &all()), [Content::text("one"), Content::text("two"), image, Content::text(link)]);
    let (content, kept) = fit_by(&ResultPolicy::default(), given(), &Features::TEXT);
    assert_eq!(
        content.iter().map(text).collect::<Vec<_>>(),
        ["one", "two", "[image/png, 24 B, which you cannot be shown; kept with the handle \"a1\"]", link,]
    );
    assert_eq!(kept.len(), 1);
    assert!(ResultPolicy::default().fit(&call(), given(), &all(), &NoKeep).result.is_error);
}

#[test]
fn media_are_what_their_bytes_say() {
    let image =
        |bytes: &[u8], said: &str| fit(CallToolResult::new([ImageContent::from_bytes(bytes, said).into()]), &all());
    let [Content::Media(media)] = &image(PNG, "image/jpeg")[..] else { panic!() };
    assert_eq!(media.mime_type, "image/png");
    for (bytes, said) in [(&b"<svg></svg>"[..], "image/svg+xml"), (b"II*\0", "image/tiff"), (b"hello", "image/png")] {
        assert!(text(&image(bytes, said)[0]).contains("which you cannot be shown"), "{said}");
    }
    let broken =
        ImageContent::new(format!("{}*", ImageContent::from_bytes(&[PNG, &[0; 100]].concat(), "").data), "image/png");
    assert!(text(&fit(CallToolResult::new([broken.into()]), &all())[0]).contains("no base64"));
    let pdf = EmbeddedResource::new(ResourceContents::blob("file:///a.pdf", b"%PDF-1.7 and so on"));
    assert!(
        matches!(&fit(CallToolResult::new([pdf.into()]), &all())[..], [Content::Media(m)] if m.mime_type == "application/pdf")
    );
    let wav = AudioContent::from_bytes(b"RIFF\0\0\0\0WAVEfmt ", "audio/x-wav");
    assert!(
        matches!(&fit(CallToolResult::new([wav.into()]), &all())[..], [Content::Media(m)] if m.mime_type == "audio/wav")
    );
    let csv = BlobResourceContents::from_bytes("file:///a.csv", b"a,b").with_mime_type("text/csv");
    let csv = EmbeddedResource::new(ResourceContents::Blob(csv));
    assert_eq!(text(&fit(CallToolResult::new([csv.into()]), &all())[0]), "file:///a.csv (text/csv):\na,b");
}

#[test]
fn documents_are_documents_where_a_model_takes_them_and_text_or_notes_elsewhere() {
    const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let blob = |bytes: &[u8], kind: &str| {
        let blob = BlobResourceContents::from_bytes("file:///a", bytes).with_mime_type(kind);
        CallToolResult::new([EmbeddedResource::new(ResourceContents::Blob(blob)).into()])
    };
    let some = Features { text_documents: true, office_documents: true, ..Features::TEXT };
    let word = b"PK\x03\x04 [Content_Types].xml word/document.xml";
    for (bytes, said, is) in [
        (&b"a,b"[..], "text/csv; charset=utf-8", "text/csv"),
        (b"# knots", "text/markdown", "text/markdown"),
        (word, DOCX, DOCX),
    ] {
        let content = fit(blob(bytes, said), &some);
        let [Content::Media(media)] = &content[..] else { panic!("{content:?}") };
        assert_eq!((media.mime_type.as_str(), media.size()), (is, bytes.len()));
    }
    // What has no text is refused, and code is no document.
    assert!(matches!(fit(blob(b" ", "text/plain"), &some)[0], Content::Text(_)));
    assert!(text(&fit(blob(b"fn main() {}", "text/x-rust"), &some)[0]).ends_with("fn main() {}"));
    for (features, bytes, why) in [
        (&Features::TEXT, &word[..], "which you cannot be shown"),
        (&some, b"PK\x03\x04 holiday pictures", "which is damaged or another thing"),
    ] {
        let (content, kept) = fit_by(&ResultPolicy::default(), blob(bytes, DOCX), features);
        assert!(text(&content[0]).contains(why), "{content:?}");
        assert_eq!(kept.len(), 1);
    }
    // One that is too long is cut as any text is, also where it is beside others.
    let lines = "name,depth\n".repeat(1_000);
    let policy = ResultPolicy { max_tokens: 1_000, ..ResultPolicy::default() };
    let (content, kept) = fit_by(&policy, blob(lines.as_bytes(), "text/csv"), &some);
    assert!(text(&content[0]).contains("[cut here: ") && kept.len() == 1);
    let two = CallToolResult::new(
        [blob(&lines.as_bytes()[..3_000], "text/csv"), blob(&lines.as_bytes()[..3_000], "text/csv")]
            .into_iter()
            .flat_map(|given| given.content)
            .collect::<Vec<_>>(),
    );
    let (content, kept) = fit_by(&policy, two, &some);
    assert!(text(&content[0]).starts_with("file:///a (text/csv):\nname,depth"), "{content:?}");
    assert!(text(&content[1]).contains("[cut here: ") && kept.len() == 1);
}

#[test]
fn images_that_providers_refuse_are_told_and_kept() {
    let wide = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x2e\xe0\0\0\0\x10";
    for (bytes, why) in
        [(&wide[..], "of 12000 by 16 pixels, which is too large"), (b"\xff\xd8\xff\xe0\0\x10JF", "damaged")]
    {
        let given = CallToolResult::new([ImageContent::from_bytes(bytes, "image/png").into()]);
        let (content, kept) = fit_by(&ResultPolicy::default(), given, &all());
        assert!(text(&content[0]).contains(why), "{content:?}");
        assert_eq!(kept.len(), 1);
    }
}

#[test]
fn media_that_do_not_fit_leave_room_for_the_rest() {
    let pdf = || {
        EmbeddedResource::new(ResourceContents::blob(
            "file:///a.pdf",
            &[b"%PDF-1.7".as_slice(), &[0; 1_000_000]].concat(),
        ))
    };
    let policy = ResultPolicy { max_tokens: 2000, ..ResultPolicy::default() };
    let given = || CallToolResult::new([pdf().into(), ContentBlock::text("the summary")]);
    let (content, kept) = fit_by(&policy, given(), &all());
    assert!(text(&content[0]).contains("no room") && text(&content[1]) == "the summary", "{content:?}");
    assert_eq!(kept.len(), 1);
    // By default one of any size that is taken at all is shown.
    assert!(matches!(fit(given(), &all())[0], Content::Media(_)));
}

#[test]
fn what_is_for_people_stays_with_them_and_meta_goes_nowhere() {
    let secret = TextContent::new("for you").with_annotations(Annotations::default().with_audience([Role::User]));
    let mut meta = TextContent::new("for all");
    meta.meta = Some(serde_json::from_value::<Meta>(json!({"token": "knot"})).unwrap());
    let odd: ContentBlock =
        serde_json::from_value(json!({"type": "hologram", "mesh": "x", "_meta": {"token": "knot"}})).unwrap();
    let shelf = Shelf::default();
    let given = CallToolResult::new([secret.into(), meta.into(), odd]);
    let fitted = ResultPolicy::default().fit(&call(), given, &all(), &shelf);
    assert_eq!(fitted.for_host.len(), 1);
    assert_eq!(text(&fitted.result.content[0]), "for all");
    assert!(text(&fitted.result.content[1]).contains("(\"hologram\")"));
    assert!(!format!("{:?}{:?}", fitted.result, shelf.0.lock().unwrap()).contains("knot"));
}

#[test]
fn a_long_result_is_cut_at_a_line_and_kept_whole() {
    let lines: String = (0..2_000_000).map(|n| format!("line {n}\n")).collect();
    let policy = ResultPolicy { max_tokens: 1000, ..ResultPolicy::default() };
    let (content, kept) = fit_by(&policy, CallToolResult::text(lines.clone()), &Features::TEXT);
    let [Content::Text(shown)] = &content[..] else { panic!("{content:?}") };
    assert!(estimate_tokens(shown) <= 1000);
    let (head, note) = shown.split_once("\n[cut here: ").unwrap();
    assert!(lines.starts_with(&format!("{head}\n")) && note.contains("read_artifact with the handle \"a1\""), "{note}");
    assert_eq!(kept, [("text/plain".to_owned(), lines)]);
}

#[test]
fn what_matters_most_stays() {
    let block = |text: String, priority: f64| -> ContentBlock {
        TextContent::new(text).with_annotations(Annotations::default().with_priority(priority)).into()
    };
    let mut blocks: Vec<ContentBlock> =
        (0..500).map(|n| block(format!("{n} {}", "padding ".repeat(20)), 0.1)).collect();
    blocks.push(block("the answer".to_owned(), 1.0));
    let policy = ResultPolicy { max_tokens: 2000, ..ResultPolicy::default() };
    let (content, kept) = fit_by(&policy, CallToolResult::new(blocks), &Features::TEXT);
    assert!(content.iter().any(|piece| text(piece) == "the answer"));
    assert!(text(content.last().unwrap()).contains("blocks left out"));
    assert!(kept.iter().any(|(_, text)| text.contains("499 padding")));
    assert!(content.iter().map(Content::estimated_tokens).sum::<u64>() <= 2000);
}

#[test]
fn blocks_beyond_the_bound_are_counted_and_kept() {
    let blocks: Vec<ContentBlock> = (0..BLOCKS + 2).map(|n| ContentBlock::text(format!("{n}"))).collect();
    let policy = ResultPolicy { max_tokens: 100_000, ..ResultPolicy::default() };
    let (content, kept) = fit_by(&policy, CallToolResult::new(blocks), &Features::TEXT);
    assert!(text(content.last().unwrap()).starts_with("[2 more blocks, which are not shown; call read_artifact"));
    assert!(kept[0].1.contains(r#""text":"10001""#), "{}", kept[0].1);
}

#[test]
fn many_things_that_cannot_be_shown_are_counted() {
    let blocks: Vec<ContentBlock> = (0..5000).map(|_| ImageContent::from_bytes(PNG, "image/png").into()).collect();
    let (content, kept) = fit_by(&ResultPolicy::default(), CallToolResult::new(blocks), &Features::TEXT);
    assert_eq!((content.len(), kept.len()), (21, 20));
    assert_eq!(text(content.last().unwrap()), "[4980 more things that cannot be shown to you]");
}

proptest! {
    #[test]
    fn no_result_is_empty_or_over_its_size(
        texts in prop::collection::vec("(\\PC|\n){0,200}", 0..8), structured in any::<bool>(), max in 200_u64..400, p in 0..3_usize
    ) {
        let blocks: Vec<ContentBlock> = texts.iter().map(ContentBlock::text).collect();
        let mut given = CallToolResult::new(blocks);
        if structured {
            given = given.with_structured_content(json!({"texts": texts}));
        }
        let prefer = [Prefer::Both, Prefer::Content, Prefer::Structured][p];
        let content = fit_by(&ResultPolicy { max_tokens: max, prefer, ..ResultPolicy::default() }, given, &Features::TEXT).0;
        prop_assert!(!content.is_empty());
        prop_assert!(content.iter().map(Content::estimated_tokens).sum::<u64>() <= max, "{content:?}");
    }
}
