//! What a replay makes happen later: requests and reports on their way, and timers.

use std::collections::VecDeque;

use super::{Replay, ReplayError, SINK_BYTES};
use crate::engine::EngineError;
use crate::instrument::InstrumentId;
use crate::liquidation::{insured, liquidated};
use crate::matching::timeline::{Key, Timeline, REPORT, REQUEST, TIMER};
use crate::matching::{AccountReport, Venue, VenueEvent};
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
pub(super) struct Later {
    requests: VecDeque<(Key, Request)>,
    reports: VecDeque<(Key, AccountReport)>,
    /// Places of the first request and the first report, [`Key::MAX`] if there is none.
    next_request: Key,
    next_report: Key,
    pub(super) timers: Timeline<DueTimer>,
    /// The last funding that was told, by account: its legs are reported one by one.
    pub(super) paid: Option<(u16, InstrumentId, i64)>,
}

/// Which of the replay's own queues holds the next item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Request,
    Report,
    Timer,
}

impl Default for Later {
    fn default() -> Self {
        Later {
            requests: VecDeque::new(),
            reports: VecDeque::new(),
            next_request: Key::MAX,
            next_report: Key::MAX,
            timers: Timeline::default(),
            paid: None,
        }
    }
}

impl Later {
    /// Place of the next item, [`Key::MAX`] if there is none, and the queue that holds it.
    #[inline]
    pub(super) fn next(&self) -> (Key, Due) {
        let mut next = (self.timers.next_key(), Due::Timer);
        if self.next_report < next.0 {
            next = (self.next_report, Due::Report);
        }
        if self.next_request < next.0 {
            next = (self.next_request, Due::Request);
        }
        next
    }

    /// A request leaves for the venue; none arrives before one that left earlier.
    #[inline]
    pub(super) fn send(&mut self, arrival: i64, request: &Request) {
        let key = Key::new(arrival, REQUEST, 0);
        self.next_request = self.next_request.min(key);
        self.requests.push_back((key, *request));
    }

    /// A report leaves for the engine; none arrives before one that left earlier.
    #[inline]
    pub(super) fn say(&mut self, arrival: i64, report: &AccountReport) {
        let key = Key::new(arrival, REPORT, 0);
        self.next_report = self.next_report.min(key);
        self.reports.push_back((key, *report));
    }

    #[inline]
    fn drop_request(&mut self) {
        self.requests.pop_front();
        self.next_request = self.requests.front().map_or(Key::MAX, |(key, _)| *key);
    }

    #[inline]
    fn drop_report(&mut self) {
        self.reports.pop_front();
        self.next_report = self.reports.front().map_or(Key::MAX, |(key, _)| *key);
    }

    /// Place of the next item, [`Key::MAX`] if there is none.
    #[inline]
    pub(super) fn next_key(&self) -> Key {
        self.next().0
    }
}

impl<S: Strategy> Replay<S> {
    /// Lets one of the items that the replay itself made happen: the next, as `next` found it.
    ///
    /// Requests and reports are large, so they are read where they stand and dropped afterwards.
    #[inline]
    pub(super) fn act(&mut self, next: (Key, Due)) -> Result<(), ReplayError> {
        let now = next.0.time_ns();
        match next.1 {
            Due::Request => {
                if let Some((_, request)) = self.later.requests.front() {
                    arrive(&mut self.venue, now, request);
                }
                self.later.drop_request();
                self.schedule();
                Ok(())
            }
            Due::Report => {
                let heard = match self.later.reports.front() {
                    Some((_, AccountReport { event: VenueEvent::Order(report), .. })) => {
                        self.engine.report(report, now).map_err(ReplayError::from)
                    }
                    Some(&(_, report)) => self.hear(now, &report),
                    None => Ok(()),
                };
                self.later.drop_report();
                heard
            }
            Due::Timer => match self.later.timers.pop() {
                Some((_, due)) => self.ring(now, due),
                None => Ok(()),
            },
        }
    }

    /// Lets what the replay itself made happen up to the next row or equity sample: what
    /// [`step`](Self::step) would do, without asking the feeds at each item whose turn it is.
    #[inline]
    pub(super) fn act_until_rows(&mut self) -> Result<(), ReplayError> {
        let (mut bound, mut local) = (self.next_sample(), Key::MAX);
        for lane in &self.lanes {
            bound = bound.min(lane.venue_head);
            local = local.min(lane.local_head);
        }
        if local == Key::MAX {
            return Ok(()); // the run ends with its data
        }
        bound = bound.min(local);
        loop {
            let next = self.later.next();
            if next.0 >= bound || next.0 > self.venue.next_key() {
                return Ok(());
            }
            self.act(next)?;
            self.collect();
            if self.engine.has_fault || self.engine.desk.journal.pending().len() > SINK_BYTES {
                return Ok(());
            }
        }
    }

    /// What the venue says reaches the engine.
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
            VenueEvent::Liquidated { instrument, ts_exchange, .. } => {
                self.liquidations += 1;
                let desk = &mut self.engine.desk;
                for input in liquidated(report.account, &report.event, self.liquidations) {
                    desk.apply(&input, now).map_err(EngineError::from)?;
                }
                if let Some(input) = insured(desk, report.account, instrument, ts_exchange) {
                    desk.apply(&input, now).map_err(EngineError::from)?;
                }
                self.engine.settle()?;
                Ok(())
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
        // The engine pays for all legs at once; in hedge mode each is reported.
        let this = (account, instrument, ts_exchange);
        if self.later.paid.replace(this) == Some(this) {
            return Ok(());
        }
        if funding.mark == 0 {
            funding.mark = self.marks[instrument as usize];
        }
        self.engine.funding_paid(account, &funding, now)?;
        Ok(())
    }
}

/// A request reaches the venue.
#[inline]
fn arrive(venue: &mut Venue, now: i64, request: &Request) {
    let (account, id) = (request.account, request.order);
    match request.kind {
        RequestKind::Place(ref spec) => venue.place(now, account, id, spec),
        RequestKind::Amend { qty, price } | RequestKind::Replace { qty, price, .. } => {
            venue.amend(now, account, id, qty, price)
        }
        RequestKind::Cancel => venue.cancel(now, account, id),
        RequestKind::CancelAll { instrument } => venue.cancel_all(now, account, Some(instrument)),
    }
}
