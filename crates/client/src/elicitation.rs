//! Elicitation: what a server may ask, the handler's turn, and what of its answer leaves.
//!
//! Specification: client/elicitation.

use bowline_protocol::{ElicitAction, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, Revision, excerpt};
use bowline_protocol::{ErrorCode, ErrorObject};

use crate::asked::{Ask, invalid};
use crate::declared::ElicitationSupport;
use crate::form::{self, Form, FormError};
use crate::handlers::RequestContext;
use crate::serve::Handlers;

/// Whether a server may ask this. The error is the answer.
///
/// A form must be one that a person can be shown, and a URL one that may be opened: no handler sees others.
pub(crate) fn admit(
    params: ElicitRequestParams,
    support: ElicitationSupport,
    revision: Revision,
) -> Result<Ask, ErrorObject> {
    match &params {
        ElicitRequestParams::Form(_) if !support.form => {
            return Err(invalid("this client did not declare elicitation.form"));
        }
        ElicitRequestParams::Url(_) if !support.url => {
            return Err(invalid("this client did not declare elicitation.url"));
        }
        ElicitRequestParams::Form(form) => {
            let schema = &form.requested_schema;
            let fits = Form::new(schema).and_then(|_| form::check_revision(schema, revision));
            fits.map_err(|error| invalid(format!("requestedSchema: {error}")))?;
        }
        ElicitRequestParams::Url(url) => {
            if let Err(error) = url.visit() {
                tracing::warn!(%error, "refused a server's wish to have a url opened");
                return Err(invalid(format!("url: {error}")));
            }
        }
        _ => return Err(invalid("unknown elicitation mode")),
    }
    Ok(Ask::Elicit(Box::new(params)))
}

/// Asks the handler, and gives what of its answer may leave.
pub(crate) async fn run(
    handlers: &Handlers,
    asked: ElicitRequestParams,
    context: RequestContext,
) -> Result<ElicitResult, ErrorObject> {
    let none = || ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "elicitation is not supported by this client");
    let handler = handlers.elicitation.as_ref().ok_or_else(none)?;
    handlers.asks.admit()?;
    let id = match &asked {
        ElicitRequestParams::Url(url) => url.elicitation_id.clone(),
        _ => None,
    };
    let visit = id.as_deref().map(|id| handlers.asks.visits.open(id));
    let context = context.with_visit(visit);
    let ElicitRequestParams::Form(form) = asked else {
        let mut result = handler.elicit(asked, context).await?;
        // Specification: for a URL there is no content.
        result.content = None;
        if let Some(id) = id.filter(|_| result.action != ElicitAction::Accept) {
            handlers.asks.visits.forget(&id);
        }
        return Ok(result);
    };
    let result = handler.elicit(form.clone().into(), context).await?;
    Ok(check_form(&form, result, handler.fills_in_defaults()))
}

/// Content goes with accept alone, fits the requested schema, and has the defaults of what was left out.
fn check_form(form: &ElicitRequestFormParams, mut result: ElicitResult, defaults: bool) -> ElicitResult {
    if result.action != ElicitAction::Accept {
        result.content = None;
        return result;
    }
    let content = result.content.take().unwrap_or_default();
    let complete = Form::new(&form.requested_schema).and_then(|form| form.complete(content, defaults));
    match complete {
        Ok(content) => result.content = Some(content),
        Err(error) => {
            // Invalid content never leaves. To the server it is as if the user had closed the form.
            trace_misfit(&error);
            return ElicitResult::cancel();
        }
    }
    result
}

/// Without the value, which may be private.
fn trace_misfit(error: &FormError) {
    let problem = excerpt(&error.to_string(), 300);
    tracing::error!(%problem, "the elicitation handler accepted with content that does not fit the form; cancelled instead");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn form(schema: &Value) -> ElicitRequestFormParams {
        serde_json::from_value(json!({"message": "m", "requestedSchema": schema})).unwrap()
    }

    fn answer(schema: &Value, result: ElicitResult) -> Value {
        serde_json::to_value(check_form(&form(schema), result, true)).unwrap()
    }

    #[test]
    fn case_elicitation_001_content_is_checked_for_accept_alone() {
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
        let answer = |result| answer(&schema, result);
        assert_eq!(answer(ElicitResult::cancel()), json!({"action": "cancel"}));
        assert_eq!(answer(ElicitResult::decline()), json!({"action": "decline"}));
        let named = ElicitResult::accept([("name", "x".into())]);
        assert_eq!(answer(named), json!({"action": "accept", "content": {"name": "x"}}));
        assert_eq!(answer(ElicitResult::accept([("name", 7.into())])), json!({"action": "cancel"}));
        assert_eq!(answer(ElicitResult::accept_url()), json!({"action": "cancel"}));
    }

    #[test]
    fn d_08_an_accept_without_content_is_one_with_the_defaults() {
        let schema =
            json!({"type": "object", "properties": {"n": {"type": "integer", "default": 30}, "s": {"type": "string"}}});
        let filled = answer(&schema, ElicitResult::accept_url());
        assert_eq!(filled, json!({"action": "accept", "content": {"n": 30}}));
        let kept = serde_json::to_value(check_form(&form(&schema), ElicitResult::accept_url(), false)).unwrap();
        assert_eq!(kept, json!({"action": "accept", "content": {}}));
    }

    fn admitted(params: Value, revision: Revision) -> Result<Ask, ErrorObject> {
        admit(serde_json::from_value(params).unwrap(), ElicitationSupport::default().with_url(), revision)
    }

    #[test]
    fn d_07_a_form_outside_the_subset_is_refused_by_the_name_of_its_field() {
        let nested =
            json!({"message": "m", "requestedSchema": {"type": "object", "properties": {"home": {"type": "object"}}}});
        for revision in [Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28] {
            let error = admitted(nested.clone(), revision).unwrap_err();
            assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
            assert_eq!(error.message, "requestedSchema: field \"home\" is an object, which a form cannot have");
        }
        let several = json!({"message": "m", "requestedSchema": {"properties": {"c": {"type": "array", "items": {"enum": ["a"]}}}}});
        assert!(admitted(several.clone(), Revision::V2025_11_25).is_ok());
        assert!(admitted(several, Revision::V2025_06_18).unwrap_err().message.contains("2025-06-18"));
    }

    #[test]
    fn se_06_a_url_that_may_not_be_opened_is_refused_before_any_handler_sees_it() {
        let url = |url: &str| {
            let params = json!({"mode": "url", "message": "m", "elicitationId": "e", "url": url});
            admitted(params, Revision::V2025_11_25)
        };
        assert!(url("https://x.example/a?b=1&c=2").is_ok());
        for bad in
            ["javascript:alert(1)", "file:///x", "http://x.example/", "https://x.example/`id`", "https://x/\nb", ""]
        {
            let error = url(bad).unwrap_err();
            assert_eq!(error.code, ErrorCode::INVALID_PARAMS, "{bad}");
            assert!(error.message.starts_with("url: "), "{}", error.message);
        }
    }
}
