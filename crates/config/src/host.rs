//! The hosts, and what is special about the files of each.

use std::fmt;
use std::str::FromStr;

use crate::template::Grammar;
use crate::tree::Syntax;

/// A program that has MCP servers in a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Host {
    /// bowline's own file, `bowline.toml`.
    Bowline,
    /// Claude Code.
    ClaudeCode,
    /// Claude Desktop.
    ClaudeDesktop,
    /// Cursor.
    Cursor,
    /// VS Code, its Copilot Chat included.
    VsCode,
    /// A development container, as VS Code reads it.
    DevContainer,
    /// Windsurf.
    Windsurf,
    /// Cline in an editor.
    Cline,
    /// Cline on the command line.
    ClineCli,
    /// Roo Code.
    Roo,
    /// Kilo Code.
    Kilo,
    /// Zed.
    Zed,
    /// Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Goose.
    Goose,
    /// Continue.
    Continue,
    /// LibreChat.
    LibreChat,
    /// opencode, version 1.
    OpenCode,
    /// opencode, version 2.
    OpenCode2,
    /// JetBrains AI Assistant, whose servers are pasted as JSON.
    JetBrainsAi,
    /// JetBrains Junie.
    Junie,
    /// Amazon Q on the command line.
    AmazonQ,
    /// Amazon Q in an editor.
    AmazonQIde,
    /// Kiro.
    Kiro,
    /// GitHub Copilot CLI.
    CopilotCli,
    /// mcporter.
    Mcporter,
    /// mcphost.
    McpHost,
    /// FastMCP.
    FastMcp,
    /// Tabnine.
    Tabnine,
    /// A file of the common shape that belongs to no host that is known, such as `$XDG_CONFIG_HOME/mcp/mcp.json`.
    Generic,
}

/// What counts a host's timeouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
}

/// What a URL without a type means to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untyped {
    /// Streamable HTTP, then HTTP+SSE.
    HttpFirst,
    /// HTTP+SSE, then Streamable HTTP.
    SseFirst,
    /// The host refuses it; it is tried all the same, with a warning.
    Refused,
}

/// How a host switches a server off in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    Disabled,
    Enabled,
    None,
}

/// What is special about the files of a host.
pub(crate) struct Facts {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// The syntax where the name of the file does not say it.
    pub(crate) syntax: Syntax,
    /// Where the servers are: the first of these paths that the file has. New ones are written to the first.
    pub(crate) tops: &'static [&'static [&'static str]],
    pub(crate) grammar: Grammar,
    pub(crate) unit: Unit,
    pub(crate) untyped: Untyped,
    pub(crate) switch: Switch,
}

const MCP_SERVERS: &[&[&str]] = &[&["mcpServers"]];

const COMMON: Facts = Facts {
    id: "generic",
    title: "a file of the common shape",
    syntax: Syntax::Jsonc,
    tops: &[&["mcpServers"], &["servers"], &["mcp_servers"], &[]],
    grammar: Grammar::NATIVE,
    unit: Unit::Milliseconds,
    untyped: Untyped::HttpFirst,
    switch: Switch::Disabled,
};

const JSON: Facts = Facts { syntax: Syntax::Json, tops: MCP_SERVERS, grammar: Grammar::NONE, ..COMMON };

impl Host {
    /// All of them, bowline's own first, in the order in which their files are read.
    pub const ALL: &'static [Self] = &[
        Self::Bowline,
        Self::ClaudeCode,
        Self::ClaudeDesktop,
        Self::Cursor,
        Self::VsCode,
        Self::DevContainer,
        Self::Windsurf,
        Self::Cline,
        Self::ClineCli,
        Self::Roo,
        Self::Kilo,
        Self::Zed,
        Self::Codex,
        Self::Gemini,
        Self::Goose,
        Self::Continue,
        Self::LibreChat,
        Self::OpenCode,
        Self::OpenCode2,
        Self::JetBrainsAi,
        Self::Junie,
        Self::AmazonQ,
        Self::AmazonQIde,
        Self::Kiro,
        Self::CopilotCli,
        Self::Mcporter,
        Self::McpHost,
        Self::FastMcp,
        Self::Tabnine,
        Self::Generic,
    ];

