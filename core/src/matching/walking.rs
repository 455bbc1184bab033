//! Takers in a book: level by level from the best price, ghosts and own orders in order of time.
//!
//! At each price the queue is ghosts ahead of the oldest own order, that order, ghosts, the next
//! own order, and so on; so orders of other accounts and self-trade prevention have their place.

use super::ghosts::{available, taken_now};
use super::market::{meets, row};
use super::queue::MICRO;
use super::report::Evidence;
use super::settings::{Consumed, Level};
use super::slab::{Own, Slot, UNKNOWN};
use super::venue::Venue;
use crate::order::{Expiry, OrderType, ReportKind, Side, Stp, Tif};
use crate::units::{mul_div, pow10, Rounding};

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The order is filled, or gone.
    Done,
    /// Nothing is left within its limit.
    Nothing,
    /// The execution band.
    Band,
    /// Its own owner's order.
    Stp,
}

impl Venue {
    /// An order at work in a book: takes what it may, then rests or ends.
    pub(super) fn book_take(&mut self, at: usize, slot: Slot, now: i64) {
        let own = self.orders.get(slot);
        let (birth, side, kind, tif) = (own.birth, own.spec.side, own.spec.kind, own.spec.tif);
        let limit = self.limit_of(slot);
        let end = self.walk(at, slot, now, limit);
        if self.markets[at].set.book.consumed == Consumed::None {
            self.forget_taken(at, side.opposite(), limit);
        }
        let reason = match (end, kind, tif) {
            (End::Done, _, _) => return,
            (End::Stp, _, _) => Expiry::Stp,
            (End::Band, _, _) => Expiry::PriceBand,
            (End::Nothing, OrderType::Market, _) => Expiry::NoLiquidity,
            (End::Nothing, _, Tif::Ioc) => Expiry::Ioc,
            (End::Nothing, _, Tif::Fok) => Expiry::Fok,
            (End::Nothing, _, Tif::Gtc | Tif::Gtd) => {
                self.rest(at, slot);
                return;
            }
        };
        self.expire(slot, birth, now, reason);
    }

    /// The worst price that an order may have.
    pub(super) fn limit_of(&self, slot: Slot) -> i64 {
        let own = self.orders.get(slot);
        match (own.spec.kind, own.spec.side) {
            (OrderType::Market, Side::Buy) => i64::MAX,
            (OrderType::Market, Side::Sell) => i64::MIN,
            _ => own.spec.price,
        }
    }

    /// The bound of execution for a side, if there is one.
    fn band(&self, at: usize, side: Side) -> i64 {
        let market = &self.markets[at];
        let none = if side == Side::Buy { i64::MAX } else { i64::MIN };
        let Some(band) = market.set.exec_band else { return none };
        let Some((reference, scale)) = self.reference(at) else { return none };
        let (rate, rounding) = match side {
            Side::Buy => (band.up, Rounding::Down),
            Side::Sell => (band.down, Rounding::Up),
        };
        let unit = pow10(18 + scale - market.price_scale);
        let bound = mul_div(i128::from(reference), i128::from(rate), unit, rounding);
        bound.ok().and_then(|b| i64::try_from(b).ok()).unwrap_or(none)
    }

    fn walk(&mut self, at: usize, slot: Slot, now: i64, limit: i64) -> End {
        let own = self.orders.get(slot);
        let (side, birth) = (own.spec.side, own.birth);
        let band = self.band(at, side);
        let other = side.opposite();
        let mut behind = None;
        loop {
            let market = &self.markets[at];
            let ghosts = market.ghosts.as_deref().filter(|g| !g.stale);
            let ghost = ghosts.and_then(|g| g.next(other, behind)).map(|(price, _)| price);
            let own_best = market.own[row(other)].best();
            let price = match (ghost, own_best) {
                (None, None) => return End::Nothing,
                (Some(price), None) | (None, Some(price)) => price,
                (Some(a), Some(b)) => match other {
                    Side::Sell => a.min(b),
                    Side::Buy => a.max(b),
                },
            };
            if !meets(side, limit, price) {
                return End::Nothing;
            }
            if !meets(side, band, price) {
                return End::Band;
            }
            if let Some(end) = self.walk_level(at, slot, now, price) {
                return end;
            }
            let taker = self.orders.get(slot);
            if taker.birth != birth || taker.left == 0 {
                return End::Done;
            }
            behind = Some(price);
        }
    }

