//! The states of one breaker: without clock, lock or runtime.

use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;

/// Whether a breaker lets calls through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "these are the three states of a breaker")]
pub enum BreakerState {
    /// It does.
    Closed,
    /// It does not.
    Open,
    /// It lets a few through, to see how they go.
    HalfOpen,
}

/// What a breaker goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) window: Duration,
    pub(super) min_calls: u32,
    pub(super) failure_rate: f64,
    pub(super) slow_rate: f64,
    pub(super) cool_down: Duration,
    pub(super) max_cool_down: Duration,
    pub(super) probes: u32,
}

#[derive(Debug)]
enum State {
    Closed,
    /// Until then, or until it is reset.
    Open {
        until: Option<Instant>,
    },
    /// How many calls are out, and how many went well.
    HalfOpen {
        out: u32,
        good: u32,
    },
}

/// One breaker.
#[derive(Debug)]
pub(super) struct Machine {
    state: State,
    window: Window,
    /// Counts the changes of state: what was let through before one says nothing after it.
    generation: u64,
    /// How often it opened since it was closed last.
    openings: u32,
}

/// A call that was let through, until its end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// How a call ended, as far as a breaker is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Good,
    Slow,
    Failed,
    /// It says nothing of the server.
    Nothing,
}

/// What became of a call that wants through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Through(Ticket),
    /// Not before so long; none until it is reset.
    Refused(Option<Duration>),
}

impl Machine {
    pub(super) fn new(rules: &Rules, now: Instant) -> Self {
        Self { state: State::Closed, window: Window::new(rules.window, now), generation: 0, openings: 0 }
    }

    pub(super) const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Lets a call through, or not.
    pub(super) fn admit(&mut self, rules: &Rules, now: Instant) -> Admission {
        if let State::Open { until: Some(until) } = self.state
            && now >= until
        {
            self.enter(State::HalfOpen { out: 0, good: 0 });
        }
        match &mut self.state {
            State::Closed => Admission::Through(Ticket(self.generation)),
            State::HalfOpen { out, good } if *out + *good < rules.probes => {
                *out += 1;
                Admission::Through(Ticket(self.generation))
            }
            // The ones that are out tell soon, whatever they tell.
            State::HalfOpen { .. } => Admission::Refused(Some(Duration::ZERO)),
            State::Open { until } => Admission::Refused(until.map(|until| until.saturating_duration_since(now))),
        }
    }

    /// Takes note of the end of a call that was let through.
    pub(super) fn ended(&mut self, rules: &Rules, ticket: Ticket, end: End, now: Instant) {
        if ticket.0 != self.generation {
            return;
        }
        match &mut self.state {
            State::Closed => {
                if end != End::Nothing {
                    self.window.record(end == End::Failed, end == End::Slow, now);
                    // A success is no reason to open, whatever the rates.
                    if end != End::Good && self.is_too_bad(rules, now) {
                        self.open(rules, now);
                    }
                }
            }
            State::HalfOpen { out, good } => {
                *out = out.saturating_sub(1);
                match end {
                    End::Nothing => {}
                    End::Failed | End::Slow => self.open(rules, now),
                    End::Good => {
                        *good += 1;
                        if *good >= rules.probes {
                            self.close();
                        }
                    }
                }
            }
            State::Open { .. } => {}
        }
    }

    /// Lets nothing through until then, as if it had found out by itself; not where it does so for longer already.
    pub(super) fn open_until(&mut self, then: Instant) {
        if let State::Open { until } = self.state
            && until.is_none_or(|until| until >= then)
        {
            return;
        }
        self.openings = self.openings.max(1);
        self.enter(State::Open { until: Some(then) });
    }

    /// Until when it lets nothing through, where it does not and that has an end.
    pub(super) const fn open_until_when(&self) -> Option<Instant> {
        match self.state {
            State::Open { until } => until,
            _ => None,
        }
    }

    /// Lets nothing through until it is reset.
    pub(super) fn force_open(&mut self) {
        self.enter(State::Open { until: None });
    }

