//! Whether a book may be believed: snapshots and updates joined by their sequence numbers.
//!
//! ```text
//!             snapshot joins                       chain breaks
//!  Waiting ──────────────────► Live ──────────────────────────► Stale
//!     ▲  updates are kept       │  updates are applied            │  updates are kept
//!     └─────── reset ───────────┴──────── snapshot joins ◄────────┘
//! ```
//!
//! Updates that came before their snapshot are kept, because a snapshot is often older than the
//! first updates: a reader that began at the snapshot would see a gap that is none. A stale book
//! keeps its last levels, to be shown as stale; nobody may trade on them.

use super::{Book, PriceLevel};

/// How a venue's updates name their place in the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Ids run on: an update starts one after the last id of the one before. The first update
    /// after a snapshot has `first <= snapshot + 1 <= last`; those with `last <= snapshot` are old.
    Contiguous,
    /// Ids jump, and each update names its predecessor: `previous` equals the last id of the one
    /// before. The first update after a snapshot has `first <= snapshot <= last`; those with
    /// `last < snapshot` are old.
    Linked,
}

/// The sequence numbers of one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UpdateIds {
    /// First id that the update covers.
    pub first: u64,
    /// Last id that it covers.
    pub last: u64,
    /// Last id of the update before; only read for [`Chain::Linked`].
    pub previous: u64,
}

/// How far a book may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// No snapshot yet.
    Waiting,
    /// Whole and current.
    Live,
    /// An update is missing; a new snapshot is needed.
    Stale,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The book now includes it.
    Applied,
    /// Kept until a snapshot comes.
    Kept,
    /// The book already included it.
    Old,
    /// The chain is broken before this update; it is kept for the next snapshot.
    Gap,
    /// The snapshot is older than the first kept update: fetch another one.
    TooOld,
}

/// Figures for the passport of a recording and for monitoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SyncCounts {
    /// Updates received.
    pub diffs: u64,
    /// Updates that the book includes.
    pub applied: u64,
    /// Updates that the book already included.
    pub old: u64,
    /// Places where the chain was broken.
    pub gaps: u64,
    /// Snapshots that joined the updates.
    pub snapshots: u64,
    /// Snapshots older than the first kept update.
    pub too_old: u64,
    /// Snapshots that made a stale book live again.
    pub resyncs: u64,
    /// Updates after which the best bid was at or above the best ask.
    pub crossed: u64,
    /// Kept updates that were forgotten because no snapshot came.
    pub forgotten: u64,
}

/// Most updates that are kept for a snapshot: minutes of the fastest stream.
const KEPT_MAX: usize = 16_384;

#[derive(Clone, Debug)]
struct Kept {
    ids: UpdateIds,
    ts_exchange: i64,
    ts_recv: i64,
    levels: Vec<PriceLevel>,
    bids: usize,
}

/// A book and its place in the venue's sequence.
#[derive(Clone, Debug)]
pub struct BookSync {
    book: Book,
    chain: Chain,
    state: SyncState,
    /// Last id that the book includes.
    last_id: u64,
    /// Last id seen, whether applied or kept; 0 before the first update.
    seen_id: u64,
    /// True once an update has been applied after the snapshot.
    is_joined: bool,
    /// Deepest bid and ask of the snapshot that the levels began with: what stands beyond them is
    /// known only where it changed since.
    known: (Option<i64>, Option<i64>),
    kept: std::collections::VecDeque<Kept>,
    counts: SyncCounts,
}

impl BookSync {
    /// A book that waits for its snapshot.
    #[must_use]
    pub fn new(tick: i64, chain: Chain) -> Self {
        BookSync {
            book: Book::new(tick),
            chain,
            state: SyncState::Waiting,
            last_id: 0,
            seen_id: 0,
            is_joined: false,
            known: (None, None),
            kept: std::collections::VecDeque::new(),
            counts: SyncCounts::default(),
        }
    }

