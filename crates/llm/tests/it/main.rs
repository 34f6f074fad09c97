//! Agents against scripted models, servers of the testkit, and a labelled set of tools.

mod agent;
mod lower;
mod sampling;
mod selection;
