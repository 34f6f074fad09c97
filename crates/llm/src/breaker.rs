//! When a model goes round in circles: a state machine without clock or runtime.

mod canonical;

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

pub use self::canonical::CallKey;

/// Of how many different calls it is remembered how often they were made.
const MOST_CALLS: usize = 1_024;
/// Of how many tools it is remembered how often they failed.
const MOST_TOOLS: usize = 1_024;

/// When a model is held back. Made by [`default`](Self::default).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerSettings {
    /// How often the same call may bring the same result. Default: 3. Zero means as often as it likes.
    pub same_calls: u32,
    /// How often the same call may be made whatever it brings. Default: 20. Zero means as often as it likes.
    pub any_calls: u32,
    /// In how many answers in a row a tool may fail, whatever its arguments. Default: 5. Zero means as many as it likes.
    pub failures: u32,
    /// In how many answers calls are held back before the run ends. Default: 5.
    pub held: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { same_calls: 3, any_calls: 20, failures: 5, held: 5 }
    }
}

impl BreakerSettings {
    /// Sets how often the same call may bring the same result.
    #[must_use]
    pub const fn with_same_calls(mut self, times: u32) -> Self {
        self.same_calls = times;
        self
    }

    /// Sets how often the same call may be made whatever it brings.
    #[must_use]
    pub const fn with_any_calls(mut self, times: u32) -> Self {
        self.any_calls = times;
        self
    }

    /// Sets in how many answers in a row a tool may fail.
    #[must_use]
    pub const fn with_failures(mut self, times: u32) -> Self {
        self.failures = times;
        self
    }

    /// Sets in how many answers calls are held back before the run ends.
    #[must_use]
    pub const fn with_held(mut self, calls: u32) -> Self {
        self.held = calls;
        self
    }
}

/// Whether a call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a call is made, or held back, or it was one too many")]
pub enum Verdict {
    /// It is made.
    Go,
    /// It is not made; the model is told this instead.
    Held(String),
    /// It is not made, and after this answer the model gets no more tools.
    End(String),
}

/// Sees that a model makes the same call again and again, or calls a tool that keeps failing.
///
/// A call that is repeated with another result each time, as one that asks how something stands, is held back much later.
/// What goes wrong several times within one answer counts once: the model has not seen it yet.
///
/// ```
/// use bowline_llm::{Breaker, BreakerSettings, CallKey, Verdict};
///
/// let mut breaker = Breaker::new(BreakerSettings::default());
/// let call = CallKey::new("search", &serde_json::json!({"q": "knots"}));
/// for _ in 0..3 {
///     assert_eq!(breaker.ask("search", call), Verdict::Go);
///     breaker.told("search", call, "nothing found", false);
/// }
/// assert!(matches!(breaker.ask("search", call), Verdict::Held(_)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    settings: BreakerSettings,
    calls: HashMap<CallKey, Made>,
    /// The calls, the oldest first, to be forgotten in that order.
    order: VecDeque<CallKey>,
    failures: HashMap<String, Failed>,
    held: u32,
    /// Which answer of the model it is, and the last one in which a call was held back.
    answer: u64,
    held_in: Option<u64>,
}

/// In how many answers in a row a tool failed, and in which one last.
#[derive(Debug, Clone, Copy)]
struct Failed {
    times: u32,
    answer: u64,
}

/// What is known of one call.
#[derive(Debug, Clone, Copy, Default)]
struct Made {
    /// With the same result.
    times: u32,
    all: u32,
    result: Option<u64>,
}

