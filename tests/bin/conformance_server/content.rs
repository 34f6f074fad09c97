//! Resources, prompts and completion.

use bowline::protocol::{
    BlobResourceContents, CompleteResult, Completion, EmbeddedResource, GetPromptResult, ImageContent, Prompt,
    PromptArgument, PromptMessage, ReadResourceResult, Resource, ResourceTemplate, Role, TextResourceContents,
};
use bowline_testkit::MockServerBuilder;
use serde_json::json;

/// A PNG of one red pixel.
pub(crate) const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82";
/// A WAV file without a sound.
pub(crate) const SILENCE: &[u8] =
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0";

pub(crate) fn add(builder: MockServerBuilder) -> MockServerBuilder {
    prompts(resources(builder)).completion(|call| async move {
        let values =
            ["alpha", "beta", "gamma"].into_iter().filter(|value| value.starts_with(&call.params.argument.value));
        Ok(CompleteResult::new(Completion::new(values.map(str::to_owned).collect::<Vec<_>>())))
    })
}

fn resources(builder: MockServerBuilder) -> MockServerBuilder {
    let text = |uri: &str, text: &str| TextResourceContents::new(uri, text).with_mime_type("text/plain").into();
    builder
        .resource(
            Resource::new("test://static-text", "static-text")
                .with_description("Text that stays the same")
                .with_mime_type("text/plain"),
            text("test://static-text", "This is the content of the static text resource."),
        )
        .resource(
            Resource::new("test://static-binary", "static-binary")
                .with_description("Bytes that stay the same")
                .with_mime_type("image/png"),
            BlobResourceContents::from_bytes("test://static-binary", PIXEL).with_mime_type("image/png").into(),
        )
        .resource(
            Resource::new("test://watched-resource", "watched-resource")
                .with_description("Text to subscribe to")
                .with_mime_type("text/plain"),
            text("test://watched-resource", "Nothing happened yet."),
        )
        .template(
            ResourceTemplate::new("test://template/{id}/data", "template")
                .with_description("Data by its id")
                .with_mime_type("application/json"),
            |read| async move {
                let id = read.variable("id").unwrap_or_default();
                let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                let contents = TextResourceContents::new(read.params.uri.as_str(), data.to_string());
                Ok(ReadResourceResult::new([contents.with_mime_type("application/json").into()]))
            },
        )
}

fn prompts(builder: MockServerBuilder) -> MockServerBuilder {
    let argument = |name: &str, about: &str| PromptArgument::new(name).with_description(about).with_required(true);
    builder
        .prompt(Prompt::new("test_simple_prompt").with_description("Has no arguments"), |_| async {
            Ok(GetPromptResult::new([PromptMessage::user("This is a simple prompt for testing.")]))
        })
        .prompt(
            Prompt::new("test_prompt_with_arguments")
                .with_description("Shows its arguments")
                .with_arguments([argument("arg1", "First test argument"), argument("arg2", "Second test argument")]),
            |prompt| async move {
                let (one, two) = (prompt.argument("arg1"), prompt.argument("arg2"));
                let text = format!("Prompt with arguments: arg1='{one}', arg2='{two}'");
                Ok(GetPromptResult::new([PromptMessage::user(text)]))
            },
        )
        .prompt(
            Prompt::new("test_prompt_with_embedded_resource")
                .with_description("Embeds a resource")
                .with_arguments([argument("resourceUri", "URI of the resource to embed")]),
            |prompt| async move {
                let uri = prompt.argument("resourceUri");
                let contents = TextResourceContents::new(uri, "Embedded resource content for testing.");
                let resource = EmbeddedResource::new(contents.with_mime_type("text/plain"));
                Ok(GetPromptResult::new([
                    PromptMessage::new(Role::User, resource),
                    PromptMessage::user("Please process the embedded resource above."),
                ]))
            },
        )
        .prompt(Prompt::new("test_prompt_with_image").with_description("Shows an image"), |_| async {
            Ok(GetPromptResult::new([
                PromptMessage::new(Role::User, ImageContent::from_bytes(PIXEL, "image/png")),
                PromptMessage::user("Please analyze the image above."),
            ]))
        })
}
