//! How each host writes variables.

use super::VariableSource::{self, Command, Environment, File, Input, Keyring};

/// Which forms of variables a host has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grammar {
    /// `${VAR}`.
    pub(super) env: bool,
    /// `${VAR:-default}`.
    pub(super) default: bool,
    /// `${kind:name}`.
    pub(super) kinds: &'static [(&'static str, VariableSource)],
    /// `${workspaceFolder}` and its like.
    pub(super) named: &'static [&'static str],
    /// `$VAR`.
    pub(super) bare: bool,
    /// `%VAR%`, on Windows.
    pub(super) percent: bool,
    /// `$env:VAR`.
    pub(super) dollar_env: bool,
    /// `{env:VAR}` and `{file:path}`.
    pub(super) braces: bool,
    /// `${env://VAR}`.
    pub(super) slashes: bool,
    /// `${{ secrets.NAME }}`.
    pub(super) secrets: bool,
    /// `{{NAME}}`, told with each request.
    pub(super) request: bool,
    /// `$${VAR}` for a text that looks like a variable, and `~/` for the home folder.
    pub(super) native: bool,
}

const ENV: (&str, VariableSource) = ("env", Environment);
const EDITOR: &[&str] =
    &["workspaceFolder", "workspaceFolderBasename", "workspaceRoot", "userHome", "pathSeparator", "/", "cwd"];

impl Grammar {
    pub(crate) const NONE: Self = Self {
        env: false,
        default: false,
        kinds: &[],
        named: &[],
        bare: false,
        percent: false,
        dollar_env: false,
        braces: false,
        slashes: false,
        secrets: false,
        request: false,
        native: false,
    };
    /// bowline's own.
    pub(crate) const NATIVE: Self = Self {
        env: true,
        default: true,
        kinds: &[ENV, ("file", File), ("input", Input), ("keyring", Keyring), ("cmd", Command)],
        named: EDITOR,
        native: true,
        ..Self::NONE
    };
    /// Claude Code, Copilot CLI.
    pub(crate) const CLAUDE_CODE: Self = Self { env: true, default: true, ..Self::NONE };
    pub(crate) const CURSOR: Self = Self { kinds: &[ENV], named: EDITOR, ..Self::NONE };
    pub(crate) const VSCODE: Self = Self { kinds: &[ENV, ("input", Input)], named: EDITOR, ..Self::NONE };
    pub(crate) const WINDSURF: Self = Self { kinds: &[ENV, ("file", File)], ..Self::NONE };
    /// Roo, Cline, Amazon Q.
    pub(crate) const ENV_PREFIX: Self = Self { kinds: &[ENV], named: EDITOR, ..Self::NONE };
    pub(crate) const SHELL: Self = Self { env: true, bare: true, ..Self::NONE };
    pub(crate) const GEMINI: Self = Self { env: true, default: true, bare: true, percent: true, ..Self::NONE };
    pub(crate) const CONTINUE: Self = Self { secrets: true, ..Self::NONE };
    pub(crate) const LIBRECHAT: Self = Self { env: true, request: true, ..Self::NONE };
    pub(crate) const OPENCODE: Self = Self { braces: true, ..Self::NONE };
    pub(crate) const MCPORTER: Self = Self { env: true, default: true, dollar_env: true, ..Self::NONE };
    pub(crate) const MCPHOST: Self = Self { slashes: true, default: true, ..Self::NONE };

    /// How a variable of the environment is written, if it can be.
    pub(crate) fn write_env(&self, name: &str, default: Option<&str>) -> Option<String> {
        match default {
            Some(_) if !self.default => None,
            Some(default) if self.slashes => Some(format!("${{env://{name}:-{default}}}")),
            Some(default) if self.env => Some(format!("${{{name}:-{default}}}")),
            Some(_) => None,
            None if self.env => Some(format!("${{{name}}}")),
            None if self.kinds.contains(&ENV) => Some(format!("${{env:{name}}}")),
            None if self.braces => Some(format!("{{env:{name}}}")),
            None if self.slashes => Some(format!("${{env://{name}}}")),
            None if self.secrets => Some(format!("${{{{ secrets.{name} }}}}")),
            None => None,
        }
    }

    /// Words that are no variable, written so that they are none here either, where that can be done.
    pub(crate) fn escape(&self, words: &str) -> String {
        if self.native { words.replace("${", "$${") } else { words.to_owned() }
    }

    /// How a variable that comes from elsewhere is written, if it can be.
    pub(crate) fn write_kind(&self, source: VariableSource, name: &str) -> Option<String> {
        if source == VariableSource::Host {
            return self.named.contains(&name).then(|| format!("${{{name}}}"));
        }
        if source == File && self.braces {
            return Some(format!("{{file:{name}}}"));
        }
        let (prefix, _) = self.kinds.iter().find(|(_, kind)| *kind == source)?;
        Some(format!("${{{prefix}:{name}}}"))
    }
}
