//! What one of our orders is: a set of facts, and a status that follows from them (EX3).
//!
//! Reports come late, twice and out of order. Each one only *adds* to what is known (a fill by its
//! trade id, the largest cumulative quantity, the strongest ending), and the status is computed
//! from the whole. So any order and any repetition of the same reports ends in the same status, by
//! construction and not by a table of transitions that has to foresee them.

mod afterlife;
mod evidence;
mod legs;
mod stored;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_legs;

pub use evidence::{Asked, Found, FoundStatus};
pub use legs::MOST_LEGS;
pub use table::OrderTable;

use crate::order::{Expiry, FillFact, OrderId, OrderSpec, Reject, Report, ReportKind};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Created here; the venue has not answered.
    New = 0,
    /// The request left and no answer came: only evidence ends this (EX7).
    Unknown = 1,
    /// Known to the venue, nothing traded.
    Accepted = 2,
    /// Partly traded, still open.
    PartiallyFilled = 3,
    /// Traded in full.
    Filled = 4,
    /// Cancelled; part of it may have traded.
    Canceled = 5,
    /// Never existed at the venue: refused by it, or by a risk rule.
    Rejected = 6,
    /// Ended by its own terms; part of it may have traded.
    Expired = 7,
}

impl Status {
    /// True if nothing can happen to the order any more.
    #[inline]
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Status::Filled | Status::Canceled | Status::Rejected | Status::Expired)
    }

    /// The status in words, as users read it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Unknown => "unknown",
            Status::Accepted => "accepted",
            Status::PartiallyFilled => "partially_filled",
            Status::Filled => "filled",
            Status::Canceled => "canceled",
            Status::Rejected => "rejected",
            Status::Expired => "expired",
        }
    }
}

/// How an order ended, by rising weight: of two endings the heavier one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// A query found no such order. Revisable: any sign of life outweighs it.
    Absent,
    /// A risk rule refused it; it never left.
    Refused,
    /// The venue refused it.
    Rejected(u8),
    /// It ended by its own terms.
    Expired(u8),
    /// It was cancelled.
    Canceled,
}

impl Ending {
    /// An ending by the venue's refusal.
    #[must_use]
    pub const fn rejected(reason: Reject) -> Self {
        Ending::Rejected(reason as u8)
    }

    /// An ending by the order's own terms.
    #[must_use]
    pub const fn expired(reason: Expiry) -> Self {
        Ending::Expired(reason as u8)
    }
}

/// A request that has left and whose answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pending {
    /// Nothing is awaited.
    #[default]
    None,
    /// Sent, no answer yet.
    Sent,
    /// Sent, and the answer is overdue or lost.
    Unknown,
}

/// One of our orders.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its handle.
    pub id: OrderId,
    /// Whose money.
    pub account: u16,
    /// Whose idea.
    pub strategy: u16,
    /// What was asked, with later amendments in `qty` and `price`.
    pub spec: OrderSpec,
    /// When the strategy gave it, ns.
    pub ts_created: i64,
    /// When the venue took it, ns at the venue; 0 before.
    pub ts_accepted: i64,
    /// When it ended, ns at the venue; 0 before.
    pub ts_closed: i64,
    /// Mid price when the strategy gave it, in half price units; 0 if unknown.
    pub arrival_mid2: i64,
    /// The venue said it exists.
    pub accepted: bool,
    /// A conditional order has begun to work.
    pub triggered: bool,
    /// Facts contradict each other; a query must settle it.
    pub disputed: bool,
    /// How it ended, if it has.
    pub ending: Option<Ending>,
    /// Filled quantity, by the fills that we have.
    pub filled_qty: i64,
    /// Filled quantity as the venue counts it, where it says so; at least the fills we have.
    pub venue_filled_qty: i64,
    /// Sum of price × quantity of the fills.
    pub filled_value: i128,
    /// The place request.
    pub place: Pending,
    /// An open amend request.
    pub amend: Pending,
    /// An open cancel request.
    pub cancel: Pending,
    /// Quantity and price that the last amendment asked for.
    pub asked: (i64, i64),
    /// Venue time of the report that last said the quantity; an older one changes nothing.
    terms_ts: i64,
    /// The same for the price alone, which a reduction does not say.
    price_ts: i64,
    /// Venue time of the last reduction, if nothing newer has set the quantity; an older fill that
    /// comes late belongs to what was filled before it.
    reduced_ts: i64,
    /// Venue trade id, time and quantity of every fill taken, so that each counts once.
    trades: Vec<(u64, i64, i64)>,
    /// The sentence of the risk rule that refused it.
    pub refusal: Option<Box<str>>,
    /// Live handles outside the core; the row is kept while there are any.
    pub handles: u32,
    /// The orders at the venue that it was in turn, the first included, once it was replaced; then
    /// all above but the terms of the last request follows from them. Empty before.
    legs: Vec<Order>,
}

