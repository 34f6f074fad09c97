//! The body of a request, whose tools are text that was written once.

use std::sync::Arc;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::Format;
use crate::toolbox::Toolbox;

/// A request's body in two parts: its own, and the tools, which are the same in one request after the other.
#[derive(Clone)]
pub(super) struct Body {
    pub(super) members: Map<String, Value>,
    /// Where the tools stand, as keys from the outermost in. There is a null.
    place: &'static [&'static str],
    tools: Told,
}

/// The tools that a request tells of.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// What stands before them.
    pub(super) ahead: Vec<Value>,
    /// Those of the toolbox.
    pub(super) all: Option<Arc<Toolbox>>,
    /// One of them that is written otherwise in this request.
    pub(super) instead: Option<(usize, Value)>,
    /// What stands behind them.
    pub(super) behind: Vec<Value>,
}

impl Told {
    /// All tools of a toolbox, as they were written.
    pub(super) fn all(toolbox: &Arc<Toolbox>) -> Self {
        Self { all: Some(Arc::clone(toolbox)), ..Self::default() }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        let own = self.all.as_ref().map_or(0, |toolbox| toolbox.tools.len());
        own + self.ahead.len() + self.behind.len() == 0
    }
}

impl Body {
    pub(super) const fn new(members: Map<String, Value>, format: Format, tools: Told) -> Self {
        let place: &[&str] = match format {
            Format::Bedrock => &["toolConfig", "tools"],
            Format::Gemini => &["tools", "functionDeclarations"],
            _ => &["tools"],
        };
        Self { members, place, tools }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        members(&self.members, self.place, &self.tools, serializer)
    }
}

/// The members of an object, one of which leads to the tools.
fn members<S: Serializer>(
    all: &Map<String, Value>,
    place: &[&str],
    tools: &Told,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(all.len()))?;
    for (key, value) in all {
        match place.split_first() {
            Some((here, place)) if key == here => map.serialize_entry(key, &Leading { value, place, tools })?,
            _ => map.serialize_entry(key, value)?,
        }
    }
    map.end()
}

/// A value that leads to the tools.
struct Leading<'b> {
    value: &'b Value,
    place: &'b [&'b str],
    tools: &'b Told,
}

impl Serialize for Leading<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, place, tools } = *self;
        match value {
            Value::Null if place.is_empty() => tools.serialize(serializer),
            Value::Object(all) if !place.is_empty() => members(all, place, tools, serializer),
            Value::Array(all) if !place.is_empty() => {
                serializer.collect_seq(all.iter().map(|value| Leading { value, place, tools }))
            }
            other => other.serialize(serializer),
        }
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_seq(None)?;
        for value in &self.ahead {
            all.serialize_element(value)?;
        }
        for (n, tool) in self.all.iter().flat_map(|toolbox| toolbox.tools.iter().enumerate()) {
            match &self.instead {
                Some((at, value)) if *at == n => all.serialize_element(value)?,
                _ => all.serialize_element::<RawValue>(&tool.declaration)?,
            }
        }
        for value in &self.behind {
            all.serialize_element(value)?;
        }
        all.end()
    }
}
