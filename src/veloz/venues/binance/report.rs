//! What private messages say, in plain values: about orders, balances, positions, trades.
//!
//! A field that the message did not hold is `None`. Numbers are as written ([`Number`]).

use std::borrow::Cow;

use super::cell::{Number, Word};
use super::json::Value;

/// Where an order stands, in the venue's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the venue's word of its name
pub enum OrderStatus {
    PendingNew,
    New,
    PartiallyFilled,
    Filled,
    Canceled,
    PendingCancel,
    Rejected,
    Expired,
    ExpiredInMatch,
    /// A liquidation order taken over by the insurance fund.
    NewInsurance,
    /// A counterparty's automatic deleveraging.
    NewAdl,
}

pub(super) const STATUSES: &[(&str, OrderStatus)] = &[
    ("PENDING_NEW", OrderStatus::PendingNew),
    ("NEW", OrderStatus::New),
    ("PARTIALLY_FILLED", OrderStatus::PartiallyFilled),
    ("FILLED", OrderStatus::Filled),
    ("CANCELED", OrderStatus::Canceled),
    ("PENDING_CANCEL", OrderStatus::PendingCancel),
    ("REJECTED", OrderStatus::Rejected),
    ("EXPIRED", OrderStatus::Expired),
    ("EXPIRED_IN_MATCH", OrderStatus::ExpiredInMatch),
    ("NEW_INSURANCE", OrderStatus::NewInsurance),
    ("NEW_ADL", OrderStatus::NewAdl),
];

impl OrderStatus {
    /// True if the order can trade no more.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            OrderStatus::Filled
            | OrderStatus::Canceled
            | OrderStatus::Rejected
            | OrderStatus::Expired
            | OrderStatus::ExpiredInMatch => true,
            OrderStatus::PendingNew
            | OrderStatus::New
            | OrderStatus::PartiallyFilled
            | OrderStatus::PendingCancel
            | OrderStatus::NewInsurance
            | OrderStatus::NewAdl => false,
        }
    }
}

/// What happened to an order, in the venue's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the venue's word of its name
pub enum Execution {
    New,
    Canceled,
    Replaced,
    Rejected,
    Trade,
    Expired,
    TradePrevention,
    /// Liquidation or automatic deleveraging.
    Calculated,
    Amendment,
}

pub(super) const EXECUTIONS: &[(&str, Execution)] = &[
    ("NEW", Execution::New),
    ("CANCELED", Execution::Canceled),
    ("REPLACED", Execution::Replaced),
    ("REJECTED", Execution::Rejected),
    ("TRADE", Execution::Trade),
    ("EXPIRED", Execution::Expired),
    ("TRADE_PREVENTION", Execution::TradePrevention),
    ("CALCULATED", Execution::Calculated),
    ("AMENDMENT", Execution::Amendment),
];

/// Where a conditional order of futures stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the venue's word of its name
pub enum AlgoStatus {
    New,
    Triggering,
    Triggered,
    Finished,
    Canceled,
    Expired,
    Rejected,
}

pub(super) const ALGO_STATUSES: &[(&str, AlgoStatus)] = &[
    ("NEW", AlgoStatus::New),
    ("TRIGGERING", AlgoStatus::Triggering),
    ("TRIGGERED", AlgoStatus::Triggered),
    ("FINISHED", AlgoStatus::Finished),
    ("CANCELED", AlgoStatus::Canceled),
    ("EXPIRED", AlgoStatus::Expired),
    ("REJECTED", AlgoStatus::Rejected),
];

