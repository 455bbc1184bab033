//! What private messages mean to a desk: reports of ours and of others, cash, settings.
//!
//! ```text
//!  client id of our form ─► our handle ┐
//!  number that we know ────────────────┼─► facts of that order
//!  anything else ─► waits, and an external order is shown ─► facts of it
//! ```
//!
//! Nothing is decided here: each message becomes facts, and the desk knows which are news. A number
//! of a symbol that the engine does not trade is left out and counted by the caller.

mod subjects;

use veloz_core::desk::{CashKind, Desk, Input};
use veloz_core::facts::{AccountSetting, CashMoved, ExternalOrder, ParkedReport};
use veloz_core::instrument::{Instrument, Kind};
use veloz_core::order::{Expiry, FillFact, OrderId, Reject, Report, ReportKind, Side, FEE_UNSAID};
use veloz_core::order_state::{Asked, Found, FoundStatus, Order, Pending};

use super::cell::Number;
use super::order_words::{cut, kind_of, leg_of, number_of, origin_of, tif_of, units};
use super::report::{
    AccountReport, AlgoReport, AlgoStatus, BalanceReport, ConfigReport, OrderReport, OrderStatus,
    TradeRow,
};
use super::user::UserEvent;
use super::Market;
use crate::wire_id::WireId;

/// A message that could not be placed wholly: why the caller must ask the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unplaced {
    /// Its symbol or asset is in no table of the engine.
    pub unknown_symbol: bool,
    /// A word or figure in it is not known here.
    pub unclear: bool,
    /// The stream ended: what came since is lost.
    pub stream_ended: bool,
}

impl Unplaced {
    /// True if anything is left to ask.
    #[must_use]
    pub fn asks(self) -> bool {
        self != Unplaced::default()
    }
}

/// Turns messages of one account into inputs of a desk.
pub struct Reading<'a> {
    /// The desk that will take them.
    pub desk: &'a Desk,
    /// The market that the messages are of: two markets have instruments of one name.
    pub market: Market,
    /// Row of the account table.
    pub account: u16,
    /// When the message came, ns: the time of what names none.
    pub ts_recv: i64,
    /// The inputs, in order.
    pub inputs: Vec<Input>,
    /// What is left to ask.
    pub unplaced: Unplaced,
}

/// One of our orders, and which of its legs at the venue.
type Leg = (OrderId, u32);

/// An order that a message is about.
#[derive(Clone, Copy)]
enum Subject {
    Known(Leg),
    /// Nobody's yet: under the venue's number.
    Unknown,
}

impl<'a> Reading<'a> {
    /// A reading that has read nothing.
    #[must_use]
    pub fn new(desk: &'a Desk, market: Market, account: u16, ts_recv: i64) -> Self {
        let unplaced = Unplaced::default();
        Reading { desk, market, account, ts_recv, inputs: Vec::new(), unplaced }
    }

    /// One event of a private stream.
    pub fn event(&mut self, event: &UserEvent<'_>, ts_event: Option<i64>) {
        match event {
            UserEvent::Order(report) => self.order(report),
            UserEvent::Fill(report) => self.early_fill(report),
            UserEvent::Algo(report) => self.algo(report),
            UserEvent::Account(report) => self.account_event(report, ts_event),
            UserEvent::BalanceChange(change) => {
                self.cash(CashKind::Transfer, u32::MAX, change, ts_event);
            }
            UserEvent::Config(config) => self.config(config),
            UserEvent::TriggerRefused(report) => self.trigger_refused(report),
            UserEvent::StreamEnded => self.unplaced.stream_ended = true,
            UserEvent::Lock(_)
            | UserEvent::List(_)
            | UserEvent::MarginCall(_)
            | UserEvent::Shutdown => {}
            UserEvent::Other(_) => self.unplaced.unclear = true,
        }
    }

