//! A segment's header: all that a reader needs to understand the records behind it.

use super::tables::{
    put_asset, put_instrument, put_text, take_asset, take_bytes, take_instrument, take_text,
};
use super::{Check, Hash, JournalError, RecordType};
use crate::instrument::{Asset, Instrument};
use crate::record::{FieldKind, FieldValue};

/// First bytes of every segment; not text, and damaged by any line-end conversion.
pub const MAGIC: [u8; 8] = *b"\x89VELOZJ\n";
/// The format that this build writes and reads.
pub const FORMAT: u16 = 1;

/// Magic, format, length of the body.
const HEAD: usize = 14;

/// Which of an engine's two streams a journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stream {
    /// Inputs and what they caused: enough to recover a desk.
    Trading = 0,
    /// Market events.
    Market = 1,
}

impl Stream {
    /// Its name, as in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Stream::Trading => "trading",
            Stream::Market => "market",
        }
    }
}

/// One stored field of a record type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaField {
    /// Its name.
    pub name: String,
    /// How it is stored.
    pub kind: FieldKind,
}

/// A record type as a header declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Number in each row.
    pub number: u16,
    /// Name in every language.
    pub name: String,
    /// In stored order.
    pub fields: Vec<SchemaField>,
}

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A truth value.
    Bool(bool),
    /// Any integer.
    Int(i128),
    /// A byte string.
    Bytes(&'a [u8]),
}

impl Schema {
    /// The stored bytes of each field of one row, in order; `None` if the row does not fit.
    ///
    /// For [`FieldKind::Bytes`] they are the contents, without the length.
    pub fn cut<'a>(&self, mut row: &'a [u8]) -> Option<Vec<&'a [u8]>> {
        let cells = self
            .fields
            .iter()
            .map(|field| take_cell(&mut row, field.kind))
            .collect::<Option<Vec<_>>>()?;
        row.is_empty().then_some(cells)
    }

    /// True if `row` holds exactly these fields.
    pub(super) fn fits(&self, mut row: &[u8]) -> bool {
        self.fields.iter().all(|field| take_cell(&mut row, field.kind).is_some()) && row.is_empty()
    }

    /// The values of one row with their names; `None` if the row does not fit.
    pub fn values<'a>(&self, row: &'a [u8]) -> Option<Vec<(&str, Value<'a>)>> {
        let cells = self.cut(row)?;
        let named = self.fields.iter().zip(cells);
        Some(named.map(|(field, cell)| (field.name.as_str(), value(field.kind, cell))).collect())
    }

    /// The byte string of a row: its first field of kind [`FieldKind::Bytes`].
    #[must_use]
    pub fn text<'a>(&self, row: &'a [u8]) -> Option<&'a [u8]> {
        let at = self.fields.iter().position(|field| field.kind == FieldKind::Bytes)?;
        self.cut(row)?.get(at).copied()
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.number.put(out);
        put_text(&self.name, out);
        (self.fields.len() as u32).put(out);
        for field in &self.fields {
            put_text(&field.name, out);
            (field.kind as u8).put(out);
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Schema> {
        let (number, name, count) = (u16::take(bytes)?, take_text(bytes)?, u32::take(bytes)?);
        let field = |_| {
            let name = take_text(bytes)?;
            Some(SchemaField { name, kind: FieldKind::from_number(u8::take(bytes)?)? })
        };
        Some(Schema { number, name, fields: (0..count).map(field).collect::<Option<_>>()? })
    }
}

impl From<&RecordType> for Schema {
    fn from(record: &RecordType) -> Schema {
        let fixed = record.fields.iter().map(|field| (field.name, field.kind));
        let text = record.text.map(|name| (name, FieldKind::Bytes));
        let field = |(name, kind): (&str, _)| SchemaField { name: name.to_owned(), kind };
        Schema {
            number: record.number,
            name: record.name.to_owned(),
            fields: fixed.chain(text).map(field).collect(),
        }
    }
}

fn take_cell<'a>(row: &mut &'a [u8], kind: FieldKind) -> Option<&'a [u8]> {
    if kind == FieldKind::Bytes {
        return take_bytes(row);
    }
    let (cell, rest) = row.split_at_checked(kind.size())?;
    *row = rest;
    Some(cell)
}

fn value(kind: FieldKind, cell: &[u8]) -> Value<'_> {
    let is_signed = matches!(kind, FieldKind::I8 | FieldKind::I64 | FieldKind::I128);
    let is_negative = is_signed && cell.last().is_some_and(|byte| byte & 0x80 != 0);
    match kind {
        FieldKind::Bool => Value::Bool(cell != [0]),
        FieldKind::Bytes => Value::Bytes(cell),
        FieldKind::U8
        | FieldKind::I8
        | FieldKind::U16
        | FieldKind::U32
        | FieldKind::U64
        | FieldKind::I64
        | FieldKind::I128 => {
            let mut wide = [if is_negative { 0xff } else { 0 }; 16];
            wide[..cell.len()].copy_from_slice(cell);
            Value::Int(i128::from_le_bytes(wide))
        }
    }
}

/// What stands before the first batch of a segment.
///
/// It holds no wall time, path or host: two runs with equal inputs have equal headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version and digest of the engine that writes.
    pub build: String,
    /// `venue/name` of the account.
    pub account: String,
    /// The engine's own name, as in its client order ids.
    pub instance: String,
    /// Raised at each start of this instance.
    pub epoch: u32,
    /// Which stream.
    pub stream: Stream,
    /// Number of the segment, from 1.
    pub segment: u32,
    /// Sequence of the segment's first batch; 1 in the first segment.
    pub first_sequence: u64,
    /// Hash that seals the segment before; zeros in the first one.
    pub chain: Hash,
    /// Assets by row.
    pub assets: Vec<Asset>,
    /// Instruments by row.
    pub instruments: Vec<Instrument>,
    /// Record types that rows can have.
    pub schemas: Vec<Schema>,
}