    /// The levels; current only while [`state`](Self::state) is `Live`.
    #[inline]
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// How far the levels may be believed.
    #[inline]
    #[must_use]
    pub fn state(&self) -> SyncState {
        self.state
    }

    /// Last id that the book includes; 0 before the first snapshot.
    #[inline]
    #[must_use]
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// The venue's time of the last kept update that a snapshot includes, else of the first kept
    /// one: the time of a snapshot that names none.
    #[must_use]
    pub fn stamp_before(&self, last_id: u64) -> Option<i64> {
        let included = self.kept.iter().take_while(|update| update.ids.last <= last_id).last();
        included.or(self.kept.front()).map(|update| update.ts_exchange)
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> SyncCounts {
        self.counts
    }

    /// Forgets the levels and the sequence, as after a lost connection; the counts stay.
    pub fn reset(&mut self) {
        self.book.clear();
        self.kept.clear();
        self.state = SyncState::Waiting;
        (self.last_id, self.seen_id, self.is_joined) = (0, 0, false);
        self.known = (None, None);
    }

    /// Deepest bid and deepest ask price up to which the levels are all known; `None` where the
    /// snapshot held no level of a side, or the levels come whole with each message.
    #[must_use]
    pub fn known_range(&self) -> (Option<i64>, Option<i64>) {
        self.known
    }

    /// True if the price has walked out of the known range: the best level that is shown, or none,
    /// need not be the venue's best, because nobody told of those that did not change.
    #[inline]
    #[must_use]
    pub fn is_beyond_known(&self) -> bool {
        let (lowest, highest) = self.known;
        let bid = self.book.best_bid().map_or(i64::MIN, |level| level.price);
        let ask = self.book.best_ask().map_or(i64::MAX, |level| level.price);
        lowest.is_some_and(|price| bid < price) || highest.is_some_and(|price| ask > price)
    }

    /// Takes the levels for all that there are, until the next snapshot: the book is a thin one.
    pub fn believe_whole(&mut self) {
        self.known = (None, None);
    }

    /// Takes a live book for stale although its chain is whole: what it shows cannot be.
    pub fn distrust(&mut self) {
        if self.state == SyncState::Live {
            self.state = SyncState::Stale;
        }
    }

    /// Applies one update, all of it or none.
    #[inline]
    pub fn apply(
        &mut self,
        ids: UpdateIds,
        (ts_exchange, ts_recv): (i64, i64),
        bids: &[PriceLevel],
        asks: &[PriceLevel],
    ) -> Outcome {
        self.counts.diffs += 1;
        if self.state == SyncState::Live {
            match self.place(ids) {
                Outcome::Applied => self.include(ids, bids, asks),
                Outcome::Gap => {
                    self.counts.gaps += 1;
                    self.state = SyncState::Stale;
                    self.kept.clear();
                    self.keep(ids, (ts_exchange, ts_recv), bids, asks);
                    return Outcome::Gap;
                }
                other => {
                    self.counts.old += 1;
                    return other;
                }
            }
            return Outcome::Applied;
        }
        let is_broken = self.seen_id != 0
            && match self.chain {
                Chain::Contiguous => ids.first > self.seen_id.saturating_add(1),
                Chain::Linked => ids.previous != self.seen_id && ids.last > self.seen_id,
            };
        if is_broken {
            // A snapshot that joins before the break would end at it.
            self.counts.gaps += 1;
            self.counts.forgotten += self.kept.len() as u64;
            self.kept.clear();
        }
        self.keep(ids, (ts_exchange, ts_recv), bids, asks);
        if is_broken {
            Outcome::Gap
        } else {
            Outcome::Kept
        }
    }

    /// Where an update stands relative to a live book.
    #[inline]
    fn place(&self, ids: UpdateIds) -> Outcome {
        let (old, follows) = match (self.chain, self.is_joined) {
            (Chain::Contiguous, _) => {
                (ids.last <= self.last_id, ids.first <= self.last_id.saturating_add(1))
            }
            (Chain::Linked, false) => (ids.last < self.last_id, ids.first <= self.last_id),
            (Chain::Linked, true) => (ids.last <= self.last_id, ids.previous == self.last_id),
        };
        match (old, follows) {
            (true, _) => Outcome::Old,
            (false, true) => Outcome::Applied,
            (false, false) => Outcome::Gap,
        }
    }

    #[inline]
    fn include(&mut self, ids: UpdateIds, bids: &[PriceLevel], asks: &[PriceLevel]) {
        self.book.apply(bids, asks);
        (self.last_id, self.seen_id, self.is_joined) = (ids.last, ids.last, true);
        self.counts.applied += 1;
        self.counts.crossed += u64::from(self.book.is_crossed());
    }

    #[cold]
    fn keep(
        &mut self,
        ids: UpdateIds,
        (ts_exchange, ts_recv): (i64, i64),
        bids: &[PriceLevel],
        asks: &[PriceLevel],
    ) {
        self.seen_id = self.seen_id.max(ids.last);
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
            self.counts.forgotten += 1;
        }
        let levels = [bids, asks].concat();
        self.kept.push_back(Kept { ids, ts_exchange, ts_recv, levels, bids: bids.len() });
    }