/// What a message says about one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderReport<'a> {
    /// The venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Row of the instrument table, if the symbol is in it.
    pub row: Option<u32>,
    /// The order's own client id: the *original* one where the message is about a request.
    pub client_id: Option<Cow<'a, str>>,
    /// The client id of the cancel or change, where there is one; after a change it is the order's.
    pub request_id: Option<Cow<'a, str>>,
    /// The venue's number of the order.
    pub venue_order_id: i64,
    /// The venue's number of its list; none if it is in none.
    pub list_id: Option<i64>,
    /// `BUY` or `SELL`.
    pub side: Option<&'a str>,
    /// The venue's order type.
    pub kind: Option<&'a str>,
    /// The type that it was placed as, before a trigger.
    pub orig_kind: Option<&'a str>,
    /// Time in force.
    pub tif: Option<&'a str>,
    /// Where it stands.
    pub status: Option<Word<'a, OrderStatus>>,
    /// What happened; only events say so.
    pub execution: Option<Word<'a, Execution>>,
    /// Total quantity.
    pub qty: Option<Number>,
    /// Limit price; 0 for a market order.
    pub price: Option<Number>,
    /// Trigger price; 0 for an unconditional order.
    pub trigger_price: Option<Number>,
    /// Mean price of its fills; 0 before the first.
    pub avg_price: Option<Number>,
    /// Filled quantity.
    pub cum_qty: Option<Number>,
    /// Filled value: in the quote currency, on COIN-M in the base coin.
    pub cum_quote: Option<Number>,
    /// Quantity of this fill.
    pub last_qty: Option<Number>,
    /// Price of this fill.
    pub last_price: Option<Number>,
    /// The venue's number of this trade; none where nothing traded.
    pub trade_id: Option<i64>,
    /// Fee of this fill; negative is a rebate.
    pub fee: Option<Number>,
    /// What the fee is paid in.
    pub fee_asset: Option<Cow<'a, str>>,
    /// True if the order was resting.
    pub is_maker: Option<bool>,
    /// When it happened at the venue, ns.
    pub ts_exchange: Option<i64>,
    /// When the venue sent it, ns.
    pub ts_event: Option<i64>,
    /// When the order was created, ns.
    pub ts_created: Option<i64>,
    /// End of a GTD order, ns.
    pub ts_expire: Option<i64>,
    /// Why it was refused or expired.
    pub reason: Option<Cow<'a, str>>,
    /// Self-trade prevention.
    pub stp: Option<&'a str>,
    /// Which leg in hedge mode.
    pub position_side: Option<&'a str>,
    /// Never opens a position.
    pub reduce_only: Option<bool>,
    /// Closes the whole position.
    pub close_position: Option<bool>,
    /// What the trigger watches.
    pub working_type: Option<&'a str>,
    /// Profit of this fill.
    pub realised_pnl: Option<Number>,
    /// Visible quantity of an iceberg.
    pub display_qty: Option<Number>,
    /// Price at which a trailing order is armed.
    pub activation_price: Option<Number>,
    /// Trailing distance, per cent.
    pub callback_rate: Option<Number>,
    /// Trailing distance of spot, hundredths of a per cent.
    pub trailing_delta: Option<i64>,
    /// Quantity that self-trade prevention took.
    pub prevented_qty: Option<Number>,
    /// What the answer to a place request says has traded at once.
    pub fills: Vec<TradeRow<'a>>,
}

impl OrderReport<'_> {
    /// True if the venue placed it itself: a liquidation, deleveraging or settlement.
    #[must_use]
    pub fn is_system(&self) -> bool {
        let id = self.client_id.as_deref().unwrap_or_default();
        ["autoclose-", "adl_autoclose", "settlement_autoclose-"]
            .iter()
            .any(|own| id.starts_with(own))
    }

    /// True if the terms of the order were changed.
    #[must_use]
    pub fn is_amended(&self) -> bool {
        let known = self.execution.and_then(|word| word.known);
        matches!(known, Some(Execution::Replaced | Execution::Amendment))
    }

    /// True if the message reports a fill.
    #[must_use]
    pub fn is_fill(&self) -> bool {
        // What an unknown word did to a trade is asked for, not guessed: it may take one back.
        let is_known = self.execution.is_none_or(|word| word.known.is_some());
        is_known && self.trade_id.is_some() && self.last_qty.is_some_and(|qty| !qty.is_zero())
    }

    /// True if a word in it is not known, so that only a query can tell what it means.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        self.status.is_some_and(|word| word.known.is_none())
            || self.execution.is_some_and(|word| word.known.is_none())
    }
}

