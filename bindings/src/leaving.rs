//! What every order asks before it leaves: `Bucket`, `Price` and `Leave` of limits, `SureClock` of stamps;
//! `Departure` asks all of it in one call.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use veloz_core::allowance::Allowance;

use crate::live_request::LiveRequest;
use crate::signer::BinanceSigner;

/// Adds what is here to `veloz._core`.
///
/// # Errors
///
/// What Python raises while the module is filled.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Bucket>()?;
    module.add_class::<Price>()?;
    module.add_class::<Leave>()?;
    module.add_class::<SureClock>()?;
    module.add_class::<Departure>()
}

/// Bucket(name: str, limit: int, window_s: int, *, is_shared: bool = True)
///
/// One limit of a venue, and what is used of it.
///
/// Args:
///     name: As in the venue's header or documentation.
///     limit: Units in a window.
///     window_s: Length of a window; it begins at whole multiples of it since the epoch.
///     is_shared: It is the address's, so that all processes draw from it; not an account's own.
#[pyclass(module = "veloz._core")]
pub struct Bucket {
    own: Allowance,
    #[pyo3(get)]
    /// str: As in the venue's header or documentation.
    name: String,
    #[pyo3(get)]
    /// bool: It is the address's, so that all processes draw from it.
    is_shared: bool,
    /// Of which window so many units are this process's alone.
    leased: (i64, i64),
}

impl Bucket {
    /// Units of the window of now that this process may take without asking the others: what it
    /// leased and did not spend, else its share of the limit, in hundredths.
    fn leased(&self, share: i64) -> i64 {
        if self.leased.0 == self.own.window {
            self.leased.1
        } else {
            self.own.limit * share / 100
        }
    }
}

#[pymethods]
impl Bucket {
    #[new]
    #[pyo3(signature = (name, limit, window_s, *, is_shared = true))]
    fn new(name: String, limit: i64, window_s: i64, is_shared: bool) -> Self {
        Bucket { own: Allowance::new(limit, window_s), name, is_shared, leased: (-1, 0) }
    }

    /// int: Units in a window.
    #[getter]
    fn limit(&self) -> i64 {
        self.own.limit
    }

    /// change(limit: int) -> None
    ///
    /// The venue has changed the limit.
    fn change(&mut self, limit: i64) {
        self.own.limit = limit;
    }

    /// leased(share: int) -> int
    ///
    /// Units of the window of now that this process may take without asking the others: what it
    /// leased and did not spend, else its share of the limit, in hundredths.
    #[pyo3(name = "leased")]
    fn leased_now(&self, share: i64) -> i64 {
        self.leased(share)
    }

    /// lease(units: int) -> None
    ///
    /// So many units of the window of now are this process's alone.
    fn lease(&mut self, units: i64) {
        self.leased = (self.own.window, units);
    }

    /// int: Units in the window of now.
    #[getter]
    fn used(&self) -> i64 {
        self.own.used
    }

    /// told(used: int) -> None
    ///
    /// The venue says that so many units are used: that counts, unless we have counted more.
    fn told(&mut self, used: i64) {
        self.own.used = self.own.used.max(used);
    }

    /// int: Length of a window.
    #[getter]
    fn window_s(&self) -> i64 {
        self.own.window_s
    }

    /// int: Number of the window of now; -1 before the first.
    #[getter]
    fn window(&self) -> i64 {
        self.own.window
    }

    /// roll(venue_ns: int) -> None
    ///
    /// Starts the window anew if it is over; an old one is never opened again.
    fn roll(&mut self, venue_ns: i64) {
        self.own.roll(venue_ns);
    }
}

/// Price(units: list[tuple[Bucket, int]], share: int | None)
///
/// Units of buckets that are taken many times, all or none.
///
/// Args:
///     units: How many of each.
///     share: Hundredths of what is shared that this process may take without asking the others; None
///         if there are no others.
#[pyclass(frozen, module = "veloz._core")]
pub struct Price {
    units: Vec<(Py<Bucket>, i64)>,
    share: i64,
    ours: Vec<(Py<Bucket>, i64)>,
    /// list[tuple[Bucket, int]]: What of it other processes draw from as well.
    #[pyo3(get)]
    shared: Py<PyList>,
}

impl Price {
    /// Takes what is shared out of what this process has leased; false, and nothing taken, if that
    /// is too little.
    fn draw(&self, py: Python<'_>) -> bool {
        let left = |bucket: &Py<Bucket>| bucket.borrow(py).leased(self.share);
        if self.ours.iter().any(|(bucket, units)| left(bucket) < *units) {
            return false;
        }
        for (bucket, units) in &self.ours {
            let rest = left(bucket) - units;
            bucket.borrow_mut(py).lease(rest);
        }
        true
    }
}

