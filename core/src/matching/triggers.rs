//! Conditional orders: what arms them, what triggers them, and what they do then.

use super::market::{triggers_up, Last, Market};
use super::slab::{Doing, Own, Slot};
use super::venue::Venue;
use crate::instrument::Status;
use crate::order::{Expiry, OrderType, ReportKind, Side, TriggerBy};
use crate::units::{mul_div, pow10, Rounding, MARK_SCALE, RATE_SCALE};

/// A whole, in basis points.
const WHOLE_BPS: i128 = 10_000;

/// The first price on the tick grid at which an order triggers; `None` while it is not armed.
pub(super) fn trigger_level(market: &Market, own: &Own) -> Option<i64> {
    if own.spec.kind != OrderType::TrailingStop {
        return Some(own.spec.trigger_price);
    }
    let extreme = i128::from(own.extreme?);
    let (bps, tick) = (i128::from(own.spec.trail_bps), i128::from(market.tick));
    let level = match own.spec.side {
        Side::Sell => (extreme * (WHOLE_BPS - bps)).div_euclid(WHOLE_BPS * tick) * tick,
        Side::Buy => -(-extreme * (WHOLE_BPS + bps)).div_euclid(WHOLE_BPS * tick) * tick,
    };
    i64::try_from(level).ok()
}

/// True if `price` meets the trigger of an armed order, compared exactly.
fn holds(own: &Own, price: i64) -> bool {
    let up = triggers_up(own);
    let (price, trigger) = if own.spec.kind == OrderType::TrailingStop {
        let Some(extreme) = own.extreme else { return false };
        let bps = i128::from(own.spec.trail_bps);
        let factor = if up { WHOLE_BPS + bps } else { WHOLE_BPS - bps };
        (i128::from(price) * WHOLE_BPS, i128::from(extreme) * factor)
    } else {
        (i128::from(price), i128::from(own.spec.trigger_price))
    };
    if up {
        price >= trigger
    } else {
        price <= trigger
    }
}

/// Moves the extreme of a trailing order, or arms it when its activation price is reached.
fn trail(own: &mut Own, price: i64) {
    let sells = own.spec.side == Side::Sell;
    own.extreme = match own.extreme {
        Some(extreme) => Some(if sells { extreme.max(price) } else { extreme.min(price) }),
        None => {
            let activate = own.spec.activation_price;
            let reached = match own.spec.side {
                Side::Sell => price >= activate,
                Side::Buy => price <= activate,
            };
            (activate == 0 || reached).then_some(price)
        }
    };
}

impl Venue {
    /// Arms a conditional order; one whose trigger already holds acts at once.
    pub(super) fn arm(&mut self, at: usize, slot: Slot, now: i64) {
        let market = &mut self.markets[at];
        let own = self.orders.get_mut(slot);
        if own.spec.kind == OrderType::TrailingStop {
            if let Some(price) = market.watched(own.spec.trigger_by) {
                trail(own, price);
            }
        }
        market.enlist(&mut self.orders, slot, Doing::Armed);
        if self.is_triggered(at, self.orders.get(slot)) {
            self.fire(at, slot, now);
        }
    }

    /// True if the price that a fixed trigger watches is already beyond it.
    pub(super) fn is_triggered(&self, at: usize, own: &Own) -> bool {
        own.spec.kind != OrderType::TrailingStop
            && self.markets[at].watched(own.spec.trigger_by).is_some_and(|price| holds(own, price))
    }

    /// A price of a source: triggered orders act, nearest to the last price first, then oldest.
    #[inline]
    pub(super) fn fire_triggers(
        &mut self,
        at: usize,
        now: i64,
        by: TriggerBy,
        before: Option<i64>,
        price: i64,
    ) {
        if !self.markets[at].armed.is_empty() && self.markets[at].status == Status::Trading {
            self.fire_armed(at, now, by, before, price);
        }
    }

