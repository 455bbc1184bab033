//! Resting orders in a replayed book: joining the queue, moving forward in it, and filling.
//!
//! An order's `ahead` is what stands before it, in millionths of a lot. Prints reduce it for
//! certain, shrinking levels by the queue model, and it never rises while the order keeps its place.

use super::ghosts::{available, Ghost, Held};
use super::market::{meets, row, Market};
use super::queue::MICRO;
use super::report::Evidence as Why;
use super::settings::{Consumed, Evidence, Level, TradeAhead};
use super::slab::{Doing, Slot, UNKNOWN};
use super::venue::Venue;
use crate::instrument::Status;
use crate::order::Side;
use crate::units::{mul_div, pow10, Rounding, RATE_SCALE};

impl Market {
    /// Quantity units in millionths of a lot.
    #[inline]
    pub fn micro(&self, qty: i64) -> i128 {
        let micro = i128::from(qty) * MICRO;
        if self.lot == 1 {
            micro
        } else {
            micro / i128::from(self.lot)
        }
    }

    /// Whole lots in millionths of a lot, as quantity units.
    #[inline]
    pub fn whole(&self, micro: i128) -> i64 {
        // Dividing 64 bits by a constant is a multiplication; dividing 128 bits is a call.
        let lots = match i64::try_from(micro) {
            Ok(small) => small / MICRO as i64,
            Err(_) => (micro / MICRO) as i64,
        };
        lots * self.lot
    }

    /// What an order that joins now has before it at a price.
    fn ahead_on_joining(&self, side: Side, price: i64) -> i128 {
        match self.set.level {
            Level::Bar | Level::True => 0,
            Level::Trade => match self.set.trade.ahead {
                TradeAhead::CrossOnly => UNKNOWN,
                TradeAhead::Zero => 0,
                TradeAhead::Stated(value) => {
                    let unit = pow10(RATE_SCALE - self.qty_scale);
                    let units = value / unit;
                    units * MICRO / i128::from(self.lot)
                }
            },
            Level::Quote | Level::Book => {
                let Some(ghosts) = self.ghosts.as_deref() else { return 0 };
                let ghost = ghosts.get(side, price);
                let hidden = self.set.level == Level::Quote
                    && ghost.qty == 0
                    && ghosts.next(side, None).is_some_and(|(best, _)| !meets(side, price, best));
                if hidden {
                    UNKNOWN
                } else {
                    self.micro(ghost.standing())
                }
            }
        }
    }
}

impl Venue {
    /// Puts an order into the book at its price, behind everybody who stands there.
    pub(super) fn rest(&mut self, at: usize, slot: Slot) {
        let seq = self.next_seq();
        let market = &mut self.markets[at];
        let own = self.orders.get_mut(slot);
        let side = own.spec.side;
        own.price = own.spec.price;
        own.seq = seq;
        own.shown = own.slice();
        let price = own.price;
        let mut ahead = market.ahead_on_joining(side, price);
        // Never ahead of an own order that waits longer at this price; the newest has most ahead.
        if let Some(older) = market.own[row(side)].newest_at(price) {
            ahead = ahead.max(self.orders.get(older).ahead);
        }
        self.orders.get_mut(slot).ahead = ahead;
        market.enlist(&mut self.orders, slot, Doing::Resting);
    }

    /// A level went from `old` to `qty`: what of the decrease stood before own orders.
    #[inline(never)]
    pub(super) fn move_queue(&mut self, at: usize, side: Side, price: i64, old: Ghost, qty: i64) {
        let cancelled = old.qty - qty - old.printed;
        let queue_was = old.qty - old.printed;
        self.apply_cancelled(at, side, price, cancelled, queue_was, qty, u64::MAX);
    }

