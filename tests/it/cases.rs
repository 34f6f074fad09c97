//! Behaviours that users of MCP clients missed, one test a case, named after its id: the client's part.
//!
//! What concerns one room alone is tested there: stdio-013, -015 and -016 in `bowline-stdio`, cli-… in `bowline-cli`,
//! hub-001, -004, -006, -007, -008 and -009 in `bowline-hub`.
//! These wait for the room that they belong to:
//!
//! | case | room |
//! |---|---|
//! | tools-005, tools-007, tools-008: the part about validation | validation of structured content |
//! | tools-011, tools-020, resources-009: the part about caches | lists that keep themselves fresh |
//! | prompts-002, resources-001: the part about models | models |
//! | lifecycle-003, lifecycle-005, jsonrpc-015, jsonrpc-020: the part about HTTP | HTTP transport |
//! | lifecycle-010, resources-005, elicitation-005 | revision 2026-07-28 |
//! | prompts-004 | command line |
//! | http-025, http-026: the part about retries | resilience layers |
//! | http-027: the part about OAuth | authorization |
//!
//! Cases of authorization, security-004 and security-011 are in `auth`; security-008 is in `bowline-guard`.
//!
//! Cases of HTTP that concern the transport alone are tested in `bowline-http`, `-sse`, `-websocket` and `-tls`.

mod elicitation;
mod http;
mod jsonrpc;
mod lifecycle;
mod prompts;
mod resources;
mod sampling;
mod stdio;
mod tools;
