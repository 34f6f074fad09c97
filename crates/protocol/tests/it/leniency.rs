//! What real servers send and no schema allows is read where its meaning is plain.

use bowline_protocol::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn decode<R: ResultType>(text: &str) -> R {
    R::decode(&text.parse().unwrap()).unwrap_or_else(|e| panic!("{e} in {text}"))
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text}"))
}

#[test]
fn case_tools_009_one_bad_tool_does_not_hide_the_others() {
    let list: ListToolsResult = decode(
        r#"{"tools": [{"name": "good", "inputSchema": {"type": "object"}},
        {"name": "odd", "inputSchema": {"type": "object"}, "outputSchema": {"$id": "x"}},
        {"description": "no name", "inputSchema": {}}], "nextCursor": "p2", "x": 1}"#,
    );
    assert_eq!(list.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["good", "odd"]);
    assert_eq!(list.tools[1].output_schema.as_ref().unwrap().as_str(), r#"{"$id": "x"}"#);
    assert_eq!((list.next_cursor.as_deref(), &list.extra["x"]), (Some("p2"), &json!(1)));
    let [problem] = list.problems.as_slice() else { panic!("{:?}", list.problems) };
    assert_eq!(problem.index, 2);
    assert!(problem.to_string().starts_with("item 2: missing field `name`"), "{problem}");
    assert_eq!(problem.raw.to_value()["description"], "no name");
}

