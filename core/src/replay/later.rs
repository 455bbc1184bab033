//! What a replay makes happen later: requests and reports on their way, and timers.

use std::collections::VecDeque;

use super::{Replay, ReplayError};
use crate::instrument::InstrumentId;
use crate::matching::timeline::{Key, Timeline, TIMER};
use crate::matching::{AccountReport, VenueEvent};
use crate::order::{Request, RequestKind};
use crate::strategy::Strategy;

/// A timer that waits for its time.
#[derive(Clone, Copy)]
pub(super) struct DueTimer {
    pub(super) strategy: u16,
    pub(super) timer: u32,
    pub(super) every_ns: i64,
    pub(super) version: u32,
}

/// What the replay itself made happen later.
///
/// Requests and reports travel on first-in-first-out channels, so a queue keeps their order; only
/// timers need sorting.
#[derive(Default)]
pub(super) struct Later {
    pub(super) requests: VecDeque<(Key, Request)>,
    pub(super) reports: VecDeque<(Key, AccountReport)>,
    pub(super) timers: Timeline<DueTimer>,
}

impl Later {
    /// Place of the next item, [`Key::MAX`] if there is none.
    #[inline]
    pub(super) fn next_key(&self) -> Key {
        let request = self.requests.front().map_or(Key::MAX, |(key, _)| *key);
        let report = self.reports.front().map_or(Key::MAX, |(key, _)| *key);
        request.min(report).min(self.timers.next_key())
    }
}

impl<S: Strategy> Replay<S> {
    /// Lets the next of the items that the replay itself made happen.
    #[inline]
    pub(super) fn act(&mut self) -> Result<(), ReplayError> {
        let next = self.later.next_key();
        let now = next.time_ns();
        if self.later.requests.front().is_some_and(|(key, _)| *key == next) {
            if let Some((_, request)) = self.later.requests.pop_front() {
                self.arrive(now, &request);
            }
        } else if self.later.reports.front().is_some_and(|(key, _)| *key == next) {
            if let Some((_, report)) = self.later.reports.pop_front() {
                return self.hear(now, &report);
            }
        } else if let Some((_, due)) = self.later.timers.pop() {
            return self.ring(now, due);
        }
        Ok(())
    }

    /// A request reaches the venue.
    #[inline]
    fn arrive(&mut self, now: i64, request: &Request) {
        let (account, id) = (request.account, request.order);
        match request.kind {
            RequestKind::Place(ref spec) => self.venue.place(now, account, id, spec),
            RequestKind::Amend { qty, price } => self.venue.amend(now, account, id, qty, price),
            RequestKind::Cancel => self.venue.cancel(now, account, id),
            RequestKind::CancelAll { instrument } => {
                self.venue.cancel_all(now, account, Some(instrument));
            }
        }
        self.schedule();
    }

    /// A report reaches the engine.
    #[inline]
    fn hear(&mut self, now: i64, report: &AccountReport) -> Result<(), ReplayError> {
        match report.event {
            VenueEvent::Order(ref order_report) => {
                self.engine.report(order_report, now)?;
                Ok(())
            }
            VenueEvent::Funding { instrument, ts_exchange, .. } => {
                self.funding(report.account, instrument, ts_exchange, now)
            }
            VenueEvent::MarkMissing { instrument, .. } => {
                let symbol = &self.engine.desk.instruments[instrument as usize].symbol;
                Err(ReplayError::Data(format!(
                    "funding of {symbol} is due and no mark price is known; add mark prices to \
                     the data, or a mark column to the funding series"
                )))
            }
            VenueEvent::Liquidated { instrument, .. } => {
                let symbol = &self.engine.desk.instruments[instrument as usize].symbol;
                Err(ReplayError::Data(format!(
                    "the position in {symbol} was liquidated; liquidation is not booked in \
                     backtests yet: lower the leverage or the size"
                )))
            }
        }
    }

    /// A timer is due.
    #[inline]
    fn ring(&mut self, now: i64, due: DueTimer) -> Result<(), ReplayError> {
        if self.timers.get(&(due.strategy, due.timer)) != Some(&due.version) {
            return Ok(());
        }
        if due.every_ns > 0 {
            self.later.timers.push(now.saturating_add(due.every_ns), TIMER, 0, due);
        }
        self.engine.timer(due.strategy, due.timer, now)?;
        Ok(())
    }

    fn funding(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        ts_exchange: i64,
        now: i64,
    ) -> Result<(), ReplayError> {
        let Some(mut funding) = self.fundings.get(&(instrument, ts_exchange)).copied() else {
            return Ok(());
        };
        if funding.mark == 0 {
            funding.mark = self.marks[instrument as usize];
        }
        self.engine.funding_paid(account, &funding, now)?;
        Ok(())
    }
}