    /// What a message says about one order.
    pub fn order(&mut self, r: &OrderReport<'_>) {
        let Some((row, instrument)) = self.instrument(r.row) else { return };
        self.unplaced.unclear |= r.is_unclear();
        let ts_exchange = r.ts_exchange.or(r.ts_event).unwrap_or(self.ts_recv);
        let fill = self.fill_of(r, instrument);
        let Subject::Known(order) = self.subject_of(r, row) else {
            if let Some(fill) = fill {
                let report = Report { order: 0, ts_exchange, kind: ReportKind::Filled(fill) };
                self.park(row, r.venue_order_id, &report, r.client_id.as_deref());
            }
            let filled_qty = units(r.cum_qty, instrument.qty_scale).unwrap_or(0);
            if filled_qty > fill.map_or(0, |fill| fill.qty) {
                self.park_count(r, row, filled_qty, ts_exchange);
            }
            if let Some(kind) = self.ending_of(r, instrument) {
                let report = Report { order: 0, ts_exchange, kind };
                self.park(row, r.venue_order_id, &report, r.client_id.as_deref());
            }
            if self.may_be_ours(row, r) {
                self.unplaced.unclear = true;
            } else {
                self.external(row, instrument, r, ts_exchange);
            }
            return;
        };
        self.name(order, r.venue_order_id);
        for trade in &r.fills {
            self.trade(order, row, trade, ts_exchange);
        }
        if let Some(fill) = fill {
            self.report(order, ts_exchange, ReportKind::Filled(fill));
        }
        self.life(order, r, instrument, ts_exchange);
        self.count(order, r, instrument, ts_exchange);
    }

    /// What a message says of an order's life, fills apart.
    fn life(&mut self, order: Leg, r: &OrderReport<'_>, i: &Instrument, ts_exchange: i64) {
        let (qty, price) = (units(r.qty, i.qty_scale), units(r.price, i.price_scale));
        if r.is_amended() {
            if let (Some(qty), Some(price)) = (qty, price) {
                let kind = ReportKind::Amended { qty, price, queue_kept: false };
                return self.report(order, ts_exchange, kind);
            }
        }
        let is_filled = r.status.and_then(|word| word.known) == Some(OrderStatus::Filled);
        if let (true, Some(qty), Some(price)) = (is_filled, qty, price) {
            // Filled with less than we know of: nobody told of the amendment (F-D02).
            if qty > 0 && self.leg(order).is_some_and(|known| known.spec.qty > qty) {
                let kind = ReportKind::Amended { qty, price, queue_kept: false };
                self.report(order, ts_exchange, kind);
            }
        }
        if let Some(kind) = self.ending_of(r, i) {
            let words = r.reason.as_deref().map(|text| (0, text.into()));
            let words = if matches!(kind, ReportKind::Rejected { .. }) { words } else { None };
            let report = Report { order: order.0, ts_exchange, kind };
            self.push(order, Input::Report { report, words });
            return;
        }
        let is_new = match r.status.and_then(|word| word.known) {
            Some(OrderStatus::New | OrderStatus::PendingCancel) => true,
            // An answer that says no more than "taken".
            None => r.status.is_none(),
            Some(_) => false,
        };
        if is_new {
            self.report(order, ts_exchange, ReportKind::Accepted { qty: 0 });
        }
    }

    /// The end that a message reports, if it does.
    fn ending_of(&mut self, r: &OrderReport<'_>, i: &Instrument) -> Option<ReportKind> {
        let filled = units(r.cum_qty, i.qty_scale).unwrap_or(0);
        let left = (units(r.qty, i.qty_scale).unwrap_or(filled) - filled).max(0);
        let prevented = units(r.prevented_qty, i.qty_scale).unwrap_or(0);
        match r.status?.known? {
            OrderStatus::Canceled => Some(ReportKind::Canceled { left, by_oco: false }),
            OrderStatus::Rejected => Some(ReportKind::Rejected { reason: Reject::BadRequest }),
            OrderStatus::Expired => {
                let reason = match r.tif {
                    Some("IOC") => Expiry::Ioc,
                    Some("FOK") => Expiry::Fok,
                    Some("GTD") => Expiry::Gtd,
                    Some("GTX") => Expiry::PostOnly,
                    _ => Expiry::NoLiquidity,
                };
                Some(ReportKind::Expired { reason, left, prevented })
            }
            OrderStatus::ExpiredInMatch => {
                Some(ReportKind::Expired { reason: Expiry::Stp, left, prevented })
            }
            OrderStatus::PendingNew
            | OrderStatus::New
            | OrderStatus::PartiallyFilled
            | OrderStatus::Filled
            | OrderStatus::PendingCancel
            | OrderStatus::NewInsurance
            | OrderStatus::NewAdl => None,
        }
    }

