//! What an error of the protocol says in its data, for its message.

use bowline_protocol::{ClientCapabilities, ErrorObject, excerpt};
use serde_json::Value;

/// What is said at most, in bytes.
const MOST: usize = 200;

/// What the server needs or speaks, and what to do; nothing where the error does not say.
pub(super) fn of(error: &ErrorObject) -> String {
    if let Some(data) = error.missing_client_capability() {
        let names = names(&data.required_capabilities);
        if !names.is_empty() {
            let names = excerpt(&names.join(", "), MOST);
            return format!("; it needs a client with {names}: install what serves that, or do without the call");
        }
    }
    match error.unsupported_protocol_version() {
        Some(data) => format!("; it speaks {}", excerpt(&data.supported.join(", "), MOST)),
        None => String::new(),
    }
}

/// The capabilities, and where they have members those: `sampling.tools`.
fn names(capabilities: &ClientCapabilities) -> Vec<String> {
    let Ok(Value::Object(capabilities)) = serde_json::to_value(capabilities) else { return Vec::new() };
    let mut names = Vec::new();
    for (name, capability) in capabilities {
        match capability {
            Value::Object(members) if !members.is_empty() => {
                names.extend(members.keys().map(|member| format!("{name}.{member}")));
            }
            _ => names.push(name),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use bowline_protocol::{ErrorCode, RawJson};
    use serde_json::json;

    use super::*;

    fn said(code: i64, data: Value) -> String {
        of(&ErrorObject::new(ErrorCode(code), "m").with_data(RawJson::from(data)))
    }

    #[test]
    fn er_06_a_missing_capability_is_named() {
        let needs =
            json!({"requiredCapabilities": {"sampling": {"tools": {}}, "roots": {}, "extensions": {"com.x/y": {}}}});
        let said = said(-32021, needs);
        for name in ["sampling.tools", "roots", "extensions.com.x/y"] {
            assert!(said.contains(name), "{said}");
        }
    }

    #[test]
    fn er_01_the_versions_that_a_server_speaks_are_named() {
        assert_eq!(said(-32022, json!({"supported": ["2031-01-01", 7]})), "; it speaks 2031-01-01, 7");
        assert_eq!(said(-32022, json!({"supported": "2031-01-01"})), "; it speaks 2031-01-01");
    }

    #[test]
    fn data_of_another_shape_or_size_says_little_or_nothing() {
        for (code, data) in [
            (-32021, json!(null)),
            (-32021, json!({"requiredCapabilities": "all"})),
            (-32021, json!({"requiredCapabilities": ["sampling"]})),
            (-32022, json!({"supported": {}})),
            (-32022, json!([])),
            (-32603, json!({"supported": ["x"], "requiredCapabilities": {"roots": {}}})),
        ] {
            assert_eq!(said(code, data.clone()), "", "{data}");
        }
        let many: Vec<String> = (0..100_000).map(|n| format!("v\n{n}")).collect();
        let said = said(-32022, json!({"supported": many}));
        assert!(said.len() < 400 && !said.contains('\n'), "{} bytes", said.len());
    }
}
