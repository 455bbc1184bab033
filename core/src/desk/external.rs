//! Orders that this engine did not send: by hand, by another program, or by the venue itself; and
//! reports that nobody can place yet.
//!
//! They are shown and counted in risk like our own. The venue's own orders (liquidation and the
//! like) close what strategies hold, so their fills are shared over the holders.

use super::{Desk, DeskError, Notice, Origin, Parked, Turn, ANY_STRATEGY};
use crate::account::EXTERNAL;
use crate::facts::{self, number};
use crate::order::{OrderId, OrderSpec, PositionSide, Report, Side};
use crate::order_state::Order;

/// An order of somebody else, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalSpec<'a> {
    /// Row of the account table.
    pub account: u16,
    /// Its terms.
    pub spec: OrderSpec,
    /// The venue's own number; 0 if not said.
    pub venue_order_id: u64,
    /// When at the venue, ns.
    pub ts_exchange: i64,
    /// Who made it.
    pub origin: Origin,
    /// The client id that the venue names.
    pub client_id: &'a str,
}

/// What a clock of ours and the venue's may be apart at most, ns.
const APART_NS: i64 = 5_000_000_000;

impl Desk {
    /// True if what is told cannot be about an order that has its number: the order has ended, and
    /// this is of the other side, or began at `begun_ns`, behind its end (F-G03).
    #[must_use]
    pub fn is_another(order: &Order, side: Side, begun_ns: i64) -> bool {
        let is_later = order.ts_closed > 0 && begun_ns > order.ts_closed + APART_NS;
        !order.is_open() && (order.spec.side != side || is_later)
    }

    /// Shows an order that this engine did not send, under a handle of ours; what waited under its
    /// number or client id is applied. One that is known by its number keeps its handle.
    ///
    /// An order of the venue itself freezes every strategy on that instrument of the account.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a report that waited cannot be booked.
    pub fn external_order(&mut self, seen: &ExternalSpec<'_>) -> Result<OrderId, DeskError> {
        let spec = &seen.spec;
        let known = self.by_venue_id(seen.account, spec.instrument, seen.venue_order_id);
        let is_it = |id: &OrderId| {
            let order = self.orders.get(*id);
            seen.venue_order_id != 0
                && order.is_some_and(|o| !Desk::is_another(o, spec.side, seen.ts_exchange))
        };
        if let Some(id) = known.filter(is_it) {
            return Ok(id);
        }
        let id = self.orders.next_id();
        let fact = facts::ExternalOrder {
            order: id,
            account: seen.account,
            instrument: spec.instrument,
            venue_order_id: seen.venue_order_id,
            ts_exchange: seen.ts_exchange,
            origin: seen.origin as u8,
            side: spec.side as i8,
            kind: spec.kind as u8,
            tif: spec.tif as u8,
            position_side: spec.position_side as u8,
            flags: u8::from(spec.post_only)
                | (u8::from(spec.reduce_only) << 1)
                | (u8::from(spec.close_position) << 2),
            qty: spec.qty,
            price: spec.price,
            trigger_price: spec.trigger_price,
        };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number::EXTERNAL, &fact, seen.client_id.as_bytes());
        if seen.origin.is_venue_made() {
            let symbol = &self.instruments[spec.instrument as usize].symbol;
            let reason = format!("{} of {symbol} by the venue", seen.origin.word());
            self.freeze_in_batch((seen.account, ANY_STRATEGY, spec.instrument), &reason);
        }
        self.journal.commit();
        let mut order = Order::new(id, seen.account, EXTERNAL, *spec, self.now_ns);
        order.show(seen.ts_exchange);
        self.orders.insert_as(order);
        self.outside.origins.insert(id, (seen.origin, seen.client_id.into()));
        self.tell_order(id, EXTERNAL);
        if seen.venue_order_id == 0 {
            self.join(id)?;
        } else {
            self.learn_venue_id(id, seen.venue_order_id)?;
        }
        Ok(id)
    }

    /// Keeps a report whose order nobody here knows, until it is known.
    pub fn park(&mut self, report: &facts::ParkedReport, client_id: &str) {
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number::PARKED, report, client_id.as_bytes());
        self.journal.commit();
        let parked: Parked = (*report, client_id.into());
        if !self.outside.parked.contains(&parked) {
            self.outside.parked.push(parked);
        }
    }

    /// Applies what waited for an order.
    pub(super) fn join(&mut self, id: OrderId) -> Result<(), DeskError> {
        if self.outside.parked.is_empty() {
            return Ok(());
        }
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        let place = (order.account, order.spec.instrument);
        let number = self.venue_id_of(id, self.leg).unwrap_or(0);
        let client_id = self.origin(id).map_or("", |(_, text)| text).to_owned();
        let parked = std::mem::take(&mut self.outside.parked);
        let (mut joined, kept): (Vec<Parked>, Vec<Parked>) =
            parked.into_iter().partition(|(report, text)| {
                let told = report.venue_order_id;
                let by_number = number != 0 && told == number;
                // A venue that took one order twice gave it two numbers under one text (F-G05).
                let is_other = number != 0 && told != 0 && told != number;
                let by_text = !client_id.is_empty() && **text == *client_id && !is_other;
                (report.account, report.instrument) == place && (by_number || by_text)
            });
        self.outside.parked = kept;
        joined.sort_by_key(|(report, _)| report.ts_exchange);
        for (parked, _) in joined {
            if parked.kind == facts::ParkedReport::COUNT {
                self.cumulative(id, parked.ts_exchange, parked.qty);
            } else if let Some(report) = parked.report(id) {
                self.report(&report)?;
            }
        }
        Ok(())
    }

    /// What a live engine does after a fill was booked, within its batch.
    pub(super) fn after_fill(&mut self, fill: &facts::Fill) -> Result<(), DeskError> {
        let Some(order) = self.orders.get(fill.order) else { return Ok(()) };
        let is_over = !order.spec.close_position && order.filled_qty > order.spec.qty;
        let (spec, strategy) = (order.spec, order.strategy);
        let origin = self.origin(fill.order).map(|(origin, _)| origin);
        if is_over && strategy != EXTERNAL {
            let symbol = &self.instruments[spec.instrument as usize].symbol;
            let reason = format!("order {} was filled beyond its quantity on {symbol}", fill.order);
            let any = super::ANY_INSTRUMENT;
            self.freeze_in_batch((fill.account, strategy, any), &reason);
        }
        if origin.is_some_and(Origin::is_venue_made) {
            self.share_fill(fill, spec.position_side)?;
        }
        Ok(())
    }

    /// Hands what the venue's own order closed to the strategies that held it, at its price.
    fn share_fill(&mut self, fill: &facts::Fill, leg: PositionSide) -> Result<(), DeskError> {
        let (account, row) = (fill.account, fill.instrument);
        let sign = i64::from(fill.side);
        let width = self.instruments.len();
        let strategies = self.positions.len().div_ceil(width.max(1));
        let holdings: Vec<i64> = (0..strategies as u16)
            .map(|strategy| {
                let held = self.accounts.position(account, strategy, row, leg).qty;
                if strategy != EXTERNAL && held.signum() == -sign {
                    held.abs()
                } else {
                    0
                }
            })
            .collect();
        let total: i64 = holdings.iter().sum();
        let closed = fill.qty.min(total);
        let parts = crate::account::split(i128::from(closed), &holdings);
        let parts = parts.map_err(|_| self.broken(row, "a shared fill does not fit"))?;
        for (strategy, part) in parts.into_iter().enumerate() {
            let (strategy, qty) = (strategy as u16, part as i64);
            if qty == 0 {
                continue;
            }
            let sides = if fill.side == Side::Buy as i8 {
                (strategy, EXTERNAL)
            } else {
                (EXTERNAL, strategy)
            };
            self.accounts
                .internal_cross(account, (row, leg), sides, qty, fill.price)
                .map_err(|error| self.broken(row, &error.to_string()))?;
            self.positions[strategy as usize * width + row as usize] += sign * qty;
            self.positions[row as usize] -= sign * qty;
            let part = facts::Fill { strategy, qty, fee: 0, realised: 0, ..*fill };
            self.outbox.turns.push_back(Turn::Notice(Notice::Fill(Box::new(part))));
        }
        Ok(())
    }
}

