//! The long stretches of a run of bars in which nothing but bars can happen.

use super::stream::Source;
use super::{Lane, Replay, ReplayError, SINK_BYTES};
use crate::engine::EngineError;
use crate::matching::timeline::Key;
use crate::strategy::Strategy;

impl<S: Strategy> Replay<S> {
    /// Walks bars until something else waits: what [`step`](Self::step) would do, without asking at
    /// each bar whose turn it is.
    ///
    /// One feed of bars, a venue that has no order to walk and nothing on its clock, and nothing
    /// under way: then the venue only notes each bar's opening, nobody looks at that between two
    /// deliveries, and what comes next is an equity sample or the next bar.
    #[inline]
    pub(super) fn walk_quiet_bars(&mut self) -> Result<(), ReplayError> {
        if self.settings.open_last || self.lanes.len() != 1 || self.later.next_key() != Key::MAX {
            return Ok(());
        }
        let mut walked = false;
        while self.venue.is_idle() && !self.engine.has_fault {
            let Lane { source: Source::Bars(stream), .. } = &mut self.lanes[0] else {
                return Ok(());
            };
            let Some(&row) = stream.local_rows().first() else { break };
            let now = row.ts_recv;
            if self.next_sample_ns < now {
                self.sample(self.next_sample_ns)?;
                self.next_sample_ns += self.settings.sample_every_ns;
                continue;
            }
            while let Some(opening) = stream.venue_rows().first().filter(|o| o.bar.ts_open <= now) {
                let bar = &opening.bar;
                if bar.ts_close - bar.ts_open <= self.shortest[bar.instrument as usize] {
                    self.venue.bar(bar);
                }
                stream.venue_passed(1);
                if stream.venue_rows().is_empty() {
                    stream.fill(|_| ())?;
                }
            }
            walked = true;
            let desk = &mut self.engine.desk;
            if self.liquidation.bar(desk, &mut self.venue, &row.bar).map_err(EngineError::from)? {
                break;
            }
            let Lane { source: Source::Bars(stream), .. } = &mut self.lanes[0] else {
                return Ok(());
            };
            stream.local_passed(1);
            self.ended_ns = now;
            self.engine.bar(&row.bar, now)?;
            let desk = &self.engine.desk;
            let has_answer = !desk.outbox.requests.is_empty() || !desk.outbox.timers.is_empty();
            if has_answer || desk.journal.pending().len() > SINK_BYTES {
                break;
            }
        }
        if walked {
            self.prime(0)?;
            self.collect();
        }
        Ok(())
    }
}
