//! The venue of a paper run: the matching simulator, driven by events as they come.
//!
//! There are two clocks, as in a replay: the venue's runs on the exchange times of the events, the
//! engine's on their arrival. The venue sees an event before the engine does. A request that was
//! sent at one time and takes the entry latency is matched once the market has been heard up to
//! its arrival, or `patience_ns` later if the market is silent; its report comes back as an input
//! and is journalled like a venue's.

use std::collections::{BTreeMap, VecDeque};

use crate::desk::{Desk, DeskError, Input};
use crate::facts;
use crate::instrument::{Instrument, InstrumentId};
use crate::liquidation::{liquidated, Liquidation};
use crate::market::{Bar, Funding, MarkPrice, Quote, Tick, Trade};
use crate::matching::timeline::{Key, CLOCK, MARKET, NOTICE, REQUEST};
use crate::matching::{AccountReport, Channel, Venue, VenueEvent};
use crate::order::{Request, RequestKind};

/// How long a request waits for the market's time to reach its arrival, by default, ns.
pub const PATIENCE_NS: i64 = 250_000_000;

/// See the module.
pub struct Paper {
    /// The simulator.
    pub venue: Venue,
    /// When the event that is being applied was heard, ns.
    pub heard_ns: i64,
    entry: Channel,
    report: Channel,
    patience_ns: i64,
    /// Requests by their arrival at the venue.
    requests: VecDeque<(i64, Request)>,
    /// What the venue said, by its arrival at the engine.
    reports: VecDeque<(i64, AccountReport)>,
    /// What is left of something that takes several inputs to tell.
    told: VecDeque<Input>,
    /// Liquidations so far: their orders' numbers.
    liquidations: u64,
    liquidation: Liquidation,
    marks: BTreeMap<InstrumentId, i64>,
    fundings: BTreeMap<(InstrumentId, i64), Funding>,
    /// The settlement that mark prices announce: when, and the last rate that they told.
    coming: BTreeMap<InstrumentId, (i64, i64)>,
    /// The last settlement that was told, by account: its legs are reported one by one.
    paid: Option<(u16, InstrumentId, i64)>,
}

impl Paper {
    /// A venue without orders. `entry` and `report` are the two ways of the connection.
    #[must_use]
    pub fn new(venue: Venue, entry: Channel, report: Channel, patience_ns: i64) -> Paper {
        Paper {
            venue,
            heard_ns: i64::MIN,
            entry,
            report,
            patience_ns,
            requests: VecDeque::new(),
            reports: VecDeque::new(),
            told: VecDeque::new(),
            liquidations: 0,
            liquidation: Liquidation::default(),
            marks: BTreeMap::new(),
            fundings: BTreeMap::new(),
            coming: BTreeMap::new(),
            paid: None,
        }
    }

    /// The venue judges orders by another version of an instrument from now on; what rests, rests.
    pub fn renew(&mut self, row: usize, version: &Instrument) {
        self.venue.renew(row, version);
    }

    /// Rows of one message of a book feed happen at the venue.
    pub fn ticks(&mut self, rows: &[Tick]) {
        let Some(first) = rows.first() else { return };
        self.reach(first.ts_exchange, 0);
        let mut rows = rows;
        while !rows.is_empty() {
            let before = rows[rows.len() - 1].ts_exchange.saturating_add(1);
            let count = self.venue.ticks(rows, before);
            self.schedule();
            rows = &rows[count..];
            if count == 0 {
                // The venue's own clock comes first; it is behind the row once it is advanced.
                let key = Key::new(rows[0].ts_exchange, MARKET, 0);
                while !self.venue.advance(key) {
                    self.schedule();
                }
                let count = self.venue.ticks(rows, before);
                self.schedule();
                if count == 0 {
                    break;
                }
                rows = &rows[count..];
            }
        }
    }

    /// A public trade happens at the venue.
    pub fn trade(&mut self, trade: &Trade) {
        self.reach(trade.ts_exchange, 0);
        self.venue.trade(trade);
        self.schedule();
    }

    /// A best bid and offer stands at the venue.
    pub fn quote(&mut self, quote: &Quote) {
        self.reach(quote.ts_exchange, 1);
        self.venue.quote(quote);
        self.schedule();
    }

    /// A bar went by at the venue.
    pub fn bar(&mut self, bar: &Bar) {
        self.reach(bar.ts_open, 0);
        self.venue.bar(bar);
        self.reach(bar.ts_close, 0);
        self.schedule();
    }

    /// A mark price holds at the venue.
    pub fn mark(&mut self, mark: &MarkPrice) {
        // A mark of the settlement's very instant comes before it, as in a replay.
        self.reach_place(Key::new(mark.ts_exchange, NOTICE, 0));
        self.marks.insert(mark.instrument, mark.mark);
        self.settle_before(Key::new(mark.ts_exchange, MARKET, 0));
        let next = mark.next_funding_ns;
        if next > mark.ts_exchange && !self.fundings.contains_key(&(mark.instrument, next)) {
            self.coming.insert(mark.instrument, (next, mark.funding_rate));
        }
        self.venue.mark(mark.ts_exchange, mark.instrument, mark.mark);
        if mark.index > 0 {
            self.venue.index(mark.ts_exchange, mark.instrument, mark.index);
        }
        self.reach(mark.ts_exchange, 0);
    }

