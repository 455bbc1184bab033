//! Market events: what venues publish, normalised (MD2, MD3).
//!
//! Times are integer nanoseconds since the Unix epoch, UTC. `ts_exchange` is the venue's event
//! time, `ts_recv` the moment the frame reached this host. Prices and quantities are scaled by the
//! instrument's `price_scale` and `qty_scale`; marks, indices and settlement prices by
//! [`MARK_SCALE`](crate::units::MARK_SCALE); rates by [`RATE_SCALE`](crate::units::RATE_SCALE).

use crate::record;

record! {
    /// One execution on a venue's public tape.
    pub struct Trade {
        /// When the venue matched it.
        pub ts_exchange: i64,
        /// When the frame reached this host.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// Who took liquidity: +1 the buyer, -1 the seller, 0 unknown.
        pub taker: i8,
        /// In price units.
        pub price: i64,
        /// In quantity units; positive.
        pub qty: i64,
        /// The venue's own number.
        pub trade_id: u64,
    }
}

record! {
    /// Several executions of one taker order at one price, as the venue aggregates them.
    pub struct AggTrade {
        /// When the venue matched it.
        pub ts_exchange: i64,
        /// When the frame reached this host.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// Who took liquidity: +1 the buyer, -1 the seller, 0 unknown.
        pub taker: i8,
        /// In price units.
        pub price: i64,
        /// In quantity units; positive.
        pub qty: i64,
        /// The venue's number of the aggregate.
        pub trade_id: u64,
        /// First and last public trade in it.
        pub first_trade_id: u64,
        /// See `first_trade_id`.
        pub last_trade_id: u64,
    }
}

record! {
    /// Best bid and offer.
    pub struct Quote {
        /// The venue's event time; equal to `ts_recv` where the venue sends none.
        pub ts_exchange: i64,
        /// When the frame reached this host.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// In price units.
        pub bid_price: i64,
        /// In quantity units.
        pub bid_qty: i64,
        /// In price units.
        pub ask_price: i64,
        /// In quantity units.
        pub ask_qty: i64,
        /// The book update that this is the top of; 0 where the venue sends none.
        pub update_id: u64,
    }
}

/// [`Tick::flags`]: the level is a bid; a print's taker bought.
pub const TICK_BUY: u32 = 1;
/// [`Tick::flags`]: a public trade, not a level.
pub const TICK_TRADE: u32 = 2;
/// [`Tick::flags`]: the book is emptied before this row is applied (first row of a snapshot).
pub const TICK_CLEAR: u32 = 4;
/// [`Tick::flags`]: the last row of its message; the book is whole after it.
pub const TICK_LAST: u32 = 8;
/// [`Tick::flags`]: a print whose taker is unknown.
pub const TICK_UNKNOWN_TAKER: u32 = 16;
/// [`Tick::flags`]: no level, only a marker (with `TICK_CLEAR` or `TICK_LAST`).
pub const TICK_EMPTY: u32 = 32;

record! {
    /// One row of a stored L2 feed: an absolute level of the book, or a print.
    ///
    /// The form in which books and prints are replayed: rows of one message are adjacent and the
    /// last of them has [`TICK_LAST`]. A level with quantity 0 is gone.
    pub struct Tick {
        /// The venue's event time.
        pub ts_exchange: i64,
        /// When it reaches the strategy's host; at least `ts_exchange` after correction.
        pub ts_recv: i64,
        /// In price units.
        pub price: i64,
        /// In quantity units.
        pub qty: i64,
        /// `TICK_…` bits.
        pub flags: u32,
        /// Row of the instrument table.
        pub instrument: u32,
    }
}

record! {
    /// A candle over `[ts_open, ts_close)`; it does not exist before `ts_close`.
    pub struct Bar {
        /// Start of the interval, inclusive.
        pub ts_open: i64,
        /// End of the interval, exclusive: the bar's stamp for strategies.
        pub ts_close: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// In price units.
        pub open: i64,
        /// In price units.
        pub high: i64,
        /// In price units.
        pub low: i64,
        /// In price units.
        pub close: i64,
        /// In quantity units; contracts for inverse instruments.
        pub volume: i64,
    }
}

