//! What is known and what the store holds, kept the same: by one process among many.

use std::time::Duration;

use super::state::{Inner, State};
use crate::credentials::Record;
use crate::error::{AuthError, AuthErrorKind};
use crate::store::{Kept, Lease, Saved};

/// How often a change is tried that others come before.
const TRIES: u32 = 8;

impl Inner {
    /// Asks the store, where it was not asked yet.
    pub(super) async fn load(&self) -> Result<(), AuthError> {
        if self.lock().loaded {
            return Ok(());
        }
        self.reload().await
    }

    /// Takes what the store holds, where it is not what is known.
    pub(super) async fn reload(&self) -> Result<(), AuthError> {
        for _ in 0..TRIES {
            let before = self.lock().changes;
            let kept = self.store.load(&self.key).await?;
            let version = kept.as_ref().map(|kept| kept.version);
            if self.lock().is_at(version) {
                return Ok(());
            }
            let record = record_of(kept.as_ref())?;
            let mut state = self.lock();
            // Else a renewal was faster, and what was read is older than what it brought.
            if state.changes == before {
                state.adopt(record, version);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Holds the credentials against other processes, and takes what they left.
    ///
    /// A store that fails after it was read once stops nobody: what is known goes on in this process alone. One that
    /// somebody else holds for too long does, for two must not show the same refresh token.
    pub(super) async fn hold(&self, within: Duration) -> Result<Option<Lease>, AuthError> {
        let lease = match self.store.lease(&self.key, within).await {
            Ok(lease) => Some(lease),
            Err(error) => self.unless_known(error).map(|()| None)?,
        };
        if let Err(error) = self.reload().await {
            self.unless_known(error)?;
        }
        Ok(lease)
    }

    /// Waits until no other process asks a person for a login to this server, and keeps them from it.
    pub(super) async fn turn_to_ask(&self, within: Duration) -> Result<Option<Lease>, AuthError> {
        match self.store.lease(&format!("{} login", self.key), within).await {
            Ok(turn) => Ok(Some(turn)),
            Err(error) => self.unless_known(error).map(|()| None),
        }
    }

    fn unless_known(&self, error: AuthError) -> Result<(), AuthError> {
        if error.kind() != AuthErrorKind::Store || !self.lock().loaded {
            return Err(error);
        }
        tracing::warn!(%error, "the store fails; the credentials are good for this process alone");
        Ok(())
    }

    /// Changes what is known and kept. `edit` says whether there is anything to change; it is asked again, of what
    /// the store holds by then, where somebody else was faster.
    ///
    /// A store that fails costs the next process a login, and this one nothing: what was just issued is used.
    pub(super) async fn amend(&self, edit: impl Fn(&mut State) -> bool + Send + Sync) {
        if let Err(error) = self.try_amend(edit).await {
            tracing::warn!(%error, "the credentials are not kept; they are good for this process alone");
        }
    }

    pub(super) async fn try_amend(&self, edit: impl Fn(&mut State) -> bool + Send + Sync) -> Result<(), AuthError> {
        for _ in 0..TRIES {
            let (text, seen) = {
                let mut state = self.lock();
                if !edit(&mut state) {
                    return Ok(());
                }
                state.changes += 1;
                let text = (!state.record.is_empty()).then(|| state.record.encode()).transpose()?;
                (text, state.version)
            };
            let is_kept = text.is_some();
            match self.store.save(&self.key, text, seen).await? {
                Saved::As(version) => {
                    self.lock().version = is_kept.then_some(version);
                    return Ok(());
                }
                Saved::Conflict => {
                    let kept = self.store.load(&self.key).await?;
                    let version = kept.as_ref().map(|kept| kept.version);
                    let record = record_of(kept.as_ref())?;
                    self.lock().adopt(record, version);
                }
            }
        }
        Err(AuthError::store("the store changes faster than it can be written"))
    }

    /// Takes what cannot be read out of the store, and all that is known out of use.
    pub(super) async fn forget_unread(&self) -> Result<(), AuthError> {
        self.store.remove(&self.key).await?;
        let mut state = self.lock();
        state.dpop = None;
        state.adopt(Record::default(), None);
        Ok(())
    }
}

/// What the store holds; nothing where it has no entry.
fn record_of(kept: Option<&Kept>) -> Result<Record, AuthError> {
    Ok(kept.map(|kept| Record::decode(&kept.text)).transpose()?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use secrecy::{ExposeSecret as _, SecretString};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::credentials::Tokens;
    use crate::scope::Scopes;
    use crate::store::CredentialStore;
    use crate::token::TokenKind;

    fn tokens(refresh: &str) -> Tokens {
        Tokens {
            issuer: "https://as".to_owned(),
            client: String::new(),
            resource: "https://h".to_owned(),
            access: format!("a-{refresh}").into(),
            kind: TokenKind::Bearer,
            refresh: Some(refresh.to_owned().into()),
            asked: Scopes::default(),
            granted: None,
            issued_at: 0,
            expires_at: None,
        }
    }

    fn known(inner: &Inner) -> String {
        let state = inner.lock();
        let refresh = state.record.tokens.as_ref().and_then(|tokens| tokens.refresh.as_ref());
        refresh.map(|refresh| refresh.expose_secret().to_owned()).unwrap_or_default()
    }

    async fn put(inner: &Inner, refresh: &str) {
        let fresh = tokens(refresh);
        inner
            .amend(|state| {
                state.record.tokens = Some(fresh.clone());
                true
            })
            .await;
    }

    #[tokio::test]
    async fn whoever_comes_second_decides_again_about_what_the_first_left() {
        let store = crate::MemoryStore::default();
        let oauth = || crate::OAuth::builder("https://h/mcp").store(store.clone()).build().unwrap();
        let (one, other) = (oauth(), oauth());
        let (one, other) = (&one.0.inner, &other.0.inner);
        put(one, "R1").await;
        other.load().await.unwrap();
        put(one, "R2").await;
        // It was refused R1, and knows of nothing newer.
        other
            .amend(|state| {
                let tokens =
                    state.record.tokens.as_mut().filter(|tokens| {
                        tokens.refresh.as_ref().is_some_and(|refresh| refresh.expose_secret() == "R1")
                    });
                tokens.is_some_and(|tokens| tokens.refresh.take().is_some())
            })
            .await;
        assert_eq!(known(other), "R2");
        one.reload().await.unwrap();
        assert_eq!(known(one), "R2");
    }

    /// Another is at work between what is read here and what is made of it.
    #[derive(Debug)]
    struct Slow(crate::MemoryStore, Arc<Semaphore>, Arc<Semaphore>);

    impl CredentialStore for Slow {
        fn load<'a>(&'a self, key: &'a str) -> bowline_transport::BoxFuture<'a, Result<Option<Kept>, AuthError>> {
            Box::pin(async move {
                let kept = self.0.load(key).await;
                self.2.add_permits(1);
                self.1.acquire().await.unwrap().forget();
                kept
            })
        }

        fn save<'a>(
            &'a self,
            key: &'a str,
            text: Option<SecretString>,
            seen: Option<u64>,
        ) -> bowline_transport::BoxFuture<'a, Result<Saved, AuthError>> {
            self.0.save(key, text, seen)
        }

        fn lease<'a>(
            &'a self,
            key: &'a str,
            within: Duration,
        ) -> bowline_transport::BoxFuture<'a, Result<Lease, AuthError>> {
            self.0.lease(key, within)
        }
    }

    #[tokio::test]
    async fn what_was_read_before_a_renewal_does_not_come_back_after_it() {
        let (go, read) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(0)));
        let store = Slow(crate::MemoryStore::default(), Arc::clone(&go), Arc::clone(&read));
        let oauth = crate::OAuth::builder("https://h/mcp").store(store).build().unwrap();
        let inner = Arc::clone(&oauth.0.inner);
        inner.load().await.unwrap();
        read.acquire().await.unwrap().forget();
        put(&inner, "R1").await;
        // Somebody looks, and before it is done with that another token comes.
        inner.lock().version = None;
        let looking = tokio::spawn({
            let inner = Arc::clone(&inner);
            async move { inner.reload().await }
        });
        read.acquire().await.unwrap().forget();
        inner.lock().version = Some(1);
        put(&inner, "R2").await;
        go.add_permits(2);
        looking.await.unwrap().unwrap();
        assert_eq!(known(&inner), "R2");
    }
}