    fn fire_armed(&mut self, at: usize, now: i64, by: TriggerBy, before: Option<i64>, price: i64) {
        self.trail_all(at, by, price);
        loop {
            let market = &self.markets[at];
            let due = market
                .armed
                .iter()
                .map(|slot| (*slot, self.orders.get(*slot)))
                .filter(|(_, own)| own.spec.trigger_by == by && holds(own, price))
                .filter(|(_, own)| !self.is_protected(at, own, price))
                .min_by_key(|(_, own)| {
                    let level = trigger_level(market, own).unwrap_or(price);
                    (level.abs_diff(before.unwrap_or(price)), own.birth)
                });
            let Some((slot, _)) = due else { return };
            self.fire(at, slot, now);
        }
    }

    /// Every trailing order of a source sees a price.
    pub(super) fn trail_all(&mut self, at: usize, by: TriggerBy, price: i64) {
        for slot in &self.markets[at].armed {
            let own = self.orders.get_mut(*slot);
            if own.spec.kind == OrderType::TrailingStop && own.spec.trigger_by == by {
                trail(own, price);
            }
        }
    }

    /// True if price protection passes a trigger over: the price is too far from mark.
    pub(super) fn is_protected(&self, at: usize, own: &Own, price: i64) -> bool {
        let market = &self.markets[at];
        let (limit, Some(mark)) = (own.spec.price_protect, market.mark) else { return false };
        if limit == 0 {
            return false;
        }
        let Some(unit) = pow10(MARK_SCALE).checked_div(pow10(market.price_scale)) else {
            return false;
        };
        let distance = (i128::from(price) * unit - i128::from(mark)).abs();
        let allowed =
            mul_div(i128::from(mark), i128::from(limit), pow10(RATE_SCALE), Rounding::Down);
        distance > allowed.unwrap_or(i128::MAX)
    }

    /// A triggered order becomes a market or limit order at the same instant.
    pub(super) fn fire(&mut self, at: usize, slot: Slot, now: i64) {
        self.markets[at].delist(&mut self.orders, slot);
        let own = self.orders.get_mut(slot);
        own.spec.kind =
            if own.spec.kind.has_limit() { OrderType::Limit } else { OrderType::Market };
        let own = *own;
        self.say_left(own.account, own.id, now, ReportKind::Triggered, own.left);
        if own.spec.oco_group != 0 {
            self.cancel_group(now, own.account, own.spec.oco_group, own.id);
        }
        if let Some(reason) = self.prepare_fired(at, slot, now) {
            self.expire(slot, own.birth, now, reason);
            return;
        }
        self.relock(at, slot);
        self.work(at, slot, now);
    }

    /// The checks that a conditional order passes only now.
    fn prepare_fired(&mut self, at: usize, slot: Slot, now: i64) -> Option<Expiry> {
        let own = *self.orders.get(slot);
        if own.reduces() {
            let most = self.markets[at].reducible(&own);
            if most == 0 {
                return Some(Expiry::ReduceOnly);
            }
            let order = self.orders.get_mut(slot);
            if own.spec.close_position {
                (order.qty, order.left) = (most, most);
            } else if own.left > most {
                order.qty -= own.left - most;
                order.left = most;
                self.say(own.account, own.id, now, ReportKind::Reduced { left: most });
            }
            let order = self.orders.get_mut(slot);
            order.shown = order.slice();
        }
        let own = self.orders.get(slot);
        if self.check_funds(at, now, own).is_err() {
            return Some(Expiry::InsufficientBalance);
        }
        let (side, price) = (own.spec.side, own.spec.price);
        (own.spec.post_only && self.would_take(at, now, side, price)).then_some(Expiry::PostOnly)
    }

    /// Own trades of a true book are prints, looked at one after the other.
    pub(super) fn drain_prints(&mut self, at: usize, now: i64) {
        let mut next = 0;
        while let Some(price) = self.markets[at].prints.get(next).copied() {
            next += 1;
            let before = std::mem::replace(&mut self.markets[at].last, Last::at(price)).get();
            self.fire_triggers(at, now, TriggerBy::Last, before, price);
        }
        self.markets[at].prints.clear();
    }
}