#[test]
fn a_bad_item_is_reported_in_every_list() {
    assert_eq!(decode::<ListResourcesResult>(r#"{"resources": [1, {"uri": "x://1"}]}"#).problems.len(), 1);
    assert_eq!(decode::<ListResourceTemplatesResult>(r#"{"resourceTemplates": [{}]}"#).problems.len(), 1);
    assert_eq!(decode::<ListPromptsResult>(r#"{"prompts": [{"name": "p"}, null]}"#).problems[0].index, 1);
    assert_eq!(decode::<GetPromptResult>(r#"{"messages": [{"role": "user"}]}"#).problems.len(), 1);
    assert_eq!(decode::<ListTasksResult>(r#"{"tasks": [{"taskId": 1}]}"#).problems.len(), 1);
    assert_eq!(decode::<ListRootsResult>(r#"{"roots": [{"name": "x"}]}"#).problems.len(), 1);
}

#[test]
fn very_many_bad_items_are_counted_and_not_kept() {
    let bad = |count: usize| vec!["1"; count].join(",");
    let list: ListToolsResult = decode(&format!(r#"{{"tools":[{},{{"name":"good"}}]}}"#, bad(5000)));
    assert_eq!(list.tools[0].name, "good");
    assert_eq!(list.problems.len(), 1001);
    assert_eq!(
        list.problems[1000].to_string(),
        "item 1000: 4000 items from here on could not be read and are left out"
    );
    assert!(decode::<ListToolsResult>(&format!(r#"{{"tools":[{}]}}"#, bad(1000))).problems.len() == 1000);
    let result: CallToolResult = decode(&format!(r#"{{"content":[{}]}}"#, bad(5000)));
    assert_eq!((result.content.len(), result.problems.len()), (1000, 1001));
}

#[test]
fn a_problem_is_told_in_few_words() {
    let list: ListToolsResult = decode(&format!(r#"{{"tools":["{}"]}}"#, "x".repeat(1 << 20)));
    assert!(list.problems[0].error.len() < 400, "{}", list.problems[0].error.len());
}

#[test]
fn a_result_that_is_wrong_as_a_whole_is_an_error_that_says_where() {
    for text in
        [r#"{"tools": {}}"#, r#"{"tools": [], "nextCursor": {}}"#, r#"{"tools": [1], "nextCursor": true}"#, "[]", "7"]
    {
        let raw: RawJson = text.parse().unwrap();
        let error = ListToolsResult::decode(&raw).unwrap_err();
        assert!(error.line() == 1 && error.column() <= text.len(), "{error}");
    }
}

#[test]
fn case_tools_010_unknown_content_is_kept() {
    let text = r#"{"content": [{"type": "text", "text": "a"},
        {"type": "hologram", "mesh": "AAEC", "_meta": {"k": 1}},
        {"type": "audio", "data": "AAEC", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "file:///x", "name": "x"}]}"#;
    let result: CallToolResult = decode(text);
    let [ContentBlock::Text(_), ContentBlock::Other(odd), ContentBlock::Audio(audio), ContentBlock::ResourceLink(_)] =
        result.content.as_slice()
    else {
        panic!("{:?}", result.content)
    };
    assert_eq!(odd.to_value(), json!({"type": "hologram", "mesh": "AAEC", "_meta": {"k": 1}}));
    assert_eq!(audio.decode().unwrap(), [0, 1, 2]);
    assert_eq!(serde_json::to_value(&result).unwrap(), read::<Value>(text));
    assert!(result.problems.is_empty());
}

#[test]
fn t_13_a_known_kind_of_the_wrong_shape_is_kept_and_reported() {
    let result: CallToolResult = decode(
        r#"{"content": [{"type": "text", "text": 7}, {"text": "late", "type": "text"}, "bare"], "isError": true}"#,
    );
    let [ContentBlock::Other(wrong), ContentBlock::Text(late), ContentBlock::Text(bare)] = result.content.as_slice()
    else {
        panic!("{:?}", result.content)
    };
    assert_eq!((wrong.to_value()["text"].clone(), late.text.as_str(), bare.text.as_str()), (json!(7), "late", "bare"));
    assert_eq!(result.problems.iter().map(|problem| problem.index).collect::<Vec<_>>(), [0]);
    assert!(result.is_error());
}

#[test]
fn case_tools_016_results_without_content_are_results() {
    for text in ["{}", r#"{"content":null}"#, r#"{"structuredContent":{"a":1}}"#, r#"{"content":[],"isError":null}"#] {
        let result: CallToolResult = decode(text);
        assert!(result.content.is_empty() && !result.is_error() && result.extra.is_empty(), "{text}");
        assert_eq!(result.structured_content.is_some(), text.contains("structured"));
    }
    let relic: CallToolResult = decode(r#"{"toolResult":{"content":[]}}"#);
    assert_eq!(relic.extra["toolResult"], json!({"content": []}));
}

#[test]
fn t_05_null_as_structured_content_differs_from_none() {
    let null: CallToolResult = decode(r#"{"content":[],"structuredContent":null}"#);
    assert!(null.structured_content.as_ref().unwrap().is_null());
    assert_eq!(serde_json::to_string(&null).unwrap(), r#"{"content":[],"structuredContent":null}"#);
    assert_eq!(decode::<CallToolResult>(r#"{"content":[]}"#).structured_content, None);
}

#[test]
fn case_tools_020_cache_hints_that_make_no_sense_are_none() {
    for (hint, ttl) in
        [("60000", Some(60_000)), ("1e3", Some(1000)), ("-5", None), ("\"x\"", None), ("1e300", None), ("null", None)]
    {
        let list: ListToolsResult = decode(&format!(r#"{{"tools":[],"ttlMs":{hint},"cacheScope":"shared"}}"#));
        assert_eq!(list.ttl_ms, ttl, "{hint}");
        assert_eq!(list.cache_scope, Some(CacheScope::Other("shared".to_owned())));
    }
}

#[test]
fn a_tool_without_schema_has_an_empty_one() {
    let list: ListToolsResult =
        decode(r#"{"tools": [{"name": "a"}, {"name": "b", "inputSchema": null, "title": null}]}"#);
    assert!(list.tools.iter().all(|tool| tool.input_schema == RawJson::EMPTY_OBJECT && tool.title.is_none()));
}

// Duty: R-05
#[test]
fn case_resources_001_contents_are_told_by_their_member() {
    let result: ReadResourceResult = decode(
        r#"{"contents":[{"uri":"x://1","blob":"/wD+gA=="},{"uri":"x://2","text":"hi"},
        {"uri":"x://3","text":"","mimeType":null},{"uri":"x://4"},{"uri":"x://5","text":null,"blob":"AA"}]}"#,
    );
    let [
        ResourceContents::Blob(blob),
        ResourceContents::Text(hi),
        ResourceContents::Text(empty),
        ResourceContents::Other(neither),
        ResourceContents::Blob(unpadded),
    ] = result.contents.as_slice()
    else {
        panic!("{:?}", result.contents)
    };
    assert_eq!(blob.decode().unwrap(), [0xff, 0x00, 0xfe, 0x80]);
    assert_eq!((hi.text.as_str(), empty.text.as_str(), &empty.mime_type), ("hi", "", &None));
    assert_eq!(neither.to_value()["uri"], "x://4");
    assert_eq!(unpadded.decode().unwrap(), [0]);
}

#[test]
fn case_prompts_003_prompts_without_arguments_miss_none() {
    let list: ListPromptsResult = decode(
        r#"{"prompts":[{"name":"a"},{"name":"b","arguments":null},{"name":"c","arguments":[{"name":"x"},{"name":"y","required":false}]}]}"#,
    );
    assert!(list.prompts.iter().all(|prompt| prompt.missing_arguments([]).is_empty()));
}

#[test]
fn case_prompts_004_missing_arguments_are_named() {
    let prompt = Prompt::new("p")
        .with_arguments([PromptArgument::new("repository").with_required(true), PromptArgument::new("note")]);
    assert_eq!(prompt.missing_arguments(["note"]), ["repository"]);
    assert!(prompt.missing_arguments(["repository"]).is_empty());
}

#[test]
fn the_content_of_a_prompts_message_may_be_a_bare_string() {
    let result: GetPromptResult = decode(
        r#"{"messages":[{"role":"user","content":"ahoy","x":1},{"role":"user","content":7},
        {"role":"assistant","content":{"text":"aye","type":"text"}},{"role":"user"}]}"#,
    );
    assert_eq!(result.messages.iter().map(|m| m.content.as_text()).collect::<Vec<_>>(), [Some("ahoy"), Some("aye")]);
    assert_eq!(result.problems.iter().map(|problem| problem.index).collect::<Vec<_>>(), [1, 3]);
    assert!(
        result.problems[0].error.contains("integer `7`, expected an object with a member"),
        "{}",
        result.problems[0]
    );
}

/// What is read of a result, and what was lenient about that.
fn leniently<R: ResultType>(text: &str) -> (R, Vec<Leniency>) {
    let (result, lenient) = noticing(|| decode(text));
    (result, lenient.iter().collect())
}

#[test]
fn content_that_is_no_list_is_read_as_one() {
    for (content, texts, lenient) in [
        (r#""ahoy""#, vec!["ahoy"], vec![Leniency::Text, Leniency::List]),
        (r#"{"type":"text","text":"ahoy"}"#, vec!["ahoy"], vec![Leniency::List]),
        (r#"{"text":"ahoy","type":"text"}"#, vec!["ahoy"], vec![Leniency::List]),
        (r#"["a",{"type":"text","text":"b"},"c"]"#, vec!["a", "b", "c"], vec![Leniency::Text]),
        (r#"[{"type":"text","text":"a"}]"#, vec!["a"], vec![]),
        ("null", vec![], vec![]),
    ] {
        let text = format!(r#"{{"content":{content},"x":1}}"#);
        let (result, noted) = leniently::<CallToolResult>(&text);
        assert_eq!(result.content.iter().filter_map(ContentBlock::as_text).collect::<Vec<_>>(), texts, "{text}");
        assert_eq!((noted, result.problems.len(), &result.extra["x"]), (lenient, 0, &json!(1)), "{text}");
    }
    for content in ["7", "true", r#"{"type":"text","text":7}"#] {
        let error = CallToolResult::decode(&format!(r#"{{"content":{content}}}"#).parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("expected a s"), "{error}");
    }
}

#[test]
fn arguments_that_cannot_be_read_do_not_cost_the_prompt() {
    for (arguments, names, lenient) in [
        (r#"["repo",{"name":"note"}]"#, Some(vec!["repo", "note"]), vec![Leniency::Text]),
        (
            r#"[{"description":"nameless"},{"name":"repo","required":"true"}]"#,
            Some(vec!["repo"]),
            vec![Leniency::Boolean, Leniency::Hint],
        ),
        (r#"{"name":"repo"}"#, Some(vec!["repo"]), vec![Leniency::List]),
        (r#"{"repo":{"required":true}}"#, None, vec![Leniency::Hint]),
        ("{}", None, vec![Leniency::Hint]),
        ("7", None, vec![Leniency::Hint]),
        ("[]", Some(vec![]), vec![]),
        ("null", None, vec![]),
    ] {
        let text = format!(r#"{{"prompts":[{{"name":"p","title":"P","arguments":{arguments}}},{{"name":"q"}}]}}"#);
        let (list, noted) = leniently::<ListPromptsResult>(&text);
        let [p, _] = list.prompts.as_slice() else { panic!("{arguments}: {:?}", list.problems) };
        let read = p.arguments.as_ref().map(|all| all.iter().map(|a| a.name.as_str()).collect::<Vec<_>>());
        assert_eq!((p.title.as_deref(), read, noted), (Some("P"), names, lenient), "{arguments}");
    }
    // Two names are no matter of arguments, whatever these are.
    for arguments in ["[]", "7"] {
        let text = format!(r#"{{"prompts":[{{"name":"safe","name":"evil","arguments":{arguments}}}]}}"#);
        let (list, noted) = leniently::<ListPromptsResult>(&text);
        assert_eq!((list.prompts.len(), list.problems.len(), noted), (0, 1, vec![]), "{arguments}");
    }
}

#[test]
fn hints_at_models_do_not_cost_the_request() {
    let asked = |preferences: &str| {
        let text = format!(r#"{{"messages":[],"maxTokens":1,"modelPreferences":{preferences}}}"#);
        let request: CreateMessageRequestParams = read(&text);
        let hints = request.model_preferences?.hints?;
        Some(hints.into_iter().map(|hint| hint.name.unwrap_or_default()).collect::<Vec<_>>())
    };
    assert_eq!(asked(r#"{"hints":["claude",{"name":"gpt"},7,{"name":4}]}"#).unwrap(), ["claude", "gpt", "4"]);
    assert_eq!(asked(r#"{"hints":"claude","costPriority":"high"}"#).unwrap(), ["claude"]);
    assert_eq!(asked(r#"{"hints":null}"#), None);
    assert_eq!(asked(r#""claude""#), None);
}

#[test]
fn fields_that_are_no_object_are_not_taken_for_none() {
    let form = |properties: &str| {
        let text = format!(r#"{{"message":"m","requestedSchema":{{"type":"object","properties":{properties}}}}}"#);
        serde_json::from_str::<ElicitRequestFormParams>(&text).map(|form| form.requested_schema.properties.len())
    };
    for none in ["{}", "[]", "null"] {
        assert_eq!(form(none).unwrap(), 0, "{none}");
    }
    for odd in [r#"[{"name":"a","type":"string"}]"#, "true", "\"a\""] {
        assert!(form(odd).unwrap_err().to_string().contains("expected an object"), "{odd}");
    }
}

#[test]
fn contents_of_neither_kind_are_kept_as_they_came() {
    let raw = r#"{"uri":"x://1","mimeType":"text/plain","more":1}"#;
    let contents: ResourceContents = read(raw);
    assert_eq!(serde_json::to_string(&contents).unwrap(), raw);
    let result: ReadResourceResult = decode(r#"{"contents":[7]}"#);
    assert!(result.problems[0].error.contains("expected an object with text or blob"), "{}", result.problems[0]);
    let list: ListToolsResult = decode(r#"{"tools":[7]}"#);
    assert!(list.problems[0].error.contains("integer `7`, expected an object"), "{}", list.problems[0]);
}

#[test]
fn what_becomes_of_hints_is_told() {
    for (member, lenient) in [
        (r#""title":7"#, vec![Leniency::Label]),
        (r#""title":{}"#, vec![Leniency::Hint]),
        (r#""title":null,"annotations":null,"icons":null,"_meta":null"#, vec![]),
        (r#""annotations":[]"#, vec![Leniency::Hint]),
        (r#""annotations":{"readOnlyHint":"perhaps"}"#, vec![Leniency::Hint]),
        (r#""icons":[{"src":7}]"#, vec![Leniency::Hint]),
        (r#""icons":[7]"#, vec![Leniency::Hint]),
        (r#""icons":7"#, vec![Leniency::Hint]),
        (r#""execution":{"taskSupport":7}"#, vec![Leniency::Hint]),
        (r#""_meta":[]"#, vec![Leniency::Object]),
    ] {
        let (list, noted) = leniently::<ListToolsResult>(&format!(r#"{{"tools":[{{"name":"a",{member}}}]}}"#));
        assert_eq!((list.tools.len(), noted), (1, lenient), "{member}");
    }
    for (member, lenient) in [
        (r#""ttlMs":-1"#, vec![Leniency::Hint]),
        (r#""ttlMs":1.0,"cacheScope":"public""#, vec![]),
        (r#""cacheScope":1"#, vec![Leniency::Hint]),
        (r#""nextCursor":5"#, vec![Leniency::Label]),
    ] {
        assert_eq!(leniently::<ListToolsResult>(&format!(r#"{{"tools":[],{member}}}"#)).1, lenient, "{member}");
    }
    for (capability, lenient) in [
        ("[]", vec![Leniency::Object]),
        ("true", vec![Leniency::Object]),
        ("false", vec![Leniency::Object]),
        ("{}", vec![]),
        ("null", vec![]),
    ] {
        let (server, noted) = noticing(|| read::<ServerCapabilities>(&format!(r#"{{"tools":{capability}}}"#)));
        assert_eq!(noted.iter().collect::<Vec<_>>(), lenient, "{capability}");
        assert_eq!(server.tools.is_some(), !matches!(capability, "false" | "null"), "{capability}");
    }
}

#[test]
fn a_boolean_may_be_spelled_in_other_ways() {
    for (spelled, flag) in [("\"true\"", true), ("\"False\"", false), ("1", true), ("0", false)] {
        let (result, noted) = leniently::<CallToolResult>(&format!(r#"{{"isError":{spelled}}}"#));
        assert_eq!((result.is_error, noted), (Some(flag), vec![Leniency::Boolean]), "{spelled}");
    }
    for other in ["\"maybe\"", "2", "-1", "[]"] {
        let error = CallToolResult::decode(&format!(r#"{{"isError":{other}}}"#).parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("expected a boolean"), "{error}");
    }
    let (list, noted) = leniently::<ListToolsResult>(
        r#"{"tools":[{"name":"a","annotations":{"readOnlyHint":"true","destructiveHint":null}}]}"#,
    );
    let hints = list.tools[0].annotations.as_ref().unwrap();
    assert_eq!((hints.read_only_hint, hints.destructive_hint, noted), (Some(true), None, vec![Leniency::Boolean]));
    let server: ServerCapabilities = read(r#"{"tools":{"listChanged":"true"},"resources":{"subscribe":0}}"#);
    assert_eq!(server.tools.unwrap().list_changed, Some(true));
    assert_eq!(server.resources.unwrap().subscribe, Some(false));
}

#[test]
fn a_message_of_a_prompt_with_several_blocks_is_one_for_each() {
    let (result, noted) = leniently::<GetPromptResult>(
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},"b",{"type":"image","data":"AA","mimeType":"image/png"}],"x":1},
        {"role":"assistant","content":{"type":"text","text":"c"}},{"role":"user","content":[]},{"role":"user","content":[7]},
        {"role":"critic","content":["a","b"]}]}"#,
    );
    let said: Vec<_> = result.messages.iter().map(|m| (&m.role, m.content.as_text())).collect();
    let (user, assistant) = (&Role::User, &Role::Assistant);
    assert_eq!(said, [(user, Some("a")), (user, Some("b")), (user, None), (assistant, Some("c"))]);
    assert_eq!((result.messages[0].extra.len(), result.messages[1].extra.len()), (1, 0));
    assert_eq!(noted, [Leniency::Text, Leniency::Blocks]);
    // A message of nothing is told, and so is a speaker who would be written down for each block.
    assert_eq!(result.problems.iter().map(|problem| problem.index).collect::<Vec<_>>(), [2, 3, 4]);
    let (alone, noted) = leniently::<GetPromptResult>(r#"{"messages":{"role":"user","content":"a"}}"#);
    assert_eq!((alone.messages, noted), (vec![PromptMessage::user("a")], vec![Leniency::Text, Leniency::List]));
    assert!(GetPromptResult::decode(&r#"{"messages":"a"}"#.parse().unwrap()).is_err());
}

#[test]
fn contents_of_a_resource_may_stand_alone_or_be_bare_text() {
    let contents = |text: &str| leniently::<ReadResourceResult>(&format!(r#"{{"contents":{text}}}"#));
    let (result, noted) = contents(r#"{"uri":"x://1","text":"a"}"#);
    assert_eq!((result.contents, noted), (vec![ResourceContents::text("x://1", "a")], vec![Leniency::List]));
    let (result, noted) = contents(r#""a""#);
    assert_eq!((result.contents, noted), (vec![ResourceContents::text("", "a")], vec![Leniency::Text, Leniency::List]));
    let (result, noted) = contents(r#"[{"uri":"x://1","text":"a"},"b",7]"#);
    assert_eq!(result.contents[..2], [ResourceContents::text("x://1", "a"), ResourceContents::text("", "b")]);
    assert_eq!((result.contents.len(), result.problems.len(), noted), (3, 1, vec![Leniency::Text]));
}

#[test]
fn a_result_that_says_nothing_may_be_null() {
    assert_eq!(leniently::<EmptyResult>("null"), (EmptyResult::default(), vec![Leniency::Null]));
    assert_eq!(leniently::<EmptyResult>("{}"), (EmptyResult::default(), vec![]));
}

#[test]
fn what_is_no_character_is_read_as_such_in_every_string() {
    let (result, noted) = leniently::<CallToolResult>(
        r#"{"content":[{"type":"text","text":"a\ud83d","_meta":{"\udc19":"\ud83dx"}},{"text":"\ud83d","type":"text"},
        {"type":"resource","resource":{"uri":"x://\ud83d","text":"\ud83d\ud83d\udc19"}},{"type":"new","x":"\ud83d"}],
        "structuredContent":{"\ud83d":"\udc19"},"x\ud83d":"\\ud83d"}"#,
    );
    let texts: Vec<_> = result.content.iter().filter_map(ContentBlock::as_text).collect();
    assert_eq!(texts, ["a\u{fffd}", "\u{fffd}", "\u{fffd}\u{1f419}"]);
    let ContentBlock::Text(first) = &result.content[0] else { panic!("{:?}", result.content[0]) };
    assert_eq!(first.meta.as_ref().unwrap().get("\u{fffd}").unwrap(), "\u{fffd}x");
    assert_eq!(result.structured_content.as_ref().unwrap().to_value(), json!({"\u{fffd}": "\u{fffd}"}));
    assert_eq!(result.extra["x\u{fffd}"], "\\ud83d");
    assert_eq!((noted, result.problems.len()), (vec![Leniency::NoCharacter], 0));
    // What no string of Rust is needed for is kept as it came, and read when somebody looks.
    let (result, noted) = leniently::<CallToolResult>(r#"{"structuredContent":["\ud83d"]}"#);
    assert_eq!((result.structured_content.as_ref().unwrap().as_str(), noted), (r#"["\ud83d"]"#, vec![]));
    let (server, noted) = leniently::<InitializeResult>(
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"\ud83d","version":"1"},"instructions":"\ud83d"}"#,
    );
    assert_eq!((server.server_info.name.as_str(), server.instructions.as_deref()), ("\u{fffd}", Some("\u{fffd}")));
    assert_eq!(noted, [Leniency::NoCharacter]);
    let log: LoggingMessageNotificationParams =
        r#"{"level":"info","logger":"\ud83d","data":"\ud83d"}"#.parse::<RawJson>().unwrap().parse().unwrap();
    assert_eq!((log.logger.as_deref(), log.data.to_value()), (Some("\u{fffd}"), json!("\u{fffd}")));
}

#[test]
fn what_goes_back_to_the_server_is_never_read_as_something_else() {
    let (list, noted) = leniently::<ListToolsResult>(
        r#"{"tools":[{"name":"cut\ud83d","description":"d"},{"name":"good","description":"\ud83d","title":"\ud83d"},{"name":"\ufffd"}]}"#,
    );
    assert_eq!(list.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["good", "\u{fffd}"]);
    assert_eq!(list.tools[0].description.as_deref(), Some("\u{fffd}"));
    assert_eq!((list.problems.len(), list.problems[0].index, noted), (1, 0, vec![Leniency::NoCharacter]));
    assert!(list.problems[0].error.contains("cannot be sent back"), "{}", list.problems[0]);
    assert_eq!(list.problems[0].raw.as_str(), r#"{"name":"cut\ud83d","description":"d"}"#);
    let list: ListResourcesResult =
        decode(r#"{"resources":[{"uri":"x://\ud83d","name":"a"},{"uri":"x://1","name":"\ud83d"}]}"#);
    assert_eq!((list.resources[0].name.as_str(), list.resources.len(), list.problems.len()), ("\u{fffd}", 1, 1));
    let list: ListPromptsResult = decode(r#"{"prompts":[{"name":"\ud83d"},{"name":"a","description":"\ud83d"}]}"#);
    assert_eq!((list.prompts.len(), list.problems.len()), (1, 1));
    let list: ListResourceTemplatesResult = decode(r#"{"resourceTemplates":[{"uriTemplate":"x://\ud83d"}]}"#);
    assert_eq!((list.resource_templates.len(), list.problems.len()), (0, 1));
    let result: CallToolResult =
        decode(r#"{"content":[{"type":"resource_link","uri":"x://\ud83d","name":"a"},"\ud83d"]}"#);
    assert!(matches!(&result.content[..], [ContentBlock::Other(_), ContentBlock::Text(_)]), "{result:?}");
    assert_eq!(result.problems.len(), 1);
    // Wherever the tag stands, and in prompts, too.
    let result: CallToolResult = decode(
        r#"{"content":[{"uri":"x://\ud83d","name":"a","type":"resource_link"},{"text":"\ud83d","type":"text"}]}"#,
    );
    assert!(matches!(&result.content[..], [ContentBlock::Other(_), ContentBlock::Text(_)]), "{result:?}");
    assert!(result.problems.len() == 1 && result.joined_text() == "\u{fffd}", "{result:?}");
    let result: GetPromptResult = decode(
        r#"{"messages":[{"role":"user","content":{"type":"resource_link","uri":"x://\ud83d","name":"a"}},
        {"role":"user","content":{"uri":"x://1","name":"\ud83d","type":"resource_link"}},
        {"role":"user","content":[{"type":"resource_link","uri":"x://\ud83d","name":"a"}]}]}"#,
    );
    assert_eq!((result.messages.len(), result.problems.len()), (1, 2), "{result:?}");
    for refused in [
        r#"{"tools":[],"nextCursor":"\ud83d"}"#,
        r#"{"tools":[{"name":"\ud83d"}],"nextCursor":"\ud83d"}"#,
        r#"{"tools":[],"next\u0043ursor":"\ud83d"}"#,
    ] {
        assert!(ListToolsResult::decode(&refused.parse().unwrap()).is_err(), "{refused}");
    }
    let payload =
        Payload::from(r#"{"resultType":"input_required","requestState":"\ud83d"}"#.parse::<RawJson>().unwrap());
    let error = payload.decode::<InputRequiredResult>().unwrap_err().to_string();
    let wanted =
        "the result has the wrong shape at requestState: half of a surrogate pair, with which it cannot be sent";
    assert!(error.starts_with(wanted), "{error}");
}

#[test]
fn what_is_asked_has_the_names_that_its_answer_has() {
    let asked = |key: &str, message: &str, params: &str| {
        let text = format!(
            r#"{{"resultType":"input_required","x":"{message}","inputRequests":{{"{key}":{{"method":"elicitation/create","params":{{{params}}}}}}}}}"#
        );
        InputRequiredResult::decode(&text.parse().unwrap())
    };
    let form = |properties: &str| {
        format!(r#""message":"m\ud83d","requestedSchema":{{"type":"object","properties":{{{properties}}}}}"#)
    };
    let fields = [
        r#""a":{"type":"string","title":"\ud83d"}"#,
        r#""b":{"type":"string","oneOf":[{"const":"x","title":"\ud83d"}]}"#,
        r#""c":{"type":"array","items":{"type":"string","enum":["\ud83d"]}}"#,
        r#""d":{"type":"string","enum":["x","\ud83d"]}"#,
        r#""e":{"type":"string","oneOf":[{"const":"\ud83d","title":"x"}]}"#,
        r#""f":{"type":"array","items":{"anyOf":[{"const":"\ud83d","title":"x"}]}}"#,
        r#""g":{"type":"string","default":"\ud83d"}"#,
    ];
    // What is read beside it must not mend it either.
    for beside in ["", "\\ud83d"] {
        let asked = |key: &str, params: &str| asked(key, beside, params);
        let requests = asked("k", &form(&fields.join(","))).unwrap().input_requests.unwrap();
        let Some(InputRequest::Elicit(request)) = requests.get("k") else { panic!("{requests:?}") };
        let ElicitRequestParams::Form(form_read) = &request.params else { panic!("{request:?}") };
        assert_eq!(form_read.message, "m\u{fffd}");
        let kinds = form_read.requested_schema.properties.iter();
        let whole: Vec<_> = kinds.map(|(_, field)| !matches!(field, PrimitiveSchemaDefinition::Other(_))).collect();
        assert_eq!(whole, [true, true, false, false, false, false, false]);
        assert!(asked("k\\ud83d", &form("")).is_err());
        let error = asked("k", &form(r#""\ud83d":{"type":"string"}"#)).unwrap_err().to_string();
        assert!(error.contains("half of a surrogate pair") || error.contains("lone leading"), "{error}");
        let url = |url: &str, id: &str| {
            asked("k", &format!(r#""mode":"url","message":"\ud83d","url":"x://{url}","elicitationId":"{id}""#))
        };
        assert!(url("1", "1").is_ok() && url("\\ud83d", "1").is_err() && url("1", "\\ud83d").is_err());
        let data = |url: &str| {
            let question = format!(r#"{{"mode":"url","message":"\ud83d","elicitationId":"1","url":"x://{url}"}}"#);
            let data = format!(r#"{{"elicitations":[{question}],"x":"{beside}"}}"#).parse().unwrap();
            ErrorObject::new(ErrorCode::URL_ELICITATION_REQUIRED, "m").with_data(data).url_elicitation_required()
        };
        assert!(data("1").is_some() && data("\\ud83d").is_none());
    }
    // A question of its own, as revisions before 2026-07-28 have it.
    let question = |params: String| format!("{{{params}}}").parse::<RawJson>().unwrap().parse::<ElicitRequestParams>();
    assert!(question(form(fields[0])).is_ok());
    let error = question(form(r#""\ud83d":{"type":"string"}"#)).unwrap_err();
    assert!(error.to_string().contains("cannot be sent back as it came"), "{error}");
}

#[test]
fn bytes_that_are_not_utf_8_are_read_as_no_character() {
    use frame::{Incoming, Message, decode_lazily};

    for frame in [
        &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"caf\xe9\"}]}}"[..],
        b"{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {\"content\": [{\"type\": \"text\", \"text\": \"caf\xe9\"}]}}",
    ] {
        let Ok(Incoming::Message(Message::Response(response))) = decode_lazily(&bytes::Bytes::from_static(frame))
        else {
            panic!("a response")
        };
        let (result, lenient) = noticing(|| response.outcome.unwrap().into_decoded::<CallToolResult>().unwrap());
        assert_eq!(result.joined_text(), "caf\u{fffd}");
        assert_eq!(lenient.iter().collect::<Vec<_>>(), [Leniency::NoCharacter]);
    }
}

#[test]
fn a_large_text_with_half_a_character_is_read() {
    let text = format!(r#"{{"content":[{{"type":"text","text":"{}\ud83d"}}]}}"#, "x".repeat(200_000));
    let frame = bytes::Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{text}}}"#));
    let Ok(frame::Incoming::Message(frame::Message::Response(response))) = frame::decode_lazily(&frame) else {
        panic!("a response")
    };
    let (result, lenient) = noticing(|| response.outcome.unwrap().into_decoded::<CallToolResult>().unwrap());
    assert!(result.joined_text().ends_with("x\u{fffd}") && result.joined_text().len() == 200_003);
    assert!(!lenient.is_empty());
}

#[test]
fn an_answer_that_holds_no_result_says_what_it_holds() {
    use frame::{Incoming, Message, decode_lazily};

    let decoded = |frame: &str| {
        let frame = bytes::Bytes::copy_from_slice(frame.as_bytes());
        let Ok(Incoming::Message(Message::Response(response))) = decode_lazily(&frame) else { panic!("a response") };
        response.outcome.unwrap().decode::<CallToolResult>().unwrap_err()
    };
    let error = decoded(r#"{"jsonrpc":"2.0","id":1,"result":null}"#).to_string();
    let wanted = "the result has the wrong shape: null came in place of an object; report it to the server's makers; it began null";
    assert_eq!(error, wanted);
    assert!(decoded(r#"{"jsonrpc":"2.0","id":1,"result":"ok"}"#).to_string().contains("a string came in place of"));
    let both = decoded(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":-32000,"message":"m"}}"#);
    assert_eq!(both.answer.unwrap().code, ErrorCode(-32000));
    let error = decoded(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[}}"#).to_string();
    assert!(error.starts_with("the answer is not json: expected value at line 1 column"), "{error}");
    assert_eq!(error.matches("not json").count(), 1, "{error}");
}

#[test]
fn case_sampling_001_a_request_without_max_tokens_is_read() {
    let params: CreateMessageRequestParams =
        read(r#"{"messages":[{"role":"user","content":{"type":"text","text":"route?"}}]}"#);
    assert_eq!((params.max_tokens, params.messages.len()), (None, 1));
}

#[test]
fn sampling_content_is_one_block_or_several_or_a_bare_string() {
    let blocks = |text: &str| read::<SamplingMessage>(text).content.blocks().to_vec();
    let text = [SamplingMessageContentBlock::from(TextContent::new("a"))];
    assert_eq!(blocks(r#"{"role":"user","content":{"type":"text","text":"a"}}"#), text);
    assert_eq!(blocks(r#"{"role":"user","content":[{"text":"a","type":"text"}]}"#), text);
    assert_eq!(blocks(r#"{"role":"user","content":"a"}"#), text);
    let mixed = r#"{"role":"tool","content":[{"type":"tool_result","toolUseId":"1","structuredContent":null},{"type":"new","x":{"y":1}}]}"#;
    let [SamplingMessageContentBlock::ToolResult(result), SamplingMessageContentBlock::Other(_)] = &blocks(mixed)[..]
    else {
        panic!("{mixed}")
    };
    assert!(result.structured_content.is_some() && result.content.is_empty());
}

#[test]
fn elicitation_without_a_mode_is_a_form_and_an_unknown_mode_is_kept() {
    let form = r#"{"message":"m","requestedSchema":{"type":"object","properties":{}}}"#;
    assert!(matches!(read(form), ElicitRequestParams::Form(ElicitRequestFormParams { mode: None, .. })));
    let url = r#"{"message":"m","mode":"url","url":"https://x.example","elicitationId":"1","x":1}"#;
    let ElicitRequestParams::Url(params) = read(url) else { panic!("{url}") };
    assert_eq!((params.elicitation_id.as_deref(), params.extra.len()), (Some("1"), 1));
    let odd = r#"{"message":"m","mode":"voice"}"#;
    let params: ElicitRequestParams = read(odd);
    assert!(matches!(params, ElicitRequestParams::Other(_)));
    assert_eq!(serde_json::to_string(&params).unwrap(), odd);
    assert!(serde_json::from_str::<ElicitRequestParams>(r#"{"mode":"url","message":"m"}"#).is_err());
}

#[test]
fn fields_of_a_form_keep_their_order_and_odd_ones_are_kept() {
    let schema: ElicitationSchema = read(
        r#"{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"file"},"m":{"enum":["x"]},
        "k":{"type":"integer","minimum":1},"l":{"type":"string","enum":["x","y"],"enumNames":["X"]}},"required":null}"#,
    );
    assert_eq!(schema.properties.names().collect::<Vec<_>>(), ["z", "a", "m", "k", "l"]);
    let field = |name| schema.properties.get(name).unwrap();
    assert!(matches!(field("a"), PrimitiveSchemaDefinition::Other(_)));
    assert_eq!(field("m").options(), [("x", "x")]);
    assert_eq!(field("l").options(), [("x", "X"), ("y", "y")]);
    assert!(matches!(field("k"), PrimitiveSchemaDefinition::Number(n) if n.schema_type == NumberType::Integer));
}

#[test]
fn case_elicitation_005_requests_for_input_are_read_and_the_state_is_kept_byte_for_byte() {
    let result: InputRequiredResult = decode(
        r#"{"resultType":"input_required","inputRequests":{"who":{"method":"elicitation/create","params":{"mode":"form",
        "message":"Name?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}},
        "later":{"method":"x/new","params":{"a":1}}},"requestState":"eyJ+/=é"}"#,
    );
    assert_eq!(result.request_state.as_deref(), Some("eyJ+/=é"));
    let requests = result.input_requests.unwrap();
    assert!(matches!(requests.get("who"), Some(InputRequest::Elicit(_))));
    assert!(matches!(requests.get("later"), Some(InputRequest::Other(_))));
    let responses: InputResponses = [("who", ElicitResult::cancel().into())].into();
    assert_eq!(serde_json::to_string(&responses).unwrap(), r#"{"who":{"action":"cancel"}}"#);
}

#[test]
fn case_tasks_003_states_and_limits_of_tasks_are_read() {
    let task: Task = read(
        r#"{"taskId":"1","status":"paused","createdAt":"t","lastUpdatedAt":"t","ttl":null,"pollInterval":-1,"statusMessage":null}"#,
    );
    assert!(!task.status.is_terminal() && TaskStatus::Cancelled.is_terminal());
    assert_eq!((task.ttl, task.lifetime(), task.poll_delay()), (Some(TaskTtl::Unlimited), None, None));
}

#[test]
fn case_tasks_004_a_task_of_2026_is_flat() {
    let text = r#"{"resultType":"task","taskId":"t1","status":"working","pollIntervalMs":50,"ttlMs":60000}"#;
    assert_eq!(ResultKind::of(&text.parse().unwrap()), ResultKind::Task);
    let created: CreateTaskResult = decode(text);
    assert_eq!(created.task.poll_delay().unwrap().as_millis(), 50);
    assert_eq!(created.task.lifetime().unwrap().as_secs(), 60);
    assert_eq!(serde_json::to_value(&created).unwrap(), read::<Value>(text));
    let done = r#"{"resultType":"complete","taskId":"t1","status":"completed","ttlMs":null,"result":{"content":[],"n":9007199254740993}}"#;
    let got: GetTaskResult = decode(done);
    assert_eq!(got.result.as_ref().unwrap().as_str(), r#"{"content":[],"n":9007199254740993}"#);
    assert_eq!(serde_json::to_value(&got).unwrap(), read::<Value>(done));
    let failed: GetTaskResult = decode(r#"{"taskId":"t1","status":"failed","error":{"code":-32603,"message":"m"}}"#);
    assert_eq!(failed.error().unwrap().code, ErrorCode::INTERNAL_ERROR);
    let acknowledged: CancelTaskResult = decode(r#"{"resultType":"complete","x":1}"#);
    assert_eq!((acknowledged.task, acknowledged.extra.len()), (None, 1));
}

#[test]
fn tk_05_a_message_names_its_task_in_its_metadata() {
    let mut meta = Meta::new();
    meta.set_related_task("1");
    assert_eq!(meta.related_task().unwrap().task_id, "1");
    assert_eq!(serde_json::to_string(&meta).unwrap(), r#"{"io.modelcontextprotocol/related-task":{"taskId":"1"}}"#);
}

#[test]
fn sizes_of_an_icon_may_be_one_string() {
    let icon: Icon = read(r#"{"src":"data:,","sizes":"48x48","theme":"sepia"}"#);
    assert_eq!(icon.sizes.unwrap(), ["48x48"]);
    assert_eq!(icon.theme.unwrap().as_str(), "sepia");
}

#[test]
fn a_log_message_may_lack_all_but_its_level() {
    let message: LoggingMessageNotificationParams = read(r#"{"level":"trace","data":null}"#);
    assert!(message.data.is_null() && message.level.severity().is_none());
    assert_eq!(read::<LoggingMessageNotificationParams>("{}").level, LoggingLevel::Info);
}

#[test]
fn errors_with_data_of_mcp_are_read() {
    let error = |code, data: Value| ErrorObject::new(code, "m").with_data(data.into());
    let url = error(
        ErrorCode::URL_ELICITATION_REQUIRED,
        json!({"elicitations": [{"mode": "url", "elicitationId": "1", "url": "https://x.example", "message": "m"}]}),
    );
    assert!(matches!(&url.url_elicitation_required().unwrap().elicitations[..], [ElicitRequestParams::Url(_)]));
    let missing = error(ErrorCode::MISSING_CLIENT_CAPABILITY, json!({"requiredCapabilities": {"elicitation": {}}}));
    assert!(missing.missing_client_capability().unwrap().required_capabilities.elicitation.is_some());
    assert!(missing.unsupported_protocol_version().is_none());
}

#[test]
fn m_03_messages_of_prompts_hold_every_kind_of_content() {
    let result: GetPromptResult = decode(
        r#"{"messages":[
        {"role":"user","content":{"type":"text","text":"a"}},
        {"role":"user","content":{"type":"image","data":"AAEC","mimeType":"image/png"}},
        {"role":"user","content":{"type":"audio","data":"AAEC","mimeType":"audio/wav"}},
        {"role":"user","content":{"type":"resource_link","uri":"file:///x","name":"x"}},
        {"role":"assistant","content":{"type":"resource","resource":{"uri":"x://1","text":"b"}}},
        {"role":"assistant","content":{"type":"resource","resource":{"uri":"x://2","blob":"AAEC"}}}]}"#,
    );
    assert!(result.problems.is_empty(), "{:?}", result.problems);
    let contents: Vec<_> = result.messages.iter().map(|message| &message.content).collect();
    let [
        ContentBlock::Text(text),
        ContentBlock::Image(image),
        ContentBlock::Audio(audio),
        ContentBlock::ResourceLink(link),
        ContentBlock::Resource(embedded),
        ContentBlock::Resource(binary),
    ] = contents[..]
    else {
        panic!("{contents:?}")
    };
    assert_eq!((text.text.as_str(), link.uri.as_str()), ("a", "file:///x"));
    assert_eq!((image.decode().unwrap(), audio.decode().unwrap()), (vec![0, 1, 2], vec![0, 1, 2]));
    assert!(matches!(&embedded.resource, ResourceContents::Text(text) if text.text == "b"));
    assert!(matches!(&binary.resource, ResourceContents::Blob(blob) if blob.decode().unwrap() == [0, 1, 2]));
}

#[test]
fn k_04_eight_levels_are_known_in_order() {
    let levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    let read: Vec<LoggingLevel> = levels.iter().map(|level| read(&format!("\"{level}\""))).collect();
    assert!(read.is_sorted_by(|a, b| a < b));
    let severities: Vec<_> = read.iter().map(LoggingLevel::severity).collect();
    assert_eq!(severities, (0..8).map(Some).collect::<Vec<_>>());
}

#[test]
fn er_01_the_errors_of_2026_07_28_have_names_and_data() {
    let mismatch = ErrorObject::new(ErrorCode(-32020), "m");
    assert_eq!((mismatch.code, mismatch.code.name()), (ErrorCode::HEADER_MISMATCH, Some("header mismatch")));
    let missing = ErrorObject::new(ErrorCode(-32021), "m")
        .with_data(json!({"requiredCapabilities": {"sampling": {"tools": {}}}}).into());
    assert!(missing.missing_client_capability().unwrap().required_capabilities.sampling.unwrap().tools.is_some());
    let version = ErrorObject::new(ErrorCode(-32022), "m")
        .with_data(json!({"supported": ["2026-07-28", "2031-01-01"], "requested": "1999-01-01"}).into());
    let version = version.unsupported_protocol_version().unwrap();
    assert_eq!(version.supported, ["2026-07-28", "2031-01-01"]);
    assert_eq!(serde_json::to_value(&version).unwrap()["requested"], "1999-01-01");
}

#[test]
fn er_03_codes_without_a_shared_meaning_have_no_name() {
    for code in (-32019..=-32000).filter(|code| *code != -32002) {
        assert_eq!(ErrorCode(code).name(), None, "{code}");
        assert!(!ErrorCode(code).is_stateless());
    }
}

/// What stands in place of a member that only helps, and may stand there.
const ODD: [&str; 6] = ["7", "true", "\"x\"", "[1]", "{\"a\":[{}]}", "null"];

#[test]
fn a_hint_of_the_wrong_kind_costs_no_item_of_a_list() {
    for odd in ODD {
        for member in ["title", "description", "annotations", "execution", "icons", "_meta"] {
            let list: ListToolsResult = decode(&format!(r#"{{"tools":[{{"name":"t","{member}":{odd}}}]}}"#));
            assert_eq!((list.tools.len(), list.problems.len()), (1, 0), "{member}: {odd}");
        }
        for member in ["title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            let list: ListToolsResult =
                decode(&format!(r#"{{"tools":[{{"name":"t","annotations":{{"{member}":{odd}}}}}]}}"#));
            assert_eq!(list.problems.len(), 0, "{member}: {odd}");
        }
        for member in ["name", "title", "description", "mimeType", "annotations", "icons", "size", "_meta"] {
            let list: ListResourcesResult = decode(&format!(r#"{{"resources":[{{"uri":"x://1","{member}":{odd}}}]}}"#));
            assert_eq!((list.resources.len(), list.problems.len()), (1, 0), "{member}: {odd}");
            let list: ListResourceTemplatesResult =
                decode(&format!(r#"{{"resourceTemplates":[{{"uriTemplate":"x://{{a}}","{member}":{odd}}}]}}"#));
            assert_eq!((list.resource_templates.len(), list.problems.len()), (1, 0), "{member}: {odd}");
            let link = format!(r#"{{"content":[{{"type":"resource_link","uri":"x://1","{member}":{odd}}}]}}"#);
            let result: CallToolResult = decode(&link);
            assert!(matches!(result.content[..], [ContentBlock::ResourceLink(_)]), "{member}: {odd}");
        }
        for member in ["title", "description", "icons", "_meta"] {
            let list: ListPromptsResult = decode(&format!(r#"{{"prompts":[{{"name":"p","{member}":{odd}}}]}}"#));
            assert_eq!((list.prompts.len(), list.problems.len()), (1, 0), "{member}: {odd}");
        }
        for member in ["title", "description", "required"] {
            let argument = format!(r#"{{"prompts":[{{"name":"p","arguments":[{{"name":"a","{member}":{odd}}}]}}]}}"#);
            assert_eq!(decode::<ListPromptsResult>(&argument).problems.len(), 0, "{member}: {odd}");
        }
    }
}

#[test]
fn a_hint_of_the_wrong_kind_costs_no_content() {
    for odd in ODD {
        let result: CallToolResult = decode(&format!(
            r#"{{"content":[{{"type":"text","text":"a","annotations":{odd},"_meta":{odd}}},
            {{"type":"image","data":"AAEC","mimeType":{odd},"annotations":{{"audience":{odd},"priority":{odd},"lastModified":{odd}}}}},
            {{"type":"resource","resource":{{"uri":"x://1","text":"b","mimeType":{odd},"_meta":{odd}}},"annotations":{odd}}}],"_meta":{odd}}}"#
        ));
        let [ContentBlock::Text(_), ContentBlock::Image(_), ContentBlock::Resource(_)] = &result.content[..] else {
            panic!("{odd}: {:?}", result.content)
        };
        let ContentBlock::Resource(EmbeddedResource { resource: ResourceContents::Text(_), .. }) = &result.content[2]
        else {
            panic!("{odd}: {:?}", result.content)
        };
        assert!(result.problems.is_empty(), "{odd}: {:?}", result.problems);
        let read: ReadResourceResult =
            decode(&format!(r#"{{"contents":[{{"uri":"x://1","blob":"AAEC","mimeType":{odd},"_meta":{odd}}}]}}"#));
        assert!(matches!(read.contents[..], [ResourceContents::Blob(_)]), "{odd}");
        let prompt: GetPromptResult = decode(&format!(r#"{{"description":{odd},"messages":[]}}"#));
        assert!(prompt.messages.is_empty());
    }
}

#[test]
fn l_26_what_a_server_says_of_itself_may_be_of_any_kind() {
    for odd in ODD {
        for (info, member) in [("name", "instructions"), ("version", "_meta"), ("icons", "x"), ("title", "y")] {
            let result: InitializeResult = decode(&format!(
                r#"{{"protocolVersion":"2025-11-25","serverInfo":{{"{info}":{odd}}},"{member}":{odd},
                "capabilities":{{"tools":{{"listChanged":{odd}}},"resources":{{"subscribe":{odd}}},"prompts":{odd}}}}}"#
            ));
            let capabilities = result.capabilities;
            assert!(capabilities.tools.is_some() && capabilities.resources.is_some(), "{odd}");
            assert_eq!(capabilities.prompts.is_some(), odd != "null", "{odd}");
        }
        let result: DiscoverResult = decode(&format!(
            r#"{{"supportedVersions":["2026-07-28",{odd}],"capabilities":{odd},"instructions":{odd},"_meta":{odd},
            "ttlMs":{odd},"cacheScope":{odd}}}"#
        ));
        assert_eq!(result.newest_common(), Some(Revision::V2026_07_28), "{odd}");
    }
    let result: InitializeResult = decode(
        r#"{"serverInfo":{"name":"s","version":1.0},"instructions":2,"capabilities":{"tools":{"listChanged":"true"}}}"#,
    );
    assert_eq!((result.server_info.version.as_str(), result.instructions.as_deref()), ("1.0", Some("2")));
    assert!(result.capabilities.tools.unwrap().list_changed());
}

#[test]
fn n_01_a_cursor_that_is_a_number_is_its_digits_and_false_is_the_end() {
    let next = |cursor: &str| decode::<ListPromptsResult>(&format!(r#"{{"prompts":[],"nextCursor":{cursor}}}"#));
    let cursors = ["7", "\"7\"", "\"\"", "-1", "18446744073709551615"].map(|cursor| next(cursor).next_cursor.unwrap());
    assert_eq!(cursors, ["7", "7", "", "-1", "18446744073709551615"]);
    assert!(["false", "null"].map(next).iter().all(|page| page.next_cursor.is_none()));
    // Of the last ones it is not known how they were written.
    for cursor in ["[]", "true", "18446744073709551616", "-9223372036854775809", "1e3", "1.50"] {
        let text = format!(r#"{{"tasks":[],"nextCursor":{cursor}}}"#);
        let error = ListTasksResult::decode(&text.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("expected a string as cursor"), "{error}");
    }
}

#[test]
fn l_23_a_result_type_that_is_no_text_is_of_no_known_kind_and_hides_no_result() {
    for odd in ["7", "true", "[\"complete\"]", "{}"] {
        let text = format!(r#"{{"content":[{{"type":"text","text":"a"}}],"resultType":{odd}}}"#);
        assert_eq!(ResultKind::of(&text.parse().unwrap()), ResultKind::Other(odd.to_owned()));
        // Before 2026-07-28 there is no such member.
        assert_eq!(decode::<CallToolResult>(&text).joined_text(), "a", "{odd}");
    }
}

#[test]
fn members_of_a_task_that_only_tell_may_be_of_any_kind() {
    for odd in ODD {
        let text = format!(
            r#"{{"taskId":"1","status":"working","statusMessage":{odd},"createdAt":{odd},"lastUpdatedAt":{odd},"ttl":{odd},
            "pollInterval":{odd},"ttlMs":{odd},"pollIntervalMs":{odd},"resultType":{odd},"_meta":{odd}}}"#
        );
        assert_eq!(decode::<GetTaskResult>(&text).task.task_id, "1", "{odd}");
        assert_eq!(decode::<CreateTaskResult>(&text).task.task_id, "1", "{odd}");
        assert_eq!(decode::<CancelTaskResult>(&text).task.unwrap().task_id, "1", "{odd}");
    }
    // PHP writes an empty object so.
    let asks: GetTaskResult = decode(r#"{"taskId":"1","status":"working","inputRequests":[],"_meta":[]}"#);
    assert!(asks.input_requests.unwrap().is_empty());
    let asks = r#"{"resultType":"input_required","inputRequests":[]}"#;
    assert!(decode::<InputRequiredResult>(asks).input_requests.unwrap().is_empty());
}

#[test]
fn suggestions_that_are_no_text_cost_none_of_the_others() {
    let completion = |text: &str| decode::<CompleteResult>(&format!(r#"{{"completion":{text}}}"#)).completion;
    let odd = completion(r#"{"values":["a",1,null,{"v":1},"b"],"total":-1,"hasMore":"yes"}"#);
    assert_eq!((odd.values, odd.total, odd.has_more), (vec!["a".into(), "1".into(), "b".into()], None, None));
    assert_eq!(completion(r#"{"values":"a"}"#).values, ["a"]);
    assert!(completion(r#"{"values":null}"#).values.is_empty());
    let many = serde_json::to_string(&vec!["v"; 5000]).unwrap();
    assert_eq!(completion(&format!(r#"{{"values":{many}}}"#)).values.len(), 5000);
}

#[test]
fn what_is_told_on_the_way_is_read_as_far_as_it_can_be() {
    for odd in ODD {
        let log: LoggingMessageNotificationParams =
            read(&format!(r#"{{"level":"info","data":1,"logger":{odd},"_meta":{odd}}}"#));
        assert_eq!(log.level, LoggingLevel::Info);
        let progress: ProgressNotificationParams =
            read(&format!(r#"{{"progressToken":1,"progress":2,"total":{odd},"message":{odd},"_meta":{odd}}}"#));
        assert_eq!(progress.progress, 2.0);
    }
}
