//! Conversations as they are kept: one file of lines each, in the folder for what this command keeps.

use std::fs::{self, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bowline::llm::{ArtifactLimits, Artifacts, Conversation, ConversationLog, Journal, LogRead};
use bowline::transport::BoxFuture;

use super::shelf::Shelf;
use crate::exit::{CliError, Code};
use crate::sanitize;
use crate::state;

/// How many conversations are kept. The oldest go.
const MOST: usize = 100;
/// The largest file that is read, in bytes.
const MOST_BYTES: u64 = 256 << 20;

/// Where conversations are kept.
#[derive(Debug, Clone)]
pub(super) struct History(PathBuf);

/// The file of one conversation. It is there once something was said. Nobody else writes to it meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) id: String,
    path: PathBuf,
    /// What was kept aside of it, and where that lies.
    artifacts: Artifacts,
    shelf: Shelf,
    writing: Arc<Writing>,
    /// Is locked as long as this is there.
    _lock: Arc<fs::File>,
}

/// What goes into a file. Lines are made ready as the conversation goes on, and written in that order by whichever
/// thread comes first: one that was given up may still be at it.
#[derive(Debug, Default)]
struct Writing {
    lines: Mutex<Lines>,
    /// Is held by the one that writes.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Lines {
    log: ConversationLog,
    /// What is not written yet, and whether it takes the place of what is there.
    bytes: Vec<u8>,
    is_whole: bool,
    /// Why what came before is not there.
    failed: Option<String>,
}

impl History {
    /// The folder of conversations; none where there is no folder for anything.
    pub(super) fn open() -> Option<Self> {
        state::folder().map(|folder| Self(folder.join("chats")))
    }

    /// A file for a new conversation. The oldest make room, but for those that are open.
    ///
    /// # Errors
    /// Where nothing can be written there.
    pub(super) fn begin(&self) -> Result<Kept, CliError> {
        let all = self.all();
        let over = (all.len() + 1).saturating_sub(MOST);
        for id in all.iter().take(over) {
            // One that cannot be removed stays; the next time it is tried again.
            let Ok(open) = self.kept(id) else { continue };
            let _ = fs::remove_file(&open.path);
            open.shelf.remove();
            let _ = fs::remove_file(self.lock(id));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The ids sort by time; those of one second are told apart by their program.
        self.kept(&format!("{:010}-{}", now.as_secs(), std::process::id()))
    }

    /// A conversation that was kept: by its id, or the last one.
    pub(super) fn find(&self, id: &str) -> Result<(Kept, LogRead), CliError> {
        let all = self.all();
        let id = match id {
            "last" => all.last().map(String::as_str),
            id => all.iter().map(String::as_str).find(|known| *known == id),
        };
        let Some(id) = id else {
            let last = all.iter().rev().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
            let hint =
                if last.is_empty() { "none is kept yet".to_owned() } else { format!("the last ones are {last}") };
            return Err(CliError::usage("there is no such conversation").hint(hint));
        };
        let kept = self.kept(id)?;
        let read = kept.read()?;
        kept.shelf.read(&kept.artifacts, &ArtifactLimits::default());
        Ok((kept, read))
    }

    /// The file of a conversation, for this program alone: two would each write over what the other one said.
    fn kept(&self, id: &str) -> Result<Kept, CliError> {
        let fail = |why: std::io::Error| {
            CliError::new(Code::Unexpected, format!("the conversation {id} cannot be kept: {why}"))
                .hint("set BOWLINE_STATE_DIR to a folder that can be written to, or say --no-history")
        };
        fs::create_dir_all(&self.0).map_err(fail)?;
        let lock = fs::File::options().create(true).truncate(false).write(true).open(self.lock(id)).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CliError::usage(format!("the conversation {id} is open in another program"))
                    .hint("end it there, or begin a new one without --resume"));
            }
            // A file system without locks is no reason to keep nothing.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(Kept {
            id: id.to_owned(),
            path: self.path(id),
            artifacts: Artifacts::default(),
            shelf: Shelf::new(self.0.join(format!("{id}.artifacts"))),
            writing: Arc::default(),
            _lock: Arc::new(lock),
        })
    }

    fn lock(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.lock"))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.json"))
    }

    /// The ids, by when something was said last, the oldest first.
    fn all(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut ids: Vec<(SystemTime, String)> = entries
            .filter_map(|entry| {
                let id = entry.file_name().to_str()?.strip_suffix(".json")?.to_owned();
                let is_ours = id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                is_ours.then(|| (entry.metadata().and_then(|of| of.modified()).unwrap_or(UNIX_EPOCH), id))
            })
            .collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id).collect()
    }
}