    /// Takes at one price; `Some` if the walk is over.
    fn walk_level(&mut self, at: usize, slot: Slot, now: i64, price: i64) -> Option<End> {
        let taker = self.orders.get(slot);
        let (side, birth) = (taker.spec.side, taker.birth);
        let other = side.opposite();
        let mut list: Vec<(Slot, u64)> = Vec::new();
        if meets(side, price, self.markets[at].own_best[row(other)]) {
            let orders = &self.orders;
            list.extend(
                self.markets[at].own[row(other)].at(price).map(|s| (s, orders.get(s).birth)),
            );
        }
        let mut eaten = 0; // ghosts, in quantity units
        let mut next = 0;
        let mut end = None;
        while let Some((maker, maker_birth)) = list.get(next).copied() {
            next += 1;
            if !self.is_resting(maker, maker_birth) {
                continue;
            }
            let ahead = self.orders.get(maker).ahead;
            let before = self.lots_ahead(at, ahead) - eaten;
            eaten += self.take_ghosts(at, slot, now, price, before.max(0));
            if !self.still(slot, birth) {
                end = Some(End::Done);
                break;
            }
            if !self.is_resting(maker, maker_birth) {
                continue; // that fill ended it: a sibling in its group, or a reduce-only order
            }
            end = self.meet(at, slot, maker, now, price, eaten);
            if end.is_some() {
                break;
            }
            if self.is_resting(maker, maker_birth) {
                list.push((maker, maker_birth)); // an iceberg's next slice
            }
        }
        if end.is_none() {
            eaten += self.take_ghosts(at, slot, now, price, i64::MAX);
        }
        if eaten > 0 {
            let market = &self.markets[at];
            let micro = market.micro(eaten);
            for maker in market.own[row(other)].at(price) {
                let own = self.orders.get_mut(maker);
                if own.ahead != UNKNOWN {
                    own.ahead = (own.ahead - micro).max(0);
                }
            }
        }
        end
    }

    fn still(&self, slot: Slot, birth: u64) -> bool {
        let own = self.orders.get(slot);
        own.birth == birth && own.left > 0
    }

    /// Whole lots that stand before an order, a broken one counted as theirs.
    fn lots_ahead(&self, at: usize, ahead: i128) -> i64 {
        if ahead == UNKNOWN {
            return i64::MAX;
        }
        let lots = (ahead + MICRO - 1) / MICRO;
        i64::try_from(lots).unwrap_or(i64::MAX).saturating_mul(self.markets[at].lot)
    }

    /// Takes up to `most` of what the replayed level has open; returns how much.
    fn take_ghosts(&mut self, at: usize, slot: Slot, now: i64, price: i64, most: i64) -> i64 {
        let own = self.orders.get(slot);
        let (side, left) = (own.spec.side.opposite(), own.left);
        let market = &mut self.markets[at];
        let (lot, consumed) = (market.lot, market.set.book.consumed);
        let Some(ghosts) = market.ghosts.as_deref_mut().filter(|g| !g.stale) else { return 0 };
        let mut ghost = ghosts.get(side, price);
        let open = available(ghost, consumed, lot, now);
        let part = left.min(most).min(open - open % lot);
        if part > 0 {
            ghost.taken = taken_now(ghost, consumed, lot, now) + part;
            ghost.since_ns = now;
            ghosts.set(side, price, ghost);
            self.fill(at, slot, now, part, price, false, Evidence::Walk);
        }
        part.max(0)
    }

    /// The taker reaches an order of this venue: prevention, or a trade with it.
    fn meet(
        &mut self,
        at: usize,
        slot: Slot,
        maker: Slot,
        now: i64,
        price: i64,
        eaten: i64,
    ) -> Option<End> {
        let (taker, resting) = (*self.orders.get(slot), *self.orders.get(maker));
        if taker.account == resting.account {
            match self.stp_of(taker.spec.stp) {
                Stp::None => {}
                Stp::ExpireMaker => {
                    self.expire(maker, resting.birth, now, Expiry::Stp);
                    return None;
                }
                Stp::ExpireTaker => return Some(End::Stp),
                Stp::ExpireBoth => {
                    self.expire(maker, resting.birth, now, Expiry::Stp);
                    return Some(End::Stp);
                }
                Stp::Decrement | Stp::Transfer => {
                    let part = taker.left.min(resting.left);
                    self.prevent(at, maker, now, part);
                    self.prevent(at, slot, now, part);
                    return (taker.left == part).then_some(End::Done);
                }
            }
        }
        let part = taker.left.min(resting.shown);
        let refills = part == resting.shown && resting.left > part;
        self.trade_own(at, maker, slot, now, part, price);
        if refills && self.is_resting(maker, resting.birth) {
            let market = &self.markets[at];
            let ghosts = market.ghosts.as_deref();
            let ghost = ghosts.map(|g| g.get(taker.spec.side.opposite(), price));
            let consumed = market.set.book.consumed;
            let open = available(ghost.unwrap_or_default(), consumed, market.lot, now);
            let ahead = market.micro(open) + market.micro(eaten);
            self.requeue_slice(at, maker, ahead);
        }
        (!self.still(slot, taker.birth)).then_some(End::Done)
    }

    /// The mode of an order, or the venue's where it states none.
    pub(super) fn stp_of(&self, stated: Stp) -> Stp {
        if stated == Stp::None {
            self.settings.rules.stp
        } else {
            stated
        }
    }

