//! Where this command keeps what it knows from one run to the next.

use std::env;
use std::path::PathBuf;

/// The variable that names the folder for what this command keeps.
const STATE_DIR: &str = "BOWLINE_STATE_DIR";

/// The folder for what programs keep of themselves, as the system has it.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(named) = folder(STATE_DIR) {
        return Some(named);
    }
    if cfg!(windows) {
        return folder("LOCALAPPDATA").map(|folder| folder.join("bowline"));
    }
    if cfg!(target_os = "macos") {
        return folder("HOME").map(|home| home.join("Library/Application Support/bowline"));
    }
    // Relative ones are not valid there.
    let state = folder("XDG_STATE_HOME").filter(|folder| folder.is_absolute());
    state.or_else(|| folder("HOME").map(|home| home.join(".local/state"))).map(|folder| folder.join("bowline"))
}
