//! `veloz._core.JournalTail`: the descriptor that a live journal is appended to, and its sync thread.
//!
//! ```text
//!  append ─► pwrite ─► wanted ─► sync thread: fdatasync ─► released ─► a byte wakes the loop
//! ```
//!
//! The thread takes no lock of the interpreter, so a release waits for the device and not for Python.
//! It runs on the core from which the loop appends, and before the loop: to wake another core from its
//! sleep, and be woken from there, takes longer than all else that is not the device. What is decided here and what the tail over the doors decides must stay the same:
//! a test drives both with the same calls and compares files and releases.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use veloz_core::journal::SyncMark;

/// Marks are themselves synced once in so many syncs, and at the end.
const MARK_SYNCS: u64 = 256;

/// What stands behind the last batch of a segment.
const ZEROS: [u8; 128] = [0; 128];

/// Adds what is here to `veloz._core`.
///
/// # Errors
///
/// What Python raises while the module is filled.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("MARK_SYNCS", MARK_SYNCS)?;
    module.add_class::<JournalTail>()
}

/// When a batch may be acted upon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Once it is written.
    Os,
    /// Once it is synced, together with all that were written meanwhile.
    Group,
    /// Once it is synced, by a sync of its own.
    Fsync,
}

/// An errno and what failed.
type Failure = (Option<i32>, String);

#[derive(Default)]
struct State {
    /// Superseded segments that are not synced yet, then the current one.
    files: VecDeque<Arc<File>>,
    /// How far each coming sync shall reach.
    wanted: VecDeque<SyncMark>,
    /// How far the last sync reached.
    reached: SyncMark,
    /// How long the device took for the last sync.
    sync_ns: u64,
    failure: Option<Failure>,
    is_stopping: bool,
    /// Where the loop was when it wanted the last sync.
    core: Option<usize>,
    /// The thread must be woken.
    is_asleep: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    done: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state as it was between two statements: still true.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Changes the state, and wakes the thread if it sleeps.
    fn rouse<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let is_asleep = std::mem::take(&mut state.is_asleep);
        // Let go first: a thread that wakes to a lock that is held sleeps again.
        drop(state);
        if is_asleep {
            self.work.notify_one();
        }
        result
    }

    /// Waits for a goal; `None` once the thread shall end.
    fn next_goal(&self) -> Option<(SyncMark, MutexGuard<'_, State>)> {
        let mut state = self.lock();
        loop {
            if let Some(goal) = state.wanted.pop_front() {
                return Some((goal, state));
            }
            if state.is_stopping {
                return None;
            }
            state.is_asleep = true;
            state = self.work.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
            state.is_asleep = false;
        }
    }
}

/// Appends to the segment files of a live journal: one write a batch, syncs on a thread of its own.
///
/// Args:
///     policy: os, group or fsync.
///     path: The segment, made and preallocated.
///     number: Of the segment.
///     mark_path: The file of the sync mark, made and preallocated.
///     sequence: The last batch that is durable already.
///
/// Raises ValueError if the policy is none of the three, and OSError if a file cannot be opened.
#[pyclass(subclass, module = "veloz._core")]
pub struct JournalTail {
    policy: Policy,
    shared: Arc<Shared>,
    file: Option<Arc<File>>,
    at: SyncMark,
    /// Bytes that the segment was made with.
    size: u64,
    ear: UnixStream,
    thread: Option<JoinHandle<()>>,
    failure: Option<Failure>,
}

#[pymethods]
impl JournalTail {
    #[new]
    fn new(
        policy: &str,
        path: PathBuf,
        number: u32,
        mark_path: PathBuf,
        sequence: u64,
    ) -> PyResult<Self> {
        let policy = match policy {
            "os" => Policy::Os,
            "group" => Policy::Group,
            "fsync" => Policy::Fsync,
            other => return Err(PyValueError::new_err(format!("no journal policy {other}"))),
        };
        let (file, mark) = (Arc::new(opened(path)?), opened(mark_path)?);
        let at = SyncMark { segment: number, bytes: 0, sequence };
        let size = size_of(&file);
        let (ear, mouth) = UnixStream::pair().map_err(|error| to_python(&told("wake", &error)))?;
        [&ear, &mouth]
            .iter()
            .try_for_each(|end| end.set_nonblocking(true))
            .map_err(|error| to_python(&told("wake", &error)))?;
        let shared = Arc::new(Shared::default());
        shared.lock().files.push_back(file.clone());
        shared.lock().reached = at;
        let mine = shared.clone();
        let thread = std::thread::spawn(move || keep_syncing(&mine, &mark, mouth));
        let file = Some(file);
        Ok(JournalTail { policy, shared, file, at, size, ear, thread: Some(thread), failure: None })
    }

