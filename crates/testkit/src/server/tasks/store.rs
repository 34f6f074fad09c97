//! The tasks of a server.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bowline_protocol::{ErrorCode, ErrorObject, TaskStatus};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Job, State, Times};

/// How many tasks are kept; beyond that the oldest that has ended gives way.
const MAX_TASKS: usize = 1024;

/// The tasks of a server. Dropping it ends those that run.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    /// In the order of their beginning.
    jobs: Mutex<Vec<Kept>>,
    ids: (RandomState, AtomicU64),
}

#[derive(Debug)]
struct Kept {
    job: Arc<Job>,
    running: Option<AbortHandle>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

impl Tasks {
    /// The tasks that are there, without those whose time is over.
    fn jobs(&self) -> MutexGuard<'_, Vec<Kept>> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        jobs.retain(|kept| kept.job.until.is_none_or(|until| now < until));
        jobs
    }

    /// Adds a task under an id that nobody can guess.
    pub(crate) fn add(&self, owner: Option<u64>, times: Times) -> Result<Arc<Job>, ErrorObject> {
        let number = self.ids.1.fetch_add(1, Ordering::Relaxed);
        let half = |n: u8| self.ids.0.hash_one((number, n));
        let now = SystemTime::now();
        let job = Arc::new(Job {
            id: format!("{:016x}{:016x}", half(0), half(1)),
            owner,
            times,
            created: now,
            until: times.ttl.and_then(|ttl| Instant::now().checked_add(ttl)),
            state: Mutex::new(State {
                status: TaskStatus::Working,
                updated: now,
                outcome: None,
                open: serde_json::Map::new(),
                waiting: HashMap::new(),
                asked: 0,
                seen: (0, 0),
            }),
            changes: watch::Sender::new(0),
            cancel: Arc::new(watch::Sender::new(false)),
        });
        let mut jobs = self.jobs();
        if jobs.len() >= MAX_TASKS {
            let Some(ended) = jobs.iter().position(|kept| kept.job.state().status.is_terminal()) else {
                let text = format!("{MAX_TASKS} tasks run already; wait for one to end");
                return Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, text));
            };
            jobs.remove(ended);
        }
        jobs.push(Kept { job: Arc::clone(&job), running: None });
        Ok(job)
    }

    /// Takes over what runs for a task.
    pub(crate) fn own(&self, job: &Job, running: AbortHandle) {
        match self.jobs().iter_mut().find(|kept| kept.job.id == job.id) {
            Some(kept) => kept.running = Some(running),
            None => running.abort(),
        }
    }

    /// The task with an id, for the one that may see it.
    pub(crate) fn get(&self, id: &str, owner: Option<u64>) -> Option<Arc<Job>> {
        let jobs = self.jobs();
        jobs.iter().map(|kept| &kept.job).find(|job| job.id == id && job.owner == owner).cloned()
    }

    /// The tasks of a connection.
    pub(crate) fn of(&self, owner: u64) -> Vec<Arc<Job>> {
        self.jobs().iter().map(|kept| &kept.job).filter(|job| job.owner == Some(owner)).cloned().collect()
    }

    /// Ends and forgets the tasks of a connection.
    pub(crate) fn forget_of(&self, owner: u64) {
        self.jobs().retain(|kept| kept.job.owner != Some(owner));
    }

    /// Ends and forgets all tasks.
    pub(crate) fn forget(&self) {
        self.jobs().clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_is_there_for_its_time_and_for_its_owner() {
        let tasks = Tasks::default();
        let times = Times { ttl: Some(Duration::from_secs(5)), ..Times::default() };
        let (open, owned) = (tasks.add(None, times).unwrap(), tasks.add(Some(3), times).unwrap());
        assert_ne!(open.id, owned.id);
        assert!(tasks.get(&open.id, None).is_some() && tasks.get(&owned.id, Some(3)).is_some());
        assert!(tasks.get(&open.id, Some(3)).is_none() && tasks.get(&owned.id, None).is_none());
        assert_eq!(tasks.of(3).len(), 1);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(tasks.get(&open.id, None).is_none());
    }

    #[test]
    fn the_number_of_tasks_is_bounded() {
        let tasks = Tasks::default();
        let unlimited = Times { ttl: None, ..Times::default() };
        let first = tasks.add(None, unlimited).unwrap();
        for _ in 1..MAX_TASKS {
            tasks.add(None, unlimited).unwrap();
        }
        assert!(tasks.add(None, unlimited).is_err());
        first.set(TaskStatus::Completed, None);
        assert!(tasks.add(None, unlimited).is_ok());
        assert!(tasks.get(&first.id, None).is_none());
    }
}
