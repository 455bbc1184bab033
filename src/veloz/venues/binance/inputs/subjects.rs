//! Whose a message is: by our client id, else by the venue's number of an order.

use super::*;

impl<'a> Reading<'a> {
    pub(super) fn ours(&self, client_id: Option<&str>) -> Option<Leg> {
        WireId::parse(client_id?.as_bytes())?.leg(self.desk)
    }

    pub(super) fn subject(
        &self,
        client_id: Option<&str>,
        row: u32,
        venue_order_id: i64,
    ) -> Subject {
        let by_number = || self.desk.leg_by_venue_id(self.account, row, venue_order_id as u64);
        match self.ours(client_id).or_else(by_number) {
            Some(order) => Subject::Known(order),
            None => Subject::Unknown,
        }
    }

    /// Which order a message is about. A number that comes back behind the end of its order, under
    /// a name that is not ours, is another order's: venues have rolled numbers back (F-G03).
    pub(super) fn subject_of(&self, r: &OrderReport<'_>, row: u32) -> Subject {
        if let Some(order) = self.ours(r.client_id.as_deref()) {
            return Subject::Known(order);
        }
        let begun = match r.status.and_then(|word| word.known) {
            Some(OrderStatus::New) => r.ts_created.or(r.ts_exchange).or(r.ts_event),
            _ => r.ts_created,
        };
        let is_another = |order: &Order| {
            let side = r.side.map(|side| if side == "BUY" { Side::Buy } else { Side::Sell });
            Desk::is_another(order, side.unwrap_or(order.spec.side), begun.unwrap_or(0))
        };
        match self.subject(None, row, r.venue_order_id) {
            Subject::Known(of) => match self.earlier(of, r, row) {
                Some(earlier) => Subject::Known((earlier, 0)),
                None if self.leg(of).is_some_and(is_another) => Subject::Unknown,
                None => Subject::Known(of),
            },
            Subject::Unknown => Subject::Unknown,
        }
    }

    /// The order whose fill comes again in a message, after another one took over its number.
    fn earlier(&self, of: Leg, r: &OrderReport<'_>, row: u32) -> Option<OrderId> {
        let id = r.trade_id? as u64;
        let side = if r.side? == "BUY" { Side::Buy } else { Side::Sell };
        if self.leg(of).is_none_or(|order| order.knows_trade(id)) {
            return None;
        }
        let mut booked = self.desk.orders.with_trade(self.account, row, id);
        booked.find(|order| order.spec.side == side).map(|order| order.id)
    }

    /// True if a trade of a listing was booked to an order that had the number before.
    pub(super) fn is_of_an_earlier(&self, of: Leg, row: u32, trade: &TradeRow<'_>) -> bool {
        let (id, ts) = (trade.trade_id as u64, trade.ts_exchange.unwrap_or(i64::MAX));
        self.leg(of).is_some_and(|order| order.ts_accepted > ts && !order.knows_trade(id))
            && self.desk.orders.with_trade(self.account, row, id).next().is_some()
    }

    /// True if a trade of a listing is one of an order that took the number over.
    pub(super) fn is_of_a_later(&self, of: Leg, trade: &TradeRow<'_>) -> bool {
        self.leg(of).is_some_and(|order| {
            let side = trade.is_buyer.map(|buys| if buys { Side::Buy } else { Side::Sell });
            // One that is not filled may still have trades that nobody told of.
            let is_full = order.filled_qty >= order.spec.qty;
            let ts = trade.ts_exchange.filter(|_| is_full).unwrap_or(0);
            !order.knows_trade(trade.trade_id as u64)
                && Desk::is_another(order, side.unwrap_or(order.spec.side), ts)
        })
    }

    /// True if an order of a name that nobody knows may be one of ours whose name the venue
    /// rewrote: an answer that would tell its number is awaited. The account's listing names it.
    pub(super) fn may_be_ours(&self, row: u32, r: &OrderReport<'_>) -> bool {
        let side = if r.side == Some("BUY") { Side::Buy } else { Side::Sell };
        let is_placing = |order: &Order| {
            (order.account, order.spec.instrument, order.spec.side) == (self.account, row, side)
                && (order.place != Pending::None || order.amend != Pending::None)
        };
        let mut open = self.desk.orders.open().iter();
        !origin_of(r.client_id.as_deref().unwrap_or_default()).is_venue_made()
            && open.any(|id| self.desk.orders.get(*id).is_some_and(is_placing))
    }
}
