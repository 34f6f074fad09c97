//! The headers that mirror the body of a request of 2026-07-28.
//!
//! Specification: basic/transports/streamable-http, section on request metadata.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_protocol::frame::Request;
use bowline_protocol::{ErrorCode, ErrorObject, Meta, method};
use serde_json::Value;

use super::HttpRequest;

const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// Why a request is refused by its headers, if it is. `schema` is that of the arguments, where a tool is called.
pub(crate) fn mismatch(
    http: &HttpRequest,
    rpc: &Request,
    meta: Option<&Meta>,
    schema: Option<&Value>,
) -> Option<ErrorObject> {
    check(http, rpc, meta, schema).err()
}

fn check(http: &HttpRequest, rpc: &Request, meta: Option<&Meta>, schema: Option<&Value>) -> Result<(), ErrorObject> {
    let version = required(http, VERSION)?;
    // A version that the body lacks is missing there, which is another error.
    if let Some(body) = meta.and_then(Meta::protocol_version) {
        same(VERSION, &version, body)?;
    }
    same(METHOD, &required(http, METHOD)?, rpc.method.as_str())?;
    let params = rpc.params.as_ref().map(bowline_protocol::RawJson::to_value).unwrap_or_default();
    let member = match rpc.method.as_str() {
        method::TOOLS_CALL | method::PROMPTS_GET => "name",
        method::RESOURCES_READ => "uri",
        method::TASKS_GET | method::TASKS_UPDATE | method::TASKS_CANCEL => "taskId",
        _ => return Ok(()),
    };
    // A name that the body lacks is for whoever reads the parameters to refuse.
    if let Some(name) = params.get(member).and_then(Value::as_str) {
        same(NAME, &decoded(NAME, required(http, NAME)?)?, name)?;
    }
    let mut found = Vec::new();
    mirrored(schema.unwrap_or(&Value::Null), params.get("arguments").unwrap_or(&Value::Null), &mut found);
    for (header, value) in found {
        let header = format!("mcp-param-{}", header.to_ascii_lowercase());
        let given = text(http, &header)?.map(|given| decoded(&header, given)).transpose()?;
        match (given, value) {
            (None, Value::Null) => {}
            (Some(given), Value::Null) => return Err(error(&header, &given, "no value")),
            (None, _) => return Err(missing(&header)),
            (Some(given), value) => {
                if !is_equal(&given, value) {
                    return Err(error(&header, &given, &value.to_string()));
                }
            }
        }
    }
    Ok(())
}

/// The properties that are mirrored into headers: the name of each header, and the value that the arguments have.
fn mirrored<'a>(schema: &'a Value, arguments: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let value = arguments.get(name).unwrap_or(&Value::Null);
        if let Some(header) = property.get("x-mcp-header").and_then(Value::as_str) {
            found.push((header, value));
        }
        mirrored(property, value, found);
    }
}

fn is_equal(given: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => given == text,
        Value::Number(number) => given.parse::<f64>().ok() == number.as_f64(),
        Value::Bool(truth) => given == if *truth { "true" } else { "false" },
        _ => false,
    }
}

/// A header as text, if it is there.
fn text(http: &HttpRequest, name: &str) -> Result<Option<String>, ErrorObject> {
    let mut values = http.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let readable = value.to_str().ok().filter(|_| values.next().is_none());
    readable.map(|text| Some(text.trim_matches([' ', '\t']).to_owned())).ok_or_else(|| {
        let text = format!("Header mismatch: {name} holds invalid characters, or is there twice");
        ErrorObject::new(ErrorCode::HEADER_MISMATCH, text)
    })
}

fn required(http: &HttpRequest, name: &str) -> Result<String, ErrorObject> {
    text(http, name)?.ok_or_else(|| missing(name))
}

/// Decodes a value that is written as `=?base64?…?=`.
fn decoded(name: &str, value: String) -> Result<String, ErrorObject> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(value);
    };
    let bytes = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    bytes.ok_or_else(|| error(name, &value, "Base64 of text"))
}

fn same(name: &str, header: &str, body: &str) -> Result<(), ErrorObject> {
    if header == body { Ok(()) } else { Err(error(name, header, body)) }
}

fn missing(name: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::HEADER_MISMATCH, format!("Header mismatch: {name} is missing"))
}

