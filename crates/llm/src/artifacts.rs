//! What is too long, or of no kind that the model takes: kept aside, to be read in pages.

mod page;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

pub use self::page::Page;

use crate::{Keep, Kept, KeptBody};

/// How much is kept aside. Made by [`default`](Self::default).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactLimits {
    /// How many artifacts. Default: 64.
    pub count: usize,
    /// How many bytes all of them have together, and so the largest. Default: 128 MiB.
    pub bytes: usize,
    /// How many bytes a page of text has at most. Default: 16 KiB.
    pub page_bytes: usize,
}

impl Default for ArtifactLimits {
    fn default() -> Self {
        Self { count: 64, bytes: 128 << 20, page_bytes: 16 << 10 }
    }
}

impl ArtifactLimits {
    /// Sets how many artifacts are kept.
    #[must_use]
    pub const fn with_count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Sets how many bytes are kept in all.
    #[must_use]
    pub const fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets how many bytes a page has at most; 256 at least.
    #[must_use]
    pub const fn with_page_bytes(mut self, bytes: usize) -> Self {
        self.page_bytes = if bytes < 256 { 256 } else { bytes };
        self
    }
}

/// Something that was kept aside. A clone is cheap.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// What it is asked for by: `artifact-` and a number that nobody can guess, so that who does not know it cannot read
    /// it, and none of an earlier program stands for another thing.
    pub handle: Arc<str>,
    /// Whose result it is of: the name of the tool.
    pub tool: Arc<str>,
    /// Its MIME type, such as `text/plain`.
    pub mime: Arc<str>,
    /// The content. A text is UTF-8.
    pub content: Bytes,
}

impl Artifact {
    /// One that was kept before, perhaps by another program, with the handle that it had.
    pub fn new(
        handle: impl Into<Arc<str>>,
        tool: impl Into<Arc<str>>,
        mime: impl Into<Arc<str>>,
        content: impl Into<Bytes>,
    ) -> Self {
        Self { handle: handle.into(), tool: tool.into(), mime: mime.into(), content: content.into() }
    }

    /// The content, where it is a text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.content).ok()
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handle, tool, mime, content } = self;
        write!(f, "Artifact({handle}, of {tool}, {mime}, {} bytes)", content.len())
    }
}

/// Artifacts of one conversation, bounded in number and bytes: the oldest make room. A clone is a handle to the same.
///
/// ```
/// use bowline_llm::{ArtifactLimits, Artifacts};
///
/// let artifacts = Artifacts::new(ArtifactLimits::default().with_page_bytes(256));
/// let handle = artifacts.keep("read_log", "text/plain", "a line\n".repeat(100).into()).unwrap();
/// let page = artifacts.page(&handle, 0).unwrap();
/// assert!(page.text.starts_with("a line\n") && page.next.is_some());
/// assert!(artifacts.page("artifact-unknown", 0).is_err());
/// ```
#[derive(Clone, Default)]
pub struct Artifacts(Arc<Mutex<Room>>);

#[derive(Default)]
struct Room {
    limits: ArtifactLimits,
    all: VecDeque<Artifact>,
    bytes: usize,
    /// Where handles are drawn from.
    draw: RandomState,
    given: u64,
}

impl Room {
    /// Adds the newest; the oldest make room. `false` where there cannot be enough.
    fn add(&mut self, artifact: Artifact) -> bool {
        let ArtifactLimits { count, bytes, .. } = self.limits;
        let size = artifact.content.len();
        if size > bytes || count == 0 {
            return false;
        }
        while self.all.len() >= count || self.bytes + size > bytes {
            let Some(oldest) = self.all.pop_front() else { break };
            self.bytes -= oldest.content.len();
        }
        self.bytes += size;
        self.all.push_back(artifact);
        true
    }
}

impl Artifacts {
    /// Room for artifacts.
    pub fn new(limits: ArtifactLimits) -> Self {
        Self(Arc::new(Mutex::new(Room { limits, ..Room::default() })))
    }

    fn kept(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps something, and gives its handle; none where it alone is larger than all may be.
    pub fn keep(&self, tool: &str, mime: &str, content: Bytes) -> Option<Arc<str>> {
        let mut kept = self.kept();
        kept.given += 1;
        let handle: Arc<str> = format!("artifact-{:016x}", kept.draw.hash_one(kept.given)).into();
        kept.add(Artifact { handle: Arc::clone(&handle), tool: tool.into(), mime: mime.into(), content })
            .then_some(handle)
    }

    /// Puts something back that was kept before, such as by a program that ended. `false` where it alone is larger than
    /// all may be.
    pub fn put(&self, artifact: Artifact) -> bool {
        let mut kept = self.kept();
        if let Some(at) = kept.all.iter().position(|known| known.handle == artifact.handle)
            && let Some(known) = kept.all.remove(at)
        {
            kept.bytes -= known.content.len();
        }
        kept.add(artifact)
    }

    /// What is kept, the oldest first.
    pub fn all(&self) -> Vec<Artifact> {
        self.kept().all.iter().cloned().collect()
    }

    /// One of them, if it is still kept.
    pub fn get(&self, handle: &str) -> Option<Artifact> {
        self.kept().all.iter().find(|artifact| *artifact.handle == *handle).cloned()
    }

    /// The page of a text that begins at this byte.
    ///
    /// # Errors
    /// What to tell the model: that nothing is kept by this handle any more, that it is no text, or that it ends before.
    pub fn page(&self, handle: &str, offset: usize) -> Result<Page, String> {
        let (artifact, most) = (self.known(handle)?, self.kept().limits.page_bytes);
        page::at(&artifact, offset, most)
    }

    /// The places of a text that hold these words, ASCII letters in capitals or not, as many as a page holds: lines, and
    /// of long ones what is around the words.
    ///
    /// # Errors
    /// As for [`page`](Self::page).
    pub fn find(&self, handle: &str, words: &str) -> Result<Page, String> {
        let (artifact, most) = (self.known(handle)?, self.kept().limits.page_bytes);
        page::of_lines(&artifact, words, most)
    }

    fn known(&self, handle: &str) -> Result<Artifact, String> {
        self.get(handle).ok_or_else(|| gone(handle))
    }
}

/// What to tell the model of a handle by which nothing is kept.
pub(crate) fn gone(handle: &str) -> String {
    format!("no artifact {} is kept any more; call its tool again", bowline_protocol::excerpt(handle, 60))
}

/// Keeps what is too long of the results of one tool.
pub(crate) struct KeepFor<'a> {
    artifacts: &'a Artifacts,
    tool: &'a str,
}

