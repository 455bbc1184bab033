//! The reading half: whole batches up to the first doubt, and what is behind it.
//!
//! A reader never guesses. A frame that is cut or does not match its checksum ends the journal;
//! whether that is a torn tail or damage in the middle shows in whether a whole frame follows it.

use super::frame::{checked_frame_at, frame_at, link, Frame, FrameKind, FRAME_HEAD, ROW_HEAD};
use super::{Hash, Header, JournalError, Schema};
use crate::record::{Field, FieldValue, Record};

/// A segment whose frames have been checked.
#[derive(Clone, Debug)]
pub struct Reader<B> {
    bytes: B,
    header: Header,
    /// End of the header, and of the last whole frame.
    start: usize,
    end: usize,
    tally: Tally,
    tail: Tail,
}

/// What was counted up to the end.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    batches: u64,
    records: u64,
    unknown: u64,
    is_sealed: bool,
}

/// What lies behind the last whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// Nothing, or bytes that were never written.
    Clean,
    /// A frame that was not written to its end.
    Torn,
    /// A frame with whole frames behind it: damage, or lost bytes.
    Broken,
}

/// One whole batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Gapless in a journal.
    pub sequence: u64,
    /// Market sequence that was applied before it.
    pub market_sequence: u64,
    /// Event clock, ns.
    pub now_ns: i64,
    /// Where the next frame starts in the segment.
    pub end: usize,
    rows: &'a [u8],
}

/// One record of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its type's number.
    pub number: u16,
    /// Its fields as stored; [`Schema::values`] reads them.
    pub bytes: &'a [u8],
}

/// What a segment proves about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Whole batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Records whose type the header does not declare; they were passed over.
    pub unknown_records: u64,
    /// True if the segment was closed: nothing is missing at its end.
    pub is_sealed: bool,
    /// Sequence of the first batch, whether there is one or not.
    pub first_sequence: u64,
    /// Sequence of the last whole batch; one less than the first if there is none.
    pub last_sequence: u64,
    /// Digest of everything up to the last whole frame, of the segments before too.
    pub chain: Hash,
    /// Bytes behind the last whole frame that are neither a frame nor unused room.
    pub torn_bytes: u64,
    /// Sequence from which the content cannot be trusted.
    pub first_broken: Option<u64>,
}

impl Check {
    /// True if no doubt is left: nothing torn, nothing broken.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.torn_bytes == 0 && self.first_broken.is_none()
    }

    /// True if `header` continues the segment that this check is of.
    ///
    /// The segment need not be sealed: after a crash the next header names the sequence and the
    /// digest up to which it was recovered, which proves that the torn tail was never part of it.
    #[must_use]
    pub fn is_continued_by(&self, header: &Header) -> bool {
        self.first_broken.is_none()
            && header.first_sequence == self.last_sequence + 1
            && header.chain == self.chain
    }
}

impl<B: AsRef<[u8]>> Reader<B> {
    /// Reads the header and checks every frame.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if there is no whole header; damage behind it is told by [`Reader::check`].
    pub fn new(bytes: B) -> Result<Reader<B>, JournalError> {
        let (header, start) = Header::parse(bytes.as_ref())?;
        let mut tally = Tally::default();
        let mut end = start;
        while let Some(frame) = next_frame(bytes.as_ref(), end, &header, &mut tally) {
            end = frame.end;
        }
        let rest = &bytes.as_ref()[end..];
        let tail = if rest.iter().all(|byte| *byte == 0) {
            Tail::Clean
        } else if holds_a_frame(rest, header.first_sequence, tally.batches) {
            Tail::Broken
        } else {
            Tail::Torn
        };
        Ok(Reader { bytes, header, start, end, tally, tail })
    }

