//! The desk's trading state as bytes, field by field, and their hash.
//!
//! The hash says whether two desks are in the same state: a recovered one and the one that wrote
//! the journal, a standby and its primary. What is left out is the market's (books, marks, the
//! market sequence) and what nothing in the journal has caused yet (an order whose command still
//! waits for its turn).

use super::outside::DifferenceKind;
use super::{Counts, Desk, Origin, Recovery};
use crate::facts::{Epoch, ParkedReport, PlaceCommand};
use crate::journal::Hash;
use crate::order_state::Order;
use crate::record::{stored_size, FieldValue, Record};

/// First bytes of a snapshot; the last two digits are its version.
const MAGIC: [u8; 8] = *b"VELOZS03";

impl Desk {
    /// Hash of the trading state after the last committed batch.
    #[must_use]
    pub fn state_hash(&self) -> Hash {
        let mut bytes = Vec::new();
        self.put_state(&mut bytes);
        *blake3::hash(&bytes).as_bytes()
    }

    /// The trading state after the last committed batch, with its sequence; the last bytes are
    /// the hash of those before.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        self.journal.sequence().put(&mut bytes);
        self.market_seq.put(&mut bytes);
        self.put_state(&mut bytes);
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        bytes
    }

    /// Puts a fresh desk, made with the same tables and accounts, into the state of a snapshot.
    /// Recovery then goes on from its sequence.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the snapshot.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<Recovery, String> {
        let (body, hash) = snapshot.split_last_chunk::<32>().ok_or("the snapshot is cut")?;
        if *blake3::hash(body).as_bytes() != *hash {
            return Err("the snapshot does not match its hash; use an older one".to_owned());
        }
        let rest = body.strip_prefix(&MAGIC);
        let rest = &mut rest.ok_or("the snapshot has another version; use the journal alone")?;
        let figures = (u64::take(rest), u64::take(rest));
        let (Some(sequence), Some(market_sequence)) = figures else {
            return Err("the snapshot is cut".to_owned());
        };
        let other = "the snapshot is of an engine with other tables or accounts";
        self.take_state(rest).ok_or(other)?;
        if !rest.is_empty() {
            return Err(other.to_owned());
        }
        self.pin_market(market_sequence);
        let mut recovery = Recovery { sequence, market_sequence, ..Recovery::default() };
        for (strategy, (at, state)) in &self.outside.saved {
            recovery.note_saved(*strategy, *at, state);
        }
        Ok(recovery)
    }

    fn put_state(&self, out: &mut Vec<u8>) {
        let now = self.journal.committed_ns();
        now.put(out);
        let counts = &self.counts;
        for count in [counts.orders, counts.refused, counts.rejected, counts.fills, counts.cancels]
        {
            count.put(out);
        }
        // Also those whose time is over while none has ended since: they still take reports.
        let known = self.orders.known();
        (known.len() as u32).put(out);
        for (ended_ns, order) in &known {
            ended_ns.put(out);
            order.put(out);
        }
        self.next_known(&known).put(out);
        self.accounts.put(out);
        put_trimmed(&self.positions, 0, out);
        put_trimmed(&self.leverage, 1, out);
        let since = now - self.limits.rate_window_ns;
        let rates: Vec<Vec<i64>> =
            self.rate.iter().map(|window| window.times_since(since).collect()).collect();
        let used = rates.iter().rposition(|times| !times.is_empty()).map_or(0, |at| at + 1);
        (used as u32).put(out);
        rates[..used].iter().for_each(|times| put_trimmed(times, i64::MIN, out));
        self.put_outside(&known, out);
    }

    /// The handle that the next order gets if nothing waits for its turn.
    ///
    /// Somebody else's order may have been shown while a command waited: then the handle of the
    /// command is behind the last one, and none is free before it.
    fn next_known(&self, known: &[(i64, &Order)]) -> u64 {
        let last = known.last().map_or(0, |(_, order)| order.id);
        let is_unborn = |id: u64| self.orders.get(id).is_some_and(Order::is_unborn);
        let unborn = self.orders.open().iter().copied().find(|&id| id > last && is_unborn(id));
        unborn.unwrap_or(self.orders.next_id())
    }

    fn put_outside(&self, known: &[(i64, &Order)], out: &mut Vec<u8>) {
        let outside = &self.outside;
        (outside.epochs.len() as u32).put(out);
        outside.epochs.iter().for_each(|epoch| epoch.put(out));
        // Names of orders that nobody remembers any more say nothing.
        let is_known = |id: u64| known.binary_search_by_key(&id, |(_, order)| order.id).is_ok();
        let named: Vec<_> = outside.venue_ids.iter().filter(|((id, _), _)| is_known(*id)).collect();
        (named.len() as u32).put(out);
        for ((id, leg), venue_order_id) in named {
            id.put(out);
            leg.put(out);
            venue_order_id.put(out);
        }
        let origins: Vec<_> = outside.origins.iter().filter(|(id, _)| is_known(**id)).collect();
        (origins.len() as u32).put(out);
        for (id, (origin, text)) in origins {
            id.put(out);
            (*origin as u8).put(out);
            put_text(text, out);
        }
        let missing: Vec<_> = outside.missing.iter().filter(|id| is_known(**id)).collect();
        (missing.len() as u32).put(out);
        missing.into_iter().for_each(|id| id.put(out));
        let due: Vec<_> = outside.fees_due.iter().filter(|((id, _), _)| is_known(*id)).collect();
        (due.len() as u32).put(out);
        for ((id, trade_id), price) in due {
            id.put(out);
            trade_id.put(out);
            price.put(out);
        }
        (outside.parked.len() as u32).put(out);
        for (report, client_id) in &outside.parked {
            report.put(out);
            put_text(client_id, out);
        }
        (outside.frozen.len() as u32).put(out);
        for ((account, strategy, instrument), reason) in &outside.frozen {
            account.put(out);
            strategy.put(out);
            instrument.put(out);
            put_text(reason, out);
        }
        (outside.cash_times.len() as u32).put(out);
        for (account, ts_exchange, entry_id) in &outside.cash_times {
            account.put(out);
            ts_exchange.put(out);
            entry_id.put(out);
        }
        (outside.differences.len() as u32).put(out);
        for ((account, kind, row, side), (ours, theirs)) in &outside.differences {
            account.put(out);
            (*kind as u8).put(out);
            row.put(out);
            side.put(out);
            ours.put(out);
            theirs.put(out);
        }
        (outside.saved.len() as u32).put(out);
        for (strategy, (sequence, state)) in &outside.saved {
            strategy.put(out);
            sequence.put(out);
            put_bytes(state, out);
        }
    }

    fn take_state(&mut self, bytes: &mut &[u8]) -> Option<()> {
        self.now_ns = i64::take(bytes)?;
        self.journal.resume_clock(self.now_ns);
        self.counts = Counts {
            orders: u64::take(bytes)?,
            refused: u64::take(bytes)?,
            rejected: u64::take(bytes)?,
            fills: u64::take(bytes)?,
            cancels: u64::take(bytes)?,
        };
        let count = u32::take(bytes)?;
        // A hostile count is no reason to ask for memory: no order takes fewer bytes than this.
        let room = (count as usize).min(bytes.len() / stored_size(PlaceCommand::FIELDS));
        let mut ids = Vec::with_capacity(room);
        let (mut ended, mut ends) = (Vec::with_capacity(room), Vec::with_capacity(room));
        for _ in 0..count {
            let ended_ns = i64::take(bytes)?;
            let order = Order::take(bytes)?;
            ids.push((order.id, order.account, order.spec.instrument));
            if ended_ns == 0 {
                self.orders.insert_as(order);
            } else {
                ends.push((ended_ns, order.id));
                ended.push((order.id, Box::new(order)));
            }
        }
        self.orders.insert_ended(ended, ends);
        self.orders.continue_at(u64::take(bytes)?);
        self.accounts.restore(bytes)?;
        self.settled = None;
        self.positions = take_list(bytes)?;
        self.leverage = take_list(bytes)?;
        for account in 0..u32::take(bytes)? as usize {
            self.rate.resize_with((account + 1).max(self.rate.len()), Default::default);
            for ts in take_list(bytes)? {
                self.rate[account].push(ts);
            }
        }
        self.take_outside(&ids, bytes)
    }

    fn take_outside(&mut self, ids: &[(u64, u16, u32)], bytes: &mut &[u8]) -> Option<()> {
        let outside = &mut self.outside;
        for _ in 0..u32::take(bytes)? {
            outside.epochs.push(Epoch::take(bytes)?);
        }
        let mut names = Vec::new();
        for _ in 0..u32::take(bytes)? {
            names.push(((u64::take(bytes)?, u32::take(bytes)?), u64::take(bytes)?));
        }
        let mut numbers = Vec::with_capacity(names.len());
        for &((id, leg), venue_order_id) in &names {
            let at = ids.binary_search_by_key(&id, |(id, ..)| *id).ok()?;
            numbers.push(((ids[at].1, ids[at].2, venue_order_id), (id, leg)));
        }
        outside.venue_ids = names.into_iter().collect();
        outside.by_venue_id = numbers.into_iter().collect();
        for _ in 0..u32::take(bytes)? {
            let (id, origin) = (u64::take(bytes)?, Origin::of(u8::take(bytes)?)?);
            outside.origins.insert(id, (origin, take_text(bytes)?));
        }
        for _ in 0..u32::take(bytes)? {
            outside.missing.insert(u64::take(bytes)?);
        }
        for _ in 0..u32::take(bytes)? {
            let of = (u64::take(bytes)?, u64::take(bytes)?);
            outside.fees_due.insert(of, i64::take(bytes)?);
        }
        for _ in 0..u32::take(bytes)? {
            outside.parked.push((ParkedReport::take(bytes)?, take_text(bytes)?));
        }
        for _ in 0..u32::take(bytes)? {
            let scope = (u16::take(bytes)?, u16::take(bytes)?, u32::take(bytes)?);
            outside.frozen.insert(scope, take_text(bytes)?);
        }
        for _ in 0..u32::take(bytes)? {
            let (account, ts_exchange) = (u16::take(bytes)?, i64::take(bytes)?);
            outside.put_back_cash(account, ts_exchange, u64::take(bytes)?);
        }
        for _ in 0..u32::take(bytes)? {
            let account = u16::take(bytes)?;
            let kind = match u8::take(bytes)? {
                0 => DifferenceKind::Balance,
                1 => DifferenceKind::Position,
                _ => return None,
            };
            let place = (account, kind, u32::take(bytes)?, u8::take(bytes)?);
            outside.differences.insert(place, (i128::take(bytes)?, i128::take(bytes)?));
        }
        for _ in 0..u32::take(bytes)? {
            let (strategy, sequence) = (u16::take(bytes)?, u64::take(bytes)?);
            outside.saved.insert(strategy, (sequence, take_bytes(bytes)?.into()));
        }
        Some(())
    }
}

/// A list without its tail of values that say nothing.
fn put_trimmed(values: &[i64], blank: i64, out: &mut Vec<u8>) {
    let used = values.iter().rposition(|&value| value != blank).map_or(0, |at| at + 1);
    (used as u32).put(out);
    values[..used].iter().for_each(|value| value.put(out));
}

fn take_list(bytes: &mut &[u8]) -> Option<Vec<i64>> {
    (0..u32::take(bytes)?).map(|_| i64::take(bytes)).collect()
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_bytes(text.as_bytes(), out);
}

fn put_bytes(value: &[u8], out: &mut Vec<u8>) {
    (value.len() as u32).put(out);
    out.extend_from_slice(value);
}

fn take_text(bytes: &mut &[u8]) -> Option<Box<str>> {
    Some(std::str::from_utf8(take_bytes(bytes)?).ok()?.into())
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::take(bytes)? as usize;
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(value)
}
