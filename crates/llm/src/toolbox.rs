//! The tools of a request, as its provider knows them, and the way back.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bowline_hub::Naming;
use bowline_protocol::excerpt;

use crate::format::Declaration;
use crate::lower::{Lowered, Undo};
use crate::message::Arguments;
use crate::{Loss, ModelError, ModelErrorKind, Target, ToolSpec};

#[derive(Debug)]
pub(crate) struct Toolbox {
    pub(crate) tools: Vec<Fitted>,
    /// The tools in the provider's format, with commas between them: text, as it goes into one request after the other.
    written: Vec<u8>,
    by_wire: HashMap<Arc<str>, usize>,
    /// The tools whose names the provider does not take as they are.
    by_name: HashMap<String, usize>,
    /// How many tools of the provider's own stand before them.
    ahead: usize,
}

/// A tool as the provider gets it.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) spec: Arc<ToolSpec>,
    /// The name that the provider knows.
    pub(crate) wire: Arc<str>,
    /// Where it stands in what is written of all.
    place: Range<usize>,
    /// What its schema lost.
    pub(crate) losses: Vec<Loss>,
    undo: Undo,
}

impl Toolbox {
    pub(crate) fn new(target: &Target, specs: &[Arc<ToolSpec>]) -> Result<Self, ModelError> {
        // 64 characters, a letter or `_` at the start: what every provider takes.
        let names = Naming::default().accepted(specs.iter().map(|spec| spec.name.as_str()));
        let mut this = Self {
            tools: Vec::with_capacity(specs.len()),
            written: Vec::with_capacity(specs.iter().map(|spec| spec.input_schema.as_bytes().len() + 256).sum()),
            by_wire: HashMap::with_capacity(specs.len()),
            by_name: HashMap::new(),
            ahead: usize::from(target.searches(specs) && target.format == crate::Format::Anthropic),
        };
        for (n, (spec, wire)) in specs.iter().zip(names).enumerate() {
            let is_odd = *spec.name != *wire;
            // The provider's names are different where the names are.
            let is_twice = this.by_wire.insert(Arc::clone(&wire), n).is_some()
                || (is_odd && this.by_name.insert(spec.name.clone(), n).is_some());
            if is_twice {
                let name = excerpt(&spec.name, 80);
                let why = format!("two tools of the request are named \"{name}\"; give each a name of its own");
                return Err(ModelError::new(ModelErrorKind::Config, why));
            }
            let schemas = if spec.strict { target.strict_schemas().unwrap_or(target.schemas) } else { target.schemas };
            let lowered = Lowered::new(&spec.input_schema, schemas);
            let output = spec.output_schema.as_ref().filter(|_| target.tells_output());
            let output = output.map(|schema| Lowered::new(schema, target.schemas).schema);
            let Lowered { schema, losses, is_strict, undo, .. } = lowered;
            if n > 0 {
                this.written.push(b',');
            }
            let begin = this.written.len();
            Declaration { name: &wire, spec, schema, output, is_strict }.write(target, &mut this.written)?;
            let place = begin..this.written.len();
            this.tools.push(Fitted { spec: Arc::clone(spec), wire, place, losses, undo });
        }
        Ok(this)
    }

    /// The tools in the provider's format, with commas between them.
    pub(crate) fn written(&self) -> &[u8] {
        &self.written
    }

    /// Where a tool stands in that.
    pub(crate) fn place(&self, n: usize) -> Option<Range<usize>> {
        self.tools.get(n).map(|tool| tool.place.clone())
    }

    /// One tool in the provider's format.
    pub(crate) fn declaration(&self, n: usize) -> &[u8] {
        self.place(n).and_then(|place| self.written.get(place)).unwrap_or_default()
    }

    /// Whether the provider knows a tool by this name.
    pub(crate) fn has_wire_name(&self, name: &str) -> bool {
        self.by_wire.contains_key(name)
    }

    /// Whether the provider knows a tool whose name begins so.
    pub(crate) fn begins_wire_name(&self, head: &str) -> bool {
        self.by_wire.keys().any(|name| name.starts_with(head))
    }

