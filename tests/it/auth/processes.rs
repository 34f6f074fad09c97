//! One login for many processes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bowline::auth::FileStore;
use serde_json::Value;

use super::*;

/// How many clients a process has.
const CLIENTS: usize = 50;

/// A process with many clients; it is ended with this.
struct Clients {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Clients {
    fn start(url: &str, store: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth-clients"));
        command.arg(url).arg(store).arg(CLIENTS.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn go(&mut self) {
        self.input.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    fn came(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_in_two_processes_refresh_an_expired_token_once() {
    let world = World::plain().await;
    let folder = Folder::new("auth-processes");
    let oauth = world.person().store(FileStore::new(&folder.0)).build().unwrap();
    assert!(within(oauth.login()).await.unwrap().refreshable);

    let (url, store) = (world.server.url(), folder.0.clone());
    let mut processes: Vec<_> = (0..2).map(|_| Clients::start(&url, &store)).collect();
    for process in &mut processes {
        assert_eq!(process.line(), "ready");
    }
    for round in 1..=2 {
        world.auth.expire_tokens();
        processes.iter_mut().for_each(Clients::go);
        for process in &mut processes {
            assert_eq!(process.came(), json!({ "done": CLIENTS, "errors": [] }));
        }
        let counts = world.auth.counts();
        assert_eq!((counts.refreshes, counts.refused_refreshes, counts.reuses), (round, 0, 0), "{counts:?}");
    }
    assert_eq!(world.auth.counts().codes, 1, "nobody had to log in again");
    // What they left is good for whoever comes next.
    assert!(oauth.status().await.unwrap().refreshable);
    within(oauth.refresh()).await.unwrap();
}

// Duty: A-32
#[cfg(unix)]
#[tokio::test]
async fn what_is_kept_in_files_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::plain().await;
    let folder = Folder::new("auth-modes");
    let oauth = world.person().store(FileStore::new(&folder.0)).build().unwrap();
    within(oauth.login()).await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
        files += 1;
    }
    assert!(files > 0);
    assert_eq!(std::fs::metadata(&folder.0).unwrap().permissions().mode() & 0o077, 0);
}
