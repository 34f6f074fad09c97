//! The bounds of a connection.

/// Bounds that keep a connection's memory finite whatever the peer sends.
///
/// ```
/// use bowline_transport::Limits;
///
/// let limits = Limits::default().with_max_frame_bytes(8 << 20);
/// assert_eq!(limits.max_frame_bytes, 8 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest message that is read, in bytes, blanks around it included. Default 64 MiB. A larger one ends the
    /// connection.
    pub max_frame_bytes: usize,
    /// How many requests may be open at once. Default 1,024. Further ones wait.
    pub max_open_exchanges: usize,
    /// How many messages (progress and the like) one exchange keeps for its caller. Default 4,096.
    /// Beyond that the oldest is dropped, and counted; or the exchange fails, as its request says.
    pub max_exchange_queue: usize,
    /// How many bytes of such messages. Default 8 MiB, or one message where that is larger. Beyond that the same.
    pub max_exchange_bytes: usize,
    /// How many unasked messages are kept for the session. Default 256. Beyond that reading pauses.
    pub max_inbound_queue: usize,
    /// How many unsent bytes are kept. Default 1 MiB, or one message where that is larger. Beyond that senders wait.
    pub max_unsent_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_bytes: 64 << 20,
            max_open_exchanges: 1024,
            max_exchange_queue: 4096,
            max_exchange_bytes: 8 << 20,
            max_inbound_queue: 256,
            max_unsent_bytes: 1 << 20,
        }
    }
}

impl Limits {
    /// Sets the largest message that is read, in bytes.
    #[must_use]
    pub const fn with_max_frame_bytes(mut self, bytes: usize) -> Self {
        self.max_frame_bytes = bytes;
        self
    }

    /// Sets how many requests may be open at once; at least one.
    #[must_use]
    pub const fn with_max_open_exchanges(mut self, count: usize) -> Self {
        self.max_open_exchanges = count;
        self
    }

    /// Sets how many messages one exchange keeps for its caller; at least one.
    #[must_use]
    pub const fn with_max_exchange_queue(mut self, count: usize) -> Self {
        self.max_exchange_queue = count;
        self
    }

    /// Sets how many bytes of messages one exchange keeps for its caller.
    #[must_use]
    pub const fn with_max_exchange_bytes(mut self, bytes: usize) -> Self {
        self.max_exchange_bytes = bytes;
        self
    }

    /// Sets how many unasked messages are kept for the session; at least one.
    #[must_use]
    pub const fn with_max_inbound_queue(mut self, count: usize) -> Self {
        self.max_inbound_queue = count;
        self
    }

    /// Sets how many unsent bytes are kept before senders wait.
    #[must_use]
    pub const fn with_max_unsent_bytes(mut self, bytes: usize) -> Self {
        self.max_unsent_bytes = bytes;
        self
    }
}
