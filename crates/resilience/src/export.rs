//! The names of all counters.

use bowline_client::{Counter, CounterKind, Counters};

use crate::breaker::BreakerStats;
use crate::cache::CacheStats;
use crate::deadline::DeadlineStats;
use crate::drain::DrainStats;
use crate::fallback::FallbackStats;
use crate::hedge::HedgeStats;
use crate::limits::LimitStats;
use crate::recommended::RecommendedStats;
use crate::retry::RetryStats;

/// Tells the members of a snapshot by these names.
macro_rules! counters {
    ($stats:ident { $($kind:ident $member:ident = $name:literal, $help:literal;)* }) => {
        impl Counters for $stats {
            fn each(&self, tell: &mut dyn FnMut(Counter)) {
                // Every member has a name, or this does not compile.
                let Self { $($member),* } = *self;
                $(tell(Counter::new($name, $help, CounterKind::$kind, Value::of($member)));)*
            }
        }
    };
}

/// What a counter can be.
trait Value {
    fn of(self) -> f64;
}

impl Value for u64 {
    fn of(self) -> f64 {
        self as f64
    }
}

impl Value for usize {
    fn of(self) -> f64 {
        self as f64
    }
}

impl Value for std::time::Duration {
    fn of(self) -> f64 {
        self.as_secs_f64()
    }
}

counters!(DeadlineStats {
    Counter passed = "bowline_deadline_passed_total", "Calls that ended because a deadline passed.";
});

counters!(RetryStats {
    Counter calls = "bowline_retry_calls_total", "Calls that came.";
    Counter retries = "bowline_retry_retries_total", "Attempts after a first one.";
    Counter recovered = "bowline_retry_recovered_total", "Calls that succeeded at an attempt after the first.";
    Counter exhausted = "bowline_retry_exhausted_total", "Calls that were given up.";
    Counter over_budget = "bowline_retry_over_budget_total", "Calls that were given up for want of budget.";
    Counter held_back = "bowline_retry_held_back_total", "Failures not tried again since the call may have done something.";
});

counters!(BreakerStats {
    Counter through = "bowline_breaker_through_total", "Calls that were let through.";
    Counter pings = "bowline_breaker_pings_total", "Pings that went before a call, half-open.";
    Counter refused = "bowline_breaker_refused_total", "Calls that were not let through.";
    Counter failures = "bowline_breaker_failures_total", "Calls that failed, as far as that counts.";
    Counter slow = "bowline_breaker_slow_total", "Calls that succeeded and were slow.";
    Counter openings = "bowline_breaker_openings_total", "How often a breaker opened.";
    Gauge open = "bowline_breaker_open", "Breakers that are open.";
    Gauge half_open = "bowline_breaker_half_open", "Breakers that are half-open.";
});

counters!(LimitStats {
    Counter calls = "bowline_limit_calls_total", "Calls that came.";
    Counter waited = "bowline_limit_waited_total", "Calls that had to wait for their turn.";
    Counter refused = "bowline_limit_refused_total", "Calls that were refused.";
    Gauge running = "bowline_limit_running", "Calls that run.";
    Gauge waiting = "bowline_limit_waiting", "Calls that wait.";
});

counters!(HedgeStats {
    Counter calls = "bowline_hedge_calls_total", "Calls that only read.";
    Counter hedged = "bowline_hedge_hedged_total", "Calls for which a second attempt was made.";
    Counter won = "bowline_hedge_won_total", "How often the second attempt was first.";
    Counter over_budget = "bowline_hedge_over_budget_total", "Calls without a second attempt for want of budget.";
});

counters!(CacheStats {
    Counter hits = "bowline_cache_hits_total", "Calls that got a kept answer that was fresh.";
    Counter misses = "bowline_cache_misses_total", "Calls that found no such answer.";
    Counter shared = "bowline_cache_shared_total", "Calls that waited for the answer to another call like them.";
    Counter from_others = "bowline_cache_from_others_total", "Calls that got an answer that another process had got.";
    Counter stale = "bowline_cache_stale_total", "Calls that got an answer that was no longer fresh.";
    Counter evictions = "bowline_cache_evictions_total", "Answers that made room for others.";
    Gauge entries = "bowline_cache_entries", "Answers that are kept.";
    Gauge bytes = "bowline_cache_bytes", "What the kept answers take.";
    Counter saved = "bowline_cache_saved_seconds_total", "How long the server took for the answers given without it.";
});

counters!(FallbackStats {
    Counter outages = "bowline_fallback_outages_total", "Calls that found that the server cannot be had.";
    Counter answered = "bowline_fallback_answered_total", "Calls that got an answer from elsewhere.";
});

counters!(DrainStats {
    Gauge running = "bowline_drain_running", "Calls that run.";
    Counter ended = "bowline_drain_ended_total", "Calls that ended by themselves.";
    Counter cancelled = "bowline_drain_cancelled_total", "Calls that a shutdown cancelled.";
    Counter refused = "bowline_drain_refused_total", "Calls that came after the shutdown began.";
});

impl Counters for RecommendedStats {
    fn each(&self, tell: &mut dyn FnMut(Counter)) {
        let Self { deadline, retry, breaker, limits } = self;
        for layer in [deadline as &dyn Counters, retry, breaker, limits] {
            layer.each(tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CacheLayer, DrainLayer, FallbackLayer, HedgeLayer, recommended};

    #[test]
    fn no_two_counters_have_the_same_name_and_all_names_are_valid() {
        let mut names = Vec::new();
        let mut note = |counter: Counter| {
            let total = counter.name.ends_with("_total");
            assert_eq!(total, counter.kind == CounterKind::Counter, "{}", counter.name);
            assert!(counter.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", counter.name);
            assert!(!counter.help.contains('\n'));
            names.push(counter.name);
        };
        recommended().stats().each(&mut note);
        CacheLayer::default().stats().each(&mut note);
        HedgeLayer::default().stats().each(&mut note);
        DrainLayer::new().stats().each(&mut note);
        FallbackLayer::answer(|_, _| None).stats().each(&mut note);
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