impl facts::ParkedReport {
    /// The kind of the venue's own count of what is filled, beyond the fill that told it.
    pub const COUNT: u8 = 11;

    /// The report of a known order; `None` if a number stands for no word.
    #[must_use]
    pub fn report(&self, order: OrderId) -> Option<Report> {
        if self.kind == 10 {
            let fact = crate::order::FillFact {
                trade_id: self.trade_id,
                qty: self.qty,
                price: self.extra,
                is_maker: self.is_maker,
                fee: self.fee,
                fee_asset: self.fee_asset,
                realised: self.has_realised.then_some(self.realised),
            };
            let kind = crate::order::ReportKind::Filled(fact);
            return Some(Report { order, ts_exchange: self.ts_exchange, kind });
        }
        let plain = facts::VenueReport {
            order,
            ts_exchange: self.ts_exchange,
            kind: self.kind,
            reason: self.reason,
            qty: self.qty,
            extra: self.extra,
        };
        plain.report()
    }

    /// The form in which a report waits.
    #[must_use]
    pub fn of(account: u16, instrument: u32, venue_order_id: u64, report: &Report) -> Self {
        let plain = facts::VenueReport::of(report);
        let mut parked = facts::ParkedReport {
            account,
            instrument,
            venue_order_id,
            ts_exchange: report.ts_exchange,
            kind: plain.kind,
            reason: plain.reason,
            qty: plain.qty,
            extra: plain.extra,
            ..facts::ParkedReport::default()
        };
        if let crate::order::ReportKind::Filled(fill) = report.kind {
            parked.trade_id = fill.trade_id;
            parked.is_maker = fill.is_maker;
            (parked.fee, parked.fee_asset) = (fill.fee, fill.fee_asset);
            parked.has_realised = fill.realised.is_some();
            parked.realised = fill.realised.unwrap_or(0);
        }
        parked
    }
}