/// What a message says about a conditional order of futures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlgoReport<'a> {
    /// The venue's symbol; empty in the answer to a cancel.
    pub symbol: Cow<'a, str>,
    /// Row of the instrument table, if the symbol is in it.
    pub row: Option<u32>,
    /// Its client id.
    pub client_id: Option<Cow<'a, str>>,
    /// The algo service's number of it.
    pub algo_id: i64,
    /// The order that its trigger made; none before.
    pub venue_order_id: Option<i64>,
    /// `BUY` or `SELL`.
    pub side: Option<&'a str>,
    /// The venue's order type.
    pub kind: Option<&'a str>,
    /// Time in force.
    pub tif: Option<&'a str>,
    /// Where it stands.
    pub status: Option<Word<'a, AlgoStatus>>,
    /// Total quantity.
    pub qty: Option<Number>,
    /// Limit price.
    pub price: Option<Number>,
    /// Trigger price.
    pub trigger_price: Option<Number>,
    /// Mean price of the fills.
    pub avg_price: Option<Number>,
    /// Filled quantity.
    pub cum_qty: Option<Number>,
    /// Price at which a trailing order is armed.
    pub activation_price: Option<Number>,
    /// Trailing distance, per cent.
    pub callback_rate: Option<Number>,
    /// A trailing order is armed.
    pub is_activated: Option<bool>,
    /// Self-trade prevention.
    pub stp: Option<&'a str>,
    /// Which leg in hedge mode.
    pub position_side: Option<&'a str>,
    /// What the trigger watches.
    pub working_type: Option<&'a str>,
    /// Never opens a position.
    pub reduce_only: Option<bool>,
    /// Closes the whole position.
    pub close_position: Option<bool>,
    /// The venue's answer to a cancel: 200 if it was done.
    pub code: Option<i64>,
    /// Why it was refused or expired.
    pub reason: Option<Cow<'a, str>>,
    /// When it happened at the venue, ns.
    pub ts_exchange: Option<i64>,
    /// When the venue sent it, ns.
    pub ts_event: Option<i64>,
    /// When it was created, ns.
    pub ts_created: Option<i64>,
    /// When it was triggered, ns.
    pub ts_triggered: Option<i64>,
}

impl AlgoReport<'_> {
    /// True if it never triggers any more, and never did.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        use AlgoStatus::{Canceled, Expired, Rejected};
        matches!(self.status.and_then(|word| word.known), Some(Canceled | Expired | Rejected))
    }
}

/// One asset of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BalanceReport<'a> {
    /// The venue's name of the asset.
    pub asset: Cow<'a, str>,
    /// Spot: what may be spent.
    pub free: Option<Number>,
    /// Spot: what orders hold.
    pub locked: Option<Number>,
    /// Futures: the wallet, without unrealised profit.
    pub wallet: Option<Number>,
    /// Futures: the wallet that cross positions share.
    pub cross_wallet: Option<Number>,
    /// Futures: what may be used for orders.
    pub available: Option<Number>,
    /// Futures: profit of what is held, as the venue marks it.
    pub unrealised: Option<Number>,
    /// By how much it changed, where the message says only that; fills and fees not included.
    pub change: Option<Number>,
    /// When it changed, ns.
    pub ts_exchange: Option<i64>,
}

/// One position of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionReport<'a> {
    /// The venue's symbol.
    pub symbol: Cow<'a, str>,
    /// Row of the instrument table, if the symbol is in it.
    pub row: Option<u32>,
    /// `BOTH`, `LONG` or `SHORT`.
    pub position_side: Option<&'a str>,
    /// Signed quantity; none in answers that do not say.
    pub qty: Option<Number>,
    /// Average entry price.
    pub entry_price: Option<Number>,
    /// Price at which it would come out even.
    pub break_even_price: Option<Number>,
    /// The mark.
    pub mark_price: Option<Number>,
    /// Where it would be liquidated.
    pub liquidation_price: Option<Number>,
    /// Profit of what is held.
    pub unrealised: Option<Number>,
    /// Profit of what was closed, before fees.
    pub realised: Option<Number>,
    /// `isolated`, `cross`, `CROSSED`, as the message spells it.
    pub margin_type: Option<&'a str>,
    /// True if its margin is isolated.
    pub is_isolated: Option<bool>,
    /// Wallet of an isolated position.
    pub isolated_wallet: Option<Number>,
    /// Margin of an isolated position.
    pub isolated_margin: Option<Number>,
    /// Maintenance margin.
    pub maintenance_margin: Option<Number>,
    /// Leverage.
    pub leverage: Option<Number>,
    /// Value at the mark.
    pub notional: Option<Number>,
    /// When it changed, ns.
    pub ts_exchange: Option<i64>,
}

