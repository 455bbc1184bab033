//! Checks on entry, in the order of `matching.md` section 10; the first failure names the reason.

use super::fees::value;
use super::market::meets;
use super::settings::{AmendRule, Level, TradeTaker};
use super::slab::{Own, Slot};
use super::venue::Venue;
use crate::instrument::{Filters, Instrument, Kind, PercentPrice, Status};
use crate::order::{OrderSpec, OrderType, Reject, Side, Tif, TriggerBy};
use crate::units::{mul_div, pow10, rescale, Rounding, COST_SCALE, MARK_SCALE};

impl Venue {
    /// Checks an arriving order and cuts a reduce-only one to the position.
    pub(super) fn check_entry(&mut self, at: usize, now: i64, own: &mut Own) -> Result<(), Reject> {
        if self.orders.find(own.id).is_some() {
            return Err(Reject::DuplicateId);
        }
        if self.markets[at].status != Status::Trading {
            return Err(Reject::MarketClosed);
        }
        if !self.is_well_formed(at, now, &own.spec) {
            return Err(Reject::BadRequest);
        }
        let inst = &self.instruments[at];
        let filters = &inst.filters;
        check_prices(&own.spec, filters, inst.tick)?;
        check_lots(&own.spec, filters, inst.lot)?;
        self.check_notional(at, own)?;
        self.check_percent_price(at, &own.spec)?;
        self.check_counts(at, own)?;
        check_parts(&own.spec, filters)?;
        let conditional = own.spec.kind.is_conditional();
        if own.reduces() && !conditional {
            self.check_reduce(at, own)?;
        }
        own.shown = own.slice();
        if !conditional {
            self.check_funds(at, now, own)?;
            return self.check_taking(at, now, own);
        }
        if !self.settings.rules.trigger_at_once && self.is_triggered(at, own) {
            return Err(Reject::WouldTrigger);
        }
        Ok(())
    }

    fn is_well_formed(&self, at: usize, now: i64, spec: &OrderSpec) -> bool {
        let conditional = spec.kind.is_conditional();
        let trails = spec.kind == OrderType::TrailingStop;
        let set = &self.markets[at].set;
        let sourced = match spec.trigger_by {
            TriggerBy::Last => true,
            TriggerBy::Mark => set.has_mark,
            TriggerBy::Index => set.has_index,
        };
        let iceberg = spec.display_qty != 0;
        let max_qty = i128::from(spec.qty) * i128::from(spec.price.max(spec.trigger_price));
        (if spec.close_position { conditional && spec.qty == 0 } else { spec.qty > 0 })
            && (!spec.kind.has_limit() || spec.price > 0)
            && (!conditional || trails || spec.trigger_price > 0)
            && (!trails || (spec.trail_bps > 0 && spec.trail_bps < 10_000))
            && (!conditional || sourced)
            && (spec.tif != Tif::Gtd || spec.expire_ns > now)
            && (!spec.post_only
                || (spec.kind.has_limit() && matches!(spec.tif, Tif::Gtc | Tif::Gtd)))
            && (!iceberg
                || (spec.kind == OrderType::Limit
                    && spec.tif == Tif::Gtc
                    && spec.display_qty > 0
                    && spec.display_qty <= spec.qty))
            && max_qty < pow10(COST_SCALE + 18)
    }

    /// Notional at a price, at cost scale, in the currency of the price.
    fn notional(&self, at: usize, qty: i64, price: i64, scale: u8) -> i128 {
        let inst: &Instrument = &self.instruments[at];
        let notional = match inst.kind {
            Kind::Spot | Kind::Linear => value(inst, qty, price, scale),
            Kind::Inverse => {
                let face = i128::from(qty) * i128::from(inst.multiplier);
                let decimals = inst.qty_scale + inst.multiplier_scale;
                rescale(face, decimals, COST_SCALE, Rounding::TowardZero)
            }
        };
        notional.unwrap_or(i128::MAX)
    }

    fn check_notional(&self, at: usize, own: &Own) -> Result<(), Reject> {
        let filters = &self.instruments[at].filters;
        if (filters.min_notional == 0 && filters.max_notional == 0) || own.spec.close_position {
            return Ok(());
        }
        let scale = self.markets[at].price_scale;
        let stated = [own.spec.price, own.spec.trigger_price].into_iter().find(|p| *p > 0);
        let priced = stated.map(|price| (price, scale)).or_else(|| self.reference(at));
        let Some((price, scale)) = priced else { return Ok(()) };
        let notional = self.notional(at, own.spec.qty, price, scale);
        if notional < filters.min_notional && !own.spec.reduce_only {
            return Err(Reject::MinNotional);
        }
        if filters.max_notional > 0 && notional > filters.max_notional {
            return Err(Reject::MaxNotional);
        }
        Ok(())
    }

