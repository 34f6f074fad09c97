//! Skills: instructions for agents, served as resources.
//!
//! Specification: extension `io.modelcontextprotocol/skills` (SEP-2640).

use std::fmt;

use serde::de::{SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::result::{list_result, plain_result};
use crate::text::excerpt;
use crate::wire::object;

/// The name of the extension, as servers declare it.
pub const SKILLS_EXTENSION: &str = "io.modelcontextprotocol/skills";

/// The file that every skill has.
const SKILL_FILE: &str = "SKILL.md";

object! {
    /// A file of a skill, with what it has to be when it is read.
    pub struct SkillResource {
        required {
            /// The URI of the file.
            uri: String,
            /// The SHA-256 of the file's bytes: `sha256:` and 64 hexadecimal digits in lower case.
            digest: String,
            /// How many bytes the file has.
            size: u64,
        }
    }
}

/// The files of a skill.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SkillResources {
    /// All files, `SKILL.md` among them.
    Files(Vec<SkillResource>),
    /// The content is made anew for each read, so nothing can be said of it in advance.
    Dynamic,
}

impl SkillResources {
    const DYNAMIC: &str = "dynamic";

    /// The files; none where they are not known.
    pub fn files(&self) -> &[SkillResource] {
        match self {
            Self::Files(files) => files,
            Self::Dynamic => &[],
        }
    }

    /// Whether nothing can be said of the content in advance.
    pub const fn is_dynamic(&self) -> bool {
        matches!(self, Self::Dynamic)
    }
}

impl Serialize for SkillResources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Files(files) => files.serialize(serializer),
            Self::Dynamic => serializer.serialize_str(Self::DYNAMIC),
        }
    }
}

impl<'de> Deserialize<'de> for SkillResources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = SkillResources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of files or \"dynamic\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == SkillResources::DYNAMIC {
                    return Ok(SkillResources::Dynamic);
                }
                Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, files: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(files)).map(SkillResources::Files)
            }
        }

        // Any other value makes the entry one that must not be used (skill entries, resources).
        deserializer.deserialize_any(Either)
    }
}

object! {
    /// The entry of a skill: what it is for, and all its files.
    ///
    /// ```
    /// use bowline_protocol::Skill;
    ///
    /// let skill: Skill = serde_json::from_str(
    ///     r#"{
    ///         "uri": "skill://acme/refunds/SKILL.md",
    ///         "frontmatter": {"name": "refunds", "description": "Refund by the rules"},
    ///         "resources": "dynamic"
    ///     }"#,
    /// )?;
    /// assert_eq!((skill.name(), skill.root()), ("refunds", "skill://acme/refunds"));
    /// assert!(skill.check().is_ok());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct Skill {
        required {
            /// The URI of the skill's `SKILL.md`. It names the skill at its server, and there alone.
            uri: String,
            /// The front matter of `SKILL.md`, all that its author wrote.
            frontmatter: Map<String, Value>,
            /// The files.
            resources: SkillResources,
        }
    }
}

impl Skill {
    /// The name, a label: two skills of one server may have the same. Empty where the entry has none.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// What the skill is for. Empty where the entry does not say it.
    pub fn description(&self) -> &str {
        self.text("description")
    }

