//! What callers build is valid in the revisions that have it.

use bowline_protocol::Revision::{self, V2024_11_05, V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};
use bowline_protocol::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::Schema;

struct Built {
    definition: &'static str,
    since: Revision,
    until: Revision,
    value: Value,
}

fn built(definition: &'static str, since: Revision, until: Revision, value: impl Serialize) -> Built {
    Built { definition, since, until, value: serde_json::to_value(value).unwrap() }
}

fn all() -> Vec<Built> {
    let latest = V2026_07_28;
    let form = ElicitationSchema::new([
        ("name", StringSchema::new().with_min_length(1).with_format("email").into()),
        ("age", NumberSchema::new(NumberType::Integer).with_minimum(0).with_maximum(150).into()),
        ("news", BooleanSchema::new().with_default(true).into()),
        ("colour", LegacyTitledEnumSchema::new(["r".to_owned()], ["red".to_owned()]).into()),
    ])
    .with_required(["name".to_owned()]);
    let choices = ElicitationSchema::new([
        ("one", UntitledSingleSelectEnumSchema::new(["a".to_owned()]).into()),
        ("titled", TitledSingleSelectEnumSchema::new([EnumOption::new("a", "A")]).with_default("a").into()),
        ("some", UntitledMultiSelectEnumSchema::new(UntitledItems::new(["a".to_owned()])).with_max_items(1).into()),
        ("more", TitledMultiSelectEnumSchema::new(TitledItems::new([EnumOption::new("a", "A")])).into()),
    ]);
    let mut meta = Meta::new();
    meta.set_client(latest, &ClientCapabilities::new());
    meta.set_client_info(&Implementation::new("c", "1"));
    meta.set_log_level(&LoggingLevel::Warning);
    vec![
        built("Annotations", V2025_03_26, latest, Annotations::new().with_audience([Role::User]).with_priority(1)),
        built("ContentBlock", V2025_06_18, latest, ContentBlock::text("t")),
        built("TextContent", V2024_11_05, latest, ContentBlock::text("t")),
        built(
            "ImageContent",
            V2024_11_05,
            latest,
            ContentBlock::from(ImageContent::from_bytes(b"\x00\x01", "image/png")),
        ),
        built("AudioContent", V2025_03_26, latest, ContentBlock::from(AudioContent::from_bytes(b"\x00", "audio/wav"))),
        built(
            "ResourceLink",
            V2025_06_18,
            latest,
            ContentBlock::from(ResourceLink::from(Resource::new("x://1", "one"))),
        ),
        built(
            "EmbeddedResource",
            V2024_11_05,
            latest,
            ContentBlock::from(EmbeddedResource::new(ResourceContents::text("x://1", "t"))),
        ),
        built("BlobResourceContents", V2024_11_05, latest, ResourceContents::blob("x://1", b"\xff")),
        built(
            "CallToolRequestParams",
            V2025_11_25,
            V2025_11_25,
            CallToolRequestParams::new("t").with_arguments(json!({})),
        ),
        built("CallToolRequestParams", latest, latest, CallToolRequestParams::new("t").with_meta(meta.clone())),
        built("CallToolResult", V2024_11_05, V2025_11_25, CallToolResult::error("no")),
        built("CallToolResult", V2024_11_05, V2025_11_25, CallToolResult::new([])),
        built(
            "CallToolResult",
            latest,
            latest,
            CallToolResult::text("t").with_structured_content(Value::Null).with_result_type(ResultKind::Complete),
        ),
        built(
            "CancelledNotificationParams",
            V2025_11_25,
            latest,
            CancelledNotificationParams::new().with_request_id(1),
        ),
        built("ClientCapabilities", V2024_11_05, latest, ClientCapabilities::new()),
        built(
            "ClientCapabilities",
            V2024_11_05,
            V2025_11_25,
            ClientCapabilities::new()
                .with_elicitation(ElicitationCapability::new().with_form(Extra::new()))
                .with_sampling(SamplingCapability::new())
                .with_roots(RootsCapability::new().with_list_changed(true)),
        ),
        built(
            "CompleteResult",
            V2024_11_05,
            V2025_11_25,
            CompleteResult::new(Completion::new(["a".to_owned()]).with_total(1)),
        ),
        built(
            "CreateMessageRequestParams",
            V2025_11_25,
            latest,
            CreateMessageRequestParams::new([SamplingMessage::user("q")]).with_max_tokens(9),
        ),
        built("CreateMessageResult", V2024_11_05, latest, CreateMessageResult::new("m", TextContent::new("a"))),
        built(
            "CreateMessageResult",
            V2025_11_25,
            latest,
            CreateMessageResult::new("m", vec![ToolUseContent::new("1", "t", json!({})).into()]),
        ),
        built("CreateTaskResult", V2025_11_25, V2025_11_25, CreateTaskResult::nested(task())),
        built(
            "DiscoverResult",
            latest,
            latest,
            DiscoverResult::new(["2026-07-28".to_owned()])
                .with_result_type(ResultKind::Complete)
                .with_cache(0, CacheScope::Private),
        ),
        built(
            "ElicitRequestParams",
            V2025_11_25,
            latest,
            ElicitRequestParams::from(ElicitRequestFormParams::new("m", form.clone())),
        ),
        built(
            "ElicitRequestParams",
            V2025_11_25,
            latest,
            ElicitRequestParams::from(ElicitRequestFormParams::new("m", choices)),
        ),
        built(
            "ElicitRequestParams",
            V2025_11_25,
            latest,
            ElicitRequestParams::from(ElicitRequestUrlParams::new("m", "https://x.example").with_elicitation_id("1")),
        ),
        built(
            "ElicitRequest",
            V2025_06_18,
            V2025_06_18,
            json!({"method": method::ELICITATION_CREATE, "params": ElicitRequestFormParams::new("m", form)}),
        ),
        built(
            "ElicitResult",
            V2025_06_18,
            latest,
            ElicitResult::accept([("name", json!("n")), ("age", json!(4)), ("news", json!(true))]),
        ),
        built("ElicitResult", V2025_06_18, latest, ElicitResult::decline()),
        built("ElicitResult", V2025_06_18, latest, ElicitResult::cancel()),
        built("EmptyResult", V2024_11_05, V2025_11_25, EmptyResult::new()),
        built(
            "GetPromptResult",
            V2024_11_05,
            V2025_11_25,
            GetPromptResult::new([PromptMessage::user("u"), PromptMessage::assistant("a")]),
        ),
        built(
            "Icon",
            V2025_11_25,
            latest,
            Icon::new("https://x.example/i.png").with_sizes(["48x48".to_owned()]).with_theme("dark"),
        ),
        built(
            "InitializeRequestParams",
            V2025_11_25,
            V2025_11_25,
            InitializeRequestParams::new(V2025_11_25, ClientCapabilities::new(), Implementation::new("c", "1")),
        ),
        built(
            "InitializeResult",
            V2024_11_05,
            V2025_11_25,
            InitializeResult::new(
                V2025_03_26,
                ServerCapabilities::new().with_tools(ToolsCapability::new()),
                Implementation::new("s", "1"),
            ),
        ),
        built(
            "InputRequiredResult",
            latest,
            latest,
            InputRequiredResult::new().with_input_requests([("r", ListRootsRequest::new().into())]),
        ),
        built("ListRootsResult", V2024_11_05, latest, ListRootsResult::new([Root::new("file:///x").with_name("x")])),
        built(
            "ListToolsResult",
            V2024_11_05,
            V2025_11_25,
            ListToolsResult::new([Tool::new("t", json!({"type": "object"}))]),
        ),
        built(
            "ListToolsResult",
            latest,
            latest,
            ListToolsResult::new([]).with_result_type(ResultKind::Complete).with_cache(5, CacheScope::Public),
        ),
        built(
            "LoggingMessageNotificationParams",
            V2025_11_25,
            latest,
            LoggingMessageNotificationParams::new("info", json!("text")),
        ),
        built("ProgressNotificationParams", V2025_11_25, latest, ProgressNotificationParams::new(7, 0.5).with_total(2)),
        built(
            "Prompt",
            V2024_11_05,
            latest,
            Prompt::new("p").with_arguments([PromptArgument::new("a").with_required(true)]),
        ),
        built("PromptReference", V2024_11_05, latest, CompletionReference::prompt("p")),
        built(
            "ReadResourceResult",
            V2024_11_05,
            V2025_11_25,
            ReadResourceResult::new([ResourceContents::text("x://1", "")]),
        ),
        built("RequestMetaObject", latest, latest, meta),
        built("ResourceTemplate", V2024_11_05, latest, ResourceTemplate::new("x://{id}", "x")),
        built("ResourceTemplateReference", V2025_06_18, latest, CompletionReference::resource("x://{id}")),
        built(
            "SubscriptionFilter",
            latest,
            latest,
            SubscriptionFilter::new().with_tools_list_changed(true).with_task_ids(["1".to_owned()]),
        ),
        built("Task", V2025_11_25, V2025_11_25, task()),
        built(
            "Tool",
            V2024_11_05,
            latest,
            Tool::new("t", json!({"type": "object"})).with_output_schema(json!({"type": "object"})),
        ),
    ]
}

fn task() -> Task {
    Task::new("1", TaskStatus::Working)
        .with_created_at("2025-11-25T10:30:00Z")
        .with_last_updated_at("2025-11-25T10:30:00Z")
        .with_ttl(TaskTtl::Unlimited)
}

#[test]
fn what_callers_build_is_valid_in_the_revisions_that_have_it() {
    let Some(schemas) = Schema::all() else { return };
    let mut problems = Vec::new();
    for Built { definition, since, until, value } in all() {
        let applicable: Vec<_> = schemas.iter().filter(|s| (since..=until).contains(&s.revision)).collect();
        assert!(!applicable.is_empty());
        problems.extend(applicable.iter().filter_map(|schema| schema.validator(definition).check(&value).err()));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
