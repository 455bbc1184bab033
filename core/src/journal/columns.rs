//! One record type of a segment as columns: what tables, NumPy and Parquet are made from.

use super::{JournalError, Reader};
use crate::record::FieldKind;

/// One field of all records of a type, in journal order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// The field's name; `batch_…` for what the batch says.
    pub name: String,
    /// How each value is stored.
    pub kind: FieldKind,
    /// The values.
    pub values: ColumnValues<'a>,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnValues<'a> {
    /// Fixed width, little-endian, one behind the other.
    Packed(Vec<u8>),
    /// Byte strings.
    Bytes(Vec<&'a [u8]>),
}

impl<B: AsRef<[u8]>> Reader<B> {
    /// All records of the type `name`: `batch_sequence`, `batch_market_sequence`, `batch_now_ns`
    /// and then its fields.
    ///
    /// # Errors
    ///
    /// [`JournalError::NoSuchRecord`] if the header declares no such type.
    pub fn columns(&self, name: &str) -> Result<Vec<Column<'_>>, JournalError> {
        let missing = || JournalError::NoSuchRecord(name.to_owned());
        let schema = self.header().schema_named(name).ok_or_else(missing)?;
        let mut sequences = Vec::new();
        let mut market_sequences = Vec::new();
        let mut times = Vec::new();
        let mut fields: Vec<_> = schema.fields.iter().map(|f| empty(f.kind)).collect();
        for batch in self.batches() {
            for row in batch.rows().filter(|row| row.number == schema.number) {
                let Some(cells) = schema.cut(row.bytes) else { continue };
                sequences.extend_from_slice(&batch.sequence.to_le_bytes());
                market_sequences.extend_from_slice(&batch.market_sequence.to_le_bytes());
                times.extend_from_slice(&batch.now_ns.to_le_bytes());
                fields.iter_mut().zip(cells).for_each(|(values, cell)| values.push(cell));
            }
        }
        let of_batch = [
            ("batch_sequence", FieldKind::U64, sequences),
            ("batch_market_sequence", FieldKind::U64, market_sequences),
            ("batch_now_ns", FieldKind::I64, times),
        ];
        let of_batch = of_batch.map(|(name, kind, packed)| Column {
            name: name.to_owned(),
            kind,
            values: ColumnValues::Packed(packed),
        });
        let of_record = schema.fields.iter().zip(fields).map(|(field, values)| Column {
            name: field.name.clone(),
            kind: field.kind,
            values,
        });
        Ok(of_batch.into_iter().chain(of_record).collect())
    }
}

fn empty<'a>(kind: FieldKind) -> ColumnValues<'a> {
    if kind == FieldKind::Bytes {
        ColumnValues::Bytes(Vec::new())
    } else {
        ColumnValues::Packed(Vec::new())
    }
}

impl<'a> ColumnValues<'a> {
    fn push(&mut self, cell: &'a [u8]) {
        match self {
            ColumnValues::Packed(values) => values.extend_from_slice(cell),
            ColumnValues::Bytes(values) => values.push(cell),
        }
    }
}
