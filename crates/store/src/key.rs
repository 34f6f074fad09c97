//! Where an entry is kept.

use std::fmt;

use crate::error::{StoreError, StoreErrorKind};

/// The longest name of a namespace, in bytes.
const MAX_NAMESPACE: usize = 32;
/// The longest name in a namespace, in bytes.
const MAX_NAME: usize = 512;
/// How many names a page has at most.
const MAX_PAGE: usize = 1000;

/// The place of an entry: a name in a namespace.
///
/// A namespace is what one part of a program calls its own: 1 to 32 of `a`–`z`, `0`–`9`, `-` and `_`. A name is any
/// text of 1 to 512 bytes; whoever has longer ones hashes them.
///
/// ```
/// use bowline_store::Key;
///
/// let key = Key::new("eras", "https://mcp.example.com")?;
/// assert_eq!((key.namespace(), key.name()), ("eras", "https://mcp.example.com"));
/// assert!(Key::new("No Space", "x").is_err());
/// # Ok::<(), bowline_store::StoreError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Both, with a slash between them, which no namespace has.
    text: String,
    name_at: usize,
}

impl Key {
    /// The place of this name in this namespace.
    ///
    /// # Errors
    /// [`StoreErrorKind::Invalid`] where one of the two is not as the type says.
    pub fn new(namespace: &str, name: &str) -> Result<Self, StoreError> {
        check_namespace(namespace)?;
        if name.is_empty() || name.len() > MAX_NAME {
            let message = format!("a name in a store has 1 to {MAX_NAME} bytes, this one {}; hash it", name.len());
            return Err(StoreError::new(StoreErrorKind::Invalid, message));
        }
        Ok(Self { text: format!("{namespace}/{name}"), name_at: namespace.len() + 1 })
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.text.get(..self.name_at.saturating_sub(1)).unwrap_or_default()
    }

    /// The name in it.
    pub fn name(&self) -> &str {
        self.text.get(self.name_at..).unwrap_or_default()
    }

    /// The namespace and the name, with a slash between them.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.text)
    }
}

/// Which names are asked for: those of a namespace that begin with a prefix, a page at a time, in the order of their
/// bytes.
///
/// ```
/// use bowline_store::Names;
///
/// let all = Names::of("search")?;
/// let some = Names::of("search")?.starting_with("git").after("github").limit(10);
/// # Ok::<(), bowline_store::StoreError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    namespace: String,
    prefix: String,
    after: Option<String>,
    limit: usize,
}

impl Names {
    /// All names of a namespace, the first 1,000 of them.
    ///
    /// # Errors
    /// [`StoreErrorKind::Invalid`] for what is no namespace.
    pub fn of(namespace: &str) -> Result<Self, StoreError> {
        check_namespace(namespace)?;
        Ok(Self { namespace: namespace.to_owned(), prefix: String::new(), after: None, limit: MAX_PAGE })
    }

    /// Those that begin with this.
    #[must_use]
    pub fn starting_with(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Those after this name: the last one of the page before.
    #[must_use]
    pub fn after(mut self, name: impl Into<String>) -> Self {
        self.after = Some(name.into());
        self
    }

    /// So many at most; never more than 1,000.
    #[must_use]
    pub fn limit(mut self, names: usize) -> Self {
        self.limit = names.min(MAX_PAGE);
        self
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What the names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name before the first one, where there is one.
    pub fn previous(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// How many names are asked for at most.
    pub const fn page(&self) -> usize {
        self.limit
    }
}

fn check_namespace(namespace: &str) -> Result<(), StoreError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if namespace.is_empty() || namespace.len() > MAX_NAMESPACE || !namespace.bytes().all(fits) {
        let message = format!("a namespace of a store is 1 to {MAX_NAMESPACE} of a-z, 0-9, - and _; rename it");
        return Err(StoreError::new(StoreErrorKind::Invalid, message));
    }
    Ok(())
}
