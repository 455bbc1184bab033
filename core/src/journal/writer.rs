//! The writing half: batches into one buffer, which the shell drains and keeps or drops.

use super::frame::{close_frame, link, open_batch, open_link, open_row, FrameKind, BLOCK_BYTES};
use super::{Hash, Header};
use crate::instrument::{Asset, Instrument};
use crate::record::{stored_size, Record};

/// A journal being written.
///
/// The bytes do not depend on when they are drained: links stand where the count of bytes puts
/// them. Dropping what is drained costs nothing else; sequence and chain go on.
#[derive(Clone, Debug)]
pub struct Journal {
    header: Header,
    /// From the first byte that is not yet both drained and linked.
    bytes: Vec<u8>,
    /// End of what the shell has taken.
    drained: usize,
    /// End of the last whole frame; the open batch lies behind it.
    committed: usize,
    /// Start of the frames that no link covers yet.
    block: usize,
    sequence: u64,
    chain: Hash,
    market_sequence: u64,
    now_ns: i64,
    /// Event clock of the last committed batch.
    committed_ns: i64,
    is_open: bool,
    is_closed: bool,
}

impl Journal {
    /// A journal whose first bytes are `header`'s.
    #[must_use]
    pub fn new(header: &Header) -> Journal {
        let mut bytes = Vec::with_capacity(2 * BLOCK_BYTES);
        header.put(&mut bytes);
        Journal {
            committed: bytes.len(),
            bytes,
            drained: 0,
            block: 0,
            sequence: header.first_sequence - 1,
            chain: header.chain,
            market_sequence: 0,
            now_ns: 0,
            committed_ns: 0,
            is_open: false,
            is_closed: false,
            header: header.clone(),
        }
    }

    /// Opens the batch of one input, at `now_ns` of the event clock, after `market_sequence`.
    ///
    /// Costs two stores: a batch that gets no record leaves no byte and takes no sequence.
    ///
    /// # Panics
    ///
    /// If the journal is closed, or the batch before was not committed.
    #[inline]
    pub fn begin(&mut self, market_sequence: u64, now_ns: i64) {
        assert!(!self.is_closed, "a batch was begun in a closed journal");
        assert!(!self.is_open, "a batch was begun inside another");
        self.is_open = true;
        self.market_sequence = market_sequence;
        self.now_ns = now_ns;
    }

    /// Appends a record of type `number` to the open batch.
    ///
    /// # Panics
    ///
    /// If no batch is open.
    #[inline]
    pub fn record<R: Record>(&mut self, number: u16, value: &R) {
        let length = const { stored_size(R::FIELDS) };
        self.open_row(number, length);
        value.put(&mut self.bytes);
    }

    /// Appends a record of type `number` and the byte string behind it to the open batch.
    ///
    /// # Panics
    ///
    /// If no batch is open, or `text` has 4 GiB or more.
    #[inline]
    pub fn record_with_text<R: Record>(&mut self, number: u16, value: &R, text: &[u8]) {
        let length = const { stored_size(R::FIELDS) } + 4 + text.len();
        self.open_row(number, length);
        value.put(&mut self.bytes);
        self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(text);
    }

    /// Ends the open batch and says its sequence; that of the last one if it has no record.
    #[inline]
    pub fn commit(&mut self) -> u64 {
        self.is_open = false;
        if self.bytes.len() > self.committed {
            close_frame(&mut self.bytes, self.committed);
            self.committed = self.bytes.len();
            self.sequence += 1;
            self.committed_ns = self.now_ns;
            if self.committed - self.block >= BLOCK_BYTES {
                self.link(FrameKind::Link);
            }
        }
        self.sequence
    }

    /// Sequence of the last committed batch; one less than the first if there is none.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Event clock of the last batch that this value committed, ns; 0 before the first.
    #[must_use]
    pub fn committed_ns(&self) -> i64 {
        self.committed_ns
    }

    /// Says what [`committed_ns`](Self::committed_ns) was before this value began.
    pub fn resume_clock(&mut self, committed_ns: i64) {
        self.committed_ns = committed_ns;
    }

    /// Digest of everything committed so far, of the segments before too.
    ///
    /// Hashes up to [`BLOCK_BYTES`]; equal journals have equal digests, however they were drained.
    #[must_use]
    pub fn chain_hash(&self) -> Hash {
        if self.block == self.committed {
            return self.chain;
        }
        link(&self.chain, &self.bytes[self.block..self.committed])
    }

    /// Whole frames that the shell has not taken yet.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.drained..self.committed]
    }

    /// Takes the pending bytes.
    pub fn drain(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.drain_into(&mut out);
        out
    }

    /// Appends the pending bytes to `out`; they are not pending any more.
    pub fn drain_into(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.pending());
        self.discard();
    }

    /// Drops the pending bytes: they were taken from [`pending`](Self::pending), or nobody keeps them.
    pub fn discard(&mut self) {
        self.drained = self.committed;
        // What no link covers yet is still to be hashed. Once per block, not once per drain.
        let done = self.block.min(self.drained);
        if done > 0 {
            self.bytes.drain(..done);
            self.drained -= done;
            self.committed -= done;
            self.block -= done;
        }
    }

    /// Seals the segment and starts the next, under the tables as they are now.
    ///
    /// What is left of the old segment is appended to `rest`; pending is then the new header.
    ///
    /// # Panics
    ///
    /// If the journal is closed or a batch is open.
    pub fn roll(&mut self, assets: &[Asset], instruments: &[Instrument], rest: &mut Vec<u8>) {
        self.close();
        self.drain_into(rest);
        let mut header = self.header.after(self.sequence, self.chain);
        header.assets = assets.to_vec();
        header.instruments = instruments.to_vec();
        let committed_ns = self.committed_ns;
        *self = Journal { committed_ns, ..Journal::new(&header) };
    }

    /// Seals the chain; nothing can follow.
    ///
    /// # Panics
    ///
    /// If the journal is closed or a batch is open.
    pub fn close(&mut self) {
        assert!(!self.is_closed, "a journal was closed twice");
        assert!(!self.is_open, "a journal was closed inside a batch");
        self.link(FrameKind::Seal);
        self.is_closed = true;
    }

    /// True once the chain is sealed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The header of the segment being written.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    #[inline]
    fn open_row(&mut self, number: u16, length: usize) {
        assert!(self.is_open, "a record was written outside a batch");
        debug_assert!(self.header.schema(number).is_some(), "record {number} is not declared");
        if self.bytes.len() == self.committed {
            let place = (self.sequence + 1, self.market_sequence, self.now_ns);
            open_batch(&mut self.bytes, place, number, length);
        } else {
            open_row(&mut self.bytes, number, length);
        }
    }

    #[cold]
    fn link(&mut self, kind: FrameKind) {
        self.chain = self.chain_hash();
        open_link(&mut self.bytes, kind, self.sequence, &self.chain);
        close_frame(&mut self.bytes, self.committed);
        self.committed = self.bytes.len();
        self.block = self.committed;
    }
}
