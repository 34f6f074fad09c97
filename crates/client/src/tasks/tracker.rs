//! What was seen of a task: its states, which of its questions were answered, and when to look again. No I/O.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bowline_protocol::{InputRequest, InputRequests, Task, TaskStatus, excerpt};
use bowline_transport::Sent;

use crate::error::{Error, ErrorKind};
use crate::rounds::MAX_QUESTIONS;
use crate::tasks::ticket::short;

/// The shortest wait between two looks, whatever the server says.
pub(crate) const MIN_DELAY: Duration = Duration::from_millis(50);
/// The longest.
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(600);
/// The first wait where the server says nothing; it doubles with each look that brings nothing new.
const BASE_DELAY: Duration = Duration::from_millis(250);
/// What such a wait never exceeds.
const MAX_OWN_DELAY: Duration = Duration::from_secs(5);
/// How many questions one task may have answered.
const MAX_ANSWERED: usize = 1_000;

/// One task as it was seen so far.
#[derive(Debug)]
pub(crate) struct Tracker {
    id: String,
    last: Option<Task>,
    /// Hashes of the keys that were answered: they may be of any length.
    answered: HashSet<u64>,
    hasher: RandomState,
    /// How many looks in a row brought nothing new.
    quiet: u32,
}

impl Tracker {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), last: None, answered: HashSet::new(), hasher: RandomState::new(), quiet: 0 }
    }

    /// Takes note of a state; tells whether it is a new one.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for the state of another task, and for one after the last (basic/utilities/tasks, task
    /// status lifecycle).
    pub(crate) fn observe(&mut self, task: &Task) -> Result<bool, Error> {
        let broken = |what: String| Err(Error::new(ErrorKind::Protocol, what).with_sent(Sent::Yes));
        if task.task_id != self.id {
            return broken(format!("asked for task {}, the server answered with another", short(&self.id)));
        }
        if let Some(last) = &self.last {
            if last.status.is_terminal() && task.status != last.status {
                let now = excerpt(task.status.as_str(), 40);
                return broken(format!("the task was {} and is {now} now; it cannot be relied on", last.status));
            }
            if task.status == last.status && task.status_message == last.status_message {
                self.quiet = self.quiet.saturating_add(1);
                self.last = Some(task.clone());
                return Ok(false);
            }
        }
        self.quiet = 0;
        self.last = Some(task.clone());
        Ok(true)
    }

    /// The last state that was seen; none of a task that was taken up and not looked at yet.
    pub(crate) const fn last(&self) -> Option<&Task> {
        self.last.as_ref()
    }

    pub(crate) fn status(&self) -> Option<&TaskStatus> {
        self.last.as_ref().map(|task| &task.status)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.status().is_some_and(TaskStatus::is_terminal)
    }

    /// What the server said of the last state, for an error.
    pub(crate) fn message(&self) -> String {
        let message = self.last.as_ref().and_then(|task| task.status_message.as_deref());
        message.map(|message| excerpt(message, 400)).unwrap_or_default()
    }

    /// How long to wait before the next look: as the server says, within bounds; else longer and longer.
    pub(crate) fn delay(&self) -> Duration {
        match self.last.as_ref().and_then(Task::poll_delay).filter(|delay| !delay.is_zero()) {
            Some(delay) => delay.clamp(MIN_DELAY, MAX_DELAY),
            None => BASE_DELAY.saturating_mul(1 << self.quiet.min(16)).min(MAX_OWN_DELAY),
        }
    }

    /// The questions that were not answered yet.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] where there are too many, at once or over the life of the task.
    pub(crate) fn open(&self, questions: InputRequests) -> Result<InputRequests, Error> {
        let open: Vec<(String, InputRequest)> =
            questions.into_iter().filter(|(key, _)| !self.is_answered(key)).collect();
        let too_many = |count: usize, most: usize, when: &str| {
            Err(Error::new(ErrorKind::Protocol, format!("the task asks {count} questions {when}; {most} are answered"))
                .with_sent(Sent::Yes))
        };
        let all = self.answered.len() + open.len();
        if open.len() > MAX_QUESTIONS {
            return too_many(open.len(), MAX_QUESTIONS, "at once");
        }
        if all > MAX_ANSWERED {
            return too_many(all, MAX_ANSWERED, "in all");
        }
        Ok(open.into_iter().collect())
    }

    pub(crate) fn is_answered(&self, key: &str) -> bool {
        self.answered.contains(&self.hasher.hash_one(key))
    }

    /// Notes that a question was answered. A key stands for one question over the life of a task (SEP-2663).
    pub(crate) fn answered(&mut self, key: &str) {
        if self.answered.len() < MAX_ANSWERED {
            self.answered.insert(self.hasher.hash_one(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(json: &str) -> Task {
        serde_json::from_str(json).unwrap()
    }

    fn state(status: &str) -> Task {
        task(&format!(r#"{{"taskId":"t","status":"{status}"}}"#))
    }

    fn delay(member: &str) -> Duration {
        let mut tracker = Tracker::new("t");
        tracker.observe(&task(&format!(r#"{{"taskId":"t","status":"working",{member}}}"#))).unwrap();
        tracker.delay()
    }

    #[test]
    fn tk_02_and_tx_03_the_servers_interval_is_kept_within_bounds() {
        assert_eq!(delay(r#""pollInterval":1500"#), Duration::from_millis(1500));
        assert_eq!(delay(r#""pollIntervalMs":50"#), Duration::from_millis(50));
        assert_eq!(delay(r#""pollIntervalMs":1"#), MIN_DELAY);
        for centuries in ["9e15", "3153600000000", "18446744073709551615"] {
            assert_eq!(delay(&format!(r#""pollInterval":{centuries}"#)), MAX_DELAY, "{centuries}");
        }
        for nonsense in ["0", "-5", "\"soon\"", "null", "0.5", "1e300", "{}"] {
            assert_eq!(delay(&format!(r#""pollIntervalMs":{nonsense}"#)), BASE_DELAY, "{nonsense}");
        }
    }

    #[test]
    fn tk_02_without_an_interval_the_waits_grow_until_something_changes() {
        let mut tracker = Tracker::new("t");
        let mut delays = Vec::new();
        for _ in 0..8 {
            tracker.observe(&state("working")).unwrap();
            delays.push(tracker.delay().as_millis());
        }
        assert_eq!(delays, [250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
        assert!(tracker.observe(&state("input_required")).unwrap());
        assert_eq!(tracker.delay(), BASE_DELAY);
    }

    #[test]
    fn a_task_that_ended_does_not_begin_again_and_is_no_other() {
        let mut tracker = Tracker::new("t");
        for status in ["working", "paused", "input_required", "working", "completed"] {
            assert!(tracker.observe(&state(status)).unwrap(), "{status}");
        }
        assert!(!tracker.observe(&state("completed")).unwrap());
        for status in ["working", "failed", "cancelled", "paused"] {
            let error = tracker.observe(&state(status)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.to_string().contains(status) && error.to_string().contains("completed"), "{error}");
        }
        assert!(tracker.observe(&task(r#"{"taskId":"u","status":"completed"}"#)).is_err());
    }

    #[test]
    fn case_tasks_003_an_unknown_status_is_not_the_end() {
        let mut tracker = Tracker::new("t");
        tracker.observe(&state("paused")).unwrap();
        assert!(!tracker.has_ended());
    }

    #[test]
    fn tx_05_a_question_is_open_until_it_was_answered() {
        let questions = |json: &str| serde_json::from_str::<InputRequests>(json).unwrap();
        let both = r#"{"a":{"method":"roots/list"},"b":{"method":"roots/list"}}"#;
        let mut tracker = Tracker::new("t");
        assert_eq!(tracker.open(questions(both)).unwrap().len(), 2);
        tracker.answered("a");
        assert_eq!(tracker.open(questions(both)).unwrap().names().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn questions_are_bounded_at_once_and_in_all() {
        let many = |from: usize, count: usize| {
            let questions = (from..from + count).map(|n| format!(r#""{n}":{{"method":"roots/list"}}"#));
            let json = format!("{{{}}}", questions.collect::<Vec<_>>().join(","));
            serde_json::from_str::<InputRequests>(&json).unwrap()
        };
        let mut tracker = Tracker::new("t");
        assert_eq!(tracker.open(many(0, 5_000)).unwrap_err().kind(), ErrorKind::Protocol);
        for round in 0..MAX_ANSWERED / 50 {
            let open = tracker.open(many(round * 50, 50)).unwrap();
            open.names().for_each(|key| tracker.answered(key));
        }
        assert!(tracker.open(many(0, 50)).unwrap().is_empty());
        let error = tracker.open(many(1_000, 1)).unwrap_err();
        assert!(error.to_string().contains("1001 questions in all"), "{error}");
    }

    proptest! {
        #[test]
        fn whatever_states_come_the_wait_is_bounded_and_the_end_stays(
            states in proptest::collection::vec(("[a-z_]{0,9}|working|completed|failed", any::<Option<u64>>()), 1..40)
        ) {
            let mut tracker = Tracker::new("t");
            let mut ended: Option<TaskStatus> = None;
            for (status, interval) in states {
                let mut state = Task::new("t", TaskStatus::from(status.as_str()));
                state.poll_interval_ms = interval;
                let taken = tracker.observe(&state).is_ok();
                prop_assert_eq!(taken, ended.as_ref().is_none_or(|end| *end == state.status));
                prop_assert!((MIN_DELAY..=MAX_DELAY).contains(&tracker.delay()));
                if state.status.is_terminal() && ended.is_none() {
                    ended = Some(state.status);
                }
            }
        }
    }
}