    /// The word for it on a command line: `claude-code`, `vscode`.
    pub const fn id(self) -> &'static str {
        self.facts().id
    }

    /// Its name as people write it.
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    /// One table, a row a host.
    pub(crate) const fn facts(self) -> &'static Facts {
        match self {
            Self::Bowline => &Facts {
                id: "bowline",
                title: "bowline",
                syntax: Syntax::Toml,
                tops: &[&["servers"]],
                unit: Unit::Seconds,
                switch: Switch::Enabled,
                ..COMMON
            },
            Self::ClaudeCode => &Facts {
                id: "claude-code",
                title: "Claude Code",
                grammar: Grammar::CLAUDE_CODE,
                switch: Switch::None,
                ..JSON
            },
            Self::ClaudeDesktop => {
                &Facts { id: "claude-desktop", title: "Claude Desktop", switch: Switch::None, ..JSON }
            }
            Self::Cursor => {
                &Facts { id: "cursor", title: "Cursor", grammar: Grammar::CURSOR, switch: Switch::None, ..JSON }
            }
            Self::VsCode => &Facts {
                id: "vscode",
                title: "VS Code",
                syntax: Syntax::Jsonc,
                tops: &[&["servers"], &["mcp", "servers"]],
                grammar: Grammar::VSCODE,
                switch: Switch::None,
                ..COMMON
            },
            Self::DevContainer => &Facts {
                id: "devcontainer",
                title: "a dev container",
                syntax: Syntax::Jsonc,
                tops: &[&["customizations", "vscode", "mcp", "servers"]],
                grammar: Grammar::VSCODE,
                switch: Switch::None,
                ..COMMON
            },
            Self::Windsurf => &Facts { id: "windsurf", title: "Windsurf", grammar: Grammar::WINDSURF, ..JSON },
            Self::Cline => &Facts {
                id: "cline",
                title: "Cline",
                grammar: Grammar::ENV_PREFIX,
                unit: Unit::Seconds,
                untyped: Untyped::SseFirst,
                ..JSON
            },
            Self::ClineCli => &Facts {
                id: "cline-cli",
                title: "Cline CLI",
                grammar: Grammar::ENV_PREFIX,
                unit: Unit::Seconds,
                untyped: Untyped::SseFirst,
                ..JSON
            },
            Self::Roo => &Facts {
                id: "roo",
                title: "Roo Code",
                grammar: Grammar::ENV_PREFIX,
                unit: Unit::Seconds,
                untyped: Untyped::Refused,
                ..JSON
            },
            Self::Kilo => &Facts {
                id: "kilo",
                title: "Kilo Code",
                grammar: Grammar::ENV_PREFIX,
                unit: Unit::Seconds,
                untyped: Untyped::Refused,
                ..JSON
            },
            Self::Zed => &Facts {
                id: "zed",
                title: "Zed",
                syntax: Syntax::Jsonc,
                tops: &[&["context_servers"]],
                grammar: Grammar::NONE,
                unit: Unit::Seconds,
                switch: Switch::Enabled,
                ..COMMON
            },
            Self::Codex => &Facts {
                id: "codex",
                title: "Codex",
                syntax: Syntax::Toml,
                tops: &[&["mcp_servers"]],
                grammar: Grammar::NONE,
                unit: Unit::Seconds,
                switch: Switch::Enabled,
                ..COMMON
            },
            Self::Gemini => {
                &Facts { id: "gemini", title: "Gemini CLI", grammar: Grammar::GEMINI, switch: Switch::None, ..JSON }
            }
            Self::Goose => &Facts {
                id: "goose",
                title: "Goose",
                syntax: Syntax::Yaml,
                tops: &[&["extensions"]],
                grammar: Grammar::SHELL,
                unit: Unit::Seconds,
                switch: Switch::Enabled,
                ..COMMON
            },
            Self::Continue => &Facts {
                id: "continue",
                title: "Continue",
                syntax: Syntax::Yaml,
                tops: MCP_SERVERS,
                grammar: Grammar::CONTINUE,
                switch: Switch::None,
                ..COMMON
            },
            Self::LibreChat => &Facts {
                id: "librechat",
                title: "LibreChat",
                syntax: Syntax::Yaml,
                tops: MCP_SERVERS,
                grammar: Grammar::LIBRECHAT,
                switch: Switch::None,
                ..COMMON
            },
            Self::OpenCode => &Facts {
                id: "opencode",
                title: "opencode",
                syntax: Syntax::Jsonc,
                tops: &[&["mcp"]],
                grammar: Grammar::OPENCODE,
                switch: Switch::Enabled,
                ..COMMON
            },
            Self::OpenCode2 => &Facts {
                id: "opencode2",
                title: "opencode 2",
                syntax: Syntax::Jsonc,
                tops: &[&["mcp", "servers"]],
                grammar: Grammar::OPENCODE,
                ..COMMON
            },
            Self::JetBrainsAi => {
                &Facts { id: "jetbrains-ai", title: "JetBrains AI Assistant", switch: Switch::None, ..JSON }
            }
            Self::Junie => &Facts { id: "junie", title: "Junie", switch: Switch::None, ..JSON },
            Self::AmazonQ => &Facts { id: "amazonq", title: "Amazon Q", grammar: Grammar::ENV_PREFIX, ..JSON },
            Self::AmazonQIde => {
                &Facts { id: "amazonq-ide", title: "Amazon Q IDE", grammar: Grammar::ENV_PREFIX, ..JSON }
            }
            Self::Kiro => &Facts { id: "kiro", title: "Kiro", grammar: Grammar::CLAUDE_CODE, ..JSON },
            Self::CopilotCli => &Facts {
                id: "copilot-cli",
                title: "Copilot CLI",
                grammar: Grammar::CLAUDE_CODE,
                switch: Switch::None,
                ..JSON
            },
            Self::Mcporter => &Facts {
                id: "mcporter",
                title: "mcporter",
                tops: MCP_SERVERS,
                grammar: Grammar::MCPORTER,
                switch: Switch::None,
                ..COMMON
            },
            Self::McpHost => &Facts {
                id: "mcphost",
                title: "mcphost",
                tops: MCP_SERVERS,
                grammar: Grammar::MCPHOST,
                switch: Switch::None,
                ..COMMON
            },
            Self::FastMcp => &Facts { id: "fastmcp", title: "FastMCP", switch: Switch::None, ..JSON },
            Self::Tabnine => {
                &Facts { id: "tabnine", title: "Tabnine", grammar: Grammar::GEMINI, switch: Switch::None, ..JSON }
            }
            Self::Generic => &COMMON,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// No host is called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no host is called `{given}`; there are {}", known())]
pub struct UnknownHost {
    given: String,
}

fn known() -> String {
    Host::ALL.iter().map(|host| host.id()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Host {
    type Err = UnknownHost;

    fn from_str(text: &str) -> Result<Self, UnknownHost> {
        let found = Self::ALL.iter().find(|host| host.id() == text);
        found.copied().ok_or_else(|| UnknownHost { given: crate::problem::shown(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_is_found_by_its_word() {
        for host in Host::ALL {
            assert_eq!(host.id().parse(), Ok(*host));
        }
        let error = "claude".parse::<Host>().unwrap_err().to_string();
        assert!(error.contains("`claude`") && error.contains("claude-code"), "{error}");
    }
}
