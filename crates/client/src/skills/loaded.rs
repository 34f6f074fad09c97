//! A skill that is in use.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bowline_protocol::{Skill, excerpt, method};
use bowline_transport::Sent;

use super::contents::{self, Contents};
use super::{front_matter, verify};
use crate::client::Client;
use crate::error::{Error, ErrorKind};

/// A skill whose `SKILL.md` was read and is what the entry says; made by [`Client::load_skill`].
///
/// It holds the entry: files are read only if the entry lists them, each is verified, and once one is not what the entry
/// says, no further one is. The way on is [`Client::skill`] for the entry as it is now, another consent, and another
/// loading.
///
/// What a skill says is the server's word and untrusted, whatever its digest: that shows that entry and content belong
/// together, and nothing more. The book has a chapter on what a host owes its user.
pub struct LoadedSkill {
    client: Client,
    entry: Skill,
    text: String,
    /// Where the text behind the front matter begins.
    body: usize,
    max_bytes: u64,
    /// How much was read of files of which the entry says nothing.
    read: AtomicU64,
    /// Why the skill was given up.
    failed: OnceLock<String>,
}

/// A file of a skill, verified.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkillFile {
    /// Its URI.
    pub uri: String,
    /// Its media type, as the server says.
    pub mime_type: Option<String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl SkillFile {
    /// The file as text; none where it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

impl fmt::Debug for SkillFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SkillFile")
            .field("uri", &excerpt(&self.uri, 200))
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl LoadedSkill {
    pub(super) async fn load(client: Client, entry: Skill, max_bytes: u64) -> Result<Self, Error> {
        let mut this = Self {
            client,
            entry,
            text: String::new(),
            body: 0,
            max_bytes,
            read: AtomicU64::new(0),
            failed: OnceLock::new(),
        };
        let uri = this.entry.uri.clone();
        let judge = |contents: &Contents| {
            let text = std::str::from_utf8(&contents.bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
            Ok(text.len() - front_matter::compare(text, &this.entry.frontmatter)?.len())
        };
        let (contents, body) = this.fetch(&uri, judge).await?;
        // It was judged as text.
        this.text = String::from_utf8(contents.bytes).unwrap_or_default();
        this.body = body;
        Ok(this)
    }

    /// The entry that the skill was loaded by.
    pub const fn entry(&self) -> &Skill {
        &self.entry
    }

    /// The whole of `SKILL.md`, front matter and all.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What `SKILL.md` says behind its front matter: the instructions for a model.
    pub fn instructions(&self) -> &str {
        self.text.get(self.body..).unwrap_or_default()
    }

    /// Reads a file of the skill, by its path in the skill's directory or its URI, and verifies it.
    ///
    /// # Errors
    /// - [`ErrorKind::Verification`] where the entry does not list the file, and then nothing is sent; where the file is
    ///   not what the entry says, with the check that failed and both values; and ever after that.
    /// - Else as for [`Client::read`].
    ///
    /// # Cancel safety
    /// Dropping the future cancels the reading.
    pub async fn read(&self, path: &str) -> Result<SkillFile, Error> {
        if let Some(why) = self.failed.get() {
            let what = format!("the skill was given up, nothing more of it is read: {why}");
            return Err(Error::new(ErrorKind::Verification, what));
        }
        let listed = |uri: &String| self.entry.resources.is_dynamic() || self.entry.resource(uri).is_some();
        let Some(uri) = self.entry.resolve(path).filter(listed) else {
            let (path, uri) = (excerpt(path, 200), excerpt(&self.entry.uri, 200));
            let what = format!("\"{path}\" is no file that the entry of \"{uri}\" lists; see Skill::resources");
            return Err(Error::new(ErrorKind::Verification, what));
        };
        let (Contents { bytes, mime_type }, ()) = self.fetch(&uri, |_| Ok(())).await?;
        Ok(SkillFile { uri, mime_type, bytes })
    }

    /// Reads and verifies a file, and gives the skill up where it is not what it has to be.
    async fn fetch<T>(
        &self,
        uri: &str,
        judge: impl Fn(&Contents) -> Result<T, String>,
    ) -> Result<(Contents, T), Error> {
        let may_be_kept = self.client.cache_stats().is_some();
        let mut judged = self.fetch_once(uri, false, &judge).await?;
        if judged.is_err() && may_be_kept {
            // What was kept from before may be older than the entry (lazy retrieval).
            judged = self.fetch_once(uri, true, &judge).await?;
        }
        judged.map_err(|why| {
            let what = format!(
                "\"{}\" is not what the skill's entry says: {why}; get the entry anew with Client::skill, and consent to it",
                excerpt(uri, 200)
            );
            let why = self.failed.get_or_init(|| what.clone());
            tracing::warn!(%why, "a skill is given up");
            Error::new(ErrorKind::Verification, what).with_method(method::RESOURCES_READ).with_sent(Sent::Yes)
        })
    }

    async fn fetch_once<T>(
        &self,
        uri: &str,
        fresh: bool,
        judge: impl Fn(&Contents) -> Result<T, String>,
    ) -> Result<Result<(Contents, T), String>, Error> {
        let request = self.client.read(uri);
        let result = if fresh { request.fresh().await? } else { request.await? };
        Ok(contents::of(uri, result).and_then(|contents| {
            self.verify(uri, &contents.bytes)?;
            let judged = judge(&contents)?;
            Ok((contents, judged))
        }))
    }

    fn verify(&self, uri: &str, bytes: &[u8]) -> Result<(), String> {
        if let Some(file) = self.entry.resource(uri) {
            return verify::file(file, bytes);
        }
        // What is made anew for each read has no size in advance.
        let length = bytes.len() as u64;
        let so_far = self.read.fetch_add(length, Ordering::Relaxed).saturating_add(length);
        if so_far > self.max_bytes {
            return Err(format!("its files have more than {} bytes together", self.max_bytes));
        }
        Ok(())
    }
}

impl fmt::Debug for LoadedSkill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedSkill")
            .field("uri", &excerpt(&self.entry.uri, 200))
            .field("failed", &self.failed.get())
            .finish_non_exhaustive()
    }
}