    /// The venue's count of fills, if it is ahead of ours with those that were just read.
    fn count(&mut self, of: Leg, r: &OrderReport<'_>, i: &Instrument, ts_exchange: i64) {
        let Some(filled_qty) = units(r.cum_qty, i.qty_scale) else { return };
        let known = self.leg(of);
        let booked = known.map_or(0, |order| order.filled_qty);
        let read: i64 = self.inputs.iter().map(|input| new_qty(input, of, known)).sum();
        if filled_qty > booked + read {
            self.push(of, Input::Cumulative { order: of.0, ts_exchange, filled_qty });
        }
    }

    /// A fill that is told sooner and with less: it counts, and is booked when all is known.
    fn early_fill(&mut self, r: &OrderReport<'_>) {
        let Some((row, instrument)) = self.instrument(r.row) else { return };
        let Some(last) = units(r.last_qty, instrument.qty_scale) else { return };
        let ts_exchange = r.ts_exchange.unwrap_or(self.ts_recv);
        let Subject::Known(of) = self.subject_of(r, row) else {
            return self.park_count(r, row, last, ts_exchange);
        };
        let Some(known) = self.leg(of) else { return };
        if r.trade_id.is_some_and(|id| known.knows_trade(id as u64)) {
            return;
        }
        let filled_qty = known.filled_qty + last;
        self.push(of, Input::Cumulative { order: of.0, ts_exchange, filled_qty });
    }

    /// What a listing or a query shows of one order.
    pub fn found(&mut self, r: &OrderReport<'_>) {
        let Some((row, i)) = self.instrument(r.row) else { return };
        let ts_exchange = r.ts_exchange.or(r.ts_event).unwrap_or(self.ts_recv);
        let status = match r.status.and_then(|word| word.known) {
            Some(OrderStatus::Filled) => FoundStatus::Filled,
            Some(OrderStatus::Canceled) => FoundStatus::Canceled,
            Some(OrderStatus::Rejected) => FoundStatus::Rejected,
            Some(OrderStatus::Expired | OrderStatus::ExpiredInMatch) => FoundStatus::Expired,
            Some(_) => FoundStatus::Open,
            None => {
                self.unplaced.unclear = true;
                FoundStatus::Open
            }
        };
        let Subject::Known(of) = self.subject_of(r, row) else {
            if status == FoundStatus::Open {
                self.external(row, i, r, ts_exchange);
            }
            return;
        };
        let reason = match self.ending_of(r, i) {
            Some(ReportKind::Expired { reason, .. }) => reason as u8,
            Some(ReportKind::Rejected { reason }) => reason as u8,
            _ => 0,
        };
        let found = Found {
            order: of.0,
            ts_exchange,
            ts_created: r.ts_created.unwrap_or(0),
            status,
            reason,
            filled_qty: units(r.cum_qty, i.qty_scale).unwrap_or(0),
            avg_price: r.avg_price.map_or(0, |price| cut(price, i.price_scale)),
            qty: units(r.qty, i.qty_scale).unwrap_or(0),
            price: units(r.price, i.price_scale).unwrap_or(0),
            venue_order_id: r.venue_order_id as u64,
        };
        self.push(of, Input::Found(found));
    }

    /// A trade of a listing.
    pub fn listed_trade(&mut self, trade: &TradeRow<'_>) {
        let Some((row, _)) = self.instrument(trade.row) else { return };
        let number = trade.venue_order_id.unwrap_or(0);
        let ts_exchange = trade.ts_exchange.unwrap_or(self.ts_recv);
        match self.subject(None, row, number) {
            Subject::Known(order) if self.is_of_an_earlier(order, row, trade) => {}
            Subject::Known(order) if !self.is_of_a_later(order, trade) => {
                self.trade(order, row, trade, ts_exchange);
            }
            _ => {
                let Some(fill) = self.fill_of_trade(row, trade) else { return };
                let report = Report { order: 0, ts_exchange, kind: ReportKind::Filled(fill) };
                self.park(row, number, &report, None);
            }
        }
    }

