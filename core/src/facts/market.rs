//! Record types of a live engine's `market` journal: what was heard, as it was heard, so that
//! strategies can be run on it again.

use crate::journal::RecordType;
use crate::market::{
    Bar, Funding, IndexPrice, Liquidation, MarkPrice, OpenInterest, Quote, Tick, Ticker, Trade,
};
use crate::record;

record! {
    /// A frame of a feed; its text is the payload.
    pub struct FrameHeard {
        /// Number of the feed.
        pub feed: u16,
        /// When it came, ns.
        pub ts_recv: i64,
    }
}

record! {
    /// The body that a request was answered with; its text is the URL, a zero byte and the body.
    pub struct BodyHeard {
        /// Number of the feed.
        pub feed: u16,
        /// When it came, ns.
        pub ts_recv: i64,
        /// True for rows from before the start: indicators warm up, nobody is told.
        pub is_history: bool,
    }
}

record! {
    /// Streams are not to be trusted from here on, or are again; its text is their names, a line
    /// each.
    pub struct StreamsMarked {
        /// Number of the feed.
        pub feed: u16,
        /// When, ns.
        pub ts_recv: i64,
        /// True if they are not to be trusted.
        pub is_stale: bool,
    }
}

/// Numbers of the market journal's record types; never re-used.
#[allow(missing_docs)] // each is the number of the record of its name
pub mod market_number {
    pub const FRAME: u16 = 1;
    pub const BODY: u16 = 2;
    pub const STREAMS: u16 = 3;
    pub const BAR: u16 = 10;
    pub const TICK: u16 = 11;
    pub const TRADE: u16 = 12;
    pub const QUOTE: u16 = 13;
    pub const MARK_PRICE: u16 = 14;
    pub const FUNDING_RATE: u16 = 15;
    pub const INDEX_PRICE: u16 = 16;
    pub const OPEN_INTEREST: u16 = 17;
    pub const LIQUIDATION: u16 = 18;
    pub const TICKER: u16 = 19;
}

/// Every record type of the market journal.
pub const MARKET_RECORDS: [RecordType; 13] = [
    RecordType::with_text::<FrameHeard>(market_number::FRAME, "payload"),
    RecordType::with_text::<BodyHeard>(market_number::BODY, "payload"),
    RecordType::with_text::<StreamsMarked>(market_number::STREAMS, "streams"),
    RecordType::of::<Bar>(market_number::BAR),
    RecordType::of::<Tick>(market_number::TICK),
    RecordType::of::<Trade>(market_number::TRADE),
    RecordType::of::<Quote>(market_number::QUOTE),
    RecordType::of::<MarkPrice>(market_number::MARK_PRICE),
    RecordType::of::<Funding>(market_number::FUNDING_RATE),
    RecordType::of::<IndexPrice>(market_number::INDEX_PRICE),
    RecordType::of::<OpenInterest>(market_number::OPEN_INTEREST),
    RecordType::of::<Liquidation>(market_number::LIQUIDATION),
    RecordType::of::<Ticker>(market_number::TICKER),
];
