//! The venue's own figure of a position: for reduce-only, funding and liquidation.
//!
//! It is light on purpose: the account's ledger, with its exact cost and profit, is elsewhere and
//! is not read here, so the two can be compared.

use super::fees::{funding, value};
use super::market::Market;
use super::report::{AccountReport, VenueEvent};
use super::settings::IsolatedMargin;
use super::venue::Venue;
use crate::account::SIDES;
use crate::instrument::Kind;
use crate::order::{Expiry, ReportKind, Side};
use crate::units::{mul_div, pow10, Overflow, Rounding, COST_SCALE, MARK_SCALE, RATE_SCALE};

/// One leg of a position: net, or long and short in hedge mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leg {
    /// Signed, in quantity units.
    pub qty: i64,
    /// Signed entry value at cost scale; kept only where margin is checked.
    pub cost: i128,
    /// Isolated margin at cost scale; kept only where margin is checked.
    pub margin: i128,
}

/// `amount × rate` toward zero.
fn part(amount: i128, rate: i64) -> Result<i128, Overflow> {
    mul_div(amount, i128::from(rate), pow10(RATE_SCALE), Rounding::TowardZero)
}

impl Venue {
    /// Books a fill into the venue's figure of the position.
    pub(super) fn move_position(
        &mut self,
        at: usize,
        account: u16,
        leg: usize,
        qty: i64,
        price: i64,
    ) {
        let market = &mut self.markets[at];
        let row = usize::from(account);
        if market.legs.len() <= row {
            market.legs.resize(row + 1, [Leg::default(); 3]);
        }
        let leg = &mut market.legs[row][leg];
        let Some(margin) = market.set.margin else {
            leg.qty += qty;
            return;
        };
        let inst = &self.instruments[at];
        let closed =
            if leg.qty.signum() == -qty.signum() { qty.abs().min(leg.qty.abs()) } else { 0 };
        if closed > 0 {
            // Cost and margin leave in proportion; what is closed last takes what is left.
            let whole = i128::from(leg.qty.abs());
            let keep = whole - i128::from(closed);
            let kept = |amount| mul_div(amount, keep, whole, Rounding::HalfEven).unwrap_or(0);
            (leg.cost, leg.margin) = (kept(leg.cost), kept(leg.margin));
        }
        let opened = qty.abs() - closed;
        leg.qty += qty;
        if opened > 0 {
            let signed = opened * qty.signum();
            let cost = value(inst, signed, price, market.price_scale).unwrap_or(0);
            leg.cost += cost;
            leg.margin += part(cost.abs(), margin.initial).unwrap_or(0);
        }
    }

    /// Cuts or expires resting reduce-only orders of an account to what its position allows.
    #[inline]
    pub(super) fn cut_reducers(&mut self, at: usize, now: i64, account: u16) {
        if self.markets[at].reducers > 0 {
            self.cut_listed_reducers(at, now, account);
        }
    }

    #[cold]
    fn cut_listed_reducers(&mut self, at: usize, now: i64, account: u16) {
        for (slot, birth) in self.open_orders(Some(account), Some(at as u32)) {
            let own = self.orders.get(slot);
            if !own.reduces() || own.doing == super::slab::Doing::Armed {
                continue;
            }
            let most = self.markets[at].reducible(own);
            if most == 0 {
                self.expire(slot, birth, now, Expiry::ReduceOnly);
            } else if own.left > most {
                self.shrink(at, slot, own.left - most);
                let own = self.orders.get(slot);
                let (account, id) = (own.account, own.id);
                self.say(account, id, now, ReportKind::Reduced { left: most });
            }
        }
    }

    /// Exchanges funding on what every account holds now.
    pub(super) fn settle_funding(&mut self, at: usize, now: i64, rate: i64, stated: Option<i64>) {
        let market = &self.markets[at];
        let inst = &self.instruments[at];
        let instrument = at as u32;
        for account in 0..market.legs.len() {
            for leg in market.legs[account].iter().filter(|leg| leg.qty != 0) {
                let account = account as u16;
                let amount = stated.or(market.mark).and_then(|mark| {
                    funding(inst, &self.assets, &self.settings.fees, leg.qty, mark, rate).ok()
                });
                let event = match amount {
                    None => VenueEvent::MarkMissing { instrument, ts_exchange: now },
                    Some(amount) => VenueEvent::Funding {
                        instrument,
                        ts_exchange: now,
                        qty: leg.qty,
                        amount,
                        asset: inst.settle,
                    },
                };
                self.reports.push(AccountReport { account, left: 0, event });
            }
        }
    }

