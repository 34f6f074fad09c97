//! Subscriptions to resources that outlive connections.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bowline_client::{Change as Told, Error, ErrorKind, Safety, Subscription};
use tokio::time::{Instant, sleep};

use crate::changes::Change;
use crate::pause::Pause;
use crate::pool::Task;
use crate::route::denied;
use crate::seat::{Held, Seat};
use crate::shared::Shared;

/// How long it is at most before a subscription is asked for again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A resource that is watched; made by [`Hub::subscribe`](crate::Hub::subscribe). Dropping it ends the subscription.
///
/// It goes on over a member that takes the place of its own, by the same name. It ends where the member is taken away, as
/// [`Change::Removed`] tells, where the hub is closed, and where the server takes no subscription any more.
#[must_use = "dropping it ends the subscription"]
pub struct ResourceWatch {
    member: Arc<str>,
    uri: Arc<str>,
    _task: Task,
}

impl ResourceWatch {
    /// Asks for the subscription, and then sees to it that there is one.
    pub(crate) async fn begin(shared: &Arc<Shared>, seat: &Arc<Seat>, uri: String) -> Result<Self, Error> {
        let uri: Arc<str> = uri.into();
        let first = ask(seat, &uri).await?;
        let task = Task::spawn(watch(Arc::downgrade(shared), Arc::clone(&seat.member.name), Arc::clone(&uri), first));
        Ok(Self { member: Arc::clone(&seat.member.name), uri, _task: task })
    }

    /// Whose resource it is.
    pub const fn member(&self) -> &Arc<str> {
        &self.member
    }

    /// Which resource.
    pub const fn uri(&self) -> &Arc<str> {
        &self.uri
    }
}

impl fmt::Debug for ResourceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceWatch").field("member", &self.member).field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// A subscription, and the connection that it keeps from being closed as idle.
type Asked = (Subscription, Held);

async fn ask(seat: &Arc<Seat>, uri: &str) -> Result<Asked, Error> {
    if let Some(why) = seat.refused_resource(uri) {
        return Err(denied(seat, "resource", uri, why));
    }
    let mut held = seat.hold(None).await?;
    let asked = held.subscribe(uri).await;
    // Told now: what it holds of the circuit is that of the question, and not of all that comes after it.
    held.report(asked.as_ref().map(drop), Safety::ReadOnly);
    let subscription = asked?;
    // It lives as long as the connection, so nobody waits for its end who closes that.
    held.leased.rest();
    Ok((subscription, held))
}

/// Tells of changes, over as many connections as that takes, until no member has the name or it takes no subscription.
async fn watch(shared: Weak<Shared>, member: Arc<str>, uri: Arc<str>, first: Asked) {
    let mut asked = Some(first);
    let mut pause = Pause::up_to(LONGEST_PAUSE);
    loop {
        if let Some((mut subscription, held)) = asked.take() {
            let began = Instant::now();
            while let Some(told) = subscription.next().await {
                let part = match told {
                    Told::Resource { uri } => uri,
                    // What was missed may have been a change.
                    _ => uri.as_ref().to_owned(),
                };
                tell(&held.seat, part);
            }
            let is_replaced = held.seat.is_gone();
            drop(held);
            if is_replaced {
                pause.reset();
            } else if !pause.lasted(began.elapsed()) {
                sleep(pause.take()).await;
            }
        }
        let Some(seat) = shared.upgrade().and_then(|shared| shared.open_seat(&member)) else { return };
        match ask(&seat, &uri).await {
            Ok(again) => {
                // Nobody told of what changed in between.
                tell(&seat, uri.as_ref().to_owned());
                asked = Some(again);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Unsupported | ErrorKind::Denied | ErrorKind::DefinitionChanged
                ) =>
            {
                tracing::warn!(member = %seat.member.name, %error, "the resource can be subscribed to no longer");
                return;
            }
            Err(error) => {
                drop(seat);
                sleep(pause.take_or(error.retry_after())).await;
            }
        }
    }
}

fn tell(seat: &Seat, uri: String) {
    seat.office.feed.tell(|| Change::ResourceUpdated { member: Arc::clone(&seat.member.name), uri });
}
