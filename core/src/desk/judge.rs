//! What the risk gate is shown of an order, and its verdict.

use super::{Desk, DeskError};
use crate::instrument::{InstrumentId, Kind};
use crate::order::{OrderId, OrderSpec, Side};
use crate::risk::{Exposure, RateWindow, Refusal};
use crate::units::{pow10, rescale, Rounding, COST_SCALE};

impl Desk {
    /// The verdict of the risk gate on what an order asks, or would ask once amended.
    pub(super) fn judge(
        &mut self,
        id: OrderId,
        spec: OrderSpec,
    ) -> Result<Result<(), Refusal>, DeskError> {
        let Some(order) = self.orders.get(id) else { return Ok(Ok(())) };
        let (account, strategy) = (order.account, order.strategy);
        let row = spec.instrument as usize;
        if let Some(refusal) = self.refuse_outright(account, strategy, &spec) {
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
        let (mut own_buys, mut own_sells, mut sells) = (0_i64, 0_i64, 0_i64);
        let (mut buy_value, mut sell_value) = (0_i128, 0_i128);
        // Orders that ended count as well while fills of them are missing.
        let ended = self.outside.missing.iter();
        let ended = ended.filter(|id| self.orders.get(**id).is_some_and(|order| !order.is_open()));
        for &other in self.orders.open().iter().chain(ended) {
            let Some(other) = self.orders.get(other) else { continue };
            if other.id == id
                || other.account != account
                || other.spec.instrument != spec.instrument
            {
                continue;
            }
            if other.spec.reduce_only || other.is_unborn() {
                continue;
            }
            let (leaves, price) = other.worst_case();
            let at = if price > 0 { price } else { reference };
            let value =
                if at > 0 { instrument.notional(leaves, at).map_err(overflow)? } else { 0 };
            let own = if other.strategy == strategy { leaves } else { 0 };
            match other.spec.side {
                Side::Buy => (own_buys, buy_value) = (own_buys + own, buy_value + value),
                Side::Sell => {
                    (own_sells, sells) = (own_sells + own, sells + leaves);
                    sell_value += value;
                }
            }
        }
        let notional =
            if price > 0 { instrument.notional(spec.qty, price).map_err(overflow)? } else { 0 };
        let account_position = self.net_qty(account, spec.instrument);
        let held = if reference > 0 {
            let value = instrument.notional(account_position.abs(), reference).map_err(overflow)?;
            if account_position < 0 {
                -value
            } else {
                value
            }
        } else {
            0
        };
        let before = (held + buy_value).abs().max((held - sell_value).abs());
        if !spec.reduce_only {
            match spec.side {
                Side::Buy => buy_value += notional,
                Side::Sell => sell_value += notional,
            }
        }
        let after = (held + buy_value).abs().max((held - sell_value).abs());
        let (paid_asset, spoken_for) = match (is_spot, spec.side) {
            (true, Side::Sell) => {
                (instrument.base, i128::from(sells) * pow10(18 - instrument.qty_scale))
            }
            (true, Side::Buy) => (instrument.quote, buy_value - notional),
            (false, _) => (settle, 0),
        };
        let free = if is_spot {
            let balance = self.accounts.balance(account, paid_asset);
            let balance = balance.map_err(|e| self.broken(spec.instrument, &e.to_string()))?;
            let wallet = balance.wallet();
            let scale = self.assets[paid_asset as usize].scale;
            rescale(wallet, scale, COST_SCALE, Rounding::TowardZero).map_err(overflow)? - spoken_for
        } else {
            0
        };
        // A spot order pays in what it gives: quote for a buy, base for a sell.
        let notional_paid = if is_spot && spec.side == Side::Sell {
            i128::from(spec.qty) * pow10(18 - instrument.qty_scale)
        } else {
            notional
        };
        let leverage_at = account as usize * self.instruments.len() + row;
        let exposure = Exposure {
            instrument,
            spec: &spec,
            strategy_position: self.strategy_position(strategy, spec.instrument),
            account_position,
            open_buy_qty: own_buys,
            open_sell_qty: own_sells,
            reference_price: reference,
            notional: if is_spot { notional_paid } else { notional },
            notional_after: after,
            notional_before: before,
            equity,
            other_margin: self.margin_elsewhere(account, spec.instrument).map_err(overflow)?,
            free,
            leverage: self.leverage.get(leverage_at).copied().unwrap_or(1),
            now_ns: self.now_ns,
            orders_in_window,
        };
        let verdict = self.gate.check(&exposure);
        if verdict.is_ok() {
            self.rate[account as usize].push(self.now_ns);
        }
        Ok(verdict)
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
        if self.markets[spec.instrument as usize].is_stale && !spec.reduce_only {
            let detail = format!(
                "the book of {} is stale, so no price can be checked; only reduce-only orders pass",
                symbol()
            );
            return Some(Refusal { rule: "stale_market", detail });
        }
        None
    }

    /// An account's signed position in an instrument over all legs, in quantity units.
    #[inline]
    #[must_use]
    pub fn net_qty(&self, account: u16, instrument: InstrumentId) -> i64 {
        use crate::order::PositionSide::{Both, Long, Short};
        let leg = |side| self.accounts.account_position(account, instrument, side).qty;
        leg(Both) + leg(Long) + leg(Short)
    }

    /// Initial margin that an account's other contracts with the same settlement need (A24).
    fn margin_elsewhere(
        &self,
        account: u16,
        instrument: InstrumentId,
    ) -> Result<i128, crate::units::Overflow> {
        let settle = self.instruments[instrument as usize].settle;
        let mut sum = 0;
        for (row, other) in self.instruments.iter().enumerate() {
            if row == instrument as usize || other.kind == Kind::Spot || other.settle != settle {
                continue;
            }
            let held = self.net_qty(account, row as InstrumentId);
            let price = self.reference_price(row as InstrumentId);
            if held != 0 && price > 0 {
                let at = account as usize * self.instruments.len() + row;
                let leverage = self.leverage.get(at).copied().unwrap_or(1);
                sum += other.notional(held.abs(), price)? / i128::from(leverage);
            }
        }
        Ok(sum)
    }
}
