//! What providers refuse with 400.

use std::collections::HashSet;

use serde_json::Value;

/// Checks a request as its provider would.
pub(super) fn check(format: &str, body: &Value) -> Result<(), String> {
    tools(format, body)?;
    match format {
        "anthropic" => anthropic(body),
        "openai" => responses(body),
        "gemini" => gemini(body),
        "bedrock" => bedrock(body),
        "ollama" => Ok(()),
        _ => chat(format, body),
    }
}

fn refuse(is_wrong: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if is_wrong { Err(why()) } else { Ok(()) }
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn tools(format: &str, body: &Value) -> Result<(), String> {
    let all: Vec<(&Value, &Value)> = match format {
        "anthropic" => {
            list(body, "tools").iter().filter(|t| t.get("type").is_none()).map(|t| (t, &t["input_schema"])).collect()
        }
        "openai" => {
            list(body, "tools").iter().filter(|t| t["type"] == "function").map(|t| (t, &t["parameters"])).collect()
        }
        "gemini" => {
            let groups = list(body, "tools").iter().flat_map(|group| list(group, "functionDeclarations"));
            groups.map(|t| (t, t.get("parametersJsonSchema").unwrap_or(&t["parameters"]))).collect()
        }
        "bedrock" => {
            let specs = list(&body["toolConfig"], "tools").iter().filter_map(|t| t.get("toolSpec"));
            specs.map(|t| (t, at(t, "/inputSchema/json"))).collect()
        }
        _ => list(body, "tools").iter().map(|t| (&t["function"], at(t, "/function/parameters"))).collect(),
    };
    let mut names = HashSet::new();
    for (n, (tool, schema)) in all.into_iter().enumerate() {
        let name = text(tool, "name");
        let fits = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            && !(format == "gemini" && name.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
        refuse(!fits, || format!("tools.{n}.name: \"{name}\" does not match the pattern"))?;
        refuse(!names.insert(name), || format!("tools.{n}.name: \"{name}\" is there twice"))?;
        refuse(format == "bedrock" && tool.get("description").is_some_and(|d| d == ""), || {
            "an empty description".to_owned()
        })?;
        if format == "openai" {
            refuse(tool.get("strict").is_none(), || format!("tools.{n}: strict is missing"))?;
        }
        let is_strict = tool["strict"] == true;
        self::schema(format, schema, is_strict)
            .map_err(|why| format!("tools.{n}: invalid schema for \"{name}\": {why}"))?;
    }
    Ok(())
}

fn schema(format: &str, schema: &Value, is_strict: bool) -> Result<(), String> {
    if format == "gemini" && schema.is_null() {
        return Ok(());
    }
    refuse(!text(schema, "type").eq_ignore_ascii_case("object"), || "the root is not of type object".to_owned())?;
    refuse(!schema["properties"].is_object(), || "object schema missing properties".to_owned())?;
    for union in ["anyOf", "oneOf", "allOf", "enum", "not"] {
        refuse(schema.get(union).is_some(), || format!("{union} at the root"))?;
    }
    subschema(format, schema, is_strict)
}

const GEMINI: [&str; 20] = [
    "type",
    "title",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "prefixItems",
    "enum",
    "anyOf",
    "format",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "propertyOrdering",
    "$ref",
    "$defs",
    "$id",
    "$anchor",
];

fn subschema(format: &str, schema: &Value, is_strict: bool) -> Result<(), String> {
    let Some(members) = schema.as_object() else { return Ok(()) };
    if format == "gemini" {
        for keyword in members.keys() {
            refuse(!GEMINI.contains(&keyword.as_str()), || format!("Unknown name \"{keyword}\""))?;
        }
    }
    let is = |kind: &str| text(schema, "type") == kind;
    refuse(
        is("array")
            && format != "anthropic"
            && format != "bedrock"
            && format != "ollama"
            && schema.get("items").is_none(),
        || "array schema missing items".to_owned(),
    )?;
    refuse(schema.get("required").is_some_and(|required| !required.is_array()), || "required is no list".to_owned())?;
    refuse(schema.get("enum").is_some_and(|all| all.as_array().is_none_or(Vec::is_empty)), || {
        "an empty enum".to_owned()
    })?;
    if is_strict && is("object") {
        refuse(schema["additionalProperties"] != false, || "additionalProperties has to be false".to_owned())?;
        let properties = schema["properties"].as_object().map_or(0, |all| all.len());
        let is_full = list(schema, "required").len() == properties;
        refuse(format != "anthropic" && format != "bedrock" && !is_full, || {
            "required has to have every key".to_owned()
        })?;
    }
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        let fits = key.len() <= 64 && !key.is_empty();
        refuse(
            format == "gemini" && (!fits || key.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')),
            || format!("the key {key}"),
        )?;
        refuse(
            format == "anthropic"
                && (!fits || key.contains(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c))),
            || format!("the key {key} does not match the pattern"),
        )?;
        subschema(format, inner, is_strict)?;
    }
    for keyword in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        list(schema, keyword).iter().try_for_each(|inner| subschema(format, inner, is_strict))?;
    }
    for keyword in ["$defs", "definitions"] {
        let mut all = schema[keyword].as_object().into_iter().flatten();
        all.try_for_each(|(_, inner)| subschema(format, inner, is_strict))?;
    }
    subschema(format, &schema["items"], is_strict)
}

