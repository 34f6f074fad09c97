//! A report as JSON and as SARIF.

use std::path::Path;

use bowline_config::Place;
use serde_json::{Map, Value, json};

use super::rules::{RULES, Rule};
use super::{Issue, Report};
use crate::Severity;

impl Report {
    /// The report as JSON: `version` (1), `summary` (how many issues of each severity), and `findings`, each with `rule`,
    /// `name`, `severity`, `message` and `help`, and where they apply `server`, `item`, `file`, `line` and `column`, which
    /// count from one.
    pub fn to_json(&self) -> Value {
        let count = |severity| self.issues.iter().filter(|issue| issue.severity == severity).count();
        let summary = [Severity::High, Severity::Medium, Severity::Low, Severity::Note];
        let summary: Map<String, Value> =
            summary.into_iter().map(|severity| (severity.name().to_owned(), count(severity).into())).collect();
        let findings: Vec<Value> = self.issues.iter().map(Issue::to_json).collect();
        json!({"version": 1, "summary": summary, "findings": findings})
    }

    /// The report as SARIF 2.1.0, for code scanning. Files under `base` are named from there.
    pub fn to_sarif(&self, base: Option<&Path>) -> Value {
        let results: Vec<Value> = self.issues.iter().map(|issue| issue.to_sarif(base)).collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "bowline",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": RULES.iter().map(|rule| described(rule)).collect::<Vec<_>>(),
                }},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }
}

fn described(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.about},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": level(rule.severity)},
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Note => "note",
    }
}

impl Issue {
    fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |key: &str, value: Value| drop(json.insert(key.to_owned(), value));
        put("rule", self.rule.id.into());
        put("name", self.rule.name.into());
        put("severity", self.severity.name().into());
        put("message", self.message.as_str().into());
        put("help", self.rule.help.into());
        if let Some(server) = &self.server {
            put("server", server.as_str().into());
        }
        if !self.item.is_empty() {
            put("item", self.item.as_str().into());
        }
        if let Some(place) = &self.place {
            put("file", place.file.to_string_lossy().into());
            if place.line > 0 {
                put("line", place.line.into());
                put("column", place.column.into());
            }
        }
        json.into()
    }

    fn to_sarif(&self, base: Option<&Path>) -> Value {
        let index = RULES.iter().position(|rule| *rule == self.rule);
        let mut text = String::new();
        if let Some(server) = &self.server {
            text.push_str(&format!("{}: ", bowline_protocol::excerpt(server, 80)));
        }
        if !self.item.is_empty() {
            text.push_str(&format!("{}: ", self.item));
        }
        text.push_str(&self.message);
        let mut result = json!({
            "ruleId": self.rule.id,
            "ruleIndex": index,
            "level": level(self.severity),
            "message": {"text": text},
            "properties": {"severity": self.severity.name()},
        });
        if let (Some(place), Some(result)) = (&self.place, result.as_object_mut()) {
            result.insert("locations".to_owned(), json!([{"physicalLocation": location(place, base)}]));
        }
        result
    }
}

fn location(place: &Place, base: Option<&Path>) -> Value {
    let relative = base.and_then(|base| place.file.strip_prefix(base).ok());
    let artifact = match relative {
        Some(path) => json!({"uri": uri(path), "uriBaseId": "%SRCROOT%"}),
        None if place.file.is_absolute() => json!({"uri": format!("file://{}", uri(&place.file))}),
        None => json!({"uri": uri(&place.file)}),
    };
    let mut location = json!({"artifactLocation": artifact});
    if let (true, Some(location)) = (place.line > 0, location.as_object_mut()) {
        location.insert("region".to_owned(), json!({"startLine": place.line, "startColumn": place.column}));
    }
    location
}

/// A path as part of an address.
fn uri(path: &Path) -> String {
    let path = path.to_string_lossy().replace('\\', "/");
    let slash = if path.contains(':') && !path.starts_with('/') { "/" } else { "" };
    path.bytes().fold(slash.to_owned(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::entries;
    use bowline_config::{Configuration, Host};

    fn report(path: &str) -> Report {
        let text = "{\"mcpServers\": {\n  \"s\": {\"url\": \"http://h.example/\"}}}";
        let config = Configuration::read(Host::ClaudeCode, path, text);
        Report { issues: entries::check(config.server("s").unwrap()) }
    }

    #[test]
    fn json_says_where_and_what() {
        let json = report("a b.json").to_json();
        assert_eq!(json["version"], 1);
        assert_eq!(json["summary"], json!({"high": 1, "medium": 0, "low": 0, "note": 0}));
        let finding = &json["findings"][0];
        assert_eq!(
            (&finding["rule"], &finding["server"], &finding["item"]),
            (&json!("BOW004"), &json!("s"), &json!("url"))
        );
        assert_eq!(
            (&finding["file"], &finding["line"], &finding["column"]),
            (&json!("a b.json"), &json!(2), &json!(16))
        );
    }

    #[test]
    fn sarif_has_rules_levels_and_regions() {
        let sarif = report("/repo/a b.json").to_sarif(Some(Path::new("/repo")));
        assert_eq!(sarif["version"], "2.1.0");
        let run = &sarif["runs"][0];
        let result = &run["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("BOW004"), &json!("error")));
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "BOW004");
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"], json!({"uri": "a%20b.json", "uriBaseId": "%SRCROOT%"}));
        assert_eq!(location["region"], json!({"startLine": 2, "startColumn": 16}));
        let elsewhere = report("/repo/x.json").to_sarif(None);
        assert_eq!(
            elsewhere["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "file:///repo/x.json"
        );
    }
}