impl<'a> KeepFor<'a> {
    pub(crate) const fn new(artifacts: &'a Artifacts, tool: &'a str) -> Self {
        Self { artifacts, tool }
    }
}

impl Keep for KeepFor<'_> {
    fn keep(&self, thing: Kept<'_>) -> Option<String> {
        let content = match thing.body {
            KeptBody::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            // What is no base64 is kept as it came: a person may make something of it.
            KeptBody::Base64(text) => match STANDARD.decode(text) {
                Ok(bytes) => bytes.into(),
                Err(_) => Bytes::copy_from_slice(text.as_bytes()),
            },
        };
        self.artifacts.keep(self.tool, thing.mime_type, content).map(|handle| handle.to_string())
    }
}

impl fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept();
        f.debug_struct("Artifacts").field("all", &kept.all).field("bytes", &kept.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_and_what_is_larger_than_all_is_not_kept() {
        let artifacts = Artifacts::new(ArtifactLimits::default().with_count(3).with_bytes(100));
        assert_eq!(artifacts.keep("t", "text/plain", vec![b'a'; 101].into()), None);
        for _ in 0..5 {
            artifacts.keep("t", "text/plain", vec![b'a'; 10].into()).unwrap();
        }
        assert_eq!(artifacts.all().len(), 3);
        let oldest = Arc::clone(&artifacts.all()[0].handle);
        artifacts.keep("t", "text/plain", vec![b'a'; 95].into()).unwrap();
        assert_eq!(artifacts.all().len(), 1);
        assert!(artifacts.get(&oldest).is_none());
        assert_eq!(artifacts.kept().bytes, 95);
    }

    #[test]
    fn what_another_program_kept_is_put_back_under_its_handle() {
        let artifacts = Artifacts::new(ArtifactLimits::default().with_bytes(10));
        let one = |content: &'static str| Artifact::new("artifact-a1", "t", "text/plain", content);
        assert!(artifacts.put(one("eight...")) && artifacts.put(one("five.")));
        assert_eq!((artifacts.all().len(), artifacts.kept().bytes), (1, 5));
        assert!(!artifacts.put(one("more than ten")));
        assert_eq!((artifacts.all().len(), artifacts.kept().bytes), (0, 0), "what it stood for is not there any more");
    }

    #[test]
    fn pages_join_to_the_whole_and_never_split_a_character() {
        let artifacts = Artifacts::new(ArtifactLimits::default().with_page_bytes(256));
        let whole = "häßlich 日本語\n".repeat(200) + &"日".repeat(500);
        let handle = artifacts.keep("t", "text/plain", whole.clone().into()).unwrap();
        let (mut joined, mut next) = (String::new(), Some(0));
        while let Some(offset) = next {
            let page = artifacts.page(&handle, offset).unwrap();
            assert!(page.text.len() <= 256 && !page.text.is_empty());
            joined.push_str(&page.text);
            next = page.next;
        }
        assert_eq!(joined, whole);
        // A model may ask for any place.
        for offset in 0..40 {
            artifacts.page(&handle, offset).unwrap();
        }
        assert!(artifacts.page(&handle, whole.len() + 1).unwrap_err().contains("ends at byte"));
    }

    #[test]
    fn lines_are_found_with_their_places() {
        let artifacts = Artifacts::default();
        let handle = artifacts.keep("t", "text/plain", "one\nTwo here\nthree\ntwo there\n".into()).unwrap();
        let page = artifacts.find(&handle, "two").unwrap();
        assert_eq!(page.text, "4: Two here\n19: two there\n");
        assert!(artifacts.find(&handle, "").is_err());
        // The usual large result has no lines.
        let long = format!("{}needle{}", "日x".repeat(10_000), "y".repeat(10_000));
        let handle = artifacts.keep("t", "text/plain", long.into()).unwrap();
        let page = artifacts.find(&handle, "NEEDLE").unwrap();
        assert!(page.text.contains("needle") && page.text.len() < 600 && page.text.starts_with("398"), "{}", page.text);
    }

    #[test]
    fn what_is_no_text_is_described() {
        let artifacts = Artifacts::default();
        let handle = artifacts.keep("t", "image/png", vec![0xff, 0xd8].into()).unwrap();
        let error = artifacts.page(&handle, 0).unwrap_err();
        assert!(error.contains("image/png") && error.contains("2 bytes"), "{error}");
        let error = artifacts.page("artifact-7", 0).unwrap_err();
        assert!(error.contains("any more") && !error.contains(&*handle), "{error}");
    }
}
