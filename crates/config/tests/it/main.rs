//! Tests of the crate from outside.

mod load;
mod properties;
mod samples;
mod write;
