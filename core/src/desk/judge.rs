//! What the risk gate is shown of an order, and its verdict.

use super::{Desk, DeskError};
use crate::instrument::{InstrumentId, Kind};
use crate::order::{OrderId, OrderSpec, PositionSide, Side};
use crate::risk::{Exposure, RateWindow, Refusal};
use crate::units::{pow10, rescale, Overflow, Rounding, COST_SCALE};

/// What an account's open orders in an instrument add up to, the order that is judged left out.
#[derive(Default)]
struct OpenSums {
    /// Quantities of the strategy that asks: buys, sells.
    own: [i64; 2],
    /// Quantities of the whole account.
    all: [i64; 2],
    /// Notionals of the whole account, at cost scale.
    value: [i128; 2],
}

impl Desk {
    /// The verdict of the risk gate on what an order asks, or would ask once amended.
    pub(super) fn judge(
        &mut self,
        id: OrderId,
        spec: &OrderSpec,
    ) -> Result<Result<(), Refusal>, DeskError> {
        let Some(order) = self.orders.get(id) else { return Ok(Ok(())) };
        let (account, strategy) = (order.account, order.strategy);
        let row = spec.instrument as usize;
        if let Some(refusal) = self.refuse_outright(account, strategy, spec) {
            return Ok(Err(refusal));
        }
        let is_spot = self.instruments[row].kind == Kind::Spot;
        let settle = self.instruments[row].settle;
        let equity = if is_spot { 0 } else { self.carrying_equity(account, settle)? };
        if self.rate.len() <= account as usize {
            self.rate.resize_with(account as usize + 1, RateWindow::default);
        }
        let since = self.now_ns - self.limits.rate_window_ns;
        let orders_in_window = self.rate[account as usize].count_since(since);
        let instrument = &self.instruments[row];
        let reference = self.reference_price(spec.instrument);
        let price = if spec.price > 0 {
            spec.price
        } else if spec.trigger_price > 0 {
            spec.trigger_price
        } else {
            reference
        };
        let overflow = |_| self.broken(spec.instrument, "an order's value does not fit");
        let mut open =
            self.open_sums(id, (account, strategy), spec, reference).map_err(overflow)?;
        let worth = |qty, price| if price > 0 { instrument.notional(qty, price) } else { Ok(0) };
        let notional = worth(spec.qty, price).map_err(overflow)?;
        let account_position = self.net_qty(account, spec.instrument);
        let held = worth(account_position.abs(), reference).map_err(overflow)?;
        let held = if account_position < 0 { -held } else { held };
        let larger_side =
            |open: &OpenSums| (held + open.value[0]).abs().max((held - open.value[1]).abs());
        let notional_before = larger_side(&open);
        if !spec.reduce_only {
            open.value[usize::from(spec.side == Side::Sell)] += notional;
        }
        let (paid, free) =
            if is_spot { self.spot_funds(account, spec, &open, notional)? } else { (notional, 0) };
        let exposure = Exposure {
            instrument,
            spec,
            strategy_position: self.strategy_position(strategy, spec.instrument),
            account_position,
            open_buy_qty: open.own[0],
            open_sell_qty: open.own[1],
            reference_price: reference,
            notional: paid,
            notional_after: larger_side(&open),
            notional_before,
            equity,
            other_margin: self.margin_elsewhere(account, spec.instrument).map_err(overflow)?,
            free,
            leverage: self.leverage_of(account, row),
            now_ns: self.now_ns,
            orders_in_window,
        };
        let verdict = self.gate.check(&exposure);
        if verdict.is_ok() {
            self.rate[account as usize].push(self.now_ns);
        }
        Ok(verdict)
    }

    /// Adds up the orders that may have reached the venue and may grow a position.
    #[inline]
    fn open_sums(
        &self,
        id: OrderId,
        (account, strategy): (u16, u16),
        spec: &OrderSpec,
        reference: i64,
    ) -> Result<OpenSums, Overflow> {
        let mut sums = OpenSums::default();
        let mut add =
            |id: OrderId| self.add_open(&mut sums, id, (account, strategy), spec, reference);
        for &other in self.orders.open() {
            if other != id {
                add(other)?;
            }
        }
        if !self.outside.missing.is_empty() {
            // Orders that ended count as well while fills of them are missing.
            for &other in &self.outside.missing {
                if other != id && self.orders.get(other).is_some_and(|order| !order.is_open()) {
                    add(other)?;
                }
            }
        }
        Ok(sums)
    }

