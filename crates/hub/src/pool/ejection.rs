//! Whether a replica gets calls, by how those before went: without I/O, clock or lock.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::Ejection;

/// How a call ended, as far as the replica is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Good,
    Failed,
    /// It says nothing of the replica.
    Nothing,
}

/// What a call is reported with: what began before the replica was ejected says nothing after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many calls have to go well before more than one failure is forgiven.
    In {
        since: Instant,
        trial: u32,
    },
    Out {
        until: Instant,
    },
    /// It is being asked whether it is well again.
    Probed,
}

/// Counts of half a window.
#[derive(Debug, Clone, Copy, Default)]
struct Half {
    calls: u32,
    failures: u32,
}

/// How one replica stands.
#[derive(Debug)]
pub(super) struct Standing {
    state: State,
    /// Failures in a row.
    streak: u32,
    halves: [Half; 2],
    /// When the second half began.
    half_began: Instant,
    /// How often it was ejected of late, and how long the last time.
    ejections: u32,
    last: Duration,
    generation: u32,
}

impl Standing {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: State::In { since: now, trial: 0 },
            streak: 0,
            halves: [Half::default(); 2],
            half_began: now,
            ejections: 0,
            last: Duration::ZERO,
            generation: 0,
        }
    }

    /// Whether it gets calls.
    pub(super) const fn is_in(&self) -> bool {
        matches!(self.state, State::In { .. })
    }

    /// When it is to be asked whether it is well again, where it is out.
    pub(super) const fn out_until(&self) -> Option<Instant> {
        if let State::Out { until } = self.state { Some(until) } else { None }
    }

    pub(super) const fn ticket(&self) -> Ticket {
        Ticket(self.generation)
    }

    /// Takes note of the end of a call. Whether it is a reason to eject.
    pub(super) fn ended(&mut self, rules: &Ejection, ticket: Ticket, end: End, now: Instant) -> bool {
        let State::In { trial, .. } = &mut self.state else { return false };
        if ticket.0 != self.generation || end == End::Nothing {
            return false;
        }
        let was_on_trial = *trial > 0;
        if end == End::Good {
            *trial = trial.saturating_sub(1);
        }
        self.turn(rules, now);
        let [_, half] = &mut self.halves;
        half.calls = half.calls.saturating_add(1);
        if end == End::Good {
            self.streak = 0;
            return false;
        }
        half.failures = half.failures.saturating_add(1);
        self.streak = self.streak.saturating_add(1);
        was_on_trial || self.streak >= rules.consecutive || self.fails_too_often(rules)
    }

    /// Begins another half of the window where it is time.
    fn turn(&mut self, rules: &Ejection, now: Instant) {
        let (length, passed) = (rules.window / 2, now.saturating_duration_since(self.half_began));
        if passed < length {
            return;
        }
        let [_, last] = self.halves;
        let before = if passed < length * 2 { last } else { Half::default() };
        self.halves = [before, Half::default()];
        self.half_began = now;
    }

    fn fails_too_often(&self, rules: &Ejection) -> bool {
        let sum = |of: fn(&Half) -> u32| self.halves.iter().map(of).fold(0, u32::saturating_add);
        let (calls, failures) = (sum(|half| half.calls), sum(|half| half.failures));
        calls >= rules.min_calls && f64::from(failures) >= rules.error_rate * f64::from(calls)
    }

    /// Takes it out, for a time that grows. Tells how long.
    pub(super) fn eject(&mut self, rules: &Ejection, now: Instant) -> Duration {
        if let State::In { since, .. } = self.state
            && now.saturating_duration_since(since) >= self.last
        {
            self.ejections = 0;
        }
        self.out(rules, now)
    }

    fn out(&mut self, rules: &Ejection, now: Instant) -> Duration {
        let time = rules.time.saturating_mul(1 << self.ejections.min(16)).min(rules.max_time);
        self.ejections = self.ejections.saturating_add(1);
        self.last = time;
        self.enter(State::Out { until: now + time });
        time
    }

    /// Whether it is time to ask it whether it is well again. Who is told so has to ask, and to tell what came of it.
    pub(super) fn begin_probe(&mut self, now: Instant) -> bool {
        let is_time = self.out_until().is_some_and(|until| until <= now);
        if is_time {
            self.enter(State::Probed);
        }
        is_time
    }

    /// Takes note of the answer: it is in again, on trial, or out for longer.
    pub(super) fn probed(&mut self, rules: &Ejection, is_well: bool, now: Instant) {
        if self.state != State::Probed {
            return;
        }
        if is_well {
            self.enter(State::In { since: now, trial: rules.trial });
        } else {
            self.out(rules, now);
        }
    }

    fn enter(&mut self, state: State) {
        self.generation = self.generation.wrapping_add(1);
        self.state = state;
        self.streak = 0;
        self.halves = [Half::default(); 2];
    }
}

