//! What leaves a `LiveEngine`: requests, journals, snapshots; recovery; and views.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};
use veloz_core::desk::Recovery;
use veloz_core::journal::{Header, Journal, Reader};
use veloz_core::market::Quote;
use veloz_core::order::{Request, RequestKind};

use crate::errors;
use crate::live::{Awaited, LiveEngine};
use crate::live_market::{MarketJournal, MarketReplay};
use crate::live_request::LiveRequest;
use crate::live_views;
use crate::settings::instrument_of;

/// Requests whose answers are awaited before the list is looked through.
const MOST_ASKED: usize = 4_096;

#[pymethods]
impl LiveEngine {
    /// take_requests() -> list[LiveRequest]
    ///
    /// Hands over the requests that are to leave, in order. Of a poisoned engine: a cancel of every
    /// order that may be open, once. What the venue cannot be asked goes back as never sent.
    fn take_requests(&mut self, py: Python<'_>) -> PyResult<Vec<LiveRequest>> {
        let requests = match &self.poison {
            None => self.live.take_requests(),
            Some(_) => self.rescue(),
        };
        if self.asked.len() > MOST_ASKED {
            // What nobody answered although its order ended needs no answer any more.
            let orders = &self.live.engine.desk.orders;
            self.asked.retain(|_, awaited| {
                orders.get(awaited.request.order).is_some_and(|order| order.is_open())
            });
        }
        let mut leaving = Vec::with_capacity(requests.len());
        for request in requests {
            let (desk, number) = (&self.live.engine.desk, self.next_number);
            self.next_number += 1;
            self.asked.insert(number, Awaited { request, is_doubted: false });
            self.latencies.leaves(number);
            // What is rehearsed has no number, and waits for no batch.
            let named = if self.rehearses { (0, 0) } else { (number, desk.journal.sequence()) };
            leaving.push(LiveRequest::new(py, desk, &mut self.encoders, named, request)?);
        }
        self.latencies.rest();
        Ok(leaving)
    }

    /// int: What an input left behind: 1 if `journal_pending`, `market_pending` or `take_requests`
    /// has something to hand over, 2 if `take_listens` has, 4 if `next_ns` is not what it was when
    /// it was read last; 0 after most frames.
    #[getter]
    fn unsettled(&mut self) -> u8 {
        let has_pending = !self.desk().journal.pending().is_empty()
            || self.market.as_ref().is_some_and(|market| !market.0.pending().is_empty())
            || self.live.has_requests();
        let has_listens = !self.live.engine.listens.is_empty();
        let is_moved = self.live.next_ns() != self.told_next_ns;
        u8::from(has_pending) | u8::from(has_listens) << 1 | u8::from(is_moved) << 2
    }

    /// rehearse(account: int, now_ns: int) -> None
    ///
    /// Of an engine with the setting `rehearses`: what it asked for before is ended as never sent, and
    /// its strategies hear a quote of the account's first instrument. What they order then goes the
    /// whole way of an order; its kind is "rehearsal", and nobody sends it.
    ///
    /// Raises:
    ///     ValueError: The engine is one that trades, or the account has no instrument.
    fn rehearse(&mut self, account: u16, now_ns: i64) -> PyResult<()> {
        if !self.rehearses {
            return Err(PyValueError::new_err("an engine that trades is not rehearsed with"));
        }
        let kind = self.seat(account)?.market.kind();
        let row = self.desk().instruments.iter().position(|instrument| instrument.kind == kind);
        let row = row.ok_or_else(|| PyValueError::new_err("the account has no instrument"))?;
        let asked: Vec<u64> = self.asked.keys().copied().collect();
        for number in asked {
            self.not_sent(number, "a rehearsal", now_ns)?;
        }
        let instrument = &self.desk().instruments[row];
        let (price, qty) = (instrument.tick.max(1), instrument.lot.max(1));
        let quote = Quote {
            ts_exchange: now_ns,
            ts_recv: now_ns,
            instrument: row as u32,
            bid_price: price,
            bid_qty: qty,
            ask_price: price * 2,
            ask_qty: qty,
            update_id: 0,
        };
        self.latencies.begin(&self.link, now_ns);
        self.guarded(|live, _| live.hear(now_ns, None, |hears| Ok(hears.quote(&quote)?)))?;
        self.latencies.end(&self.link, true, self.live.has_requests());
        Ok(())
    }

