//! A guard: what it is made of, and what it hands out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::{ClientBuilder, ElicitationHandler, SamplingHandler};

use crate::audit::{Audit, AuditError};
use crate::consent::{Anybody, Approver, Remembered};
use crate::content::Content;
use crate::event::GuardEvent;
use crate::handlers::Guarded;
use crate::inspect::{Incoming, Outgoing};
use crate::layer::GuardLayer;
use crate::pins::Pins;
use crate::policy::Policy;
use crate::secrets::Secrets;
use crate::stats::{Counts, GuardStats};

/// How long somebody is waited for who is asked.
const PATIENCE: Duration = Duration::from_secs(300);
/// How old a list of definitions may be.
const LIFE: Duration = Duration::from_secs(300);

/// Decides which calls go to servers, notices what servers change, and keeps a record. A clone is a handle to the same
/// guard.
///
/// Each part is optional: without pins nothing is pinned, without a policy all calls go. What it is to see goes through
/// its [layer](Self::layer), one for each client; it belongs outside of all others.
///
/// ```
/// use bowline_client::Client;
/// use bowline_guard::{Guard, Pins, Policy};
///
/// let policy: Policy = "default = 'deny'\n[[rule]]\ntool = 'read_*'\naction = 'allow'\n# end".parse()?;
/// let guard = Guard::builder().pins(Pins::in_memory()).policy(policy).build();
/// let builder = guard.around(Client::builder(), "files");
/// # Ok::<(), bowline_guard::PolicyError>(())
/// ```
#[derive(Clone)]
pub struct Guard {
    pub(crate) core: Arc<Core>,
    caller: Option<Arc<str>>,
}

/// What all layers of a guard share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) pins: Option<Pins>,
    pub(crate) policy: Option<Policy>,
    pub(crate) approver: Option<Anybody>,
    pub(crate) remembered: Option<Remembered>,
    pub(crate) audit: Option<Audit>,
    pub(crate) incoming: Option<Box<dyn Incoming>>,
    pub(crate) outgoing: Option<Box<dyn Outgoing>>,
    pub(crate) patience: Duration,
    pub(crate) life: Duration,
    pub(crate) counts: Counts,
    on_event: Option<OnEvent>,
}

struct OnEvent(Box<dyn Fn(&GuardEvent) + Send + Sync>);

impl fmt::Debug for OnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnEvent")
    }
}

impl Core {
    /// Tells of something, to whoever listens and to the log.
    pub(crate) fn tell(&self, event: &GuardEvent) {
        tracing::debug!(%event, "the guard noticed something");
        if let Some(OnEvent(on_event)) = &self.on_event {
            on_event(event);
        }
    }
}

/// Settings of a [`Guard`]; made by [`Guard::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct GuardBuilder {
    core: Core,
}

impl Guard {
    /// Settings, to be ended with [`GuardBuilder::build`].
    pub fn builder() -> GuardBuilder {
        GuardBuilder {
            core: Core {
                pins: None,
                policy: None,
                approver: None,
                remembered: None,
                audit: None,
                incoming: None,
                outgoing: None,
                patience: PATIENCE,
                life: LIFE,
                counts: Counts::default(),
                on_event: None,
            },
        }
    }

    /// The same guard, for who calls in this name: rules and records have it.
    #[must_use]
    pub fn for_caller(&self, caller: impl Into<Arc<str>>) -> Self {
        Self { core: Arc::clone(&self.core), caller: Some(caller.into()) }
    }

    /// The layer for the client of a server, which has this name here. Names are what rules and pins are about: a server
    /// keeps its name, and no two share one.
    ///
    /// In a hub, each member's clients get one: `Member::client(move |builder| guard.around(builder, "files"))`.
    pub fn layer(&self, server: impl Into<Arc<str>>) -> GuardLayer {
        GuardLayer::new(Arc::clone(&self.core), server.into(), self.caller.clone())
    }

    /// A client's settings with the layer for a server, inside of the layers that it has already: so this comes before
    /// those that repeat, cache or hedge. In a hub the settings of all members come before those of one. What the server
    /// says of itself when it is connected to is looked at as well ([`GuardLayer::around`]).
    pub fn around(&self, builder: ClientBuilder, server: impl Into<Arc<str>>) -> ClientBuilder {
        self.layer(server).around(builder)
    }

    /// A handler that sees of a server's questions what passes the guard's content checks, and whose answers go out without
    /// secrets.
    pub fn elicitation<H: ElicitationHandler>(&self, server: impl Into<Arc<str>>, handler: H) -> Guarded<H> {
        Guarded::new(Arc::clone(&self.core), server.into(), handler)
    }

