//! Answers of the WebSocket API and bodies of REST → the same reports as the events give.
//!
//! An answer's `result` and a REST body have one form, so the same functions read both: a caller
//! hands over either the body or the span that [`Reply::result`] names. Orders are found wherever
//! Binance puts them: alone, in lists, as the two halves of a replacement, inside an order list, or
//! as the data of an error.

use super::cell::{each_field, each_row, need, slots, word, Cell};
use super::json::{DecodeError, Problem, Scanner, Type, Value};
use super::report::{
    AccountReport, AlgoReport, BalanceReport, LimitUse, OrderReport, OrderRow, PositionReport,
    Reply, TradeRow, ALGO_STATUSES, STATUSES,
};
use super::user::{checked, each_row_of, UserDecoder};

/// Objects inside objects that are followed; Binance needs four.
const DEPTH: usize = 6;

impl UserDecoder {
    /// Reads an answer of the WebSocket API.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] names the field and the byte.
    pub fn reply<'a>(&mut self, bytes: &'a [u8]) -> Result<Reply<'a>, DecodeError> {
        checked(bytes)?;
        let mut scan = Scanner::new(bytes);
        let (mut id, mut status, mut error, mut limits) = (None, None, None, None);
        let mut result = None;
        each_field(&mut scan, "frame", |cell| {
            slots!(cell,
                b"id" => id, Cell::loose_text;
                b"status" => status, Cell::whole;
                b"result" => result, Cell::nested;
                b"error" => error, Cell::nested;
                b"rateLimits" => limits, Cell::nested;
            );
            Ok(())
        })?;
        scan.finish()?;
        let status = need(status, "status", scan.at)?;
        let status = u16::try_from(status).map_err(|_| DecodeError {
            field: "status",
            offset: scan.at,
            problem: Problem::TooLarge,
        })?;
        let mut reply = Reply {
            id,
            status,
            result,
            code: None,
            text: None,
            data: None,
            retry_at: None,
            limits: Vec::new(),
        };
        if let Some(error) = error {
            failure(&mut Scanner::over(bytes, error), &mut reply)?;
        }
        each_row_of(bytes, limits, "rateLimits", |scan| {
            reply.limits.push(limit_use(scan)?);
            Ok(())
        })?;
        Ok(reply)
    }

    /// Reads what REST answered with an HTTP status: the code and text of an error, else only where
    /// the body stands. A body that is no JSON (a page of a firewall, say) is an answer without a
    /// code.
    pub fn rest_reply<'a>(&mut self, status: u16, bytes: &'a [u8]) -> Reply<'a> {
        let whole = Value { kind: Type::Object, start: 0, end: bytes.len() as u32 };
        let mut reply = Reply {
            id: None,
            status,
            result: None,
            code: None,
            text: None,
            data: None,
            retry_at: None,
            limits: Vec::new(),
        };
        if checked(bytes).is_err() {
            return reply;
        }
        if (200..300).contains(&status) {
            reply.result = Some(whole);
        } else {
            // What is no error body keeps the status alone.
            let _ = failure(&mut Scanner::new(bytes), &mut reply);
        }
        reply
    }

    /// Reads the orders of a body, wherever they stand in it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] names the field and the byte; nothing is handed on.
    pub fn orders<'a>(&mut self, bytes: &'a [u8]) -> Result<Vec<OrderRow<'a>>, DecodeError> {
        checked(bytes)?;
        let mut rows = Vec::new();
        let mut scan = Scanner::new(bytes);
        self.order_rows(&mut scan, DEPTH, &mut rows)?;
        scan.finish()?;
        Ok(rows)
    }

    fn order_rows<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
        depth: usize,
        rows: &mut Vec<OrderRow<'a>>,
    ) -> Result<(), DecodeError> {
        let Some(left) = depth.checked_sub(1) else {
            let problem = Problem::WrongType("orders nested less deep");
            return Err(DecodeError { field: "frame", offset: scan.at, problem });
        };
        if scan.peek() == Some(b'[') {
            return each_row(scan, "orders", |scan| self.order_rows(scan, left, rows));
        }
        let start = scan.at;
        let mut inside = [None; 5];
        each_field(scan, "frame", |cell| {
            let [amended, canceled, placed, reports, data] = &mut inside;
            slots!(cell,
                b"amendedOrder" => *amended, Cell::nested;
                b"cancelResponse" => *canceled, Cell::nested;
                b"newOrderResponse" => *placed, Cell::nested;
                b"orderReports" => *reports, Cell::nested;
                b"data" => *data, Cell::nested;
            );
            Ok(())
        })?;
        if inside.iter().all(Option::is_none) {
            let bytes = scan.bytes;
            let end = scan.at;
            let whole = Value { kind: Type::Object, start: start as u32, end: end as u32 };
            if let Some(row) = self.order_row(&mut Scanner::over(bytes, whole))? {
                rows.push(row);
            }
            return Ok(());
        }
        for value in inside.into_iter().flatten() {
            self.order_rows(&mut Scanner::over(scan.bytes, value), left, rows)?;
        }
        Ok(())
    }

    /// One order or refusal; nothing for an object that is neither, such as a list without reports.
    fn order_row<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
    ) -> Result<Option<OrderRow<'a>>, DecodeError> {
        let bytes = scan.bytes;
        let mut r = OrderReport::default();
        let (mut symbol, mut id, mut own_id, mut orig_id) = (None, None, None, None);
        let (mut list, mut code, mut text, mut fills) = (None, None, None, None);
        let (mut quote, mut cum_quote, mut cum_base) = (None, None, None);
        let (mut time, mut transact, mut updated, mut cummulative) = (None, None, None, None);
        each_field(scan, "order", |cell| {
            slots!(cell,
                b"symbol" => symbol, Cell::text;
                b"orderId" => id, Cell::whole;
                b"orderListId" => list, Cell::whole;
                b"clientOrderId" => own_id, Cell::text;
                b"origClientOrderId" => orig_id, Cell::text;
                b"side" => r.side, Cell::side;
                b"type" => r.kind, Cell::raw;
                b"origType" => r.orig_kind, Cell::raw;
                b"timeInForce" => r.tif, Cell::raw;
                b"status" => r.status, word(STATUSES);
                b"origQty" => r.qty, Cell::number;
                b"qty" => r.qty, Cell::number;
                b"price" => r.price, Cell::number;
                b"stopPrice" => r.trigger_price, Cell::number;
                b"avgPrice" => r.avg_price, Cell::number;
                b"executedQty" => r.cum_qty, Cell::number;
                b"cummulativeQuoteQty" => cummulative, Cell::number;
                b"cumulativeQuoteQty" => quote, Cell::number;
                b"cumQuote" => cum_quote, Cell::number;
                b"cumBase" => cum_base, Cell::number;
                b"icebergQty" => r.display_qty, Cell::number;
                b"time" => time, Cell::stamp;
                b"updateTime" => updated, Cell::stamp;
                b"transactTime" => transact, Cell::stamp;
                b"selfTradePreventionMode" => r.stp, Cell::raw;
                b"positionSide" => r.position_side, Cell::leg;
                b"reduceOnly" => r.reduce_only, Cell::flag;
                b"closePosition" => r.close_position, Cell::flag;
                b"workingType" => r.working_type, Cell::raw;
                b"activatePrice" => r.activation_price, Cell::number;
                b"priceRate" => r.callback_rate, Cell::number;
                b"trailingDelta" => r.trailing_delta, Cell::whole;
                b"preventedQuantity" => r.prevented_qty, Cell::number;
                b"preventedQty" => r.prevented_qty, Cell::number;
                b"goodTillDate" => r.ts_expire, Cell::stamp;
                b"expiryReason" => r.reason, Cell::text;
                b"fills" => fills, Cell::nested;
                b"code" => code, Cell::loose_whole;
                b"msg" => text, Cell::text;
            );
            Ok(())
        })?;
        let (Some(symbol), Some(id)) = (symbol, id) else {
            return Ok(code.map(|code| OrderRow::Refused { code, text: text.unwrap_or_default() }));
        };
        (r.symbol, r.venue_order_id) = (symbol, id);
        r.cum_quote = cummulative.or(quote).or(cum_quote).or(cum_base);
        r.list_id = list.filter(|&list| list >= 0);
        r.ts_exchange = transact.or(updated).or(time);
        r.ts_created = time;
        (r.client_id, r.request_id) = match orig_id {
            Some(orig) => (Some(orig), own_id),
            None => (own_id, None),
        };
        r.row = self.row(&r.symbol);
        self.note("status", r.status);
        each_row_of(bytes, fills, "fills", |scan| {
            r.fills.push(trade_row(scan)?.0);
            Ok(())
        })?;
        Ok(Some(OrderRow::Order(Box::new(r))))
    }

    /// Reads conditional orders of futures: one, or a list.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] names the field and the byte; nothing is handed on.
    pub fn algo_orders<'a>(&mut self, bytes: &'a [u8]) -> Result<Vec<AlgoReport<'a>>, DecodeError> {
        let mut rows = Vec::new();
        one_or_list(bytes, "orders", |scan| {
            rows.push(self.algo_row(scan)?);
            Ok(())
        })?;
        Ok(rows)
    }

    fn algo_row<'a>(&mut self, scan: &mut Scanner<'a>) -> Result<AlgoReport<'a>, DecodeError> {
        let mut r = AlgoReport::default();
        let (mut symbol, mut id, mut text, mut updated) = (None, None, None, None);
        each_field(scan, "order", |cell| {
            slots!(cell,
                b"symbol" => symbol, Cell::text;
                b"algoId" => id, Cell::whole;
                b"clientAlgoId" => r.client_id, Cell::text;
                b"orderType" => r.kind, Cell::raw;
                b"side" => r.side, Cell::side;
                b"positionSide" => r.position_side, Cell::leg;
                b"timeInForce" => r.tif, Cell::raw;
                b"quantity" => r.qty, Cell::number;
                b"algoStatus" => r.status, word(ALGO_STATUSES);
                b"actualOrderId" => r.venue_order_id, Cell::loose_whole;
                b"actualPrice" => r.avg_price, Cell::number;
                b"actualQty" => r.cum_qty, Cell::number;
                b"triggerPrice" => r.trigger_price, Cell::number;
                b"price" => r.price, Cell::number;
                b"activatePrice" => r.activation_price, Cell::number;
                b"callbackRate" => r.callback_rate, Cell::number;
                b"selfTradePreventionMode" => r.stp, Cell::raw;
                b"workingType" => r.working_type, Cell::raw;
                b"reduceOnly" => r.reduce_only, Cell::flag;
                b"closePosition" => r.close_position, Cell::flag;
                b"createTime" => r.ts_created, Cell::stamp;
                b"updateTime" => updated, Cell::stamp;
                b"triggerTime" => r.ts_triggered, Cell::stamp;
                b"code" => r.code, Cell::loose_whole;
                b"msg" => text, Cell::text;
            );
            Ok(())
        })?;
        r.algo_id = need(id, "algoId", scan.at)?;
        r.symbol = symbol.unwrap_or_default();
        r.ts_exchange = updated.or(r.ts_created);
        r.reason = text.filter(|_| r.code != Some(200));
        r.row = self.row(&r.symbol);
        self.note("algoStatus", r.status);
        Ok(r)
    }

    /// Reads our own trades.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] names the field and the byte; nothing is handed on.
    pub fn trades<'a>(&mut self, bytes: &'a [u8]) -> Result<Vec<TradeRow<'a>>, DecodeError> {
        let mut rows = Vec::new();
        one_or_list(bytes, "trades", |scan| {
            let (mut row, symbol) = trade_row(scan)?;
            row.symbol = need(symbol, "symbol", scan.at)?;
            row.row = self.row(&row.symbol);
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Reads an account: spot's balances, the assets and positions of futures, a list of balances,
    /// or a list of positions.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] names the field and the byte; nothing is handed on.
    pub fn account<'a>(&mut self, bytes: &'a [u8]) -> Result<AccountReport<'a>, DecodeError> {
        let mut r = AccountReport::default();
        checked(bytes)?;
        let mut scan = Scanner::new(bytes);
        if scan.peek() == Some(b'[') {
            each_row(&mut scan, "account", |scan| self.holding(scan, &mut r))?;
            scan.finish()?;
            return Ok(r);
        }
        let (mut balances, mut assets, mut positions) = (None, None, None);
        each_field(&mut scan, "account", |cell| {
            slots!(cell,
                b"balances" => balances, Cell::nested;
                b"assets" => assets, Cell::nested;
                b"positions" => positions, Cell::nested;
                b"canTrade" => r.can_trade, Cell::flag;
                b"canWithdraw" => r.can_withdraw, Cell::flag;
            );
            Ok(())
        })?;
        scan.finish()?;
        if balances.is_none() && assets.is_none() && positions.is_none() {
            self.holding(&mut Scanner::new(bytes), &mut r)?;
        }
        for list in [balances, assets, positions] {
            each_row_of(bytes, list, "account", |scan| self.holding(scan, &mut r))?;
        }
        Ok(r)
    }

    /// A balance or a position, told apart by what it names.
    fn holding<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
        r: &mut AccountReport<'a>,
    ) -> Result<(), DecodeError> {
        let (mut p, mut b) = (PositionReport::default(), BalanceReport::default());
        let (mut symbol, mut asset, mut updated) = (None, None, None);
        let (mut wallet, mut balance, mut pnl, mut profit) = (None, None, None, None);
        each_field(scan, "account", |cell| {
            slots!(cell,
                b"symbol" => symbol, Cell::text;
                b"asset" => asset, Cell::text;
                b"free" => b.free, Cell::number;
                b"locked" => b.locked, Cell::number;
                b"walletBalance" => wallet, Cell::number;
                b"balance" => balance, Cell::number;
                b"crossWalletBalance" => b.cross_wallet, Cell::number;
                b"availableBalance" => b.available, Cell::number;
                b"positionAmt" => p.qty, Cell::number;
                b"positionSide" => p.position_side, Cell::leg;
                b"entryPrice" => p.entry_price, Cell::number;
                b"breakEvenPrice" => p.break_even_price, Cell::number;
                b"markPrice" => p.mark_price, Cell::number;
                b"liquidationPrice" => p.liquidation_price, Cell::number;
                b"unRealizedProfit" => profit, Cell::number;
                b"unrealizedProfit" => pnl, Cell::number;
                b"marginType" => p.margin_type, Cell::raw;
                b"isolated" => p.is_isolated, Cell::flag;
                b"isolatedWallet" => p.isolated_wallet, Cell::number;
                b"isolatedMargin" => p.isolated_margin, Cell::number;
                b"maintMargin" => p.maintenance_margin, Cell::number;
                b"leverage" => p.leverage, Cell::loose_number;
                b"notional" => p.notional, Cell::number;
                b"updateTime" => updated, Cell::stamp;
            );
            Ok(())
        })?;
        let unrealised = pnl.or(profit);
        if let Some(symbol) = symbol {
            p.symbol = symbol;
            p.row = self.row(&p.symbol);
            p.unrealised = unrealised;
            p.ts_exchange = updated;
            p.is_isolated =
                p.is_isolated.or(p.margin_type.map(|text| text.eq_ignore_ascii_case("isolated")));
            r.positions.push(p);
            return Ok(());
        }
        b.asset = need(asset, "asset", scan.at)?;
        b.wallet = wallet.or(balance);
        b.unrealised = unrealised;
        b.ts_exchange = updated;
        if b.wallet.is_none() {
            need(b.free, "free", scan.at)?;
        }
        r.balances.push(b);
        Ok(())
    }
}

