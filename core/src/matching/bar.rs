//! Bars: four points in a stated order, and orders that the price meets on its way.
//!
//! Between the points of a bar the price moves through every tick; from one bar's close to the
//! next open it jumps. While no own order is open a bar is only remembered, and its path is laid
//! out when an order arrives.

use super::market::{meets, row, triggers_up, Last};
use super::report::Evidence;
use super::settings::{Level, Path};
use super::slab::{Doing, Slot};
use super::timeline::Key;
use super::triggers::trigger_level;
use super::venue::Venue;
use crate::instrument::Status;
use crate::market::Bar;
use crate::order::{Expiry, OrderType, Side, Tif, TriggerBy};

/// The bar that is going on, and how far along its path the price is.
#[derive(Clone, Debug)]
pub(super) struct BarState {
    bar: Bar,
    /// High, low and close in their order, with their times; laid out when `laid` is set.
    points: [(i64, i64); 3],
    laid: bool,
    /// The next point to come; 3 when the bar is over, or there was none.
    next: usize,
    /// The price is on its way to a point: what acts now is inside the bar, its end included.
    moving: bool,
    /// What own fills may still have of the bar's volume.
    pub budget: i64,
}

impl Default for BarState {
    fn default() -> Self {
        BarState {
            bar: Bar::default(),
            points: [(0, 0); 3],
            laid: false,
            next: 3,
            moving: false,
            budget: 0,
        }
    }
}

impl BarState {
    /// When the next point of the path comes.
    #[inline]
    pub fn next_time(&self) -> Option<i64> {
        self.points.get(self.next).filter(|_| self.laid).map(|(time, _)| *time)
    }
}

/// An order that a price meets on its way: how far along, how old, which.
type Met = (u64, u64, Slot);

impl Venue {
    /// Begins a bar: its first point is now.
    ///
    /// The caller calls this at the place of the bar's open in its timeline (rank `MARKET`,
    /// sub-rank 1; rank `LATE_OPEN` under `tie=before_open`), after [`Venue::advance`] up to
    /// there; the other points come from `advance`.
    #[inline]
    pub fn bar(&mut self, bar: &Bar) {
        let at = bar.instrument as usize;
        let market = &mut self.markets[at];
        if market.set.level != Level::Bar {
            return;
        }
        let state = &mut market.bar;
        if self.walking.is_empty() || !self.walking.contains(&at) {
            state.bar = *bar;
            state.laid = false;
            state.next = 0;
            market.last = Last::at(bar.open);
            return;
        }
        self.open_bar(at, bar);
    }

    /// The first point of a bar while own orders are open.
    #[cold]
    fn open_bar(&mut self, at: usize, bar: &Bar) {
        let now = bar.ts_open;
        let market = &mut self.markets[at];
        let before = market.last.get();
        market.bar.bar = *bar;
        market.bar.next = 0;
        self.lay_path(at);
        if self.can_trade(at) {
            self.travel(at, now, before, bar.open, true);
            self.serve_carried(at, now);
        }
        self.markets[at].last = Last::at(bar.open);
        self.check_margin(at, now);
        self.track_bar(at);
    }

    fn can_trade(&self, at: usize) -> bool {
        self.markets[at].status == Status::Trading && self.markets[at].bar.bar.volume > 0
    }

    /// Decides the order of high and low, with the position as it is at the bar's open.
    fn lay_path(&mut self, at: usize) {
        let bar = self.markets[at].bar.bar;
        let position: i64 = self.markets[at].legs.iter().flatten().map(|leg| leg.qty).sum();
        let (up, down) = (bar.high - bar.open, bar.open - bar.low);
        let adaptive = if up == down { bar.close < bar.open } else { up < down };
        let high_first = match (self.markets[at].set.bar.path, position.signum()) {
            (Path::Ohlc, _) => true,
            (Path::Olhc, _) => false,
            (Path::Worst, 1) | (Path::Best, -1) => false,
            (Path::Worst, -1) | (Path::Best, 1) => true,
            (Path::Adaptive | Path::Worst | Path::Best, _) => adaptive,
        };
        let (first, second) = if high_first { (bar.high, bar.low) } else { (bar.low, bar.high) };
        let n = i128::from(bar.ts_close) - i128::from(bar.ts_open);
        let third = |k: i128| bar.ts_open + (n * k / 3) as i64;
        let budget = self.capped_volume(at, bar.volume);
        let state = &mut self.markets[at].bar;
        state.points = [(third(1), first), (third(2), second), (bar.ts_close, bar.close)];
        state.laid = true;
        state.budget = budget;
    }