    /// Replaces the levels by a snapshot that includes everything up to `last_id`, then applies
    /// the kept updates behind it. `applied` hears of each such update in order: its stamps, bids
    /// and asks.
    ///
    /// A live book that already includes the snapshot stays as it is ([`Outcome::Old`]).
    pub fn snapshot(
        &mut self,
        last_id: u64,
        bids: &[PriceLevel],
        asks: &[PriceLevel],
        mut applied: impl FnMut((i64, i64), &[PriceLevel], &[PriceLevel]),
    ) -> Outcome {
        if self.state == SyncState::Live && last_id <= self.last_id {
            return Outcome::Old;
        }
        if !self.joins(last_id) {
            self.counts.too_old += 1;
            return Outcome::TooOld;
        }
        self.counts.snapshots += 1;
        self.counts.resyncs += u64::from(self.state == SyncState::Stale);
        self.book.clear();
        self.book.apply(bids, asks);
        (self.state, self.last_id, self.is_joined) = (SyncState::Live, last_id, false);
        self.known = (
            bids.iter().map(|level| level.price).min(),
            asks.iter().map(|level| level.price).max(),
        );
        for update in std::mem::take(&mut self.kept) {
            match self.place(update.ids) {
                Outcome::Applied => {
                    let (bids, asks) = update.levels.split_at(update.bids);
                    self.include(update.ids, bids, asks);
                    applied((update.ts_exchange, update.ts_recv), bids, asks);
                }
                // The kept updates are one chain, so no gap can show here.
                _ => self.counts.old += 1,
            }
        }
        Outcome::Applied
    }

    /// True if no update is missing between a snapshot and the kept updates.
    fn joins(&self, last_id: u64) -> bool {
        let first = self.kept.iter().find(|update| match self.chain {
            Chain::Contiguous => update.ids.last > last_id,
            Chain::Linked => update.ids.last >= last_id,
        });
        first.is_none_or(|update| match self.chain {
            Chain::Contiguous => update.ids.first <= last_id.saturating_add(1),
            Chain::Linked => update.ids.first <= last_id,
        })
    }

    /// Replaces the levels by a message that holds the whole top of the book, on streams that send
    /// nothing else. Refused (`false`) if updates drive this book.
    pub fn replace(&mut self, last_id: u64, bids: &[PriceLevel], asks: &[PriceLevel]) -> bool {
        if self.counts.diffs > 0 {
            return false;
        }
        self.book.clear();
        self.book.apply(bids, asks);
        (self.state, self.last_id) = (SyncState::Live, last_id);
        self.counts.snapshots += 1;
        self.counts.crossed += u64::from(self.book.is_crossed());
        true
    }
}
