//! Models over HTTP against a provider of the testkit; agents against scripted models, servers of the testkit, and a
//! labelled set of tools.

mod agent;
mod provider;
mod sampling;
mod selection;