    /// Brings a market of bars to the time of a request or notice.
    pub(super) fn sync_bar(&mut self, at: usize, now: i64) {
        if self.markets[at].set.level != Level::Bar {
            return;
        }
        if !self.markets[at].bar.laid && self.markets[at].bar.next < 3 {
            self.lay_path(at);
        }
        while self.markets[at].bar.next_time().is_some_and(|time| time <= now) {
            self.reach_point(at);
        }
    }

    /// A market with open orders walks its path; one without only remembers its bar.
    pub(super) fn track_bar(&mut self, at: usize) {
        let walks = self.markets[at].live() > 0;
        let listed = self.walking.contains(&at);
        if walks && !listed {
            self.walking.push(at);
        } else if !walks && listed {
            self.walking.retain(|other| *other != at);
        }
    }

    /// Runs the point that [`Venue::next_key`] announced.
    pub(super) fn walk_point(&mut self, key: Key) {
        let due = self.walking.iter().copied().filter(|at| {
            self.markets[*at].bar.next_time().is_some_and(|time| time == key.time_ns())
        });
        if let Some(at) = due.min() {
            self.reach_point(at);
            self.track_bar(at);
        }
    }

    /// The price moves to the next point of its path.
    fn reach_point(&mut self, at: usize) {
        let state = &mut self.markets[at].bar;
        let Some((time, price)) = state.points.get(state.next).copied() else { return };
        state.next += 1;
        if self.can_trade(at) && self.markets[at].live() > 0 {
            let from = self.markets[at].last.get();
            self.markets[at].bar.moving = true;
            self.travel(at, time, from, price, false);
            self.markets[at].bar.moving = false;
        }
        self.markets[at].last = Last::at(price);
        self.check_margin(at, time);
    }

    /// A move or jump: what the price meets on the way acts, nearest first and then oldest.
    fn travel(&mut self, at: usize, now: i64, from: Option<i64>, to: i64, jumps: bool) {
        let start = from.unwrap_or(to);
        let (mut here, newest) = (start, self.seq);
        while let Some((_, _, slot)) = self.nearest(at, start, here, to, jumps, newest) {
            let own = *self.orders.get(slot);
            if own.doing == Doing::Resting {
                if !jumps {
                    here = between(here, to, self.limit_level(at, slot));
                }
                self.markets[at].last = Last::at(if jumps { to } else { here });
                let part = own.left.min(self.markets[at].bar.budget);
                self.spend(at, part);
                self.fill(at, slot, now, part, own.price, true, Evidence::Path);
            } else {
                let level = trigger_level(&self.markets[at], &own).unwrap_or(to);
                if !jumps {
                    here = between(here, to, level);
                }
                self.markets[at].last = Last::at(if jumps { to } else { here });
                self.fire(at, slot, now);
            }
        }
        self.trail_all(at, TriggerBy::Last, to);
    }

    fn spend(&mut self, at: usize, qty: i64) {
        let budget = &mut self.markets[at].bar.budget;
        if *budget != i64::MAX {
            *budget -= qty;
        }
    }

    /// Where the price must come to fill a resting limit.
    fn limit_level(&self, at: usize, slot: Slot) -> i64 {
        let (market, own) = (&self.markets[at], self.orders.get(slot));
        own.price - own.spec.side.sign() * market.set.bar.penetration * market.tick
    }

