//! Tests of the crate from outside.

#[cfg(test)]
mod load;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod slips;
#[cfg(test)]
mod write;