    /// journal_pending() -> bytes
    ///
    /// Takes the journal's bytes since the last call. They go to disk before any request leaves.
    fn journal_pending<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let journal = &mut self.live.engine.desk.journal;
        let bytes = PyBytes::new(py, journal.pending());
        journal.discard();
        bytes
    }

    /// market_pending() -> bytes
    ///
    /// As `journal_pending`, of the market journal; empty if the market is not recorded.
    fn market_pending<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let Some(market) = &mut self.market else { return PyBytes::new(py, b"") };
        let bytes = PyBytes::new(py, market.0.pending());
        market.0.discard();
        bytes
    }

    /// int: Sequence of the last batch of the trading journal.
    #[getter]
    fn journal_sequence(&self) -> u64 {
        self.desk().journal.sequence()
    }

    /// roll_journal() -> bytes
    ///
    /// Seals the segment and starts the next: what is left of the old one.
    fn roll_journal<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.refuse_poisoned()?;
        let desk = &mut self.live.engine.desk;
        let mut rest = Vec::new();
        desk.journal.roll(&desk.assets, &desk.instruments, &mut rest);
        Ok(PyBytes::new(py, &rest))
    }

    /// renew(instruments: list[dict[str, Any]], note: str) -> None
    ///
    /// Takes other versions of the instruments over, all of them, in the order of their rows: what
    /// an order may say from now on. The note is a batch of the journal; the caller rolls at once,
    /// so that the next segment begins behind it, with the new versions in its header.
    ///
    /// Raises:
    ///     ValueError: They do not count in the units of those that the engine was made with.
    fn renew(&mut self, instruments: Vec<Bound<'_, PyDict>>, note: &str) -> PyResult<()> {
        let assets = self.desk().assets.clone();
        let rows = instruments.iter().map(|row| instrument_of(row, &assets));
        let rows = rows.collect::<PyResult<Vec<_>>>()?;
        let own = &self.desk().instruments;
        if rows.len() != own.len() || !rows.iter().zip(own).all(|(a, b)| a.counts_like(b)) {
            return Err(PyValueError::new_err(
                "the instruments count in other units than those of the journal",
            ));
        }
        self.note_parameter(0, note)?;
        self.adopt_versions(&rows);
        Ok(())
    }

    /// roll_market() -> bytes
    ///
    /// As `roll_journal`, of the market journal; empty if the market is not recorded.
    fn roll_market<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.refuse_poisoned()?;
        let desk = &self.live.engine.desk;
        let mut rest = Vec::new();
        if let Some(market) = &mut self.market {
            market.0.roll(&desk.assets, &desk.instruments, &mut rest);
        }
        Ok(PyBytes::new(py, &rest))
    }

    /// snapshot() -> bytes
    ///
    /// The trading state after the last batch, with its sequence.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.refuse_poisoned()?;
        Ok(PyBytes::new(py, &self.desk().snapshot()))
    }

    /// recover(segments: Sequence[bytes], snapshot: bytes | None = None) -> dict[str, Any]
    ///
    /// Applies a journal to a fresh engine with the same tables and accounts, from the snapshot on.
    /// No strategy runs. The journal then goes on in a new segment, under the engine's own epoch.
    ///
    /// Returns:
    ///     dict[str, Any]: `sequence`, `batches`, `epoch`, `next_order`, `now_ns` (of the last batch),
    ///     `states` and `saved` by strategy.
    #[pyo3(signature = (segments, snapshot = None))]
    fn recover<'py>(
        &mut self,
        py: Python<'py>,
        segments: Vec<PyBackedBytes>,
        snapshot: Option<PyBackedBytes>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let own = self.desk().journal.header().clone();
        let recovery = self.recover_from(segments, snapshot, &own)?;
        let told = live_views::recovery(py, self.desk(), &recovery)?;
        self.recovery = Some(recovery);
        Ok(told)
    }

    /// verify(trading: bytes | Sequence[bytes], market: bytes | None = None) -> int
    ///
    /// Runs the seated strategies of a fresh engine again on what the journals hold, segment by
    /// segment, and compares every batch; the last sequence. Of a run that went on from another:
    /// after `recover` of what was before, the segments of one start and the market heard since.
    ///
    /// Raises:
    ///     StrategyError: Names the first batch that does not come again.
    #[pyo3(signature = (trading, market = None))]
    fn verify(&mut self, trading: &Bound<'_, PyAny>, market: Option<Vec<u8>>) -> PyResult<u64> {
        let trading: Vec<Vec<u8>> = match trading.cast::<PyBytes>() {
            Ok(segment) => vec![segment.as_bytes().to_vec()],
            Err(_) => trading.extract()?,
        };
        let read =
            |bytes| Reader::new(bytes).map_err(|error| errors::data_error(&error.to_string()));
        let market = market.map(read).transpose()?;
        let mut again = market.as_ref().map(MarketReplay::new);
        let recovery = self.recovery.take();
        let mut last = 0;
        for segment in trading {
            let segment = read(segment)?;
            // As the run did it: a segment that begins with other versions begins where they do.
            self.adopt_versions(&segment.header().instruments.clone());
            let verified = self.guarded(|live, feeds| {
                Ok(live.engine.verify(&segment, recovery.as_ref(), |engine, to| match &mut again {
                    Some(again) => again.until(feeds, engine, to),
                    None => Ok(()),
                }))
            })?;
            last = verified.map_err(|error| errors::strategy_error(&error.to_string()))?;
        }
        Ok(last)
    }

    /// state_hash() -> str
    ///
    /// Hash of the trading state after the last batch, in hexadecimal.
    fn state_hash(&self) -> String {
        live_views::hex(&self.desk().state_hash())
    }

    /// journal_hash() -> str
    ///
    /// Digest of the trading journal so far, in hexadecimal.
    fn journal_hash(&self) -> String {
        live_views::hex(&self.desk().journal.chain_hash())
    }

    /// view(name: str, account: int = 0) -> Any
    ///
    /// What the engine holds, as plain values with exact text.
    ///
    /// Args:
    ///     name: "orders" (open ones), "positions" (by strategy), "balances", "needs_query",
    ///         "needs_trades", "frozen", "differences", "parked", "counts", "latency", "pending" (requests whose outcome is not known).
    ///     account: Row of the account table.
    #[pyo3(signature = (name, account = 0))]
    fn view<'py>(&self, py: Python<'py>, name: &str, account: u16) -> PyResult<Bound<'py, PyAny>> {
        live_views::view(py, self, name, account)
    }

    /// open_orders(account: int) -> dict[str, tuple[str, Decimal]]
    ///
    /// By client order id, the venue symbol and the filled quantity; conditional ones too.
    fn open_orders<'py>(&self, py: Python<'py>, account: u16) -> PyResult<Bound<'py, PyDict>> {
        live_views::open_orders(py, self.desk(), account)
    }

    /// knows_order(account: int, client_order_id: str) -> bool
    ///
    /// True if the order is or was one of ours; remembered ones count.
    #[allow(unused_variables)] // the id names the account's order
    fn knows_order(&self, account: u16, client_order_id: &str) -> bool {
        live_views::order_of(self.desk(), client_order_id)
            .is_some_and(|(order, _)| self.desk().orders.get(order).is_some())
    }

    /// knows_fill(account: int, symbol: str, trade_id: int) -> bool
    ///
    /// True if the fill of a venue symbol is booked; of orders that are remembered.
    fn knows_fill(&self, account: u16, symbol: &str, trade_id: u64) -> bool {
        live_views::knows_fill(self.desk(), account, symbol, trade_id)
    }

    /// leverage(account: int) -> dict[str, int]
    ///
    /// The leverage that risk counts with, by venue symbol of contracts.
    fn leverage<'py>(&mut self, py: Python<'py>, account: u16) -> PyResult<Bound<'py, PyDict>> {
        let kind = self.seat(account)?.market.kind();
        live_views::leverage(py, self.desk(), account, kind)
    }

    /// is_hedge(account: int) -> bool
    ///
    /// True if the account was configured with two legs a symbol.
    fn is_hedge(&mut self, account: u16) -> PyResult<bool> {
        Ok(self.seat(account)?.is_hedge)
    }

    /// margin_types(account: int) -> dict[str, str]
    ///
    /// "cross" or "isolated" as configured, by venue symbol of contracts.
    fn margin_types<'py>(&mut self, py: Python<'py>, account: u16) -> PyResult<Bound<'py, PyDict>> {
        let kind = self.seat(account)?.market.kind();
        live_views::margin_types(py, self.desk(), account, kind)
    }

    /// positions(account: int) -> dict[tuple[str, str], Decimal]
    ///
    /// Signed quantity by venue symbol and side ("BOTH", "LONG", "SHORT"), zeros left out.
    fn positions<'py>(&self, py: Python<'py>, account: u16) -> PyResult<Bound<'py, PyDict>> {
        live_views::positions(py, self.desk(), account)
    }

    /// balances(account: int) -> dict[str, Decimal]
    ///
    /// What is held by asset, locked amounts included.
    fn balances<'py>(&self, py: Python<'py>, account: u16) -> PyResult<Bound<'py, PyDict>> {
        live_views::balances(py, self.desk(), account)
    }

    /// confirmed_ns(account: int) -> int
    ///
    /// Venue time of the last private event or listing that is booked, ns.
    fn confirmed_ns(&mut self, account: u16) -> PyResult<i64> {
        Ok(self.seat(account)?.confirmed_ns)
    }

    /// str | None: Why the engine stopped for good; None while it runs.
    #[getter]
    fn poison(&self) -> Option<&str> {
        self.poison.as_deref()
    }

    /// bool: True once a strategy was stopped by a fault or a breaker.
    #[getter]
    fn has_fault(&self) -> bool {
        self.live.engine.has_fault
    }

    /// fault(strategy: int) -> tuple[str, BaseException | None] | None
    ///
    /// Why a strategy was stopped: message and exception; None if it was not.
    fn fault(&mut self, strategy: u16) -> Option<(String, Option<Py<PyAny>>)> {
        let message = self.live.engine.fault(strategy)?.message.clone();
        let raised = self.live.engine.strategy_mut(strategy).raised.take();
        Some((message, raised.map(Py::into_any)))
    }
}

