//! Roots that are folders of this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_protocol::{ErrorCode, ErrorObject, Root, RootError};
use bowline_transport::BoxFuture;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::handlers::{HandlerResult, RequestContext, RootsProvider};

/// How long the file system may take to say which folders are there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Folders as roots. Those that are not there when the server asks are left out, with a warning in the log.
///
/// Specification: client/roots, which wants clients to watch that roots stay reachable.
///
/// ```
/// use bowline_client::{Client, Folders};
///
/// let builder = Client::builder().roots(Folders::new([std::env::temp_dir()])?);
/// assert!(Folders::new(["relative"]).is_err());
/// # Ok::<(), bowline_protocol::RootError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Folders(Vec<(PathBuf, Root)>);

impl Folders {
    /// Makes roots of absolute paths. Nothing is looked at before the server asks.
    ///
    /// # Errors
    /// When a path is not absolute.
    pub fn new<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, RootError> {
        let roots = paths.into_iter().map(|path| {
            let path = path.as_ref();
            Root::from_path(path).map(|root| (path.to_owned(), root))
        });
        roots.collect::<Result<_, _>>().map(Self)
    }
}

impl RootsProvider for Folders {
    fn roots(&self, _: RequestContext) -> BoxFuture<'_, HandlerResult<Vec<Root>>> {
        let folders = self.0.clone();
        Box::pin(async move {
            // A file system on a dead network can hang.
            match timeout(PATIENCE, spawn_blocking(move || reachable(folders))).await {
                Ok(Ok(roots)) => Ok(roots),
                Ok(Err(_)) | Err(_) => {
                    tracing::error!(limit = ?PATIENCE, "could not find out in time which roots are there");
                    Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the client's roots cannot be reached"))
                }
            }
        })
    }
}

fn reachable(folders: Vec<(PathBuf, Root)>) -> Vec<Root> {
    let is_there = |path: &Path| {
        let there = path.is_dir();
        if !there {
            tracing::warn!(path = %path.display(), "a root is no folder that can be reached; it is left out");
        }
        there
    };
    folders.into_iter().filter(|(path, _)| is_there(path)).map(|(_, root)| root).collect()
}

#[cfg(test)]
mod tests {
    use bowline_protocol::RequestId;

    use super::*;

    #[tokio::test]
    async fn o_03_a_folder_that_is_gone_is_left_out() {
        let gone = std::env::temp_dir().join("bowline-no-such-folder");
        let folders = Folders::new([std::env::temp_dir(), gone]).unwrap();
        let context = RequestContext::new(RequestId::Number(1), None);
        let roots = folders.roots(context).await.unwrap();
        assert_eq!(roots, [Root::from_path(&std::env::temp_dir()).unwrap()]);
    }
}