impl Kept {
    /// What is kept aside of the conversation: a handle to it.
    pub(super) fn artifacts(&self) -> Artifacts {
        self.artifacts.clone()
    }

    fn read(&self) -> Result<LogRead, CliError> {
        let fail = |why: String| {
            CliError::new(Code::Unexpected, format!("the conversation {} cannot be read: {why}", self.id))
                .hint("bowline chat without --resume begins a new one")
        };
        let size = fs::metadata(&self.path).map_err(|error| fail(error.to_string()))?.len();
        if size > MOST_BYTES {
            return Err(fail(format!("its file has {size} bytes")));
        }
        let bytes = fs::read(&self.path).map_err(|error| fail(error.to_string()))?;
        ConversationLog::read(&bytes).map_err(|error| fail(sanitize::excerpt(&error, 200)))
    }

    /// Keeps the conversation as it is now.
    pub(super) async fn keep(&self, conversation: &Conversation) -> Result<(), String> {
        self.writing.add(conversation)?;
        let (path, shelf, artifacts) = (self.path.clone(), self.shelf.clone(), self.artifacts.all());
        let writing = Arc::clone(&self.writing);
        let written = tokio::task::spawn_blocking(move || {
            // What the conversation names is there before it.
            writing.write(&path, || shelf.write(&artifacts))
        });
        written.await.map_err(|error| error.to_string())?
    }
}

impl Journal for Kept {
    fn write<'a>(&'a self, conversation: &'a Conversation) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.keep(conversation))
    }
}

impl Writing {
    /// Makes ready what is new in the conversation.
    fn add(&self, conversation: &Conversation) -> Result<(), String> {
        let mut lines = locked(&self.lines);
        if lines.failed.take().is_some() {
            lines.log.forget();
            lines.bytes.clear();
        }
        let line = lines.log.next(conversation)?;
        if line.is_whole {
            (lines.bytes, lines.is_whole) = (line.bytes, true);
        } else {
            lines.bytes.extend(line.bytes);
        }
        Ok(())
    }

