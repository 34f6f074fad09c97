//! The end of a call on record, however it ends.

use std::borrow::Cow;
use std::sync::Arc;

use bowline_client::{Call, Error, Reply};
use jiff::Timestamp;
use tokio::time::Instant;

use super::arguments::arguments_for_record;
use super::lists::Seat;
use super::service::next_id;
use crate::audit::{AuditError, Outcome, Record, Stage};
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::refusal::shown_name;

/// A call that went, and whose end is owed to the record.
pub(super) struct Ending {
    core: Arc<Core>,
    /// None once its end is on record.
    record: Option<Record>,
    began: Instant,
}

impl Ending {
    /// Of the record of its beginning.
    pub(super) fn of(core: Arc<Core>, begin: &Record) -> Self {
        let record = Record { stage: Stage::End, arguments: None, verdict: None, rule: None, ..begin.clone() };
        Self { core, record: Some(record), began: Instant::now() }
    }

    fn ended(&mut self, outcome: Outcome) -> Option<Record> {
        let mut record = self.record.take()?;
        record.time = now();
        record.outcome = Some(outcome);
        record.micros = Some(micros_since(self.began));
        Some(record)
    }

    /// Puts the end on record. That it cannot be is told, and takes nothing back.
    pub(super) async fn end(mut self, outcome: Result<&Reply, &Error>, findings: Vec<&'static str>) {
        let outcome = match outcome {
            Ok(reply) if says_failed(reply) => Outcome::Failed,
            Ok(_) => Outcome::Ok,
            Err(error) => Outcome::Error(error.kind().name().to_owned()),
        };
        let Some(audit) = self.core.audit.clone() else { return };
        if let Some(mut record) = self.ended(outcome) {
            record.findings = findings;
            let kept = audit.put(record).await;
            self.told(kept);
        }
    }

    /// There is nothing to put on record.
    pub(super) fn forget(mut self) {
        self.record = None;
    }

    fn told(&self, kept: Result<(), AuditError>) {
        if let Err(error) = kept {
            self.core.tell(&GuardEvent::AuditFailed { why: error.to_string() });
        }
    }
}

impl Drop for Ending {
    /// A call that was given up has an end as well.
    fn drop(&mut self) {
        let Some(record) = self.ended(Outcome::Dropped) else { return };
        // Without a runtime nobody writes any more.
        if let (Some(audit), Ok(_)) = (&self.core.audit, tokio::runtime::Handle::try_current()) {
            let kept = audit.put_at_once(record);
            self.told(kept);
        }
    }
}

/// A call that nobody has decided on yet. Given up before that, it is on record as one that does not go.
pub(super) struct Undecided {
    core: Arc<Core>,
    seat: Arc<Seat>,
    call: Call,
    began: Instant,
    is_decided: bool,
}

impl Undecided {
    pub(super) fn new(core: &Arc<Core>, seat: &Arc<Seat>, call: &Call) -> Self {
        let (core, seat) = (Arc::clone(core), Arc::clone(seat));
        Self { core, seat, call: call.clone(), began: Instant::now(), is_decided: false }
    }

    /// What becomes of it is known; gives the call as it was asked about.
    pub(super) fn decided(mut self) -> Call {
        self.is_decided = true;
        self.call.clone()
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        if self.is_decided {
            return;
        }
        // Without a runtime nobody writes any more.
        if let (Some(audit), Ok(_)) = (&self.core.audit, tokio::runtime::Handle::try_current()) {
            let mut record = record(&self.core, &self.seat, &self.call, Stage::Refused, next_id());
            record.arguments = arguments_for_record(&self.core, &self.call, audit.has_arguments());
            record.outcome = Some(Outcome::Dropped);
            record.micros = Some(micros_since(self.began));
            if let Err(error) = audit.put_at_once(record) {
                self.core.tell(&GuardEvent::AuditFailed { why: error.to_string() });
            }
        }
    }
}

fn micros_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The record of a call that is about to go, or does not.
pub(super) fn record(core: &Core, seat: &Seat, call: &Call, stage: Stage, id: String) -> Record {
    Record {
        time: now(),
        stage,
        call: id,
        server: bowline_protocol::excerpt(&seat.settings.server, 200),
        caller: seat.settings.caller.as_deref().map(|caller| bowline_protocol::excerpt(caller, 200)),
        method: bowline_protocol::excerpt(call.method(), 100),
        name: shown_name(core, call).map(|name| bowline_protocol::excerpt(&name, 1_000)),
        arguments: None,
        verdict: Some(Cow::Borrowed(if stage == Stage::Refused { "deny" } else { "allow" })),
        rule: None,
        findings: Vec::new(),
        outcome: None,
        micros: None,
    }
}

fn now() -> String {
    Timestamp::now().to_string()
}

/// Whether a result says that the tool failed. It is read only where the word is in it.
fn says_failed(reply: &Reply) -> bool {
    let Ok(raw) = reply.payload().clone().into_raw() else { return false };
    raw.as_str().contains("\"isError\"")
        && reply.decode::<bowline_protocol::CallToolResult>().is_ok_and(|result| result.is_error())
}