    fn trade(&mut self, order: Leg, row: u32, trade: &TradeRow<'_>, ts_exchange: i64) {
        let ts_exchange = trade.ts_exchange.unwrap_or(ts_exchange);
        let known = self.desk.orders.get(order.0);
        let owes_fee = self.desk.owes_fee(order.0, trade.trade_id as u64);
        if let Some(fill) = self.fill_of_trade(row, trade) {
            let is_known = known.is_some_and(|o| o.knows_fill(fill.trade_id, fill.qty));
            if is_known && !owes_fee {
                return;
            }
            self.report(order, ts_exchange, ReportKind::Filled(fill));
        }
    }

    /// What is said about a conditional order of futures.
    pub fn algo(&mut self, r: &AlgoReport<'_>) {
        let ts_exchange = r.ts_exchange.or(r.ts_event).unwrap_or(self.ts_recv);
        let Some(order) = self.ours(r.client_id.as_deref()) else {
            // Another program's: shown once its trigger made an order.
            return;
        };
        if let Some(number) = r.venue_order_id {
            self.name(order, number);
        }
        let kind = match r.status.and_then(|word| word.known) {
            Some(AlgoStatus::New) | None => ReportKind::Accepted { qty: 0 },
            Some(AlgoStatus::Triggering | AlgoStatus::Triggered | AlgoStatus::Finished) => {
                ReportKind::Triggered
            }
            Some(AlgoStatus::Canceled) => ReportKind::Canceled { left: 0, by_oco: false },
            Some(AlgoStatus::Expired) => {
                ReportKind::Expired { reason: Expiry::NoLiquidity, left: 0, prevented: 0 }
            }
            Some(AlgoStatus::Rejected) => ReportKind::Rejected { reason: Reject::WouldTrigger },
        };
        self.unplaced.unclear |= r.status.is_some_and(|word| word.known.is_none());
        let words = r.reason.as_deref().map(|text| (r.code.unwrap_or(0), text.into()));
        let words = if matches!(kind, ReportKind::Rejected { .. }) { words } else { None };
        let report = Report { order: order.0, ts_exchange, kind };
        self.push(order, Input::Report { report, words });
    }

    fn trigger_refused(&mut self, r: &OrderReport<'_>) {
        let Some((row, _)) = self.instrument(r.row) else { return };
        let subject = self.subject(r.client_id.as_deref(), row, r.venue_order_id);
        let Subject::Known(order) = subject else {
            self.unplaced.unclear = true;
            return;
        };
        let ts_exchange = r.ts_exchange.or(r.ts_event).unwrap_or(self.ts_recv);
        let kind = ReportKind::Expired { reason: Expiry::ReduceOnly, left: 0, prevented: 0 };
        self.report(order, ts_exchange, kind);
    }

    /// Figures of an account that changed: only what no fill explains is booked from them.
    fn account_event(&mut self, r: &AccountReport<'_>, ts_event: Option<i64>) {
        let kind = match r.reason {
            Some("FUNDING_FEE") => CashKind::Funding,
            Some("INSURANCE_CLEAR") => CashKind::Insurance,
            Some("MARGIN_INTEREST") => CashKind::Interest,
            _ => CashKind::Transfer,
        };
        let symbol = r.symbol.as_deref();
        let row = symbol.and_then(|symbol| self.row_named(symbol));
        // A funding fee of an isolated position names it; a cross one names only the asset.
        let row = row.or_else(|| r.positions.first().and_then(|position| position.row));
        let instrument = if kind == CashKind::Funding { row.unwrap_or(u32::MAX) } else { u32::MAX };
        for balance in &r.balances {
            self.cash(kind, instrument, balance, ts_event);
        }
    }

    fn cash(
        &mut self,
        kind: CashKind,
        instrument: u32,
        b: &BalanceReport<'_>,
        ts_event: Option<i64>,
    ) {
        let Some(change) = b.change.filter(|change| !change.is_zero()) else { return };
        let Some(asset) = self.asset(&b.asset) else { return };
        let Ok(amount) = change.at(self.desk.assets[usize::from(asset)].scale) else {
            self.unplaced.unclear = true;
            return;
        };
        let ts_exchange = b.ts_exchange.or(ts_event).unwrap_or(self.ts_recv);
        // The event has no number: what cannot change in it makes one.
        let entry_id = number_of(&[i128::from(ts_exchange), i128::from(asset), amount]);
        let account = self.account;
        let cash = CashMoved {
            account,
            asset,
            kind: kind as u8,
            instrument,
            amount,
            ts_exchange,
            entry_id,
        };
        self.inputs.push(Input::Cash(cash));
    }

