//! The output schemas of the tools that were listed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bowline_protocol::{CallToolResult, RawJson, Tool};
use bowline_schema::{CheckError, Limits, SchemaError, Validator};

use super::{OutputSchemas, Problem};
use crate::error::{Error, ErrorKind};

/// How many schemas are kept. Tools beyond that are not checked.
const MAX_SCHEMAS: usize = 1024;
/// How many bytes of schemas are kept.
const MAX_BYTES: usize = 8 << 20;

/// What is known of the structured results of tools.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    policy: OutputSchemas,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    schemas: HashMap<String, OutputSchema>,
    bytes: usize,
}

impl Outputs {
    pub(crate) fn new(policy: OutputSchemas) -> Self {
        Self { policy, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn policy(&self) -> OutputSchemas {
        self.policy
    }

    /// Keeps the schemas of a page; the first page of a list takes the place of the list before.
    pub(crate) fn note(&self, tools: &[Tool], is_first: bool) {
        let mut kept = self.kept();
        if is_first {
            *kept = Kept::default();
        }
        for tool in tools {
            if let Some(old) = kept.schemas.remove(&tool.name) {
                kept.bytes -= old.weight(&tool.name);
            }
            let Some(schema) = &tool.output_schema else { continue };
            // A buffer of its own: it would else keep that of the whole page.
            let schema = OutputSchema(Arc::new(Inner { schema: schema.detach(), validator: OnceLock::new() }));
            let weight = schema.weight(&tool.name);
            if kept.schemas.len() >= MAX_SCHEMAS || kept.bytes + weight > MAX_BYTES {
                tracing::debug!(tool = tool.name, "an output schema is not kept: there are too many");
                continue;
            }
            kept.bytes += weight;
            kept.schemas.insert(tool.name.clone(), schema);
        }
    }

    /// Forgets all: the tools changed.
    pub(crate) fn forget(&self) {
        *self.kept() = Kept::default();
    }

    pub(crate) fn find(&self, tool: &str) -> Option<OutputSchema> {
        self.kept().schemas.get(tool).cloned()
    }

    pub(crate) fn has(&self, tool: &str) -> bool {
        self.kept().schemas.contains_key(tool)
    }

    pub(crate) async fn check(&self, tool: &str, result: &CallToolResult) -> Option<Problem> {
        self.find(tool)?.problem(result).await
    }
}

/// The `outputSchema` of a tool, compiled when it is first needed; from [`Client::output_schema`](crate::Client::output_schema).
///
/// 2020-12 and older dialects; nothing is fetched, and size, depth and work are bounded: see the crate `bowline-schema`.
#[derive(Debug, Clone)]
pub struct OutputSchema(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    schema: RawJson,
    validator: OnceLock<Result<Validator, SchemaError>>,
}

impl OutputSchema {
    /// The schema as it came.
    pub fn as_raw(&self) -> &RawJson {
        &self.0.schema
    }

    fn weight(&self, name: &str) -> usize {
        self.0.schema.as_bytes().len() + name.len()
    }

    /// Checks the structured content of a result, on a thread for blocking work.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] where it does not fit, is missing, or could not be checked; [`ErrorKind::Config`] where
    /// the schema cannot be used. The message says which.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a check that has begun to its own bounds.
    pub async fn check(&self, result: &CallToolResult) -> Result<(), Error> {
        match self.problem(result).await {
            None => Ok(()),
            Some(Problem::Unfit(problem)) => Err(Error::output(problem, result.clone())),
            Some(Problem::Unknown(problem)) if matches!(self.0.validator.get(), Some(Err(_))) => {
                Err(Error::new(ErrorKind::Config, problem))
            }
            Some(Problem::Unknown(problem)) => Err(Error::output(problem, result.clone())),
        }
    }

    async fn problem(&self, result: &CallToolResult) -> Option<Problem> {
        let Some(content) = result.structured_content.clone() else {
            // server/tools: servers MUST give one that fits.
            return Some(Problem::Unfit("it has an outputSchema, and the result has no structuredContent".to_owned()));
        };
        let this = self.clone();
        // Compiling and checking are bounded and may yet take long enough to hold up others.
        let checked = tokio::task::spawn_blocking(move || this.check_now(&content)).await;
        checked.unwrap_or_else(|_| Some(Problem::Unknown("the check failed".to_owned())))
    }

    fn check_now(&self, content: &RawJson) -> Option<Problem> {
        let validator = self.0.validator.get_or_init(|| Validator::compile(&self.0.schema, &Limits::default()));
        match validator {
            Err(error) => Some(Problem::Unknown(format!("its outputSchema cannot be used: {error}"))),
            Ok(validator) => match validator.check(content) {
                Ok(()) => None,
                Err(error @ CheckError::Violations(_)) => {
                    Some(Problem::Unfit(format!("structuredContent does not fit its outputSchema: {error}")))
                }
                Err(error) => Some(Problem::Unknown(format!("structuredContent was not checked: {error}"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str, schema: &serde_json::Value) -> Tool {
        serde_json::from_value(json!({"name": name, "inputSchema": {"type": "object"}, "outputSchema": schema}))
            .unwrap()
    }

    #[test]
    fn the_newest_list_wins_and_what_is_kept_is_bounded() {
        let outputs = Outputs::default();
        outputs.note(&[tool("a", &json!({"title": "1"})), tool("b", &json!({}))], true);
        outputs.note(&[tool("c", &json!({}))], false);
        assert!(["a", "b", "c"].iter().all(|name| outputs.find(name).is_some()));
        outputs.note(&[tool("a", &json!({"title": "2"}))], true);
        assert_eq!(outputs.find("a").unwrap().as_raw().to_value(), json!({"title": "2"}));
        assert!(outputs.find("b").is_none() && outputs.find("c").is_none());

        let many: Vec<_> = (0..MAX_SCHEMAS + 5).map(|n| tool(&n.to_string(), &json!({}))).collect();
        outputs.note(&many, true);
        assert_eq!(outputs.kept().schemas.len(), MAX_SCHEMAS);
        let large = json!({"title": "x".repeat(MAX_BYTES / 3)});
        outputs.note(&["a", "b", "c", "a", "b"].map(|name| tool(name, &large)), true);
        assert_eq!(outputs.kept().schemas.len(), 2);
        assert!(outputs.kept().bytes <= MAX_BYTES);
        outputs.forget();
        let kept = outputs.kept();
        assert_eq!((kept.schemas.len(), kept.bytes), (0, 0));
    }
}