impl Header {
    /// The header of a journal's first segment.
    #[must_use]
    pub fn first(stream: Stream, types: &[RecordType]) -> Header {
        Header {
            build: String::new(),
            account: String::new(),
            instance: String::new(),
            epoch: 1,
            stream,
            segment: 1,
            first_sequence: 1,
            chain: [0; 32],
            assets: Vec::new(),
            instruments: Vec::new(),
            schemas: types.iter().map(Schema::from).collect(),
        }
    }

    /// The header of the segment that follows one which ends at `sequence` and `chain`.
    ///
    /// After a crash these are the last whole batch and the digest that a reader's check finds.
    #[must_use]
    pub fn after(&self, sequence: u64, chain: Hash) -> Header {
        let segment = self.segment + 1;
        Header { segment, first_sequence: sequence + 1, chain, ..self.clone() }
    }

    /// The header with which the next run of this instance goes on behind `check`'s last batch.
    ///
    /// The old segment is never appended to: what a crash left behind its last whole batch can
    /// then not be mistaken for a part of the journal.
    #[must_use]
    pub fn resumed(&self, check: &Check, build: &str, epoch: u32) -> Header {
        let after = self.after(check.last_sequence, check.chain);
        Header { build: build.to_owned(), epoch, ..after }
    }

    /// Appends the header's bytes.
    pub fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        FORMAT.put(out);
        0_u32.put(out);
        self.put_body(out);
        let length = (out.len() - start - HEAD) as u32;
        out[start + 10..start + HEAD].copy_from_slice(&length.to_le_bytes());
        crc32c::crc32c(&out[start..]).put(out);
    }

    /// Reads a header and says how many bytes it takes.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the bytes are no header, cut, damaged, or of another format.
    pub fn parse(bytes: &[u8]) -> Result<(Header, usize), JournalError> {
        // Room was made for a segment, and not all of its first bytes reached the disk.
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        let written =
            magic.iter().zip(MAGIC).take_while(|(byte, wanted)| **byte == *wanted).count();
        if written < magic.len() {
            let is_torn = magic[written..].iter().all(|byte| *byte == 0);
            return Err(if is_torn { JournalError::TornHeader } else { JournalError::NotAJournal });
        }
        let head = bytes.get(..HEAD).ok_or(JournalError::TornHeader)?;
        let format = u16::from_le_bytes([head[8], head[9]]);
        if format == 0 {
            return Err(JournalError::TornHeader);
        }
        if format != FORMAT {
            return Err(JournalError::Format(format));
        }
        let end = HEAD + u32::from_le_bytes([head[10], head[11], head[12], head[13]]) as usize;
        let mut rest = bytes.get(end..).ok_or(JournalError::TornHeader)?;
        let stored = u32::take(&mut rest).ok_or(JournalError::TornHeader)?;
        if crc32c::crc32c(&bytes[..end]) != stored {
            return Err(JournalError::BrokenHeader);
        }
        // What a later build appended to the body is left unread.
        let header = Header::take_body(&mut &bytes[HEAD..end]).ok_or(JournalError::BrokenHeader)?;
        Ok((header, end + 4))
    }

    fn put_body(&self, out: &mut Vec<u8>) {
        [&self.build, &self.account, &self.instance].iter().for_each(|text| put_text(text, out));
        self.epoch.put(out);
        (self.stream as u8).put(out);
        self.segment.put(out);
        self.first_sequence.put(out);
        out.extend_from_slice(&self.chain);
        (self.assets.len() as u32).put(out);
        self.assets.iter().for_each(|asset| put_asset(asset, out));
        (self.instruments.len() as u32).put(out);
        self.instruments.iter().for_each(|instrument| put_instrument(instrument, out));
        (self.schemas.len() as u32).put(out);
        self.schemas.iter().for_each(|schema| schema.put(out));
    }

    fn take_body(bytes: &mut &[u8]) -> Option<Header> {
        let (build, account, instance) = (take_text(bytes)?, take_text(bytes)?, take_text(bytes)?);
        let epoch = u32::take(bytes)?;
        let stream = *[Stream::Trading, Stream::Market].get(usize::from(u8::take(bytes)?))?;
        let segment = u32::take(bytes)?;
        let first_sequence = u64::take(bytes)?;
        // Sequences count from 1; the upper end leaves room to add without a check each time.
        if first_sequence == 0 || first_sequence > i64::MAX as u64 {
            return None;
        }
        let (chain, rest) = bytes.split_first_chunk::<32>()?;
        *bytes = rest;
        let assets = take_list(bytes, take_asset)?;
        let instruments = take_list(bytes, take_instrument)?;
        let schemas = take_list(bytes, Schema::take)?;
        Some(Header {
            build,
            account,
            instance,
            epoch,
            stream,
            segment,
            first_sequence,
            chain: *chain,
            assets,
            instruments,
            schemas,
        })
    }

    /// The schema of a record type by its number.
    #[must_use]
    pub fn schema(&self, number: u16) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.number == number)
    }

    /// The schema of a record type by its name.
    #[must_use]
    pub fn schema_named(&self, name: &str) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.name == name)
    }
}

fn take_list<T>(bytes: &mut &[u8], take: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    let count = u32::take(bytes)?;
    (0..count).map(|_| take(bytes)).collect()
}
