//! A hub that is kept as configuration files say.

mod eyes;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline_client::Error;
use bowline_config::{Configuration, Problem, Sources, Surroundings};
use bowline_hub::{Hub, Reloaded};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use self::eyes::Eyes;
use super::Members;

/// How long files have to be left alone before they are read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(100);
/// How long a file that is written all the time is waited for.
const MOST_PATIENCE: Duration = Duration::from_secs(2);
/// How many events wait for a reader.
const EVENTS: usize = 64;

/// Keeps a [`Hub`] as configuration files say, while they are edited.
///
/// The folders of all files are watched, those too that are not there yet. Once files have been left alone for 100 ms
/// they are read again, and the hub is told of its members: only those whose entry is another one are touched. A file
/// that breaks goes on to say what it said (see [`Configuration::load_again`]). Files that texts of an entry name
/// (`env_file`, `${file:…}`) are not watched; they are read with each connection.
///
/// Dropping it ends the watch and leaves the hub as it is.
///
/// ```no_run
/// use bowline::config::{Resolver, Sources, Surroundings};
/// use bowline::hub::Hub;
/// use bowline::{ConfigEvent, ConfigWatch, Members};
///
/// # async fn run() -> Result<(), bowline::Error> {
/// let around = Surroundings::of_process();
/// let hub = Hub::builder().build()?;
/// let members = Members::new(Resolver::new(around.clone()));
/// let mut watch = ConfigWatch::start(hub.clone(), members, around, Sources::default()).await?;
/// while let Some(event) = watch.next().await {
///     if let ConfigEvent::Reloaded { problems, .. } = event {
///         problems.iter().for_each(|problem| eprintln!("{problem}"));
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ConfigWatch {
    events: mpsc::Receiver<ConfigEvent>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What a [`ConfigWatch`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigEvent {
    /// The files were read, and the hub is as they say. The first one is told at the start.
    Reloaded {
        /// What became of the members.
        members: Reloaded,
        /// All that is wrong with the files now.
        problems: Vec<Problem>,
    },
    /// A folder cannot be watched: what changes in it is seen at the next change elsewhere.
    Blind {
        /// The folder, and why.
        why: String,
    },
    /// The hub took none of the members, and is as it was.
    Refused {
        /// Why.
        error: Error,
    },
    /// So many events came faster than they were taken.
    Lagged(u64),
}

#[derive(Debug)]
struct Shared {
    config: Mutex<Arc<Configuration>>,
    lagged: AtomicU64,
}

impl Shared {
    fn config(&self) -> Arc<Configuration> {
        Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ConfigWatch {
    /// Reads the files, gives the hub their servers as members, and watches from then on. Members of the hub that no file
    /// names are removed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where this system lets nothing be watched. That single folders
    /// cannot be is an event.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the hub with some of the members, and nothing is watched.
    pub async fn start(hub: Hub, members: Members, around: Surroundings, sources: Sources) -> Result<Self, Error> {
        let dirty = Arc::new(Notify::new());
        let told = Arc::clone(&dirty);
        let eyes = Eyes::open(move || told.notify_one())
            .map_err(|error| crate::target::config(format!("files cannot be watched here: {error}")))?;
        let (tell, events) = mpsc::channel(EVENTS);
        let shared = Arc::new(Shared { config: Mutex::default(), lagged: AtomicU64::new(0) });
        let mut keeper =
            Keeper { hub, members, around, sources, eyes: Some(eyes), tell, shared: Arc::clone(&shared), told: None };
        keeper.reload().await;
        let task = tokio::spawn(async move {
            loop {
                dirty.notified().await;
                settle(&dirty).await;
                keeper.reload().await;
            }
        });
        Ok(Self { events, shared, task })
    }

    /// The next event. It never ends by itself.
    ///
    /// # Cancel safety
    /// No event is lost.
    pub async fn next(&mut self) -> Option<ConfigEvent> {
        match self.shared.lagged.swap(0, Ordering::Relaxed) {
            0 => self.events.recv().await,
            lagged => Some(ConfigEvent::Lagged(lagged)),
        }
    }

    /// The configuration as it was last read.
    pub fn configuration(&self) -> Arc<Configuration> {
        self.shared.config()
    }
}

impl Drop for ConfigWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until nothing has happened for a while.
async fn settle(dirty: &Notify) {
    let latest = Instant::now() + MOST_PATIENCE;
    while timeout_at(latest.min(Instant::now() + QUIET), dirty.notified()).await.is_ok() && Instant::now() < latest {}
}

/// What the task of a watch holds.
struct Keeper {
    hub: Hub,
    members: Members,
    around: Surroundings,
    sources: Sources,
    /// None while they are with a thread that may wait.
    eyes: Option<Eyes>,
    tell: mpsc::Sender<ConfigEvent>,
    shared: Arc<Shared>,
    /// The problems that were told last; none before the first time.
    told: Option<Vec<Problem>>,
}

impl Keeper {
    async fn reload(&mut self) {
        let Some(mut eyes) = self.eyes.take() else { return };
        let (around, sources, before) = (self.around.clone(), self.sources.clone(), self.shared.config());
        let read = tokio::task::spawn_blocking(move || {
            // Watched first, so that what changes in between is not missed.
            let mut blind = eyes.follow(&around, &before);
            let config = before.load_again(&around, &sources);
            blind.extend(eyes.follow(&around, &config));
            (eyes, config, blind)
        });
        // It is over where the runtime ends.
        let Ok((eyes, config, blind)) = read.await else { return };
        self.eyes = Some(eyes);
        for why in blind {
            self.tell(ConfigEvent::Blind { why });
        }
        let members = match self.hub.reload(self.members.of(&config)) {
            Ok(members) => members,
            // Names of a configuration are there once, so this is a hub that was closed, or the like.
            Err(error) => return self.tell(ConfigEvent::Refused { error }),
        };
        let problems = config.problems().to_vec();
        *self.shared.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        // Some hosts write their file all the time, for what is nothing to us.
        let Reloaded { added, removed, replaced, refused, .. } = &members;
        let is_same = added.is_empty() && removed.is_empty() && replaced.is_empty() && refused.is_empty();
        if !is_same || self.told.as_ref() != Some(&problems) {
            self.told = Some(problems.clone());
            self.tell(ConfigEvent::Reloaded { members, problems });
        }
    }

    fn tell(&self, event: ConfigEvent) {
        if self.tell.try_send(event).is_err() {
            self.shared.lagged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
