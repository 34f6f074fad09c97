//! Settings that make no sense are refused when a layer is built.

/// Why the settings of a layer were refused. It names the setting and what it may be.
///
/// ```
/// use bowline_resilience::RetryLayer;
///
/// let refused = RetryLayer::builder().max_attempts(0).build().unwrap_err();
/// assert_eq!(refused.to_string(), "max_attempts is 0, so not even the first attempt is made; set 1 or more");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSetting(String);

impl InvalidSetting {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Refuses unless `holds`.
pub(crate) fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), InvalidSetting> {
    if holds { Ok(()) } else { Err(InvalidSetting::new(what())) }
}
