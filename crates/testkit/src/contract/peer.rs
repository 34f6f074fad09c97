//! The client's side of a check: just enough to speak through a transport.

use std::sync::atomic::{AtomicI64, Ordering};

use bowline_protocol::frame::{self, Message};
use bowline_protocol::{CallToolResult, ErrorObject, Payload, ProgressToken, RawJson, RequestId, ResultType};
use bowline_transport::{Exchange, Inbound, Limits, Routing, Transport, TransportError, WireMessage, WireRequest};
use serde_json::{Value, json};

use super::{Connector, ContractError, ensure};

pub(crate) struct Peer {
    pub(crate) transport: Box<dyn Transport>,
    next_id: AtomicI64,
}

impl Peer {
    /// Connects and shakes hands.
    pub(crate) async fn open(connector: Connector<'_>) -> Result<Self, ContractError> {
        Self::open_with(connector, Limits::default()).await
    }

    pub(crate) async fn open_with(connector: Connector<'_>, limits: Limits) -> Result<Self, ContractError> {
        Self::over(connector(limits).connect().await?).await
    }

    pub(crate) async fn over(transport: Box<dyn Transport>) -> Result<Self, ContractError> {
        let peer = Self { transport, next_id: AtomicI64::new(1) };
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "contract", "version": "1" },
        });
        let result =
            finish(peer.transport.request(peer.request("initialize", params).not_cancellable()).await?).await?;
        ensure!(result.is_ok(), "initialize was refused: {result:?}");
        let frame = frame::encode_notification("notifications/initialized", None, None);
        peer.transport.send(WireMessage::new(frame, Routing::new("notifications/initialized"))).await?;
        Ok(peer)
    }

    pub(crate) fn id(&self) -> RequestId {
        RequestId::from(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    /// A request, not yet sent.
    pub(crate) fn request(&self, method: &'static str, params: Value) -> WireRequest {
        let id = self.id();
        let frame = frame::encode_request(&id, method, Some(&RawJson::from(params)), None, None);
        WireRequest::new(id, frame, Routing::new(method))
    }

    /// A call of a tool, not yet sent.
    pub(crate) fn call_as(
        &self,
        id: &RequestId,
        tool: &str,
        arguments: &Value,
        token: Option<&ProgressToken>,
    ) -> WireRequest {
        let params = RawJson::from(json!({ "name": tool, "arguments": arguments }));
        let frame = frame::encode_request(id, "tools/call", Some(&params), token, None);
        let request = WireRequest::new(id.clone(), frame, Routing::new("tools/call").with_name(tool));
        match token {
            Some(token) => request.with_progress_token(token.clone()),
            None => request,
        }
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Exchange, TransportError> {
        self.transport.request(self.call_as(&self.id(), tool, &arguments, None)).await
    }

    /// Calls a tool and waits for its text.
    pub(crate) async fn text(&self, tool: &str, arguments: Value) -> Result<String, ContractError> {
        text(self.call(tool, arguments).await?).await
    }

    pub(crate) fn inbound(&self) -> Result<Inbound, ContractError> {
        self.transport.take_inbound().ok_or_else(|| ContractError::new("no inbound where none was taken yet"))
    }

    pub(crate) async fn close(&self) -> Result<(), ContractError> {
        Ok(self.transport.close().await?)
    }
}

/// Waits for the answer; nothing else may come before it.
pub(crate) async fn finish(mut exchange: Exchange) -> Result<Result<RawJson, ErrorObject>, ContractError> {
    let answer = match exchange.next().await {
        Some(Ok(Message::Response(response))) => response.outcome,
        other => return Err(ContractError::new(format!("an answer was due, but this came: {other:?}"))),
    };
    ensure!(exchange.next().await.is_none(), "something came after the answer");
    match answer.map(Payload::into_raw) {
        Ok(Ok(result)) => Ok(Ok(result)),
        Ok(Err(error)) => Err(ContractError::new(format!("the answer cannot be read: {error}"))),
        Err(error) => Ok(Err(error)),
    }
}

/// Waits for the answer of a tool and takes its text.
pub(crate) async fn text(exchange: Exchange) -> Result<String, ContractError> {
    let result =
        finish(exchange).await?.map_err(|error| ContractError::new(format!("the tool was refused: {error}")))?;
    let result =
        CallToolResult::decode(&result).map_err(|error| ContractError::new(format!("no result of a tool: {error}")))?;
    Ok(result.joined_text())
}

/// Waits for the error that ends an exchange.
pub(crate) async fn failure(mut exchange: Exchange) -> Result<TransportError, ContractError> {
    let error = match exchange.next().await {
        Some(Err(error)) => error,
        other => return Err(ContractError::new(format!("an error was due, but this came: {other:?}"))),
    };
    ensure!(exchange.next().await.is_none(), "something came after the error");
    Ok(error)
}
