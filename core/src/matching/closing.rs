//! Fills and ends of orders, and what follows from them for other orders.

use super::report::Evidence;
use super::slab::{Doing, Slot};
use super::venue::Venue;
use crate::order::{Expiry, FillFact, OrderId, ReportKind};

/// Whose fill it was; what follows from it is done when the trade is complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct After {
    account: u16,
    id: OrderId,
    oco_group: u32,
}

impl Venue {
    /// Fills an order and does what follows from it.
    #[inline]
    #[allow(clippy::too_many_arguments)] // a fill is all of this
    pub(super) fn fill(
        &mut self,
        at: usize,
        slot: Slot,
        now: i64,
        qty: i64,
        price: i64,
        is_maker: bool,
        evidence: Evidence,
    ) {
        let after = self.record_fill(at, slot, now, qty, price, is_maker, evidence);
        self.follow_fill(at, now, after);
    }

    /// Books a fill and reports it; a filled order is gone afterwards.
    #[allow(clippy::too_many_arguments)] // a fill is all of this
    pub(super) fn record_fill(
        &mut self,
        at: usize,
        slot: Slot,
        now: i64,
        qty: i64,
        price: i64,
        is_maker: bool,
        evidence: Evidence,
    ) -> After {
        self.evidence.add(evidence);
        let own = self.orders.get_mut(slot);
        own.filled += qty;
        own.left -= qty;
        own.shown = (own.shown - qty).max(0);
        if own.shown == 0 {
            own.shown = own.slice();
        }
        let own = *own;
        let inst = &self.instruments[at];
        let rate = if is_maker { inst.maker_fee } else { inst.taker_fee };
        let fees = &self.settings.fees;
        let charged = super::fees::fee(inst, &self.assets, fees, own.spec.side, qty, price, rate);
        // An order's value was checked on entry; a fee that does not fit is a broken instrument.
        let (fee, fee_asset) = charged.expect("the fee of an accepted order fits its asset");
        let market = &mut self.markets[at];
        let trade_id = market.next_trade_id;
        market.next_trade_id += 1;
        let fact = FillFact { trade_id, qty, price, is_maker, fee, fee_asset, realised: None };
        self.say_left(own.account, own.id, now, ReportKind::Filled(fact), own.left);
        let signed = qty * own.spec.side.sign();
        self.move_position(at, own.account, own.spec.position_side as usize, signed, price);
        self.exchange(at, own.account, own.spec.side, qty, price, (fee, fee_asset));
        self.relock(at, slot);
        if own.left == 0 {
            self.forget(at, slot);
        }
        After { account: own.account, id: own.id, oco_group: own.spec.oco_group }
    }

    /// What a fill does to other orders: its group is cancelled, reduce-only orders are cut.
    #[inline]
    pub(super) fn follow_fill(&mut self, at: usize, now: i64, after: After) {
        if after.oco_group != 0 {
            self.cancel_group(now, after.account, after.oco_group, after.id);
        }
        self.cut_reducers(at, now, after.account);
    }

    /// Cancels the other orders of a one-cancels-other group, oldest first.
    #[cold]
    pub(super) fn cancel_group(&mut self, now: i64, account: u16, group: u32, id: OrderId) {
        for (slot, _) in self.open_orders(Some(account), None) {
            let own = self.orders.get(slot);
            if own.spec.oco_group == group && own.id != id {
                self.close_canceled(slot, now, true);
            }
        }
    }

    /// Open orders of an account (or all) in an instrument (or all), oldest first.
    pub(super) fn open_orders(
        &self,
        account: Option<u16>,
        instrument: Option<u32>,
    ) -> Vec<(Slot, u64)> {
        let mut found: Vec<(Slot, u64)> = Vec::new();
        for (slot, own) in self.orders.rows().iter().enumerate() {
            let listed = !matches!(own.doing, Doing::Nothing | Doing::Acting);
            if listed
                && account.is_none_or(|a| a == own.account)
                && instrument.is_none_or(|i| i == own.spec.instrument)
            {
                found.push((slot as Slot, own.birth));
            }
        }
        found.sort_unstable_by_key(|(_, birth)| *birth);
        found
    }

    /// Ends an order by its own terms, if it is still the order that was meant.
    pub(super) fn expire(&mut self, slot: Slot, birth: u64, now: i64, reason: Expiry) {
        let own = *self.orders.get(slot);
        if own.birth != birth || own.doing == Doing::Nothing {
            return;
        }
        self.forget(own.spec.instrument as usize, slot);
        let kind = ReportKind::Expired { reason, left: own.left, prevented: own.prevented };
        self.say(own.account, own.id, now, kind);
    }

    /// Ends an order by a cancel.
    pub(super) fn close_canceled(&mut self, slot: Slot, now: i64, by_oco: bool) {
        let own = self.orders.get(slot);
        let (account, id, left) = (own.account, own.id, own.left);
        let at = own.spec.instrument as usize;
        self.forget(at, slot);
        self.say(account, id, now, ReportKind::Canceled { left, by_oco });
    }

    /// Takes an order out of everything.
    #[inline]
    pub(super) fn forget(&mut self, at: usize, slot: Slot) {
        self.markets[at].delist(&mut self.orders, slot);
        self.orders.remove(slot);
        self.relock(at, slot);
    }

    /// Takes quantity from an order without a fill.
    pub(super) fn shrink(&mut self, at: usize, slot: Slot, by: i64) {
        let own = self.orders.get_mut(slot);
        own.qty -= by;
        own.left -= by;
        own.shown = own.shown.min(own.left);
        self.relock(at, slot);
    }
}
