//! "Did you mean": the nearest known name.

pub(crate) use bowline::hub::nearest;

/// The hint that goes with an unknown name.
pub(crate) fn did_you_mean<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(typed, candidates).map(|name| format!("did you mean `{name}`?"))
}
