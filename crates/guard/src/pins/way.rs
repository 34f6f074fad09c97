//! What names the way to a server.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bowline_protocol::hex;
use sha2::{Digest as _, Sha256};

use crate::secrets::{Named, Secrets};

/// How many characters of the hash stand in the text.
const SUM: usize = 12;

/// What names the way to a server, for its pins: its command line or address, and what else decides on which program
/// answers. Its text is for [`GuardLayer::identity`](crate::GuardLayer::identity).
///
/// Of variables of the environment there are the names, and one hash of all values. A value whose variable's name says that
/// it is a secret is no part of it, nor is what has the form of one in the others, so that it may be exchanged.
///
/// ```
/// use bowline_guard::Way;
///
/// let way = |options: &str, token: &str| {
///     let way = Way::of_program(["npx", "files"]).folder("/srv");
///     way.variable("NODE_OPTIONS", options).variable("API_TOKEN", token).to_string()
/// };
/// let pinned = way("", "correct-horse-1");
/// assert!(pinned.starts_with("npx files; in /srv; with API_TOKEN, NODE_OPTIONS ("));
/// assert_eq!(pinned, way("", "correct-horse-2"));
/// assert_ne!(pinned, way("--require ./other.js", "correct-horse-1"));
/// assert_eq!(Way::of_program(["sh", "-c", "a b"]).to_string(), "sh -c \"a b\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    begin: String,
    folder: Option<String>,
    /// By name, with the hash of the value without secrets; none where all of it is one.
    variables: BTreeMap<String, Option<String>>,
    files: Vec<String>,
    others: Vec<String>,
}

impl Way {
    /// A command line, word by word, without secrets.
    pub fn of_program<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Self {
        let words: Vec<_> = words.into_iter().map(|word| one_word(word.as_ref()).into_owned()).collect();
        Self::new(words.join(" "))
    }

    /// An address, without secrets.
    pub fn of_address(address: &str) -> Self {
        Self::new(one_word(address).into_owned())
    }

    const fn new(begin: String) -> Self {
        Self { begin, folder: None, variables: BTreeMap::new(), files: Vec::new(), others: Vec::new() }
    }

    /// Sets the folder in which it is started. Default: that of this process.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<String>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Adds a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        let hash = (!may_be_secret(name)).then(|| {
            let without_secrets = Secrets::default().redact_text(value);
            hex(&Sha256::digest(without_secrets.as_deref().unwrap_or(value)))
        });
        self.variables.insert(name.to_owned(), hash);
        self
    }

    /// Adds a file with variables of its environment, by its name.
    #[must_use]
    pub fn variables_of(mut self, file: impl Into<String>) -> Self {
        self.files.push(file.into());
        self
    }

    /// Adds another address at which it is reached, as replicas are, without secrets.
    #[must_use]
    pub fn or(mut self, address: impl Into<String>) -> Self {
        self.others.push(address.into());
        self
    }
}

/// A word that cannot be taken for two, or for something else of a way: with quotes where it has anything that parts.
fn one_word(word: &str) -> Cow<'_, str> {
    if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | ';' | ',')) {
        // A string is always JSON.
        return Cow::Owned(serde_json::to_string(word).unwrap_or_default());
    }
    Cow::Borrowed(word)
}

/// Whether a variable of this name may hold a secret: more freely than where something is taken out because of it.
fn may_be_secret(name: &str) -> bool {
    const WORDS: [&str; 6] = ["key", "auth", "pat", "pin", "pass", "pw"];
    let is_word = |part: &str| WORDS.iter().any(|word| part.eq_ignore_ascii_case(word));
    Named::of(name) != Named::Other || name.split(['-', '_', '.', ' ']).any(is_word)
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.begin)?;
        if let Some(folder) = &self.folder {
            write!(f, "; in {}", one_word(folder))?;
        }
        if !self.variables.is_empty() {
            let names: Vec<_> = self.variables.keys().map(|name| one_word(name)).collect();
            write!(f, "; with {}", names.join(", "))?;
            let mut hasher = Sha256::new();
            for (name, hash) in &self.variables {
                hasher.update(format!("{}:{name}:{};", name.len(), hash.as_deref().unwrap_or("-")));
            }
            if self.variables.values().any(Option::is_some) {
                let sum = hex(&hasher.finalize());
                write!(f, " ({})", sum.get(..SUM).unwrap_or(&sum))?;
            }
        }
        for file in &self.files {
            write!(f, "; with what {} has", one_word(file))?;
        }
        self.others.iter().try_for_each(|other| write!(f, "; or {}", one_word(other)))
    }
}

impl From<Way> for String {
    fn from(way: Way) -> Self {
        way.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_decides_which_program_answers_is_in_the_text_and_no_secret() {
        let plain = || Way::of_program(["npx", "files"]);
        let all = [
            plain().to_string(),
            plain().folder("/x").to_string(),
            plain().variable("A", "1").to_string(),
            plain().variable("A", "2").to_string(),
            plain().variable("B", "1").to_string(),
            plain().variable("A", "1").variable("B", "1").to_string(),
            plain().variable("A_TOKEN", "1").to_string(),
            plain().variables_of(".env").to_string(),
            plain().or("https://h").to_string(),
            Way::of_program(["npx files"]).to_string(),
            Way::of_program(["npx", "files;", "in", "/x"]).to_string(),
            Way::of_program(["npx", "files; in /x"]).to_string(),
            Way::of_address("https://h").to_string(),
            Way::of_address("https://h; or https://i").to_string(),
            Way::of_address("https://h").or("https://i").to_string(),
        ];
        for (n, one) in all.iter().enumerate() {
            assert!(!all.iter().skip(n + 1).any(|other| other == one), "{one}");
        }
        let order = |names: [&str; 2]| names.into_iter().fold(plain(), |way, name| way.variable(name, "v")).to_string();
        assert_eq!(order(["A", "B"]), order(["B", "A"]));
        for (name, values) in [
            ("DB_PASSWORD", ["hunter2", "letmein"]),
            ("OPENAI_KEY", ["a", "b"]),
            ("X", ["ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_26C7e42F292c6912E7710c838347Ae178B4b"]),
            ("DB", ["postgres://me:hunter2@h/db", "postgres://me:hunter3@h/db"]),
        ] {
            let [one, other] = values.map(|value| plain().variable(name, value).to_string());
            assert_eq!(one, other);
        }
        assert_eq!(plain().variable("DB_PASSWORD", "hunter2").to_string(), "npx files; with DB_PASSWORD");
        let [one, other] =
            ["h", "evil"].map(|host| plain().variable("DB", &format!("postgres://me:hunter2@{host}/db")));
        assert_ne!(one.to_string(), other.to_string());
    }
}
