//! A small server with one of everything: what `bowline demo` speaks to.
//!
//! ```
//! let server = bowline_testkit::demo::server();
//! let connect = server.connector();
//! # let _ = connect;
//! ```

mod content;
mod tools;

use bowline_protocol::Implementation;

use crate::server::{MockServer, MockServerBuilder};

/// The demonstration server.
pub fn server() -> MockServer {
    builder().build()
}

/// The demonstration server, for those who want to change it.
///
/// Everything is deterministic; nothing outside of the process is touched.
pub fn builder() -> MockServerBuilder {
    let info = Implementation::new("bowline-demo", env!("CARGO_PKG_VERSION"))
        .with_title("Bowline demonstration server")
        .with_description("One of everything that an MCP server can offer");
    let builder = MockServer::builder()
        .info(info)
        .instructions("A playground: call echo or add, count down, read the log book, and let the server ask back.")
        .logging()
        .subscriptions();
    content::add(tools::add(builder))
}
