//! Timers of strategies that wait for their time, outside of a replay.

use std::collections::BTreeMap;

use crate::matching::timeline::{Timeline, TIMER};
use crate::strategy::TimerRequest;

/// A timer that waits for its time.
#[derive(Clone, Copy, Debug)]
struct Due {
    strategy: u16,
    timer: u32,
    every_ns: i64,
    version: u32,
}

/// The timers of a live engine's strategies; of one instant they come in the order of setting.
#[derive(Debug, Default)]
pub struct Timers {
    waiting: Timeline<Due>,
    /// How often each was set: what waits under an older count is forgotten.
    versions: BTreeMap<(u16, u32), u32>,
}

impl Timers {
    /// Sets or forgets a timer; one that is due before `now_ns` is due at once.
    pub fn set(&mut self, request: &TimerRequest, now_ns: i64) {
        let TimerRequest { strategy, timer, at_ns, every_ns } = *request;
        let version = self.versions.entry((strategy, timer)).or_insert(0);
        *version += 1;
        if at_ns != i64::MAX {
            let due = Due { strategy, timer, every_ns, version: *version };
            self.waiting.push(at_ns.max(now_ns), TIMER, 0, due);
        }
    }

    /// When the next one is due, ns; `None` if none waits.
    pub fn next_ns(&mut self) -> Option<i64> {
        loop {
            let key = self.waiting.next_key();
            let due = self.waiting.peek()?;
            if self.is_current(due) {
                return Some(key.time_ns());
            }
            self.waiting.pop();
        }
    }

    /// The next timer that is due at or before `now_ns`: strategy, timer, when it was due. A
    /// repeated one waits for its next time after `now_ns`: what was slept through rings once.
    pub fn pop_due(&mut self, now_ns: i64) -> Option<(u16, u32, i64)> {
        if self.next_ns()? > now_ns {
            return None;
        }
        let (key, due) = self.waiting.pop()?;
        let at = key.time_ns();
        if due.every_ns > 0 {
            let missed = (now_ns - at).div_euclid(due.every_ns);
            self.waiting.push(at + (missed + 1) * due.every_ns, TIMER, 0, due);
        }
        Some((due.strategy, due.timer, at))
    }

    fn is_current(&self, due: &Due) -> bool {
        self.versions.get(&(due.strategy, due.timer)) == Some(&due.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(timer: u32, at_ns: i64, every_ns: i64) -> TimerRequest {
        TimerRequest { strategy: 1, timer, at_ns, every_ns }
    }

    #[test]
    fn timers_ring_in_order_and_what_was_slept_through_rings_once() {
        let mut timers = Timers::default();
        timers.set(&request(1, 30, 10), 0);
        timers.set(&request(2, 20, 0), 0);
        timers.set(&request(3, 5, 0), 15);
        assert_eq!(timers.next_ns(), Some(15), "what is overdue is due at once");
        assert_eq!(timers.pop_due(64), Some((1, 3, 15)));
        assert_eq!(timers.pop_due(64), Some((1, 2, 20)));
        assert_eq!(timers.pop_due(64), Some((1, 1, 30)));
        assert_eq!(timers.pop_due(64), None);
        assert_eq!(timers.next_ns(), Some(70));
        timers.set(&request(1, i64::MAX, 0), 64);
        assert_eq!(timers.next_ns(), None);
    }
}
