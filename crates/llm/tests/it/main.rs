//! Agents against scripted models, servers of the testkit, and a labelled set of tools.

mod agent;
mod sampling;
mod selection;