fn error(name: &str, header: &str, body: &str) -> ErrorObject {
    let text = format!("Header mismatch: {name} is '{header}', the body says '{body}'");
    ErrorObject::new(ErrorCode::HEADER_MISMATCH, text)
}

#[cfg(test)]
mod tests {
    use bowline_protocol::frame::{self, Incoming, Message};
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;
    use crate::server::meta_of;

    /// What the error says, or nothing.
    fn judge(headers: &[(&str, &str)], method: &str, params: &Value, schema: &Value) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let body = Bytes::from(json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string());
        let Ok(Incoming::Message(Message::Request(rpc))) = frame::decode(&body) else { panic!("a request") };
        let http = HttpRequest { method: http::Method::POST, path: "/mcp".into(), headers: map, body, connection: 1 };
        let meta = meta_of(rpc.params.as_ref());
        let error = mismatch(&http, &rpc, meta.as_ref(), Some(schema));
        error
            .inspect(|error| assert_eq!(error.code, ErrorCode::HEADER_MISMATCH))
            .map_or_else(String::new, |e| e.message)
    }

    fn params(name: &str, arguments: &Value) -> Value {
        let version = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
        json!({ "name": name, "arguments": arguments, "_meta": version })
    }

    const GOOD: [(&str, &str); 2] = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call")];

    #[test]
    fn standard_headers_are_there_and_say_what_the_body_says() {
        let call =
            |headers: &[(&str, &str)], name: &str| judge(headers, "tools/call", &params(name, &json!({})), &json!({}));
        let with = |name: &'static str| [GOOD[0], GOOD[1], ("Mcp-Name", name)];
        assert_eq!(call(&with("echo"), "echo"), "");
        assert_eq!(call(&with("  echo "), "echo"), "", "blanks around a value are none of it");
        assert_eq!(call(&with("=?base64?w6TDtg==?="), "äö"), "");
        assert_eq!(call(&GOOD, "echo"), "Header mismatch: mcp-name is missing");
        assert_eq!(call(&with("other"), "echo"), "Header mismatch: mcp-name is 'other', the body says 'echo'");
        assert_eq!(call(&GOOD[1..], "echo"), "Header mismatch: mcp-protocol-version is missing");
        let twice = [GOOD[0], GOOD[1], GOOD[1], ("Mcp-Name", "echo")];
        assert!(call(&twice, "echo").contains("twice"));
        let old = [("MCP-Protocol-Version", "2025-11-25"), GOOD[1], ("Mcp-Name", "echo")];
        assert!(call(&old, "echo").contains("the body says '2026-07-28'"));
        assert!(judge(&GOOD, "ping", &json!({}), &json!({})).contains("the body says 'ping'"));
    }

    #[test]
    fn arguments_are_mirrored_by_their_paths() {
        let property = |kind: &str, header: &str| json!({ "type": kind, "x-mcp-header": header });
        let schema = json!({ "type": "object", "properties": {
            "region": property("string", "Region"),
            "count": property("integer", "Count"),
            "deep": { "type": "object", "properties": { "dry": property("boolean", "Dry") } },
        }});
        let call = |extra: &[(&str, &str)], arguments: Value| {
            let headers = [&GOOD, &[("Mcp-Name", "t")][..], extra].concat();
            judge(&headers, "tools/call", &params("t", &arguments), &schema)
        };
        assert_eq!(call(&[], json!({})), "");
        assert_eq!(call(&[], json!({ "region": null })), "");
        let all = [("Mcp-Param-Region", "us"), ("mcp-param-COUNT", "42.0"), ("Mcp-Param-Dry", "true")];
        assert_eq!(call(&all, json!({ "region": "us", "count": 42, "deep": { "dry": true } })), "");
        assert_eq!(call(&all[..1], json!({})), "Header mismatch: mcp-param-region is 'us', the body says 'no value'");
        assert_eq!(call(&[], json!({ "deep": { "dry": false } })), "Header mismatch: mcp-param-dry is missing");
        for (encoded, good) in
            [("=?base64?SGVsbG8=?=", true), ("=?base64?SGVsbG8?=", false), ("=?base64?SG!=?=", false)]
        {
            let error = call(&[("Mcp-Param-Region", encoded)], json!({ "region": "Hello" }));
            assert_eq!(error.is_empty(), good, "{encoded}: {error}");
        }
        let literal = "=?base64?SGVsbG8=";
        assert_eq!(call(&[("Mcp-Param-Region", literal)], json!({ "region": literal })), "");
    }
}
