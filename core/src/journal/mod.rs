//! The journal: what happened, as bytes that nobody has to take on trust. No files here.
//!
//! ```text
//!  segment = header ─► frame ─► frame ─► … ─► seal
//!  header  = magic, format, names, tables, schema of each record type, CRC32C
//!  frame   = CRC32C, length, then one of
//!            batch  everything that one input caused: sequence, times, records
//!            link   BLAKE3 of the frames since the last link, keyed by the last link's hash
//!            seal   the last link of a segment: nothing follows
//! ```
//!
//! A newcomer expects records to be read with the structs of the build that reads. They are read
//! with the schema in the segment's own header, by field name: an older journal leaves a newer
//! field at zero, a newer one's extra fields are passed over. `docs/journal.md` gives each byte.

mod columns;
mod cursor;
mod difference;
mod frame;
mod header;
mod mark;
mod reader;
mod snapshot;
mod tables;
mod writer;

use std::fmt;

use crate::record::{Field, Record};

pub use columns::{Column, ColumnValues};
pub use cursor::{Cursor, CursorBroken, Step};
pub use difference::first_difference;
pub use frame::BLOCK_BYTES;
pub use header::{Header, Schema, SchemaField, Stream, Value, FORMAT, MAGIC};
pub use mark::SyncMark;
pub use reader::{Batch, Check, Reader, Row};
pub use snapshot::{Snapshot, SNAPSHOT_FORMAT, SNAPSHOT_MAGIC};
pub use tables::{put_asset, put_instrument, take_asset, take_instrument};
pub use writer::Journal;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// One line of the table of record types: its number for ever, its name and its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordType {
    /// Never re-used, never changed.
    pub number: u16,
    /// In every language.
    pub name: &'static str,
    /// In the order in which they are stored; new ones are appended.
    pub fields: &'static [Field],
    /// Name of the byte string that follows the fields, if one does.
    pub text: Option<&'static str>,
}

impl RecordType {
    /// A record type of fixed width, written with [`Journal::record`].
    #[must_use]
    pub const fn of<R: Record>(number: u16) -> RecordType {
        RecordType { number, name: R::NAME, fields: R::FIELDS, text: None }
    }

    /// A record type with a byte string behind it, written with [`Journal::record_with_text`].
    #[must_use]
    pub const fn with_text<R: Record>(number: u16, text: &'static str) -> RecordType {
        RecordType { number, name: R::NAME, fields: R::FIELDS, text: Some(text) }
    }
}

/// Why bytes cannot be read as a journal, or not as what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// The first bytes are not a journal's.
    NotAJournal,
    /// Written in a format that this build does not know.
    Format(u16),
    /// The bytes end inside the header, so no batch was ever written.
    TornHeader,
    /// The header's checksum or structure is wrong.
    BrokenHeader,
    /// The first bytes are not a snapshot's.
    NotASnapshot,
    /// A snapshot of a format that this build does not know.
    SnapshotFormat(u16),
    /// A snapshot was cut or changed.
    BrokenSnapshot,
    /// No record type of this name or number is in the header.
    NoSuchRecord(String),
    /// A field has another kind than the reader's.
    OtherKind {
        /// Record type.
        record: String,
        /// Field of it.
        field: String,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::NotAJournal => {
                f.write_str("the bytes do not start as a VeloZ journal segment; check the path")
            }
            JournalError::Format(found) => write!(
                f,
                "the segment has journal format {found} and this build reads format {FORMAT}; \
                 read it with the build that wrote it"
            ),
            JournalError::TornHeader => f.write_str(
                "the segment ends inside its header, so it holds no batch; it can be removed",
            ),
            JournalError::BrokenHeader => f.write_str(
                "the segment's header does not match its checksum; restore the file from a copy",
            ),
            JournalError::NotASnapshot => {
                f.write_str("the bytes do not start as a VeloZ snapshot; check the path")
            }
            JournalError::SnapshotFormat(found) => write!(
                f,
                "the snapshot has format {found} and this build reads format {SNAPSHOT_FORMAT}; \
                 recover from the journal alone"
            ),
            JournalError::BrokenSnapshot => f.write_str(
                "the snapshot was cut or changed; remove it and recover from the journal alone",
            ),
            JournalError::NoSuchRecord(name) => {
                write!(f, "the journal's header declares no record type {name}; see its schema")
            }
            JournalError::OtherKind { record, field } => write!(
                f,
                "field {field} of {record} is stored with another kind than this build's; \
                 read it with the build that wrote it"
            ),
        }
    }
}

impl std::error::Error for JournalError {}
