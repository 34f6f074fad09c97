//! Roots: the places on the client's side that a server may work in.
//!
//! Specification: client/roots.

use std::path::{Path, PathBuf};

use crate::file_uri;
use crate::result::list_result;
use crate::wire::object;

object! {
    /// A place that a server may work in.
    pub struct Root (meta) {
        required {
            /// The URI; `file:` is the only scheme so far.
            uri: String,
        }
        optional {
            /// The name, for people.
            name: String => with_name,
        }
    }
}

/// A path that cannot be a root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot make a root of {}: the path is not absolute; pass an absolute one", path.display())]
#[non_exhaustive]
pub struct RootError {
    /// The path.
    pub path: PathBuf,
}

impl Root {
    /// A root of an absolute path, by the rules of the system that this runs on; its name is the path's last part.
    ///
    /// ```
    /// use bowline_protocol::Root;
    ///
    /// # #[cfg(unix)] {
    /// let root = Root::from_path("/home/u/a b#c?d%e".as_ref())?;
    /// assert_eq!(root.uri, "file:///home/u/a%20b%23c%3Fd%25e");
    /// # }
    /// # Ok::<(), bowline_protocol::RootError>(())
    /// ```
    ///
    /// # Errors
    /// When the path is not absolute.
    pub fn from_path(path: &Path) -> Result<Self, RootError> {
        let uri = file_uri::from_path(path).ok_or_else(|| RootError { path: path.to_owned() })?;
        let root = Self::new(uri);
        Ok(match path.file_name() {
            Some(name) => root.with_name(name.to_string_lossy()),
            None => root,
        })
    }
}

object! {
    /// The roots of the client.
    pub struct ListRootsResult (meta) {
        list {
            /// The roots.
            roots: Root,
        }
        problems { problems }
    }
}
list_result!(ListRootsResult, "roots" => roots);
