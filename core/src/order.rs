//! Orders: what is asked of a venue, and what the venue reports back.
//!
//! These are the words that the desk and every gateway, the simulated exchange included, share.
//! What an order *is* to the desk (facts, open requests, and the status that follows from them)
//! stands in [`crate::order_state`].

mod stored;

/// Handle of one of our orders, unique within a journal.
pub type OrderId = u64;

/// Buy or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i8)]
pub enum Side {
    /// Adds to the position.
    Buy = 1,
    /// Takes from the position.
    Sell = -1,
}

impl Side {
    /// +1 or -1.
    #[inline]
    #[must_use]
    pub const fn sign(self) -> i64 {
        self as i64
    }

    /// The other side.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

/// What makes an order act, and at what price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderType {
    /// Takes what is there.
    Market = 0,
    /// Trades at its price or better.
    Limit = 1,
    /// A market order at a trigger that lies beyond the price.
    Stop = 2,
    /// A limit order at such a trigger.
    StopLimit = 3,
    /// A market order at a trigger on the near side of the price.
    TakeProfit = 4,
    /// A limit order at such a trigger.
    TakeProfitLimit = 5,
    /// A market order at a distance from the best price since it was armed.
    TrailingStop = 6,
}

impl OrderType {
    /// True if the order waits for a trigger.
    #[must_use]
    pub const fn is_conditional(self) -> bool {
        !matches!(self, OrderType::Market | OrderType::Limit)
    }

    /// True if the order, once at work, has a limit price.
    #[must_use]
    pub const fn has_limit(self) -> bool {
        matches!(self, OrderType::Limit | OrderType::StopLimit | OrderType::TakeProfitLimit)
    }
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tif {
    /// Until it is cancelled.
    Gtc = 0,
    /// What does not trade at once expires.
    Ioc = 1,
    /// All at once or nothing.
    Fok = 2,
    /// Until a stated time.
    Gtd = 3,
}

/// Which price a trigger watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TriggerBy {
    /// Public trades.
    Last = 0,
    /// The mark price.
    Mark = 1,
    /// The index price.
    Index = 2,
}

/// What happens when two orders of one owner would trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stp {
    /// They trade.
    None = 0,
    /// The resting order expires.
    ExpireMaker = 1,
    /// The arriving order expires.
    ExpireTaker = 2,
    /// Both expire.
    ExpireBoth = 3,
    /// Both lose the smaller quantity without trading.
    Decrement = 4,
    /// As decrement, within one account.
    Transfer = 5,
}

/// Which leg of a position an order belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PositionSide {
    /// One-way mode: the only one.
    Both = 0,
    /// Hedge mode: the long leg.
    Long = 1,
    /// Hedge mode: the short leg.
    Short = 2,
}

/// Everything that an order asks for.
///
/// Prices and quantities are in the instrument's units; zero means "not given".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSpec {
    /// Row of the instrument table.
    pub instrument: u32,
    /// Buy or sell.
    pub side: Side,
    /// What makes it act.
    pub kind: OrderType,
    /// How long it lives.
    pub tif: Tif,
    /// Total quantity; 0 only with `close_position`.
    pub qty: i64,
    /// Limit price.
    pub price: i64,
    /// Trigger price of a conditional order.
    pub trigger_price: i64,
    /// What the trigger watches.
    pub trigger_by: TriggerBy,
    /// Trailing distance in hundredths of a per cent.
    pub trail_bps: i64,
    /// Price at which a trailing order is armed; 0 arms it at once.
    pub activation_price: i64,
    /// Visible quantity of an iceberg; 0 shows all.
    pub display_qty: i64,
    /// End of a GTD order, ns.
    pub expire_ns: i64,
    /// Refused if it would take.
    pub post_only: bool,
    /// Never opens or grows a position.
    pub reduce_only: bool,
    /// Closes the whole position at its trigger.
    pub close_position: bool,
    /// Self-trade prevention.
    pub stp: Stp,
    /// Which leg in hedge mode.
    pub position_side: PositionSide,
    /// Orders with the same non-zero number cancel each other (one-cancels-other).
    pub oco_group: u32,
    /// Price protection: a trigger further from mark than this fraction (at rate scale) is passed
    /// over; 0 for none.
    pub price_protect: i64,
}

impl OrderSpec {
    /// A plain order with every option off.
    #[must_use]
    pub const fn new(instrument: u32, side: Side, kind: OrderType, qty: i64, price: i64) -> Self {
        OrderSpec {
            instrument,
            side,
            kind,
            tif: Tif::Gtc,
            qty,
            price,
            trigger_price: 0,
            trigger_by: TriggerBy::Last,
            trail_bps: 0,
            activation_price: 0,
            display_qty: 0,
            expire_ns: 0,
            post_only: false,
            reduce_only: false,
            close_position: false,
            stp: Stp::None,
            position_side: PositionSide::Both,
            oco_group: 0,
            price_protect: 0,
        }
    }
}

/// Why a venue refuses an order or request; the words of `matching.md` section 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // each is the reason that its name says
pub enum Reject {
    DuplicateId = 1,
    MarketClosed = 2,
    BadRequest = 3,
    PriceFilter = 4,
    LotSize = 5,
    MarketLotSize = 6,
    MinNotional = 7,
    MaxNotional = 8,
    PercentPrice = 9,
    MaxOrders = 10,
    MaxAlgoOrders = 11,
    IcebergParts = 12,
    ReduceOnly = 13,
    InsufficientBalance = 14,
    WouldTrigger = 15,
    PostOnly = 16,
    Fok = 17,
    UnknownOrder = 18,
    NoChange = 19,
    KeepPriority = 20,
    Margin = 21,
}

