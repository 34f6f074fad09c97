//! Whether arguments fit what a tool asks for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_protocol::{Tool, excerpt};
use bowline_schema::{CheckError, Limits, Validator};
use serde_json::Value;

use crate::tools::ListedTool;

/// Of how many tools the compiled schema is kept.
const MOST: usize = 512;
/// How many steps a check may take: it runs between other things.
const WORK: u64 = 400_000;

/// The schemas of tools, compiled when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Checker(Mutex<HashMap<Arc<str>, Known>>);

#[derive(Debug)]
struct Known {
    tool: Arc<Tool>,
    /// None where the schema is none that can be checked: then the server has the say.
    validator: Option<Arc<Validator>>,
}

impl Checker {
    /// Whether arguments fit the tool's own schema. Members that are null, may be left out and may not be null are taken
    /// out: that is how providers' strict modes say that they are left out.
    ///
    /// # Errors
    /// What to tell the model.
    pub(super) fn check(&self, tool: &ListedTool, arguments: &mut Value) -> Result<Checked, String> {
        let Some(validator) = self.validator(tool) else { return Ok(Checked::AsItWas) };
        let Err(error) = verdict(&validator, arguments) else { return Ok(Checked::AsItWas) };
        if let Value::Object(members) = arguments
            && members.values().any(Value::is_null)
        {
            let mut without = members.clone();
            without.retain(|_, value| !value.is_null());
            let without = Value::Object(without);
            if verdict(&validator, &without).is_ok() {
                *arguments = without;
                return Ok(Checked::Mended);
            }
        }
        Err(error)
    }

    fn validator(&self, tool: &ListedTool) -> Option<Arc<Validator>> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&tool.name).filter(|known| Arc::ptr_eq(&known.tool, &tool.tool)) {
            return known.validator.clone();
        }
        let compiled = Validator::compile(&tool.tool.input_schema, &Limits::default().with_work(WORK));
        let validator = compiled.ok().map(Arc::new);
        let mut known = known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(Arc::clone(&tool.name), Known { tool: Arc::clone(&tool.tool), validator: validator.clone() });
        validator
    }
}

/// How arguments that fit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    AsItWas,
    Mended,
}

fn verdict(validator: &Validator, arguments: &Value) -> Result<(), String> {
    match validator.check_value(arguments) {
        Err(CheckError::Violations(violations)) => {
            let more = match violations.more() + violations.as_slice().len().saturating_sub(3) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let fields = excerpt(&violations.to_string(), 1_200);
            Err(format!(
                "not called: the arguments do not fit the tool's schema: {fields}{more}. Mend them and call again"
            ))
        }
        // Where a check comes to no verdict the server has it.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(schema: Value) -> ListedTool {
        ListedTool::new("t", "s", Tool::new("t", schema))
    }

    #[test]
    fn what_does_not_fit_names_the_field() {
        let tool = tool(json!({
            "type": "object",
            "properties": {"count": {"type": "integer"}, "to": {"type": "object", "properties": {"name": {"type": "string"}}}},
            "required": ["count"],
        }));
        let checker = Checker::default();
        let error = checker.check(&tool, &mut json!({"count": "three", "to": {"name": 1}})).unwrap_err();
        assert!(error.contains("/count") && error.contains("/to/name"), "{error}");
        let error = checker.check(&tool, &mut json!({})).unwrap_err();
        assert!(error.contains("count"), "{error}");
        assert_eq!(checker.check(&tool, &mut json!({"count": 3})), Ok(Checked::AsItWas));
    }

    #[test]
    fn null_for_what_may_be_left_out_is_left_out() {
        let tool = tool(json!({
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": ["string", "null"]}},
            "required": ["a"],
        }));
        let checker = Checker::default();
        let mut arguments = json!({"a": "x", "b": null});
        assert_eq!(checker.check(&tool, &mut arguments), Ok(Checked::AsItWas), "a null that fits stays");
        let optional = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let mut arguments = json!({"a": null});
        assert_eq!(checker.check(&self::tool(optional), &mut arguments), Ok(Checked::Mended));
        assert_eq!(arguments, json!({}));
        assert!(checker.check(&tool, &mut json!({"a": null})).is_err(), "what is required cannot be left out");
    }

    #[test]
    fn a_schema_that_cannot_be_checked_leaves_the_say_to_the_server() {
        let tool = tool(json!({"$ref": "https://elsewhere.example/schema"}));
        assert!(Checker::default().check(&tool, &mut json!({"any": 1})).is_ok());
    }
}
