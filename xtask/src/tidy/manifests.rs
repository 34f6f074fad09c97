//! Manifests take every version from the workspace, and the lock file knows one registry.

use super::File;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Tells of versions outside the workspace table and of packages from elsewhere.
pub fn findings(file: &File) -> Vec<String> {
    let in_root = file.path.components().count() == 1;
    match file.path.file_name().and_then(|name| name.to_str()) {
        Some("Cargo.toml") if !in_root => own_versions(file),
        Some("Cargo.lock") => strange_sources(file),
        _ => Vec::new(),
    }
}

fn own_versions(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    let mut section = "";
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        }
        let Some((name, value)) = line.split_once('=') else { continue };
        // `name = { workspace = true, … }` or `name.workspace = true`; the items of a list start with a quote.
        let is_entry = section.ends_with("dependencies") && !line.starts_with([' ', '"', '#']);
        let from_workspace = value.contains("workspace = true") || name.trim().ends_with(".workspace");
        if is_entry && !from_workspace {
            findings.push(format!(
                "{}:{number}: `{}` is not taken from the workspace",
                file.path.display(),
                name.trim()
            ));
        }
        if section.contains("dependencies.") && name.trim() == "version" {
            findings.push(format!("{}:{number}: a version outside the workspace table", file.path.display()));
        }
    }
    findings
}

fn strange_sources(file: &File) -> Vec<String> {
    let sources = file.text.lines().filter_map(|line| line.strip_prefix("source = "));
    let strange = sources.filter(|source| source.trim_matches('"') != REGISTRY);
    strange.map(|source| format!("{}: a package comes from {source}", file.path.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::{File, findings};

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), text: text.to_owned() }
    }

    #[test]
    fn a_version_of_its_own_is_found() {
        let good = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = { workspace = true, features = [\n  \"c\",\n] }\n";
        assert!(findings(&file("crates/x/Cargo.toml", good)).is_empty());
        let bad = "[dependencies]\na = \"1\"\n[target.'cfg(unix)'.dependencies]\nb = { version = \"2\" }\n[dependencies.c]\nversion = \"3\"\n";
        assert_eq!(findings(&file("crates/x/Cargo.toml", bad)).len(), 3);
        assert!(findings(&file("Cargo.toml", bad)).is_empty());
    }

    #[test]
    fn a_package_from_another_registry_is_found() {
        let lock = format!("source = \"{}\"\nsource = \"git+https://example.com/x\"\n", super::REGISTRY);
        assert_eq!(findings(&file("Cargo.lock", &lock)).len(), 1);
    }
}
