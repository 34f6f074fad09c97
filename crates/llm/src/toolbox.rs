//! The tools of a request, as its provider knows them, and the way back.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bowline_hub::Naming;
use bowline_protocol::excerpt;

use crate::message::Arguments;
use crate::{LoweredSchema, ModelError, ModelErrorKind, Target, ToolSpec};

#[derive(Debug)]
pub(crate) struct Toolbox {
    pub(crate) tools: Vec<Fitted>,
    by_wire: HashMap<Arc<str>, usize>,
    by_name: HashMap<String, usize>,
}

/// A tool as the provider gets it.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) spec: Arc<ToolSpec>,
    /// The name that the provider knows.
    pub(crate) wire: Arc<str>,
    pub(crate) lowered: LoweredSchema,
}

impl Toolbox {
    pub(crate) fn new(target: &Target, specs: &[Arc<ToolSpec>]) -> Result<Self, ModelError> {
        // 64 characters, a letter or `_` at the start: what every provider takes.
        let names = Naming::default().accepted(specs.iter().map(|spec| spec.name.as_str()));
        let mut this = Self {
            tools: Vec::with_capacity(specs.len()),
            by_wire: HashMap::with_capacity(specs.len()),
            by_name: HashMap::with_capacity(specs.len()),
        };
        for (n, (spec, wire)) in specs.iter().zip(names).enumerate() {
            if this.by_name.insert(spec.name.clone(), n).is_some() {
                let name = excerpt(&spec.name, 80);
                let why = format!("two tools of the request are named \"{name}\"; give each a name of its own");
                return Err(ModelError::new(ModelErrorKind::Config, why));
            }
            this.by_wire.insert(Arc::clone(&wire), n);
            let schemas = if spec.strict { target.strict_schemas().unwrap_or(target.schemas) } else { target.schemas };
            let lowered = LoweredSchema::new(&spec.input_schema, schemas);
            this.tools.push(Fitted { spec: Arc::clone(spec), wire, lowered });
        }
        Ok(this)
    }

    /// Whether it holds the very same tools.
    pub(crate) fn is_of(&self, specs: &[Arc<ToolSpec>]) -> bool {
        self.tools.len() == specs.len()
            && self.tools.iter().zip(specs).all(|(tool, spec)| Arc::ptr_eq(&tool.spec, spec))
    }

    /// The provider's name of a tool, also of one that is no longer there.
    pub(crate) fn wire_name<'n>(&'n self, name: &'n str) -> Cow<'n, str> {
        if let Some(tool) = self.by_name.get(name).and_then(|n| self.tools.get(*n)) {
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
        let found = self.by_wire.get(wire.as_str()).or_else(|| self.by_name.get(&wire));
        let Some(tool) = found.and_then(|n| self.tools.get(*n)) else { return (wire, arguments) };
        let arguments = match arguments {
            Arguments::Object(raw) => match tool.lowered.restore(raw, &tool.spec.input_schema) {
                raw if raw.kind() == bowline_protocol::JsonKind::Object => Arguments::Object(raw),
                other => Arguments::Broken(other.as_str().to_owned()),
            },
            broken => broken,
        };
        (tool.spec.name.clone(), arguments)
    }

    /// The tool that a provider's message names, or numbers as in `tools.12`, `tools[12]`.
    pub(crate) fn named_in(&self, message: &str) -> Option<&str> {
        let numbered =
            ["tools.", "tools[", "function_declarations[", "functionDeclarations["].iter().find_map(|head| {
                let rest = message.split_once(head)?.1;
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse::<usize>().ok()
            });
        let named = || {
            let words = message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            words.filter_map(|word| self.by_wire.get(word).copied()).next()
        };
        let tool = self.tools.get(named().or(numbered)?)?;
        Some(&tool.spec.name)
    }
}
