//! Files that are edited while a hub runs.

use std::fs;
use std::path::PathBuf;

use bowline_config::{Resolver, Severity, System};

use super::*;

struct Home {
    folder: tempfile::TempDir,
    hub: Hub,
    watch: ConfigWatch,
}

const CURSOR: &str = "home/.cursor/mcp.json";

fn entries(names: &[&str]) -> String {
    let entry = |name: &&str| format!(r#""{name}":{{"command":"srv"}}"#);
    format!("{{\"mcpServers\":{{{}}}}}", names.iter().map(entry).collect::<Vec<_>>().join(","))
}

impl Home {
    /// A home with one file, and the hub of its servers.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("home/.cursor")).unwrap();
        fs::write(folder.path().join(CURSOR), entries(&["a", "b"])).unwrap();
        let home = folder.path().join("home").to_str().unwrap().to_owned();
        let around = Surroundings::new(System::Linux).with_home(home);
        let hub = Hub::builder().build().unwrap();
        let members = Members::new(Resolver::new(around.clone()));
        let watch = ConfigWatch::start(hub.clone(), members, around, Sources::default()).await.unwrap();
        Self { folder, hub, watch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn members(&self) -> Vec<String> {
        self.hub.status().iter().map(|status| status.name.to_string()).collect()
    }

    /// Waits until the hub has these members, and gives the errors that were told last.
    async fn settle_on(&mut self, members: &[&str], errors: usize) -> Vec<String> {
        let waiting = async {
            loop {
                match self.watch.next().await {
                    Some(ConfigEvent::Reloaded { problems, .. }) => {
                        let worst = problems.iter().filter(|problem| problem.severity == Severity::Error);
                        let told: Vec<String> = worst.map(ToString::to_string).collect();
                        if self.members() == members && told.len() == errors {
                            return told;
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        match tokio::time::timeout(Duration::from_secs(60), waiting).await {
            Ok(told) => told,
            Err(_) => panic!("the hub has {:?} and not {members:?}", self.members()),
        }
    }
}

#[tokio::test]
async fn what_is_written_into_a_file_is_in_the_hub_and_the_rest_is_not_touched() {
    let mut home = Home::new().await;
    home.settle_on(&["a", "b"], 0).await;
    assert_eq!(home.watch.configuration().servers().len(), 2);
    // Written in place.
    fs::write(home.path(CURSOR), entries(&["a", "c"])).unwrap();
    home.settle_on(&["a", "c"], 0).await;
    // Replaced, as editors do.
    fs::write(home.path("home/.cursor/new"), entries(&["a", "d"])).unwrap();
    fs::rename(home.path("home/.cursor/new"), home.path(CURSOR)).unwrap();
    home.settle_on(&["a", "d"], 0).await;
    // And once more, for the file is another one now.
    fs::write(home.path(CURSOR), entries(&["a", "e"])).unwrap();
    home.settle_on(&["a", "e"], 0).await;
    fs::remove_file(home.path(CURSOR)).unwrap();
    home.settle_on(&[], 0).await;
}

#[tokio::test]
async fn a_file_that_breaks_keeps_its_servers_and_says_so() {
    let mut home = Home::new().await;
    home.settle_on(&["a", "b"], 0).await;
    fs::write(home.path(CURSOR), "{").unwrap();
    let told = home.settle_on(&["a", "b"], 1).await;
    assert!(told[0].contains("mcp.json:1:"), "{told:?}");
    fs::write(home.path(CURSOR), entries(&["b"])).unwrap();
    home.settle_on(&["b"], 0).await;
}

#[tokio::test]
async fn a_file_in_a_folder_that_was_not_there_is_seen_and_so_is_one_in_a_folder_that_came_again() {
    let mut home = Home::new().await;
    home.settle_on(&["a", "b"], 0).await;
    let own = "home/.config/bowline/bowline.toml";
    fs::create_dir_all(home.path(own).parent().unwrap()).unwrap();
    fs::write(home.path(own), "[servers.z]\ncommand = 'srv'\n").unwrap();
    home.settle_on(&["a", "b", "z"], 0).await;
    fs::remove_dir_all(home.path("home/.cursor")).unwrap();
    home.settle_on(&["z"], 0).await;
    fs::create_dir_all(home.path("home/.cursor")).unwrap();
    fs::write(home.path(CURSOR), entries(&["y"])).unwrap();
    home.settle_on(&["y", "z"], 0).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_behind_a_link_is_watched_where_it_is() {
    let mut home = Home::new().await;
    home.settle_on(&["a", "b"], 0).await;
    fs::create_dir_all(home.path("dotfiles")).unwrap();
    fs::write(home.path("dotfiles/mcp.json"), entries(&["k"])).unwrap();
    fs::remove_file(home.path(CURSOR)).unwrap();
    std::os::unix::fs::symlink(home.path("dotfiles/mcp.json"), home.path(CURSOR)).unwrap();
    home.settle_on(&["k"], 0).await;
    fs::write(home.path("dotfiles/mcp.json"), entries(&["l"])).unwrap();
    home.settle_on(&["l"], 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_written_all_the_time_is_waited_for_and_not_for_ever() {
    let dirty = Arc::new(Notify::new());
    let writer = Arc::clone(&dirty);
    let writing = tokio::spawn(async move {
        loop {
            writer.notify_one();
            tokio::time::sleep(QUIET / 2).await;
        }
    });
    let began = Instant::now();
    settle(&dirty).await;
    assert!(began.elapsed() >= MOST_PATIENCE && began.elapsed() < MOST_PATIENCE + QUIET, "{:?}", began.elapsed());
    writing.abort();
    let _ = writing.await;
    let began = Instant::now();
    settle(&dirty).await;
    assert!(began.elapsed() <= QUIET * 2);
}
