//! Private messages and listings → inputs of the desk.
//!
//! ```text
//!  frame, body ─► user decoder ─► reports ─► Evidence ─► Input … ─► desk
//!                                               └──────► asks: what only a query can tell
//! ```
//!
//! Nothing is decided here: a message is evidence of one or more facts, in the desk's own words,
//! and the desk makes of them what it knows. An order that nobody here sent becomes an external
//! one; what its message reports waits under its number until the order is shown. A message that
//! cannot be read whole hands on nothing and asks for a resync instead (rule 6 of the fault
//! catalogue).

mod money;
mod words;

use std::collections::BTreeMap;

use veloz_core::desk::{CashKind, Desk, Input, WireOwner};
use veloz_core::facts;
use veloz_core::instrument::{Asset, Instrument};
use veloz_core::order::{Expiry, FillFact, OrderId, Reject, Report, ReportKind, Side};
use veloz_core::order_state::Found;

use super::cell::Number;
use super::json::Problem;
use super::report::{
    AlgoReport, AlgoStatus, Execution, OrderReport, OrderRow, OrderStatus, TradeRow,
};
use super::user::{UserDecoder, UserEvent, UserFrame};
use super::Market;
use crate::wire_id::WireId;
use words::{expiry, found_status, kind_of, leg_of, origin_of, tif_of};

/// What a message was evidence of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// For the desk, in this order.
    pub inputs: Vec<Input>,
    /// Orders to be queried: row of the instrument, number at the venue, client id.
    pub asks: Vec<(u32, u64, String)>,
    /// Why private events may have been missed; empty if none were.
    pub resync: String,
    /// The connection is about to be closed by the venue.
    pub is_shutdown: bool,
}

/// An instrument as private messages count in it.
#[derive(Clone, Copy, Debug)]
struct Units {
    price: u8,
    qty: u8,
}

/// Reads the private messages of one account in one market.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Decodes; counts unknown words.
    pub decoder: UserDecoder,
    market: Market,
    account: u16,
    units: BTreeMap<u32, Units>,
    assets: BTreeMap<String, (u16, u8)>,
}

