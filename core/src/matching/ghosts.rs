//! The replayed book: what others show, and what of it is still open to us.
//!
//! Open to a taker is `displayed - taken - printed`: printed is what public trades took since the
//! level's last update, taken what our own takers took and the replay still shows.

use crate::ladder::{is_some, Level as LadderLevel, Sides};
use crate::order::Side;
use crate::units::pow10;

use super::market::{BUY, SELL};
use super::settings::Consumed;

/// One replayed level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ghost {
    /// Displayed quantity.
    pub qty: i64,
    /// Prints on it since its last update.
    pub printed: i64,
    /// What our takers took of it.
    pub taken: i64,
    /// When `taken` last changed; read only where taken quantity comes back in time.
    pub since_ns: i64,
}

impl LadderLevel for Ghost {
    #[inline]
    fn is_absent(&self) -> bool {
        self.qty == 0
    }

    #[inline(always)]
    fn presence(&self) -> u64 {
        is_some(self.qty)
    }
}

impl Ghost {
    /// The level after the feed shows `qty`, under the default memory.
    #[inline(always)]
    pub fn updated(self, qty: i64) -> Ghost {
        Ghost { qty, printed: 0, taken: self.taken.min(qty), since_ns: self.since_ns }
    }

    /// The level after a row at its price: a print of `qty` where `print` has ones, else an update
    /// to `qty` under the default memory. A print on a level that nobody shows leaves no trace.
    ///
    /// Which of the two comes next is anybody's guess, so all of it is arithmetic.
    #[inline(always)]
    pub fn after_row(self, print: i64, qty: i64) -> Ghost {
        let shown = (is_some(self.qty) as i64).wrapping_neg();
        Ghost {
            qty: (self.qty & print) | (qty & !print),
            printed: (self.printed + (qty & shown & print)) & print,
            taken: self.taken.min(qty | (print & i64::MAX)),
            since_ns: self.since_ns,
        }
    }

    /// Quantity that prints have not shown to be gone.
    pub fn standing(self) -> i64 {
        (self.qty - self.printed).max(0)
    }
}

/// A decrease that waits for the print that explains it (`evidence=book_first`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub side: Side,
    pub price: i64,
    pub qty: i64,
    pub until_ns: i64,
    /// Orders that joined later are not moved by it.
    pub seq: u64,
}

/// Both sides of a replayed book.
#[derive(Clone, Debug)]
pub(super) struct Ghosts {
    pub sides: Sides<Ghost>,
    /// Levels as they stood before the snapshot that is being applied.
    pub before_snapshot: Vec<(Side, i64, Ghost)>,
    /// Between the first and the last row of a snapshot.
    pub in_snapshot: bool,
    /// A gap: only prints are evidence until a snapshot is complete.
    pub stale: bool,
    pub held: Vec<Held>,
}

impl Ghosts {
    pub fn new(tick: i64) -> Ghosts {
        Ghosts {
            sides: Sides::new(tick),
            before_snapshot: Vec::new(),
            in_snapshot: false,
            stale: false,
            held: Vec::new(),
        }
    }

    #[inline]
    pub fn get(&self, side: Side, price: i64) -> Ghost {
        self.sides.get(side == Side::Buy, price)
    }

    #[inline]
    pub fn set(&mut self, side: Side, price: i64, ghost: Ghost) {
        self.sides.set(side == Side::Buy, price, ghost);
    }

    /// The first level, or the next behind `price`.
    pub fn next(&self, side: Side, behind: Option<i64>) -> Option<(i64, Ghost)> {
        match behind {
            None => self.sides.best(side == Side::Buy),
            Some(price) => self.sides.next_after(side == Side::Buy, price),
        }
    }

    /// True if the replayed book offers below its own bid.
    pub fn is_crossed(&self) -> bool {
        match (self.sides.best_price(true), self.sides.best_price(false)) {
            (Some(bid), Some(ask)) => bid >= ask,
            _ => false,
        }
    }

    /// True if the best price of a side meets the best own order of the other.
    #[inline(always)]
    pub fn reach(&self, own_best: [i64; 2]) -> bool {
        let bid = self.sides.best_price(true).unwrap_or(i64::MIN);
        let ask = self.sides.best_price(false).unwrap_or(i64::MAX);
        // Without own orders these are the far ends, where no level stands.
        (ask <= own_best[BUY]) | (bid >= own_best[SELL])
    }

    /// Adds a print to the level that it took from; part of it may explain held decreases.
    pub fn mark_print(&mut self, taker: i8, price: i64, qty: i64) {
        let side = match taker {
            1 => Side::Sell,
            -1 => Side::Buy,
            _ if self.get(Side::Sell, price).qty > 0 => Side::Sell,
            _ => Side::Buy,
        };
        let mut rest = qty;
        for held in self.held.iter_mut().filter(|h| h.side == side && h.price == price) {
            let used = held.qty.min(rest);
            held.qty -= used;
            rest -= used;
        }
        if rest > 0 {
            self.sides.alter(side == Side::Buy, price, |ghost| ghost.printed += rest);
        }
    }

    /// Empties the book for a snapshot and remembers what stood there.
    pub fn begin_snapshot(&mut self) {
        self.before_snapshot.clear();
        for side in [Side::Buy, Side::Sell] {
            let levels = self.sides.iter(side == Side::Buy);
            self.before_snapshot.extend(levels.map(|(price, ghost)| (side, price, ghost)));
        }
        self.sides.clear();
        self.in_snapshot = true;
    }

    /// The level before the update that is being applied, inside a snapshot or not.
    pub fn old(&self, side: Side, price: i64) -> Ghost {
        let now = self.get(side, price);
        if now.qty > 0 || !self.in_snapshot {
            return now;
        }
        let found = self.before_snapshot.iter().find(|(s, p, _)| *s == side && *p == price);
        found.map_or(now, |(_, _, ghost)| *ghost)
    }
}

/// What is taken of a level at a time, after what has come back.
pub(super) fn taken_now(ghost: Ghost, consumed: Consumed, lot: i64, now: i64) -> i64 {
    match consumed {
        Consumed::Refill(rate) if ghost.taken > 0 => {
            let waited = i128::from((now - ghost.since_ns).max(0));
            let lots = waited.saturating_mul(i128::from(rate)) / pow10(18);
            let back = i64::try_from(lots).unwrap_or(i64::MAX).saturating_mul(lot);
            (ghost.taken - back.min(ghost.taken)).max(0)
        }
        Consumed::Refill(_) | Consumed::Delta | Consumed::Reset | Consumed::None => ghost.taken,
    }
}

/// What of a level is open to a taker.
pub(super) fn available(ghost: Ghost, consumed: Consumed, lot: i64, now: i64) -> i64 {
    (ghost.qty - taken_now(ghost, consumed, lot, now) - ghost.printed).max(0)
}