    /// Liquidates every leg whose isolated margin no longer carries it.
    #[inline]
    pub(super) fn check_margin(&mut self, at: usize, now: i64) {
        if let (Some(margin), Some(mark)) = (self.markets[at].set.margin, self.markets[at].mark) {
            self.liquidate_failing(at, now, margin, mark);
        }
    }

    #[cold]
    fn liquidate_failing(&mut self, at: usize, now: i64, margin: IsolatedMargin, mark: i64) {
        for account in 0..self.markets[at].legs.len() {
            for side in 0..3 {
                let leg = self.markets[at].legs[account][side];
                if leg.qty != 0 && self.fails(at, leg, margin, mark) {
                    self.liquidate(at, now, account as u16, side);
                }
            }
        }
    }

    /// `margin + profit at mark ≤ maintenance`.
    fn fails(&self, at: usize, leg: Leg, margin: IsolatedMargin, mark: i64) -> bool {
        let Ok(worth) = value(&self.instruments[at], leg.qty, mark, MARK_SCALE) else {
            return true;
        };
        let Ok(maintenance) = part(worth.abs(), margin.maintenance) else { return true };
        leg.margin + worth - leg.cost <= maintenance
    }

    /// Takes an account's positions in an instrument over at `price`, its orders there expired: what
    /// a venue does that looks at more than the instrument ([`crate::liquidation`]). There is no
    /// fee on it: nothing is left that could pay one.
    pub fn seize(&mut self, now: i64, account: u16, instrument: u32, price: i64) {
        let at = instrument as usize;
        let legs = self.markets[at].legs.get(usize::from(account)).copied().unwrap_or_default();
        for (side, leg) in legs.iter().enumerate() {
            if leg.qty != 0 {
                self.take_over(at, now, (account, side), price, 0);
            }
        }
    }

    /// All orders in the instrument expire, and the position goes at its bankruptcy price.
    fn liquidate(&mut self, at: usize, now: i64, account: u16, side: usize) {
        let market = &self.markets[at];
        let leg = market.legs[usize::from(account)][side];
        let closing = if leg.qty > 0 { Side::Sell } else { Side::Buy };
        let inst = &self.instruments[at];
        let price =
            bankruptcy_price(market, inst.kind, leg, inst.multiplier, inst.multiplier_scale);
        let paid = super::fees::fee(
            inst,
            &self.assets,
            &self.settings.fees,
            closing,
            leg.qty.abs(),
            price,
            inst.liquidation_fee,
        );
        self.take_over(at, now, (account, side), price, paid.map_or(0, |(fee, _)| fee));
    }

    /// Takes a leg over at `price`; `fee` is at the settlement currency's scale.
    fn take_over(
        &mut self,
        at: usize,
        now: i64,
        (account, side): (u16, usize),
        price: i64,
        fee: i128,
    ) {
        for (slot, birth) in self.open_orders(Some(account), Some(at as u32)) {
            self.expire(slot, birth, now, Expiry::Liquidation);
        }
        let leg = std::mem::take(&mut self.markets[at].legs[usize::from(account)][side]);
        let event = VenueEvent::Liquidated {
            instrument: at as u32,
            ts_exchange: now,
            side: if leg.qty > 0 { Side::Sell } else { Side::Buy },
            leg: SIDES[side],
            qty: leg.qty.abs(),
            price,
            fee,
            asset: self.instruments[at].settle,
        };
        self.reports.push(AccountReport { account, left: 0, event });
    }
}

/// The price at which closing loses exactly the margin, cut to the price unit against the trader.
fn bankruptcy_price(market: &Market, kind: Kind, leg: Leg, multiplier: i64, scale: u8) -> i64 {
    let target = leg.cost - leg.margin; // the value at which nothing is left
    let size = i128::from(leg.qty) * i128::from(multiplier);
    let decimals = market.qty_scale + scale;
    let rounding = if leg.qty > 0 { Rounding::Down } else { Rounding::Up };
    let price = match kind {
        Kind::Spot | Kind::Linear => {
            let unit = pow10(COST_SCALE - decimals - market.price_scale);
            size.checked_mul(unit).ok_or(Overflow).and_then(|d| mul_div(target, 1, d, rounding))
        }
        Kind::Inverse => {
            mul_div(-size, pow10(COST_SCALE + market.price_scale - decimals), target, rounding)
        }
    };
    price.ok().and_then(|p| i64::try_from(p).ok()).unwrap_or(0).max(0)
}