/// Why a message cannot become inputs.
type Unfit = (&'static str, Problem);

impl Reader {
    /// A reader for the instruments of a market, by row of the engine's table.
    #[must_use]
    pub fn new(
        market: Market,
        account: u16,
        instruments: &[(u32, &Instrument)],
        assets: &[Asset],
    ) -> Reader {
        let mut decoder = UserDecoder::new();
        let mut units = BTreeMap::new();
        for &(row, instrument) in instruments {
            decoder.add(row, instrument);
            units.insert(row, Units { price: instrument.price_scale, qty: instrument.qty_scale });
        }
        let assets = assets.iter().enumerate();
        let assets = assets.map(|(row, a)| (a.name.clone(), (row as u16, a.scale))).collect();
        Reader { decoder, market, account, units, assets }
    }

    /// What a frame of a private stream is evidence of; `None` for an answer of the WebSocket API.
    pub fn frame(&mut self, bytes: &[u8], desk: &Desk) -> Option<Evidence> {
        let mut evidence = Evidence::default();
        let mut decoder = std::mem::take(&mut self.decoder);
        let result = decoder.frame(bytes);
        let is_event = match result {
            Ok(Some(frame)) => {
                if let Err((field, problem)) = self.event(&frame, desk, &mut evidence) {
                    evidence = Evidence::default();
                    evidence.resync = format!(
                        "a private event ({}) has a {field} that does not fit: {problem:?}",
                        frame.name
                    );
                }
                true
            }
            Ok(None) => false,
            Err(error) => {
                evidence.resync = format!("a private event cannot be read: {error}");
                true
            }
        };
        self.decoder = decoder;
        is_event.then_some(evidence)
    }

    /// What a body that holds orders is evidence of: an answer, a query or a listing. `ts_asked` is
    /// the venue's time of the answer, for bodies that do not say when.
    pub fn orders(&mut self, bytes: &[u8], desk: &Desk, ts_asked: i64) -> Evidence {
        self.listing(|reader, decoder, evidence| {
            let rows = decoder.orders(bytes).map_err(|error| error.to_string())?;
            for row in rows {
                if let OrderRow::Order(report) = row {
                    reader.listed(&report, desk, ts_asked, evidence).map_err(unfit)?;
                }
            }
            Ok(())
        })
    }

    /// What a body that holds conditional orders of futures is evidence of.
    pub fn algo_orders(&mut self, bytes: &[u8], desk: &Desk) -> Evidence {
        self.listing(|reader, decoder, evidence| {
            for report in decoder.algo_orders(bytes).map_err(|error| error.to_string())? {
                reader.algo(&report, desk, evidence).map_err(unfit)?;
            }
            Ok(())
        })
    }

    /// What a listing of the account's own trades in an instrument is evidence of.
    pub fn trades(&mut self, bytes: &[u8], row: u32, desk: &Desk) -> Evidence {
        self.listing(|reader, decoder, evidence| {
            for trade in decoder.trades(bytes).map_err(|error| error.to_string())? {
                reader.traded(&trade, row, desk, evidence).map_err(unfit)?;
            }
            Ok(())
        })
    }

    /// What a listing of balances and positions states, as of `ts_exchange`.
    pub fn account(&mut self, bytes: &[u8], ts_exchange: i64) -> Evidence {
        self.listing(|reader, decoder, evidence| {
            let report = decoder.account(bytes).map_err(|error| error.to_string())?;
            reader.stated(&report, ts_exchange, evidence).map_err(unfit)
        })
    }

    fn listing(
        &mut self,
        read: impl FnOnce(&Reader, &mut UserDecoder, &mut Evidence) -> Result<(), String>,
    ) -> Evidence {
        let mut evidence = Evidence::default();
        let mut decoder = std::mem::take(&mut self.decoder);
        if let Err(problem) = read(self, &mut decoder, &mut evidence) {
            evidence = Evidence::default();
            evidence.resync = format!("an answer of the venue cannot be read: {problem}");
        }
        self.decoder = decoder;
        evidence
    }

    fn event(
        &self,
        frame: &UserFrame<'_>,
        desk: &Desk,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let sent = frame.ts_event.unwrap_or_default();
        match &frame.event {
            UserEvent::Order(report) => self.order(report, desk, sent, evidence),
            UserEvent::Algo(report) => self.algo(report, desk, evidence),
            UserEvent::Account(report) => self.changed(report, sent, evidence),
            UserEvent::BalanceChange(report) => {
                let at = report.ts_exchange.unwrap_or(sent);
                self.cash(report, CashKind::Transfer, u32::MAX, at, evidence)
            }
            UserEvent::Config(report) => {
                if let (Some(symbol), Some(leverage)) = (&report.symbol, report.leverage) {
                    if let Some(instrument) = self.row_of(symbol, desk) {
                        let account = self.account;
                        let fact = facts::AccountSetting { account, instrument, leverage };
                        evidence.inputs.push(Input::Setting(fact));
                    }
                }
                Ok(())
            }
            UserEvent::StreamEnded => {
                evidence.resync = format!("the private stream ended ({})", frame.name);
                Ok(())
            }
            UserEvent::Shutdown => {
                evidence.is_shutdown = true;
                Ok(())
            }
            // A lite fill says less than the event that follows it; booking both needs none of it.
            UserEvent::Fill(_)
            | UserEvent::Lock(_)
            | UserEvent::List(_)
            | UserEvent::MarginCall(_)
            | UserEvent::TriggerRefused(_)
            | UserEvent::Other(_) => Ok(()),
        }
    }

    fn row_of(&self, venue_symbol: &str, desk: &Desk) -> Option<u32> {
        let mut rows = self.units.keys().copied();
        rows.find(|&row| desk.instruments[row as usize].venue_symbol == venue_symbol)
    }

    // ---- orders ---------------------------------------------------------------------------

    /// The handle of the order that a message speaks of, if it is known here.
    fn known(
        &self,
        desk: &Desk,
        row: u32,
        number: u64,
        client_id: Option<&str>,
    ) -> Option<OrderId> {
        let wire = client_id.and_then(|text| WireId::parse(text.as_bytes()));
        if let Some(id) = wire {
            if let WireOwner::Ours(order) = desk.owner_of(id.epoch, id.instance, id.counter) {
                return Some(order);
            }
        }
        desk.by_venue_id(self.account, row, number).filter(|_| number != 0)
    }

    fn order(
        &self,
        r: &OrderReport<'_>,
        desk: &Desk,
        sent: i64,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let Some(row) = r.row else { return Ok(()) };
        let number = u64::try_from(r.venue_order_id).unwrap_or(0);
        let known = self.known(desk, row, number, r.client_id.as_deref());
        if r.is_unclear() {
            let client_id = r.client_id.as_deref().unwrap_or_default().to_owned();
            evidence.asks.push((row, number, client_id));
        }
        let at = r.ts_exchange.unwrap_or(sent);
        let kinds = self.kinds(r, row, known.and_then(|order| desk.orders.get(order)))?;
        match known {
            Some(order) => {
                if number != 0 && desk.venue_id(order) != Some(number) {
                    evidence.inputs.push(Input::Name { order, venue_order_id: number });
                }
                for kind in kinds {
                    let report = Report { order, ts_exchange: at, kind };
                    evidence.inputs.push(Input::Report { report, words: None });
                }
                self.counted(r, row, desk, order, at, evidence)
            }
            None => {
                // What it reports waits under its number; showing the order applies it.
                for kind in kinds {
                    let report = Report { order: 0, ts_exchange: at, kind };
                    if !matches!(kind, ReportKind::Accepted { .. }) {
                        let parked = facts::ParkedReport::of(self.account, row, number, &report);
                        let client_id = r.client_id.as_deref().unwrap_or_default().into();
                        evidence.inputs.push(Input::Park { report: parked, client_id });
                    }
                }
                self.external(r, row, number, at, evidence)
            }
        }
    }

    /// Says so if the venue counts more as filled than the fills that we have.
    fn counted(
        &self,
        r: &OrderReport<'_>,
        row: u32,
        desk: &Desk,
        order: OrderId,
        ts_exchange: i64,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let Some(filled_qty) = self.qty(r.cum_qty, row, "cumulative quantity")? else {
            return Ok(());
        };
        let this =
            if r.is_fill() { self.qty(r.last_qty, row, "quantity")?.unwrap_or(0) } else { 0 };
        let ours = desk.orders.get(order).map_or(0, |order| order.filled_qty);
        if filled_qty > ours + this {
            evidence.inputs.push(Input::Cumulative { order, ts_exchange, filled_qty });
        }
        Ok(())
    }

    /// The facts that one order event holds, oldest first.
    fn kinds(
        &self,
        r: &OrderReport<'_>,
        row: u32,
        order: Option<&veloz_core::order_state::Order>,
    ) -> Result<Vec<ReportKind>, Unfit> {
        let qty = self.qty(r.qty, row, "quantity")?.unwrap_or(0);
        let filled = self.qty(r.cum_qty, row, "cumulative quantity")?.unwrap_or(0);
        let prevented = self.qty(r.prevented_qty, row, "prevented quantity")?.unwrap_or(0);
        let left = (qty - filled - prevented).max(0);
        let mut kinds = Vec::with_capacity(2);
        if r.is_fill() {
            kinds.push(ReportKind::Filled(self.fill(r, row)?));
        }
        match r.execution.and_then(|word| word.known) {
            Some(Execution::New) => {
                // Spot tells of a trigger by a second NEW.
                let waits = |o: &veloz_core::order_state::Order| {
                    o.spec.kind.is_conditional() && o.accepted && !o.triggered
                };
                let is_trigger = order.is_some_and(waits);
                kinds.push(if is_trigger {
                    ReportKind::Triggered
                } else {
                    ReportKind::Accepted { qty }
                });
            }
            Some(Execution::Canceled) => {
                kinds.push(ReportKind::Canceled { left, by_oco: r.list_id.is_some() });
            }
            Some(Execution::Replaced | Execution::Amendment) => {
                let price = self.price(r.price, row, "price")?.unwrap_or(0);
                let queue_kept = self.market == Market::Spot;
                kinds.push(ReportKind::Amended { qty, price, queue_kept });
            }
            Some(Execution::Rejected) => {
                kinds.push(ReportKind::Rejected { reason: Reject::BadRequest });
            }
            Some(Execution::Expired) => {
                let reason = expiry(r);
                kinds.push(ReportKind::Expired { reason, left, prevented });
            }
            Some(Execution::TradePrevention) => {
                kinds.push(ReportKind::Prevented { qty: prevented, left });
            }
            Some(Execution::Trade | Execution::Calculated) | None => {}
        }
        Ok(kinds)
    }

    fn fill(&self, r: &OrderReport<'_>, row: u32) -> Result<FillFact, Unfit> {
        let (fee, fee_asset) = self.fee(r.fee, r.fee_asset.as_deref())?;
        Ok(FillFact {
            trade_id: u64::try_from(r.trade_id.unwrap_or(0)).unwrap_or(0),
            qty: self.qty(r.last_qty, row, "quantity")?.unwrap_or(0),
            price: self.price(r.last_price, row, "price")?.unwrap_or(0),
            is_maker: r.is_maker.unwrap_or(false),
            fee,
            fee_asset,
        })
    }

    fn fee(&self, fee: Option<Number>, asset: Option<&str>) -> Result<(i128, u16), Unfit> {
        // Where nothing was paid, the asset only has to be one of the table.
        let Some(fee) = fee.filter(|fee| !fee.is_zero()) else { return Ok((0, 0)) };
        let named = asset.and_then(|name| self.assets.get(name));
        let &(asset, scale) =
            named.ok_or(("fee asset", Problem::WrongType("an asset of the run")))?;
        Ok((fee.at(scale).map_err(|problem| ("fee", problem))?, asset))
    }

    /// An order that this engine did not send.
    fn external(
        &self,
        r: &OrderReport<'_>,
        row: u32,
        number: u64,
        ts_exchange: i64,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let side = if r.side == Some("SELL") { Side::Sell } else { Side::Buy };
        let kind = kind_of(self.market, r.orig_kind.or(r.kind).unwrap_or("LIMIT"));
        let is_post_only = r.tif == Some("GTX") || r.kind == Some("LIMIT_MAKER");
        let fact = facts::ExternalOrder {
            order: 0,
            account: self.account,
            instrument: row,
            venue_order_id: number,
            ts_exchange,
            origin: origin_of(r) as u8,
            side: side as i8,
            kind: kind as u8,
            tif: tif_of(r.tif) as u8,
            position_side: leg_of(r.position_side) as u8,
            flags: u8::from(is_post_only)
                | (u8::from(r.reduce_only.unwrap_or(false)) << 1)
                | (u8::from(r.close_position.unwrap_or(false)) << 2),
            qty: self.qty(r.qty, row, "quantity")?.unwrap_or(0),
            price: self.price(r.price, row, "price")?.unwrap_or(0),
            trigger_price: self.price(r.trigger_price, row, "trigger price")?.unwrap_or(0),
        };
        let client_id = r.client_id.as_deref().unwrap_or_default().into();
        evidence.inputs.push(Input::External { fact, client_id });
        Ok(())
    }

    /// An order as a query, a listing or the answer to a request shows it.
    fn listed(
        &self,
        r: &OrderReport<'_>,
        desk: &Desk,
        ts_asked: i64,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let row = r.row.or_else(|| self.row_of(&r.symbol, desk));
        let Some(row) = row else { return Ok(()) };
        let number = u64::try_from(r.venue_order_id).unwrap_or(0);
        let at = r.ts_exchange.unwrap_or(ts_asked);
        let Some(order) = self.known(desk, row, number, r.client_id.as_deref()) else {
            let is_final = r.status.and_then(|word| word.known).is_some_and(OrderStatus::is_final);
            let has_filled = r.cum_qty.is_some_and(|qty| !qty.is_zero());
            if is_final && !has_filled {
                return Ok(());
            }
            return self.external(r, row, number, at, evidence);
        };
        let Some(status) = r.status.and_then(|word| word.known) else {
            // An answer may say no more than that the venue took the request.
            if r.status.is_none() && number != 0 {
                evidence.inputs.push(Input::Name { order, venue_order_id: number });
                let kind = ReportKind::Accepted { qty: 0 };
                let report = Report { order, ts_exchange: at, kind };
                evidence.inputs.push(Input::Report { report, words: None });
            }
            return Ok(());
        };
        for trade in &r.fills {
            self.book(trade, row, order, at, evidence)?;
        }
        let found = Found {
            order,
            ts_exchange: at,
            ts_created: r.ts_created.unwrap_or(0),
            status: found_status(status),
            reason: if status.is_final() { expiry(r) as u8 } else { 0 },
            filled_qty: self.qty(r.cum_qty, row, "cumulative quantity")?.unwrap_or(0),
            avg_price: 0,
            qty: self.qty(r.qty, row, "quantity")?.unwrap_or(0),
            price: self.price(r.price, row, "price")?.unwrap_or(0),
            venue_order_id: number,
        };
        evidence.inputs.push(Input::Found(found));
        Ok(())
    }

    /// A trade of ours in a listing.
    fn traded(
        &self,
        trade: &TradeRow<'_>,
        row: u32,
        desk: &Desk,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let row = trade.row.unwrap_or(row);
        let number = trade.venue_order_id.and_then(|id| u64::try_from(id).ok()).unwrap_or(0);
        let at = trade.ts_exchange.unwrap_or(0);
        if let Some(order) = self.known(desk, row, number, None) {
            return self.book(trade, row, order, at, evidence);
        }
        let mut one = Evidence::default();
        self.book(trade, row, 0, at, &mut one)?;
        if let Some(Input::Report { report, .. }) = one.inputs.pop() {
            let report = facts::ParkedReport::of(self.account, row, number, &report);
            evidence.inputs.push(Input::Park { report, client_id: "".into() });
            evidence.asks.push((row, number, String::new()));
        }
        Ok(())
    }

    fn book(
        &self,
        trade: &TradeRow<'_>,
        row: u32,
        order: OrderId,
        at: i64,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let (fee, fee_asset) = self.fee(trade.fee, trade.fee_asset.as_deref())?;
        let fact = FillFact {
            trade_id: u64::try_from(trade.trade_id).unwrap_or(0),
            qty: self.qty(trade.qty, row, "quantity")?.unwrap_or(0),
            price: self.price(trade.price, row, "price")?.unwrap_or(0),
            is_maker: trade.is_maker.unwrap_or(false),
            fee,
            fee_asset,
        };
        let ts_exchange = trade.ts_exchange.unwrap_or(at);
        let report = Report { order, ts_exchange, kind: ReportKind::Filled(fact) };
        evidence.inputs.push(Input::Report { report, words: None });
        Ok(())
    }

    /// The conditional half of a futures order.
    fn algo(&self, r: &AlgoReport<'_>, desk: &Desk, evidence: &mut Evidence) -> Result<(), Unfit> {
        let row = r.row.or_else(|| self.row_of(&r.symbol, desk));
        let Some(row) = row else { return Ok(()) };
        let Some(order) = self.known(desk, row, 0, r.client_id.as_deref()) else { return Ok(()) };
        let ts_exchange = r.ts_exchange.or(r.ts_event).unwrap_or(0);
        let qty = self.qty(r.qty, row, "quantity")?.unwrap_or(0);
        let kind = match r.status.and_then(|word| word.known) {
            Some(AlgoStatus::New | AlgoStatus::Triggering) => ReportKind::Accepted { qty },
            Some(AlgoStatus::Triggered) => ReportKind::Triggered,
            Some(AlgoStatus::Canceled) => ReportKind::Canceled { left: qty, by_oco: false },
            Some(AlgoStatus::Expired) => {
                ReportKind::Expired { reason: Expiry::Gtd, left: qty, prevented: 0 }
            }
            Some(AlgoStatus::Rejected) => ReportKind::Rejected { reason: Reject::WouldTrigger },
            // Its own order says how it ended.
            Some(AlgoStatus::Finished) | None => {
                let number = r.venue_order_id.and_then(|id| u64::try_from(id).ok()).unwrap_or(0);
                let client_id = r.client_id.as_deref().unwrap_or_default().to_owned();
                evidence.asks.push((row, number, client_id));
                return Ok(());
            }
        };
        let number = r.venue_order_id.and_then(|id| u64::try_from(id).ok()).filter(|&id| id != 0);
        if let Some(venue_order_id) = number {
            evidence.inputs.push(Input::Name { order, venue_order_id });
        }
        let report = Report { order, ts_exchange, kind };
        evidence.inputs.push(Input::Report { report, words: None });
        Ok(())
    }

    fn qty(
        &self,
        number: Option<Number>,
        row: u32,
        field: &'static str,
    ) -> Result<Option<i64>, Unfit> {
        let Some(units) = self.units.get(&row) else { return Ok(None) };
        number.map(|n| n.units(units.qty).map_err(|problem| (field, problem))).transpose()
    }

    fn price(
        &self,
        number: Option<Number>,
        row: u32,
        field: &'static str,
    ) -> Result<Option<i64>, Unfit> {
        let Some(units) = self.units.get(&row) else { return Ok(None) };
        number.map(|n| n.units(units.price).map_err(|problem| (field, problem))).transpose()
    }
}

fn unfit((field, problem): Unfit) -> String {
    format!("its {field} does not fit: {problem:?}")
}
