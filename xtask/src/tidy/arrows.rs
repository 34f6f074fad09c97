//! Dependencies between the crates point one way (ARCHITECTURE.md).

use crate::context::Package;

/// What each crate may depend on outside its tests. A crate that is not here is asked to be added.
const ARROWS: &[(&str, &[&str])] = &[
    ("bowline-protocol", &[]),
    ("bowline-schema", &["bowline-protocol"]),
    ("bowline-transport", &["bowline-protocol"]),
    ("bowline-stdio", &["bowline-protocol", "bowline-transport"]),
    ("bowline-socket", &["bowline-transport"]),
    // Who is trusted is decided in one place.
    ("bowline-tls", &["bowline-protocol", "bowline-transport"]),
    // TCP is opened, and its failures are told, in one place.
    ("bowline-websocket", &["bowline-protocol", "bowline-socket", "bowline-tls", "bowline-transport"]),
    ("bowline-event-stream", &[]),
    ("bowline-http", &["bowline-event-stream", "bowline-protocol", "bowline-tls", "bowline-transport"]),
    // Both are HTTP: client, endpoint, redirects and credentials are those of http.
    ("bowline-sse", &["bowline-event-stream", "bowline-http", "bowline-protocol", "bowline-transport"]),
    // It answers challenges of http, and asks by the client of http.
    ("bowline-auth", &["bowline-http", "bowline-protocol", "bowline-store", "bowline-transport"]),
    ("bowline-client", &["bowline-protocol", "bowline-schema", "bowline-transport"]),
    ("bowline-resilience", &["bowline-client", "bowline-protocol", "bowline-transport"]),
    // It connects through connectors that it is handed.
    ("bowline-hub", &["bowline-client", "bowline-protocol", "bowline-store", "bowline-transport"]),
    // Layers and hooks, plugged in by the caller; what it scans is a configuration.
    ("bowline-guard", &["bowline-client", "bowline-config", "bowline-protocol", "bowline-store", "bowline-transport"]),
    // It asks providers by the client of http, and finds tools and calls them through the hub.
    (
        "bowline-llm",
        &[
            "bowline-client",
            "bowline-event-stream",
            "bowline-guard",
            "bowline-http",
            "bowline-hub",
            "bowline-protocol",
            "bowline-schema",
            "bowline-transport",
        ],
    ),
    ("bowline-store", &["bowline-transport"]),
    // What a message quotes is made harmless in one place.
    ("bowline-config", &["bowline-protocol"]),
    ("bowline-testkit", &["bowline-protocol", "bowline-transport"]),
    (
        "bowline",
        &[
            "bowline-auth",
            "bowline-client",
            "bowline-config",
            "bowline-guard",
            "bowline-http",
            "bowline-hub",
            "bowline-llm",
            "bowline-protocol",
            "bowline-resilience",
            "bowline-schema",
            "bowline-socket",
            "bowline-sse",
            "bowline-stdio",
            "bowline-store",
            "bowline-transport",
            "bowline-websocket",
        ],
    ),
    (
        "bowline-cli",
        &["bowline", "bowline-client", "bowline-protocol", "bowline-stdio", "bowline-testkit", "bowline-transport"],
    ),
    ("bowline-tests", &["bowline", "bowline-event-stream", "bowline-http", "bowline-testkit"]),
    ("bowline-conformance", &["bowline"]),
    ("xtask", &[]),
];

/// What applications depend on: they are what a program of a user looks like.
const OF_EXAMPLES: &[&str] = &["bowline", "bowline-testkit"];

fn allowed(package: &str) -> Option<&'static [&'static str]> {
    if package.starts_with("bowline-example-") {
        return Some(OF_EXAMPLES);
    }
    ARROWS.iter().find(|(known, _)| *known == package).map(|(_, allowed)| *allowed)
}

/// Tells of each dependency that points the wrong way.
pub fn findings(packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(allowed) = allowed(name) else {
            findings.push(format!("{name}: is not among the arrows of xtask/src/tidy/arrows.rs"));
            continue;
        };
        let members = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
        for dependency in members.filter(|dependency| dependency.kind.as_deref() != Some("dev")) {
            if !allowed.contains(&dependency.name.as_str()) {
                findings.push(format!("{name}: may not depend on {}", dependency.name));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::findings;
    use crate::context::Package;

    fn package(name: &str, dependency: &str, kind: Option<&str>) -> Package {
        let value = serde_json::json!({
            "name": name, "manifest_path": "Cargo.toml", "rust_version": null, "features": {},
            "dependencies": [{ "name": dependency, "kind": kind, "path": "crates/x" }],
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_dependency_upwards_is_found_and_one_for_tests_is_not() {
        assert!(findings(&[package("bowline-transport", "bowline-protocol", None)]).is_empty());
        assert!(findings(&[package("bowline-client", "bowline-testkit", Some("dev"))]).is_empty());
        assert!(findings(&[package("bowline-example-any", "bowline", None)]).is_empty());
        assert_eq!(findings(&[package("bowline-example-any", "bowline-hub", None)]).len(), 1);
        let wrong = findings(&[package("bowline-client", "bowline-stdio", None)]);
        assert_eq!(wrong, ["bowline-client: may not depend on bowline-stdio"]);
    }
}
