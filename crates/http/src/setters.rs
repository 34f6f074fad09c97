//! The setters that connectors over HTTP have in common.

/// The setters of a connector with the fields `endpoint`, `idle` and `grace`: those over HTTP all have them, each as
/// methods of its own. For the transports of this workspace.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    ($connect:ident) => {
        impl $connect {
            /// Speaks through this client, which may be shared with others: TLS, proxies and timeouts are its matter.
            #[must_use]
            pub fn client(mut self, client: $crate::HttpClient) -> Self {
                self.endpoint = self.endpoint.client(client);
                self
            }

            /// Sends a header with every request. Those of the protocol itself, such as `Accept`, cannot be changed.
            #[must_use]
            pub fn header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
                self.endpoint = self.endpoint.header(name, value);
                self
            }

            /// Sends this token, with or without the word `Bearer`, with every request.
            ///
            /// # Errors
            /// [`TransportErrorKind::Config`](bowline_transport::TransportErrorKind::Config) when it is empty, or has
            /// characters that no header may have.
            pub fn bearer(self, token: &str) -> Result<Self, bowline_transport::TransportError> {
                Ok(self.authorize(std::sync::Arc::new($crate::StaticBearer::new(token)?)))
            }

            /// Asks this for credentials.
            #[must_use]
            pub fn authorize(mut self, authorize: std::sync::Arc<dyn $crate::Authorize>) -> Self {
                self.endpoint = self.endpoint.authorize(authorize);
                self
            }

            /// Counts a stream as broken when not a byte, keep-alive comments included, came for so long. Default:
            /// never.
            #[must_use]
            pub const fn idle_timeout(mut self, idle: std::time::Duration) -> Self {
                self.idle = Some(idle);
                self
            }

            /// Sets how long each step of a close may take. Default 5 s.
            #[must_use]
            pub const fn grace(mut self, grace: std::time::Duration) -> Self {
                self.grace = grace;
                self
            }
        }
    };
}
