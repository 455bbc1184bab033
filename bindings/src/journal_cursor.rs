//! `veloz._core.SegmentCursor` and `Journal`: following a segment, and writing one without an engine.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use veloz_core::facts::{number, SavedState, RECORDS};
use veloz_core::journal::{Cursor, Header, Journal as Core, Snapshot, Step, Stream, SyncMark};

use crate::journal::{append_records, facts_of, to_python, JournalReader};

/// Adds what is here to `veloz._core`.
///
/// # Errors
///
/// What Python raises while the module is filled.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("SYNC_MARK_BYTES", SyncMark::FILE_BYTES)?;
    module.add_class::<SegmentCursor>()?;
    module.add_class::<Journal>()?;
    module.add_function(wrap_pyfunction!(sync_mark, module)?)?;
    module.add_function(wrap_pyfunction!(newest_sync_mark, module)?)?;
    module.add_function(wrap_pyfunction!(make_snapshot, module)?)?;
    module.add_function(wrap_pyfunction!(read_snapshot, module)?)
}

/// A place in one segment that another process may still write: whole batches only, each once.
///
/// Raises TornHeader if the segment's header is not there yet, and ValueError if it is no journal's.
#[pyclass(module = "veloz._core")]
pub struct SegmentCursor(Cursor);

#[pymethods]
impl SegmentCursor {
    #[new]
    fn new(segment: &[u8]) -> PyResult<Self> {
        Ok(SegmentCursor(Cursor::new(segment).map_err(to_python)?))
    }

    /// What the segment says about itself; as JournalReader.header.
    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        facts_of(py, self.0.header())
    }

    /// Records as dicts of the whole batches in `segment`, the bytes from `position` on.
    ///
    /// Raises ValueError if a whole frame there does not follow what was read before; the records
    /// before it were given by the call before.
    fn read<'py>(
        &mut self,
        py: Python<'py>,
        segment: &[u8],
        batches: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let records = PyList::empty(py);
        let (mut at, mut found) = (0, 0);
        while found < batches {
            match self.0.step(&segment[at..]) {
                Ok(Step::Batch(batch)) => {
                    append_records(self.0.header(), &records, &batch)?;
                    at += batch.end;
                    found += 1;
                }
                Ok(Step::Link(bytes)) => at += bytes,
                Ok(Step::Wait) => break,
                Err(_) if found > 0 => break,
                Err(error) => return Err(PyValueError::new_err(error.to_string())),
            }
        }
        Ok(records)
    }

    /// True if `following`, a cursor on the next segment, starts where this one stands.
    fn is_continued_by(&self, following: &SegmentCursor) -> bool {
        let next = following.0.header();
        next.first_sequence == self.0.sequence() + 1 && next.chain == self.0.chain()
    }

    /// int: Bytes of the segment that were read.
    #[getter]
    fn position(&self) -> u64 {
        self.0.position()
    }

    /// int: The last batch that was read.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    /// bool: True once the segment's seal was read.
    #[getter]
    fn is_sealed(&self) -> bool {
        self.0.is_sealed()
    }

    /// bytes: Digest of everything that was read, of the segments before too.
    #[getter]
    fn chain<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.chain())
    }
}

/// A trading journal without an engine, which records what strategies saved.
///
/// It is what tools, benches and the tests of the disk write: chain and frames are the engine's own.
///
/// Args:
///     account: As venue/name.
///     build: Version of the writer.
///     after: The last segment of an earlier run, which this one continues.
///     epoch: Number of the run.
#[pyclass(module = "veloz._core")]
pub struct Journal(Core);

#[pymethods]
impl Journal {
    #[new]
    #[pyo3(signature = (account, build, after=None, epoch=1))]
    fn new(account: &str, build: &str, after: Option<&JournalReader>, epoch: u32) -> Self {
        let header = match after {
            Some(last) => last.0.header().resumed(&last.0.check(), build, epoch),
            None => Header {
                build: build.to_owned(),
                account: account.to_owned(),
                epoch,
                ..Header::first(Stream::Trading, &RECORDS)
            },
        };
        Journal(Core::new(&header))
    }

    /// Appends a batch with one record: state that a strategy saved. Returns the batch's sequence.
    fn save(&mut self, now_ns: i64, state: &[u8]) -> u64 {
        self.0.begin(0, now_ns);
        self.0.record_with_text(number::SAVED_STATE, &SavedState { strategy: 0 }, state);
        self.0.commit()
    }

    /// Takes the bytes that are to be written.
    fn drain<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.drain())
    }

    /// Ends the segment and returns its last bytes; `drain` then starts with the next header.
    fn roll<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut rest = Vec::new();
        let header = self.0.header();
        let (assets, instruments) = (header.assets.clone(), header.instruments.clone());
        self.0.roll(&assets, &instruments, &mut rest);
        PyBytes::new(py, &rest)
    }

    /// Ends the journal and returns its last bytes.
    ///
    /// Raises ValueError if it was ended before.
    fn close<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        if self.0.is_closed() {
            return Err(PyValueError::new_err("the journal is closed"));
        }
        self.0.close();
        Ok(self.drain(py))
    }

    /// int: Sequence of the last batch.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    /// bytes: Digest of everything so far.
    #[getter]
    fn chain<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.chain_hash())
    }
}

/// The sync mark that says how far a journal is on the device: where it goes in its file, and its
/// bytes.
#[pyfunction]
fn sync_mark<'py>(
    py: Python<'py>,
    turn: u64,
    segment: u32,
    length: u64,
    sequence: u64,
) -> (u64, Bound<'py, PyBytes>) {
    let mark = SyncMark { segment, bytes: length, sequence };
    (SyncMark::place(turn), PyBytes::new(py, &mark.to_bytes()))
}

/// The furthest mark in a file of sync marks: segment, bytes of it, sequence; None if there is none.
#[pyfunction]
fn newest_sync_mark(file: &[u8]) -> Option<(u32, u64, u64)> {
    SyncMark::newest(file).map(|mark| (mark.segment, mark.bytes, mark.sequence))
}

/// A snapshot as bytes: the state of a desk behind batch `sequence` of the journal of `segment`.
///
/// Raises ValueError if `segment` does not start as a journal segment, or `chain` is no hash.
#[pyfunction]
fn make_snapshot<'py>(
    py: Python<'py>,
    segment: &[u8],
    sequence: u64,
    chain: [u8; 32],
    state: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let (header, _) = Header::parse(segment).map_err(to_python)?;
    let mut out = Vec::with_capacity(state.len() + 512);
    Snapshot::of(&header, sequence, chain, state).put(&mut out);
    Ok(PyBytes::new(py, &out))
}

/// What a snapshot holds, as a dict: names, epoch, stream, sequence, chain and state.
///
/// Raises ValueError if the bytes are no whole snapshot.
#[pyfunction]
fn read_snapshot<'py>(py: Python<'py>, snapshot: &[u8]) -> PyResult<Bound<'py, PyDict>> {
    let read = py.detach(|| Snapshot::parse(snapshot)).map_err(to_python)?;
    let facts = PyDict::new(py);
    facts.set_item("build", &read.build)?;
    facts.set_item("account", &read.account)?;
    facts.set_item("instance", &read.instance)?;
    facts.set_item("epoch", read.epoch)?;
    facts.set_item("stream", read.stream.name())?;
    facts.set_item("sequence", read.sequence)?;
    facts.set_item("chain", PyBytes::new(py, &read.chain))?;
    facts.set_item("state", PyBytes::new(py, read.state))?;
    Ok(facts)
}
