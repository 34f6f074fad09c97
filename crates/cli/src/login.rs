//! A person who logs in: in the browser that is opened, or in one of their own.

use std::sync::Arc;

use bowline::auth::{AuthError, DevicePage, DevicePrompt, Visit, Visited, Visitor};
use bowline::transport::BoxFuture;
use tokio::sync::Notify;

use crate::browser;
use crate::console::Console;
use crate::credentials::Asking;
use crate::elicit;
use crate::pasted::pasted;
use crate::prompts::Inquire;
use crate::sanitize;
use crate::session::Run;
use crate::styled::Styled;
use crate::visit::{self, Consent};

/// Sends a person to the page of an authorization server.
#[derive(Debug)]
pub(crate) struct Person {
    console: Console,
    interrupted: Arc<Notify>,
    asking: Asking,
}

impl Person {
    pub(crate) fn new(run: &Run, asking: Asking) -> Self {
        Self { console: run.console.clone(), interrupted: Arc::clone(&run.interrupted), asking }
    }

    async fn send(&self, visit: &Visit) -> Result<Visited, AuthError> {
        match self.asking {
            Asking::Consent => self.ask(visit).await,
            Asking::Browser | Asking::Device => {
                self.announce(visit);
                let url = visit.url.clone();
                match tokio::task::spawn_blocking(move || browser::open(&url)).await {
                    Ok(Ok(())) => Ok(Visited::Opened),
                    Ok(Err(why)) => {
                        self.console.warn(format!("the browser does not open: {why}"));
                        Ok(self.by_hand().await)
                    }
                    Err(_) => Err(AuthError::visit("what opens the browser panicked")),
                }
            }
            Asking::ByHand => {
                self.announce(visit);
                Ok(self.by_hand().await)
            }
        }
    }

    /// Tells where to sign in. It is no note, which may be left out: without it nobody can.
    fn announce(&self, visit: &Visit) {
        let (issuer, server) = (sanitize::excerpt(&visit.issuer, 200), sanitize::excerpt(&visit.server, 200));
        self.console.line(Styled::new().plain("sign in at ").bold(issuer).plain(format!(" for {server}:")));
        self.console.line(visit::describe(&visit.url));
    }

    /// Asks before anything is opened: the command was given for something else.
    async fn ask(&self, visit: &Visit) -> Result<Visited, AuthError> {
        let (console, url) = (self.console.clone(), visit.url.clone());
        let server = sanitize::excerpt(&visit.server, 200);
        let asked = tokio::task::spawn_blocking(move || {
            console.paused(|| {
                console.show(Styled::new().line().bold("A login is wanted").plain(format!(" by {server}:")));
                visit::ask(&url, &mut Inquire, |text| console.show(text), browser::open)
            })
        });
        match asked.await {
            Ok(Consent::Accept { opened: true }) => Ok(Visited::Opened),
            Ok(Consent::Accept { opened: false }) => Ok(self.by_hand().await),
            Ok(Consent::Decline | Consent::Cancel) => Err(AuthError::visit("you did not want to log in")),
            Ok(Consent::Interrupted) | Err(_) => {
                self.interrupted.notify_one();
                Err(AuthError::visit("the login was interrupted"))
            }
        }
    }

    /// Waits for the listener, or for the address that somebody pastes: the browser may be on another machine.
    async fn by_hand(&self) -> Visited {
        let line =
            "open the url in a browser; where it ends at a page that does not load, paste that page's address here:";
        self.console.line(Styled::new().dim(line));
        match pasted().await {
            Some(address) => Visited::Returned(address.into()),
            None => Visited::Opened,
        }
    }
}

impl Visitor for Person {
    fn visit<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<Visited, AuthError>> {
        Box::pin(self.send(visit))
    }
}

impl DevicePrompt for Person {
    fn show<'a>(&'a self, page: &'a DevicePage) -> BoxFuture<'a, Result<(), AuthError>> {
        let (issuer, server) = (sanitize::excerpt(&page.issuer, 200), sanitize::excerpt(&page.server, 200));
        self.console
            .line(Styled::new().plain("sign in with any device at ").bold(issuer).plain(format!(" for {server}:")));
        self.console.line(visit::describe(page.url_with_code.as_ref().unwrap_or(&page.url)));
        self.console.line(Styled::new().plain("  code: ").bold(sanitize::excerpt(&page.code, 100)));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Whether a person can be asked to log in while a command runs.
pub(crate) fn may_ask() -> bool {
    elicit::is_interactive()
}