impl LiveEngine {
    /// Numbers of the requests of which it is not known yet what became of them.
    pub fn pending(&self) -> impl Iterator<Item = u64> + '_ {
        self.asked.iter().filter(|(_, awaited)| self.is_pending(awaited)).map(|(n, _)| *n)
    }

    /// A cancel of every order that may be open, once for each.
    fn rescue(&mut self) -> Vec<Request> {
        let desk = &self.live.engine.desk;
        let open: Vec<u64> = desk.orders.open().to_vec();
        let fresh: Vec<u64> = open.into_iter().filter(|id| self.rescued.insert(*id)).collect();
        let cancels = |id: u64| {
            let order = desk.orders.get(id)?;
            let (account, ts_sent, kind) = (order.account, desk.now_ns, RequestKind::Cancel);
            let legs = order.open_legs().into_iter().flatten();
            Some(legs.map(move |leg| Request { order: id, account, ts_sent, kind, leg }))
        };
        fresh.into_iter().filter_map(cancels).flatten().collect()
    }

    fn recover_from(
        &mut self,
        segments: Vec<PyBackedBytes>,
        snapshot: Option<PyBackedBytes>,
        own: &Header,
    ) -> PyResult<Recovery> {
        let broken = |text: String| errors::data_error(&text);
        let desk = &mut self.live.engine.desk;
        let mut recovery = match snapshot {
            Some(bytes) => desk.restore(&bytes).map_err(broken)?,
            None => Recovery::default(),
        };
        let mut next = None;
        for segment in segments {
            let reader = Reader::new(segment).map_err(|error| broken(error.to_string()))?;
            desk.recover(&reader, &mut recovery).map_err(|error| broken(error.to_string()))?;
            let check = reader.check();
            let mut header = reader.header().after(check.last_sequence, check.chain);
            header.epoch = own.epoch;
            header.instance.clone_from(&own.instance);
            header.build.clone_from(&own.build);
            // Ticks and lots as the venue has them now, and what came to the tables since.
            header.assets.clone_from(&own.assets);
            header.instruments.clone_from(&own.instruments);
            header.schemas.clone_from(&own.schemas);
            next = Some(header);
        }
        if let Some(header) = next {
            let committed_ns = desk.journal.committed_ns();
            desk.journal = Journal::new(&header);
            desk.journal.resume_clock(committed_ns);
        }
        match &mut self.market {
            // The market stream goes on behind what the trading stream has seen of it; its chain
            // starts anew with each start of the engine.
            Some(market) => {
                let mut header = market.0.header().clone();
                header.first_sequence = recovery.market_sequence + 1;
                *market = MarketJournal::new(&header);
            }
            None => desk.unpin_market(),
        }
        Ok(recovery)
    }
}