impl Breaker {
    /// A breaker that has seen nothing.
    pub fn new(settings: BreakerSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Begins the calls of another answer, which the model wrote knowing what came of those before.
    pub const fn next_answer(&mut self) {
        self.answer += 1;
    }

    /// Whether a call of the tool may be made. One that may counts as made.
    pub fn ask(&mut self, tool: &str, call: CallKey) -> Verdict {
        let BreakerSettings { same_calls, any_calls, failures, .. } = self.settings;
        let failed = self.failures.get(tool).map_or(0, |failed| failed.times);
        if failures > 0 && failed >= failures {
            return self.hold(format!(
                "not called: this tool failed {failed} times in a row. Do not call it again. Use another tool, or tell \
                 the user what does not work."
            ));
        }
        let made = self.made(call);
        if same_calls > 0 && made.times >= same_calls {
            let times = made.times;
            return self.hold(format!(
                "not called: this very call was made {times} times with the same result, which stands above. Use that \
                 result, change the arguments, or answer the user."
            ));
        }
        if any_calls > 0 && made.all >= any_calls {
            let all = made.all;
            return self.hold(format!(
                "not called: this very call was made {all} times. Change the arguments, or answer the user with what you have."
            ));
        }
        made.times += 1;
        made.all += 1;
        Verdict::Go
    }

    /// Notes what a call brought: its result, or whatever tells one result from another.
    pub fn told(&mut self, tool: &str, call: CallKey, result: impl Hash, failed: bool) {
        let result = canonical::hash_of(result);
        let made = self.made(call);
        if made.result.is_some_and(|before| before != result) {
            made.times = 1;
        }
        made.result = Some(result);
        if !failed {
            self.failures.remove(tool);
        } else {
            self.fail(tool);
        }
    }

    /// Notes a call that could not even be made, as what the model wrote was no call of the tool.
    pub fn refused(&mut self, tool: &str) -> Verdict {
        let failed = self.failures.get(tool).map_or(0, |failed| failed.times);
        self.fail(tool);
        let failures = self.settings.failures;
        if failures > 0 && failed >= failures {
            return self.hold("this failed too often: stop calling it, and answer the user.".to_owned());
        }
        Verdict::Go
    }

    /// Notes that a tool failed, once an answer.
    fn fail(&mut self, tool: &str) {
        let answer = self.answer;
        if let Some(failed) = self.failures.get_mut(tool) {
            if failed.answer != answer {
                *failed = Failed { times: failed.times.saturating_add(1), answer };
            }
        } else if self.failures.len() < MOST_TOOLS {
            self.failures.insert(tool.to_owned(), Failed { times: 1, answer });
        }
    }

    fn hold(&mut self, advice: String) -> Verdict {
        if self.held_in.replace(self.answer) != Some(self.answer) {
            self.held = self.held.saturating_add(1);
        }
        if self.held >= self.settings.held { Verdict::End(advice) } else { Verdict::Held(advice) }
    }

    fn made(&mut self, call: CallKey) -> &mut Made {
        if !self.calls.contains_key(&call) {
            if self.order.len() >= MOST_CALLS
                && let Some(oldest) = self.order.pop_front()
            {
                self.calls.remove(&oldest);
            }
            self.order.push_back(call);
        }
        self.calls.entry(call).or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(n: u32) -> CallKey {
        CallKey::new("tool", &json!({"n": n}))
    }

    #[test]
    fn the_same_call_with_the_same_result_is_held_and_ends_the_run_after_a_bound() {
        let mut breaker = Breaker::new(BreakerSettings::default().with_same_calls(2).with_held(3));
        for _ in 0..2 {
            assert_eq!(breaker.ask("tool", key(1)), Verdict::Go);
            breaker.told("tool", key(1), "same", false);
        }
        breaker.next_answer();
        let Verdict::Held(advice) = breaker.ask("tool", key(1)) else { panic!("held") };
        assert!(matches!(breaker.ask("tool", key(1)), Verdict::Held(_)), "the same answer counts once");
        assert!(advice.contains("2 times") && advice.contains("change the arguments"), "{advice}");
        assert_eq!(breaker.ask("tool", key(2)), Verdict::Go, "other arguments are another call");
        breaker.next_answer();
        assert!(matches!(breaker.ask("tool", key(1)), Verdict::Held(_)));
        breaker.next_answer();
        assert!(matches!(breaker.ask("tool", key(1)), Verdict::End(_)));
    }

    #[test]
    fn a_call_that_brings_something_new_each_time_is_held_much_later() {
        let mut breaker = Breaker::new(BreakerSettings::default().with_same_calls(2).with_any_calls(100));
        for n in 0..100 {
            assert_eq!(breaker.ask("tool", key(1)), Verdict::Go, "{n}");
            breaker.told("tool", key(1), format!("{n} % done"), false);
        }
        assert!(matches!(breaker.ask("tool", key(1)), Verdict::Held(_)));
    }

    #[test]
    fn the_same_call_many_times_at_once_is_held_before_any_result_came() {
        let mut breaker = Breaker::new(BreakerSettings::default().with_same_calls(3).with_held(u32::MAX));
        let gone = (0..500).filter(|_| breaker.ask("tool", key(1)) == Verdict::Go).count();
        assert_eq!(gone, 3);
    }

    #[test]
    fn a_tool_that_keeps_failing_is_held_until_it_works_once() {
        let mut breaker = Breaker::new(BreakerSettings::default().with_failures(3));
        for n in 0..2 {
            breaker.next_answer();
            assert_eq!(breaker.ask("tool", key(n)), Verdict::Go);
            breaker.told("tool", key(n), "no", true);
            breaker.told("tool", key(n + 100), "nor this, of the same answer", true);
        }
        breaker.told("tool", key(2), "yes", false);
        for n in 3..6 {
            breaker.next_answer();
            assert_eq!(breaker.ask("tool", key(n)), Verdict::Go);
            breaker.told("tool", key(n), "no", true);
        }
        assert!(matches!(breaker.ask("tool", key(9)), Verdict::Held(_)));
        assert_eq!(breaker.ask("other", key(9)), Verdict::Go);
    }

    #[test]
    fn what_is_no_call_counts_as_a_failure_and_ends_the_run_in_the_end() {
        let mut breaker = Breaker::new(BreakerSettings::default().with_failures(2).with_held(2));
        let next = |_| {
            breaker.next_answer();
            breaker.refused("nosuch")
        };
        let verdicts: Vec<Verdict> = (0..4).map(next).collect();
        assert_eq!(verdicts[..2], [Verdict::Go, Verdict::Go]);
        assert!(matches!(verdicts[2], Verdict::Held(_)) && matches!(verdicts[3], Verdict::End(_)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for n in 0..10_000 {
            breaker.ask("tool", key(n));
            breaker.told(&format!("tool {n}"), key(n), "no", true);
        }
        assert!(breaker.calls.len() <= MOST_CALLS && breaker.order.len() <= MOST_CALLS);
        assert!(breaker.failures.len() <= MOST_TOOLS);
    }
}
