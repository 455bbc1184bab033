//! Record types that only a live or paper engine writes: doubt, evidence, and what others do to
//! the account.
//!
//! Each is an input of the desk: applying the record to a desk does again what happened.

use crate::journal::RecordType;
use crate::record;

use super::{number, RECORDS};

record! {
    /// A request's outcome is not known (0), or it never left (1); its text is the reason.
    pub struct RequestDoubt {
        /// Handle of the order.
        pub order: u64,
        /// [`crate::order_state::Asked`].
        pub asked: u8,
        /// See the record.
        pub outcome: u8,
    }
}

record! {
    /// A query or a listing showed an order as the venue has it.
    pub struct OrderFound {
        /// Handle of the order.
        pub order: u64,
        /// When the venue last changed it, ns.
        pub ts_exchange: i64,
        /// When the venue created it, ns; 0 if not said.
        pub ts_created: i64,
        /// [`crate::order_state::FoundStatus`].
        pub status: u8,
        /// Why it was refused or expired, as in [`super::VenueReport`].
        pub reason: u8,
        /// Cumulative filled quantity.
        pub filled_qty: i64,
        /// Mean price of the fills, at price scale and cut; 0 if not said. A check, never booked.
        pub avg_price: i64,
        /// Total quantity; 0 if not said.
        pub qty: i64,
        /// Price; 0 if not said.
        pub price: i64,
        /// The venue's own number; 0 if not said.
        pub venue_order_id: u64,
    }
}

record! {
    /// The venue has no trace of a request, past the time in which it could have acted on it; its
    /// text says which listing proves it. Revisable: any sign of life outweighs it.
    pub struct RequestAbsent {
        /// Handle of the order.
        pub order: u64,
        /// [`crate::order_state::Asked`].
        pub asked: u8,
        /// Up to when the listing speaks, ns at the venue.
        pub ts_exchange: i64,
    }
}

record! {
    /// What the venue said with the refusal before it in the batch; its text is the venue's.
    pub struct VenueWords {
        /// Handle of the order.
        pub order: u64,
        /// The venue's code.
        pub code: i64,
    }
}

record! {
    /// An order's number at the venue is known.
    pub struct VenueId {
        /// Handle of the order.
        pub order: u64,
        /// The venue's own number.
        pub venue_order_id: u64,
    }
}

record! {
    /// The venue counts more as filled than the fills that we have: trades are to be fetched.
    pub struct CumulativeQty {
        /// Handle of the order.
        pub order: u64,
        /// When at the venue.
        pub ts_exchange: i64,
        /// Filled quantity by the venue's count.
        pub filled_qty: i64,
    }
}

record! {
    /// An order that this engine did not send was seen and is shown from here on; its text is the
    /// client id that the venue names.
    pub struct ExternalOrder {
        /// Handle that it got.
        pub order: u64,
        /// Row of the account table.
        pub account: u16,
        /// Row of the instrument table.
        pub instrument: u32,
        /// The venue's own number; 0 if not said.
        pub venue_order_id: u64,
        /// When at the venue.
        pub ts_exchange: i64,
        /// [`crate::desk::Origin`].
        pub origin: u8,
        /// +1 buys, -1 sells.
        pub side: i8,
        /// [`crate::order::OrderType`].
        pub kind: u8,
        /// [`crate::order::Tif`].
        pub tif: u8,
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
    }
}

record! {
    /// A report of an order that nobody here knows yet; its text is the client id. It is kept until
    /// the order is known.
    pub struct ParkedReport {
        /// Row of the account table.
        pub account: u16,
        /// Row of the instrument table.
        pub instrument: u32,
        /// The venue's own number of the order; 0 if not said.
        pub venue_order_id: u64,
        /// When at the venue.
        pub ts_exchange: i64,
        /// As in [`super::VenueReport`]; 10 is a fill, 11 a count of what is filled.
        pub kind: u8,
        /// As there.
        pub reason: u8,
        /// As there; of a fill its quantity, of a count all that is filled.
        pub qty: i64,
        /// As there; of a fill its price.
        pub extra: i64,
        /// Of a fill.
        pub trade_id: u64,
        /// Of a fill.
        pub is_maker: bool,
        /// Of a fill, at the scale of `fee_asset`.
        pub fee: i128,
        /// Of a fill: row of the asset table.
        pub fee_asset: u16,
        /// Of a fill: whether the venue said what profit it realised.
        pub has_realised: bool,
        /// Of a fill: that profit, at the scale of the settlement asset.
        pub realised: i128,
    }
}

record! {
    /// The profit that the venue says the fill before it in the batch realised.
    pub struct VenueProfit {
        /// Handle of the order.
        pub order: u64,
        /// At the scale of the settlement asset.
        pub realised: i128,
    }
}

record! {
    /// Money moved without a trade.
    pub struct CashMoved {
        /// Row of the account table.
        pub account: u16,
        /// Row of the asset table.
        pub asset: u16,
        /// [`crate::desk::CashKind`].
        pub kind: u8,
        /// Row of the instrument table; the largest number for none.
        pub instrument: u32,
        /// At the asset's scale; positive is received.
        pub amount: i128,
        /// When at the venue.
        pub ts_exchange: i64,
        /// The venue's number of the entry, so that each counts once; 0 if it has none.
        pub entry_id: u64,
    }
}

