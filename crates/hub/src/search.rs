//! Search over the tools of all members.