/// Calls and results of one format's messages, in order: who speaks, which ids are called, and which are answered.
struct Said<'v> {
    is_user: bool,
    calls: Vec<&'v str>,
    results: Vec<&'v str>,
}

/// Roles alternate, and each call has its result in the next message.
fn in_turn(said: &[Said<'_>]) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for (n, message) in said.iter().enumerate() {
        refuse(message.is_user != (n % 2 == 0), || {
            format!("messages.{n}: roles must alternate, beginning with the user")
        })?;
        let mut given = message.results.clone();
        given.sort_unstable();
        open.sort_unstable();
        refuse(given != open, || {
            format!(
                "messages.{n}: tool_use ids {open:?} without tool_result blocks right after, or the other way round: {given:?}"
            )
        })?;
        open.clone_from(&message.calls);
    }
    refuse(!open.is_empty(), || "the last call has no result".to_owned())
}

fn blank(value: &Value) -> bool {
    value.as_str().is_none_or(|text| text.trim().is_empty())
}

fn anthropic(body: &Value) -> Result<(), String> {
    refuse(!body["max_tokens"].is_u64(), || "max_tokens: Field required".to_owned())?;
    let mut said = Vec::new();
    for (n, message) in list(body, "messages").iter().enumerate() {
        let content = list(message, "content");
        refuse(content.is_empty(), || format!("messages.{n}: all messages must have non-empty content"))?;
        let mut seen_other = false;
        for block in content {
            match text(block, "type") {
                "text" => refuse(blank(&block["text"]), || {
                    format!("messages.{n}: text content blocks must contain non-whitespace text")
                })?,
                "tool_use" => {
                    refuse(!block["input"].is_object(), || format!("messages.{n}: input should be an object"))?;
                }
                "tool_result" => {
                    refuse(seen_other, || format!("messages.{n}: results stand before other content"))?;
                    for inner in list(block, "content") {
                        refuse(inner["type"] == "text" && blank(&inner["text"]), || {
                            "a blank text in a result".to_owned()
                        })?;
                    }
                }
                "thinking" => refuse(blank(&block["signature"]), || "thinking without its signature".to_owned())?,
                _ => {}
            }
            seen_other |= block["type"] != "tool_result";
        }
        let ids = |kind: &str, key: &str| {
            content.iter().filter(|b| b["type"] == kind).map(|b| text(b, key)).collect::<Vec<_>>()
        };
        let id_fits = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        let (calls, results) = (ids("tool_use", "id"), ids("tool_result", "tool_use_id"));
        refuse(!calls.iter().chain(&results).all(id_fits), || {
            format!("messages.{n}: an id does not match the pattern")
        })?;
        said.push(Said { is_user: message["role"] == "user", calls, results });
    }
    let has_calls = said.iter().any(|message| !message.calls.is_empty());
    refuse(has_calls && list(body, "tools").is_empty(), || "calls in the history need tools".to_owned())?;
    in_turn(&said)
}