/// What a report changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that was not known.
    None,
    /// A fill that was not known.
    Fill(FillFact),
    /// Anything else.
    State,
}

impl Order {
    /// A new order, as the strategy gave it.
    #[must_use]
    pub fn new(id: OrderId, account: u16, strategy: u16, spec: OrderSpec, ts_created: i64) -> Self {
        Order {
            id,
            account,
            strategy,
            spec,
            ts_created,
            ts_accepted: 0,
            ts_closed: 0,
            arrival_mid2: 0,
            accepted: false,
            triggered: false,
            disputed: false,
            ending: None,
            filled_qty: 0,
            venue_filled_qty: 0,
            filled_value: 0,
            place: Pending::None,
            amend: Pending::None,
            cancel: Pending::None,
            asked: (0, 0),
            terms_ts: i64::MIN,
            price_ts: i64::MIN,
            reduced_ts: i64::MIN,
            trades: Vec::new(),
            refusal: None,
            handles: 0,
            legs: Vec::new(),
        }
    }

    /// Makes this row a new order, in place: what [`new`](Self::new) would make, with the memory
    /// of its lists kept.
    #[inline]
    fn renew(&mut self, own: OrderId, owner: u16, idea: u16, terms: &OrderSpec, created_ns: i64) {
        // Taken apart without a rest, so that no field is forgotten.
        let Order {
            id,
            account,
            strategy,
            spec,
            ts_created,
            ts_accepted,
            ts_closed,
            arrival_mid2,
            accepted,
            triggered,
            disputed,
            ending,
            filled_qty,
            venue_filled_qty,
            filled_value,
            place,
            amend,
            cancel,
            asked,
            terms_ts,
            price_ts,
            reduced_ts,
            trades,
            refusal,
            handles,
            legs,
        } = self;
        (*id, *account, *strategy, *spec, *ts_created) = (own, owner, idea, *terms, created_ns);
        (*ts_accepted, *ts_closed, *arrival_mid2) = (0, 0, 0);
        (*accepted, *triggered, *disputed, *ending) = (false, false, false, None);
        (*filled_qty, *venue_filled_qty, *filled_value) = (0, 0, 0);
        (*place, *amend, *cancel) = (Pending::None, Pending::None, Pending::None);
        (*asked, *handles) = ((0, 0), 0);
        (*terms_ts, *price_ts, *reduced_ts) = (i64::MIN, i64::MIN, i64::MIN);
        trades.clear();
        legs.clear();
        *refusal = None;
    }