    /// The price that bands are drawn around: mark, else last; with its scale.
    pub(super) fn reference(&self, at: usize) -> Option<(i64, u8)> {
        let market = &self.markets[at];
        let mark = market.mark.map(|mark| (mark, MARK_SCALE));
        mark.or_else(|| market.last.get().map(|last| (last, market.price_scale)))
    }

    fn check_percent_price(&self, at: usize, spec: &OrderSpec) -> Result<(), Reject> {
        let Some(band) = self.instruments[at].filters.percent_price else { return Ok(()) };
        let Some((reference, scale)) = self.reference(at) else { return Ok(()) };
        if !spec.kind.has_limit() {
            return Ok(());
        }
        let PercentPrice { up, down, both_sides } = band;
        let unit = pow10(18 + scale - self.markets[at].price_scale);
        let bound = |rate: i64, rounding| {
            mul_div(i128::from(reference), i128::from(rate), unit, rounding).unwrap_or(i128::MAX)
        };
        let price = i128::from(spec.price);
        let capped = both_sides || spec.side == Side::Buy;
        let floored = both_sides || spec.side == Side::Sell;
        let too_high = capped && price > bound(up, Rounding::Down);
        let too_low = floored && price < bound(down, Rounding::Up);
        if too_high || too_low {
            return Err(Reject::PercentPrice);
        }
        Ok(())
    }

    fn check_counts(&self, at: usize, own: &Own) -> Result<(), Reject> {
        let filters = &self.instruments[at].filters;
        if filters.max_orders == 0 && filters.max_conditional_orders == 0 {
            return Ok(());
        }
        let open = self.open_orders(Some(own.account), Some(own.spec.instrument));
        let is_armed = |slot: Slot| self.orders.get(slot).spec.kind.is_conditional();
        let armed = open.iter().filter(|(slot, _)| is_armed(*slot)).count() as u32;
        if filters.max_orders > 0 && open.len() as u32 >= filters.max_orders {
            return Err(Reject::MaxOrders);
        }
        let limit = filters.max_conditional_orders;
        if limit > 0 && own.spec.kind.is_conditional() && armed >= limit {
            return Err(Reject::MaxAlgoOrders);
        }
        Ok(())
    }

    /// Reduce-only: an opposite position is needed, and what exceeds it is cut or refused.
    fn check_reduce(&self, at: usize, own: &mut Own) -> Result<(), Reject> {
        let most = self.markets[at].reducible(own);
        if most == 0 {
            return Err(Reject::ReduceOnly);
        }
        if self.settings.rules.reduce_only_sum {
            let open = self.open_orders(Some(own.account), Some(own.spec.instrument));
            let others: i64 = open
                .iter()
                .map(|(slot, _)| self.orders.get(*slot))
                .filter(|o| o.id != own.id && o.reduces() && !o.spec.kind.is_conditional())
                .filter(|o| o.spec.side == own.spec.side)
                .map(|o| o.left)
                .sum();
            if others + own.left > most {
                return Err(Reject::ReduceOnly);
            }
        }
        let over = (own.left - most).max(0);
        own.qty -= over;
        own.left -= over;
        Ok(())
    }

    /// Spot funds; a market buy is checked against what it would walk through.
    pub(super) fn check_funds(&self, at: usize, now: i64, own: &Own) -> Result<(), Reject> {
        if self.funds.is_empty() {
            return Ok(());
        }
        let side = own.spec.side;
        let worth = if own.spec.kind.has_limit() {
            i128::from(own.left) * i128::from(own.spec.price)
        } else {
            self.market_worth(at, now, own)
        };
        if self.can_pay(at, own.account, side, own.left, worth) {
            Ok(())
        } else {
            Err(Reject::InsufficientBalance)
        }
    }

    fn market_worth(&self, at: usize, now: i64, own: &Own) -> i128 {
        let (side, left) = (own.spec.side, own.left);
        match self.markets[at].set.level {
            Level::Quote | Level::Book | Level::True => {
                let limit = if side == Side::Buy { i64::MAX } else { i64::MIN };
                self.book_takable(at, now, own, limit).1
            }
            Level::Bar => i128::from(left) * i128::from(self.taker_price(at, side, left)),
            Level::Trade => {
                let estimate = self.estimated(at, side).or(self.markets[at].last.get());
                i128::from(left) * i128::from(estimate.unwrap_or(0))
            }
        }
    }

    /// Post-only, and fill-or-kill where the venue rejects.
    fn check_taking(&self, at: usize, now: i64, own: &Own) -> Result<(), Reject> {
        let spec = &own.spec;
        if spec.post_only && self.would_take(at, now, spec.side, spec.price) {
            return Err(Reject::PostOnly);
        }
        let kills = spec.tif == Tif::Fok && self.settings.rules.fok_rejects;
        if kills && spec.kind == OrderType::Limit && self.takable_by(at, now, own) < own.left {
            return Err(Reject::Fok);
        }
        Ok(())
    }

