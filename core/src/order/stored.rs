//! Words of orders back from the numbers that a journal holds.

use super::{
    Expiry, OrderSpec, OrderType, PositionSide, Reject, Report, ReportKind, Side, Stp, Tif,
    TriggerBy,
};
use crate::facts::{PlaceCommand, VenueReport};

impl Side {
    /// The side of a number, as stored.
    #[must_use]
    pub const fn of(number: i8) -> Option<Side> {
        match number {
            1 => Some(Side::Buy),
            -1 => Some(Side::Sell),
            _ => None,
        }
    }
}

/// The word that a number stands for, from a table in the order of the numbers.
fn word<T: Copy>(table: &[T], number: u8) -> Option<T> {
    table.get(usize::from(number)).copied()
}

impl OrderType {
    /// The type of a number, as stored.
    #[must_use]
    pub fn of(number: u8) -> Option<OrderType> {
        use OrderType::{
            Limit, Market, Stop, StopLimit, TakeProfit, TakeProfitLimit, TrailingStop,
        };
        let table = [Market, Limit, Stop, StopLimit, TakeProfit, TakeProfitLimit, TrailingStop];
        word(&table, number)
    }
}

impl Tif {
    /// The time in force of a number, as stored.
    #[must_use]
    pub fn of(number: u8) -> Option<Tif> {
        word(&[Tif::Gtc, Tif::Ioc, Tif::Fok, Tif::Gtd], number)
    }
}

impl TriggerBy {
    /// The trigger's price of a number, as stored.
    #[must_use]
    pub fn of(number: u8) -> Option<TriggerBy> {
        word(&[TriggerBy::Last, TriggerBy::Mark, TriggerBy::Index], number)
    }
}

impl Stp {
    /// The mode of a number, as stored.
    #[must_use]
    pub fn of(number: u8) -> Option<Stp> {
        use Stp::{Decrement, ExpireBoth, ExpireMaker, ExpireTaker, None, Transfer};
        word(&[None, ExpireMaker, ExpireTaker, ExpireBoth, Decrement, Transfer], number)
    }
}

impl PositionSide {
    /// The leg of a number, as stored.
    #[must_use]
    pub fn of(number: u8) -> Option<PositionSide> {
        word(&[PositionSide::Both, PositionSide::Long, PositionSide::Short], number)
    }
}

impl PlaceCommand {
    /// The terms that the record holds; `None` if a number stands for no word.
    #[must_use]
    pub fn spec(&self) -> Option<OrderSpec> {
        let mut spec = OrderSpec::new(
            self.instrument,
            Side::of(self.side)?,
            OrderType::of(self.kind)?,
            self.qty,
            self.price,
        );
        spec.tif = Tif::of(self.tif)?;
        spec.trigger_by = TriggerBy::of(self.trigger_by)?;
        spec.stp = Stp::of(self.stp)?;
        spec.position_side = PositionSide::of(self.position_side)?;
        spec.post_only = self.flags & 1 != 0;
        spec.reduce_only = self.flags & 2 != 0;
        spec.close_position = self.flags & 4 != 0;
        spec.trigger_price = self.trigger_price;
        spec.trail_bps = self.trail_bps;
        spec.activation_price = self.activation_price;
        spec.display_qty = self.display_qty;
        spec.expire_ns = self.expire_ns;
        spec.oco_group = self.oco_group;
        spec.price_protect = self.price_protect;
        Some(spec)
    }
}

impl VenueReport {
    /// The report that the record holds; `None` for a fill, which has a record of its own, and if
    /// a number stands for no word.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        let (qty, reason) = (self.qty, self.reason);
        let kind = match self.kind {
            0 => ReportKind::Accepted { qty },
            1 => ReportKind::Rejected { reason: Reject::of(reason) },
            2 => ReportKind::Triggered,
            3 => ReportKind::Canceled { left: qty, by_oco: reason != 0 },
            4 => ReportKind::CancelRejected { reason: Reject::of(reason) },
            5 => {
                let reason = Expiry::of(reason);
                ReportKind::Expired { reason, left: qty, prevented: self.extra }
            }
            // Whether the place in the queue was kept is for the matching alone.
            6 => ReportKind::Amended { qty, price: self.extra, queue_kept: false },
            7 => ReportKind::AmendRejected { reason: Reject::of(reason) },
            8 => ReportKind::Reduced { left: qty },
            9 => ReportKind::Prevented { qty: self.extra, left: qty },
            _ => return None,
        };
        Some(Report { order: self.order, ts_exchange: self.ts_exchange, kind })
    }
}