record! {
    /// A venue's mark price and what it publishes with it.
    pub struct MarkPrice {
        /// The venue's event time.
        pub ts_exchange: i64,
        /// When the frame reached this host.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// At mark scale.
        pub mark: i64,
        /// At mark scale; 0 where absent.
        pub index: i64,
        /// Estimated settlement price at mark scale; 0 where absent.
        pub settle: i64,
        /// Funding rate at rate scale, as estimated for the next settlement.
        pub funding_rate: i64,
        /// Next settlement, ns; 0 where there is none.
        pub next_funding_ns: i64,
    }
}

record! {
    /// A venue's index price.
    pub struct IndexPrice {
        /// The venue's event time.
        pub ts_exchange: i64,
        /// When the frame reached this host.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// At mark scale.
        pub index: i64,
    }
}

record! {
    /// One funding settlement: the rate that is exchanged at `ts_exchange`.
    pub struct Funding {
        /// The settlement instant.
        pub ts_exchange: i64,
        /// When it is known here.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// At rate scale; longs pay when positive.
        pub rate: i64,
        /// Mark price of the instant at mark scale; 0 where the source has none.
        pub mark: i64,
    }
}

record! {
    /// Contracts outstanding.
    pub struct OpenInterest {
        /// The venue's event time.
        pub ts_exchange: i64,
        /// When the frame reached this host.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// In quantity units.
        pub qty: i64,
    }
}

record! {
    /// A public notice of a forced order.
    pub struct Liquidation {
        /// The venue's event time.
        pub ts_exchange: i64,
        /// When the frame reached this host.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// Side of the forced order: -1 sells (a long is liquidated), +1 buys.
        pub side: i8,
        /// Average price in price units.
        pub price: i64,
        /// In quantity units.
        pub qty: i64,
    }
}

record! {
    /// Rolling window statistics (usually 24 h).
    pub struct Ticker {
        /// The venue's event time.
        pub ts_exchange: i64,
        /// When the frame reached this host.
        pub ts_recv: i64,
        /// Row of the instrument table.
        pub instrument: u32,
        /// In price units.
        pub open: i64,
        /// In price units.
        pub high: i64,
        /// In price units.
        pub low: i64,
        /// In price units.
        pub last: i64,
        /// In quantity units.
        pub volume: i64,
    }
}

/// What a venue publishes beside prices, trades and books; it moves no order and no money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// An index price.
    Index(IndexPrice),
    /// Contracts outstanding.
    OpenInterest(OpenInterest),
    /// A forced order of somebody.
    Liquidation(Liquidation),
    /// Statistics of a rolling window.
    Ticker(Ticker),
}

macro_rules! of_each {
    ($published:expr, $row:ident => $body:expr) => {
        match $published {
            Published::Index($row) => $body,
            Published::OpenInterest($row) => $body,
            Published::Liquidation($row) => $body,
            Published::Ticker($row) => $body,
        }
    };
}

impl Published {
    /// The venue's event time.
    #[must_use]
    pub const fn ts_exchange(&self) -> i64 {
        of_each!(self, row => row.ts_exchange)
    }

    /// When it is known here.
    #[must_use]
    pub const fn ts_recv(&self) -> i64 {
        of_each!(self, row => row.ts_recv)
    }

    /// Moves its arrival.
    pub const fn set_ts_recv(&mut self, ts: i64) {
        of_each!(self, row => row.ts_recv = ts);
    }

    /// Row of the instrument table.
    #[must_use]
    pub const fn instrument(&self) -> u32 {
        of_each!(self, row => row.instrument)
    }

    /// Gives it another row of an instrument table.
    pub const fn set_instrument(&mut self, instrument: u32) {
        of_each!(self, row => row.instrument = instrument);
    }
}

/// The public trade that a row of a book feed stands for.
#[must_use]
pub fn trade_of(row: &Tick) -> Trade {
    let taker = if row.flags & TICK_UNKNOWN_TAKER != 0 {
        0
    } else if row.flags & TICK_BUY != 0 {
        1
    } else {
        -1
    };
    Trade {
        ts_exchange: row.ts_exchange,
        ts_recv: row.ts_recv,
        instrument: row.instrument,
        taker,
        price: row.price,
        qty: row.qty,
        trade_id: 0,
    }
}