    /// What the segment says about itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whole batches, in order.
    pub fn batches(&self) -> impl Iterator<Item = Batch<'_>> {
        self.batches_from(0)
    }

    /// Whole batches from a frame's start on: 0, or the `end` of a batch that was read.
    pub fn batches_from(&self, offset: usize) -> impl Iterator<Item = Batch<'_>> {
        frames(&self.bytes.as_ref()[..self.end], offset.max(self.start))
            .filter(|(_, frame)| frame.kind == FrameKind::Batch)
            .filter_map(|(_, frame)| Batch::of(&frame))
    }

    /// Every record of type `number`, with the sequence and time of its batch.
    ///
    /// Fields are found by name: one that the journal lacks is zero, one that `R` lacks is passed
    /// over.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the header declares no such type or a field has another kind.
    pub fn read_all<R: Record>(&self, number: u16) -> Result<Vec<(u64, i64, R)>, JournalError> {
        let texts = self.read_all_with_text::<R>(number)?;
        Ok(texts
            .into_iter()
            .map(|(sequence, now_ns, value, _)| (sequence, now_ns, value))
            .collect())
    }

    /// As [`Reader::read_all`], with the byte string behind each record; empty if it has none.
    ///
    /// # Errors
    ///
    /// As [`Reader::read_all`].
    #[allow(clippy::type_complexity)] // one row: sequence, time, record, text
    pub fn read_all_with_text<R: Record>(
        &self,
        number: u16,
    ) -> Result<Vec<(u64, i64, R, &[u8])>, JournalError> {
        let missing = || JournalError::NoSuchRecord(format!("{} (number {number})", R::NAME));
        let schema = self.header.schema(number).ok_or_else(missing)?;
        let places = places(schema, R::FIELDS)?;
        let mut read = Vec::new();
        let mut stored = Vec::new();
        for batch in self.batches() {
            for row in batch.rows().filter(|row| row.number == number) {
                let Some(cells) = schema.cut(row.bytes) else { continue };
                stored.clear();
                for (field, place) in R::FIELDS.iter().zip(&places) {
                    match place {
                        Some(at) => stored.extend_from_slice(cells[*at]),
                        None => stored.resize(stored.len() + field.kind.size(), 0),
                    }
                }
                let text = schema.text(row.bytes).unwrap_or_default();
                if let Some(value) = R::take(&mut stored.as_slice()) {
                    read.push((batch.sequence, batch.now_ns, value, text));
                }
            }
        }
        Ok(read)
    }

    /// What the segment proves about itself, chain included.
    #[must_use]
    pub fn check(&self) -> Check {
        let (chain, broken_link) = self.follow_chain();
        let last_sequence = self.header.first_sequence + self.tally.batches - 1;
        let broken_tail = (self.tail == Tail::Broken).then_some(last_sequence + 1);
        let torn = if self.tail == Tail::Clean { 0 } else { self.bytes.as_ref().len() - self.end };
        Check {
            batches: self.tally.batches,
            records: self.tally.records,
            unknown_records: self.tally.unknown,
            is_sealed: self.tally.is_sealed,
            first_sequence: self.header.first_sequence,
            last_sequence,
            chain,
            torn_bytes: torn as u64,
            first_broken: broken_link.or(broken_tail),
        }
    }

    /// Digest of everything up to a batch, of the segments before too: [`super::Journal::chain_hash`]
    /// as it was when that batch was the last; `None` if the batch is not in this segment.
    ///
    /// The sequence before the first batch stands for the segment before: its digest.
    #[must_use]
    pub fn chain_at(&self, sequence: u64) -> Option<Hash> {
        let bytes = &self.bytes.as_ref()[..self.end];
        if sequence + 1 == self.header.first_sequence {
            return Some(self.header.chain);
        }
        let (mut chain, mut block) = (self.header.chain, 0);
        for (at, frame) in frames(bytes, self.start) {
            if frame.kind != FrameKind::Batch {
                // A seal behind a link covers nothing more.
                if at > block {
                    chain = link(&chain, &bytes[block..at]);
                }
                block = frame.end;
            } else if frame.sequence == sequence {
                // A link right behind the batch is written with it, and covers the same bytes.
                return Some(link(&chain, &bytes[block..frame.end]));
            }
        }
        None
    }

    /// Where the batch behind `sequence` is, for [`Reader::batches_from`]; `None` if `sequence` is
    /// not in this segment.
    #[must_use]
    pub fn end_of(&self, sequence: u64) -> Option<usize> {
        if sequence + 1 == self.header.first_sequence {
            return Some(self.start);
        }
        let is_it = |batch: &Batch<'_>| batch.sequence == sequence;
        self.batches().find(is_it).map(|batch| batch.end)
    }

    /// Bytes up to the end of the last whole frame: where a writer would go on.
    #[must_use]
    pub fn whole_bytes(&self) -> usize {
        self.end
    }

    /// The digest, and the first sequence of the first block that does not match its link.
    fn follow_chain(&self) -> (Hash, Option<u64>) {
        let bytes = &self.bytes.as_ref()[..self.end];
        let (mut chain, mut block) = (self.header.chain, 0);
        let mut first_of_block = self.header.first_sequence;
        let mut broken = None;
        for (at, frame) in frames(bytes, self.start) {
            if frame.kind == FrameKind::Batch {
                continue;
            }
            if at > block {
                chain = link(&chain, &bytes[block..at]);
            }
            if frame.rest != chain && broken.is_none() {
                broken = Some(first_of_block);
            }
            block = frame.end;
            first_of_block = frame.sequence + 1;
        }
        if self.end > block {
            chain = link(&chain, &bytes[block..]);
        }
        (chain, broken)
    }
}

