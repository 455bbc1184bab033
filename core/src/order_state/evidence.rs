//! What a live engine learns of an order beyond reports: doubt, and the evidence that ends it.
//!
//! Doubt never changes what is known; it says that an answer is overdue. Evidence is merged as
//! facts like any report, so that its place among them does not matter.

use super::{Ending, Order, Pending};
use crate::order::{Expiry, Reject, Report, ReportKind};

/// Which request of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Asked {
    /// To create it.
    Place = 0,
    /// To change it.
    Amend = 1,
    /// To end it.
    Cancel = 2,
}

impl Asked {
    /// The request of a number, as stored.
    #[must_use]
    pub const fn of(number: u8) -> Option<Asked> {
        match number {
            0 => Some(Asked::Place),
            1 => Some(Asked::Amend),
            2 => Some(Asked::Cancel),
            _ => None,
        }
    }

    /// In words, for reasons.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Asked::Place => "order",
            Asked::Amend => "amendment",
            Asked::Cancel => "cancel",
        }
    }
}

/// What a query or listing says of an order's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FoundStatus {
    /// It may still trade.
    Open = 0,
    /// It traded in full.
    Filled = 1,
    /// It was cancelled.
    Canceled = 2,
    /// It ended by its own terms.
    Expired = 3,
    /// The venue refused it.
    Rejected = 4,
}

impl FoundStatus {
    /// The status of a number, as stored.
    #[must_use]
    pub const fn of(number: u8) -> Option<FoundStatus> {
        match number {
            0 => Some(FoundStatus::Open),
            1 => Some(FoundStatus::Filled),
            2 => Some(FoundStatus::Canceled),
            3 => Some(FoundStatus::Expired),
            4 => Some(FoundStatus::Rejected),
            _ => None,
        }
    }
}

/// An order as a query or a listing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which order.
    pub order: u64,
    /// When the venue last changed it, ns.
    pub ts_exchange: i64,
    /// When the venue created it, ns; 0 if not said.
    pub ts_created: i64,
    /// Its life.
    pub status: FoundStatus,
    /// Why it was refused or expired; 0 if not said.
    pub reason: u8,
    /// Cumulative filled quantity.
    pub filled_qty: i64,
    /// Mean price of the fills, cut; 0 if not said.
    pub avg_price: i64,
    /// Total quantity; 0 if not said.
    pub qty: i64,
    /// Price; 0 if not said.
    pub price: i64,
    /// The venue's own number; 0 if not said.
    pub venue_order_id: u64,
}

impl Order {
    /// The pending state of a request.
    #[must_use]
    pub fn pending(&self, asked: Asked) -> Pending {
        match asked {
            Asked::Place => self.place,
            Asked::Amend => self.amend,
            Asked::Cancel => self.cancel,
        }
    }

    fn pending_mut(&mut self, asked: Asked) -> &mut Pending {
        match asked {
            Asked::Place => &mut self.place,
            Asked::Amend => &mut self.amend,
            Asked::Cancel => &mut self.cancel,
        }
    }

    /// True while some answer is overdue, facts contradict each other, or fills are missing: a
    /// query by its id is due.
    #[must_use]
    pub fn needs_query(&self) -> bool {
        let unknown = [Asked::Place, Asked::Amend, Asked::Cancel]
            .iter()
            .any(|&asked| self.pending(asked) == Pending::Unknown);
        unknown || self.disputed || self.missing_qty() > 0
    }

    /// True if a fill of that number is booked.
    #[must_use]
    pub fn knows_trade(&self, trade_id: u64) -> bool {
        let knows = |order: &Order| order.trades.iter().any(|&(id, ..)| id == trade_id);
        if self.legs.is_empty() {
            knows(self)
        } else {
            self.legs.iter().any(knows)
        }
    }

    /// What the venue counts as filled beyond the fills that we have.
    #[must_use]
    pub fn missing_qty(&self) -> i64 {
        (self.venue_filled_qty - self.filled_qty).max(0)
    }

    /// The most that may still change the position, and the price that it may cost most at: fills
    /// that are missing count, and so do the terms of an amendment whose answer is awaited.
    #[must_use]
    pub fn worst_case(&self) -> (i64, i64) {
        let missing = self.missing_qty();
        if !self.is_open() {
            return (missing, self.spec.price);
        }
        if self.amend == Pending::None {
            return ((self.spec.qty - self.filled_qty).max(missing), self.spec.price);
        }
        let (qty, price) = self.asked;
        if let Some(leaves) = self.awaited_leaves() {
            return (leaves.max(missing), self.spec.price.max(price));
        }
        ((self.spec.qty.max(qty) - self.filled_qty).max(missing), self.spec.price.max(price))
    }

    /// The outcome of a request is not known. True if that is news.
    pub fn doubt(&mut self, asked: Asked) -> bool {
        let pending = self.pending_mut(asked);
        let is_news = *pending == Pending::Sent;
        if is_news {
            *pending = Pending::Unknown;
        }
        is_news
    }

