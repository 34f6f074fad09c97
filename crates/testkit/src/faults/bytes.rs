//! Faults of a stream of bytes, each at a place of its own.

use std::time::Duration;

use super::plan::What;
use super::{Direction, Faults};

/// How many bytes of a stream count as one message.
const BLOCK: u64 = 1024;

/// One direction of one connection. It reads no clock: the same bytes come out however they were cut into pieces.
pub(super) struct Stream {
    faults: Faults,
    connection: u64,
    direction: Direction,
    /// How many bytes came by.
    at: u64,
    /// What happens in the block of `at`, and at which byte.
    what: What,
    place: u64,
    /// The bit that a garbled byte has changed.
    bit: u8,
    /// A byte that the next one overtakes.
    held: Option<u8>,
}

/// What comes after the bytes that were let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// More bytes.
    On,
    /// A pause; the rest is to be handed in again.
    Pause(Duration),
    /// The end of the connection.
    Cut,
}

impl Stream {
    pub(super) fn new(faults: Faults, connection: u64, direction: Direction) -> Self {
        let mut stream =
            Self { faults, connection, direction, at: 0, what: What::Nothing, place: 0, bit: 0, held: None };
        stream.enter(0);
        stream
    }

    /// Decides what happens in a block.
    fn enter(&mut self, block: u64) {
        let (what, mut seed) = self.faults.decide(self.connection, self.direction, block);
        self.what = what;
        // Streams are short as a rule: a fault of the first block has to come early to come at all.
        self.place = block * BLOCK + seed.below(if block == 0 { 256 } else { BLOCK });
        self.bit = 1 << seed.below(8);
    }

    /// Lets bytes through; tells how many it took and what comes after them.
    pub(super) fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Then) {
        for (taken, &byte) in input.iter().enumerate() {
            if self.at > 0 && self.at.is_multiple_of(BLOCK) && self.place < self.at {
                self.enter(self.at / BLOCK);
            }
            let is_here = self.at == self.place;
            if is_here {
                match self.what {
                    What::Cut => return (taken, Then::Cut),
                    What::Delay(time) => {
                        // Once: what is handed in again passes.
                        self.what = What::Nothing;
                        return (taken, Then::Pause(time));
                    }
                    _ => {}
                }
            }
            self.at += 1;
            match self.what {
                What::Drop if is_here => {}
                What::Garble if is_here => self.put(byte ^ self.bit, out),
                What::Duplicate if is_here => {
                    self.put(byte, out);
                    out.push(byte);
                }
                What::Reorder if is_here => self.held = Some(byte),
                _ => self.put(byte, out),
            }
        }
        (input.len(), Then::On)
    }

    fn put(&mut self, byte: u8, out: &mut Vec<u8>) {
        out.push(byte);
        out.extend(self.held.take());
    }

    /// What is left at the end of the stream.
    pub(super) fn rest(&mut self) -> Option<u8> {
        self.held.take()
    }
}

#[cfg(test)]
mod tests {
    use super::super::FaultPlan;
    use super::*;

    /// What comes out where the bytes come in pieces of this size.
    fn through(faults: &Faults, piece: usize) -> (Vec<u8>, Vec<Duration>) {
        let input: Vec<u8> = (0..20_480_u32).map(|n| (n % 251) as u8).collect();
        let mut stream = Stream::new(faults.clone(), 1, Direction::ToClient);
        let (mut out, mut pauses) = (Vec::new(), Vec::new());
        for piece in input.chunks(piece) {
            let mut left = piece;
            while !left.is_empty() {
                let (taken, then) = stream.pass(left, &mut out);
                left = &left[taken..];
                match then {
                    Then::On => {}
                    Then::Pause(time) => pauses.push(time),
                    Then::Cut => return (out, pauses),
                }
            }
        }
        out.extend(stream.rest());
        (out, pauses)
    }

    #[test]
    fn the_same_seed_makes_the_same_bytes_however_they_are_cut() {
        let plan = FaultPlan::new()
            .drop(0.2)
            .garble(0.2)
            .duplicate(0.2)
            .reorder(0.2)
            .delay(0.15, Duration::from_millis(9))
            .cut(0.01);
        let with = |seed| Faults::seeded(seed).to_client(plan);
        for seed in 0..20 {
            let whole = through(&with(seed), 20_480);
            for piece in [1, 7, 1024, 1500] {
                assert_eq!(through(&with(seed), piece), whole, "seed {seed}, pieces of {piece}");
            }
        }
        assert_ne!(through(&with(1), 100).0, through(&with(2), 100).0);
    }

    #[test]
    fn each_fault_does_what_it_is_named_after() {
        let input = || (0..20_480_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>();
        let run = |plan: FaultPlan| {
            let faults = Faults::seeded(4).to_client(plan);
            let (out, pauses) = through(&faults, 333);
            (out, pauses.len() as u64, faults.counts())
        };
        assert_eq!(run(FaultPlan::new()).0, input());
        let (out, _, counts) = run(FaultPlan::new().drop(1.0));
        assert_eq!((out.len() as u64 + counts.dropped, counts.dropped), (20_480, 20));
        let (out, _, counts) = run(FaultPlan::new().duplicate(0.5));
        assert_eq!(out.len() as u64, 20_480 + counts.duplicated);
        let (out, _, counts) = run(FaultPlan::new().garble(1.0));
        let changed = out.iter().zip(input()).filter(|(now, then)| *now != then).count();
        assert_eq!((out.len(), changed as u64), (20_480, counts.garbled));
        let (out, _, counts) = run(FaultPlan::new().reorder(1.0));
        let moved = out.iter().zip(input()).filter(|(now, then)| *now != then).count();
        assert_eq!((out.len(), moved as u64), (20_480, 2 * counts.reordered));
        let (out, pauses, counts) = run(FaultPlan::new().delay(1.0, Duration::from_millis(1)));
        assert_eq!((out, pauses), (input(), counts.delayed));
        let (out, _, counts) = run(FaultPlan::new().cut(1.0));
        assert!(out.len() < 256 && out == input()[..out.len()] && counts.cut == 1);
    }
}
