//! One skill, by the extension `io.modelcontextprotocol/skills` (SEP-2640).

use bowline::protocol::{ErrorCode, ErrorObject, RawJson, Resource, TextResourceContents};
use bowline_testkit::{MethodCall, MockServerBuilder};
use serde_json::{Value, json};

const NAME: &str = "tie-knots";
const DESCRIPTION: &str = "Ties the knots that hold a boat. Use it when something has to be made fast.";
const ROOT: &str = "skill://tie-knots";

/// A file of the skill.
struct File {
    path: &'static str,
    name: &'static str,
    description: &'static str,
    text: &'static str,
    /// The SHA-256 of the text.
    digest: &'static str,
}

const FILES: [File; 2] = [
    File {
        path: "SKILL.md",
        name: NAME,
        description: DESCRIPTION,
        text: "---\n\
name: tie-knots\n\
description: Ties the knots that hold a boat. Use it when something has to be made fast.\n\
---\n\
\n\
# Tie knots\n\
\n\
For a loop that holds and comes undone, tie a bowline; see references/BOWLINE.md.\n\
",
        digest: "sha256:9dfaca12563787fa62f32e45ccd5c7c5008f324ae1838e564f4525192ac6ec1f",
    },
    File {
        path: "references/BOWLINE.md",
        name: "bowline",
        description: "How to tie it",
        text: "# Bowline\n\
\n\
The rabbit comes out of its hole, goes round the tree, and back into the hole.\n\
",
        digest: "sha256:903245fd99f1202e3f950bf2499503bb05a3789c4621c226b8b274354bf10b63",
    },
];

impl File {
    fn uri(&self) -> String {
        format!("{ROOT}/{}", self.path)
    }
}

pub(crate) fn add(builder: MockServerBuilder) -> MockServerBuilder {
    let builder = FILES.iter().fold(builder, |builder, file| {
        builder.resource(
            Resource::new(file.uri(), file.name)
                .with_description(file.description)
                .with_mime_type("text/markdown")
                .with_size(file.text.len() as u64),
            TextResourceContents::new(file.uri(), file.text).with_mime_type("text/markdown").into(),
        )
    });
    builder
        .extension("io.modelcontextprotocol/skills", json!({ "directoryRead": true }))
        .method("skills/list", |_| async { Ok(kept(json!({ "skills": [entry()] }))) })
        .method("skills/get", |call| async move {
            let entry = entry();
            if uri(&call) == entry.get("uri").and_then(Value::as_str).map(str::to_owned) {
                return Ok(kept(json!({ "skill": entry })));
            }
            Err(unknown("skill", &call))
        })
        .method("resources/directory/read", |call| async move {
            let directory = |uri: &str, name: &str| json!({ "uri": uri, "name": name, "mimeType": "inode/directory" });
            let file = |file: &File| json!({ "uri": file.uri(), "name": file.name, "mimeType": "text/markdown" });
            let [skill, reference] = &FILES;
            let children = match uri(&call).as_deref().map(|uri| uri.trim_end_matches('/')) {
                Some(ROOT) => json!([file(skill), directory(&format!("{ROOT}/references"), "references")]),
                Some("skill://tie-knots/references") => json!([file(reference)]),
                _ => return Err(unknown("directory", &call)),
            };
            Ok(kept(json!({ "resources": children })))
        })
}

fn entry() -> Value {
    let resources =
        FILES.iter().map(|file| json!({ "uri": file.uri(), "digest": file.digest, "size": file.text.len() }));
    json!({
        "uri": format!("{ROOT}/SKILL.md"),
        "frontmatter": { "name": NAME, "description": DESCRIPTION },
        "resources": resources.collect::<Vec<_>>(),
    })
}

/// A result that says for how long it may be kept.
fn kept(mut result: Value) -> RawJson {
    if let Some(members) = result.as_object_mut() {
        members.insert("ttlMs".to_owned(), json!(0));
        members.insert("cacheScope".to_owned(), json!("private"));
    }
    RawJson::from(result)
}

fn uri(call: &MethodCall) -> Option<String> {
    call.params.to_value().get("uri").and_then(Value::as_str).map(str::to_owned)
}

fn unknown(what: &str, call: &MethodCall) -> ErrorObject {
    let uri = uri(call).unwrap_or_default();
    ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("Unknown {what}: {uri}"))
}