fn one_or_list<'a>(
    bytes: &'a [u8],
    field: &'static str,
    mut take: impl FnMut(&mut Scanner<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    checked(bytes)?;
    let mut scan = Scanner::new(bytes);
    if scan.peek() == Some(b'[') {
        each_row(&mut scan, field, take)?;
    } else {
        take(&mut scan)?;
    }
    scan.finish()
}

fn failure<'a>(scan: &mut Scanner<'a>, reply: &mut Reply<'a>) -> Result<(), DecodeError> {
    let bytes = scan.bytes;
    each_field(scan, "error", |cell| {
        slots!(cell,
            b"code" => reply.code, Cell::loose_whole;
            b"msg" => reply.text, Cell::text;
            b"data" => reply.data, Cell::nested;
        );
        Ok(())
    })?;
    if let Some(data) = reply.data.filter(|data| data.kind == Type::Object) {
        each_field(&mut Scanner::over(bytes, data), "data", |cell| {
            slots!(cell, b"retryAfter" => reply.retry_at, Cell::stamp;);
            Ok(())
        })?;
    }
    Ok(())
}

fn limit_use<'a>(scan: &mut Scanner<'a>) -> Result<LimitUse<'a>, DecodeError> {
    let (mut kind, mut interval, mut times) = (None, None, None);
    let (mut limit, mut count) = (None, None);
    each_field(scan, "rateLimits", |cell| {
        slots!(cell,
            b"rateLimitType" => kind, Cell::raw;
            b"interval" => interval, Cell::raw;
            b"intervalNum" => times, Cell::whole;
            b"limit" => limit, Cell::whole;
            b"count" => count, Cell::whole;
        );
        Ok(())
    })?;
    let one: u64 = match need(interval, "interval", scan.at)? {
        "SECOND" => 1,
        "MINUTE" => 60,
        "HOUR" => 3_600,
        "DAY" => 86_400,
        // A window that is not known: 0, so that nobody plans by it.
        _ => 0,
    };
    let times = need(times, "intervalNum", scan.at)?;
    Ok(LimitUse {
        kind: need(kind, "rateLimitType", scan.at)?,
        window_s: one.saturating_mul(u64::try_from(times).unwrap_or_default()),
        limit: need(limit, "limit", scan.at)?,
        count: count.unwrap_or_default(),
    })
}

