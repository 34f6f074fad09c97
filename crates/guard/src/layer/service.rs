//! The service: one call after the other, each decided on, looked at and put on record.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bowline_client::{Call, Error, Reply};
use bowline_protocol::method;
use bowline_transport::BoxFuture;
use tower_service::Service;

use super::arguments::arguments_for_record;
use super::decide::{self, LetGo, found};
use super::definitions::{self, Asked};
use super::ending::{Ending, Undecided, record};
use super::lists::Seat;
use super::{meeting, subscribing};
use crate::audit::{Audit, Outcome, Record, Stage};
use crate::event::GuardEvent;
use crate::guard::Core;
use crate::inspect::Inspected;
use crate::policy::Verdict;
use crate::refusal::{Refusal, shown_name};

/// The calls of a client behind a guard; made by a [`GuardLayer`](crate::GuardLayer).
#[derive(Clone)]
pub struct GuardService<S> {
    core: Arc<Core>,
    seat: Arc<Seat>,
    inner: S,
}

impl<S> GuardService<S> {
    pub(super) const fn new(core: Arc<Core>, seat: Arc<Seat>, inner: S) -> Self {
        Self { core, seat, inner }
    }
}

impl<S> Service<Call> for GuardService<S>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        // The one that is ready goes with the call.
        let fresh = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, fresh);
        let (core, seat) = (Arc::clone(&self.core), Arc::clone(&self.seat));
        Box::pin(async move {
            if decide::is_free(call.method()) {
                free(&core, &seat, call, inner).await
            } else {
                guarded(core, seat, call, inner).await
            }
        })
    }
}

impl<S> fmt::Debug for GuardService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardService").field("seat", &self.seat).finish_non_exhaustive()
    }
}

/// A call that is of the protocol itself.
async fn free<S>(core: &Arc<Core>, seat: &Arc<Seat>, call: Call, mut inner: S) -> Result<Reply, Error>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    if !meeting::is_for_anybody(call.method())
        && let Err(error) = meeting::meet(core, seat, &call).await
    {
        return Err(refused(core, seat, &call, error).await);
    }
    if call.method() == method::SUBSCRIPTIONS_LISTEN {
        subscribing::admit_all(core, seat, &call).await?;
    }
    let list =
        definitions::kind_listed(call.method()).filter(|_| seat.needs_lists(core)).map(|kind| (kind, Asked::by(&call)));
    let about = core.incoming.is_some().then(|| call.clone());
    let outcome = match (inner.call(call).await, list) {
        (Ok(reply), Some((kind, asked))) => definitions::listed(core, seat, kind, &asked, reply).await,
        (outcome, _) => outcome,
    };
    match about {
        Some(call) => seen(core, seat, &call, outcome, &mut Vec::new()),
        None => outcome,
    }
}

/// A call that somebody decides on.
async fn guarded<S>(core: Arc<Core>, seat: Arc<Seat>, call: Call, mut inner: S) -> Result<Reply, Error>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send,
    S::Future: Send,
{
    let seat = &seat;
    let LetGo { call, by, verdict, mut findings } = decided(&core, seat, call, &inner).await?;
    let ending = match &core.audit {
        None => None,
        Some(audit) => {
            let begin = begin(&core, seat, &call, audit, verdict, &by, &findings);
            let ending = Ending::of(Arc::clone(&core), &begin);
            if let Err(error) = put(&core, seat, &call, &by, begin).await {
                // What did not begin has no end.
                ending.forget();
                return Err(error);
            }
            Some(ending)
        }
    };
    core.counts.let_go.add(1);
    let about = core.incoming.is_some().then(|| call.clone());
    let outcome = inner.call(call).await;
    findings.clear();
    let outcome = match about {
        Some(call) => seen(&core, seat, &call, outcome, &mut findings),
        None => outcome,
    };
    if let Some(ending) = ending {
        ending.end(outcome.as_ref(), findings).await;
    }
    outcome
}

/// Decides on a call. One that does not go is on record, and so is one that was given up before that was known.
async fn decided<S>(core: &Arc<Core>, seat: &Arc<Seat>, call: Call, inner: &S) -> Result<LetGo, Error>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send,
    S::Future: Send,
{
    let undecided = Undecided::new(core, seat, &call);
    let decided = decide::decide(core, seat, call, inner).await;
    let asked = undecided.decided();
    match decided {
        Ok(let_go) => Ok(let_go),
        Err(error) => Err(refused(core, seat, &asked, error).await),
    }
}

/// Decides on a call that is made elsewhere, and puts on record that it is let go.
pub(super) async fn admitted(core: &Arc<Core>, seat: &Arc<Seat>, call: Call) -> Result<(), Error> {
    let LetGo { call, by, verdict, findings } = decided(core, seat, call, &Nowhere).await?;
    if let Some(audit) = &core.audit {
        let begin = begin(core, seat, &call, audit, verdict, &by, &findings);
        put(core, seat, &call, &by, begin).await?;
    }
    core.counts.let_go.add(1);
    Ok(())
}

