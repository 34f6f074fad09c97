//! The resources, prompts and completions of the demonstration.

use bowline_protocol::{
    BlobResourceContents, CompleteResult, Completion, CompletionReference, ErrorCode, ErrorObject, GetPromptResult,
    Prompt, PromptArgument, PromptMessage, RawJson, ReadResourceResult, Resource, ResourceTemplate,
    TextResourceContents,
};
use serde_json::json;

use crate::server::{CompletionCall, MockServerBuilder, PromptCall, ResourceRead};

const LOG_BOOK: &str =
    "# Log book\n\n08:00 Cast off, wind south-west, force 4.\n12:30 Reefed the main.\n17:45 Made fast.\n";
/// A PNG of one blue pixel.
const PENNANT: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\xdac\x90\x8f\xdf\x0f\0\x01\xde\x01>\xb4XY\xcd\0\0\0\0IEND\xaeB`\x82";
const LANGUAGES: [&str; 6] = ["python", "rust", "ruby", "go", "java", "typescript"];
const KNOTS: [(&str, &str); 4] = [
    ("bowline", "A fixed loop that holds under load and comes undone easily."),
    ("clove-hitch", "Two half hitches around a post."),
    ("figure-eight", "A stopper that does not run through a block."),
    ("reef-knot", "Joins two ends of the same line; not for heavy load."),
];

pub(crate) fn add(builder: MockServerBuilder) -> MockServerBuilder {
    let log_book = "demo://log-book";
    let pennant = "demo://pennant.png";
    builder
        .resource(
            Resource::new(log_book, "log-book")
                .with_title("Log book")
                .with_description("What happened today")
                .with_mime_type("text/markdown")
                .with_size(LOG_BOOK.len() as u64),
            TextResourceContents::new(log_book, LOG_BOOK).with_mime_type("text/markdown").into(),
        )
        .resource(
            Resource::new(pennant, "pennant.png")
                .with_title("Pennant")
                .with_description("One blue pixel")
                .with_mime_type("image/png")
                .with_size(PENNANT.len() as u64),
            BlobResourceContents::from_bytes(pennant, PENNANT).with_mime_type("image/png").into(),
        )
        .template(
            ResourceTemplate::new("demo://knots/{name}", "knot")
                .with_title("Knot")
                .with_description("How a knot is used")
                .with_mime_type("text/plain"),
            knot,
        )
        .prompt(Prompt::new("greet").with_title("Greet").with_description("Begins a conversation"), greet)
        .prompt(
            Prompt::new("review")
                .with_title("Review code")
                .with_description("Asks for a review of a piece of code")
                .with_arguments([
                    PromptArgument::new("code").with_description("The code").with_required(true),
                    PromptArgument::new("language").with_description("Its language").with_required(false),
                ]),
            review,
        )
        .completion(complete)
}

async fn knot(read: ResourceRead) -> Result<ReadResourceResult, ErrorObject> {
    let uri = read.params.uri.clone();
    let name = read.variable("name").unwrap_or_default();
    match KNOTS.iter().find(|(knot, _)| *knot == name) {
        Some((_, text)) => {
            Ok(ReadResourceResult::new([TextResourceContents::new(uri, *text).with_mime_type("text/plain").into()]))
        }
        None => Err(ErrorObject::new(ErrorCode::RESOURCE_NOT_FOUND, "Resource not found")
            .with_data(RawJson::from(json!({ "uri": uri })))),
    }
}

async fn greet(_: PromptCall) -> Result<GetPromptResult, ErrorObject> {
    Ok(GetPromptResult::new([PromptMessage::user("Say hello to the crew.")]).with_description("A greeting"))
}

async fn review(prompt: PromptCall) -> Result<GetPromptResult, ErrorObject> {
    let language = match prompt.argument("language") {
        "" => "this",
        language => language,
    };
    let question = format!("Review {language} code and name its faults:\n\n{}", prompt.argument("code"));
    Ok(GetPromptResult::new([
        PromptMessage::user(question),
        PromptMessage::assistant("I look at correctness first, then at names, then at speed."),
    ])
    .with_description("A review of code"))
}

async fn complete(call: CompletionCall) -> Result<CompleteResult, ErrorObject> {
    let argument = &call.params.argument;
    let known: Vec<&str> = match (&call.params.reference, argument.name.as_str()) {
        (CompletionReference::Prompt(prompt), "language") if prompt.name == "review" => LANGUAGES.to_vec(),
        (CompletionReference::Resource(resource), "name") if resource.uri == "demo://knots/{name}" => {
            KNOTS.iter().map(|(name, _)| *name).collect()
        }
        _ => Vec::new(),
    };
    let values: Vec<String> = known.into_iter().filter(|v| v.starts_with(&argument.value)).map(str::to_owned).collect();
    let total = values.len() as u64;
    Ok(CompleteResult::new(Completion::new(values).with_total(total).with_has_more(false)))
}