    fn config(&mut self, config: &ConfigReport<'_>) {
        let (Some(symbol), Some(leverage)) = (config.symbol.as_deref(), config.leverage) else {
            return;
        };
        let Some(instrument) = self.row_named(symbol) else {
            self.unplaced.unknown_symbol = true;
            return;
        };
        let account = self.account;
        self.inputs.push(Input::Setting(AccountSetting { account, instrument, leverage }));
    }

    /// A change that was asked for was done: its answer shows the order's new terms.
    pub fn amended(&mut self, order: Leg, r: &OrderReport<'_>) {
        let Some((_, i)) = self.instrument(r.row) else { return };
        let (qty, price) = (units(r.qty, i.qty_scale), units(r.price, i.price_scale));
        let ts_exchange = r.ts_exchange.unwrap_or(self.ts_recv);
        if let (Some(qty), Some(price)) = (qty, price) {
            let kind = ReportKind::Amended { qty, price, queue_kept: false };
            self.report(order, ts_exchange, kind);
        }
        self.order(r);
    }

    /// A refusal of a request, with the venue's words.
    pub fn refused(&mut self, order: Leg, asked: Asked, reason: Reject, code: i64, text: &str) {
        let kind = match asked {
            Asked::Place => ReportKind::Rejected { reason },
            Asked::Amend => ReportKind::AmendRejected { reason },
            Asked::Cancel => ReportKind::CancelRejected { reason },
        };
        let report = Report { order: order.0, ts_exchange: self.ts_recv, kind };
        self.push(order, Input::Report { report, words: Some((code, text.into())) });
    }

    // ---- pieces ---------------------------------------------------------------------------

    fn push(&mut self, (_, leg): Leg, input: Input) {
        self.inputs.push(input.about(leg));
    }

    fn report(&mut self, of: Leg, ts_exchange: i64, kind: ReportKind) {
        let report = Report { order: of.0, ts_exchange, kind };
        self.push(of, Input::Report { report, words: None });
    }

    fn name(&mut self, of: Leg, venue_order_id: i64) {
        let venue_order_id = venue_order_id as u64;
        if venue_order_id != 0 && self.desk.venue_id_of(of.0, of.1) != Some(venue_order_id) {
            self.push(of, Input::Name { order: of.0, venue_order_id });
        }
    }

