//! The pinned servers.

/// A published server.
pub struct Server {
    /// Its short name: its folder, and the start of its scenario's name.
    pub name: &'static str,
    /// Where its packages come from.
    pub registry: Registry,
    /// What is installed, each with its version.
    pub pins: &'static [&'static str],
}

/// A package registry, and with it the program that the server runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// Node.js.
    Npm,
    /// Python.
    Pypi,
}

/// What each adds: every SDK generation, both languages, the oldest revision, noise on stdout, WebSocket.
pub const ALL: &[Server] = &[
    // Every feature of 2025-11-25.
    npm("everything", &["@modelcontextprotocol/server-everything@2026.8.31"]),
    // Asks for the roots as soon as it is initialized.
    npm("filesystem", &["@modelcontextprotocol/server-filesystem@2026.8.31"]),
    // State, and a resource without templates.
    npm("memory", &["@modelcontextprotocol/server-memory@2026.8.31"]),
    // Plain text on stdout.
    npm("code-runner", &["mcp-server-code-runner@0.1.8"]),
    // TypeScript SDK 2; a long tool list.
    npm("mongodb", &["mongodb-mcp-server@3.0.4"]),
    // Revision 2024-11-05.
    npm("github", &["@modelcontextprotocol/server-github@2025.4.8"]),
    // Python SDK 2.
    pypi("git", &["mcp-server-git==2026.10.19"]),
    pypi("time", &["mcp-server-time==2026.10.19"]),
    // Templates and prompts; the server itself is tests/servers/demo.py.
    pypi("fastmcp", &["fastmcp==4.2.3"]),
    // Python SDK 1, which it does not ask for by itself.
    pypi("sqlite", &["mcp-server-sqlite==2025.4.25", "mcp<2"]),
    // WebSocket, which that SDK has and later ones have not; the server itself is tests/servers/websocket.py.
    pypi("python-websocket", &["mcp==1.30.0", "starlette==1.10.0", "uvicorn==0.54.0", "websockets==17.4"]),
];

const fn npm(name: &'static str, pins: &'static [&'static str]) -> Server {
    Server { name, registry: Registry::Npm, pins }
}

const fn pypi(name: &'static str, pins: &'static [&'static str]) -> Server {
    Server { name, registry: Registry::Pypi, pins }
}
