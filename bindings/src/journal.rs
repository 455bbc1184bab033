//! `veloz._core.JournalReader`: one journal segment, seen from Python.

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList};
use veloz_core::instrument::{Asset, Instrument};
use veloz_core::journal::{
    first_difference, Batch, ColumnValues, Header, JournalError, Reader, Value,
};
use veloz_core::record::FieldKind;

/// Adds what is here to `veloz._core`.
///
/// # Errors
///
/// What Python raises while the module is filled.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<JournalReader>()?;
    module.add("TornHeader", module.py().get_type::<TornHeader>())?;
    module.add("BrokenHeader", module.py().get_type::<BrokenHeader>())
}

pyo3::create_exception!(
    _core,
    TornHeader,
    PyValueError,
    "The segment ends inside its header: it was made and nothing was written behind it."
);

pyo3::create_exception!(
    _core,
    BrokenHeader,
    PyValueError,
    "The segment's header does not match its checksum: it was damaged, or never written whole."
);

/// One segment of a journal, checked frame by frame when it is opened.
///
/// Raises TornHeader if the bytes end inside the header, and ValueError if they are no header of a
/// format that this build reads.
#[pyclass(module = "veloz._core", frozen)]
pub struct JournalReader(pub(crate) Reader<PyBackedBytes>);

#[pymethods]
impl JournalReader {
    #[new]
    fn new(py: Python<'_>, segment: PyBackedBytes) -> PyResult<Self> {
        Ok(JournalReader(py.detach(|| Reader::new(segment)).map_err(to_python)?))
    }

    /// What the segment says about itself: names, tables and the fields of each record type.
    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        facts_of(py, self.0.header())
    }

    /// What the segment proves about itself, hash chain included.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let check = py.detach(|| self.0.check());
        let facts = PyDict::new(py);
        facts.set_item("batches", check.batches)?;
        facts.set_item("records", check.records)?;
        facts.set_item("unknown_records", check.unknown_records)?;
        facts.set_item("is_sealed", check.is_sealed)?;
        facts.set_item("first_sequence", check.first_sequence)?;
        facts.set_item("last_sequence", check.last_sequence)?;
        facts.set_item("chain", PyBytes::new(py, &check.chain))?;
        facts.set_item("torn_bytes", check.torn_bytes)?;
        facts.set_item("first_broken", check.first_broken)?;
        Ok(facts)
    }

    /// True if `following` starts at the sequence and hash at which this segment ends.
    fn is_continued_by(&self, following: &JournalReader) -> bool {
        self.0.check().is_continued_by(following.0.header())
    }

    /// Bytes up to the end of the last whole frame.
    fn whole_bytes(&self) -> usize {
        self.0.whole_bytes()
    }

    /// Digest of everything up to a batch, as bytes; None if the batch is not in this segment.
    fn chain_at<'py>(&self, py: Python<'py>, sequence: u64) -> Option<Bound<'py, PyBytes>> {
        py.detach(|| self.0.chain_at(sequence)).map(|hash| PyBytes::new(py, &hash))
    }

    /// Where the batch behind `sequence` is, for `records`; None if it is not in this segment.
    fn end_of(&self, py: Python<'_>, sequence: u64) -> Option<usize> {
        py.detach(|| self.0.end_of(sequence))
    }

    /// All records of one type: a list of (name, kind, packed little-endian bytes or byte strings).
    ///
    /// Raises KeyError if the header declares no such type.
    fn columns<'py>(&self, py: Python<'py>, record: &str) -> PyResult<Bound<'py, PyList>> {
        let columns = py.detach(|| self.0.columns(record)).map_err(to_python)?;
        let columns = columns.iter().map(|column| {
            let values = match &column.values {
                ColumnValues::Packed(values) => PyBytes::new(py, values).into_any(),
                ColumnValues::Bytes(values) => list(py, values, bytes)?.into_any(),
            };
            Ok((column.name.as_str(), kind_name(column.kind), values))
        });
        PyList::new(py, columns.collect::<PyResult<Vec<_>>>()?)
    }

    /// Records as dicts, in order, of at most `batches` batches from `offset` on, and where the
    /// next call goes on; None in its place at the end.
    fn records<'py>(
        &self,
        py: Python<'py>,
        offset: usize,
        batches: usize,
    ) -> PyResult<(Bound<'py, PyList>, Option<usize>)> {
        let records = PyList::empty(py);
        let mut end = None;
        for batch in self.0.batches_from(offset).take(batches) {
            end = Some(batch.end);
            append_records(self.0.header(), &records, &batch)?;
        }
        Ok((records, end))
    }

    /// A sentence that names the first difference from another segment; None if there is none.
    fn first_difference(&self, py: Python<'_>, other: &JournalReader) -> Option<String> {
        py.detach(|| first_difference(&self.0, &other.0))
    }
}

