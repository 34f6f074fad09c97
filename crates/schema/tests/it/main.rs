//! Schemas and values as a server may send them.

mod bounds;
mod dialects;
mod properties;
mod references;
