//! Models over HTTP against a provider of the testkit; agents against scripted models, servers of the testkit, and a
//! labelled set of tools.

#[cfg(test)]
mod agent;
#[cfg(test)]
mod lower;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod sampling;
#[cfg(test)]
mod selection;