    /// The next order that the price meets between `here` and `to`.
    fn nearest(
        &self,
        at: usize,
        start: i64,
        here: i64,
        to: i64,
        jumps: bool,
        newest: u64,
    ) -> Option<Met> {
        let market = &self.markets[at];
        // A falling price meets bids and sell stops; a jump meets all that its end lies beyond.
        let reaches = |level: i64, falling: bool| {
            let moves = jumps || if falling { to < here } else { to > here };
            moves && if falling { to <= level } else { to >= level }
        };
        let far = |level: i64, falling: bool| {
            let ahead = if falling { start - level } else { level - start };
            ahead.max(0).unsigned_abs()
        };
        let mut met: Option<Met> = None;
        let mut offer = |candidate: Met| {
            if met.is_none_or(|best| candidate < best) {
                met = Some(candidate);
            }
        };
        if market.bar.budget >= market.lot {
            for side in [Side::Buy, Side::Sell] {
                for (_, slot) in market.own[row(side)].iter() {
                    let (own, level) = (self.orders.get(slot), self.limit_level(at, slot));
                    let falling = side == Side::Buy;
                    if reaches(level, falling) && !(jumps && own.seq > newest) {
                        offer((far(level, falling), own.birth, slot));
                    }
                }
            }
        }
        for slot in &market.armed {
            let own = self.orders.get(*slot);
            if own.spec.trigger_by != TriggerBy::Last {
                continue;
            }
            let Some(level) = trigger_level(market, own) else { continue };
            let falling = !triggers_up(own);
            let price = if jumps { to } else { level };
            if reaches(level, falling) && !self.is_protected(at, own, price) {
                offer((far(level, falling), own.birth, *slot));
            }
        }
        met
    }

    /// Carried market orders take the open, oldest first.
    fn serve_carried(&mut self, at: usize, now: i64) {
        let open = self.markets[at].bar.bar.open;
        self.markets[at].last = Last::at(open);
        let waiting = self.markets[at].waiting.clone();
        for slot in waiting {
            let own = self.orders.get(slot);
            if own.doing == Doing::Waiting {
                self.markets[at].delist(&mut self.orders, slot);
                self.bar_take(at, slot, now);
            }
        }
    }

    /// True if something can trade now: a bar with volume is going on.
    fn is_covered(&self, at: usize, now: i64) -> bool {
        let market = &self.markets[at];
        let bar = &market.bar.bar;
        let until = if market.set.bar.open_last { now <= bar.ts_close } else { now < bar.ts_close };
        self.can_trade(at) && bar.ts_open <= now && (until || market.bar.moving)
    }

    /// True if a limit meets the price now.
    pub(super) fn bar_marketable(&self, at: usize, now: i64, side: Side, limit: i64) -> bool {
        let market = &self.markets[at];
        let half = market.set.half_spread * market.tick * side.sign();
        self.is_covered(at, now) && market.last.get().is_some_and(|p| meets(side, limit, p + half))
    }

    /// What a taker of `qty` pays or gets now, before its limit is looked at.
    pub(super) fn taker_price(&self, at: usize, side: Side, qty: i64) -> i64 {
        let market = &self.markets[at];
        let price = market.last.get().unwrap_or(0);
        let slip = market.set.bar.slip.distance(price, market.tick, qty, market.bar.bar.volume);
        price + side.sign() * (market.set.half_spread * market.tick + slip)
    }

    /// An order at work in a market of bars.
    pub(super) fn bar_take(&mut self, at: usize, slot: Slot, now: i64) {
        let own = *self.orders.get(slot);
        let (side, limit) = (own.spec.side, self.limit_of(slot));
        let is_market = own.spec.kind == OrderType::Market;
        let covered = self.is_covered(at, now);
        if covered && (is_market || self.bar_marketable(at, now, side, limit)) {
            let part = own.left.min(self.markets[at].bar.budget);
            if part > 0 {
                let price = self.taker_price(at, side, part);
                let price = if meets(side, limit, price) { price } else { limit };
                self.spend(at, part);
                self.fill(at, slot, now, part, price, false, Evidence::Path);
            }
            if part == own.left {
                return;
            }
        }
        let expires = self.markets[at].set.bar.remainder_expires;
        match (is_market, own.spec.tif) {
            (true, _) if covered && expires => {
                self.expire(slot, own.birth, now, Expiry::NoLiquidity);
            }
            (true, _) => self.markets[at].enlist(&mut self.orders, slot, Doing::Waiting),
            (false, Tif::Ioc) => self.expire(slot, own.birth, now, Expiry::Ioc),
            (false, Tif::Fok) => self.expire(slot, own.birth, now, Expiry::Fok),
            (false, Tif::Gtc | Tif::Gtd) => self.rest(at, slot),
        }
    }
}

/// `level`, but never behind `here` on the way to `to`.
fn between(here: i64, to: i64, level: i64) -> i64 {
    if to >= here {
        level.max(here)
    } else {
        level.min(here)
    }
}