    /// A funding rate was published: it is exchanged at the venue's time, once.
    pub fn funding(&mut self, funding: &Funding) {
        self.reach(funding.ts_exchange, 0);
        let known = (funding.mark > 0).then_some(funding.mark);
        let (instrument, at) = (funding.instrument, funding.ts_exchange);
        if self.fundings.contains_key(&(instrument, at)) {
            return;
        }
        self.coming.remove(&instrument);
        self.venue.rate(instrument, funding.rate, at, known);
        self.fundings.insert((instrument, at), *funding);
        self.reach(at.saturating_add(1), 0);
        self.schedule();
    }

    /// Takes over what its margin carries no more, at the prices that the desk knows.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a figure does not fit.
    pub fn liquidate(&mut self, desk: &mut Desk) -> Result<(), DeskError> {
        if self.liquidation.look(desk, &mut self.venue)? {
            self.schedule();
        }
        Ok(())
    }

    /// Takes a request on its way.
    pub fn take(&mut self, request: Request) {
        self.requests.push_back((self.entry.arrival(request.ts_sent), request));
    }

    /// When something is due for the engine by itself, ns.
    #[must_use]
    pub fn next_ns(&self) -> Option<i64> {
        let report = self.reports.front().map(|(due, _)| *due);
        let request = self.requests.front().map(|(at, _)| at.saturating_add(self.patience_ns));
        [report, request].into_iter().flatten().min()
    }

    /// The next thing that the venue says by `now_ns`, as an input; requests that the market kept
    /// waiting for too long are matched first.
    pub fn next(&mut self, now_ns: i64) -> Option<Input> {
        while let Some(&(at, _)) = self.requests.front() {
            if at.saturating_add(self.patience_ns) > now_ns {
                break;
            }
            self.heard_ns = self.heard_ns.max(now_ns);
            self.arrive();
        }
        if self.reports.front()?.0 > now_ns {
            return None;
        }
        let report = self.reports.front()?.1;
        if self.told.is_empty() {
            self.tell(&report);
        }
        let input = self.told.pop_front();
        if self.told.is_empty() {
            self.reports.pop_front();
        }
        input
    }

    /// Puts the settlements that come before a time on the venue's clock, with the last rate that
    /// was told of them: each happens at its own instant, before whatever is later.
    fn settle_before(&mut self, event: Key) {
        while let Some((&instrument, &(at, rate))) =
            self.coming.iter().find(|(_, (at, _))| Key::new(*at, CLOCK, 0) < event)
        {
            self.coming.remove(&instrument);
            let funding = Funding { ts_exchange: at, instrument, rate, ..Funding::default() };
            self.fundings.insert((instrument, at), funding);
            self.venue.rate(instrument, rate, at, None);
        }
    }

    /// Lets the venue's time come to an event: requests that arrive before it, its own clock.
    fn reach(&mut self, ts_exchange: i64, sub: u8) {
        self.reach_place(Key::new(ts_exchange, MARKET, sub));
    }

    fn reach_place(&mut self, event: Key) {
        self.settle_before(event);
        while let Some(&(at, _)) = self.requests.front() {
            if Key::new(at, REQUEST, 0) >= event {
                break;
            }
            self.arrive();
        }
        while !self.venue.advance(event) {
            self.schedule();
        }
        self.schedule();
    }

    /// The first request reaches the venue.
    fn arrive(&mut self) {
        let Some((at, request)) = self.requests.pop_front() else { return };
        self.settle_before(Key::new(at, REQUEST, 0));
        while !self.venue.advance(Key::new(at, REQUEST, 0)) {
            self.schedule();
        }
        let (account, id) = (request.account, request.order);
        match request.kind {
            RequestKind::Place(ref spec) => self.venue.place(at, account, id, spec),
            RequestKind::Amend { qty, price } | RequestKind::Replace { qty, price, .. } => {
                self.venue.amend(at, account, id, qty, price)
            }
            RequestKind::Cancel => self.venue.cancel(at, account, id),
            RequestKind::CancelAll { instrument } => {
                self.venue.cancel_all(at, account, Some(instrument));
            }
        }
        self.schedule();
    }

    /// Puts what the venue said on its way; nothing arrives before the event that showed it.
    fn schedule(&mut self) {
        for report in self.venue.reports.drain(..) {
            if let VenueEvent::Funding { instrument, ts_exchange, .. } = report.event {
                // The mark of the settlement's instant; when the report is heard it has moved on.
                let mark = self.marks.get(&instrument).copied().unwrap_or(0);
                if let Some(funding) = self.fundings.get_mut(&(instrument, ts_exchange)) {
                    funding.mark = if funding.mark > 0 { funding.mark } else { mark };
                }
            }
            let arrival = self.report.arrival(report.event.ts_exchange());
            let last = self.reports.back().map_or(i64::MIN, |(due, _)| *due);
            self.reports.push_back((arrival.max(self.heard_ns).max(last), report));
        }
    }

    /// Puts what the engine hears of something that the venue said into inputs.
    fn tell(&mut self, said: &AccountReport) {
        let account = said.account;
        match said.event {
            VenueEvent::Order(report) => {
                self.told.push_back(Input::Report { report, words: None });
            }
            VenueEvent::Funding { instrument, ts_exchange, .. } => {
                // The engine pays for all legs at once.
                let this = (account, instrument, ts_exchange);
                let Some(funding) = self.fundings.get(&(instrument, ts_exchange)) else { return };
                if self.paid.replace(this) == Some(this) {
                    return;
                }
                let Funding { rate, mark, .. } = *funding;
                let paid = facts::FundingPaid { account, instrument, rate, mark, amount: 0 };
                self.told.push_back(Input::Funding(paid));
            }
            VenueEvent::Liquidated { .. } => {
                self.liquidations += 1;
                self.told.extend(liquidated(account, &said.event, self.liquidations));
            }
            VenueEvent::MarkMissing { .. } => {}
        }
    }
}
