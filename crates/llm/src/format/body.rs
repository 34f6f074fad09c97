//! The body of a request, whose tools are text that was written once.

use std::sync::Arc;

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

impl Body {
    /// The body as it is sent.
    pub(super) fn written(&self) -> serde_json::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(self.tools.all.as_ref().map_or(0, |toolbox| toolbox.written().len()) + 1024);
        members(&self.members, self.place, &self.tools, &mut out)?;
        Ok(out)
    }
}

/// Writes the members of an object, one of which leads to the tools.
fn members(all: &Map<String, Value>, place: &[&str], tools: &Told, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.push(b'{');
    for (n, (key, value)) in all.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        match place.split_first() {
            Some((here, place)) if key == here => leading(value, place, tools, out)?,
            _ => serde_json::to_writer(&mut *out, value)?,
        }
    }
    out.push(b'}');
    Ok(())
}

/// Writes a value that leads to the tools.
fn leading(value: &Value, place: &[&str], tools: &Told, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Null if place.is_empty() => tools.write(out),
        Value::Object(all) if !place.is_empty() => members(all, place, tools, out),
        Value::Array(all) if !place.is_empty() => {
            out.push(b'[');
            for (n, value) in all.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                leading(value, place, tools, out)?;
            }
            out.push(b']');
            Ok(())
        }
        other => serde_json::to_writer(out, other),
    }
}

impl Told {
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        out.push(b'[');
        let begin = out.len();
        let next = |out: &mut Vec<u8>| {
            if out.len() > begin {
                out.push(b',');
            }
        };
        for value in &self.ahead {
            next(out);
            serde_json::to_writer(&mut *out, value)?;
        }
        if let Some(toolbox) = self.all.as_ref().filter(|toolbox| !toolbox.tools.is_empty()) {
            next(out);
            let written = toolbox.written();
            match self.instead.as_ref().and_then(|(at, value)| Some((toolbox.place(*at)?, value))) {
                None => out.extend_from_slice(written),
                Some((place, value)) => {
                    out.extend_from_slice(written.get(..place.start).unwrap_or_default());
                    serde_json::to_writer(&mut *out, value)?;
                    out.extend_from_slice(written.get(place.end..).unwrap_or_default());
                }
            }
        }
        for value in &self.behind {
            next(out);
            serde_json::to_writer(&mut *out, value)?;
        }
        out.push(b']');
        Ok(())
    }
}