    #[allow(clippy::too_many_arguments)] // one formula with its named parts
    fn apply_cancelled(
        &mut self,
        at: usize,
        side: Side,
        price: i64,
        cancelled: i64,
        queue_was: i64,
        shown: i64,
        joined_before: u64,
    ) {
        let market = &self.markets[at];
        let stale = market.ghosts.as_ref().is_some_and(|g| g.stale);
        let cancelled = market.micro(cancelled.max(0));
        let (queue_was, cap) = (market.micro(queue_was), market.micro(shown));
        let model = market.set.book.queue;
        let mut before = 0;
        for slot in market.own[row(side)].at(price) {
            let own = self.orders.get_mut(slot);
            if own.seq < joined_before {
                let mut ahead = own.ahead;
                if ahead == UNKNOWN {
                    ahead = cap;
                } else if cancelled > 0 && !stale {
                    let behind = (queue_was - ahead).max(0);
                    ahead -= model.cancelled_ahead(cancelled, ahead, behind);
                }
                own.ahead = ahead.min(cap).max(0).max(before);
            }
            before = own.ahead;
        }
    }

    /// Moves the queue now, or holds a decrease back where diffs come before their prints.
    pub(super) fn hold_or_move(
        &mut self,
        at: usize,
        now: i64,
        side: Side,
        price: i64,
        old: Ghost,
        qty: i64,
    ) {
        let Evidence::BookFirst(wait) = self.markets[at].set.book.evidence else {
            self.move_queue(at, side, price, old, qty);
            return;
        };
        let decrease = old.qty - qty - old.printed;
        let seq = self.next_seq();
        let market = &mut self.markets[at];
        let waited_for = market.own[row(side)].at(price).next().is_some();
        if decrease > 0 && waited_for {
            if let Some(ghosts) = market.ghosts.as_deref_mut() {
                let until_ns = now.saturating_add(wait);
                ghosts.held.push(Held { side, price, qty: decrease, until_ns, seq });
            }
        }
    }

    /// Decreases whose print did not come in time were cancellations.
    pub(super) fn release_held(&mut self, at: usize, now: i64) {
        loop {
            let Some(ghosts) = self.markets[at].ghosts.as_deref_mut() else { return };
            let Some(due) = ghosts.held.iter().position(|h| h.until_ns < now || h.qty == 0) else {
                return;
            };
            let held = ghosts.held.remove(due);
            if held.qty > 0 {
                let ghost = ghosts.get(held.side, held.price);
                let was = ghost.standing() + held.qty;
                let (side, price, cut) = (held.side, held.price, held.qty);
                self.apply_cancelled(at, side, price, cut, was, ghost.qty, held.seq);
            }
        }
    }

    /// After a gap: nobody has more before it than is shown.
    pub(super) fn cap_all_queues(&mut self, at: usize) {
        let market = &self.markets[at];
        let Some(ghosts) = market.ghosts.as_deref() else { return };
        for side in [Side::Buy, Side::Sell] {
            for (price, slot) in market.own[row(side)].iter() {
                let cap = market.micro(ghosts.get(side, price).qty);
                let own = self.orders.get_mut(slot);
                own.ahead = own.ahead.min(cap);
            }
        }
    }

    /// Fills own orders from one print, best price first and then oldest; returns what is left.
    pub(super) fn print_fills(
        &mut self,
        at: usize,
        now: i64,
        price: i64,
        qty: i64,
        taker: i8,
    ) -> i64 {
        let mut rest = qty;
        // The side that the taker came for goes first.
        let sides = if taker > 0 { [Side::Sell, Side::Buy] } else { [Side::Buy, Side::Sell] };
        for side in sides {
            if !meets(side, self.markets[at].own_best[row(side)], price) {
                continue; // not even the best of them
            }
            rest = self.print_through(at, now, side, price, rest, taker);
            // The side that would have had to meet us printing at our price went through us.
            if i64::from(taker) != side.sign() && rest > 0 {
                rest = self.print_at(at, now, side, price, rest);
            }
        }
        rest
    }