    /// Writes a batch behind those before it, in one write.
    ///
    /// Raises OSError if the disk does not take all of it, and for ever after that.
    fn append(&mut self, frames: &Bound<'_, PyBytes>, sequence: u64) -> PyResult<()> {
        if let Some(failure) = &self.failure {
            return Err(to_python(failure));
        }
        let Some(file) = &self.file else {
            return Err(PyValueError::new_err("the journal is closed"));
        };
        let bytes = frames.as_bytes();
        // A header is made durable at once: without it nothing behind it can be read.
        let syncs = self.policy != Policy::Os || self.at.bytes == 0;
        if let Err(error) = file.write_all_at(bytes, self.at.bytes) {
            return Err(to_python(self.failure.insert(told("write", &error))));
        }
        self.at.bytes += bytes.len() as u64;
        self.at.sequence = sequence;
        if syncs {
            self.want()?;
        }
        Ok(())
    }

    /// Writes zeros over the zeros behind the last batch: it changes nothing, and keeps at hand what
    /// the next batch needs on its way to the disk. What the disk says is for the next batch to hear.
    fn rehearse(&mut self) {
        let Some(file) = &self.file else { return };
        let is_within = self.at.bytes > 0 && self.at.bytes + ZEROS.len() as u64 <= self.size;
        if is_within && self.failure.is_none() && self.policy == Policy::Os {
            let _ = file.write_at(&ZEROS, self.at.bytes);
        }
    }

    /// Asks for a sync that reaches what is written.
    ///
    /// Raises OSError if one failed before.
    fn start_sync(&mut self) -> PyResult<()> {
        self.want()
    }

    /// Ends this segment; what follows goes to the start of the one at `path`.
    ///
    /// The old one is synced before anything behind it is released.
    fn roll(&mut self, path: PathBuf, number: u32) -> PyResult<()> {
        self.want()?;
        let file = Arc::new(opened(path)?);
        self.shared.lock().files.push_back(file.clone());
        self.size = size_of(&file);
        self.file = Some(file);
        self.at = SyncMark { segment: number, bytes: 0, sequence: self.at.sequence };
        Ok(())
    }

