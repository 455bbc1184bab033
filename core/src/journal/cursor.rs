//! A place in a segment that somebody else still writes: whole batches only, and only once.
//!
//! ```text
//!  header ─► frame ─► frame ─► here │ half a batch, or room not used yet
//! ```
//!
//! A newcomer expects an error where the bytes stop making sense. A follower cannot tell a batch
//! that is being written from one that was torn, so it waits; what a whole frame proves wrong (a
//! sequence that does not follow, a link of another chain) is an error at once.

use std::fmt;

use super::frame::{checked_frame_at, FrameKind};
use super::{Batch, Hash, Header, JournalError};

/// Reads one segment front to back, as far as it is written.
#[derive(Clone, Debug)]
pub struct Cursor {
    header: Header,
    sequence: u64,
    position: u64,
    chain: Hash,
    block: Box<blake3::Hasher>,
    block_bytes: u64,
    is_sealed: bool,
}

/// What [`Cursor::step`] found.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// The next batch; its `end` counts from the start of the bytes that were given.
    Batch(Batch<'a>),
    /// A link or the seal, of this many bytes.
    Link(usize),
    /// No whole frame yet.
    Wait,
}

/// Why a followed segment cannot be trusted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorBroken {
    /// The sequence at which the doubt begins.
    pub sequence: u64,
    what: &'static str,
}

impl fmt::Display for CursorBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "batch {}: {}; verify the journal and restore it from a copy",
            self.sequence, self.what
        )
    }
}

impl std::error::Error for CursorBroken {}

impl Cursor {
    /// A cursor behind the header with which `segment` starts.
    ///
    /// # Errors
    ///
    /// [`JournalError::TornHeader`] if the header is not there yet; else as [`Header::parse`].
    pub fn new(segment: &[u8]) -> Result<Cursor, JournalError> {
        let (header, length) = Header::parse(segment)?;
        let mut cursor = Cursor {
            sequence: header.first_sequence - 1,
            position: 0,
            chain: header.chain,
            block: Box::new(blake3::Hasher::new_keyed(&header.chain)),
            block_bytes: 0,
            is_sealed: false,
            header,
        };
        cursor.pass(&segment[..length]);
        Ok(cursor)
    }

    /// Moves over the next whole frame of `bytes`, which start at [`Cursor::position`].
    ///
    /// # Errors
    ///
    /// [`CursorBroken`] if a whole frame does not follow what was read before.
    pub fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, CursorBroken> {
        if self.is_sealed {
            return Ok(Step::Wait);
        }
        let Some(frame) = checked_frame_at(bytes, 0) else { return Ok(Step::Wait) };
        match frame.kind {
            FrameKind::Batch if frame.sequence == self.sequence + 1 => {
                let broken = self.broken("its records do not fill it");
                let batch = Batch::of(&frame).ok_or(broken)?;
                self.sequence = frame.sequence;
                self.pass(&bytes[..frame.end]);
                Ok(Step::Batch(batch))
            }
            FrameKind::Link | FrameKind::Seal if frame.sequence == self.sequence => {
                if frame.rest != self.chain() {
                    return Err(self.broken("the hash chain before it does not match"));
                }
                self.chain = self.chain();
                *self.block = blake3::Hasher::new_keyed(&self.chain);
                self.block_bytes = 0;
                self.position += frame.end as u64;
                self.is_sealed = frame.kind == FrameKind::Seal;
                Ok(Step::Link(frame.end))
            }
            FrameKind::Batch | FrameKind::Link | FrameKind::Seal => {
                Err(self.broken("another one stands in its place"))
            }
        }
    }

    /// What the segment says about itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Sequence of the last batch that was read; one less than the first if there is none.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Bytes of the segment that were read: where the next frame starts.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// True once the seal was read: what follows is in the next segment.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Digest of everything that was read, of the segments before too.
    #[must_use]
    pub fn chain(&self) -> Hash {
        if self.block_bytes == 0 {
            return self.chain;
        }
        *self.block.finalize().as_bytes()
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.block.update(bytes);
        self.block_bytes += bytes.len() as u64;
        self.position += bytes.len() as u64;
    }

    fn broken(&self, what: &'static str) -> CursorBroken {
        CursorBroken { sequence: self.sequence + 1, what }
    }
}
