//! An order as bytes, field by field: for snapshots, and for the hash of a desk's state.

use super::{Ending, Order, Pending};
use crate::facts::PlaceCommand;
use crate::record::{FieldValue, Record};

impl Ending {
    const fn numbers(self) -> (u8, u8) {
        match self {
            Ending::Absent => (1, 0),
            Ending::Refused => (2, 0),
            Ending::Rejected(reason) => (3, reason),
            Ending::Expired(reason) => (4, reason),
            Ending::Canceled => (5, 0),
        }
    }

    const fn of(kind: u8, reason: u8) -> Option<Option<Ending>> {
        Some(match kind {
            0 => None,
            1 => Some(Ending::Absent),
            2 => Some(Ending::Refused),
            3 => Some(Ending::Rejected(reason)),
            4 => Some(Ending::Expired(reason)),
            5 => Some(Ending::Canceled),
            _ => return Option::None,
        })
    }
}

impl Pending {
    const fn of(number: u8) -> Option<Pending> {
        match number {
            0 => Some(Pending::None),
            1 => Some(Pending::Sent),
            2 => Some(Pending::Unknown),
            _ => None,
        }
    }
}

impl Order {
    /// Appends every field but the outside handles.
    pub fn put(&self, out: &mut Vec<u8>) {
        self.put_own(out);
        (self.legs.len() as u32).put(out);
        self.legs.iter().for_each(|leg| leg.put_own(out));
    }

    fn put_own(&self, out: &mut Vec<u8>) {
        let terms =
            PlaceCommand::of(self.id, self.account, self.strategy, &self.spec, self.arrival_mid2);
        terms.put(out);
        for ts in [self.ts_created, self.ts_accepted, self.ts_closed] {
            ts.put(out);
        }
        for fact in [self.accepted, self.triggered, self.disputed] {
            fact.put(out);
        }
        let (kind, reason) = self.ending.map_or((0, 0), Ending::numbers);
        kind.put(out);
        reason.put(out);
        self.filled_qty.put(out);
        self.venue_filled_qty.put(out);
        self.filled_value.put(out);
        for pending in [self.place, self.amend, self.cancel] {
            (pending as u8).put(out);
        }
        for figure in [self.asked.0, self.asked.1, self.terms_ts, self.price_ts, self.reduced_ts] {
            figure.put(out);
        }
        (self.trades.len() as u32).put(out);
        for (trade_id, ts, qty) in &self.trades {
            trade_id.put(out);
            ts.put(out);
            qty.put(out);
        }
        let refusal = self.refusal.as_deref().unwrap_or_default();
        (refusal.len() as u32).put(out);
        out.extend_from_slice(refusal.as_bytes());
    }

    /// Reads what [`put`](Self::put) wrote; `None` if the bytes are not that.
    pub fn take(bytes: &mut &[u8]) -> Option<Order> {
        let mut order = Order::take_own(bytes)?;
        for _ in 0..u32::take(bytes)? {
            order.legs.push(Order::take_own(bytes)?);
        }
        Some(order)
    }

    fn take_own(bytes: &mut &[u8]) -> Option<Order> {
        let terms = PlaceCommand::take(bytes)?;
        let spec = terms.spec()?;
        let ts_created = i64::take(bytes)?;
        let mut order = Order::new(terms.order, terms.account, terms.strategy, spec, ts_created);
        order.arrival_mid2 = terms.arrival_mid2;
        (order.ts_accepted, order.ts_closed) = (i64::take(bytes)?, i64::take(bytes)?);
        order.accepted = bool::take(bytes)?;
        order.triggered = bool::take(bytes)?;
        order.disputed = bool::take(bytes)?;
        order.ending = Ending::of(u8::take(bytes)?, u8::take(bytes)?)?;
        order.filled_qty = i64::take(bytes)?;
        order.venue_filled_qty = i64::take(bytes)?;
        order.filled_value = i128::take(bytes)?;
        order.place = Pending::of(u8::take(bytes)?)?;
        order.amend = Pending::of(u8::take(bytes)?)?;
        order.cancel = Pending::of(u8::take(bytes)?)?;
        order.asked = (i64::take(bytes)?, i64::take(bytes)?);
        order.terms_ts = i64::take(bytes)?;
        order.price_ts = i64::take(bytes)?;
        order.reduced_ts = i64::take(bytes)?;
        for _ in 0..u32::take(bytes)? {
            order.trades.push((u64::take(bytes)?, i64::take(bytes)?, i64::take(bytes)?));
        }
        let length = u32::take(bytes)? as usize;
        let (text, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        order.refusal = match std::str::from_utf8(text).ok()? {
            "" => None,
            text => Some(text.into()),
        };
        Some(order)
    }
}