#[pymethods]
impl Price {
    #[new]
    #[pyo3(signature = (units, share))]
    fn new(py: Python<'_>, units: Vec<(Py<Bucket>, i64)>, share: Option<i64>) -> PyResult<Self> {
        let shared = PyList::empty(py);
        let mut ours = Vec::new();
        for (bucket, count) in units.iter().filter(|(_, count)| share.is_some() && *count > 0) {
            if bucket.borrow(py).is_shared {
                let row = (bucket.clone_ref(py), *count).into_pyobject(py)?;
                shared.append::<Bound<'_, PyTuple>>(row)?;
                ours.push((bucket.clone_ref(py), *count));
            }
        }
        Ok(Price { units, share: share.unwrap_or(0), ours, shared: shared.unbind() })
    }

    /// charge() -> None
    ///
    /// Takes it.
    fn charge(&self, py: Python<'_>) {
        for (bucket, units) in &self.units {
            bucket.borrow_mut(py).own.used += units;
        }
    }

    /// is_there(venue_ns: int, reserved: int) -> bool
    ///
    /// True if all of it may be taken now, with so many hundredths of each limit left to others.
    /// Windows that are over are started anew.
    #[pyo3(signature = (venue_ns, reserved, /))]
    fn is_there(&self, py: Python<'_>, venue_ns: i64, reserved: i64) -> bool {
        self.units.iter().all(|(bucket, units)| {
            let mut bucket = bucket.borrow_mut(py);
            bucket.own.roll(venue_ns);
            bucket.own.has_room(*units, reserved)
        })
    }
}

/// Leave(offset_ns: int)
///
/// Whether something may be asked of a venue now.
///
/// Args:
///     offset_ns: The venue's clock less the monotonic one.
#[pyclass(get_all, module = "veloz._core")]
pub struct Leave {
    /// int: The venue's clock less the monotonic one, ns.
    offset_ns: i64,
    /// int: Nothing may be asked before, monotonic, ns.
    silent_until_ns: i64,
    /// int: Until then, monotonic, nobody else was asked for silence; what came later is not known.
    quiet_until_ns: i64,
    /// bool: Somebody waits for his turn; who comes has to look whether that one is more urgent.
    is_crowded: bool,
}

#[pymethods]
impl Leave {
    #[new]
    fn new(offset_ns: i64) -> Self {
        Leave { offset_ns, silent_until_ns: 0, quiet_until_ns: 0, is_crowded: false }
    }

    /// align(offset_ns: int) -> None
    ///
    /// The venue's clock less the monotonic one is this.
    fn align(&mut self, offset_ns: i64) {
        self.offset_ns = offset_ns;
    }

    /// silence(until_ns: int) -> None
    ///
    /// Nothing may be asked before; a silence is never shortened.
    fn silence(&mut self, until_ns: i64) {
        self.silent_until_ns = self.silent_until_ns.max(until_ns);
    }

    /// quiet(until_ns: int) -> None
    ///
    /// Until then nobody else was asked for silence.
    fn quiet(&mut self, until_ns: i64) {
        self.quiet_until_ns = until_ns;
    }

    /// crowd(waiting: int) -> None
    ///
    /// So many wait for their turn.
    fn crowd(&mut self, waiting: usize) {
        self.is_crowded = waiting > 0;
    }

    /// take(price: Price, now_ns: int, reserved: int) -> bool | None
    ///
    /// Takes a price, if all of it may be taken now with so many hundredths of each limit left to
    /// others: true if it did, false if it may not be. None if that is for others to say, who may
    /// have been asked for silence or to whom a lease is due: nothing is taken then.
    #[pyo3(signature = (price, now_ns, reserved, /))]
    fn take(&self, py: Python<'_>, price: &Price, now_ns: i64, reserved: i64) -> Option<bool> {
        if now_ns < self.silent_until_ns {
            return Some(false);
        }
        if now_ns >= self.quiet_until_ns {
            return None;
        }
        if !price.is_there(py, now_ns + self.offset_ns, reserved) {
            return Some(false);
        }
        if !price.draw(py) {
            return None;
        }
        price.charge(py);
        Some(true)
    }
}

/// SureClock(step_ns: int, gap_ns: int)
///
/// Until when the venue's time is known without another look, and as what.
///
/// Args:
///     step_ns: By so much the wall clock may part from the monotonic one between two looks.
///     gap_ns: The wall clock less the monotonic one.
#[pyclass(module = "veloz._core")]
pub struct SureClock {
    step_ns: i64,
    until_ns: i64,
    window_ns: i64,
    offset_ns: i64,
    /// int: The wall clock less the monotonic one, when they were looked at last, ns.
    #[pyo3(get)]
    gap_ns: i64,
}

#[pymethods]
impl SureClock {
    #[new]
    fn new(step_ns: i64, gap_ns: i64) -> Self {
        SureClock { step_ns, until_ns: i64::MIN, window_ns: 0, offset_ns: 0, gap_ns }
    }

    /// know(until_ns: int, window_ns: int, offset_ns: int) -> None
    ///
    /// From here on, and as long as the monotonic clock says no more than `until_ns`, the venue's
    /// time is the wall clock's plus an offset, surely within a window of that width.
    fn know(&mut self, until_ns: i64, window_ns: i64, offset_ns: i64) {
        (self.until_ns, self.window_ns, self.offset_ns) = (until_ns, window_ns, offset_ns);
    }