    fn text(&self, field: &str) -> &str {
        self.frontmatter.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The URI of the skill's directory, without a slash at its end.
    pub fn root(&self) -> &str {
        self.uri.strip_suffix(SKILL_FILE).and_then(|root| root.strip_suffix('/')).unwrap_or(&self.uri)
    }

    /// What a file has to be, by its URI.
    pub fn resource(&self, uri: &str) -> Option<&SkillResource> {
        self.resources.files().iter().find(|file| file.uri == uri)
    }

    /// How many bytes all files have together.
    pub fn total_size(&self) -> u64 {
        self.resources.files().iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// The URI that `path` names within the skill's directory: a path as a file of the skill writes it, or a URI. None
    /// where it leads out of the directory or names no file.
    ///
    /// ```
    /// # let skill: bowline_protocol::Skill = serde_json::from_str(
    /// #     r#"{"uri": "skill://a/SKILL.md", "frontmatter": {}, "resources": []}"#).unwrap();
    /// assert_eq!(skill.resolve("./docs/../FORMS.md").as_deref(), Some("skill://a/FORMS.md"));
    /// assert_eq!(skill.resolve("skill://a/FORMS.md").as_deref(), Some("skill://a/FORMS.md"));
    /// assert_eq!(skill.resolve("../b/SKILL.md"), None);
    /// ```
    pub fn resolve(&self, path: &str) -> Option<String> {
        let root = self.root();
        let within = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
        if within.is_none() && (path.contains("://") || path.starts_with('/')) {
            return None;
        }
        let mut segments = Vec::new();
        for segment in within.unwrap_or(path).split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop()?;
                }
                _ => segments.push(segment),
            }
        }
        let uri = format!("{root}/{}", segments.join("/"));
        self.contains(&uri).then_some(uri)
    }

    /// Whether a URI is that of a file in the skill's directory, by its text.
    fn contains(&self, uri: &str) -> bool {
        let rest = uri.strip_prefix(self.root()).and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|rest| rest.split('/').all(is_plain_segment))
    }

    /// Checks what the specification demands of an entry. One that is wrong must not be used.
    ///
    /// # Errors
    /// [`SkillError`] with the first thing that is wrong.
    pub fn check(&self) -> Result<(), SkillError> {
        let uri = || excerpt(&self.uri, 200);
        let root = self.root();
        let Some((_, segment)) = root.rsplit_once('/').filter(|_| root.len() < self.uri.len()) else {
            return Err(SkillError(format!("the uri \"{}\" does not end in NAME/{SKILL_FILE}", uri())));
        };
        let name = self.name();
        if name != segment {
            let (name, segment) = (excerpt(name, 80), excerpt(segment, 80));
            return Err(SkillError(format!("its name is \"{name}\" and its directory \"{segment}\"")));
        }
        if !is_name(name) {
            let name = excerpt(name, 80);
            return Err(SkillError(format!(
                "its name \"{name}\" is not 1 to 64 lower-case letters, digits and single hyphens"
            )));
        }
        if self.description().is_empty() {
            return Err(SkillError("its front matter has no description".to_owned()));
        }
        let SkillResources::Files(files) = &self.resources else { return Ok(()) };
        let mut seen = std::collections::HashSet::new();
        for file in files {
            let uri = || excerpt(&file.uri, 200);
            if !self.contains(&file.uri) {
                return Err(SkillError(format!("its file \"{}\" is outside of its directory", uri())));
            }
            if !seen.insert(file.uri.as_str()) {
                return Err(SkillError(format!("its file \"{}\" is listed twice", uri())));
            }
            if !is_digest(&file.digest) {
                let digest = excerpt(&file.digest, 80);
                return Err(SkillError(format!(
                    "the digest \"{digest}\" of \"{}\" is not sha256: and 64 hexadecimal digits in lower case",
                    uri()
                )));
            }
        }
        if !seen.contains(self.uri.as_str()) {
            return Err(SkillError(format!("its files lack \"{}\" itself", uri())));
        }
        Ok(())
    }
}

/// Whether a segment of a path means the same to everybody: no dots that lead elsewhere, whichever way they are written.
fn is_plain_segment(segment: &str) -> bool {
    let dots = segment.replace("%2e", ".").replace("%2E", ".");
    !matches!(dots.as_str(), "" | "." | "..") && !segment.contains(['\\', '\0', '?', '#'])
}

/// Specification: Agent Skills, the field `name`.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=64).contains(&name.len())
        && name.chars().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

fn is_digest(digest: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    digest.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.chars().all(hex))
}

/// What is wrong with the entry of a skill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the skill cannot be used: {0}; report it to the server's author")]
pub struct SkillError(String);

object! {
    /// One page of skills.
    pub struct ListSkillsResult (meta, result_type, ttl_ms, cache_scope) {
        list {
            /// The skills.
            skills: Skill,
        }
        optional {
            /// Where the next page starts; none on the last one.
            #[serde(deserialize_with = "crate::lenient::cursor")]
            next_cursor: String => with_next_cursor,
        }
        problems { problems }
    }
}
list_result!(ListSkillsResult, "skills" => skills by "uri");

object! {
    /// The parameters of `skills/get`.
    pub struct GetSkillRequestParams (meta) {
        required {
            /// The URI of the skill's `SKILL.md`.
            uri: String,
        }
    }
}