    fn print_through(
        &mut self,
        at: usize,
        now: i64,
        side: Side,
        price: i64,
        qty: i64,
        taker: i8,
    ) -> i64 {
        let market = &self.markets[at];
        let own_side = i64::from(taker) == side.sign();
        let through = |p: i64| meets(side, p, price) && (p != price || own_side);
        let full = market.set.book.crossed_full && market.set.level != Level::Trade;
        let mut list = std::mem::take(&mut self.scratch);
        list.clear();
        for (p, slot) in market.own[row(side)].iter().take_while(|(p, _)| through(*p)) {
            let _ = p;
            list.push((slot, self.orders.get(slot).birth));
        }
        let mut rest = qty;
        for (slot, birth) in list.drain(..) {
            if !self.is_resting(slot, birth) {
                continue;
            }
            let own = self.orders.get_mut(slot);
            own.ahead = 0;
            let (left, limit) = (own.left, own.price);
            let lot = self.markets[at].lot;
            let part = if full { left } else { left.min(rest - rest % lot) };
            if part > 0 {
                rest -= part.min(rest);
                self.fill(at, slot, now, part, limit, true, Why::Through);
            }
        }
        self.scratch = list;
        rest
    }

    /// A print at own orders' price by the other side: the queue is walked in order of time.
    fn print_at(&mut self, at: usize, now: i64, side: Side, price: i64, qty: i64) -> i64 {
        let market = &self.markets[at];
        let mut list = std::mem::take(&mut self.scratch);
        list.clear();
        let orders = &self.orders;
        list.extend(market.own[row(side)].at(price).map(|s| (s, orders.get(s).birth)));
        let (mut rest, mut eaten) = (market.micro(qty), 0_i128);
        let mut next = 0;
        while let Some((slot, birth)) = list.get(next).copied() {
            next += 1;
            if !self.is_resting(slot, birth) {
                continue;
            }
            let own = self.orders.get(slot);
            let before = (own.ahead - eaten).max(0).min(rest);
            eaten += before;
            rest -= before;
            let market = &self.markets[at];
            let part = own.shown.min(market.whole(rest));
            if part == 0 {
                break;
            }
            rest -= market.micro(part);
            let refills = part == own.shown && own.left > part;
            self.fill(at, slot, now, part, price, true, Why::AtPrice);
            if refills && self.is_resting(slot, birth) {
                let market = &self.markets[at];
                let ghost = market.ghosts.as_deref().map(|g| g.get(side, price));
                let stands = market.micro(ghost.unwrap_or_default().standing()) + rest;
                self.requeue_slice(at, slot, stands + eaten);
                list.push((slot, birth));
            }
        }
        list.clear();
        self.scratch = list;
        if eaten > 0 {
            for slot in self.markets[at].own[row(side)].at(price) {
                let own = self.orders.get_mut(slot);
                if own.ahead != UNKNOWN {
                    own.ahead = (own.ahead - eaten).max(0);
                }
            }
        }
        let market = &self.markets[at];
        market.whole(rest)
    }

    /// The next slice of an iceberg joins behind `ahead` and behind all own orders there.
    pub(super) fn requeue_slice(&mut self, at: usize, slot: Slot, ahead: i128) {
        let seq = self.next_seq();
        let market = &mut self.markets[at];
        market.delist(&mut self.orders, slot);
        let (side, price) = (self.orders.get(slot).spec.side, self.orders.get(slot).price);
        let newest = market.own[row(side)].newest_at(price);
        let behind = newest.map_or(0, |newest| self.orders.get(newest).ahead);
        let own = self.orders.get_mut(slot);
        own.seq = seq;
        own.shown = own.slice();
        own.ahead = ahead.max(behind);
        market.enlist(&mut self.orders, slot, Doing::Resting);
    }

    #[inline]
    pub(super) fn is_resting(&self, slot: Slot, birth: u64) -> bool {
        let own = self.orders.get(slot);
        own.birth == birth && own.doing == Doing::Resting
    }

    /// After a complete message: what the book shows at prices that meet own orders is evidence.
    #[inline(never)]
    pub(super) fn crossing(&mut self, at: usize, now: i64) {
        let market = &self.markets[at];
        let Some(ghosts) = market.ghosts.as_deref() else { return };
        if market.status != Status::Trading || ghosts.stale || ghosts.is_crossed() {
            return;
        }
        for side in [Side::Buy, Side::Sell] {
            self.cross_side(at, now, side);
        }
    }