    /// Begins anew, as if nothing had happened.
    pub(super) fn reset(&mut self) {
        self.close();
    }

    fn is_too_bad(&self, rules: &Rules, now: Instant) -> bool {
        let counts = self.window.counts(now);
        let rate = |count: u32| f64::from(count) / f64::from(counts.calls.max(1));
        counts.calls >= rules.min_calls
            && (rate(counts.failures) >= rules.failure_rate || rate(counts.slow) >= rules.slow_rate)
    }

    fn open(&mut self, rules: &Rules, now: Instant) {
        let doublings = self.openings.min(16);
        let cool_down = rules.cool_down.saturating_mul(1 << doublings).min(rules.max_cool_down);
        self.openings = self.openings.saturating_add(1);
        self.enter(State::Open { until: Some(now + cool_down) });
    }

    fn close(&mut self) {
        self.openings = 0;
        self.window.clear();
        self.enter(State::Closed);
    }

    fn enter(&mut self, state: State) {
        self.generation += 1;
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules {
        window: Duration::from_secs(10),
        min_calls: 4,
        failure_rate: 0.5,
        slow_rate: 0.8,
        cool_down: Duration::from_secs(5),
        max_cool_down: Duration::from_secs(12),
        probes: 2,
    };

    fn through(machine: &mut Machine, now: Instant) -> Ticket {
        match machine.admit(&RULES, now) {
            Admission::Through(ticket) => ticket,
            Admission::Refused(wait) => panic!("refused for {wait:?}"),
        }
    }

    fn run(machine: &mut Machine, end: End, now: Instant) {
        let ticket = through(machine, now);
        machine.ended(&RULES, ticket, end, now);
    }

    #[test]
    fn it_opens_at_the_rate_and_not_before_the_minimum() {
        let now = Instant::now();
        let mut machine = Machine::new(&RULES, now);
        for _ in 0..3 {
            run(&mut machine, End::Failed, now);
        }
        assert_eq!(machine.state(), BreakerState::Closed);
        run(&mut machine, End::Good, now);
        assert_eq!(machine.state(), BreakerState::Closed, "a success does not open it");
        run(&mut machine, End::Failed, now);
        assert_eq!(machine.state(), BreakerState::Open);
    }

    #[test]
    fn what_others_found_out_opens_it_for_as_long_and_no_shorter_than_it_knows_itself() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut machine = Machine::new(&RULES, now);
        machine.open_until(now + 3 * second);
        machine.open_until(now + second);
        assert_eq!(machine.open_until_when(), Some(now + 3 * second));
        assert_eq!(machine.admit(&RULES, now), Admission::Refused(Some(3 * second)));
        run(&mut machine, End::Failed, now + 3 * second);
        assert_eq!(machine.open_until_when(), Some(now + 13 * second), "the second time is a longer one");
        machine.force_open();
        machine.open_until(now + 20 * second);
        assert_eq!(machine.admit(&RULES, now + 20 * second), Admission::Refused(None));
    }

    #[test]
    fn it_opens_heals_and_waits_longer_each_time_that_it_does_not() {
        let mut now = Instant::now();
        let mut machine = Machine::new(&RULES, now);
        for _ in 0..4 {
            run(&mut machine, End::Failed, now);
        }
        for wait in [5, 10, 12, 12] {
            assert_eq!(machine.state(), BreakerState::Open);
            assert_eq!(machine.admit(&RULES, now), Admission::Refused(Some(Duration::from_secs(wait))));
            now += Duration::from_secs(wait);
            run(&mut machine, End::Failed, now);
        }
        now += Duration::from_secs(12);
        run(&mut machine, End::Good, now);
        assert_eq!(machine.state(), BreakerState::HalfOpen);
        run(&mut machine, End::Good, now);
        assert_eq!(machine.state(), BreakerState::Closed);
        for _ in 0..4 {
            run(&mut machine, End::Failed, now);
        }
        assert_eq!(machine.admit(&RULES, now), Admission::Refused(Some(Duration::from_secs(5))));
    }

