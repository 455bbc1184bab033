//! Legs: the orders at the venue that one order of ours is in turn.
//!
//! Where a venue cannot change an order, an amendment cancels it and places another in one request.
//! The other one is a *leg* of the same order, under a client id of its own:
//!
//! ```text
//!  place ─► leg 0 ──amend──► leg 1 ──amend──► leg 2        each: facts of its own, learned by
//!             │ 3 filled       │ 4 filled       │ 5 of 10    the rules of any order
//!             └────────────────┴────────────────┴─► order: 12 of 17 filled, partially filled
//! ```
//!
//! The order is a *function* of its legs, so any order and repetition of the reports of all legs
//! ends in the same order, as it does for one leg. That a leg lives proves that the one before it
//! ended: the venue places only what takes the place of a cancelled order.

use super::{Asked, Change, Ending, Found, Order, Pending};
use crate::order::{OrderSpec, Report, ReportKind};

/// An order is replaced at most so often; each of its reports looks at every leg.
pub const MOST_LEGS: usize = 1_000;

impl Order {
    /// Begins a leg that takes the order's place with a new total quantity and price: its number.
    /// What is filled is not asked for again.
    pub fn replace(&mut self, qty: i64, price: i64, now_ns: i64) -> u32 {
        if self.legs.is_empty() {
            let mut first = self.clone();
            (first.handles, first.refusal) = (0, None);
            self.legs.push(first);
        }
        let filled = self.filled_qty.max(self.venue_filled_qty);
        let spec = OrderSpec { qty: qty - filled, price, ..self.spec };
        let mut leg = Order::new(self.id, self.account, self.strategy, spec, now_ns);
        leg.place = Pending::Sent;
        self.legs.push(leg);
        self.asked = (qty, price);
        self.sum_up();
        self.legs.len() as u32 - 1
    }

    /// Notes that a change of the leg at work was sent, to a new total quantity and price.
    pub fn amend_in_place(&mut self, qty: i64, price: i64) {
        (self.amend, self.asked) = (Pending::Sent, (qty, price));
        if !self.legs.is_empty() {
            let (at, before) = (self.current(), self.qty_before());
            let leg = &mut self.legs[at];
            (leg.amend, leg.asked) = (Pending::Sent, (qty - before, price));
        }
    }

    /// Notes that a cancel of every leg that may be open was sent: their numbers.
    pub fn ask_cancel(&mut self) -> [Option<u32>; 2] {
        if self.legs.is_empty() {
            self.cancel = Pending::Sent;
            return [Some(0), None];
        }
        let open = self.open_legs();
        for leg in open.into_iter().flatten() {
            self.legs[leg as usize].cancel = Pending::Sent;
        }
        self.sum_up();
        open
    }

    /// Number of the last leg that was begun.
    #[must_use]
    pub fn last_leg(&self) -> u32 {
        self.legs.len().saturating_sub(1) as u32
    }

    /// Number of the leg at work, as far as is known.
    #[must_use]
    pub fn current_leg(&self) -> u32 {
        if self.legs.is_empty() {
            0
        } else {
            self.current() as u32
        }
    }

    /// Number of a leg that was sent, and of which nobody knows whether it exists.
    #[must_use]
    pub fn awaited_leg(&self) -> Option<u32> {
        if self.legs.is_empty() {
            None
        } else {
            self.awaited().map(|leg| leg as u32)
        }
    }

    /// Facts of a leg; of an order that was never replaced its own. `None` for one never begun.
    #[must_use]
    pub fn leg(&self, leg: u32) -> Option<&Order> {
        if self.legs.is_empty() {
            (leg == 0).then_some(self)
        } else {
            self.legs.get(leg as usize)
        }
    }

    /// Numbers of the legs that may be open at the venue: the one at work, and one that was sent
    /// and not answered.
    #[must_use]
    pub fn open_legs(&self) -> [Option<u32>; 2] {
        if self.legs.is_empty() {
            return [self.is_open().then_some(0), None];
        }
        let may_be_open = [Some(self.current()), self.awaited()];
        may_be_open.map(|leg| leg.filter(|&leg| self.legs[leg].is_open()).map(|leg| leg as u32))
    }

    /// Requests that were sent and not answered, by leg.
    #[must_use]
    pub fn sent(&self) -> Vec<(u32, Asked)> {
        let all = [Asked::Place, Asked::Amend, Asked::Cancel];
        let mut sent = Vec::new();
        for leg in 0..=self.last_leg() {
            let Some(own) = self.leg(leg) else { continue };
            for asked in all {
                if own.pending(asked) == Pending::Sent {
                    let is_placing = leg > 0 && asked == Asked::Place;
                    sent.push((leg, if is_placing { Asked::Amend } else { asked }));
                }
            }
        }
        sent
    }

    /// Adds what a report says of a leg to the facts.
    pub fn learn_of(&mut self, leg: u32, report: &Report) -> Change {
        if self.legs.is_empty() {
            return if leg == 0 { self.learn(report) } else { Change::None };
        }
        if let ReportKind::Filled(fill) = report.kind {
            if self.knows_trade(fill.trade_id) {
                return Change::None;
            }
        }
        let before = (self.facts(), self.triggered);
        let Some(own) = self.legs.get_mut(leg as usize) else { return Change::None };
        let mut report = *report;
        if let (ReportKind::AmendRejected { reason }, true) = (report.kind, own.is_placing()) {
            report.kind = ReportKind::Rejected { reason };
        }
        let change = own.learn(&report);
        self.sum_up();
        match change {
            Change::Fill(fill) => Change::Fill(fill),
            _ if before == (self.facts(), self.triggered) => Change::None,
            _ => Change::State,
        }
    }

