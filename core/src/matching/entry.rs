//! Requests as they arrive at the venue: place, amend, cancel.

use super::settings::{AmendRule, Level};
use super::slab::{Doing, Own, Slot};
use super::timeline::CLOCK;
use super::venue::{ClockItem, Venue};
use crate::instrument::Status;
use crate::order::{Expiry, OrderId, OrderSpec, OrderType, Reject, ReportKind, Tif};

impl Venue {
    /// An order arrives.
    #[inline]
    pub fn place(&mut self, now: i64, account: u16, id: OrderId, spec: &OrderSpec) {
        let at = spec.instrument as usize;
        if at >= self.markets.len() {
            self.say(account, id, now, ReportKind::Rejected { reason: Reject::BadRequest });
            return;
        }
        self.catch_up(at, now);
        let birth = self.next_seq();
        let mut own = Own {
            id,
            account,
            doing: Doing::Acting,
            spec: *spec,
            qty: spec.qty,
            filled: 0,
            prevented: 0,
            left: spec.qty,
            shown: spec.qty,
            price: spec.price,
            ahead: 0,
            seq: birth,
            birth,
            extreme: None,
            locked: 0,
        };
        if let Err(reason) = self.check_entry(at, now, &mut own) {
            self.say(account, id, now, ReportKind::Rejected { reason });
            return;
        }
        let slot = self.orders.insert(own);
        self.say(account, id, now, ReportKind::Accepted { qty: own.qty });
        if spec.tif == Tif::Gtd {
            self.clock.push(spec.expire_ns, CLOCK, 1, ClockItem::Expire { slot, birth });
        }
        if spec.kind.is_conditional() {
            self.arm(at, slot, now);
        } else {
            self.relock(at, slot);
            self.work(at, slot, now);
        }
        self.settle(at, now);
    }

    /// Brings the venue's own view of a market to the time of a request.
    #[inline]
    fn catch_up(&mut self, at: usize, now: i64) {
        match self.markets[at].set.level {
            Level::Bar => self.sync_bar(at, now),
            Level::Quote | Level::Book => self.release_held(at, now),
            Level::Trade | Level::True => {}
        }
    }

    /// What is left to do when a request is done: own trades as prints, liquidation, bar paths.
    #[inline]
    fn settle(&mut self, at: usize, now: i64) {
        if !self.markets[at].prints.is_empty() {
            self.drain_prints(at, now);
        }
        self.check_margin(at, now);
        if self.markets[at].set.level == Level::Bar {
            self.track_bar(at);
        }
    }

    /// An order begins to work: takes what it may and rests, waits or ends.
    #[inline]
    pub(super) fn work(&mut self, at: usize, slot: Slot, now: i64) {
        let own = self.orders.get(slot);
        if own.spec.tif == Tif::Fok && own.spec.kind == OrderType::Limit {
            let (birth, left) = (own.birth, own.left);
            if self.takable(at, now, slot) < left {
                self.expire(slot, birth, now, Expiry::Fok);
                return;
            }
        }
        match self.markets[at].set.level {
            Level::Bar => self.bar_take(at, slot, now),
            Level::Trade => self.trade_take(at, slot, now),
            Level::Quote | Level::Book | Level::True => self.book_take(at, slot, now),
        }
    }

    /// What an order in the slab could take at once.
    fn takable(&self, at: usize, now: i64, slot: Slot) -> i64 {
        self.takable_by(at, now, self.orders.get(slot))
    }

    /// A cancel arrives.
    #[inline]
    pub fn cancel(&mut self, now: i64, account: u16, id: OrderId) {
        let found = self.orders.find(id).filter(|slot| self.orders.get(*slot).account == account);
        let Some(slot) = found else {
            let reason = Reject::UnknownOrder;
            self.say(account, id, now, ReportKind::CancelRejected { reason });
            return;
        };
        let at = self.orders.get(slot).spec.instrument as usize;
        if self.markets[at].status == Status::Halt {
            let reason = Reject::MarketClosed;
            self.say(account, id, now, ReportKind::CancelRejected { reason });
            return;
        }
        self.close_canceled(slot, now, false);
    }

    /// A cancel-all arrives: all open orders of an account, in one instrument or all, oldest first.
    ///
    /// Orders in a halted instrument stay.
    pub fn cancel_all(&mut self, now: i64, account: u16, instrument: Option<u32>) {
        for (slot, _) in self.open_orders(Some(account), instrument) {
            let at = self.orders.get(slot).spec.instrument as usize;
            if self.markets[at].status != Status::Halt {
                self.close_canceled(slot, now, false);
            }
        }
    }

    /// An amend arrives: `qty` is the total, including what is filled.
    pub fn amend(&mut self, now: i64, account: u16, id: OrderId, qty: i64, price: i64) {
        let found = self.orders.find(id).filter(|slot| self.orders.get(*slot).account == account);
        let Some(slot) = found else {
            let reason = Reject::UnknownOrder;
            self.say(account, id, now, ReportKind::AmendRejected { reason });
            return;
        };
        let at = self.orders.get(slot).spec.instrument as usize;
        self.catch_up(at, now);
        if let Err(reason) = self.check_amend(at, now, slot, qty, price) {
            self.say(account, id, now, ReportKind::AmendRejected { reason });
            return;
        }
        self.change(at, slot, now, qty, price);
        self.settle(at, now);
    }

    fn change(&mut self, at: usize, slot: Slot, now: i64, qty: i64, price: i64) {
        let own = *self.orders.get(slot);
        let spent = own.filled + own.prevented;
        if qty <= spent {
            self.forget(at, slot);
            let kind = ReportKind::Canceled { left: 0, by_oco: false };
            self.say(own.account, own.id, now, kind);
            return;
        }
        let only_less = price == own.spec.price && qty < own.qty;
        let kept = only_less && self.settings.rules.amend != AmendRule::Lose;
        if kept {
            self.shrink(at, slot, own.qty - qty);
            let kind = ReportKind::Amended { qty, price, queue_kept: true };
            self.say_left(own.account, own.id, now, kind, qty - spent);
            return;
        }
        if own.spec.post_only && self.would_take(at, now, own.spec.side, price) {
            self.expire(slot, own.birth, now, Expiry::PostOnly);
            return;
        }
        self.markets[at].delist(&mut self.orders, slot);
        let order = self.orders.get_mut(slot);
        order.qty = qty;
        order.left = qty - spent;
        order.spec.price = price;
        order.shown = order.slice();
        self.relock(at, slot);
        let kind = ReportKind::Amended { qty, price, queue_kept: false };
        self.say_left(own.account, own.id, now, kind, qty - spent);
        self.work(at, slot, now);
    }
}
