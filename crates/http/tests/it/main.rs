//! Tests against servers on this machine.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod authorize;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod end;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod listen;
#[cfg(test)]
mod modern;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod redirects;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod session;
#[cfg(feature = "tls-aws-lc")]
#[cfg(test)]
mod tls;
