//! Arguments that are mirrored into headers, and the second try where the server wants others.
//!
//! Specification: 2026-07-28, basic/transports/streamable-http, client behavior.

use std::collections::HashSet;

use bowline_protocol::{ErrorCode, ListToolsResult, method};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Call, Deadline};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::pages::page_call;

/// How many pages are read in search of one tool.
const MAX_PAGES: usize = 1000;

impl Call {
    /// The arguments that the server wants to see in headers, as far as the tool was ever listed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where an argument has no form for a header.
    pub(super) fn mirrored(&mut self, connection: &Connection) -> Result<Vec<(String, String)>, Error> {
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow)]
            arguments: Option<&'a RawValue>,
        }

        if self.method != method::TOOLS_CALL || !connection.mirrors_arguments() {
            return Ok(Vec::new());
        }
        self.mirrors = self.name.as_deref().and_then(|tool| connection.kept.tools().mirrors.of(tool));
        let params = self.round.as_ref().or(self.params.as_ref());
        let (Some(mirrors), Some(params)) = (&self.mirrors, params) else { return Ok(Vec::new()) };
        let bad = |what: String| Error::new(ErrorKind::Config, what);
        let params: Params<'_> =
            serde_json::from_str(params.as_str()).map_err(|e| bad(format!("the parameters cannot be read: {e}")))?;
        let Some(arguments) = params.arguments else { return Ok(Vec::new()) };
        mirrors.read(&arguments.to_owned().into()).map_err(|error| bad(error.to_string()))
    }

    /// After a refusal for the sake of headers, lists the tools again and tells whether others are due now.
    ///
    /// Once a call. Trying again is safe: such a refusal comes before anything is carried out.
    pub(super) async fn mirrors_others(
        &mut self,
        refusal: &Error,
        connection: &Connection,
        deadline: &mut Deadline,
    ) -> bool {
        let is_due = refusal.code() == Some(ErrorCode::HEADER_MISMATCH)
            && self.method == method::TOOLS_CALL
            && connection.mirrors_arguments();
        let Some(tool) = self.name.clone().filter(|_| is_due && !self.listed_again) else { return false };
        self.listed_again = true;
        tracing::debug!(%refusal, "the server wants other headers; listing its tools again");
        match list_again(&tool, connection, deadline).await {
            Ok(is_listed) => is_listed && connection.kept.tools().mirrors.of(&tool) != self.mirrors,
            Err(error) => {
                tracing::debug!(%error, "the tools could not be listed again");
                false
            }
        }
    }
}

/// Lists the tools up to the one that is wanted; tells whether it is there, with annotations that are valid.
async fn list_again(tool: &str, connection: &Connection, deadline: &mut Deadline) -> Result<bool, Error> {
    connection.kept.forget(method::TOOLS_LIST);
    let mut cursor: Option<String> = None;
    let mut seen = HashSet::new();
    for _ in 0..MAX_PAGES {
        let mut call = page_call(method::TOOLS_LIST, cursor.as_deref())?;
        let page = Box::pin(call.exchange(connection, deadline)).await?;
        let decoded = connection.reading(method::TOOLS_LIST, || page.decode());
        let mut page: ListToolsResult = decoded.map_err(|error| Error::shape(&error))?;
        let is_there = |page: &ListToolsResult| page.tools.iter().any(|listed| listed.name == tool);
        let found = is_there(&page);
        // Never as the first page of a list: what is known of tools on pages that are not read again stays.
        connection.kept.listed(&mut page, false, connection);
        if found {
            return Ok(is_there(&page));
        }
        match page.next_cursor {
            Some(next) if seen.insert(next.clone()) => cursor = Some(next),
            _ => break,
        }
    }
    Ok(false)
}