    /// Waits until everything written is on the device.
    ///
    /// Raises OSError if the device did not take it.
    fn sync(&mut self, py: Python<'_>) -> PyResult<()> {
        self.want()?;
        let (shared, goal) = (&self.shared, self.at);
        let failure = py.detach(|| {
            let mut state = shared.lock();
            while state.failure.is_none() && state.reached < goal {
                state = shared.done.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            state.failure.clone()
        });
        self.failure = self.failure.take().or(failure);
        self.failure.as_ref().map_or(Ok(()), |failure| Err(to_python(failure)))
    }

    /// Stops the thread and closes the file; does not sync. A second call does nothing.
    fn close(&mut self, py: Python<'_>) {
        self.file = None;
        self.shared.rouse(|state| state.is_stopping = true);
        if let Some(thread) = self.thread.take() {
            // The thread ends by itself; if it panicked there is nothing left to do for it.
            let _ = py.detach(|| thread.join());
        }
    }

    /// A descriptor that becomes readable when a sync ends.
    fn fileno(&self) -> i32 {
        self.ear.as_raw_fd()
    }

    /// Clears the descriptor and says how far the last sync reached.
    ///
    /// Raises OSError if a sync failed.
    fn hear(&mut self) -> PyResult<u64> {
        let mut heard = [0; 64];
        // One read takes all, unless there are more than it has room for.
        while matches!(self.ear.read(&mut heard), Ok(count) if count == heard.len()) {}
        let state = self.shared.lock();
        self.failure = self.failure.take().or_else(|| state.failure.clone());
        match &self.failure {
            Some(failure) => Err(to_python(failure)),
            None => Ok(state.reached.sequence),
        }
    }

    /// int: The last batch that may be acted upon.
    #[getter]
    fn released(&self) -> u64 {
        match self.policy {
            Policy::Os => self.at.sequence,
            Policy::Group | Policy::Fsync => self.shared.lock().reached.sequence,
        }
    }

    /// int: The last batch that is on the device.
    #[getter]
    fn synced(&self) -> u64 {
        self.shared.lock().reached.sequence
    }

    /// int: How long the device took for the last sync, ns.
    #[getter]
    fn sync_ns(&self) -> u64 {
        self.shared.lock().sync_ns
    }

    /// int: Bytes of the segment that are written.
    #[getter]
    fn offset(&self) -> u64 {
        self.at.bytes
    }
}

impl JournalTail {
    /// Asks the thread for a sync that reaches what is written.
    fn want(&mut self) -> PyResult<()> {
        let (goal, is_alone) = (self.at, self.policy == Policy::Fsync);
        let core = cores::present();
        let failure = self.shared.rouse(|state| {
            if !is_alone {
                state.wanted.clear();
            }
            state.wanted.push_back(goal);
            state.core = core;
            state.failure.clone()
        });
        match failure {
            None => Ok(()),
            Some(failure) => Err(to_python(self.failure.insert(failure))),
        }
    }
}

impl Drop for JournalTail {
    fn drop(&mut self) {
        self.shared.rouse(|state| state.is_stopping = true);
    }
}

/// The sync thread: one goal after the other, until it is told to stop or the device fails.
fn keep_syncing(shared: &Shared, mark: &File, mut mouth: UnixStream) {
    let mut turn = 0_u64;
    let mut at_core = None;
    cores::go_first();
    loop {
        let Some((goal, state)) = shared.next_goal() else {
            if turn > 0 {
                let _ = mark.sync_data();
            }
            return;
        };
        let files: Vec<Arc<File>> = state.files.iter().cloned().collect();
        let core = state.core;
        drop(state);
        if core != at_core {
            at_core = core;
            cores::stay_at(core);
        }
        let begun = Instant::now();
        let synced = files.iter().try_for_each(|file| file.sync_data());
        let sync_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut state = shared.lock();
        state.sync_ns = sync_ns;
        match &synced {
            Ok(()) => {
                state.reached = goal;
                state.files.drain(..files.len() - 1);
            }
            Err(error) => state.failure = Some(told("sync", error)),
        }
        drop(state);
        // The loop first: requests wait for it. A full pipe means that it has not yet heard of the
        // sync before: it will wake.
        let _ = mouth.write(&[1]);
        shared.done.notify_all();
        if synced.is_err() {
            return;
        }
        // A mark that is not written leaves an older one, which is true as well.
        // The other place holds one that is on the device: the two change only at a sync.
        let _ = mark.write_all_at(&goal.to_bytes(), SyncMark::place(turn / MARK_SYNCS));
        turn += 1;
        if turn % MARK_SYNCS == 0 {
            let _ = mark.sync_data();
        }
    }
}

fn opened(path: PathBuf) -> PyResult<File> {
    let shown = path.display().to_string();
    OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(|error| PyOSError::new_err((error.raw_os_error(), error.to_string(), shown)))
}

/// 0 if the disk does not say.
fn size_of(file: &File) -> u64 {
    file.metadata().map_or(0, |about| about.len())
}

fn told(what: &str, error: &std::io::Error) -> Failure {
    (error.raw_os_error(), format!("the journal's {what} failed: {error}"))
}

fn to_python((errno, text): &Failure) -> PyErr {
    PyOSError::new_err((*errno, text.clone()))
}

/// Where a thread runs, and when. Nothing depends on it but how long a release takes: what the
/// system refuses stays as it was.
#[cfg(target_os = "linux")]
mod cores {
    /// The shortest turn that the kernel gives: who takes short ones goes before who takes long ones.
    const TURN_NS: u64 = 100_000;

    /// The core of the thread that asks.
    pub fn present() -> Option<usize> {
        usize::try_from(unsafe { libc::sched_getcpu() }).ok()
    }

    /// Keeps the thread that asks on one core.
    pub fn stay_at(core: Option<usize>) {
        let Some(core) = core.filter(|core| *core < libc::CPU_SETSIZE as usize) else { return };
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(core, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
        }
    }

    /// As `struct sched_attr` begins; sched_setattr(2).
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }

    /// Lets the thread that asks run as soon as it is woken.
    pub fn go_first() {
        let size = size_of::<Attributes>() as u32;
        let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let attributes = Attributes { size, nice, runtime: TURN_NS, ..Attributes::default() };
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    }
}

#[cfg(not(target_os = "linux"))]
mod cores {
    pub fn present() -> Option<usize> {
        None
    }

    pub fn stay_at(_core: Option<usize>) {}

    pub fn go_first() {}
}