    #[test]
    fn slow_calls_open_it_too_and_what_says_nothing_does_not() {
        let now = Instant::now();
        let mut machine = Machine::new(&RULES, now);
        for _ in 0..100 {
            run(&mut machine, End::Nothing, now);
        }
        for _ in 0..4 {
            assert_eq!(machine.state(), BreakerState::Closed);
            run(&mut machine, End::Slow, now);
        }
        assert_eq!(machine.state(), BreakerState::Open);
    }

    #[test]
    fn calls_from_before_a_change_say_nothing_after_it() {
        let mut now = Instant::now();
        let mut machine = Machine::new(&RULES, now);
        let early = through(&mut machine, now);
        for _ in 0..4 {
            run(&mut machine, End::Failed, now);
        }
        now += Duration::from_secs(5);
        let probe = through(&mut machine, now);
        machine.ended(&RULES, early, End::Failed, now);
        assert_eq!(machine.state(), BreakerState::HalfOpen);
        // A probe that was dropped makes room for another.
        machine.ended(&RULES, probe, End::Nothing, now);
        run(&mut machine, End::Good, now);
        run(&mut machine, End::Good, now);
        assert_eq!(machine.state(), BreakerState::Closed);
    }

    #[test]
    fn by_hand_it_stays_open_until_it_is_reset() {
        let now = Instant::now();
        let mut machine = Machine::new(&RULES, now);
        machine.force_open();
        assert_eq!(machine.admit(&RULES, now + Duration::from_secs(1 << 20)), Admission::Refused(None));
        machine.reset();
        run(&mut machine, End::Good, now);
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Pass(u64),
        Begin,
        End(usize, u8),
        Open,
        Reset,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0_u64..8000).prop_map(Step::Pass),
            8 => Just(Step::Begin),
            8 => (any::<usize>(), 0_u8..4).prop_map(|(which, end)| Step::End(which, end)),
            1 => Just(Step::Open),
            1 => Just(Step::Reset),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_probes_are_bounded_and_an_open_one_lets_nothing_through(
            steps in proptest::collection::vec(step(), 1..300)
        ) {
            let mut now = Instant::now();
            let mut machine = Machine::new(&RULES, now);
            let mut out: Vec<Ticket> = Vec::new();
            for step in steps {
                match step {
                    Step::Pass(millis) => now += Duration::from_millis(millis),
                    Step::Begin => {
                        let before = machine.state();
                        match machine.admit(&RULES, now) {
                            Admission::Through(ticket) => {
                                prop_assert!(machine.state() != BreakerState::Open);
                                out.push(ticket);
                                let now_out = out.iter().filter(|other| **other == ticket).count();
                                prop_assert!(machine.state() != BreakerState::HalfOpen || now_out <= 2);
                            }
                            Admission::Refused(wait) => {
                                prop_assert!(before != BreakerState::Closed);
                                prop_assert!(wait.is_none_or(|wait| wait <= RULES.max_cool_down));
                            }
                        }
                    }
                    Step::End(which, end) if !out.is_empty() => {
                        let ticket = out.swap_remove(which % out.len());
                        let end = [End::Good, End::Slow, End::Failed, End::Nothing][usize::from(end)];
                        machine.ended(&RULES, ticket, end, now);
                    }
                    Step::End(..) => {}
                    Step::Open => machine.force_open(),
                    Step::Reset => {
                        machine.reset();
                        prop_assert_eq!(machine.state(), BreakerState::Closed);
                    }
                }
            }
            // However it stands, once all is told and time has passed it lets a call through, unless forced open.
            for ticket in out.drain(..) {
                machine.ended(&RULES, ticket, End::Nothing, now);
            }
            let admission = machine.admit(&RULES, now + RULES.max_cool_down);
            prop_assert!(matches!(admission, Admission::Through(_) | Admission::Refused(None)), "{:?}", admission);
        }
    }
}
