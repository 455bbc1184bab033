//! Doubt about requests, and the evidence that ends it (EX7).
//!
//! A request whose answer is overdue is not failed: the order stays at its worst case until the
//! venue has said, or a listing past its deadline proves, what became of it. Nothing here sends
//! anything again.

use super::Desk;
use crate::account::EXTERNAL;
use crate::facts::{self, number};
use crate::order::{OrderId, Report, ReportKind};
use crate::order_state::{Asked, Ending, Found, Order};

/// The code of a [`facts::RequestDoubt`].
const UNKNOWN: u8 = 0;
const NEVER_LEFT: u8 = 1;

impl Desk {
    /// The outcome of a request is not known: its answer is overdue, lost, or cannot be read.
    pub fn doubt(&mut self, id: OrderId, asked: Asked, reason: &str) {
        self.note_request(id, asked, UNKNOWN, reason, |order, leg, _| order.doubt_of(leg, asked));
    }

    /// A request never left, for certain: no byte of it was written. An order that was not sent
    /// goes back to its strategy as failed.
    pub fn never_left(&mut self, id: OrderId, asked: Asked, reason: &str) {
        self.note_request(id, asked, NEVER_LEFT, reason, |order, leg, now| {
            let is_news = order.never_left_of(leg, asked, now);
            if is_news {
                order.refusal = Some(format!("{} not sent: {reason}", asked.word()).into());
            }
            is_news
        });
    }

    fn note_request(
        &mut self,
        id: OrderId,
        asked: Asked,
        outcome: u8,
        reason: &str,
        learn: impl FnOnce(&mut Order, u32, i64) -> bool,
    ) {
        let fact = facts::RequestDoubt { order: id, asked: asked as u8, outcome };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number::DOUBT, &fact, reason.as_bytes());
        self.note_leg(id);
        self.journal.commit();
        self.change(id, learn);
    }

    /// Changes an order's facts, and keeps lists and strategies in step.
    fn change(&mut self, id: OrderId, learn: impl FnOnce(&mut Order, u32, i64) -> bool) {
        let (now, leg) = (self.now_ns, self.leg);
        let Some(order) = self.orders.get_mut(id) else { return };
        let (was_open, strategy) = (order.is_open(), order.strategy);
        let is_news = learn(order, leg, now);
        self.follow(id, was_open);
        if is_news {
            self.tell_order(id, strategy);
        }
    }

    /// The venue has no trace of a request, in a listing that was taken past the time in which it
    /// could still have acted on it; `evidence` says which. Revisable: a later sign of life
    /// outweighs it.
    pub fn absent(&mut self, id: OrderId, asked: Asked, ts_exchange: i64, evidence: &str) {
        let fact = facts::RequestAbsent { order: id, asked: asked as u8, ts_exchange };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number::ABSENT, &fact, evidence.as_bytes());
        self.note_leg(id);
        self.journal.commit();
        self.change(id, |order, leg, _| {
            let is_news = order.is_absent_of(leg, asked, ts_exchange);
            if is_news && asked != Asked::Place {
                order.refusal = Some(format!("{} had no effect: {evidence}", asked.word()).into());
            }
            is_news
        });
    }

    /// A query or a listing showed an order: what it says is merged as facts.
    ///
    /// # Errors
    ///
    /// [`DeskError`](super::DeskError) if a report that waited for the order cannot be booked.
    pub fn found(&mut self, found: &Found) -> Result<(), super::DeskError> {
        let fact = facts::OrderFound {
            order: found.order,
            ts_exchange: found.ts_exchange,
            ts_created: found.ts_created,
            status: found.status as u8,
            reason: found.reason,
            filled_qty: found.filled_qty,
            avg_price: found.avg_price,
            qty: found.qty,
            price: found.price,
            venue_order_id: found.venue_order_id,
        };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::FOUND, &fact);
        self.note_leg(found.order);
        self.journal.commit();
        self.change(found.order, |order, leg, _| order.merge_of(leg, found));
        self.learn_venue_id(found.order, found.venue_order_id)
    }

    /// The venue counts more as filled than the fills that we have.
    pub fn cumulative(&mut self, id: OrderId, ts_exchange: i64, filled_qty: i64) {
        let fact = facts::CumulativeQty { order: id, ts_exchange, filled_qty };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::CUMULATIVE, &fact);
        self.note_leg(id);
        self.journal.commit();
        self.change(id, |order, leg, _| order.count_of(leg, filled_qty, ts_exchange));
    }

    /// An order's number at the venue is known. What waited under that number is applied.
    ///
    /// # Errors
    ///
    /// As [`found`](Self::found).
    pub fn name_order(&mut self, id: OrderId, venue_order_id: u64) -> Result<(), super::DeskError> {
        if self.venue_id_of(id, self.leg) == Some(venue_order_id) {
            return Ok(());
        }
        let fact = facts::VenueId { order: id, venue_order_id };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::VENUE_ID, &fact);
        self.note_leg(id);
        self.journal.commit();
        self.learn_venue_id(id, venue_order_id)
    }

    pub(super) fn learn_venue_id(
        &mut self,
        id: OrderId,
        venue_order_id: u64,
    ) -> Result<(), super::DeskError> {
        if venue_order_id == 0 {
            return Ok(());
        }
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        let key = (order.account, order.spec.instrument, venue_order_id);
        let named = self.outside.by_venue_id.get(&key).copied();
        if let Some((twin, _)) = named.filter(|(twin, _)| *twin != id) {
            self.unshow(twin);
        }
        self.outside.venue_ids.insert((id, self.leg), venue_order_id);
        self.outside.by_venue_id.insert(key, (id, self.leg));
        self.join(id)
    }

    /// An order that was shown as somebody else's is one of ours: the venue had rewritten its name.
    fn unshow(&mut self, twin: OrderId) {
        let is_shown = |order: &Order| order.strategy == EXTERNAL && order.filled_qty == 0;
        if !self.orders.get(twin).is_some_and(is_shown) {
            return;
        }
        self.change(twin, |order, _, now| {
            (order.accepted, order.ending) = (false, Some(Ending::Absent));
            order.ts_closed = now;
            true
        });
    }

    /// The venue refused a request, with its own code and text, which are kept.
    ///
    /// # Errors
    ///
    /// As [`report`](Self::report).
    pub fn refused_by_venue(
        &mut self,
        report: &Report,
        code: i64,
        text: &str,
    ) -> Result<(), super::DeskError> {
        debug_assert!(matches!(
            report.kind,
            ReportKind::Rejected { .. }
                | ReportKind::CancelRejected { .. }
                | ReportKind::AmendRejected { .. }
        ));
        self.report_with(report, Some((code, text)))
    }

    /// Notes the venue's words in the open batch.
    pub(super) fn note_words(&mut self, id: OrderId, code: i64, text: &str) {
        let fact = facts::VenueWords { order: id, code };
        self.journal.record_with_text(number::WORDS, &fact, text.as_bytes());
        if let Some(order) = self.orders.get_mut(id) {
            order.refusal = Some(format!("{text} ({code})").into());
        }
    }
}
