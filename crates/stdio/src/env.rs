//! What of the parent's environment a server gets.

use std::ffi::{OsStr, OsString};

/// How much of this process's environment a server inherits.
///
/// Servers are other people's programs, and an environment is where keys and tokens live. So only what a program
/// needs to run is passed by default; what a server needs beyond that is given with `StdioConnect::env`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum InheritEnv {
    /// The variables that programs need to run at all, none of which usually holds a secret.
    ///
    /// Unix: `HOME`, `LOGNAME`, `PATH`, `SHELL`, `TERM`, `USER` as the official SDKs; `LANG`, `LANGUAGE`, `LC_*` and
    /// `TZ`, so that text and times come out as the person expects; `TMPDIR` and `XDG_*`, where `npx`, `uvx` and
    /// servers keep caches and settings; `SSL_CERT_FILE`, `SSL_CERT_DIR` and `NODE_EXTRA_CA_CERTS`, without which
    /// nothing can be fetched behind a company's proxy. Proxy variables are left out: their URLs may hold passwords.
    ///
    /// Windows, whatever the case: `APPDATA`, `COMSPEC`, `HOMEDRIVE`, `HOMEPATH`, `LOCALAPPDATA`,
    /// `NUMBER_OF_PROCESSORS`, `OS`, `PATH`, `PATHEXT`, `PROCESSOR_ARCHITECTURE`, `PROGRAMDATA`, `PROGRAMFILES`,
    /// `PROGRAMFILES(X86)`, `PROGRAMW6432`, `SYSTEMDRIVE`, `SYSTEMROOT`, `TEMP`, `TMP`, `USERNAME`, `USERPROFILE`,
    /// `WINDIR`, and the three for certificates.
    #[default]
    SafeList,
    /// Everything.
    All,
    /// Nothing: the server sees what is set for it and no more, not even `PATH`.
    None,
}

/// How the names of variables compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are the two kinds of systems that Rust runs processes on")]
pub enum EnvRules {
    /// `Path` and `PATH` are two variables.
    Unix,
    /// `Path` and `PATH` are one variable.
    Windows,
}

const UNIX: &[&str] = &["HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"];
const UNIX_PREFIXES: &[&str] = &["LC_", "XDG_"];
const WINDOWS: &[&str] = &[
    "APPDATA",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATH",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PROGRAMW6432",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
    "WINDIR",
];
const CERTIFICATES: &[&str] = &["NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR", "SSL_CERT_FILE"];

impl EnvRules {
    pub(crate) const CURRENT: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };

    pub(crate) fn same(self, a: &OsStr, b: &OsStr) -> bool {
        match self {
            Self::Unix => a == b,
            Self::Windows => a.eq_ignore_ascii_case(b),
        }
    }

    fn is_safe(self, name: &OsStr) -> bool {
        let among = |list: &[&str]| list.iter().any(|safe| self.same(name, OsStr::new(safe)));
        let own = match self {
            Self::Unix => {
                among(UNIX)
                    || name.to_str().is_some_and(|name| UNIX_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
            }
            Self::Windows => among(WINDOWS),
        };
        own || among(CERTIFICATES)
    }
}

/// Builds the environment of a server.
///
/// `parent` is what may be inherited, as far as `mode` says. `changes` are applied in order: a value sets, `None`
/// removes. No variable comes out twice; on Windows a change counts whatever its case.
///
/// ```
/// use bowline_stdio::{EnvRules, InheritEnv, child_env};
///
/// let parent = [("PATH".into(), "/bin".into()), ("API_KEY".into(), "secret".into())];
/// let changes = [("K".into(), Some("v".into()))];
/// let env = child_env(parent, changes, InheritEnv::SafeList, EnvRules::Unix);
/// assert_eq!(env, [("PATH".into(), "/bin".into()), ("K".into(), "v".into())]);
/// ```
pub fn child_env(
    parent: impl IntoIterator<Item = (OsString, OsString)>,
    changes: impl IntoIterator<Item = (OsString, Option<OsString>)>,
    mode: InheritEnv,
    rules: EnvRules,
) -> Vec<(OsString, OsString)> {
    let inherited = parent.into_iter().filter(|(name, value)| match mode {
        // A value that begins so is a function that bash exported: code, not data.
        InheritEnv::SafeList => rules.is_safe(name) && !value.as_encoded_bytes().starts_with(b"()"),
        InheritEnv::All => true,
        InheritEnv::None => false,
    });
    let mut env: Vec<(OsString, OsString)> = Vec::new();
    for (name, value) in inherited.map(|(name, value)| (name, Some(value))).chain(changes) {
        env.retain(|(present, _)| !rules.same(present, &name));
        if let Some(value) = value {
            env.push((name, value));
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        list.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn sets(list: &[(&str, &str)]) -> Vec<(OsString, Option<OsString>)> {
        list.iter().map(|(name, value)| (name.into(), Some(value.into()))).collect()
    }

    #[test]
    fn case_stdio_015_own_variables_are_added_to_the_default_ones() {
        let parent = pairs(&[("PATH", "/bin"), ("HOME", "/h"), ("AWS_SECRET_ACCESS_KEY", "s")]);
        let own = sets(&[("K", "v")]);
        assert_eq!(
            child_env(parent.clone(), own.clone(), InheritEnv::SafeList, EnvRules::Unix),
            pairs(&[("PATH", "/bin"), ("HOME", "/h"), ("K", "v")])
        );
        assert_eq!(child_env(parent, own, InheritEnv::None, EnvRules::Unix), pairs(&[("K", "v")]));
    }

    #[test]
    fn case_stdio_016_windows_variables_are_passed_once_whatever_their_case() {
        let parent = pairs(&[
            ("Path", "p"),
            ("PATHEXT", ".EXE;.CMD"),
            ("ComSpec", "c"),
            ("SystemRoot", "s"),
            ("windir", "w"),
            ("ProgramData", "d"),
            ("ProgramFiles", "f"),
            ("ProgramFiles(x86)", "f86"),
            ("APPDATA", "a"),
            ("LOCALAPPDATA", "l"),
            ("TEMP", "t"),
            ("TMP", "t"),
        ]);
        assert_eq!(child_env(parent.clone(), [], InheritEnv::SafeList, EnvRules::Windows), parent);

        let env = child_env(parent, sets(&[("PATH", "mine"), ("temp", "x")]), InheritEnv::SafeList, EnvRules::Windows);
        let of = |wanted: &str| -> Vec<&OsString> {
            env.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value).collect()
        };
        assert_eq!(of("path"), ["mine"]);
        assert_eq!(of("TEMP"), ["x"]);
        assert_eq!(env.len(), 12);
    }

    #[test]
    fn functions_that_bash_exported_are_left_out() {
        let parent = pairs(&[("TERM", "() { :; }; evil"), ("LC_ALL", "C"), ("XDG_CACHE_HOME", "/c")]);
        let env = child_env(parent, [], InheritEnv::SafeList, EnvRules::Unix);
        assert_eq!(env, pairs(&[("LC_ALL", "C"), ("XDG_CACHE_HOME", "/c")]));
    }

    #[test]
    fn the_last_change_of_a_variable_counts_and_may_remove_it() {
        let changes = vec![("A".into(), Some("1".into())), ("A".into(), Some("2".into())), ("PATH".into(), None)];
        let env = child_env(pairs(&[("PATH", "/bin")]), changes, InheritEnv::All, EnvRules::Unix);
        assert_eq!(env, pairs(&[("A", "2")]));
    }
}
