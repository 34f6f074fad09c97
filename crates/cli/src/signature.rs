//! Tools as function signatures.

use serde_json::Value;

use crate::sanitize;
use crate::schema::{Kinds, Schema};

/// Members of an object type that a signature spells out; more would be no signature.
const MOST_MEMBERS: usize = 6;
/// Values of an enumeration that a signature lists.
const MOST_VALUES: usize = 8;
/// How far into nested objects a signature goes.
const DEEPEST: usize = 2;
/// Characters of one type; what is longer is cut.
const LONGEST_TYPE: usize = 160;

/// The parameters and the result of a tool, required parameters first:
/// `(message: string, count?: integer) -> {sum: number}`.
pub(crate) fn signature(tool: &Value) -> String {
    let mut out = String::from("(");
    if let Some(input) = tool.get("inputSchema") {
        let input = Schema::new(input);
        let required = input.required();
        let mut parameters = input.properties();
        parameters.sort_by_key(|(name, _)| !required.contains(name));
        let shown: Vec<String> = parameters
            .iter()
            .map(|(name, schema)| {
                let mark = if required.contains(name) { "" } else { "?" };
                format!("{}{mark}: {}", sanitize::line(name), cut(type_of(*schema, DEEPEST)))
            })
            .collect();
        out.push_str(&shown.join(", "));
    }
    out.push(')');
    if let Some(output) = tool.get("outputSchema").filter(|schema| schema.is_object()) {
        out.push_str(" -> ");
        out.push_str(&cut(type_of(Schema::new(output), DEEPEST)));
    }
    out
}

/// A schema as a type: `string`, `"a" | "b"`, `{sum: number}`, `string[]`.
fn type_of(schema: Schema<'_>, depth: usize) -> String {
    if let Some(values) = schema.values() {
        let mut shown: Vec<String> =
            values.iter().take(MOST_VALUES).map(|value| sanitize::excerpt(&value.to_string(), 40)).collect();
        if values.len() > MOST_VALUES {
            shown.push(format!("… {} more", values.len() - MOST_VALUES));
        }
        return shown.join(" | ");
    }
    let kinds = schema.kinds();
    if kinds == Kinds::ANY {
        return "any".to_owned();
    }
    let alternatives = if depth > 0 && schema.get("type").is_none() {
        schema.alternatives().take(MOST_MEMBERS).map(|part| type_of(part, depth - 1)).collect()
    } else {
        Vec::new()
    };
    if !alternatives.is_empty() {
        return alternatives.join(" | ");
    }
    kinds
        .names()
        .map(|kind| match kind {
            "array" => array(schema, depth),
            "object" => object(schema, depth),
            other => other.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" | ")
}

fn array(schema: Schema<'_>, depth: usize) -> String {
    match schema.get("items").filter(|items| depth > 0 && items.is_object()) {
        Some(items) => {
            let element = type_of(schema.at(items), depth - 1);
            if element.contains(" | ") && !element.starts_with('{') {
                format!("({element})[]")
            } else {
                format!("{element}[]")
            }
        }
        None => "array".to_owned(),
    }
}

fn object(schema: Schema<'_>, depth: usize) -> String {
    let members = schema.properties();
    if members.is_empty() || depth == 0 {
        return "object".to_owned();
    }
    let required = schema.required();
    let mut shown: Vec<String> = members
        .iter()
        .take(MOST_MEMBERS)
        .map(|(name, member)| {
            let mark = if required.contains(name) { "" } else { "?" };
            format!("{}{mark}: {}", sanitize::line(name), type_of(*member, depth - 1))
        })
        .collect();
    if members.len() > MOST_MEMBERS {
        shown.push(format!("… {} more", members.len() - MOST_MEMBERS));
    }
    format!("{{{}}}", shown.join(", "))
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST_TYPE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn required_parameters_come_first() {
        let tool = json!({
            "inputSchema": {"type": "object", "properties": {
                "note": {"type": "string"}, "a": {"type": "number"}, "b": {"type": "number"}
            }, "required": ["a", "b"]},
            "outputSchema": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]}
        });
        assert_eq!(signature(&tool), "(a: number, b: number, note?: string) -> {sum: number}");
    }

    #[test]
    fn types_read_as_types() {
        for (schema, want) in [
            (json!({"type": "array", "items": {"type": "string"}}), "string[]"),
            (json!({"type": "array", "items": {"type": ["string", "number"]}}), "(string | number)[]"),
            (json!({"enum": ["a", "b"]}), r#""a" | "b""#),
            (json!({"type": ["string", "null"]}), "string | null"),
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "integer | null"),
            (
                json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
                "string[] | string",
            ),
            (json!({}), "any"),
            (json!({"type": "object"}), "object"),
        ] {
            let tool = json!({"inputSchema": {"properties": {"x": schema}, "required": ["x"]}});
            assert_eq!(signature(&tool), format!("(x: {want})"));
        }
    }

    #[test]
    fn odd_tools_still_have_a_signature() {
        for tool in [json!({}), json!({"inputSchema": true}), json!({"inputSchema": {"properties": []}}), json!(null)] {
            assert_eq!(signature(&tool), "()", "{tool}");
        }
        let many: Vec<String> = (0..100).map(|n| format!("value-{n}")).collect();
        let long = json!({"inputSchema": {"properties": {"x": {"enum": many}}}});
        assert!(signature(&long).contains("… 92 more"));
        let circle = json!({"inputSchema": {"properties": {"x": {"$ref": "#"}}}});
        assert!(signature(&circle).len() < 400);
        let dirty = json!({"inputSchema": {"properties": {"\u{202e}x": {"type": "string"}}}});
        assert_eq!(signature(&dirty), "(\\u{202e}x?: string)");
    }
}
