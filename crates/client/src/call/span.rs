//! What the span of a call is told while the call runs.
//!
//! The names are those of OpenTelemetry's conventions for MCP. A span has the fields that whoever made it wants told;
//! others are passed over, so a layer decides what is recorded, and a call without a span costs a look for one.

use bowline_protocol::RequestId;
use bowline_transport::{Connect, WireRequest};
use tracing::Span;
use tracing::field::display;

use crate::connection::Connection;

/// Tells what the server is reached by.
pub(super) fn tell_way(connector: &dyn Connect) {
    let span = Span::current();
    if !span.has_field("network.transport") {
        return;
    }
    let Some(network) = connector.network() else { return };
    span.record("network.transport", network.transport);
    span.record("network.protocol.name", network.protocol);
    span.record("server.address", network.address);
    span.record("server.port", network.port);
}

/// Tells what is known of a request once it is about to leave. Of several attempts the last one counts.
pub(super) fn tell_request(request: &WireRequest, connection: &Connection) {
    let span = Span::current();
    if span.has_field("jsonrpc.request.id") {
        match &request.id {
            RequestId::Number(id) => span.record("jsonrpc.request.id", display(id)),
            RequestId::String(id) => span.record("jsonrpc.request.id", &**id),
        };
    }
    if span.has_field("mcp.protocol.version")
        && let Some(server) = connection.server()
    {
        span.record("mcp.protocol.version", display(server.revision));
    }
    if span.has_field("mcp.session.id")
        && let Some(id) = connection.transport.session_id()
    {
        span.record("mcp.session.id", &*id);
    }
}