    /// Two orders of this venue trade: the maker's line first, then what follows from both.
    fn trade_own(&mut self, at: usize, maker: Slot, taker: Slot, now: i64, qty: i64, price: i64) {
        let after_maker = self.record_fill(at, maker, now, qty, price, true, Evidence::Own);
        let after_taker = self.record_fill(at, taker, now, qty, price, false, Evidence::Own);
        self.follow_fill(at, now, after_maker);
        self.follow_fill(at, now, after_taker);
        if self.markets[at].set.level == Level::True {
            self.markets[at].prints.push(price);
        }
    }

    /// Self-trade prevention takes quantity from an order without a trade.
    fn prevent(&mut self, at: usize, slot: Slot, now: i64, qty: i64) {
        let own = self.orders.get_mut(slot);
        own.left -= qty;
        own.prevented += qty;
        own.shown = own.shown.min(own.left);
        if own.shown == 0 {
            own.shown = own.slice();
        }
        let (account, id, left, birth) = (own.account, own.id, own.left, own.birth);
        if left == 0 {
            self.expire(slot, birth, now, Expiry::Stp);
        } else {
            self.relock(at, slot);
            self.say(account, id, now, ReportKind::Prevented { qty, left });
        }
    }

    /// True if a limit would trade at once against the book or an order of this venue.
    pub(super) fn book_would_take(&self, at: usize, now: i64, side: Side, limit: i64) -> bool {
        let market = &self.markets[at];
        let other = side.opposite();
        if market.own[row(other)].best().is_some_and(|best| meets(side, limit, best)) {
            return true;
        }
        self.ghost_levels(at, now, other)
            .take_while(|(price, _)| meets(side, limit, *price))
            .any(|(_, open)| open > 0)
    }

    /// Replayed levels from the best, each with what is open to a taker.
    fn ghost_levels(
        &self,
        at: usize,
        now: i64,
        side: Side,
    ) -> impl Iterator<Item = (i64, i64)> + '_ {
        let market = &self.markets[at];
        let (lot, consumed) = (market.lot, market.set.book.consumed);
        let ghosts = market.ghosts.as_deref().filter(|g| !g.stale);
        let mut behind = None;
        std::iter::from_fn(move || {
            let (price, ghost) = ghosts?.next(side, behind)?;
            behind = Some(price);
            let open = available(ghost, consumed, lot, now);
            Some((price, open - open % lot))
        })
    }

    /// What `taker` could take at once within `limit`: quantity, and its value in price ×
    /// quantity units.
    ///
    /// Own-account orders that prevention or the taker's own fills would end do not count, and
    /// reduce-only orders count for no more than their account has to reduce.
    pub(super) fn book_takable(&self, at: usize, now: i64, taker: &Own, limit: i64) -> (i64, i128) {
        let (side, most) = (taker.spec.side, taker.left);
        let band = self.band(at, side);
        let (mut qty, mut value) = (0_i64, 0_i128);
        let within = |price: i64| meets(side, limit, price) && meets(side, band, price);
        let prevented = self.stp_of(taker.spec.stp) != Stp::None;
        let group = taker.spec.oco_group;
        let mut counted: Vec<(u16, i64)> = Vec::new();
        let mut groups: Vec<(u16, u32)> = Vec::new();
        let own = self.markets[at].own[row(side.opposite())].iter().map(|(price, slot)| {
            let order = self.orders.get(slot);
            let siblings = group != 0 && order.spec.oco_group == group;
            if order.account == taker.account && (prevented || siblings || order.reduces()) {
                return (price, 0);
            }
            let maker_group = (order.account, order.spec.oco_group);
            if maker_group.1 != 0 && groups.contains(&maker_group) {
                return (price, 0); // its sibling's fill ends it
            }
            groups.extend((maker_group.1 != 0).then_some(maker_group));
            let known = counted.iter().position(|(account, _)| *account == order.account);
            let known = known.unwrap_or_else(|| {
                counted.push((order.account, 0));
                counted.len() - 1
            });
            let before = counted[known].1;
            let left = if order.reduces() {
                order.left.min((self.markets[at].reducible(order) - before).max(0))
            } else {
                order.left
            };
            counted[known].1 += left;
            (price, left)
        });
        let mut own = own.peekable();
        let mut ghosts = self.ghost_levels(at, now, side.opposite()).peekable();
        while qty < most {
            let from_own = match (own.peek(), ghosts.peek()) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some((a, _)), Some((b, _))) => (a - b) * side.sign() < 0,
            };
            let next = if from_own { own.next() } else { ghosts.next() };
            let Some((price, open)) = next.filter(|(price, _)| within(*price)) else { break };
            let part = open.min(most - qty);
            qty += part;
            value += i128::from(part) * i128::from(price);
        }
        (qty, value)
    }
}
