//! Authorization, end to end: the client, its library, and the testkit's servers over HTTP.
//!
//! Cases are those of `cases/auth.jsonl`, each named after its id.

mod discovery;
mod hostile;
mod identity;
mod login;
mod processes;
mod provider;
mod scopes;
mod tokens;
mod upgrade;

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use bowline::auth::{AuthError, AuthErrorKind, Headless, OAuth, OAuthBuilder, OpenWith, Visit};
use bowline::http::{Authorize, HttpClient, HttpConnect};
use bowline::prelude::*;
use bowline_testkit::MockServer;
use bowline_testkit::authority::{Asked, AuthServer, AuthSettings, Endpoint, ProtectedServer, ProtectedSettings};
use serde_json::json;

use crate::support::within;

/// An authorization server, and a server that wants its tokens.
struct World {
    auth: AuthServer,
    server: ProtectedServer,
}

impl World {
    async fn new(auth: AuthSettings, server: ProtectedSettings) -> Self {
        let auth = auth.start().await.unwrap();
        let server = auth.protect(mock(), server).await.unwrap();
        Self { auth, server }
    }

    /// With nothing special.
    async fn plain() -> Self {
        Self::new(AuthSettings::default(), ProtectedSettings::default()).await
    }

    /// Settings of somebody who consents at once.
    fn person(&self) -> OAuthBuilder {
        self.nobody().visitor(headless())
    }

    /// Settings without anybody to ask.
    fn nobody(&self) -> OAuthBuilder {
        OAuth::builder(self.server.url()).client_name("it")
    }

    async fn connect(&self, oauth: &OAuth) -> Result<Client, Error> {
        connect(&self.server.url(), oauth.clone()).await
    }

    /// Connects, for the error.
    async fn refusal(&self, oauth: OAuthBuilder) -> Error {
        match self.connect(&oauth.build().unwrap()).await {
            Ok(_) => panic!("it connects"),
            Err(error) => error,
        }
    }

    /// What was asked of the authorization server at an endpoint.
    fn asked(&self, endpoint: Endpoint) -> Vec<Asked> {
        self.auth.asked().into_iter().filter(|asked| asked.endpoint == endpoint).collect()
    }

    /// Where metadata was looked for, at either server, in order.
    fn looked_at(&self) -> Vec<String> {
        let both = [self.server.asked(), self.auth.asked()].concat();
        both.into_iter().map(|asked| asked.path).filter(|path| path.contains("/.well-known/")).collect()
    }

    /// The scopes of each request for consent; none where it said nothing of scopes.
    fn scopes(&self) -> Vec<Option<String>> {
        let scope = |asked: Asked| asked.has("scope").then(|| asked.param("scope").to_owned());
        self.asked(Endpoint::Authorize).into_iter().map(scope).collect()
    }
}

fn mock() -> MockServer {
    let echo = Tool::new("echo", json!({ "type": "object" }));
    MockServer::builder().tool(echo, |_| async { Ok(CallToolResult::text("ahoy")) }).build()
}

fn headless() -> Headless {
    Headless::new(HttpClient::builder().build().unwrap())
}

async fn connect(url: &str, authorize: impl Authorize) -> Result<Client, Error> {
    within(Client::builder().connect(HttpConnect::new(url).unwrap().authorize(Arc::new(authorize)))).await
}

async fn echo(client: &Client) -> Result<String, Error> {
    Ok(within(client.call("echo")).await?.joined_text())
}

/// The error of authorization below an error of the client.
fn below(error: &Error) -> &AuthError {
    AuthError::in_chain(error).unwrap_or_else(|| panic!("{error:?}"))
}

/// The kind of that error, and its text, which the error of the client must not hide.
fn told(error: &Error) -> (AuthErrorKind, String) {
    let (kind, text) = (below(error).kind(), below(error).to_string());
    assert!(error.to_string().contains(&text), "{error} hides {text}");
    assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
    (kind, text)
}

/// A browser that nobody sits at: it follows the redirect to the listener of the login.
fn browser() -> OpenWith<impl Fn(&Visit) -> Result<(), String>> {
    OpenWith::new(|visit| {
        let url = visit.url.as_str().to_owned();
        // The listener answers only when this returns.
        std::thread::spawn(move || get(&location(&get(&url))));
        Ok(())
    })
}

/// Where an answer redirects to.
fn location(answer: &str) -> String {
    header(answer, "location").next().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The values of a header.
fn header<'a>(answer: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let pairs = head.lines().filter_map(|line| line.split_once(": "));
    pairs.filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The whole answer to a GET of an address of this machine.
fn get(url: &str) -> String {
    exchange("GET", url, "", "").unwrap()
}

/// The whole answer to a request to an address of this machine. Each line of `headers` has its end.
fn exchange(method: &str, url: &str, headers: &str, body: &str) -> io::Result<String> {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = TcpStream::connect(authority)?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n{headers}");
    write!(stream, "{head}content-length: {length}\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