/// What a header says, as a dict.
pub(crate) fn facts_of<'py>(py: Python<'py>, header: &Header) -> PyResult<Bound<'py, PyDict>> {
    let facts = PyDict::new(py);
    facts.set_item("build", &header.build)?;
    facts.set_item("account", &header.account)?;
    facts.set_item("instance", &header.instance)?;
    facts.set_item("epoch", header.epoch)?;
    facts.set_item("stream", header.stream.name())?;
    facts.set_item("segment", header.segment)?;
    facts.set_item("first_sequence", header.first_sequence)?;
    facts.set_item("chain", PyBytes::new(py, &header.chain))?;
    facts.set_item("assets", list(py, &header.assets, asset)?)?;
    facts.set_item("instruments", list(py, &header.instruments, instrument)?)?;
    let records = PyDict::new(py);
    for schema in &header.schemas {
        let fields = schema.fields.iter().map(|f| (f.name.as_str(), kind_name(f.kind)));
        records.set_item(&schema.name, (schema.number, fields.collect::<Vec<_>>()))?;
    }
    facts.set_item("records", records)?;
    Ok(facts)
}

/// Appends each record of a batch as a dict.
pub(crate) fn append_records(
    header: &Header,
    records: &Bound<'_, PyList>,
    batch: &Batch<'_>,
) -> PyResult<()> {
    let py = records.py();
    for row in batch.rows() {
        let Some(schema) = header.schema(row.number) else { continue };
        let Some(values) = schema.values(row.bytes) else { continue };
        let record = PyDict::new(py);
        record.set_item("record", &schema.name)?;
        record.set_item("batch_sequence", batch.sequence)?;
        record.set_item("batch_market_sequence", batch.market_sequence)?;
        record.set_item("batch_now_ns", batch.now_ns)?;
        for (name, value) in values {
            match value {
                Value::Bool(value) => record.set_item(name, value)?,
                Value::Int(value) => record.set_item(name, value)?,
                Value::Bytes(value) => record.set_item(name, PyBytes::new(py, value))?,
            }
        }
        records.append(record)?;
    }
    Ok(())
}

fn asset<'py>(py: Python<'py>, asset: &Asset) -> PyResult<Bound<'py, PyAny>> {
    let row = PyDict::new(py);
    row.set_item("name", &asset.name)?;
    row.set_item("scale", asset.scale)?;
    Ok(row.into_any())
}

/// What a reader needs to show the numbers of a record as prices, quantities and money.
fn instrument<'py>(py: Python<'py>, instrument: &Instrument) -> PyResult<Bound<'py, PyAny>> {
    let row = PyDict::new(py);
    row.set_item("symbol", &instrument.symbol)?;
    row.set_item("venue_symbol", &instrument.venue_symbol)?;
    row.set_item("base", instrument.base)?;
    row.set_item("quote", instrument.quote)?;
    row.set_item("settle", instrument.settle)?;
    row.set_item("price_scale", instrument.price_scale)?;
    row.set_item("qty_scale", instrument.qty_scale)?;
    row.set_item("tick", instrument.tick)?;
    row.set_item("lot", instrument.lot)?;
    row.set_item("multiplier", instrument.multiplier)?;
    row.set_item("multiplier_scale", instrument.multiplier_scale)?;
    Ok(row.into_any())
}

fn bytes<'py>(py: Python<'py>, value: &&[u8]) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyBytes::new(py, value).into_any())
}

fn list<'py, T>(
    py: Python<'py>,
    rows: &[T],
    convert: impl Fn(Python<'py>, &T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, rows.iter().map(|row| convert(py, row)).collect::<PyResult<Vec<_>>>()?)
}

/// As NumPy spells it, where NumPy has it.
fn kind_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Bool => "bool",
        FieldKind::U8 => "uint8",
        FieldKind::I8 => "int8",
        FieldKind::U16 => "uint16",
        FieldKind::U32 => "uint32",
        FieldKind::U64 => "uint64",
        FieldKind::I64 => "int64",
        FieldKind::I128 => "int128",
        FieldKind::Bytes => "bytes",
    }
}

pub(crate) fn to_python(error: JournalError) -> PyErr {
    match error {
        JournalError::NoSuchRecord(_) => PyKeyError::new_err(error.to_string()),
        JournalError::TornHeader => TornHeader::new_err(error.to_string()),
        JournalError::BrokenHeader => BrokenHeader::new_err(error.to_string()),
        JournalError::NotAJournal
        | JournalError::Format(_)
        | JournalError::NotASnapshot
        | JournalError::SnapshotFormat(_)
        | JournalError::BrokenSnapshot
        | JournalError::OtherKind { .. } => PyValueError::new_err(error.to_string()),
    }
}
