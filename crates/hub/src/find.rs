//! What a name stands for: at once by what is known, or after those were asked who may have it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::Error;
use bowline_protocol::{Prompt, Tool, excerpt};
use futures_util::stream::{self, StreamExt as _};

use crate::offer::Offer;
use crate::route::{Sought, Target, denied};
use crate::seat::Seat;
use crate::shared::Shared;

/// How old a list has to be to be read again for a name that is not in it.
const SURE: Duration = Duration::from_secs(5);

impl Shared {
    /// What a name stands for, as far as that is known without asking anybody.
    pub(crate) fn look_up(&self, what: Sought, name: &str) -> Target {
        let known = match what {
            Sought::Tool => self.by_name::<Tool>(name),
            Sought::Prompt => self.by_name::<Prompt>(name),
            Sought::Resource => {
                let owner = self.office.uris(|uris| uris.whose(name).cloned());
                owner
                    .and_then(|owner| self.seat(&owner).ok())
                    .map(|seat| Target::Known { seat, own: Some(name.into()) })
            }
            Sought::Member => match self.seat(name) {
                Ok(seat) => Some(Target::Known { seat, own: None }),
                Err(error) => Some(Target::Nothing(error)),
            },
        };
        known.unwrap_or_else(|| Target::Named(what, name.into()))
    }

    /// What a name stands for; asks those who may have it.
    pub(crate) async fn find(&self, what: Sought, name: &str) -> Result<(Arc<Seat>, Option<Arc<str>>), Error> {
        match self.look_up(what, name) {
            Target::Known { seat, own } => return Ok((seat, own)),
            Target::Nothing(error) => return Err(error),
            Target::Named(..) => {}
        }
        match what {
            Sought::Tool => self.ask_for::<Tool>(name).await,
            Sought::Prompt => self.ask_for::<Prompt>(name).await,
            Sought::Resource | Sought::Member => self.ask_all(name).await.map(|seat| (seat, Some(name.into()))),
        }
    }

    /// A tool or prompt by the name that is given out, or by its member and its own name; none where the member has to be
    /// asked.
    fn by_name<T: Offer>(&self, name: &str) -> Option<Target> {
        // Names that are given out hold neither.
        if name.contains(['.', '/']) {
            return Some(self.by_path::<T>(name));
        }
        let seat = match self.whose_name(name) {
            Some((seat, false)) => seat,
            Some((seat, true)) => return Some(Target::Nothing(moved::<T>(&seat, name))),
            None => return Some(Target::Nothing(self.unknown::<T>(name, None))),
        };
        let list = T::kept(&seat).now(&seat)?;
        if let Some(offered) = list.by_name(name) {
            let own = Some(Arc::clone(offered.own_name()));
            return Some(Target::Known { seat, own });
        }
        list.refused(name).map(|why| Target::Nothing(denied(&seat, kind::<T>(), name, why)))
    }

    /// Whose name it is, and whether it was another's when names were given out last.
    fn whose_name(&self, name: &str) -> Option<(Arc<Seat>, bool)> {
        let (part, _) = self.office.naming.split(name)?;
        self.seat_of_part(part)
    }

    /// `member.tool` or `member/tool`. Where both a member and one with a longer name fit, the one counts that lists such a
    /// tool, and else the longer one.
    fn by_path<T: Offer>(&self, path: &str) -> Target {
        let mut first = None;
        for (at, _) in path.rmatch_indices(['.', '/']) {
            let (Some(member), Some(own)) = (path.get(..at), path.get(at + 1..)) else { continue };
            let Ok(seat) = self.seat(member) else { continue };
            if own.is_empty() {
                continue;
            }
            let lists_it = T::kept(&seat).now(&seat).is_some_and(|list| list.by_own_name(own).is_some());
            let target = Target::Known { seat, own: Some(own.into()) };
            if lists_it {
                return target;
            }
            first.get_or_insert(target);
        }
        first.unwrap_or_else(|| Target::Nothing(self.unknown::<T>(path, None)))
    }

