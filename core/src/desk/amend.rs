//! Amendments: an order is changed in its place, or another takes its place as the order's next
//! leg, by what the venue of its instrument can do.

use super::{Desk, DeskError};
use crate::facts::{self, number};
use crate::order::{OrderId, OrderSpec, OrderType, Request, RequestKind};
use crate::order_state::{Order, Pending, MOST_LEGS};
use crate::risk::Refusal;

impl Desk {
    /// Sends an amendment that the gate lets pass. A refused one leaves the order as it is, and
    /// its reason says which rule it was.
    pub(super) fn amend(
        &mut self,
        id: OrderId,
        strategy: u16,
        qty: i64,
        price: i64,
    ) -> Result<(), DeskError> {
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        if order.status().is_final() {
            return Ok(());
        }
        let is_under_way = order.amend != Pending::None;
        let is_replaced = self.is_replaced(order, qty, price);
        let is_worn = is_replaced && order.last_leg() as usize + 1 >= MOST_LEGS;
        // What may still trade is what the gate judges; the filled part is in the position.
        let asked = OrderSpec { qty: (qty - order.filled_qty).max(0), price, ..order.spec };
        let account = order.account;
        let verdict = if is_under_way {
            let detail = "another one is under way; wait for its answer".to_owned();
            Err(Refusal { rule: "amend_pending", detail })
        } else if is_worn {
            let detail = format!("it was replaced {MOST_LEGS} times; cancel it and place another");
            Err(Refusal { rule: "amend_limit", detail })
        } else {
            self.judge(id, &asked)?
        };
        let Some(order) = self.orders.get_mut(id) else { return Ok(()) };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal
            .record(number::AMEND, &facts::AmendCommand { order: id, strategy, qty, price });
        match verdict {
            Ok(()) => {
                let instead = order.current_leg();
                let leg = if is_replaced {
                    order.replace(qty, price, self.now_ns)
                } else {
                    order.amend_in_place(qty, price);
                    instead
                };
                order.refusal = None;
                let kind = if is_replaced {
                    self.journal.record(number::LEG, &facts::OrderLeg { order: id, leg });
                    RequestKind::Replace { qty, price, instead }
                } else {
                    RequestKind::Amend { qty, price }
                };
                let ts_sent = self.now_ns;
                self.outbox.requests.push(Request { order: id, account, ts_sent, kind, leg });
            }
            Err(refusal) => {
                let text = format!("amendment refused: {}: {}", refusal.rule, refusal.detail);
                let fact = facts::Refused { order: id, strategy, request: 1 };
                self.journal.record_with_text(number::REFUSED, &fact, text.as_bytes());
                order.refusal = Some(text.into_boxed_str());
                self.tell_order(id, strategy);
            }
        }
        self.journal.commit();
        Ok(())
    }

    /// True if the venue makes such a change by placing another order in the place of this one.
    fn is_replaced(&self, order: &Order, qty: i64, price: i64) -> bool {
        let spec = &order.spec;
        let keeps_place = price == spec.price && qty < spec.qty;
        self.outside.replaced.contains(&spec.instrument)
            && spec.kind == OrderType::Limit
            && qty > order.filled_qty.max(order.venue_filled_qty)
            && price > 0
            && !keeps_place
    }

    /// Notes in the open batch which leg its first record is about.
    #[inline]
    pub(super) fn note_leg(&mut self, order: OrderId) {
        if self.leg > 0 {
            let fact = facts::OrderLeg { order, leg: self.leg };
            self.journal.record(number::LEG, &fact);
        }
    }
}