    /// Writes what is ready and not there yet.
    fn write(&self, path: &Path, before: impl FnOnce() -> std::io::Result<()>) -> Result<(), String> {
        let _turn = locked(&self.turn);
        let (bytes, is_whole) = {
            let mut lines = locked(&self.lines);
            if let Some(failed) = &lines.failed {
                return Err(failed.clone());
            }
            (std::mem::take(&mut lines.bytes), std::mem::take(&mut lines.is_whole))
        };
        let written = before().and_then(|()| match (bytes.is_empty(), is_whole) {
            // Another thread was faster.
            (true, _) => Ok(()),
            (false, true) => replace(path, &bytes),
            (false, false) => append(path, &bytes),
        });
        written.map_err(|error| {
            let why = format!("{}: {error}", path.display());
            locked(&self.lines).failed = Some(why.clone());
            why
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a line to a file. One that is cut here is told when it is read.
fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::File::options().append(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Writes a file whole or not at all, for its owner alone: conversations hold what people and servers said.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_conversation_is_found_by_its_id_or_as_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let history = History(folder.path().join("chats"));
        assert!(history.find("last").unwrap_err().hint.unwrap().contains("none is kept yet"));
        let said = |text: &str| {
            let mut conversation = Conversation::new();
            conversation.say(text);
            conversation
        };
        for (id, text) in [("0000000001-7", "old"), ("0000000002-7", "new")] {
            history.kept(id).unwrap().keep(&said(text)).await.unwrap();
        }
        assert_eq!(history.find("last").unwrap().1.conversation, said("new"));
        assert_eq!(history.find("0000000001-7").unwrap().1.conversation, said("old"));
        let error = history.find("../../etc/passwd").unwrap_err();
        assert!(error.hint.unwrap().contains("0000000002-7, 0000000001-7"));
        fs::write(history.path("0000000003-7"), "{").unwrap();
        assert!(history.find("last").unwrap_err().message.contains("cannot be read"));
    }

    #[tokio::test]
    async fn what_is_new_is_added_and_what_an_earlier_program_wrote_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let history = History(folder.path().to_owned());
        let (id, mut conversation) = ("0000000001-7", Conversation::new());
        conversation.say("long ".repeat(10_000));
        // As one JSON, without the end of a line.
        fs::write(history.path(id), serde_json::to_vec(&conversation).unwrap()).unwrap();
        let (kept, read) = history.find(id).unwrap();
        assert_eq!((&read.conversation, read.cut), (&conversation, None));
        let size = || fs::metadata(history.path(id)).unwrap().len();
        kept.keep(&conversation).await.unwrap();
        let before = size();
        for word in ["one", "two"] {
            conversation.say(word);
            kept.keep(&conversation).await.unwrap();
        }
        // The message that became longer is written again, and nothing else.
        assert!(size() > before && size() < 4 * before, "{before} {}", size());
        drop(kept);
        let (kept, read) = history.find(id).unwrap();
        assert_eq!((read.conversation, read.cut), (conversation.clone(), None));
        // A program that was killed while it wrote.
        drop(kept);
        let mut file = fs::File::options().append(true).open(history.path(id)).unwrap();
        file.write_all(b"{\"keep\":1,\"mess").unwrap();
        let (kept, read) = history.find(id).unwrap();
        assert_eq!(read.conversation, conversation);
        assert!(read.cut.unwrap().starts_with("line 4: "));
        // What is written next leaves nothing of it.
        kept.keep(&conversation).await.unwrap();
        drop(kept);
        assert_eq!(history.find(id).unwrap().1.cut, None);
    }

    #[tokio::test]
    async fn after_a_line_that_could_not_be_written_the_whole_is() {
        let folder = tempfile::tempdir().unwrap();
        let history = History(folder.path().to_owned());
        let (id, mut conversation) = ("0000000001-7", Conversation::new());
        let kept = history.kept(id).unwrap();
        conversation.say("one");
        kept.keep(&conversation).await.unwrap();
        // There is nothing to add to.
        fs::remove_file(history.path(id)).unwrap();
        conversation.say("two");
        assert!(kept.keep(&conversation).await.unwrap_err().contains(id));
        conversation.say("three");
        kept.keep(&conversation).await.unwrap();
        drop(kept);
        assert_eq!(history.find(id).unwrap().1.conversation, conversation);
    }

    #[tokio::test]
    async fn no_more_than_a_hundred_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let history = History(folder.path().to_owned());
        for n in 0..MOST + 5 {
            history.kept(&format!("{n:010}-1")).unwrap().keep(&Conversation::new()).await.unwrap();
        }
        history.begin().unwrap();
        assert_eq!(history.all().len(), MOST - 1);
        assert_eq!(history.all()[0], "0000000006-1");
        // One that is open stays.
        let open = history.kept("0000000006-1").unwrap();
        history.kept("0000009999-1").unwrap().keep(&Conversation::new()).await.unwrap();
        history.begin().unwrap();
        assert_eq!(history.all()[0], "0000000006-1");
        drop(open);
    }

    #[tokio::test]
    async fn a_conversation_is_open_in_one_program_at_a_time_and_what_it_kept_aside_comes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let history = History(folder.path().to_owned());
        let kept = history.kept("0000000001-7").unwrap();
        let handle = kept.artifacts().keep("read_log", "text/plain", "long".repeat(10).into()).unwrap();
        kept.keep(&Conversation::new()).await.unwrap();
        let error = history.find("last").unwrap_err();
        assert!(error.message.contains("is open in another program"), "{}", error.message);
        drop(kept);
        let (kept, _) = history.find("last").unwrap();
        assert_eq!(kept.artifacts().get(&handle).unwrap().text().unwrap().len(), 40);
    }
}
