//! What the venue says: reports on orders, and what happens to an account as a whole.

use crate::instrument::AssetId;
use crate::order::{PositionSide, Report, Side};

/// One thing that the venue says to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountReport {
    /// Row of the account table.
    pub account: u16,
    /// Open quantity of the order after this report, in quantity units; 0 where it is about none.
    pub left: i64,
    /// What it says.
    pub event: VenueEvent,
}

/// What a venue says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueEvent {
    /// About one of the account's orders.
    Order(Report),
    /// A funding payment.
    Funding {
        /// Row of the instrument table.
        instrument: u32,
        /// When it was settled, ns.
        ts_exchange: i64,
        /// Signed position that it was settled on, in quantity units.
        qty: i64,
        /// At the asset's scale; negative is paid.
        amount: i128,
        /// Row of the asset table.
        asset: AssetId,
    },
    /// Funding was due and no mark price was known: the run must not go on.
    MarkMissing {
        /// Row of the instrument table.
        instrument: u32,
        /// When it was due, ns.
        ts_exchange: i64,
    },
    /// The position was taken over at the bankruptcy price.
    Liquidated {
        /// Row of the instrument table.
        instrument: u32,
        /// When, ns.
        ts_exchange: i64,
        /// The closing side.
        side: Side,
        /// The leg, in hedge mode.
        leg: PositionSide,
        /// In quantity units; positive.
        qty: i64,
        /// In price units, cut to the unit against the trader.
        price: i64,
        /// Clearance fee at the asset's scale.
        fee: i128,
        /// Row of the asset table.
        asset: AssetId,
    },
}

impl VenueEvent {
    /// When it happened at the venue, ns.
    #[must_use]
    pub fn ts_exchange(&self) -> i64 {
        match self {
            VenueEvent::Order(report) => report.ts_exchange,
            VenueEvent::Funding { ts_exchange, .. }
            | VenueEvent::MarkMissing { ts_exchange, .. }
            | VenueEvent::Liquidated { ts_exchange, .. } => *ts_exchange,
        }
    }
}

/// Why we believe that an order would have traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A print went through its price.
    Through,
    /// A print at its price, after those ahead.
    AtPrice,
    /// The replayed book came to its price.
    Crossing,
    /// It took what the replayed book or the estimated quote showed, or the next print.
    Walk,
    /// The path of a bar.
    Path,
    /// It met an order of this venue.
    Own,
}

/// Number of fills by evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EvidenceCounts {
    /// See [`Evidence::Through`].
    pub through: u64,
    /// See [`Evidence::AtPrice`].
    pub at_price: u64,
    /// See [`Evidence::Crossing`].
    pub crossing: u64,
    /// See [`Evidence::Walk`].
    pub walk: u64,
    /// See [`Evidence::Path`].
    pub path: u64,
    /// See [`Evidence::Own`].
    pub own: u64,
}

impl EvidenceCounts {
    /// Counts one fill.
    pub fn add(&mut self, evidence: Evidence) {
        let count = match evidence {
            Evidence::Through => &mut self.through,
            Evidence::AtPrice => &mut self.at_price,
            Evidence::Crossing => &mut self.crossing,
            Evidence::Walk => &mut self.walk,
            Evidence::Path => &mut self.path,
            Evidence::Own => &mut self.own,
        };
        *count += 1;
    }
}
