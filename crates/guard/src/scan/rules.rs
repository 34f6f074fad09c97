//! The rules of the scan. Their ids stay; a rule that goes leaves its id unused.

use crate::Severity;

/// A rule of the scan.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The id, such as `BOW001`.
    pub id: &'static str,
    /// The name, such as `unpinned-package`.
    pub name: &'static str,
    /// How bad a breach is, as a rule; an issue may be graver or less grave.
    pub severity: Severity,
    /// What it is about, in one sentence.
    pub about: &'static str,
    /// What to do about a breach, in one sentence.
    pub help: &'static str,
}

macro_rules! rules {
    ($($constant:ident $id:literal $name:literal $severity:ident $about:literal $help:literal;)*) => {
        $(pub(super) static $constant: Rule =
            Rule { id: $id, name: $name, severity: Severity::$severity, about: $about, help: $help };)*

        /// All rules, by their ids.
        pub static RULES: &[&Rule] = &[$(&$constant),*];
    };
}

rules! {
    UNPINNED_PACKAGE "BOW001" "unpinned-package" Medium
        "A server is started from a package without a version, so that each start may run other code."
        "Name one version, such as `name@1.2.3` for npx or `name==1.2.3` for uvx.";
    UNPINNED_IMAGE "BOW002" "unpinned-image" Medium
        "A server is started from a container image without a tag, or with `latest`."
        "Name a digest (`image@sha256:…`), or at least a tag of one version.";
    UNPINNED_SOURCE "BOW003" "unpinned-source" Medium
        "A server is started from a repository or an address without a revision."
        "Name a commit, such as `git+https://host/repo@COMMIT`.";
    PLAIN_HTTP "BOW004" "plain-http" High
        "A server on another machine is spoken to without encryption: whoever is on the way reads and changes it."
        "Use https: or wss:; plain http: is for this machine alone.";
    PLAIN_SECRET "BOW005" "plain-secret" High
        "A credential stands in a configuration file in plain text."
        "Replace it by a variable (`${NAME}`), a file or the keyring, and revoke it if others can read the file.";
    BROAD_ROOT "BOW006" "broad-root" High
        "A server is given a whole disk, a whole home folder or a folder of the system."
        "Name the folders that it needs.";
    SHELL "BOW007" "shell" Medium
        "A server is started through a shell, which takes its line apart by rules of its own."
        "Name the program and its arguments.";
    DOWNLOAD_AND_RUN "BOW008" "download-and-run" High
        "What starts a server downloads a program and runs it at once."
        "Download it, look at it, keep it, and start what was kept.";
    OPEN_FILE "BOW009" "open-file" High
        "Others on this machine can read a configuration file that holds credentials, or can change one."
        "Take the rights of others away: `chmod 600 FILE`.";
    KNOWN_BAD "BOW010" "known-bad" High
        "Something that is known to be bad: a package or a version with a published weakness, or an option that switches a protection off."
        "See the message: update the package, or leave the option out.";
    NO_ANNOTATIONS "BOW011" "no-annotations" Note
        "Tools do not say whether they only read, so that no rule can tell."
        "Ask the author of the server for annotations; until then name in your rules the tools that only read.";
    HIDDEN_TEXT "BOW012" "hidden-text" High
        "What a server says of itself has characters that a person does not see."
        "Do not use the server until its author has explained it.";
    INSTRUCTIONS "BOW013" "instructions" High
        "What a server says of itself has words to the model that go beyond what a tool does."
        "Read the text as a whole; do not use the server if it wants something behind your back.";
    LOOKALIKE "BOW014" "lookalike" High
        "A name looks like another one, and is not."
        "Find out which of the two is meant, and remove the other.";
    SHADOWING "BOW015" "shadowing" Low
        "A server offers a tool of the same name as another one does, or says how tools of another server are used."
        "Call tools by their full names, and remove the server that should not be there.";
    MISLEADING "BOW016" "misleading" Medium
        "What a server says of itself misleads or cannot be read: links that lead elsewhere, encoded data, text moved out of sight, too much of it."
        "Read the text as a whole before you use the server.";
    TOLD_SECRET "BOW017" "told-secret" Medium
        "What a server says of itself has a credential in it, which every user gets."
        "Tell its author, who has to revoke it.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_in_order() {
        let ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        let expected: Vec<_> = (1..=RULES.len()).map(|number| format!("BOW{number:03}")).collect();
        assert_eq!(ids, expected);
    }
}