record! {
    /// The venue stated a balance.
    pub struct BalanceStated {
        /// Row of the account table.
        pub account: u16,
        /// Row of the asset table.
        pub asset: u16,
        /// Wallet balance at the asset's scale, profit that is not realised left out.
        pub wallet: i128,
        /// As of when, ns at the venue.
        pub ts_exchange: i64,
    }
}

record! {
    /// The venue stated a position.
    pub struct PositionStated {
        /// Row of the account table.
        pub account: u16,
        /// Row of the instrument table.
        pub instrument: u32,
        /// [`crate::order::PositionSide`].
        pub position_side: u8,
        /// Signed, in quantity units.
        pub qty: i64,
        /// As of when, ns at the venue.
        pub ts_exchange: i64,
    }
}

record! {
    /// What we have and what the venue states differ; its text says it in words.
    pub struct Differs {
        /// Row of the account table.
        pub account: u16,
        /// [`crate::desk::DifferenceKind`].
        pub kind: u8,
        /// Row of the asset or instrument table, by kind.
        pub row: u32,
        /// [`crate::order::PositionSide`].
        pub position_side: u8,
        /// Ours.
        pub ours: i128,
        /// The venue's.
        pub theirs: i128,
    }
}

record! {
    /// A strategy, or an account's instrument, may not give orders any more, or may again; its text
    /// is the reason.
    pub struct Frozen {
        /// Row of the account table; the largest number for every one.
        pub account: u16,
        /// Row of the strategy table; the largest number for every one.
        pub strategy: u16,
        /// Row of the instrument table; the largest number for every one.
        pub instrument: u32,
        /// Whether it begins or ends.
        pub on: bool,
    }
}

record! {
    /// The engine started: client ids carry this epoch and instance from this handle on.
    pub struct Epoch {
        /// Raised at each start.
        pub epoch: u32,
        /// Number of the engine among those that share a key.
        pub instance: u32,
        /// First handle of the epoch.
        pub first_order: u64,
    }
}

record! {
    /// A timer of a strategy was due.
    pub struct TimerDue {
        /// Row of the strategy table.
        pub strategy: u16,
        /// The strategy's own number of the timer.
        pub timer: u32,
        /// When it was due, ns.
        pub due_ns: i64,
    }
}

record! {
    /// Leverage and margin mode of an instrument in an account, as the venue has them.
    pub struct AccountSetting {
        /// Row of the account table.
        pub account: u16,
        /// Row of the instrument table.
        pub instrument: u32,
        /// Whole number, at least 1.
        pub leverage: i64,
    }
}

record! {
    /// Which leg of its order the first record of the batch is about; without this one it is the
    /// first. After an amendment: that it cancels the leg at work and places this one.
    pub struct OrderLeg {
        /// Handle of the order.
        pub order: u64,
        /// Counts the orders at the venue that took its place, from 1.
        pub leg: u32,
    }
}

record! {
    /// The fill before it in the batch was told without its fee, which is still to come.
    pub struct FeeDue {
        /// Handle of the order.
        pub order: u64,
        /// The venue's number of the trade.
        pub trade_id: u64,
    }
}

record! {
    /// The fee of a fill that was told without it.
    pub struct FillFee {
        /// Handle of the order.
        pub order: u64,
        /// The venue's number of the trade.
        pub trade_id: u64,
        /// When at the venue.
        pub ts_exchange: i64,
        /// At the scale of `fee_asset`; positive is paid.
        pub fee: i128,
        /// Row of the asset table.
        pub fee_asset: u16,
    }
}

/// Every record type of a live engine's trading journal: the backtest's, then those above.
pub const LIVE_RECORDS: [RecordType; 32] = {
    let mut all = [RECORDS[0]; 32];
    let mut at = 0;
    while at < RECORDS.len() {
        all[at] = RECORDS[at];
        at += 1;
    }
    let own = [
        RecordType::with_text::<RequestDoubt>(number::DOUBT, "text"),
        RecordType::of::<OrderFound>(number::FOUND),
        RecordType::with_text::<RequestAbsent>(number::ABSENT, "text"),
        RecordType::with_text::<VenueWords>(number::WORDS, "text"),
        RecordType::of::<VenueId>(number::VENUE_ID),
        RecordType::of::<CumulativeQty>(number::CUMULATIVE),
        RecordType::with_text::<ExternalOrder>(number::EXTERNAL, "text"),
        RecordType::with_text::<ParkedReport>(number::PARKED, "text"),
        RecordType::of::<CashMoved>(number::CASH),
        RecordType::of::<BalanceStated>(number::BALANCE),
        RecordType::of::<PositionStated>(number::POSITION),
        RecordType::with_text::<Differs>(number::DIFFERS, "text"),
        RecordType::with_text::<Frozen>(number::FROZEN, "text"),
        RecordType::of::<Epoch>(number::EPOCH),
        RecordType::of::<TimerDue>(number::TIMER),
        RecordType::of::<AccountSetting>(number::SETTING),
        RecordType::of::<VenueProfit>(number::PROFIT),
        RecordType::of::<OrderLeg>(number::LEG),
        RecordType::of::<FeeDue>(number::FEE_DUE),
        RecordType::of::<FillFee>(number::FEE),
    ];
    while at < all.len() {
        all[at] = own[at - RECORDS.len()];
        at += 1;
    }
    all
};