    /// As [`elicitation`](Self::elicitation), for what a server asks the model.
    pub fn sampling<H: SamplingHandler>(&self, server: impl Into<Arc<str>>, handler: H) -> Guarded<H> {
        Guarded::new(Arc::clone(&self.core), server.into(), handler)
    }

    /// The pins, where it has some.
    pub fn pins(&self) -> Option<&Pins> {
        self.core.pins.as_ref()
    }

    /// The policy, where it has one.
    pub fn policy(&self) -> Option<&Policy> {
        self.core.policy.as_ref()
    }

    /// The audit, where it has one.
    pub fn audit(&self) -> Option<&Audit> {
        self.core.audit.as_ref()
    }

    /// Waits until what is owed to the audit is kept: for the end of a program.
    ///
    /// # Errors
    /// Those of [`Audit::flush`].
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn flush(&self) -> Result<(), AuditError> {
        match &self.core.audit {
            Some(audit) => audit.flush().await,
            None => Ok(()),
        }
    }

    /// What it did so far.
    pub fn stats(&self) -> GuardStats {
        self.core.counts.snapshot()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("core", &self.core).field("caller", &self.caller).finish()
    }
}

impl GuardBuilder {
    /// Sets where definitions are pinned. Default: they are not.
    pub fn pins(mut self, pins: Pins) -> Self {
        self.core.pins = Some(pins);
        self
    }

    /// Sets which calls go. Default: all; changed definitions are held back where there are pins.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.core.policy = Some(policy);
        self
    }

    /// Sets who is asked where the policy says so. Default: nobody, and such calls do not go.
    pub fn approver(mut self, approver: impl Approver) -> Self {
        self.core.approver = Some(Anybody(Box::new(approver)));
        self
    }

    /// Sets how long somebody is waited for who is asked, within the time that the call has
    /// ([`Timeouts::total`](bowline_client::Timeouts::total), 10 min where nothing else is said). Default 5 min. Then the call
    /// does not go.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.core.patience = patience;
        self
    }

    /// Sets where answers are kept that are good for calls to come. Default: nowhere, and somebody is asked each time.
    pub fn remember(mut self, remembered: Remembered) -> Self {
        self.core.remembered = Some(remembered);
        self
    }

    /// Sets where calls are put on record. Default: nowhere. A policy can demand that they are
    /// ([`Policy::requires_audit`]): then no call goes that is not.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.core.audit = Some(audit);
        self
    }

    /// Sets who looks at what servers send. Default: a [`Content`] with the rules of the policy, where it has a table
    /// `content`; else nobody.
    pub fn content(mut self, content: impl Incoming) -> Self {
        self.core.incoming = Some(Box::new(content));
        self
    }

    /// Sets who looks at what goes out to servers. Default: a [`Secrets`] with the rules of the policy, where it has a table
    /// `secrets`; else nobody.
    pub fn secrets(mut self, secrets: impl Outgoing) -> Self {
        self.core.outgoing = Some(Box::new(secrets));
        self
    }

    /// Sets for how long a list of a server's definitions is good where the server tells of no change. Default 5 min. Then
    /// it is read again, before the next call.
    pub const fn definitions_for(mut self, life: Duration) -> Self {
        self.core.life = life;
        self
    }

    /// Calls `f` with each event, at once, in the task that causes it: it must not wait.
    pub fn on_event(mut self, f: impl Fn(&GuardEvent) + Send + Sync + 'static) -> Self {
        self.core.on_event = Some(OnEvent(Box::new(f)));
        self
    }

    /// The guard.
    pub fn build(mut self) -> Guard {
        if self.core.policy.as_ref().is_some_and(Policy::requires_audit) {
            self.core.audit = self.core.audit.map(|audit| audit.required(true));
        }
        if let Some(policy) = &self.core.policy {
            if let (None, Some(rules)) = (&self.core.incoming, policy.content()) {
                self.core.incoming = Some(Box::new(Content::new(rules.clone())));
            }
            if let (None, Some(rules)) = (&self.core.outgoing, policy.secrets()) {
                self.core.outgoing = Some(Box::new(Secrets::new(rules.clone())));
            }
        }
        let core = Arc::new(self.core);
        if let Some(audit) = &core.audit {
            let core = Arc::downgrade(&core);
            audit.listen(move |error| {
                if let Some(core) = core.upgrade() {
                    core.tell(&GuardEvent::AuditFailed { why: error.to_string() });
                }
            });
        }
        Guard { core, caller: None }
    }
}