    /// A tool by its name in the request.
    fn known(&self, name: &str) -> Option<&Fitted> {
        let as_it_is = || self.by_wire.get(name).and_then(|n| self.tools.get(*n)).filter(|tool| tool.spec.name == name);
        self.by_name.get(name).and_then(|n| self.tools.get(*n)).or_else(as_it_is)
    }

    /// The provider's name of a tool, also of one that is no longer there.
    pub(crate) fn wire_name<'n>(&'n self, name: &'n str) -> Cow<'n, str> {
        if let Some(tool) = self.known(name) {
            return Cow::Borrowed(&tool.wire);
        }
        let mut fitted = Naming::default().accepted([name]);
        match fitted.pop() {
            // That name belongs to another tool by now.
            Some(taken) if self.by_wire.contains_key(&taken) => {
                Cow::Owned(format!("{}_{}", taken.get(..54).unwrap_or(&taken), crate::hash::hashed(name)))
            }
            Some(free) if *free != *name => Cow::Owned(free.to_string()),
            _ => Cow::Borrowed(name),
        }
    }

    /// A call as the caller knows it, of one as the model wrote it.
    pub(crate) fn restore(&self, wire: String, arguments: Arguments) -> (String, Arguments) {
        let found = self.by_wire.get(wire.as_str()).and_then(|n| self.tools.get(*n)).or_else(|| self.known(&wire));
        let Some(tool) = found else { return (wire, arguments) };
        let arguments = match arguments {
            Arguments::Object(raw) => match tool.undo.restore(raw, &tool.spec.input_schema) {
                raw if raw.kind() == bowline_protocol::JsonKind::Object => Arguments::Object(raw),
                other => Arguments::Broken(other.as_str().to_owned()),
            },
            broken => broken,
        };
        (tool.spec.name.clone(), arguments)
    }

    /// The tool that a provider's message is about: numbered as in `tools.12` or `function_declarations[12]`, or named
    /// in quotes or behind the word `function`. Other words may be a tool's name by chance.
    pub(crate) fn named_in(&self, message: &str) -> Option<&str> {
        // The inner number counts, where there are two.
        let heads = ["function_declarations[", "functionDeclarations[", "function_declarations.", "tools[", "tools."];
        let numbered = heads.iter().find_map(|head| {
            let digits: String = message.split_once(head)?.1.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<usize>().ok()
        });
        let number =
            numbered.and_then(|number| number.checked_sub(self.ahead)).filter(|number| *number < self.tools.len());
        let named = || {
            let quoted = message.split(['"', '\'', '`']).skip(1).step_by(2);
            let behind = message.split("function ").skip(1).filter_map(|rest| rest.split([' ', ':', ',', '.']).next());
            quoted.chain(behind).find_map(|word| self.by_wire.get(word).copied())
        };
        let tool = self.tools.get(number.or_else(named)?)?;
        Some(&tool.spec.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Format;

    #[test]
    fn the_tool_that_a_message_is_about_is_found_and_no_other() {
        let tool = |name: &str| Arc::new(ToolSpec::new(name, json!({"type": "object"})).with_deferred(name == "input"));
        let tools: Vec<_> = ["read_artifact", "search", "custom", "input"].map(tool).into();
        let gemini = Toolbox::new(&Target::new(Format::Gemini, "m"), &tools).unwrap();
        let anthropic = Toolbox::new(&Target::new(Format::Anthropic, "claude-sonnet-4-5"), &tools).unwrap();
        let told = "* GenerateContentRequest.tools[0].function_declarations[2].parameters.properties: bad search";
        assert_eq!(gemini.named_in(told), Some("custom"));
        assert_eq!(anthropic.named_in("tools.3.custom.input_schema: is not valid"), Some("custom"));
        assert_eq!(anthropic.named_in("tools.0.type: unknown"), None, "that is the provider's search");
        assert_eq!(gemini.named_in("Invalid schema for function 'search': array schema missing items"), Some("search"));
        assert_eq!(gemini.named_in("the input is bad, search for custom help"), None);
        assert_eq!(gemini.named_in("tools.99: bad"), None);
    }
}