    /// looked(gap_ns: int) -> None
    ///
    /// The clocks were looked at.
    fn looked(&mut self, gap_ns: i64) {
        self.gap_ns = gap_ns;
    }

    /// doubt() -> None
    ///
    /// It is not known any more.
    fn doubt(&mut self) {
        self.until_ns = i64::MIN;
    }

    /// stamp_ns(monotonic_ns: int, wall_ns: int, window_ns: int) -> int | None
    ///
    /// The venue's time, if it is surely within a window of that width; None if that is to be looked
    /// at, as after a step of the wall clock.
    #[pyo3(signature = (monotonic_ns, wall_ns, window_ns, /))]
    fn stamp_ns(&mut self, monotonic_ns: i64, wall_ns: i64, window_ns: i64) -> Option<i64> {
        let gap_ns = wall_ns - monotonic_ns;
        let is_known = monotonic_ns <= self.until_ns && window_ns == self.window_ns;
        if !is_known || (gap_ns - self.gap_ns).abs() > self.step_ns {
            return None;
        }
        self.gap_ns = gap_ns;
        Some(wall_ns + self.offset_ns)
    }
}

/// Departure(clock: SureClock, leave: Leave, signer: BinanceSigner, window_ms: int, rehearsal_ms: int)
///
/// The way of a request that nothing speaks against, in one call: the venue's time, the limits, the
/// signature. Where something might, it says so and has done nothing.
///
/// Args:
///     clock: The venue's.
///     leave: Of the limits that requests draw from.
///     signer: The key.
///     window_ms: How long after its stamp the venue may take a request.
///     rehearsal_ms: The stamp of what is rehearsed.
#[pyclass(module = "veloz._core")]
pub struct Departure {
    clock: Py<SureClock>,
    leave: Py<Leave>,
    signer: Py<BinanceSigner>,
    window_ms: u32,
    rehearsal_ms: i64,
    /// By kind: what it costs, and the hundredths of each limit that are left to others.
    prices: Vec<(&'static str, Py<Price>, i64)>,
    /// int: The venue's time in the last frame, ms.
    #[pyo3(get)]
    timestamp_ms: i64,
}

const KINDS: [&str; 6] = ["place", "reduce", "amend", "cancel", "cancel_all", "rehearsal"];

#[pymethods]
impl Departure {
    #[new]
    fn new(
        clock: Py<SureClock>,
        leave: Py<Leave>,
        signer: Py<BinanceSigner>,
        window_ms: u32,
        rehearsal_ms: i64,
    ) -> Self {
        let (prices, timestamp_ms) = (Vec::with_capacity(KINDS.len()), 0);
        Departure { clock, leave, signer, window_ms, rehearsal_ms, prices, timestamp_ms }
    }

    /// cost(kind: str, price: Price, reserved: int) -> None
    ///
    /// What requests of a kind cost, and how many hundredths of each limit they leave to others; the
    /// kind "reduce" is an order that can only make a position smaller. A kind that is not told of
    /// never departs here.
    ///
    /// Raises:
    ///     ValueError: No request is of that kind.
    fn cost(&mut self, kind: &str, price: Py<Price>, reserved: i64) -> PyResult<()> {
        let kind = KINDS.iter().find(|known| **known == kind).ok_or_else(|| {
            pyo3::exceptions::PyValueError::new_err(format!("no request is of the kind {kind:?}"))
        })?;
        self.prices.push((kind, price, reserved));
        Ok(())
    }

    /// frame(request: LiveRequest, monotonic_ns: int, wall_ns: int) -> bytes | None
    ///
    /// The signed frame of a request, whose price is then taken. None, and nothing was taken, if that
    /// has to be looked at: the time may not be known, a limit or a silence may be in the way, somebody
    /// waits for his turn, or the WebSocket API does not offer it.
    #[pyo3(signature = (request, monotonic_ns, wall_ns, /))]
    fn frame<'py>(
        &mut self,
        py: Python<'py>,
        request: &LiveRequest,
        monotonic_ns: i64,
        wall_ns: i64,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let kind = request.departs_as();
        let Some((_, price, reserved)) = self.prices.iter().find(|(known, ..)| *known == kind)
        else {
            return Ok(None);
        };
        let Some(draft) = request.draft().filter(|draft| draft.borrow(py).offers_ws()) else {
            return Ok(None);
        };
        let window_ns = i64::from(self.window_ms) * 1_000_000;
        let stamp = self.clock.borrow_mut(py).stamp_ns(monotonic_ns, wall_ns, window_ns);
        let Some(venue_ns) = stamp else { return Ok(None) };
        let leave = self.leave.borrow(py);
        if leave.is_crowded || leave.take(py, price.get(), monotonic_ns, *reserved) != Some(true) {
            return Ok(None);
        }
        let is_rehearsal = request.number() == 0;
        self.timestamp_ms =
            if is_rehearsal { self.rehearsal_ms } else { venue_ns.div_euclid(1_000_000) };
        let signer = self.signer.get();
        draft.borrow_mut(py).frame(py, signer, request.number(), self.timestamp_ms, self.window_ms)
    }
}
