//! The one queue of a replay: what happens next, and in which order at one instant.
//!
//! Items are ordered by (time, rank, sub-rank, sequence), smallest first. The ranks below are the
//! table of `matching.md` section 3: the market moves before requests arrive, and deliveries come
//! last. Input rows carry their own place as sequence; everything generated comes after all rows.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::market::{Tick, TICK_TRADE};

/// Venue notices: status, filters, mark, index, funding rate.
pub const NOTICE: u8 = 0;
/// The venue's clock: funding settlement, GTD expiry, delivery.
pub const CLOCK: u8 = 1;
/// Market items: prints and bar points at sub-rank 0; first points of bars, books and quotes at 1.
pub const MARKET: u8 = 2;
/// Our requests arriving at the venue.
pub const REQUEST: u8 = 3;
/// Market data delivered to the strategy.
pub const FEED: u8 = 4;
/// Reports delivered to the strategy.
pub const REPORT: u8 = 5;
/// Local timers.
pub const TIMER: u8 = 6;
/// First points of bars under `tie=before_open`.
pub const LATE_OPEN: u8 = 9;

/// Where generated items' sequence starts; input rows are numbered below it.
const GENERATED: u64 = 1 << 46;

/// A place in the order of events: time, rank, sub-rank and sequence in one comparable number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(u128);

impl Key {
    /// After everything.
    pub const MAX: Key = Key(u128::MAX);

    /// The first place of a rank and sub-rank at a time.
    #[inline]
    #[must_use]
    pub const fn new(time_ns: i64, rank: u8, sub: u8) -> Key {
        let time = (time_ns as u64) ^ (1 << 63); // negative times sort first
        Key(((time as u128) << 64) | ((rank as u128) << 56) | ((sub as u128) << 48))
    }

    /// The same place with a sequence number below 2^48.
    #[inline]
    #[must_use]
    pub const fn with_sequence(self, sequence: u64) -> Key {
        Key(self.0 | (sequence & ((1 << 48) - 1)) as u128)
    }

    /// The time of it, ns.
    #[inline]
    #[must_use]
    pub const fn time_ns(self) -> i64 {
        (((self.0 >> 64) as u64) ^ (1 << 63)) as i64
    }

    /// The rank of it.
    #[inline]
    #[must_use]
    pub const fn rank(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

#[derive(Clone, Debug)]
struct Entry<T> {
    key: Key,
    item: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key) // the standard heap gives the greatest; we want the smallest
    }
}

/// Items waiting for their time.
#[derive(Clone, Debug)]
pub struct Timeline<T> {
    heap: BinaryHeap<Entry<T>>,
    next: u64,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Timeline { heap: BinaryHeap::new(), next: GENERATED }
    }
}

impl<T> Timeline<T> {
    /// Adds a generated item: behind all input rows of its place, in the order of adding.
    #[inline]
    pub fn push(&mut self, time_ns: i64, rank: u8, sub: u8, item: T) {
        let key = Key::new(time_ns, rank, sub).with_sequence(self.next);
        self.next += 1;
        self.heap.push(Entry { key, item });
    }

    /// Adds an input row at a place that the caller states, sequence included.
    #[inline]
    pub fn push_at(&mut self, key: Key, item: T) {
        self.heap.push(Entry { key, item });
    }

    /// The place of the next item, [`Key::MAX`] if there is none.
    #[inline]
    #[must_use]
    pub fn next_key(&self) -> Key {
        self.heap.peek().map_or(Key::MAX, |entry| entry.key)
    }

    /// The next item.
    #[must_use]
    pub fn peek(&self) -> Option<&T> {
        self.heap.peek().map(|entry| &entry.item)
    }

    /// Takes the next item.
    #[inline]
    pub fn pop(&mut self) -> Option<(Key, T)> {
        self.heap.pop().map(|entry| (entry.key, entry.item))
    }

    /// Items waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True if nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

/// Puts the prints of each instant before its book rows, keeping the order within both.
///
/// [`Venue::ticks`](super::Venue::ticks) takes rows in timeline order, and at one instant a print
/// comes first whatever its place in the file. Messages stay whole. Returns how many rows moved.
pub fn prints_first(rows: &mut [Tick]) -> usize {
    // Most files need nothing: a print never follows a level of its own instant.
    let (mut late, mut before_ns, mut before) = (0, i64::MIN, TICK_TRADE);
    for row in rows.iter() {
        let follows_level = row.flags & !before & TICK_TRADE;
        late |= if row.ts_exchange == before_ns { follows_level } else { 0 };
        (before_ns, before) = (row.ts_exchange, row.flags);
    }
    if late == 0 {
        return 0;
    }
    let (mut start, mut moved) = (0, 0);
    while start < rows.len() {
        let ts = rows[start].ts_exchange;
        let len = rows[start..].iter().take_while(|row| row.ts_exchange == ts).count();
        let instant = &mut rows[start..start + len];
        if !instant.is_sorted_by_key(is_level) {
            let before = instant.to_vec();
            instant.sort_by_key(is_level);
            moved += before.iter().zip(instant.iter()).filter(|(a, b)| a != b).count();
        }
        start += len;
    }
    moved
}

fn is_level(row: &Tick) -> bool {
    row.flags & TICK_TRADE == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_then_rank_then_sub_rank_then_order_of_adding() {
        let mut line = Timeline::default();
        line.push(5, REPORT, 0, "report");
        line.push(5, MARKET, 1, "book");
        line.push(5, MARKET, 0, "print");
        line.push(5, REQUEST, 0, "first request");
        line.push(5, REQUEST, 0, "second request");
        line.push(-1, TIMER, 0, "before the epoch");
        line.push_at(Key::new(5, MARKET, 1).with_sequence(3), "row 3");
        let mut seen = Vec::new();
        while let Some((_, item)) = line.pop() {
            seen.push(item);
        }
        assert_eq!(
            seen,
            [
                "before the epoch",
                "print",
                "row 3",
                "book",
                "first request",
                "second request",
                "report"
            ]
        );
    }

    #[test]
    fn a_key_gives_back_its_time_and_rank() {
        for time in [i64::MIN, -1, 0, 7, i64::MAX] {
            let key = Key::new(time, REPORT, 2).with_sequence(9);
            assert_eq!((key.time_ns(), key.rank()), (time, REPORT));
        }
    }

    #[test]
    fn prints_of_an_instant_move_before_its_levels() {
        let row = |ts, flags, price| Tick { ts_exchange: ts, flags, price, ..Tick::default() };
        let mut rows = vec![row(1, 8, 1), row(2, 1, 2), row(2, 8, 3), row(2, TICK_TRADE, 4)];
        assert_eq!(prints_first(&mut rows), 3);
        assert_eq!(rows.iter().map(|r| r.price).collect::<Vec<_>>(), [1, 4, 2, 3]);
    }
}