/// Whether one more of so many may be taken out: a floor of them stays in, and at least one.
pub(super) fn may_eject(rules: &Ejection, replicas: usize, out: usize) -> bool {
    let most = (replicas as f64 * rules.max_ejected) as usize;
    out < most.min(replicas.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules() -> Ejection {
        Ejection::default()
            .with_consecutive(3)
            .with_error_rate(0.5, 10, Duration::from_secs(10))
            .with_time(Duration::from_secs(4), Duration::from_secs(20))
    }

    fn report(standing: &mut Standing, end: End, now: Instant) -> bool {
        let ticket = standing.ticket();
        standing.ended(&rules(), ticket, end, now)
    }

    #[test]
    fn failures_in_a_row_are_a_reason_and_a_success_between_them_is_none() {
        let now = Instant::now();
        let mut standing = Standing::new(now);
        let mut run = |ends: &[End]| ends.iter().map(|end| report(&mut standing, *end, now)).collect::<Vec<_>>();
        assert_eq!(run(&[End::Failed, End::Failed, End::Good]), [false; 3]);
        assert_eq!(run(&[End::Failed, End::Failed, End::Nothing]), [false; 3]);
        assert_eq!(run(&[End::Failed]), [true]);
    }

    #[test]
    fn a_rate_is_a_reason_within_its_window_only() {
        let mut now = Instant::now();
        let mut standing = Standing::new(now);
        for _ in 0..4 {
            assert!(!report(&mut standing, End::Failed, now) && !report(&mut standing, End::Good, now));
        }
        report(&mut standing, End::Good, now);
        // Five of ten.
        assert!(report(&mut standing, End::Failed, now));
        now += Duration::from_secs(11);
        assert!(!report(&mut standing, End::Failed, now), "what was before is out of the window");
    }

    #[test]
    fn it_is_out_for_longer_each_time_and_comes_back_on_trial() {
        let mut now = Instant::now();
        let mut standing = Standing::new(now);
        let early = standing.ticket();
        for seconds in [4, 8, 16, 20, 20] {
            let time = standing.eject(&rules(), now);
            assert_eq!(time, Duration::from_secs(seconds));
            assert!(!standing.is_in() && !standing.begin_probe(now));
            now += time;
            assert!(standing.begin_probe(now) && !standing.begin_probe(now), "one asks");
            standing.probed(&rules(), true, now);
            assert!(standing.is_in());
            assert!(!standing.ended(&rules(), early, End::Failed, now), "what began before says nothing");
            assert!(report(&mut standing, End::Failed, now), "one failure is enough while it is on trial");
        }
        for _ in 0..3 {
            report(&mut standing, End::Good, now);
        }
        assert!(!report(&mut standing, End::Failed, now));
        now += Duration::from_secs(20);
        assert_eq!(standing.eject(&rules(), now), Duration::from_secs(4), "it was in for as long as it was out");
        now += Duration::from_secs(4);
        assert!(standing.begin_probe(now));
        standing.probed(&rules(), false, now);
        assert_eq!(standing.out_until(), Some(now + Duration::from_secs(8)));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Pass(u64),
        End(prop::sample::Index, u8),
        Probe(prop::sample::Index, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0_u64..6000).prop_map(Step::Pass),
            20 => (any::<prop::sample::Index>(), 0_u8..4).prop_map(|(which, end)| Step::End(which, end)),
            4 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(which, well)| Step::Probe(which, well)),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_a_floor_stays_in_and_who_is_out_can_come_back(
            replicas in 1_usize..8, part in 0.0_f64..=1.0, steps in prop::collection::vec(step(), 1..400)
        ) {
            let rules = rules().with_max_ejected(part);
            let mut now = Instant::now();
            let mut all: Vec<Standing> = (0..replicas).map(|_| Standing::new(now)).collect();
            for step in steps {
                match step {
                    Step::Pass(millis) => now += Duration::from_millis(millis),
                    Step::End(which, end) => {
                        let end = [End::Good, End::Failed, End::Failed, End::Nothing][usize::from(end)];
                        let which = which.index(replicas);
                        let ticket = all[which].ticket();
                        let out = all.iter().filter(|one| !one.is_in()).count();
                        if all[which].ended(&rules, ticket, end, now) {
                            prop_assert!(end == End::Failed);
                            if may_eject(&rules, replicas, out) {
                                let time = all[which].eject(&rules, now);
                                prop_assert!(time >= rules.time && time <= rules.max_time);
                            }
                        }
                    }
                    Step::Probe(which, well) => {
                        let which = which.index(replicas);
                        if all[which].begin_probe(now) {
                            all[which].probed(&rules, well, now);
                            prop_assert_eq!(all[which].is_in(), well);
                        }
                    }
                }
                let out = all.iter().filter(|one| !one.is_in()).count();
                prop_assert!(out < replicas && out as f64 <= replicas as f64 * part);
            }
            now += rules.max_time;
            for standing in &mut all {
                prop_assert!(standing.is_in() || standing.begin_probe(now));
            }
        }
    }
}