    /// As [`doubt`](Self::doubt), of a leg's request. True if that is news.
    pub fn doubt_of(&mut self, leg: u32, asked: Asked) -> bool {
        self.of_leg(leg, asked, |order, asked| order.doubt(asked))
    }

    /// As [`never_left`](Self::never_left), of a leg's request. True if that is news.
    pub fn never_left_of(&mut self, leg: u32, asked: Asked, now_ns: i64) -> bool {
        self.of_leg(leg, asked, |order, asked| order.never_left(asked, now_ns))
    }

    /// As [`is_absent`](Self::is_absent), of a leg's request. True if that is news.
    pub fn is_absent_of(&mut self, leg: u32, asked: Asked, ts_exchange: i64) -> bool {
        self.of_leg(leg, asked, |order, asked| order.is_absent(asked, ts_exchange))
    }

    /// As [`count`](Self::count), of a leg. True if that is news.
    pub fn count_of(&mut self, leg: u32, filled_qty: i64, ts_exchange: i64) -> bool {
        self.of_leg(leg, Asked::Place, |order, _| order.count(filled_qty, ts_exchange))
    }

    /// As [`merge`](Self::merge), of a leg. True if something is news.
    pub fn merge_of(&mut self, leg: u32, found: &Found) -> bool {
        self.of_leg(leg, Asked::Place, |order, _| order.merge(found))
    }

    fn of_leg(
        &mut self,
        leg: u32,
        asked: Asked,
        learn: impl FnOnce(&mut Order, Asked) -> bool,
    ) -> bool {
        if self.legs.is_empty() {
            return leg == 0 && learn(self, asked);
        }
        let Some(own) = self.legs.get_mut(leg as usize) else { return false };
        // The amendment that placed the leg is the leg's own placing.
        let is_placing = leg > 0 && asked == Asked::Amend && !own.gave_life();
        let is_news = learn(own, if is_placing { Asked::Place } else { asked });
        self.sum_up();
        is_news
    }

    fn is_placing(&self) -> bool {
        self.place != Pending::None
    }

    pub(super) fn gave_life(&self) -> bool {
        self.accepted || self.filled_qty.max(self.venue_filled_qty) > 0
    }

    /// The newest leg that showed life; the first before any did.
    fn current(&self) -> usize {
        self.legs.iter().rposition(Order::gave_life).unwrap_or(0)
    }

    /// A leg that was sent, of which nobody knows whether it exists, and which still may: none can
    /// take the place of an order that was filled.
    fn awaited(&self) -> Option<usize> {
        let (current, last) = (self.current(), self.legs.len() - 1);
        let is_awaited = last > current
            && self.legs[last].ending.is_none()
            && self.legs[current].status() != super::Status::Filled;
        is_awaited.then_some(last)
    }

    /// What was filled before the leg at work.
    fn qty_before(&self) -> i64 {
        let before = &self.legs[..self.current()];
        before.iter().map(|leg| leg.filled_qty.max(leg.venue_filled_qty)).sum()
    }

    /// The most that may still be filled while a leg is awaited: of a leg that is partly filled
    /// more may be filled before it is cancelled, and the next was sized without that.
    pub(super) fn awaited_leaves(&self) -> Option<i64> {
        if self.legs.is_empty() {
            return None;
        }
        let awaited = self.legs[self.awaited()?].spec.qty;
        let current = &self.legs[self.current()];
        let left = current.leaves_qty();
        // Of one that is not filled at all the venue cancels only the whole.
        Some(if current.filled_qty > 0 { left + awaited } else { left.max(awaited) })
    }

    /// Makes the order what its legs add up to.
    fn sum_up(&mut self) {
        let (at, awaited) = (self.current(), self.awaited());
        let before = self.qty_before();
        let current = &self.legs[at];
        (self.spec.qty, self.spec.price) = (before + current.spec.qty, current.spec.price);
        let is_over = matches!(current.ending, Some(Ending::Canceled | Ending::Expired(_)));
        self.ending = current.ending.filter(|_| !(is_over && awaited.is_some()));
        self.place = if current.gave_life() { Pending::None } else { self.legs[0].place };
        self.amend = awaited.map_or(current.amend, |awaited| self.legs[awaited].place);
        self.triggered = current.triggered;
        let cancels = [Some(at), awaited].into_iter().flatten().map(|leg| self.legs[leg].cancel);
        self.cancel = cancels.fold(Pending::None, |all, one| match (all, one) {
            (Pending::Sent, _) | (_, Pending::Sent) => Pending::Sent,
            (Pending::Unknown, _) | (_, Pending::Unknown) => Pending::Unknown,
            _ => Pending::None,
        });
        (self.filled_qty, self.venue_filled_qty, self.filled_value) = (0, 0, 0);
        (self.accepted, self.disputed, self.ts_accepted) = (false, false, 0);
        for leg in &self.legs {
            self.filled_qty += leg.filled_qty;
            self.venue_filled_qty += leg.filled_qty.max(leg.venue_filled_qty);
            self.filled_value += leg.filled_value;
            self.accepted |= leg.accepted;
            self.disputed |= leg.disputed;
            if leg.ts_accepted > 0 && (self.ts_accepted == 0 || leg.ts_accepted < self.ts_accepted)
            {
                self.ts_accepted = leg.ts_accepted;
            }
        }
        self.ts_closed = self.legs[at].ts_closed;
        if self.is_open() {
            self.ts_closed = 0;
        }
    }
}
