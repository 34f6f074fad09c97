//! The mock server, its misbehaviour, scripted peers, listeners and the transport contract, from the outside.

#[cfg(all(test, feature = "auth"))]
mod authority;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod misbehaviour;
#[cfg(test)]
mod modern;
#[cfg(all(test, feature = "http"))]
mod modern_http;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod script;
#[cfg(test)]
mod server;
#[cfg(test)]
#[cfg(feature = "socket")]
mod sockets;
#[cfg(test)]
mod tasks;
#[cfg(test)]
#[cfg(feature = "websocket")]
mod websockets;
#[cfg(test)]
mod wrappers;
