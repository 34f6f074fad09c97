//! What a handler gets.

use std::ops::Deref;

use bowline_protocol::{
    CallToolRequestParams, CompleteRequestParams, ErrorCode, ErrorObject, GetPromptRequestParams, RawJson,
    ReadResourceRequestParams,
};
use serde::de::DeserializeOwned;

use super::context::Context;

/// A request on its way through a handler: its parameters, and the [`Context`] it derefs to.
///
/// ```
/// use bowline_protocol::{CallToolResult, ErrorObject, LoggingLevel};
/// use bowline_testkit::ToolCall;
///
/// async fn backup(call: ToolCall) -> Result<CallToolResult, ErrorObject> {
///     let files: Vec<String> = call.argument("files")?;
///     for (done, file) in files.iter().enumerate() {
///         if call.is_cancelled() {
///             call.log(LoggingLevel::Notice, "called off").await;
///             break;
///         }
///         call.progress(done as f64, Some(files.len() as f64), Some(file)).await;
///     }
///     let roots = call.list_roots().await?;
///     Ok(CallToolResult::text(format!("{} files below {} roots", files.len(), roots.roots.len())))
/// }
/// # let _ = backup;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call<P> {
    /// The parameters.
    pub params: P,
    context: Context,
}

/// A call of a tool.
pub type ToolCall = Call<CallToolRequestParams>;
/// A request to read a resource.
pub type ResourceRead = Call<ReadResourceRequestParams>;
/// A request for a prompt.
pub type PromptCall = Call<GetPromptRequestParams>;
/// A request to complete an argument.
pub type CompletionCall = Call<CompleteRequestParams>;
/// A request of a method that the server adds; its parameters as they came, `{}` where none came.
pub type MethodCall = Call<RawJson>;

impl<P> Call<P> {
    pub(crate) const fn new(params: P, context: Context) -> Self {
        Self { params, context }
    }
}

impl<P> Deref for Call<P> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl ToolCall {
    /// The arguments as they came; `{}` where none came.
    pub fn arguments(&self) -> RawJson {
        self.params.arguments.clone().unwrap_or(RawJson::EMPTY_OBJECT)
    }

    /// The arguments as a `T`.
    ///
    /// # Errors
    /// `invalid params` when they have another shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ErrorObject> {
        self.arguments().parse().map_err(|error| {
            ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("the arguments of {}: {error}", self.params.name))
        })
    }

    /// One argument as a `T`; an absent one reads as null.
    ///
    /// # Errors
    /// `invalid params` when it has another type.
    pub fn argument<T: DeserializeOwned>(&self, name: &str) -> Result<T, ErrorObject> {
        let value = self.arguments().to_value().get_mut(name).map(serde_json::Value::take).unwrap_or_default();
        serde_json::from_value(value).map_err(|error| {
            ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("the argument {name} of {}: {error}", self.params.name))
        })
    }
}

impl PromptCall {
    /// The value of an argument; empty where it was not given.
    pub fn argument(&self, name: &str) -> &str {
        self.params.arguments.as_ref().and_then(|arguments| arguments.get(name)).map_or("", String::as_str)
    }
}

impl ResourceRead {
    /// What stands in the URI for a variable of the template; none where the resource has no template.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.context.variables().get(name).map(String::as_str)
    }
}
