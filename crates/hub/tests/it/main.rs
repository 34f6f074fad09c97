//! The hub, as somebody sees who uses it.

#[cfg(test)]
mod search;