    /// Facts of a leg.
    fn leg(&self, (order, leg): Leg) -> Option<&'a Order> {
        self.desk.orders.get(order)?.leg(leg)
    }

    fn instrument(&mut self, row: Option<u32>) -> Option<(u32, &'a Instrument)> {
        let found = row.and_then(|row| Some((row, self.desk.instruments.get(row as usize)?)));
        self.unplaced.unknown_symbol |= found.is_none();
        found
    }

    fn row_named(&self, venue_symbol: &str) -> Option<u32> {
        let kind = self.market.kind();
        let mut rows = self.desk.instruments.iter();
        rows.position(|i| i.kind == kind && i.venue_symbol == venue_symbol).map(|row| row as u32)
    }

    fn asset(&mut self, name: &str) -> Option<u16> {
        let row = self.desk.assets.iter().position(|asset| asset.name == name);
        self.unplaced.unknown_symbol |= row.is_none();
        row.map(|row| row as u16)
    }

    fn fill_of(&mut self, r: &OrderReport<'_>, i: &Instrument) -> Option<FillFact> {
        if !r.is_fill() {
            return None;
        }
        let (qty, price) = (units(r.last_qty, i.qty_scale), units(r.last_price, i.price_scale));
        self.fill(
            i,
            r.trade_id?,
            (qty, price),
            (r.fee, r.fee_asset.as_deref()),
            (r.is_maker, r.realised_pnl),
        )
    }

    fn fill_of_trade(&mut self, row: u32, trade: &TradeRow<'_>) -> Option<FillFact> {
        let i = &self.desk.instruments[row as usize];
        let (qty, price) = (units(trade.qty, i.qty_scale), units(trade.price, i.price_scale));
        let fee = (trade.fee, trade.fee_asset.as_deref());
        self.fill(i, trade.trade_id, (qty, price), fee, (trade.is_maker, trade.realised_pnl))
    }

    /// A fill of exact figures; what does not fit the instrument's grid must be asked for.
    fn fill(
        &mut self,
        i: &Instrument,
        trade_id: i64,
        (qty, price): (Option<i64>, Option<i64>),
        (fee, fee_asset): (Option<Number>, Option<&str>),
        (is_maker, realised): (Option<bool>, Option<Number>),
    ) -> Option<FillFact> {
        let (Some(qty), Some(price)) = (qty, price) else {
            self.unplaced.unclear = true;
            return None;
        };
        let mut fact = FillFact {
            trade_id: trade_id as u64,
            qty,
            price,
            is_maker: is_maker.unwrap_or(false),
            fee: 0,
            // Futures leave out both words where there is no fee; a half of them is half a report.
            fee_asset: match fee_asset {
                None if i.kind == Kind::Spot || fee.is_some() => FEE_UNSAID,
                _ => i.settle,
            },
            realised: None,
        };
        if let (Some(fee), Some(name)) = (fee.filter(|fee| !fee.is_zero()), fee_asset) {
            fact.fee_asset = self.asset(name)?;
            match fee.at(self.desk.assets[usize::from(fact.fee_asset)].scale) {
                Ok(fee) => fact.fee = fee,
                Err(_) => {
                    self.unplaced.unclear = true;
                    return None;
                }
            }
        }
        if let Some(realised) = realised.filter(|_| i.kind != Kind::Spot) {
            match realised.at(self.desk.assets[usize::from(i.settle)].scale) {
                Ok(realised) => fact.realised = Some(realised),
                Err(_) => {
                    self.unplaced.unclear = true;
                    return None;
                }
            }
        }
        Some(fact)
    }

    fn park(&mut self, row: u32, number: i64, report: &Report, client_id: Option<&str>) {
        let report = ParkedReport::of(self.account, row, number as u64, report);
        self.inputs.push(Input::Park { report, client_id: client_id.unwrap_or_default().into() });
    }

    /// Keeps that so much of an order is filled, at least, until the order is known.
    fn park_count(&mut self, r: &OrderReport<'_>, row: u32, filled_qty: i64, ts_exchange: i64) {
        let report = ParkedReport {
            account: self.account,
            instrument: row,
            venue_order_id: r.venue_order_id as u64,
            ts_exchange,
            kind: ParkedReport::COUNT,
            qty: filled_qty,
            ..ParkedReport::default()
        };
        let text = r.client_id.as_deref().unwrap_or_default();
        self.inputs.push(Input::Park { report, client_id: text.into() });
    }

    /// An order of somebody else, or of the venue, is shown.
    fn external(&mut self, row: u32, i: &Instrument, r: &OrderReport<'_>, ts_exchange: i64) {
        let (Some(side), Some(qty)) = (r.side, units(r.qty, i.qty_scale)) else {
            self.unplaced.unclear = true;
            return;
        };
        let client_id = r.client_id.as_deref().unwrap_or_default();
        let fact = ExternalOrder {
            account: self.account,
            instrument: row,
            venue_order_id: r.venue_order_id as u64,
            ts_exchange,
            origin: origin_of(client_id) as u8,
            side: if side == "BUY" { 1 } else { -1 },
            kind: kind_of(i, r.kind.unwrap_or_default()) as u8,
            tif: tif_of(r.tif) as u8,
            position_side: leg_of(r.position_side) as u8,
            flags: (u8::from(r.reduce_only.unwrap_or(false)) << 1)
                | (u8::from(r.close_position.unwrap_or(false)) << 2),
            qty,
            price: units(r.price, i.price_scale).unwrap_or(0),
            trigger_price: units(r.trigger_price, i.price_scale).unwrap_or(0),
            ..ExternalOrder::default()
        };
        self.inputs.push(Input::External { fact, client_id: client_id.into() });
    }
}

/// Quantity that an input adds to an order's fills.
fn new_qty(input: &Input, of: Leg, known: Option<&Order>) -> i64 {
    let (leg, input) = input.parts();
    match input {
        Input::Report { report: Report { order, kind: ReportKind::Filled(fill), .. }, .. }
            if (*order, leg) == of
                && !known.is_some_and(|order| order.knows_fill(fill.trade_id, fill.qty)) =>
        {
            fill.qty
        }
        _ => 0,
    }
}