    /// A request never left. True if that is news.
    pub fn never_left(&mut self, asked: Asked, now_ns: i64) -> bool {
        if self.pending(asked) == Pending::None {
            return false;
        }
        *self.pending_mut(asked) = Pending::None;
        if asked == Asked::Place {
            self.ending = self.ending.max(Some(Ending::Refused));
            if self.ts_closed == 0 {
                self.ts_closed = now_ns;
            }
        }
        true
    }

    /// No trace of a request where there must be one. True if that is news.
    ///
    /// An order that gave a sign of life is not ended by it: then facts contradict each other.
    pub fn is_absent(&mut self, asked: Asked, ts_exchange: i64) -> bool {
        if asked != Asked::Place {
            let was = std::mem::take(self.pending_mut(asked));
            return was != Pending::None;
        }
        let before = (self.status(), self.disputed);
        if self.gave_life() {
            self.disputed |= self.ending.is_none() && self.is_open();
        } else {
            self.place = Pending::None;
            self.ending = self.ending.max(Some(Ending::Absent));
            if self.ts_closed == 0 {
                self.ts_closed = ts_exchange;
            }
        }
        before != (self.status(), self.disputed)
    }

    /// The venue's own count of what is filled. True if that is news.
    pub fn count(&mut self, filled_qty: i64, ts_exchange: i64) -> bool {
        if filled_qty <= self.filled_qty.max(self.venue_filled_qty) {
            return false;
        }
        self.place = Pending::None;
        self.venue_filled_qty = filled_qty;
        if !self.is_open() && self.ts_closed == 0 {
            self.ts_closed = ts_exchange;
        }
        true
    }

    /// Merges what a query or listing shows. True if something is news.
    pub fn merge(&mut self, found: &Found) -> bool {
        let before = self.facts();
        let (order, ts_exchange) = (self.id, found.ts_exchange);
        let mut learn = |kind| self.learn(&Report { order, ts_exchange, kind });
        let left = (found.qty - found.filled_qty).max(0);
        match found.status {
            FoundStatus::Open | FoundStatus::Filled => {
                learn(ReportKind::Accepted { qty: 0 });
            }
            FoundStatus::Canceled => {
                learn(ReportKind::Canceled { left, by_oco: false });
            }
            FoundStatus::Expired => {
                let reason = Expiry::of(found.reason);
                learn(ReportKind::Expired { reason, left, prevented: 0 });
            }
            FoundStatus::Rejected => {
                learn(ReportKind::Rejected { reason: Reject::of(found.reason) });
            }
        }
        self.count(found.filled_qty, ts_exchange);
        let is_asked = (found.qty, found.price) == self.asked;
        let terms_known = found.qty > 0 && (found.price > 0 || !self.spec.kind.has_limit());
        let awaited = self.amend != Pending::None && !is_asked;
        if terms_known && !awaited && found.status != FoundStatus::Rejected {
            // The venue's terms are the order's from then on, whoever changed them.
            let (qty, price) = (found.qty, found.price);
            self.learn(&Report {
                order,
                ts_exchange,
                kind: ReportKind::Amended { qty, price, queue_kept: false },
            });
        }
        if found.ts_created > 0 && found.ts_created < self.ts_accepted {
            self.ts_accepted = found.ts_created;
        }
        before != self.facts()
    }

    /// What a strategy would notice of the facts.
    pub(super) fn facts(&self) -> impl PartialEq {
        let pending = [self.place, self.amend, self.cancel];
        (self.status(), self.spec, self.venue_filled_qty, self.disputed, pending)
    }
}

impl Reject {
    /// The reason of a number, as stored; a bad request if it is none.
    #[must_use]
    pub fn of(number: u8) -> Reject {
        REJECTS.iter().copied().find(|r| *r as u8 == number).unwrap_or(Reject::BadRequest)
    }
}

impl Expiry {
    /// The reason of a number, as stored; delisted if it is none.
    #[must_use]
    pub fn of(number: u8) -> Expiry {
        EXPIRIES.iter().copied().find(|e| *e as u8 == number).unwrap_or(Expiry::Delisted)
    }
}

const REJECTS: [Reject; 21] = [
    Reject::DuplicateId,
    Reject::MarketClosed,
    Reject::BadRequest,
    Reject::PriceFilter,
    Reject::LotSize,
    Reject::MarketLotSize,
    Reject::MinNotional,
    Reject::MaxNotional,
    Reject::PercentPrice,
    Reject::MaxOrders,
    Reject::MaxAlgoOrders,
    Reject::IcebergParts,
    Reject::ReduceOnly,
    Reject::InsufficientBalance,
    Reject::WouldTrigger,
    Reject::PostOnly,
    Reject::Fok,
    Reject::UnknownOrder,
    Reject::NoChange,
    Reject::KeepPriority,
    Reject::Margin,
];

const EXPIRIES: [Expiry; 11] = [
    Expiry::Ioc,
    Expiry::Fok,
    Expiry::Gtd,
    Expiry::NoLiquidity,
    Expiry::PriceBand,
    Expiry::Stp,
    Expiry::ReduceOnly,
    Expiry::PostOnly,
    Expiry::Liquidation,
    Expiry::Delisted,
    Expiry::InsufficientBalance,
];
