//! The record types of the `trading` journal: everything that recovery, review and a report need.
//!
//! Numbers are never re-used and fields are only appended, so that a journal of any age can be
//! read. The first field of most is `order`, the handle that [`crate::order`] speaks of. Text (a
//! reason, a tag) follows a record as one variable byte string.

mod market;
mod outside;

pub use market::{market_number, BodyHeard, FrameHeard, StreamsMarked, MARKET_RECORDS};
pub use outside::{
    AccountSetting, BalanceStated, CashMoved, CumulativeQty, Differs, Epoch, ExternalOrder, FeeDue,
    FillFee, Frozen, OrderFound, OrderLeg, ParkedReport, PositionStated, RequestAbsent,
    RequestDoubt, TimerDue, VenueId, VenueProfit, VenueWords, LIVE_RECORDS,
};

use crate::journal::RecordType;
use crate::order::{OrderSpec, Report, ReportKind};
use crate::record;

record! {
    /// A strategy gave an order; its text is `why`, a zero byte, `tag`. Unless a `Refused` follows
    /// in the same batch, its request may have left.
    pub struct PlaceCommand {
        /// Handle of the order.
        pub order: u64,
        /// Row of the account table.
        pub account: u16,
        /// Row of the strategy table.
        pub strategy: u16,
        /// Row of the instrument table.
        pub instrument: u32,
        /// +1 buys, -1 sells.
        pub side: i8,
        /// [`crate::order::OrderType`].
        pub kind: u8,
        /// [`crate::order::Tif`].
        pub tif: u8,
        /// [`crate::order::TriggerBy`].
        pub trigger_by: u8,
        /// [`crate::order::Stp`].
        pub stp: u8,
        /// [`crate::order::PositionSide`].
        pub position_side: u8,
        /// Bit 0 post-only, 1 reduce-only, 2 close-position.
        pub flags: u8,
        /// In quantity units.
        pub qty: i64,
        /// In price units.
        pub price: i64,
        /// In price units.
        pub trigger_price: i64,
        /// Hundredths of a per cent.
        pub trail_bps: i64,
        /// In price units.
        pub activation_price: i64,
        /// In quantity units.
        pub display_qty: i64,
        /// Nanoseconds.
        pub expire_ns: i64,
        /// One-cancels-other group.
        pub oco_group: u32,
        /// Mid price when it was given, in half price units; 0 if unknown.
        pub arrival_mid2: i64,
        /// Largest gap between last and mark price at the trigger, at rate scale; 0 is none.
        pub price_protect: i64,
    }
}

impl PlaceCommand {
    /// The record of an order's terms.
    #[must_use]
    pub fn of(order: u64, account: u16, strategy: u16, s: &OrderSpec, arrival_mid2: i64) -> Self {
        PlaceCommand {
            order,
            account,
            strategy,
            instrument: s.instrument,
            side: s.side as i8,
            kind: s.kind as u8,
            tif: s.tif as u8,
            trigger_by: s.trigger_by as u8,
            stp: s.stp as u8,
            position_side: s.position_side as u8,
            flags: u8::from(s.post_only)
                | (u8::from(s.reduce_only) << 1)
                | (u8::from(s.close_position) << 2),
            qty: s.qty,
            price: s.price,
            trigger_price: s.trigger_price,
            trail_bps: s.trail_bps,
            activation_price: s.activation_price,
            display_qty: s.display_qty,
            expire_ns: s.expire_ns,
            oco_group: s.oco_group,
            arrival_mid2,
            price_protect: s.price_protect,
        }
    }
}

record! {
    /// A strategy asked to end an order.
    pub struct CancelCommand {
        /// Handle of the order.
        pub order: u64,
        /// Row of the strategy table.
        pub strategy: u16,
    }
}

record! {
    /// A strategy asked to change an order.
    pub struct AmendCommand {
        /// Handle of the order.
        pub order: u64,
        /// Row of the strategy table.
        pub strategy: u16,
        /// New total quantity.
        pub qty: i64,
        /// New price.
        pub price: i64,
    }
}

record! {
    /// A risk rule refused a command; its text is the rule, a colon and the detail.
    pub struct Refused {
        /// Handle of the order.
        pub order: u64,
        /// Row of the strategy table.
        pub strategy: u16,
        /// What was refused: 0 the order, 1 an amendment of it.
        pub request: u8,
    }
}

record! {
    /// The venue said something about an order that is not a fill.
    pub struct VenueReport {
        /// Handle of the order.
        pub order: u64,
        /// When at the venue.
        pub ts_exchange: i64,
        /// 0 accepted, 1 rejected, 2 triggered, 3 canceled, 4 cancel rejected, 5 expired,
        /// 6 amended, 7 amend rejected, 8 reduced, 9 prevented.
        pub kind: u8,
        /// [`crate::order::Reject`] or [`crate::order::Expiry`]; 1 for a cancel by its sibling.
        pub reason: u8,
        /// Quantity that the report carries: total when accepted or amended, else what is left.
        pub qty: i64,
        /// Price of an amended order; quantity prevented.
        pub extra: i64,
    }
}

impl VenueReport {
    /// The journal's form of a report that is not a fill.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let (kind, reason, qty, extra) = match report.kind {
            ReportKind::Accepted { qty } => (0, 0, qty, 0),
            ReportKind::Rejected { reason } => (1, reason as u8, 0, 0),
            ReportKind::Triggered => (2, 0, 0, 0),
            ReportKind::Canceled { left, by_oco } => (3, u8::from(by_oco), left, 0),
            ReportKind::CancelRejected { reason } => (4, reason as u8, 0, 0),
            ReportKind::Expired { reason, left, prevented } => (5, reason as u8, left, prevented),
            ReportKind::Amended { qty, price, queue_kept: _ } => (6, 0, qty, price),
            ReportKind::AmendRejected { reason } => (7, reason as u8, 0, 0),
            ReportKind::Reduced { left } => (8, 0, left, 0),
            ReportKind::Prevented { qty, left } => (9, 0, left, qty),
            ReportKind::Filled(fill) => (10, 0, fill.qty, fill.price),
        };
        VenueReport {
            order: report.order,
            ts_exchange: report.ts_exchange,
            kind,
            reason,
            qty,
            extra,
        }
    }
}

