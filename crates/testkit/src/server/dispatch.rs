//! From a method to its answer.

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::frame::Request;
use bowline_protocol::{
    CallToolRequestParams, CompleteRequestParams, Era, ErrorCode, ErrorObject, GetPromptRequestParams,
    GetSkillRequestParams, GetSkillResult, InitializeRequestParams, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListSkillsResult, ListToolsResult, PaginatedRequestParams, RawJson, ReadResourceRequestParams,
    Revision, SetLevelRequestParams, SubscribeRequestParams,
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::call::Call;
use super::context::Context;
use super::session::{Agreed, Session};
use super::{revise, to_raw};
use crate::misbehave::Quirk;

/// What a request is answered with.
pub(crate) type Answer = Result<RawJson, ErrorObject>;

impl Session {
    /// The answer of a request that needs no handler; `None` where a handler has to give it.
    pub(crate) fn at_once(&self, request: &Request) -> Option<Answer> {
        let method = request.method.as_str();
        match method {
            "ping" => return Some(Ok(RawJson::EMPTY_OBJECT)),
            "initialize" => return Some(self.initialize(request)),
            _ => {}
        }
        let Some(agreed) = self.agreed() else {
            let text = format!("{method} before initialize; send initialize first");
            return Some(Err(ErrorObject::new(ErrorCode::INVALID_REQUEST, text)));
        };
        if let Err(error) = self.allowed(method, agreed.revision) {
            return Some(Err(error));
        }
        if let Some(page) = self.list(request, agreed.revision) {
            return Some(page);
        }
        Some(match method {
            "logging/setLevel" => params::<SetLevelRequestParams>(request).map(|params| {
                self.set_level(params.level);
                RawJson::EMPTY_OBJECT
            }),
            "resources/subscribe" => params::<SubscribeRequestParams>(request).map(|params| {
                self.subscribe(params.uri);
                RawJson::EMPTY_OBJECT
            }),
            "resources/unsubscribe" => params::<SubscribeRequestParams>(request).map(|params| {
                self.unsubscribe(&params.uri);
                RawJson::EMPTY_OBJECT
            }),
            _ => return None,
        })
    }

    /// A page of a list, if the request asks for one.
    pub(crate) fn list(&self, request: &Request, revision: Revision) -> Option<Answer> {
        Some(match request.method.as_str() {
            "tools/list" => self.list_tools(request, revision),
            "resources/list" => self.list_resources(request, revision),
            "resources/templates/list" => self.list_templates(request, revision),
            "prompts/list" => self.list_prompts(request, revision),
            "skills/list" if !self.server.config.methods.contains_key("skills/list") => self.list_skills(request),
            _ => return None,
        })
    }

    /// The answer of a handler.
    pub(crate) async fn handle(&self, request: &Request, context: Context) -> Answer {
        let revision = context.revision();
        match request.method.as_str() {
            "tools/call" => {
                let params: CallToolRequestParams = params(request)?;
                let found = self.server.catalog().tool(&params.name);
                let (tool, run) = found.ok_or_else(|| unknown("tool", &params.name))?;
                let support = tool.execution.as_ref().and_then(|execution| execution.task_support.as_ref());
                if self.server.is_task(&context, support, params.task.is_some())? {
                    let ttl = params.task.as_ref().and_then(|task| task.ttl).map(Duration::from_millis);
                    return self.server.begin_task(&context, ttl, |context| run(Call::new(params, context))).await;
                }
                to_raw(&revise::call_result(revision, run(Call::new(params, context)).await?))
            }
            "resources/read" => {
                let params: ReadResourceRequestParams = params(request)?;
                let (read, variables) = self.server.catalog().contents(&params.uri).ok_or_else(|| {
                    // Specification: basic/index, section on error codes.
                    let code = match revision.era() {
                        Era::Handshake => ErrorCode::RESOURCE_NOT_FOUND,
                        _ => ErrorCode::INVALID_PARAMS,
                    };
                    ErrorObject::new(code, "Resource not found").with_data(RawJson::from(json!({ "uri": params.uri })))
                })?;
                to_raw(&read(Call::new(params, context.with_variables(variables))).await?)
            }
            "prompts/get" => {
                let params: GetPromptRequestParams = params(request)?;
                let (prompt, get) =
                    self.server.catalog().prompt(&params.name).ok_or_else(|| unknown("prompt", &params.name))?;
                let given = params.arguments.iter().flat_map(|arguments| arguments.keys().map(String::as_str));
                let missing = prompt.missing_arguments(given).join(", ");
                if !missing.is_empty() {
                    let text = format!("the prompt {} needs the arguments: {missing}", params.name);
                    return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, text));
                }
                to_raw(&revise::prompt_result(revision, get(Call::new(params, context)).await?))
            }
            "completion/complete" => {
                let params: CompleteRequestParams = params(request)?;
                let complete = self.server.config.completion.as_ref().map(Arc::clone);
                let complete = complete.ok_or_else(|| not_found("completion/complete"))?;
                to_raw(&complete(Call::new(params, context)).await?)
            }
            "skills/get" if !self.server.config.methods.contains_key("skills/get") => {
                let params: GetSkillRequestParams = params(request)?;
                let found = self.server.catalog().skills.iter().find(|skill| skill.uri == params.uri).cloned();
                to_raw(&GetSkillResult::new(found.ok_or_else(|| unknown("skill", &params.uri))?))
            }
            method if method.starts_with("tasks/") && !self.server.config.methods.contains_key(method) => {
                self.handle_task(request, &context).await
            }
            method => {
                let run = self.server.config.methods.get(method).map(Arc::clone).ok_or_else(|| not_found(method))?;
                run(Call::new(request.params.clone().unwrap_or(RawJson::EMPTY_OBJECT), context)).await
            }
        }
    }

    fn initialize(&self, request: &Request) -> Answer {
        if self.agreed().is_some() {
            return Err(ErrorObject::new(ErrorCode::INVALID_REQUEST, "initialize came a second time"));
        }
        let params: InitializeRequestParams = params(request)?;
        let config = &self.server.config;
        let asked = params.protocol_version.parse::<Revision>().ok();
        let served: Vec<_> = config.revisions.iter().filter(|revision| revision.era() == Era::Handshake).collect();
        let newest = served.last().copied().copied().unwrap_or(Revision::LATEST_HANDSHAKE);
        let revision = asked.filter(|asked| served.contains(&asked)).unwrap_or(newest);
        let declared = config.capabilities(&self.server.catalog(), revision);
        let mut result = json!({
            "protocolVersion": revision,
            "capabilities": declared,
            "serverInfo": revise::info(revision, config.info.clone()),
        });
        if let (Some(instructions), Some(members)) = (&config.instructions, result.as_object_mut()) {
            members.insert("instructions".to_owned(), json!(instructions));
        }
        self.agree(Agreed { revision, client: params.capabilities, declared });
        Ok(RawJson::from(result))
    }

    /// Whether the capability that a method needs was declared.
    fn allowed(&self, method: &str, revision: Revision) -> Result<(), ErrorObject> {
        if self.server.config.methods.contains_key(method) {
            return Ok(());
        }
        let capability = match method.split_once('/').map(|(area, _)| area) {
            Some("completion") if revision.has_completions_capability() => "completions",
            Some("completion") => return Ok(()),
            Some(area @ ("tools" | "resources" | "prompts" | "logging" | "tasks")) => area,
            _ => return Err(not_found(method)),
        };
        let subscribing = matches!(method, "resources/subscribe" | "resources/unsubscribe");
        if self.declared(capability) && (!subscribing || self.declares_subscribe()) {
            return Ok(());
        }
        Err(ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("{method} needs a capability that was not declared")))
    }

    fn declares_subscribe(&self) -> bool {
        self.agreed().is_some_and(|agreed| agreed.declared.pointer("/resources/subscribe") == Some(&json!(true)))
    }

    fn list_tools(&self, request: &Request, revision: Revision) -> Answer {
        let catalog = self.server.catalog();
        let (page, next) = self.page(request, &catalog.tools)?;
        let mut result =
            ListToolsResult::new(page.iter().map(|(tool, _)| revise::tool(revision, tool.clone())).collect::<Vec<_>>());
        result.next_cursor = next;
        to_raw(&result)
    }

    fn list_resources(&self, request: &Request, revision: Revision) -> Answer {
        let catalog = self.server.catalog();
        let (page, next) = self.page(request, &catalog.resources)?;
        let items = page.iter().map(|(resource, _)| revise::resource(revision, resource.clone()));
        let mut result = ListResourcesResult::new(items.collect::<Vec<_>>());
        result.next_cursor = next;
        to_raw(&result)
    }

    fn list_templates(&self, request: &Request, revision: Revision) -> Answer {
        let catalog = self.server.catalog();
        let (page, next) = self.page(request, &catalog.templates)?;
        let items = page.iter().map(|(template, _)| revise::template(revision, template.clone()));
        let mut result = ListResourceTemplatesResult::new(items.collect::<Vec<_>>());
        result.next_cursor = next;
        to_raw(&result)
    }

    fn list_prompts(&self, request: &Request, revision: Revision) -> Answer {
        let catalog = self.server.catalog();
        let (page, next) = self.page(request, &catalog.prompts)?;
        let items = page.iter().map(|(prompt, _)| revise::prompt(revision, prompt.clone()));
        let mut result = ListPromptsResult::new(items.collect::<Vec<_>>());
        result.next_cursor = next;
        to_raw(&result)
    }

    fn list_skills(&self, request: &Request) -> Answer {
        let catalog = self.server.catalog();
        let (page, next) = self.page(request, &catalog.skills)?;
        let mut result = ListSkillsResult::new(page);
        result.next_cursor = next;
        to_raw(&result)
    }

    /// The page that a request asks for, and the cursor of the next.
    pub(crate) fn page<'a, T>(
        &self,
        request: &Request,
        items: &'a [T],
    ) -> Result<(&'a [T], Option<String>), ErrorObject> {
        let params = match &request.params {
            Some(_) => params::<PaginatedRequestParams>(request)?,
            None => PaginatedRequestParams::new(),
        };
        let start = match &params.cursor {
            Some(cursor) => cursor
                .strip_prefix("after-")
                .and_then(|at| at.parse::<usize>().ok())
                .filter(|at| *at <= items.len())
                .ok_or_else(|| ErrorObject::new(ErrorCode::INVALID_PARAMS, "the cursor is none of this list"))?,
            None => 0,
        };
        let config = &self.server.config;
        let end = start.saturating_add(config.page_size).min(items.len());
        let page = items.get(start..end).unwrap_or_default();
        let next = if config.has_quirk(&Quirk::CursorLoop) {
            Some(format!("after-{start}"))
        } else {
            (end < items.len()).then(|| format!("after-{end}"))
        };
        Ok((page, next))
    }
}

pub(crate) fn params<T: DeserializeOwned>(request: &Request) -> Result<T, ErrorObject> {
    let params = request.params.clone().unwrap_or(RawJson::EMPTY_OBJECT);
    params.parse().map_err(|error| {
        ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("the parameters of {}: {error}", request.method))
    })
}

pub(crate) fn not_found(method: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("no method {method}"))
}

fn unknown(what: &str, name: &str) -> ErrorObject {
    ErrorObject::new(ErrorCode::INVALID_PARAMS, format!("Unknown {what}: {name}"))
}
