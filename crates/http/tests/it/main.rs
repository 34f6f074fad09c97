//! Tests against servers on this machine.

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod authorize;
#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
#[cfg(test)]
mod compressed;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod end;
#[cfg(test)]
mod headers;
#[cfg(all(feature = "tls-aws-lc", feature = "http2"))]
#[cfg(test)]
mod http2;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod listen;
#[cfg(test)]
mod modern;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod proxy;
#[cfg(feature = "tls-aws-lc")]
#[cfg(test)]
mod proxy_tunnel;
#[cfg(test)]
mod redirects;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod secrets;
#[cfg(feature = "tls-aws-lc")]
#[cfg(test)]
mod secure;
#[cfg(test)]
mod session;
#[cfg(feature = "tls-aws-lc")]
#[cfg(test)]
mod tls;