    /// The status that follows from the facts.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Status {
        let filled = self.filled_qty.max(self.venue_filled_qty);
        if self.spec.qty > 0 && filled >= self.spec.qty {
            return Status::Filled;
        }
        let alive = self.accepted || filled > 0;
        match self.ending {
            Some(Ending::Canceled) => Status::Canceled,
            Some(Ending::Expired(_)) => Status::Expired,
            Some(Ending::Rejected(_) | Ending::Refused | Ending::Absent) if !alive => {
                Status::Rejected
            }
            _ if filled > 0 => Status::PartiallyFilled,
            _ if self.accepted => Status::Accepted,
            _ if self.place == Pending::Unknown => Status::Unknown,
            _ => Status::New,
        }
    }

    /// True while it may still trade.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        // Asked several times an input; without an ending only the quantity can have ended it.
        if self.ending.is_none() {
            let filled = self.filled_qty.max(self.venue_filled_qty);
            return filled < self.spec.qty || self.spec.qty <= 0;
        }
        !self.status().is_final()
    }

    /// True until its command took its turn: then nothing of it is in the journal yet.
    #[must_use]
    pub fn is_unborn(&self) -> bool {
        // An order with legs was sent long ago, whatever is known of the leg at work.
        self.place == Pending::None
            && !self.accepted
            && self.legs.is_empty()
            && self.status() == Status::New
    }

    /// What may still trade, in quantity units; 0 once it ended.
    #[inline]
    #[must_use]
    pub fn leaves_qty(&self) -> i64 {
        if self.is_open() {
            self.spec.qty - self.filled_qty
        } else {
            0
        }
    }

    /// Takes its terms as the venue's of this time: an older report changes none of them.
    pub(crate) fn show(&mut self, ts_exchange: i64) {
        self.accept(ts_exchange);
        (self.terms_ts, self.price_ts) = (ts_exchange, ts_exchange);
    }

    /// Adds what a report says to the facts.
    pub fn learn(&mut self, report: &Report) -> Change {
        let before = (self.status(), self.spec.qty, self.spec.price, self.triggered);
        let cancel_was = self.cancel;
        match report.kind {
            ReportKind::Accepted { qty } => {
                self.accept(report.ts_exchange);
                if qty > 0 && qty < self.spec.qty && self.is_newer(report.ts_exchange) {
                    self.spec.qty = qty;
                }
            }
            ReportKind::Rejected { reason } => self.end(Ending::rejected(reason), report),
            ReportKind::Filled(fill) => {
                self.place = Pending::None;
                if self.knows_fill(fill.trade_id, fill.qty) {
                    return Change::None;
                }
                self.trades.push((fill.trade_id, report.ts_exchange, fill.qty));
                if report.ts_exchange < self.reduced_ts && self.reduced_ts == self.terms_ts {
                    self.spec.qty += fill.qty;
                }
                self.filled_qty += fill.qty;
                self.filled_value += i128::from(fill.price) * i128::from(fill.qty);
                if self.filled_qty > self.spec.qty && !self.spec.close_position {
                    self.disputed = true;
                }
                if self.filled_qty >= self.spec.qty && self.ts_closed == 0 {
                    self.ts_closed = report.ts_exchange;
                }
                return Change::Fill(fill);
            }
            ReportKind::Triggered => {
                self.accept(report.ts_exchange);
                self.triggered = true;
            }
            ReportKind::Canceled { .. } => self.end(Ending::Canceled, report),
            ReportKind::Expired { reason, .. } => self.end(Ending::expired(reason), report),
            ReportKind::CancelRejected { .. } => self.cancel = Pending::None,
            ReportKind::AmendRejected { .. } => self.amend = Pending::None,
            ReportKind::Amended { qty, price, .. } => {
                self.accept(report.ts_exchange);
                self.amend = Pending::None;
                if report.ts_exchange >= self.price_ts {
                    (self.spec.price, self.price_ts) = (price, report.ts_exchange);
                }
                if self.is_newer(report.ts_exchange) {
                    self.spec.qty = qty;
                    self.reduced_ts = i64::MIN;
                }
            }
            ReportKind::Reduced { left } | ReportKind::Prevented { left, .. } => {
                self.accept(report.ts_exchange);
                if self.is_newer(report.ts_exchange) {
                    let before = self.trades.iter().filter(|fill| fill.1 <= report.ts_exchange);
                    let filled: i64 = before.map(|fill| fill.2).sum();
                    self.spec.qty = filled + left;
                    self.reduced_ts = report.ts_exchange;
                }
            }
        }
        let after = (self.status(), self.spec.qty, self.spec.price, self.triggered);
        if before == after && cancel_was == self.cancel {
            Change::None
        } else {
            Change::State
        }
    }

    /// True if `ts_exchange` is not older than the terms that are known; they are then its own.
    fn is_newer(&mut self, ts_exchange: i64) -> bool {
        let newer = ts_exchange >= self.terms_ts;
        self.terms_ts = self.terms_ts.max(ts_exchange);
        newer
    }

    fn accept(&mut self, ts_exchange: i64) {
        self.place = Pending::None;
        self.accepted = true;
        if self.ts_accepted == 0 || ts_exchange < self.ts_accepted {
            self.ts_accepted = ts_exchange;
        }
    }

    fn end(&mut self, ending: Ending, report: &Report) {
        self.place = Pending::None;
        self.cancel = Pending::None;
        self.amend = Pending::None;
        if matches!(ending, Ending::Rejected(_)) && (self.accepted || self.filled_qty > 0) {
            self.disputed = true;
        }
        self.ending = self.ending.max(Some(ending));
        if self.ts_closed == 0 {
            self.ts_closed = report.ts_exchange;
        }
    }
}
