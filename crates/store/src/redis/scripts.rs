//! What the server runs whole.

use ::redis::Script;

/// The scripts, by what they do. A server that does not know one is sent it.
pub(super) struct Scripts {
    pub(super) change: Script,
    pub(super) lease: Script,
    pub(super) names: Script,
    pub(super) release: Script,
    pub(super) renew: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let with_versions = |code: &str| Script::new(&format!("{}\n{code}", include_str!("version.lua")));
        Self {
            change: with_versions(include_str!("change.lua")),
            lease: with_versions(include_str!("lease.lua")),
            names: Script::new(include_str!("names.lua")),
            release: Script::new(include_str!("release.lua")),
            renew: Script::new(include_str!("renew.lua")),
        }
    }
}
