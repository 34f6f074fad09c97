//! How much a schema, a value and a check may cost.

/// The bounds of a [`Validator`](crate::Validator): basic/index asks for some, since a server's schema may be made to
/// cost.
///
/// ```
/// use bowline_schema::Limits;
///
/// let strict = Limits::default().with_work(100_000);
/// assert!(strict.work < Limits::default().work);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest schema, in bytes. Default: 1 MiB. It holds for each given document as well.
    pub schema_bytes: usize,
    /// How deep schema and value may nest. Default: 96 levels. No more than 127 have an effect: that is where reading
    /// ends.
    pub depth: usize,
    /// How many subschemas schema and given documents may have together. Default: 5,000.
    pub subschemas: usize,
    /// How many regular expressions they may have together. Default: 256.
    pub patterns: usize,
    /// The longest value, in bytes. Default: 16 MiB.
    pub value_bytes: usize,
    /// How many steps a check may take: a subschema applied to a value is one, and so is each member, element and
    /// byte of text that it looks at. Default: 4,000,000, which is well below a second.
    pub work: u64,
    /// How much stack a check may use, in bytes. Default: 512 KiB.
    pub stack_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            schema_bytes: 1 << 20,
            depth: 96,
            subschemas: 5_000,
            patterns: 256,
            value_bytes: 16 << 20,
            work: 4_000_000,
            stack_bytes: 512 << 10,
        }
    }
}

impl Limits {
    /// Sets [`schema_bytes`](Self::schema_bytes).
    #[must_use]
    pub const fn with_schema_bytes(mut self, bytes: usize) -> Self {
        self.schema_bytes = bytes;
        self
    }

    /// Sets [`depth`](Self::depth).
    #[must_use]
    pub const fn with_depth(mut self, levels: usize) -> Self {
        self.depth = levels;
        self
    }

    /// Sets [`subschemas`](Self::subschemas).
    #[must_use]
    pub const fn with_subschemas(mut self, count: usize) -> Self {
        self.subschemas = count;
        self
    }

    /// Sets [`patterns`](Self::patterns).
    #[must_use]
    pub const fn with_patterns(mut self, count: usize) -> Self {
        self.patterns = count;
        self
    }

    /// Sets [`value_bytes`](Self::value_bytes).
    #[must_use]
    pub const fn with_value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = bytes;
        self
    }

    /// Sets [`work`](Self::work).
    #[must_use]
    pub const fn with_work(mut self, steps: u64) -> Self {
        self.work = steps;
        self
    }

    /// Sets [`stack_bytes`](Self::stack_bytes).
    #[must_use]
    pub const fn with_stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = bytes;
        self
    }
}
