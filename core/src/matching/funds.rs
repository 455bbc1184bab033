//! Spot balances for the venue's own check of funds: an open bid locks quote, a sale locks base.
//!
//! Only accounts whose balances were stated are checked; all others have as much as they ask for.

use super::slab::{Doing, Slot};
use super::venue::Venue;
use crate::instrument::{AssetId, Kind};
use crate::order::Side;
use crate::units::{rescale, Rounding};

/// What an account has of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fund {
    pub total: i128,
    pub locked: i128,
}

impl Venue {
    /// States an account's balance of an asset, at the asset's scale, which switches its checks on.
    pub fn set_balance(&mut self, account: u16, asset: AssetId, total: i128) {
        self.funds.entry((account, asset)).or_default().total = total;
    }

    fn checked_fund(&self, at: usize, account: u16, side: Side) -> Option<(AssetId, Fund)> {
        if self.funds.is_empty() || self.instruments[at].kind != Kind::Spot {
            return None;
        }
        let inst = &self.instruments[at];
        let asset = if side == Side::Buy { inst.quote } else { inst.base };
        self.funds.get(&(account, asset)).map(|fund| (asset, *fund))
    }

    /// What `qty` at a value in price × quantity units needs, at the asset's scale, rounded up.
    fn need(&self, at: usize, side: Side, qty: i64, value: i128) -> i128 {
        let inst = &self.instruments[at];
        let (amount, from, asset) = match side {
            Side::Buy => (value, inst.price_scale + inst.qty_scale, inst.quote),
            Side::Sell => (i128::from(qty), inst.qty_scale, inst.base),
        };
        let scale = self.assets[usize::from(asset)].scale;
        rescale(amount, from, scale, Rounding::AwayFromZero).unwrap_or(i128::MAX)
    }

    /// True if the account can pay; `value` in price × quantity units.
    pub(super) fn can_pay(
        &self,
        at: usize,
        account: u16,
        side: Side,
        qty: i64,
        value: i128,
    ) -> bool {
        let Some((_, fund)) = self.checked_fund(at, account, side) else { return true };
        self.need(at, side, qty, value) <= fund.total - fund.locked
    }

    /// Makes an order lock what its open part needs now.
    #[inline]
    pub(super) fn relock(&mut self, at: usize, slot: Slot) {
        if !self.funds.is_empty() {
            self.relock_checked(at, slot);
        }
    }

    #[cold]
    fn relock_checked(&mut self, at: usize, slot: Slot) {
        let own = *self.orders.get(slot);
        let Some((asset, _)) = self.checked_fund(at, own.account, own.spec.side) else { return };
        let works = !own.spec.kind.is_conditional() && own.doing != Doing::Nothing;
        let value = i128::from(own.left) * i128::from(own.spec.price);
        let need = if works { self.need(at, own.spec.side, own.left, value) } else { 0 };
        self.orders.get_mut(slot).locked = need;
        if let Some(fund) = self.funds.get_mut(&(own.account, asset)) {
            fund.locked += need - own.locked;
        }
    }

    /// Moves the coins of a spot fill.
    #[inline]
    pub(super) fn exchange(
        &mut self,
        at: usize,
        account: u16,
        side: Side,
        qty: i64,
        price: i64,
        fee: (i128, AssetId),
    ) {
        if self.funds.is_empty() || self.instruments[at].kind != Kind::Spot {
            return;
        }
        let value = i128::from(qty) * i128::from(price);
        let (base, quote) = (self.instruments[at].base, self.instruments[at].quote);
        let sign = i128::from(side.sign());
        let moves = [
            (base, sign * self.need(at, Side::Sell, qty, value)),
            (quote, -sign * self.need(at, Side::Buy, qty, value)),
            (fee.1, -fee.0),
        ];
        for (asset, amount) in moves {
            if let Some(fund) = self.funds.get_mut(&(account, asset)) {
                fund.total += amount;
            }
        }
    }
}