record! {
    /// The venue reported an execution of ours.
    pub struct Fill {
        /// Handle of the order.
        pub order: u64,
        /// When at the venue.
        pub ts_exchange: i64,
        /// The venue's number of the trade.
        pub trade_id: u64,
        /// Row of the account table.
        pub account: u16,
        /// Row of the strategy table.
        pub strategy: u16,
        /// Row of the instrument table.
        pub instrument: u32,
        /// +1 bought, -1 sold.
        pub side: i8,
        /// True if the order was resting.
        pub is_maker: bool,
        /// In quantity units.
        pub qty: i64,
        /// In price units.
        pub price: i64,
        /// At the scale of `fee_asset`; positive is paid.
        pub fee: i128,
        /// Row of the asset table.
        pub fee_asset: u16,
        /// Profit that the account book realised, at the scale of the settlement asset.
        pub realised: i128,
    }
}

record! {
    /// A deposit (or, negative, a withdrawal).
    pub struct Deposit {
        /// Row of the account table.
        pub account: u16,
        /// Row of the asset table.
        pub asset: u16,
        /// At the asset's scale.
        pub amount: i128,
    }
}

record! {
    /// Funding was exchanged on a position.
    pub struct FundingPaid {
        /// Row of the account table.
        pub account: u16,
        /// Row of the instrument table.
        pub instrument: u32,
        /// At rate scale.
        pub rate: i64,
        /// Mark price at mark scale.
        pub mark: i64,
        /// What the account received, at the scale of the settlement asset; negative was paid.
        pub amount: i128,
    }
}

record! {
    /// A mark on which a verdict, a margin or a balance depended.
    pub struct Mark {
        /// Row of the instrument table.
        pub instrument: u32,
        /// At mark scale.
        pub mark: i64,
    }
}

record! {
    /// A strategy's parameter has a value from here on; text is `name=value`.
    pub struct Parameter {
        /// Row of the strategy table.
        pub strategy: u16,
        /// Counts the versions of the strategy's parameters from 1.
        pub version: u32,
    }
}

record! {
    /// A strategy started (0), stopped (1), was stopped by an error (2), by a breaker (3),
    /// or by its stop policy at the end of the run (4); the text says why.
    pub struct StrategyState {
        /// Row of the strategy table.
        pub strategy: u16,
        /// See the record.
        pub state: u8,
    }
}

record! {
    /// State that a strategy saved; the text holds the bytes.
    pub struct SavedState {
        /// Row of the strategy table.
        pub strategy: u16,
    }
}

/// Numbers of the record types; never re-used.
#[allow(missing_docs)] // each is the number of the record of its name
pub mod number {
    pub const PLACE: u16 = 1;
    pub const CANCEL: u16 = 2;
    pub const AMEND: u16 = 3;
    pub const REFUSED: u16 = 4;
    // 5 was "sent", which a batch without a refusal says as well; it is not used again.
    pub const REPORT: u16 = 6;
    pub const FILL: u16 = 7;
    pub const DEPOSIT: u16 = 8;
    pub const FUNDING: u16 = 9;
    pub const MARK: u16 = 10;
    pub const PARAMETER: u16 = 11;
    pub const STRATEGY_STATE: u16 = 12;
    pub const SAVED_STATE: u16 = 13;
    pub const DOUBT: u16 = 14;
    pub const FOUND: u16 = 15;
    pub const ABSENT: u16 = 16;
    pub const WORDS: u16 = 17;
    pub const VENUE_ID: u16 = 18;
    pub const CUMULATIVE: u16 = 19;
    pub const EXTERNAL: u16 = 20;
    pub const PARKED: u16 = 21;
    pub const CASH: u16 = 22;
    pub const BALANCE: u16 = 23;
    pub const POSITION: u16 = 24;
    pub const DIFFERS: u16 = 25;
    pub const FROZEN: u16 = 26;
    pub const EPOCH: u16 = 27;
    pub const TIMER: u16 = 28;
    pub const SETTING: u16 = 29;
    pub const PROFIT: u16 = 30;
    pub const LEG: u16 = 31;
    pub const FEE_DUE: u16 = 32;
    pub const FEE: u16 = 33;
}

/// Every record type of a backtest's trading journal; [`LIVE_RECORDS`] has more.
pub const RECORDS: [RecordType; 12] = [
    RecordType::with_text::<PlaceCommand>(number::PLACE, "text"),
    RecordType::of::<CancelCommand>(number::CANCEL),
    RecordType::of::<AmendCommand>(number::AMEND),
    RecordType::with_text::<Refused>(number::REFUSED, "text"),
    RecordType::of::<VenueReport>(number::REPORT),
    RecordType::of::<Fill>(number::FILL),
    RecordType::of::<Deposit>(number::DEPOSIT),
    RecordType::of::<FundingPaid>(number::FUNDING),
    RecordType::of::<Mark>(number::MARK),
    RecordType::with_text::<Parameter>(number::PARAMETER, "text"),
    RecordType::with_text::<StrategyState>(number::STRATEGY_STATE, "text"),
    RecordType::with_text::<SavedState>(number::SAVED_STATE, "text"),
];