    /// True if a limit order would trade at once.
    pub(super) fn would_take(&self, at: usize, now: i64, side: Side, limit: i64) -> bool {
        match self.markets[at].set.level {
            Level::Bar => self.bar_marketable(at, now, side, limit),
            Level::Trade => self.estimated(at, side).is_some_and(|p| meets(side, limit, p)),
            Level::Quote | Level::Book | Level::True => self.book_would_take(at, now, side, limit),
        }
    }

    /// What a limit order could take at once.
    pub(super) fn takable_by(&self, at: usize, now: i64, own: &Own) -> i64 {
        let (side, limit) = (own.spec.side, own.spec.price);
        match self.markets[at].set.level {
            Level::Bar if self.bar_marketable(at, now, side, limit) => self.markets[at].bar.budget,
            Level::Bar => 0,
            Level::Trade => {
                let quoted = self.markets[at].set.trade.taker == TradeTaker::Quote;
                if quoted && self.would_take(at, now, side, limit) {
                    i64::MAX
                } else {
                    0
                }
            }
            Level::Quote | Level::Book | Level::True => self.book_takable(at, now, own, limit).0,
        }
    }

    /// Checks an amend of an open order.
    pub(super) fn check_amend(
        &self,
        at: usize,
        now: i64,
        slot: Slot,
        qty: i64,
        price: i64,
    ) -> Result<(), Reject> {
        let own = self.orders.get(slot);
        if self.markets[at].status != Status::Trading {
            return Err(Reject::MarketClosed);
        }
        if own.spec.kind != OrderType::Limit || qty <= 0 || price <= 0 {
            return Err(Reject::BadRequest);
        }
        if qty == own.qty && price == own.spec.price {
            return Err(Reject::NoChange);
        }
        let less = price == own.spec.price && qty < own.qty;
        if self.settings.rules.amend == AmendRule::DecreaseOnly && !less {
            return Err(Reject::KeepPriority);
        }
        let spent = own.filled + own.prevented;
        if qty <= spent {
            return Ok(()); // a way to close it
        }
        let mut changed = *own;
        (changed.spec.qty, changed.spec.price, changed.qty) = (qty, price, qty);
        changed.left = qty - spent;
        let inst = &self.instruments[at];
        check_prices(&changed.spec, &inst.filters, inst.tick)?;
        check_lots(&changed.spec, &inst.filters, inst.lot)?;
        self.check_notional(at, &changed)?;
        self.check_percent_price(at, &changed.spec)?;
        check_parts(&changed.spec, &inst.filters)?;
        if changed.reduces() && changed.left > self.markets[at].reducible(&changed) {
            return Err(Reject::ReduceOnly);
        }
        self.check_amended_funds(at, now, own, &changed)
    }

    /// The lock of the old order is free for the new one.
    fn check_amended_funds(
        &self,
        at: usize,
        now: i64,
        own: &Own,
        changed: &Own,
    ) -> Result<(), Reject> {
        let worth = i128::from(changed.left) * i128::from(changed.spec.price);
        let old = i128::from(own.left) * i128::from(own.spec.price);
        let more = (changed.left - own.left).max(0);
        let grows = match own.spec.side {
            Side::Buy => worth > old,
            Side::Sell => more > 0,
        };
        let _ = now;
        if grows && !self.can_pay(at, own.account, own.spec.side, more, worth - old) {
            return Err(Reject::InsufficientBalance);
        }
        Ok(())
    }
}

fn check_prices(spec: &OrderSpec, filters: &Filters, tick: i64) -> Result<(), Reject> {
    let tick = tick.max(1);
    let bad = |price: i64| {
        price % tick != 0
            || price < filters.min_price
            || (filters.max_price > 0 && price > filters.max_price)
    };
    let limit = spec.kind.has_limit() && bad(spec.price);
    let others = [spec.trigger_price, spec.activation_price];
    if limit || others.into_iter().any(|price| price != 0 && bad(price)) {
        return Err(Reject::PriceFilter);
    }
    Ok(())
}

fn check_lots(spec: &OrderSpec, filters: &Filters, lot: i64) -> Result<(), Reject> {
    if spec.close_position {
        return Ok(());
    }
    let qty = spec.qty;
    let too_large = |most: i64| most > 0 && qty > most;
    if qty % lot.max(1) != 0 || qty < filters.min_qty || too_large(filters.max_qty) {
        return Err(Reject::LotSize);
    }
    if spec.kind.has_limit() {
        return Ok(());
    }
    if qty % filters.market_lot.max(1) != 0 || too_large(filters.market_max_qty) {
        return Err(Reject::MarketLotSize);
    }
    Ok(())
}

fn check_parts(spec: &OrderSpec, filters: &Filters) -> Result<(), Reject> {
    if spec.display_qty > 0 && filters.max_iceberg_parts > 0 {
        let parts = spec.qty.unsigned_abs().div_ceil(spec.display_qty.unsigned_abs());
        if parts > u64::from(filters.max_iceberg_parts) {
            return Err(Reject::IcebergParts);
        }
    }
    Ok(())
}
