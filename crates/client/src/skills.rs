//! Skills: listed without being read, and verified before anything of them is handed out.
//!
//! Specification: extension `io.modelcontextprotocol/skills` (SEP-2640), sections on skill entries, integrity and
//! verification.

mod contents;
mod front_matter;
mod loaded;
mod verify;

use std::fmt;
use std::future::IntoFuture;

use bowline_protocol::{GetSkillRequestParams, GetSkillResult, RawJson, Skill, excerpt, method};
use bowline_transport::{BoxFuture, Sent};

pub use self::loaded::{LoadedSkill, SkillFile};

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::pages::Pages;

impl Client {
    /// The skills that the server lists, across all pages (`skills/list`). No file of them is read.
    ///
    /// Servers need not list all that they have: [`skill`](Self::skill) finds one by its URI alone. An entry that says
    /// nothing of its files is left out, and among the [`Pages::problems`].
    ///
    /// ```
    /// use bowline_client::{Client, Error};
    ///
    /// async fn use_one(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut skills = client.skills();
    ///     while let Some(skill) = skills.next().await {
    ///         let skill = skill?;
    ///         println!("{}: {}", skill.name(), skill.description());
    ///         // Ask the person; then, and not before:
    ///         let loaded = client.load_skill(&skill).await?;
    ///         println!("{}", loaded.instructions());
    ///         let form = loaded.read("references/FORMS.md").await?;
    ///         println!("{}", form.text().unwrap_or("no text"));
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn skills(&self) -> Pages<Skill> {
        Pages::new(self.clone())
    }

    /// The entry of one skill as it is now, by the URI of its `SKILL.md` (`skills/get`). No file of it is read.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server does not declare the extension, [`ErrorKind::Protocol`] where it
    /// answers with the entry of another skill; else as for any request.
    ///
    /// # Cancel safety
    /// Dropping the future tells the server.
    pub async fn skill(&self, uri: impl Into<String>) -> Result<Skill, Error> {
        let params = GetSkillRequestParams::new(uri);
        let encoded = RawJson::from_serialize(&params)
            .map_err(|e| Error::new(ErrorKind::Config, format!("the parameters cannot be json: {e}")))?;
        let mut call = Call { method: method::SKILLS_GET.into(), params: Some(encoded), ..Call::default() };
        let result: GetSkillResult = self.run(&mut call).await?;
        if result.skill.uri == params.uri {
            return Ok(result.skill);
        }
        let (asked, given) = (excerpt(&params.uri, 200), excerpt(&result.skill.uri, 200));
        let what = format!("asked for the skill \"{asked}\", and the server gave the entry of \"{given}\"");
        Err(Error::new(ErrorKind::Protocol, what).with_method(method::SKILLS_GET).with_sent(Sent::Yes))
    }

    /// Reads the `SKILL.md` of a skill and verifies it against the entry: size, digest and front matter. Its other files
    /// are read, and verified, when they are asked for.
    ///
    /// Whoever asks a person for consent does so before, for this entry: what is loaded is what the entry says, or an
    /// error.
    pub fn load_skill(&self, entry: &Skill) -> LoadSkill {
        LoadSkill {
            client: self.clone(),
            entry: entry.clone(),
            allow_dynamic: false,
            max_files: LoadSkill::MAX_FILES,
            max_bytes: LoadSkill::MAX_BYTES,
        }
    }
}

/// A skill that is loaded when this is awaited; made by [`Client::load_skill`].
///
/// # Errors
/// - [`ErrorKind::Verification`] where `SKILL.md` is not what the entry says, with the check that failed and both values;
///   where the entry is wrong in itself, beyond the limits, or says nothing of the files
///   ([`allow_dynamic`](Self::allow_dynamic)).
/// - Else as for [`Client::read`].
///
/// # Cancel safety
/// Dropping the future cancels the reading.
#[must_use = "nothing is read until it is awaited"]
pub struct LoadSkill {
    client: Client,
    entry: Skill,
    allow_dynamic: bool,
    max_files: usize,
    max_bytes: u64,
}

impl LoadSkill {
    /// As many files and bytes as every host has to take.
    const MAX_FILES: usize = 512;
    const MAX_BYTES: u64 = 16 << 20;

    /// Sets whether a skill may be loaded whose content the server makes anew for each read: of that nothing but the
    /// front matter can be verified, and a person's consent covers none of what comes later. Default: no.
    pub const fn allow_dynamic(mut self, allow: bool) -> Self {
        self.allow_dynamic = allow;
        self
    }

    /// Sets how many files a skill may have. Default: 512, which servers may count on.
    pub const fn max_files(mut self, files: usize) -> Self {
        self.max_files = files;
        self
    }

    /// Sets how many bytes all files of a skill may have together. Default: 16 MiB, which servers may count on.
    ///
    /// Of a skill whose files are not known in advance, it is what may be read of it.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// What speaks against the entry, before anything is read.
    fn check(&self) -> Result<(), String> {
        self.entry.check().map_err(|error| error.to_string())?;
        if self.entry.resources.is_dynamic() && !self.allow_dynamic {
            return Err(
                "its content is made anew for each read, so it cannot be verified; allow_dynamic(true) loads it \
                        all the same"
                    .to_owned(),
            );
        }
        let (files, bytes) = (self.entry.resources.files().len(), self.entry.total_size());
        if files > self.max_files {
            return Err(format!("it has {files} files, the limit is {}; raise max_files to load it", self.max_files));
        }
        if bytes > self.max_bytes {
            return Err(format!("it has {bytes} bytes, the limit is {}; raise max_bytes to load it", self.max_bytes));
        }
        Ok(())
    }
}

impl IntoFuture for LoadSkill {
    type Output = Result<LoadedSkill, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.check().map_err(|why| {
                let uri = excerpt(&self.entry.uri, 200);
                Error::new(ErrorKind::Verification, format!("the skill \"{uri}\" is not loaded: {why}"))
            })?;
            LoadedSkill::load(self.client, self.entry, self.max_bytes).await
        })
    }
}

impl fmt::Debug for LoadSkill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadSkill").field("uri", &excerpt(&self.entry.uri, 200)).finish_non_exhaustive()
    }
}