    fn cross_side(&mut self, at: usize, now: i64, side: Side) {
        let market = &self.markets[at];
        let Some(ghosts) = market.ghosts.as_deref() else { return };
        let Some((best, _)) = ghosts.next(side.opposite(), None) else { return };
        let mut list = std::mem::take(&mut self.scratch);
        list.clear();
        for (_, slot) in market.own[row(side)].iter().take_while(|(p, _)| meets(side, *p, best)) {
            list.push((slot, self.orders.get(slot).birth));
        }
        for (slot, birth) in list.drain(..) {
            if self.is_resting(slot, birth) {
                self.cross_one(at, now, slot);
            }
        }
        self.scratch = list;
    }

    /// Fills one resting order from the levels that meet it, at its own price.
    fn cross_one(&mut self, at: usize, now: i64, slot: Slot) {
        let market = &mut self.markets[at];
        let own = self.orders.get(slot);
        let (side, limit, left) = (own.spec.side, own.price, own.left);
        let (lot, consumed, full) =
            (market.lot, market.set.book.consumed, market.set.book.crossed_full);
        let Some(ghosts) = market.ghosts.as_deref_mut() else { return };
        let (mut part, mut place) = (0, None);
        while part < left {
            let Some((price, mut ghost)) = ghosts.next(side.opposite(), place) else { break };
            if !meets(side, limit, price) {
                break;
            }
            let open = available(ghost, consumed, lot, now);
            let take = (left - part).min(open - open % lot);
            if take > 0 {
                ghost.taken = super::ghosts::taken_now(ghost, consumed, lot, now) + take;
                ghost.since_ns = now;
                ghosts.set(side.opposite(), price, ghost);
                part += take;
            }
            place = Some(price);
        }
        if part > 0 {
            if full {
                part = left;
            }
            if consumed == Consumed::None {
                self.forget_taken(at, side.opposite(), limit);
            }
            self.fill(at, slot, now, part, limit, true, Why::Crossing);
        }
    }

    /// Forgets what was taken at all levels that meet a limit (`consumed=none`).
    pub(super) fn forget_taken(&mut self, at: usize, side: Side, limit: i64) {
        let Some(ghosts) = self.markets[at].ghosts.as_deref_mut() else { return };
        let mut place = None;
        while let Some((price, mut ghost)) = ghosts.next(side, place) {
            if !meets(side.opposite(), limit, price) {
                break;
            }
            ghost.taken = 0;
            ghosts.set(side, price, ghost);
            place = Some(price);
        }
    }

    /// A new best price and quantity on one side of a market of level `quote`.
    pub(super) fn set_best(&mut self, at: usize, now: i64, side: Side, price: i64, qty: i64) {
        let market = &self.markets[at];
        let Some(ghosts) = market.ghosts.as_deref() else { return };
        let old = ghosts.next(side, None);
        if let Some((was, _)) = old.filter(|(was, _)| *was != price || qty == 0) {
            // Past our price the level is gone; behind a better one it is only hidden.
            let hidden = qty > 0 && meets(side, price, was);
            if !hidden {
                self.set_level(at, now, side, was, 0);
            } else if let Some(ghosts) = self.markets[at].ghosts.as_deref_mut() {
                ghosts.set(side, was, Ghost::default());
            }
        }
        if qty > 0 {
            self.set_level(at, now, side, price, qty);
        }
        self.clear_better(at, side, price, qty);
    }

    /// Own orders at prices better than the best that is shown have nobody before them.
    fn clear_better(&mut self, at: usize, side: Side, best: i64, qty: i64) {
        let market = &self.markets[at];
        for (price, slot) in market.own[row(side)].iter() {
            let better = qty == 0 || (price != best && meets(side, price, best));
            if !better {
                break;
            }
            self.orders.get_mut(slot).ahead = 0;
        }
    }

    /// Share of a bar's volume in whole lots.
    pub(super) fn capped_volume(&self, at: usize, volume: i64) -> i64 {
        let market = &self.markets[at];
        match market.set.bar.participation {
            None => i64::MAX,
            Some(share) => {
                let units =
                    mul_div(i128::from(volume), i128::from(share), pow10(18), Rounding::TowardZero);
                let units = units.ok().and_then(|u| i64::try_from(u).ok()).unwrap_or(i64::MAX);
                units - units % market.lot
            }
        }
    }
}