impl Reject {
    /// The reason in the words of `matching.md` section 10.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Reject::DuplicateId => "duplicate_id",
            Reject::MarketClosed => "market_closed",
            Reject::BadRequest => "bad_request",
            Reject::PriceFilter => "price_filter",
            Reject::LotSize => "lot_size",
            Reject::MarketLotSize => "market_lot_size",
            Reject::MinNotional => "min_notional",
            Reject::MaxNotional => "max_notional",
            Reject::PercentPrice => "percent_price",
            Reject::MaxOrders => "max_orders",
            Reject::MaxAlgoOrders => "max_algo_orders",
            Reject::IcebergParts => "iceberg_parts",
            Reject::ReduceOnly => "reduce_only",
            Reject::InsufficientBalance => "insufficient_balance",
            Reject::WouldTrigger => "would_trigger",
            Reject::PostOnly => "post_only",
            Reject::Fok => "fok",
            Reject::UnknownOrder => "unknown_order",
            Reject::NoChange => "no_change",
            Reject::KeepPriority => "decrease_only",
            Reject::Margin => "margin",
        }
    }
}

/// Why an order ended without being filled or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // each is the reason that its name says
pub enum Expiry {
    Ioc = 1,
    Fok = 2,
    Gtd = 3,
    NoLiquidity = 4,
    PriceBand = 5,
    Stp = 6,
    ReduceOnly = 7,
    PostOnly = 8,
    Liquidation = 9,
    Delisted = 10,
    InsufficientBalance = 11,
}

impl Expiry {
    /// The reason in the words of `matching.md`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Expiry::Ioc => "ioc",
            Expiry::Fok => "fok",
            Expiry::Gtd => "gtd",
            Expiry::NoLiquidity => "no_liquidity",
            Expiry::PriceBand => "price_band",
            Expiry::Stp => "stp",
            Expiry::ReduceOnly => "reduce_only",
            Expiry::PostOnly => "post_only",
            Expiry::Liquidation => "liquidation",
            Expiry::Delisted => "delisted",
            Expiry::InsufficientBalance => "insufficient_balance",
        }
    }
}

/// Stands for the fee's asset of a [`FillFact`] that came without its fee.
pub const FEE_UNSAID: u16 = u16::MAX;

/// One execution of ours, as the venue reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillFact {
    /// The venue's number of the trade, unique per instrument.
    pub trade_id: u64,
    /// In quantity units; positive.
    pub qty: i64,
    /// In price units.
    pub price: i64,
    /// True if the order was resting.
    pub is_maker: bool,
    /// At the scale of `fee_asset`; positive is paid.
    pub fee: i128,
    /// Row of the asset table, or [`FEE_UNSAID`].
    pub fee_asset: u16,
    /// Profit that the venue says it realised, at the scale of the settlement asset; `None` where
    /// it does not say, and we work it out.
    pub realised: Option<i128>,
}

/// What a venue says about one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// It exists; `qty` is its quantity, less than asked where reduce-only cut it.
    Accepted {
        /// Its quantity.
        qty: i64,
    },
    /// It does not exist, and never traded.
    Rejected {
        /// Why.
        reason: Reject,
    },
    /// It traded.
    Filled(FillFact),
    /// A conditional order began to work.
    Triggered,
    /// It was cancelled with `left` unfilled; `by_oco` if its sibling did it.
    Canceled {
        /// Unfilled quantity.
        left: i64,
        /// Its sibling did it.
        by_oco: bool,
    },
    /// The cancel was refused.
    CancelRejected {
        /// Why.
        reason: Reject,
    },
    /// It ended by its own terms; `prevented` is what self-trade prevention took.
    Expired {
        /// By which term.
        reason: Expiry,
        /// Unfilled quantity.
        left: i64,
        /// Quantity that self-trade prevention took.
        prevented: i64,
    },
    /// It was changed.
    Amended {
        /// New total quantity.
        qty: i64,
        /// New price.
        price: i64,
        /// Whether its place in the queue was kept.
        queue_kept: bool,
    },
    /// The change was refused.
    AmendRejected {
        /// Why.
        reason: Reject,
    },
    /// A resting reduce-only order was cut to the position.
    Reduced {
        /// Unfilled quantity now.
        left: i64,
    },
    /// Self-trade prevention took quantity from it and left it alive.
    Prevented {
        /// Quantity taken.
        qty: i64,
        /// Unfilled quantity now.
        left: i64,
    },
}

/// One report: which order, when at the venue, what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which order.
    pub order: OrderId,
    /// When it happened at the venue, ns.
    pub ts_exchange: i64,
    /// What happened.
    pub kind: ReportKind,
}

/// What is sent to a venue about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Create it.
    Place(OrderSpec),
    /// Give it another quantity (total, including what is filled) and price.
    Amend {
        /// New total quantity.
        qty: i64,
        /// New price.
        price: i64,
    },
    /// Cancel it and place a new leg of it, in one request: total quantity and price as of an
    /// amendment.
    Replace {
        /// New total quantity.
        qty: i64,
        /// New price.
        price: i64,
        /// The leg that is cancelled.
        instead: u32,
    },
    /// End it.
    Cancel,
    /// End every open order of the account in the instrument.
    CancelAll {
        /// Row of the instrument table.
        instrument: u32,
    },
}

/// One request to a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which order; 0 for a cancel-all.
    pub order: OrderId,
    /// Row of the account table.
    pub account: u16,
    /// When it was sent, ns.
    pub ts_sent: i64,
    /// What is asked.
    pub kind: RequestKind,
    /// Which leg of the order is meant: of an amendment that replaces, the one that it places.
    pub leg: u32,
}
