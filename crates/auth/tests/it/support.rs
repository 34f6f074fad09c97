//! A protected server, and clients of it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bowline_auth::{AuthError, Headless, OAuth, OAuthBuilder, Visit, Visited, Visitor};
use bowline_client::Client;
use bowline_http::{HttpClient, HttpConnect};
use bowline_protocol::{CallToolResult, Tool};
use bowline_testkit::MockServer;
use bowline_testkit::authority::{AuthServer, AuthSettings, ProtectedServer, ProtectedSettings};
use bowline_transport::BoxFuture;

pub(crate) struct Place {
    pub(crate) auth: AuthServer,
    pub(crate) server: ProtectedServer,
}

impl Place {
    pub(crate) async fn new(auth: AuthSettings, settings: ProtectedSettings) -> Self {
        let auth = auth.start().await.unwrap();
        let tie = |_| async { Ok(CallToolResult::text("tied")) };
        let mock = MockServer::builder().tool(Tool::new("knots", serde_json::json!({ "type": "object" })), tie).build();
        let server = auth.protect(mock, settings).await.unwrap();
        Self { auth, server }
    }

    pub(crate) async fn plain() -> Self {
        Self::new(AuthServer::builder(), ProtectedSettings::default()).await
    }

    pub(crate) fn oauth(&self) -> OAuthBuilder {
        OAuth::builder(self.server.url()).client_name("it").redirect_uri("http://127.0.0.1:7/callback")
    }
}

/// Connects with an authorization.
pub(crate) async fn connect(place: &Place, oauth: &OAuth) -> Result<Client, bowline_client::Error> {
    let connect = HttpConnect::new(&place.server.url()).unwrap().authorize(Arc::new(oauth.clone()));
    Client::builder().connect(connect).await
}

pub(crate) async fn call(client: &Client) -> Result<String, bowline_client::Error> {
    Ok(client.call("knots").await?.joined_text())
}

/// The error of authorization that a call failed with.
pub(crate) fn auth_error(error: &bowline_client::Error) -> AuthError {
    AuthError::in_chain(error).unwrap_or_else(|| panic!("{error:?}")).clone()
}

/// Visits without a person, and counts.
#[derive(Debug, Clone)]
pub(crate) struct Counting(Headless, Arc<AtomicU32>);

impl Counting {
    pub(crate) fn new() -> Self {
        Self(Headless::new(HttpClient::builder().build().unwrap()), Arc::default())
    }

    pub(crate) fn visits(&self) -> u32 {
        self.1.load(Ordering::Relaxed)
    }
}

impl Visitor for Counting {
    fn visit<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<Visited, AuthError>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.visit(visit)
    }

    fn listens(&self) -> bool {
        false
    }
}

/// A folder that goes away with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("bowline-auth-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