impl<'a> Batch<'a> {
    pub(super) fn of(frame: &Frame<'a>) -> Option<Batch<'a>> {
        let mut rest = frame.rest;
        let market_sequence = u64::take(&mut rest)?;
        let now_ns = i64::take(&mut rest)?;
        let (sequence, end) = (frame.sequence, frame.end);
        Some(Batch { sequence, market_sequence, now_ns, end, rows: rest })
    }

    /// Its records, in order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'a>> {
        let mut rest = self.rows;
        std::iter::from_fn(move || take_row(&mut rest))
    }
}

/// The frame at `at` if it is whole and in sequence; counts what it holds.
fn next_frame<'a>(
    bytes: &'a [u8],
    at: usize,
    header: &Header,
    tally: &mut Tally,
) -> Option<Frame<'a>> {
    if tally.is_sealed {
        return None;
    }
    let frame = checked_frame_at(bytes, at)?;
    let last = header.first_sequence + tally.batches - 1;
    match frame.kind {
        FrameKind::Batch if frame.sequence == last + 1 => {
            let (records, unknown) = count_rows(&frame, header)?;
            tally.batches += 1;
            tally.records += records;
            tally.unknown += unknown;
        }
        FrameKind::Link | FrameKind::Seal if frame.sequence == last => {
            tally.is_sealed = frame.kind == FrameKind::Seal;
        }
        FrameKind::Batch | FrameKind::Link | FrameKind::Seal => return None,
    }
    Some(frame)
}

/// True if a whole frame of this segment stands anywhere behind the first byte.
fn holds_a_frame(rest: &[u8], first_sequence: u64, batches: u64) -> bool {
    // The sequence is looked at before the checksum: else garbage that looks like lengths would
    // make this quadratic.
    let most = first_sequence + batches + (rest.len() / FRAME_HEAD) as u64;
    (1..rest.len()).any(|at| {
        frame_at(rest, at).is_some_and(|frame| (first_sequence - 1..most).contains(&frame.sequence))
            && checked_frame_at(rest, at).is_some()
    })
}

/// Records and those of unknown type; `None` if the rows do not fill the batch exactly.
fn count_rows(frame: &Frame<'_>, header: &Header) -> Option<(u64, u64)> {
    let mut rest = Batch::of(frame)?.rows;
    let (mut records, mut unknown) = (0, 0);
    while !rest.is_empty() {
        let row = take_row(&mut rest)?;
        records += 1;
        match header.schema(row.number) {
            Some(schema) if !schema.fits(row.bytes) => return None,
            Some(_) => {}
            None => unknown += 1,
        }
    }
    Some((records, unknown))
}

fn take_row<'a>(rest: &mut &'a [u8]) -> Option<Row<'a>> {
    let (head, behind) = rest.split_first_chunk::<ROW_HEAD>()?;
    let number = u16::from_le_bytes([head[0], head[1]]);
    let length = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
    let (bytes, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(Row { number, bytes })
}

/// Frames and where they start, in bytes that were checked before.
fn frames(bytes: &[u8], start: usize) -> impl Iterator<Item = (usize, Frame<'_>)> {
    let mut at = start;
    std::iter::from_fn(move || {
        let (start, frame) = (at, frame_at(bytes, at)?);
        at = frame.end;
        Some((start, frame))
    })
}

/// For each field of a reader's record, its place in the stored schema.
fn places(schema: &Schema, fields: &[Field]) -> Result<Vec<Option<usize>>, JournalError> {
    let place = |field: &Field| {
        let Some(at) = schema.fields.iter().position(|stored| stored.name == field.name) else {
            return Ok(None);
        };
        if schema.fields[at].kind != field.kind {
            return Err(JournalError::OtherKind {
                record: schema.name.clone(),
                field: field.name.to_owned(),
            });
        }
        Ok(Some(at))
    };
    fields.iter().map(place).collect()
}