object! {
    /// The entry of one skill.
    pub struct GetSkillResult (meta, result_type, ttl_ms, cache_scope) {
        required {
            /// The skill.
            skill: Skill,
        }
    }
}
plain_result!(GetSkillResult);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RawJson, ResultType};
    use serde_json::json;

    fn skill(uri: &str, name: &str, resources: &Value) -> Skill {
        let entry = json!({ "uri": uri, "frontmatter": { "name": name, "description": "d" }, "resources": resources });
        serde_json::from_value(entry).unwrap()
    }

    fn file(uri: &str) -> Value {
        json!({ "uri": uri, "digest": format!("sha256:{}", "0a".repeat(32)), "size": 1 })
    }

    #[test]
    fn an_entry_without_files_or_with_another_word_is_a_problem_of_the_list() {
        let page = json!({ "skills": [
            { "uri": "skill://a/SKILL.md", "frontmatter": {}, "resources": "dynamic" },
            { "uri": "skill://b/SKILL.md", "frontmatter": {} },
            { "uri": "skill://c/SKILL.md", "frontmatter": {}, "resources": "static" },
            { "uri": "skill://d/SKILL.md", "frontmatter": {}, "resources": null },
            { "uri": "skill://e/SKILL.md", "frontmatter": {}, "resources": [{ "uri": "x", "digest": "y" }] },
            { "uri": "skill://f/SKILL.md", "frontmatter": {}, "resources": [] },
        ] });
        let page = ListSkillsResult::decode(&RawJson::from(page)).unwrap();
        let listed: Vec<_> = page.skills.iter().map(|skill| skill.root()).collect();
        assert_eq!(listed, ["skill://a", "skill://f"]);
        assert_eq!(page.problems.iter().map(|problem| problem.index).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(page.problems[1].error.contains("dynamic"), "{}", page.problems[1]);
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_told() {
        let uri = "skill://x/a-b/SKILL.md";
        let inner = "skill://x/a-b/docs/a.md";
        assert_eq!(skill(uri, "a-b", &json!([file(inner), file(uri)])).check(), Ok(()));
        let mut bad = file(uri);
        bad["digest"] = json!("sha256:AB");
        for (entry, part) in [
            (skill("skill://x/a-b/README.md", "a-b", &json!([])), "does not end in"),
            (skill("SKILL.md", "a-b", &json!([])), "does not end in"),
            (skill(uri, "b", &json!([])), "its name is \"b\""),
            (skill("skill://A/SKILL.md", "A", &json!([])), "lower-case"),
            (skill("skill://a--b/SKILL.md", "a--b", &json!([])), "hyphens"),
            (skill(uri, "a-b", &json!([])), "lack"),
            (skill(uri, "a-b", &json!([file(uri), file(uri)])), "twice"),
            (skill(uri, "a-b", &json!([bad])), "digest"),
            (skill(uri, "a-b", &json!([file(uri), file("skill://x/a-bc/a.md")])), "outside"),
            (skill(uri, "a-b", &json!([file(uri), file("skill://x/a-b/../c/a.md")])), "outside"),
            (skill(uri, "a-b", &json!([file(uri), file("skill://x/a-b/%2E%2e/c/a.md")])), "outside"),
        ] {
            let error = entry.check().unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn a_path_stays_within_the_skill() {
        let skill = skill("skill://x/a/SKILL.md", "a", &json!("dynamic"));
        for (path, file) in [
            ("references/F.md", Some("skill://x/a/references/F.md")),
            ("./a//b", Some("skill://x/a/a/b")),
            ("a/../b", Some("skill://x/a/b")),
            ("skill://x/a/b", Some("skill://x/a/b")),
            ("skill://x/a/../b/SKILL.md", None),
            ("skill://x/ab/c", None),
            ("..", None),
            ("a/../../b", None),
            ("%2e%2e/b", None),
            ("a\\..\\b", None),
            ("/etc/passwd", None),
            ("file:///etc/passwd", None),
            ("", None),
        ] {
            assert_eq!(skill.resolve(path).as_deref(), file, "{path}");
        }
    }

    #[test]
    fn an_entry_is_written_as_it_came() {
        let text =
            r#"{"uri":"skill://a/SKILL.md","frontmatter":{"name":"a","x":[1,null]},"resources":"dynamic","more":1}"#;
        let skill: Skill = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&skill).unwrap(), text.parse::<Value>().unwrap());
    }
}