fn bedrock(body: &Value) -> Result<(), String> {
    let mut said = Vec::new();
    for message in list(body, "messages") {
        let content = list(message, "content");
        refuse(content.is_empty(), || "a message without content".to_owned())?;
        refuse(content.iter().any(|block| block.get("text").is_some_and(blank)), || {
            "The text field is blank".to_owned()
        })?;
        for result in content.iter().filter_map(|block| block.get("toolResult")) {
            refuse(list(result, "content").is_empty(), || "a result without content".to_owned())?;
            refuse(
                list(result, "content").iter().any(|piece| piece.get("json").is_some_and(|json| !json.is_object())),
                || "json is no object".to_owned(),
            )?;
        }
        let ids = |kind: &str| {
            content.iter().filter_map(|block| block.get(kind)).map(|block| text(block, "toolUseId")).collect()
        };
        said.push(Said { is_user: message["role"] == "user", calls: ids("toolUse"), results: ids("toolResult") });
    }
    let has_calls = said.iter().any(|message| !message.calls.is_empty());
    refuse(has_calls && list(&body["toolConfig"], "tools").is_empty(), || {
        "The toolConfig field must be defined".to_owned()
    })?;
    in_turn(&said)
}

fn gemini(body: &Value) -> Result<(), String> {
    let contents = list(body, "contents");
    refuse(contents.is_empty(), || "contents is not specified".to_owned())?;
    let mut open: Vec<&str> = Vec::new();
    for (n, content) in contents.iter().enumerate() {
        refuse((content["role"] == "user") != (n % 2 == 0), || "roles must alternate".to_owned())?;
        refuse(list(content, "parts").is_empty(), || format!("contents[{n}].parts must not be empty"))?;
        let names = |kind: &str| {
            list(content, "parts")
                .iter()
                .filter_map(|part| part.get(kind))
                .map(|part| text(part, "name"))
                .collect::<Vec<_>>()
        };
        refuse(names("functionResponse") != open, || {
            "the number of function response parts is not that of the calls".to_owned()
        })?;
        for response in list(content, "parts").iter().filter_map(|part| part.get("functionResponse")) {
            refuse(!response["response"].is_object(), || "response is no object".to_owned())?;
        }
        open = names("functionCall");
    }
    refuse(!open.is_empty(), || "the last call has no response".to_owned())
}

fn responses(body: &Value) -> Result<(), String> {
    let input = list(body, "input");
    refuse(input.is_empty(), || "input is missing".to_owned())?;
    let ids = |kind: &str| {
        input.iter().filter(|item| item["type"] == kind).map(|item| text(item, "call_id")).collect::<Vec<_>>()
    };
    let (calls, results) = (ids("function_call"), ids("function_call_output"));
    for id in &calls {
        refuse(!results.contains(id), || format!("No tool output found for function call {id}."))?;
    }
    for id in &results {
        refuse(!calls.contains(id), || format!("No tool call found for function call output with call_id {id}."))?;
    }
    let arguments = input.iter().filter(|item| item["type"] == "function_call").map(|item| text(item, "arguments"));
    arguments.into_iter().try_for_each(|text| {
        refuse(serde_json::from_str::<Value>(text).is_err(), || "arguments are no JSON".to_owned())
    })
}

fn chat(format: &str, body: &Value) -> Result<(), String> {
    let messages = list(body, "messages");
    refuse(messages.is_empty(), || "messages is empty".to_owned())?;
    let mut open: Vec<&str> = Vec::new();
    let mut before = "";
    for (n, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        match role {
            "tool" => {
                let id = text(message, "tool_call_id");
                refuse(!open.contains(&id), || format!("messages.[{n}]: a tool message without its call: {id}"))?;
                open.retain(|one| *one != id);
                let chunks = list(message, "content");
                let is_text = chunks.iter().all(|chunk| chunk["type"] == "text");
                refuse(format != "mistral" && !is_text, || format!("messages.[{n}]: tool messages take text alone"))?;
            }
            role => {
                refuse(!open.is_empty(), || {
                    format!("messages.[{n}]: tool_call_ids did not have response messages: {}", open.join(", "))
                })?;
                refuse(format == "mistral" && role == "user" && before == "tool", || {
                    "Unexpected role 'user' after role 'tool'".to_owned()
                })?;
                for call in list(message, "tool_calls") {
                    let (id, arguments) = (text(call, "id"), text(&call["function"], "arguments"));
                    let fits = id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric());
                    refuse(format == "mistral" && !fits, || {
                        format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.")
                    })?;
                    refuse(serde_json::from_str::<Value>(arguments).is_err(), || "arguments are no JSON".to_owned())?;
                    open.push(id);
                }
            }
        }
        before = role;
    }
    refuse(!open.is_empty(), || "the last call has no response".to_owned())
}
