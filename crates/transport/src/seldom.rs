//! A future beside the work, that seldom has anything to tell.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is looked at only after it has asked for it.
///
/// A task that waits for two things polls both whenever it is woken. Where one of them comes once in the life of a
/// connection and the other all the time, this makes the look at the former one as cheap as a flag.
///
/// ```
/// use bowline_transport::Seldom;
/// use tokio::sync::oneshot;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (stop, stopped) = oneshot::channel();
/// let mut stopped = Seldom::new(Box::pin(stopped));
/// tokio::spawn(async move { stop.send("enough") });
/// assert_eq!((&mut stopped).await.unwrap(), "enough");
/// # });
/// ```
///
/// # Cancel safety
/// That of the future itself; a reference to this one may be dropped and awaited again.
pub struct Seldom<F: ?Sized> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// The bell, as the future knows it.
    ring: Waker,
    /// Who was told of last.
    listener: Waker,
}

/// Rings when the future wants to be looked at.
struct Bell {
    rang: AtomicBool,
    listener: Mutex<Waker>,
}

impl Bell {
    fn listener(&self) -> MutexGuard<'_, Waker> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // First the ring: whoever sets itself as the listener after this look at it sees that it rang.
        self.rang.store(true, Ordering::Release);
        let listener = self.listener().clone();
        listener.wake();
    }
}

impl<F: Future + ?Sized> Seldom<F> {
    /// A future that is seldom ready.
    pub fn new(future: Pin<Box<F>>) -> Self {
        let bell = Arc::new(Bell { rang: AtomicBool::new(true), listener: Mutex::new(Waker::noop().clone()) });
        let ring = Waker::from(Arc::clone(&bell));
        Self { future, bell, ring, listener: Waker::noop().clone() }
    }
}

impl<F: Future + ?Sized> Future for Seldom<F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if !this.listener.will_wake(cx.waker()) {
            this.listener.clone_from(cx.waker());
            this.bell.listener().clone_from(cx.waker());
        }
        // The load is cheap. It is the exchange that takes the ring, with all that was done before it: a store would
        // wipe out a ring that came in between, and the future might not see yet what it rang for.
        if !this.bell.rang.load(Ordering::Relaxed) || !this.bell.rang.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        this.future.as_mut().poll(&mut Context::from_waker(&this.ring))
    }
}

impl<F: ?Sized> fmt::Debug for Seldom<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seldom")
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_is_looked_at_once_and_then_when_it_asks_for_it() {
        let looks = Arc::new(AtomicUsize::new(0));
        let (stop, mut stopped) = oneshot::channel::<()>();
        let mut seldom = Seldom::new(Box::pin({
            let looks = Arc::clone(&looks);
            poll_fn(move |cx| {
                looks.fetch_add(1, Ordering::Relaxed);
                Pin::new(&mut stopped).poll(cx)
            })
        }));
        for _ in 0..100 {
            poll_fn(|cx| {
                assert!(Pin::new(&mut seldom).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        stop.send(()).unwrap();
        (&mut seldom).await.unwrap();
        assert_eq!(looks.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn whoever_awaits_it_last_is_woken() {
        let (stop, stopped) = oneshot::channel();
        let mut seldom = Seldom::new(Box::pin(stopped));
        let mut other = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut seldom).poll(&mut other).is_pending());
        let waiting = tokio::spawn(seldom);
        tokio::task::yield_now().await;
        stop.send(7).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(7));
    }
}