    /// Asks the one member whose it may be.
    async fn ask_for<T: Offer>(&self, name: &str) -> Result<(Arc<Seat>, Option<Arc<str>>), Error> {
        let seat = match self.whose_name(name) {
            Some((seat, false)) => seat,
            Some((seat, true)) => return Err(moved::<T>(&seat, name)),
            None => return Err(self.unknown::<T>(name, None)),
        };
        let kept = T::kept(&seat);
        // A server may have more by now than when it was listed, without having said so.
        let anew = kept.now(&seat).is_some_and(|list| list.read_at().elapsed() >= SURE);
        let list = kept.get(&seat, anew).await?;
        if let Some(offered) = list.by_name(name) {
            let own = Arc::clone(offered.own_name());
            return Ok((seat, Some(own)));
        }
        match list.refused(name) {
            Some(why) => Err(denied(&seat, kind::<T>(), name, why)),
            None => Err(self.unknown::<T>(name, Some(&seat))),
        }
    }

    /// Asks all members at the same time what resources they have. Whose it is does not depend on who was fastest: it is
    /// the first by name that lists it, or else that of the closest template. So nobody is waited for who could change
    /// that no more; one that is down has said so, and one that hangs has its deadlines.
    async fn ask_all(&self, uri: &str) -> Result<Arc<Seat>, Error> {
        let seats = self.seats();
        let mut unheard: BTreeSet<_> = seats.iter().map(|seat| Arc::clone(&seat.member.name)).collect();
        let asking = stream::iter(seats).map(|seat| async move {
            // What failed is not known, and has no say.
            let _ = tokio::join!(seat.resources.get(&seat, false), seat.templates.get(&seat, false));
            Arc::clone(&seat.member.name)
        });
        let mut asked = std::pin::pin!(asking.buffer_unordered(self.office.at_once));
        while let Some(heard) = asked.next().await {
            unheard.remove(&heard);
            let owner = self.office.uris(|uris| match uris.lists(uri) {
                Some(first) if unheard.first().is_none_or(|next| first < next) => Some(Arc::clone(first)),
                _ if unheard.is_empty() => uris.whose(uri).cloned(),
                _ => None,
            });
            if let Some(seat) = owner.and_then(|owner| self.seat(&owner).ok()) {
                return Ok(seat);
            }
        }
        let refusing = self.seats().into_iter().find_map(|seat| {
            let why = seat.resources.now(&seat)?.refused(uri)?;
            Some(denied(&seat, "resource", uri, why))
        });
        if let Some(denied) = refusing {
            return Err(denied);
        }
        let uri = excerpt(uri, 200);
        Err(Error::unknown_name(format!(
            "no server lists the resource {uri}, nor a template for it; name the server with Hub::read_from"
        )))
    }

    fn unknown<T: Offer>(&self, name: &str, seat: Option<&Seat>) -> Error {
        let (what, name) = (kind::<T>(), excerpt(name, 80));
        Error::unknown_name(match seat {
            Some(seat) => {
                let member = excerpt(&seat.member.name, 80);
                format!("server \"{member}\" has no {what} \"{name}\"; list its {} to see their names", T::LIST)
            }
            None => {
                let separator = self.office.naming.separator();
                format!(
                    "\"{name}\" names no {what} of a server; names are server{separator}{what} as listed, or server.{what}"
                )
            }
        })
    }
}

/// A name that another member had when names were given out last: whoever uses it may mean that one.
fn moved<T: Offer>(seat: &Seat, name: &str) -> Error {
    let (name, member) = (excerpt(name, 80), excerpt(&seat.member.name, 80));
    Error::unknown_name(format!(
        "\"{name}\" was a {} of another server when names were listed last, and is one of \"{member}\" now; list them again",
        kind::<T>()
    ))
}

/// What one of a list is called.
fn kind<T: Offer>() -> &'static str {
    T::LIST.trim_end_matches('s')
}