/// Where a call goes that is made elsewhere. Nothing is asked there: it is about no definition.
#[derive(Clone)]
struct Nowhere;

impl Service<Call> for Nowhere {
    type Response = Reply;
    type Error = Error;
    type Future = std::future::Ready<Result<Reply, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        std::future::ready(Err(Error::refused_by_layer(format!("{} cannot be asked for here", call.method()))))
    }
}

/// The record of the beginning of a call.
fn begin(
    core: &Core,
    seat: &Seat,
    call: &Call,
    audit: &Audit,
    verdict: Cow<'static, str>,
    by: &Verdict,
    findings: &[&'static str],
) -> Record {
    Record {
        arguments: arguments_for_record(core, call, audit.has_arguments()),
        verdict: Some(verdict),
        rule: by.rule.clone(),
        findings: findings.to_vec(),
        ..record(core, seat, call, Stage::Begin, next_id())
    }
}

/// Puts the beginning of a call on record. Where that is required and cannot be done, the call does not go.
async fn put(core: &Core, seat: &Seat, call: &Call, by: &Verdict, begin: Record) -> Result<(), Error> {
    let Some(audit) = &core.audit else { return Ok(()) };
    let Err(error) = audit.put(begin).await else { return Ok(()) };
    core.tell(&GuardEvent::AuditFailed { why: error.to_string() });
    if !audit.is_required() {
        return Ok(());
    }
    core.counts.refused.add(1);
    if let Some(policy) = &core.policy {
        policy.give_back(by);
    }
    let what = decide::named(core, seat, call);
    Err(Refusal::new(format!("{what} does not go, as it cannot be put on record: {error}")).denied())
}

/// Counts, tells and puts on record that a call does not go: because of a refusal, or of lists that could not be read.
pub(super) async fn refused(core: &Core, seat: &Seat, call: &Call, error: Error) -> Error {
    let refusal = Refusal::of(&error);
    let rule = refusal.and_then(Refusal::rule).map(str::to_owned);
    let outcome = refusal.is_none().then(|| Outcome::Error(error.kind().name().to_owned()));
    if let Some(refusal) = refusal {
        core.counts.refused.add(1);
        core.tell(&GuardEvent::Refused {
            server: Arc::clone(&seat.settings.server),
            method: call.method().to_owned(),
            name: shown_name(core, call),
            why: refusal.why().to_owned(),
        });
    }
    if let Some(audit) = &core.audit {
        let mut record = record(core, seat, call, Stage::Refused, next_id());
        record.outcome = outcome;
        record.arguments = arguments_for_record(core, call, audit.has_arguments());
        record.rule = rule;
        if let Err(error) = audit.put(record).await {
            core.tell(&GuardEvent::AuditFailed { why: error.to_string() });
        }
    }
    error
}

/// What came back, as the caller may see it.
fn seen(
    core: &Core,
    seat: &Seat,
    call: &Call,
    outcome: Result<Reply, Error>,
    rules: &mut Vec<&'static str>,
) -> Result<Reply, Error> {
    let Some(incoming) = &core.incoming else { return outcome };
    let held = |why: &str| {
        Refusal::new(format!("what came for {} is held back: {why}", decide::named(core, seat, call)))
            .denied()
            .with_sent(bowline_transport::Sent::Yes)
    };
    match outcome {
        Ok(reply) => {
            let seen = incoming.result(call.method(), call.name(), reply.payload());
            rules.extend(seen.findings.iter().map(|finding| finding.rule));
            found(core, seat, call, seen.findings, seen.blocked.clone());
            match (seen.blocked, seen.changed) {
                (Some(why), _) => Err(held(&why)),
                (None, Some(changed)) => Ok(reply.with_payload(changed)),
                (None, None) => Ok(reply),
            }
        }
        Err(error) => {
            let Some(mut answer) = error.server_error().cloned() else { return Err(error) };
            let Inspected { changed: message, mut blocked, mut findings } =
                incoming.error(call.method(), &answer.message);
            let mut is_changed = message.is_some();
            answer.message = message.unwrap_or(answer.message);
            if let Some(data) = &answer.data {
                let seen = incoming.request(call.method(), data);
                findings.extend(seen.findings);
                blocked = blocked.or(seen.blocked);
                if let Some(changed) = seen.changed {
                    is_changed = true;
                    answer.data = Some(changed);
                }
            }
            rules.extend(findings.iter().map(|finding| finding.rule));
            found(core, seat, call, findings, blocked.clone());
            match blocked {
                Some(why) => Err(held(&why)),
                None if is_changed => Err(error.with_server_error(answer)),
                None => Err(error),
            }
        }
    }
}

/// What both records of a call have in common: unlike that of any other call of the process, and of most others.
pub(super) fn next_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed) + 1)
}