/// One trade of ours, from a listing or a place request's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TradeRow<'a> {
    /// The venue's symbol; empty inside an order.
    pub symbol: Cow<'a, str>,
    /// Row of the instrument table, if the symbol is in it.
    pub row: Option<u32>,
    /// The venue's number of the trade.
    pub trade_id: i64,
    /// The venue's number of the order.
    pub venue_order_id: Option<i64>,
    /// Price.
    pub price: Option<Number>,
    /// Quantity.
    pub qty: Option<Number>,
    /// Value: in the quote currency, on COIN-M in the base coin.
    pub quote_qty: Option<Number>,
    /// Fee; negative is a rebate.
    pub fee: Option<Number>,
    /// What the fee is paid in.
    pub fee_asset: Option<Cow<'a, str>>,
    /// True if we bought.
    pub is_buyer: Option<bool>,
    /// True if our order was resting.
    pub is_maker: Option<bool>,
    /// Which leg in hedge mode.
    pub position_side: Option<&'a str>,
    /// Profit of this trade.
    pub realised_pnl: Option<Number>,
    /// When it traded, ns.
    pub ts_exchange: Option<i64>,
}

/// What a message says about a list of linked orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListReport<'a> {
    /// The venue's symbol.
    pub symbol: Cow<'a, str>,
    /// The venue's number of the list.
    pub list_id: i64,
    /// `OCO`, `OTO`.
    pub contingency: Option<&'a str>,
    /// `RESPONSE`, `EXEC_STARTED`, `ALL_DONE`, `UPDATED`.
    pub status: Option<&'a str>,
    /// `EXECUTING`, `ALL_DONE`, `REJECT`.
    pub order_status: Option<&'a str>,
    /// Its client id.
    pub client_id: Option<Cow<'a, str>>,
    /// Why it was refused.
    pub reason: Option<Cow<'a, str>>,
    /// Its orders, by the venue's number and client id.
    pub orders: Vec<(i64, Cow<'a, str>)>,
    /// When it happened at the venue, ns.
    pub ts_exchange: Option<i64>,
}

/// A setting of the account that was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigReport<'a> {
    /// The venue's symbol, of a leverage.
    pub symbol: Option<Cow<'a, str>>,
    /// The new leverage.
    pub leverage: Option<i64>,
    /// Whether assets are margin for each other.
    pub multi_assets: Option<bool>,
}

/// A place in a list of orders: an order, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderRow<'a> {
    /// An order.
    Order(Box<OrderReport<'a>>),
    /// A refusal.
    Refused {
        /// The venue's code.
        code: i64,
        /// The venue's text.
        text: Cow<'a, str>,
    },
}

/// What an account holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountReport<'a> {
    /// Why it changed, in events: `ORDER`, `FUNDING_FEE`, `DEPOSIT`, …
    pub reason: Option<&'a str>,
    /// The symbol that a funding fee is for.
    pub symbol: Option<Cow<'a, str>>,
    /// True if the account may trade.
    pub can_trade: Option<bool>,
    /// True if the key or account may withdraw.
    pub can_withdraw: Option<bool>,
    /// Assets; in events only those that changed.
    pub balances: Vec<BalanceReport<'a>>,
    /// Positions; in events only those that changed.
    pub positions: Vec<PositionReport<'a>>,
}

/// How much of a limit is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitUse<'a> {
    /// `REQUEST_WEIGHT`, `ORDERS`, …
    pub kind: &'a str,
    /// Length of the window, s.
    pub window_s: u64,
    /// Most in the window.
    pub limit: i64,
    /// Used so far.
    pub count: i64,
}

/// What the WebSocket API or REST answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request's id as it came back; none if the request could not be read.
    pub id: Option<Cow<'a, str>>,
    /// HTTP status, or the frame's.
    pub status: u16,
    /// Where the result stands in the frame.
    pub result: Option<Value>,
    /// The venue's error code; negative.
    pub code: Option<i64>,
    /// The venue's error text.
    pub text: Option<Cow<'a, str>>,
    /// Where further data of the error stands.
    pub data: Option<Value>,
    /// When to come back after a 429 or 418, ns since the epoch.
    pub retry_at: Option<i64>,
    /// How much of each limit is used.
    pub limits: Vec<LimitUse<'a>>,
}
