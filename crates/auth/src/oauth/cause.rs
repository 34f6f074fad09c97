//! Why a token is renewed, and what that is to bring.

use http::HeaderValue;

use super::state::State;
use crate::challenge::Wanted;
use crate::scope::Scopes;

/// Why a token is renewed.
#[derive(Debug)]
pub(super) enum Cause {
    /// It ends soon.
    Due { sent: HeaderValue },
    /// The server answered 401. `fresh` where it is not the first refusal of the request.
    Refused { sent: Option<HeaderValue>, wanted: Wanted, fresh: bool },
    /// The server answered 403 and wants more scopes.
    StepUp { sent: Option<HeaderValue>, wanted: Wanted },
    /// Somebody asks for a login.
    Login { wanted: Wanted },
    /// Somebody asks for a refresh.
    Refresh,
}

impl Cause {
    pub(super) fn purpose(&self) -> Purpose {
        match self {
            Self::Due { .. } => Purpose::Ahead,
            Self::Refused { .. } => Purpose::Another,
            Self::StepUp { wanted, .. } => Purpose::More(wanted.scopes.clone()),
            Self::Login { .. } | Self::Refresh => Purpose::ByHand,
        }
    }

    /// Whether there is another token by now than the one that will not do. `renewals` were counted when it did not:
    /// a server may issue the same token again.
    pub(super) fn is_settled(&self, state: &State, renewals: u64) -> bool {
        let sent = match self {
            Self::Due { sent } => Some(sent),
            Self::Refused { sent, .. } | Self::StepUp { sent, .. } => sent.as_ref(),
            Self::Login { .. } | Self::Refresh => return false,
        };
        state.renewals != renewals || state.is_newer_than(sent)
    }

    pub(super) const fn wanted(&self) -> Option<&Wanted> {
        match self {
            Self::Refused { wanted, .. } | Self::StepUp { wanted, .. } | Self::Login { wanted } => Some(wanted),
            Self::Due { .. } | Self::Refresh => None,
        }
    }
}

/// What a renewal is to bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    Ahead,
    Another,
    More(Option<Scopes>),
    ByHand,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_settles_those_that_waited_also_where_it_brought_the_same_token() {
        let cause = Cause::Refused { sent: None, wanted: Wanted::default(), fresh: false };
        let mut state = State::default();
        assert!(!cause.is_settled(&state, 0));
        state.renewals = 1;
        assert!(cause.is_settled(&state, 0) && !cause.is_settled(&state, 1));
        assert!(!Cause::Refresh.is_settled(&state, 0), "what is asked for by hand is done");
    }
}