    #[inline(always)]
    fn add_open(
        &self,
        sums: &mut OpenSums,
        id: OrderId,
        (account, strategy): (u16, u16),
        spec: &OrderSpec,
        reference: i64,
    ) -> Result<(), Overflow> {
        let Some(other) = self.orders.get(id) else { return Ok(()) };
        if other.account != account
            || other.spec.instrument != spec.instrument
            || other.spec.reduce_only
            || other.is_unborn()
        {
            return Ok(());
        }
        let (leaves, price) = other.worst_case();
        let at = if price > 0 { price } else { reference };
        let instrument = &self.instruments[spec.instrument as usize];
        let value = if at > 0 { instrument.notional(leaves, at)? } else { 0 };
        // Which side it is of is anybody's guess, so it is picked by number.
        let side = usize::from(other.spec.side == Side::Sell);
        let is_own = i64::from(other.strategy == strategy);
        sums.own[side] += leaves * is_own;
        sums.all[side] += leaves;
        sums.value[side] += value;
        Ok(())
    }

    /// What a spot order gives, quote for a buy and base for a sale, and what of that asset no
    /// open order speaks for, at cost scale.
    fn spot_funds(
        &self,
        account: u16,
        spec: &OrderSpec,
        open: &OpenSums,
        notional: i128,
    ) -> Result<(i128, i128), DeskError> {
        let instrument = &self.instruments[spec.instrument as usize];
        let coins = |qty: i64| i128::from(qty) * pow10(18 - instrument.qty_scale);
        // `open` holds the order itself where it buys.
        let (asset, paid, spoken_for) = match spec.side {
            Side::Sell => (instrument.base, coins(spec.qty), coins(open.all[1])),
            Side::Buy => (instrument.quote, notional, open.value[0] - notional),
        };
        let balance = self.accounts.balance(account, asset);
        let balance = balance.map_err(|e| self.broken(spec.instrument, &e.to_string()))?;
        let scale = self.assets[asset as usize].scale;
        let held = rescale(balance.wallet(), scale, COST_SCALE, Rounding::TowardZero)
            .map_err(|_| self.broken(spec.instrument, "an order's value does not fit"))?;
        Ok((paid, held - spoken_for))
    }

    fn leverage_of(&self, account: u16, row: usize) -> i64 {
        let at = account as usize * self.instruments.len() + row;
        self.leverage.get(at).copied().unwrap_or(1)
    }

    /// What no figure can change: a frozen scope, or a market that is not to be believed.
    fn refuse_outright(&self, account: u16, strategy: u16, spec: &OrderSpec) -> Option<Refusal> {
        let symbol = || &self.instruments[spec.instrument as usize].symbol;
        if self.is_recovering {
            let detail = "the strategy is told what happened before the restart".to_owned();
            return Some(Refusal { rule: "recovering", detail });
        }
        if let Some(reason) = self.frozen_by(account, strategy, spec.instrument) {
            return Some(Refusal { rule: "frozen", detail: format!("{reason} ({})", symbol()) });
        }
        if let Some(detail) = self.wrong_leg(account, spec) {
            return Some(Refusal { rule: "position_side", detail });
        }
        if self.markets[spec.instrument as usize].is_stale && !spec.reduce_only {
            let detail = format!(
                "the book of {} is stale, so no price can be checked; only reduce-only orders pass",
                symbol()
            );
            return Some(Refusal { rule: "stale_market", detail });
        }
        None
    }

    /// Why an order names a leg that its account does not have; the venue would refuse it too.
    fn wrong_leg(&self, account: u16, spec: &OrderSpec) -> Option<String> {
        let instrument = &self.instruments[spec.instrument as usize];
        let has_legs = instrument.kind != Kind::Spot && self.accounts.is_hedge(account);
        match (has_legs, spec.position_side == PositionSide::Both) {
            (true, true) => Some(format!(
                "the account trades {} in hedge mode: say position_side=\"long\" or \"short\" \
                 with place_order",
                instrument.symbol
            )),
            (false, false) => Some(format!(
                "{} has one position, not a long and a short one: leave position_side out, or \
                 declare position_mode = \"hedge\" on the strategy",
                instrument.symbol
            )),
            _ => None,
        }
    }

    /// An account's signed position in an instrument over all legs, in quantity units.
    #[inline]
    #[must_use]
    pub fn net_qty(&self, account: u16, instrument: InstrumentId) -> i64 {
        self.accounts.net_qty(account, instrument)
    }

    /// Initial margin that an account's other contracts with the same settlement need (A24).
    fn margin_elsewhere(&self, account: u16, instrument: InstrumentId) -> Result<i128, Overflow> {
        let settle = self.instruments[instrument as usize].settle;
        let mut sum = 0;
        for (row, other) in self.instruments.iter().enumerate() {
            if row == instrument as usize || other.kind == Kind::Spot || other.settle != settle {
                continue;
            }
            let held = self.net_qty(account, row as InstrumentId);
            let price = self.reference_price(row as InstrumentId);
            if held != 0 && price > 0 {
                let leverage = self.leverage_of(account, row);
                sum += other.notional(held.abs(), price)? / i128::from(leverage);
            }
        }
        Ok(sum)
    }
}
