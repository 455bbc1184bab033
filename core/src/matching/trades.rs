//! Markets of which only public trades are known.

use super::market::{meets, row, BUY, SELL};
use super::report::Evidence;
use super::settings::{Level, TradeTaker};
use super::slab::{Doing, Slot};
use super::venue::Venue;
use crate::order::{Expiry, OrderType, Side, Tif};

impl Venue {
    /// A print moves the estimated quote: the taker's side is at its price, the other makes room.
    pub(super) fn estimate_quote(&mut self, at: usize, price: i64, taker: i8) {
        let market = &mut self.markets[at];
        let (tick, half) = (market.tick, market.set.half_spread * market.tick);
        let estimate = &mut market.estimate;
        match taker {
            1 => {
                estimate[SELL] = Some(price);
                estimate[BUY] = estimate[BUY].map(|bid| bid.min(price - tick));
            }
            -1 => {
                estimate[BUY] = Some(price);
                estimate[SELL] = estimate[SELL].map(|ask| ask.max(price + tick));
            }
            _ => *estimate = [Some(price - half), Some(price + half)],
        }
    }

    /// The estimated price at which a taker of `side` would trade.
    pub(super) fn estimated(&self, at: usize, side: Side) -> Option<i64> {
        self.markets[at].estimate[row(side.opposite())]
    }

    /// An order at work in a trades-only market.
    pub(super) fn trade_take(&mut self, at: usize, slot: Slot, now: i64) {
        let own = *self.orders.get(slot);
        let quote = self.estimated(at, own.spec.side);
        let is_market = own.spec.kind == OrderType::Market;
        let limit = self.limit_of(slot);
        let marketable = is_market || quote.is_some_and(|p| meets(own.spec.side, limit, p));
        let at_once = self.markets[at].set.trade.taker == TradeTaker::Quote;
        match (at_once, marketable, quote) {
            (true, true, Some(price)) => {
                self.fill(at, slot, now, own.left, price, false, Evidence::Walk);
                return;
            }
            (true, true, None) => {
                self.expire(slot, own.birth, now, Expiry::NoLiquidity);
                return;
            }
            _ => {}
        }
        if !is_market && own.spec.tif == Tif::Ioc {
            self.expire(slot, own.birth, now, Expiry::Ioc);
        } else if marketable {
            self.markets[at].enlist(&mut self.orders, slot, Doing::Waiting);
        } else {
            self.rest(at, slot);
        }
    }

    /// Waiting takers take what a print of their side left, oldest first.
    pub(super) fn serve_waiting(&mut self, at: usize, now: i64, price: i64, qty: i64, taker: i8) {
        let market = &self.markets[at];
        if market.waiting.is_empty() || market.set.level != Level::Trade {
            return;
        }
        let waiting: Vec<(Slot, u64)> =
            market.waiting.iter().map(|slot| (*slot, self.orders.get(*slot).birth)).collect();
        let mut rest = qty - qty % market.lot;
        for (slot, birth) in waiting {
            let own = self.orders.get(slot);
            let (side, left) = (own.spec.side, own.left);
            let gone = own.birth != birth || own.doing != Doing::Waiting;
            if gone || (taker != 0 && i64::from(taker) != side.sign()) {
                continue;
            }
            if !meets(side, self.limit_of(slot), price) {
                self.markets[at].delist(&mut self.orders, slot);
                self.rest(at, slot);
                continue;
            }
            let part = left.min(rest);
            if part > 0 {
                rest -= part;
                self.fill(at, slot, now, part, price, false, Evidence::Walk);
            }
        }
    }
}