/// A trade and its symbol, which the trades inside an order lack.
fn trade_row<'a>(
    scan: &mut Scanner<'a>,
) -> Result<(TradeRow<'a>, Option<std::borrow::Cow<'a, str>>), DecodeError> {
    let mut r = TradeRow::default();
    let (mut symbol, mut id, mut trade_id, mut side) = (None, None, None, None);
    let (mut quote, mut base, mut buyer, mut maker) = (None, None, None, None);
    each_field(scan, "trade", |cell| {
        slots!(cell,
            b"symbol" => symbol, Cell::text;
            b"id" => id, Cell::whole;
            b"tradeId" => trade_id, Cell::whole;
            b"orderId" => r.venue_order_id, Cell::whole;
            b"side" => side, Cell::side;
            b"price" => r.price, Cell::number;
            b"qty" => r.qty, Cell::number;
            b"quoteQty" => quote, Cell::number;
            b"baseQty" => base, Cell::number;
            b"commission" => r.fee, Cell::number;
            b"commissionAsset" => r.fee_asset, Cell::text;
            b"isBuyer" => r.is_buyer, Cell::flag;
            b"buyer" => buyer, Cell::flag;
            b"isMaker" => r.is_maker, Cell::flag;
            b"maker" => maker, Cell::flag;
            b"positionSide" => r.position_side, Cell::leg;
            b"realizedPnl" => r.realised_pnl, Cell::number;
            b"time" => r.ts_exchange, Cell::stamp;
        );
        Ok(())
    })?;
    r.trade_id = need(id.or(trade_id), "id", scan.at)?;
    r.quote_qty = quote.or(base);
    r.is_buyer = r.is_buyer.or(buyer).or(side.map(|side| side == "BUY"));
    r.is_maker = r.is_maker.or(maker);
    Ok((r, symbol))
}
