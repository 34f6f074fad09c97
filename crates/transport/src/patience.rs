//! Time to connect, in which the time of a person does not count.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// How often it is looked whether a person is being asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Far enough to mean never, near enough not to overflow an instant.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A bound on what it takes to connect. The time in which a person is asked meanwhile does not count, which
/// [`Connect::waits_for_person`](crate::Connect::waits_for_person) tells: they have a bound of their own.
///
/// ```
/// use std::time::Duration;
/// use bowline_transport::Patience;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut patience = Patience::new(Duration::from_millis(10));
/// assert_eq!(patience.wait_for(|| false, async { 7 }).await, Some(7));
/// assert_eq!(patience.wait_for(|| false, std::future::pending::<()>()).await, None);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Patience {
    limit: Duration,
    until: Instant,
}

impl Patience {
    /// This long, from now on; ten years at most.
    pub fn new(limit: Duration) -> Self {
        let limit = limit.min(NEVER);
        Self { limit, until: Instant::now() + limit }
    }

    /// What comes of work in time; none where the time is over. Once nobody is asked any more the whole limit begins
    /// anew.
    ///
    /// # Cancel safety
    /// Dropping the future drops the work.
    pub async fn wait_for<T>(&mut self, asked: impl Fn() -> bool, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let look = Instant::now() + LOOK_EVERY;
            if let Ok(done) = timeout_at(look.min(self.until), &mut work).await {
                return Some(done);
            }
            if asked() {
                self.until = Instant::now() + self.limit;
            } else if Instant::now() >= self.until {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_person_does_not_count_and_all_other_time_does() {
        let asked = AtomicBool::new(false);
        let login = async {
            sleep(Duration::from_secs(20)).await;
            asked.store(true, Ordering::Relaxed);
            sleep(Duration::from_secs(280)).await;
            asked.store(false, Ordering::Relaxed);
            // From now on it is the server that takes its time.
            std::future::pending::<()>().await;
        };
        let begun = Instant::now();
        let mut patience = Patience::new(Duration::from_secs(30));
        assert_eq!(patience.wait_for(|| asked.load(Ordering::Relaxed), login).await, None);
        let took = begun.elapsed().as_secs();
        assert!((329..=331).contains(&took), "{took}");
        assert_eq!(patience.wait_for(|| false, std::future::pending::<()>()).await, None, "it is over");
        assert_eq!(begun.elapsed().as_secs(), took);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_in_time_comes_at_once() {
        let begun = Instant::now();
        let work = sleep(Duration::from_millis(2500));
        assert!(Patience::new(Duration::MAX).wait_for(|| false, work).await.is_some());
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
}
