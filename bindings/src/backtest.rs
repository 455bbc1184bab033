//! `Backtest`: a replay that Python configures, feeds and reads.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList};
use pyo3::{intern, PyTraverseError, PyVisit};
use veloz_core::account::Accounts;
use veloz_core::desk::Desk;
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::facts::{self, number};
use veloz_core::instrument::Asset;
use veloz_core::journal::{Header, Journal, Stream as JournalStream};
use veloz_core::matching::{assumptions, Bias, Channel, Latency, Venue};
use veloz_core::replay::{Fetch, Replay, ReplayError, ReplaySettings, Source, Stream};
use veloz_core::units::{format_decimal, COST_SCALE};

use crate::adapter::PyStrategy;
use crate::columns::{
    bars_of, fundings_of, indexes_of, interests_of, liquidations_of, marks_of, quotes_of,
    tickers_of, ticks_of, trades_of,
};
use crate::errors;
use crate::link::Link;
use crate::numbers::parse;
use crate::settings::{get, get_or, instrument_of, limits_of, venue_of};
use crate::strategy::StrategyBase;
use crate::wiring::Wiring;

/// A feed that asks a Python iterator for its next columns.
fn fetch<T: 'static>(
    chunks: Py<PyAny>,
    row: u32,
    raised: Arc<std::sync::Mutex<Option<PyErr>>>,
    convert: fn(Python<'_>, &Bound<'_, PyDict>, u32, &mut Vec<T>) -> PyResult<()>,
) -> Fetch<T> {
    Box::new(move |rows| {
        Python::attach(|py| {
            let mut next = || -> PyResult<bool> {
                py.check_signals()?;
                let mut iterator = chunks.bind(py).try_iter()?;
                let Some(columns) = iterator.next() else { return Ok(false) };
                convert(py, columns?.cast::<PyDict>()?, row, rows)?;
                Ok(true)
            };
            next().map_err(|error| {
                let text = error.to_string();
                if let Ok(mut slot) = raised.lock() {
                    *slot = Some(error);
                }
                text
            })
        })
    })
}

/// What the matching settings assume, per instrument: (symbol, id, text, maker, taker).
type Assumed = (String, &'static str, String, &'static str, &'static str);

/// Hands bytes of the journal to a spool: into its own memory, if it keeps them there.
fn pour(spool: &Bound<'_, PyAny>, bytes: &[u8]) -> PyResult<()> {
    let py = spool.py();
    let room = spool.call_method1(intern!(py, "room"), (bytes.len(),))?;
    if room.is_none() {
        return spool.call_method1(intern!(py, "write"), (PyBytes::new(py, bytes),)).map(|_| ());
    }
    let room = room.cast_into::<PyByteArray>()?;
    // Sound: no Python code runs while the slice is there.
    let Some(room) = unsafe { room.as_bytes_mut() }.get_mut(..bytes.len()) else {
        return Err(PyValueError::new_err("the spool's room is too small"));
    };
    room.copy_from_slice(bytes);
    Ok(())
}

fn bias_text(bias: Bias) -> &'static str {
    match bias {
        Bias::Flatters => "flatters",
        Bias::FlattersMuch => "flatters much",
        Bias::Fair => "fair",
        Bias::Hurts => "hurts",
        Bias::Either => "either",
        Bias::None => "",
    }
}

/// A run of strategies over stored data. Made and driven by `veloz.environments.backtest`.
#[pyclass(unsendable, module = "veloz._core")]
pub struct Backtest {
    replay: Box<Replay<PyStrategy>>,
    link: Arc<Link>,
    raised: Arc<std::sync::Mutex<Option<PyErr>>>,
    latency: [Latency; 2],
    has_run: bool,
}

impl Drop for Backtest {
    fn drop(&mut self) {
        self.link.rest(std::ptr::null_mut());
    }
}

#[pymethods]
impl Backtest {
    /// Strategies may reach what owns their run: the collector sees through it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.replay.engine.strategies().try_for_each(|strategy| strategy.visit(&visit))
    }

    /// Prepares a run.
    ///
    /// Args:
    ///     assets: `(name, scale)` pairs.
    ///     instruments: Dicts with the fields of an instrument; prices and quantities scaled.
    ///     settings: Dict with `levels` (one per instrument), `venue` (list of "key=value"),
    ///         `entry_latency`, `report_latency`, `seed`, `report_asset`, `sample_every_ns`,
    ///         `leverage`, `limits`, `build`, `check_identity`.
    #[new]
    fn new(
        py: Python<'_>,
        assets: Vec<(String, u8)>,
        instruments: Vec<Bound<'_, PyDict>>,
        settings: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let assets: Vec<Asset> =
            assets.into_iter().map(|(name, scale)| Asset { name, scale }).collect();
        let instruments = instruments
            .iter()
            .map(|row| instrument_of(row, &assets))
            .collect::<PyResult<Vec<_>>>()?;
        let mut accounts = Accounts::new(&assets, &instruments)
            .map_err(|error| errors::config_error(&error.to_string()))?;
        accounts
            .add_account(get_or(settings, "hedge", false)?, None)
            .map_err(|error| errors::config_error(&error.to_string()))?;
        // Where the venue may liquidate, its own orders and the cash that moves stand in the journal.
        let is_margined = instruments.iter().any(|row| !row.tiers.is_empty());
        let records: &[_] = if is_margined { &facts::LIVE_RECORDS } else { &facts::RECORDS };
        let mut header = Header::first(JournalStream::Trading, records);
        header.build = get_or(settings, "build", String::new())?;
        header.assets.clone_from(&assets);
        header.instruments.clone_from(&instruments);
        let limits = limits_of(settings)?;
        let venue = venue_of(settings)?;
        let seed: u64 = get_or(settings, "seed", 0)?;
        let model = |key: &str| -> PyResult<Latency> {
            let text: String = get_or(settings, key, "0ns".to_owned())?;
            Latency::parse(&text).map_err(|error| errors::config_error(&error))
        };
        let latency = [model("entry_latency")?, model("report_latency")?];
        let report_asset: String = get(settings, "report_asset")?;
        let at = assets.iter().position(|asset| asset.name == report_asset);
        let report_asset = at.ok_or_else(|| {
            errors::config_error(&format!(
                "report currency {report_asset:?} is no asset of the run"
            ))
        })?;
        let open_last = venue.market.bar.open_last;
        let replay_settings = ReplaySettings {
            entry: Channel::new(latency[0].clone(), seed, 1),
            report: Channel::new(latency[1].clone(), seed, 2),
            sampled: (0, report_asset as u16),
            sample_every_ns: get_or(settings, "sample_every_ns", 0)?,
            open_last,
        };
        let mut desk =
            Desk::new(assets.clone(), instruments.clone(), accounts, Journal::new(&header), limits);
        desk.check_identity = get_or(settings, "check_identity", false)?;
        let leverage: Vec<i64> = get_or(settings, "leverage", Vec::new())?;
        for (row, leverage) in leverage.into_iter().enumerate() {
            desk.set_leverage(0, row as u32, leverage);
        }
        let venue = Venue::new(venue, &instruments, &assets);
        let mut replay = Box::new(Replay::new(Engine::new(desk), venue, replay_settings));
        let link = Arc::new(Link::new(py, instruments, assets));
        link.rest(&raw mut replay.engine.desk);
        Ok(Backtest { replay, link, raised: Arc::default(), latency, has_run: false })
    }

    /// Deposits an exact amount of an asset.
    fn deposit(&mut self, asset: &str, amount: &Bound<'_, PyAny>) -> PyResult<()> {
        let desk = &mut self.replay.engine.desk;
        let row = desk.assets.iter().position(|row| row.name == asset);
        let row = row.ok_or_else(|| {
            errors::config_error(&format!("{asset:?} is no asset of the run's instruments"))
        })?;
        let amount = parse(amount, desk.assets[row].scale)?;
        desk.deposit(0, row as u16, amount)
            .map_err(|error| errors::config_error(&error.to_string()))
    }

    /// Seats a strategy; gives its row of the strategy table.
    fn add_strategy(
        &mut self,
        strategy: &Bound<'_, StrategyBase>,
        stop_policy: &str,
    ) -> PyResult<u16> {
        let policy = match stop_policy {
            "hold" => StopPolicy::Hold,
            "flatten" => StopPolicy::Flatten,
            _ => StopPolicy::Cancel,
        };
        let wiring = Arc::new(Wiring::new(Arc::clone(&self.link)));
        strategy.get().wire(Arc::clone(&wiring))?;
        let adapter = PyStrategy::new(strategy.as_any(), wiring)?;
        let own = adapter.own_wants();
        Ok(self.replay.engine.add(adapter, 0, own, policy))
    }

    /// Makes a strategy hear a kind of subscription: "bars", "trades", "quotes", "books", "marks",
    /// "funding", "index", "open_interest", "liquidations" or "tickers".
    fn listen(
        &mut self,
        strategy: u16,
        symbol: &Bound<'_, PyAny>,
        kind: &str,
        interval_ns: i64,
    ) -> PyResult<()> {
        let row = self.link.row(symbol)?;
        let wants = crate::words::wants_of(kind)?;
        let seat = self.replay.engine.strategy(strategy);
        // A book nobody has a callback for is kept up to date, and never announced.
        if seat.hears(wants) {
            self.replay.engine.listen(strategy, row, wants, interval_ns);
        }
        Ok(())
    }

    /// Adds a feed of one instrument: an iterator over dicts of int64 columns.
    ///
    /// Args:
    ///     kind: "bars", "ticks", "trades", "quotes", "marks", "funding", "index",
    ///         "open_interest", "liquidations" or "tickers".
    ///     symbol: Which instrument.
    ///     chunks: The iterator; each dict holds some rows, in time order.
    ///     refuse_early: Whether rows that arrive before they happened are refused.
    fn add_feed(
        &mut self,
        kind: &str,
        symbol: &Bound<'_, PyAny>,
        chunks: Py<PyAny>,
        refuse_early: bool,
    ) -> PyResult<()> {
        let row = self.link.row(symbol)?;
        let name = format!("{kind} of {}", self.link.instruments[row as usize].symbol);
        let raised = Arc::clone(&self.raised);
        macro_rules! source {
            ($variant:ident, $convert:ident) => {
                Source::$variant(Stream::new(
                    name,
                    fetch(chunks, row, raised, $convert),
                    refuse_early,
                ))
            };
        }
        let source = match kind {
            "bars" => source!(Bars, bars_of),
            "ticks" => source!(Ticks, ticks_of),
            "trades" => source!(Trades, trades_of),
            "quotes" => source!(Quotes, quotes_of),
            "marks" => source!(Marks, marks_of),
            "funding" => source!(Fundings, fundings_of),
            "index" => source!(Published, indexes_of),
            "open_interest" => source!(Published, interests_of),
            "liquidations" => source!(Published, liquidations_of),
            "tickers" => source!(Published, tickers_of),
            other => return Err(PyValueError::new_err(format!("no feed is of kind {other:?}"))),
        };
        self.replay.add(source);
        Ok(())
    }

    /// Records a strategy's parameter in the journal.
    fn note_parameter(&mut self, strategy: u16, text: &str) {
        let desk = &mut self.replay.engine.desk;
        desk.journal.begin(0, 0);
        let fact = facts::Parameter { strategy, version: 1 };
        desk.journal.record_with_text(number::PARAMETER, &fact, text.as_bytes());
        desk.journal.commit();
    }

    /// Sets where the journal's bytes go while the run goes on: a `JournalSpool`.
    fn set_journal_sink(&mut self, spool: Py<PyAny>) {
        let raised = Arc::clone(&self.raised);
        self.replay.sink = Some(Box::new(move |bytes| {
            Python::attach(|py| {
                pour(spool.bind(py), bytes).map_err(|error| {
                    let text = error.to_string();
                    if let Ok(mut slot) = raised.lock() {
                        *slot = Some(error);
                    }
                    text
                })
            })
        }));
    }

    /// Runs from the first row to the last.
    fn run(&mut self) -> PyResult<()> {
        if self.has_run {
            return Err(PyRuntimeError::new_err("this run is over; make a new one"));
        }
        self.has_run = true;
        self.link.rest(std::ptr::null_mut());
        let result = self.replay.run();
        self.link.rest(&raw mut self.replay.engine.desk);
        match result {
            Ok(()) => Ok(()),
            Err(error) => {
                let raised = self.raised.lock().ok().and_then(|mut slot| slot.take());
                Err(raised.unwrap_or_else(|| match error {
                    ReplayError::Data(text) => errors::data_error(&text),
                    other => errors::strategy_error(&other.to_string()),
                }))
            }
        }
    }

    /// Why a strategy was stopped: (message, exception or None); None if it was not.
    fn fault(&mut self, strategy: u16) -> Option<(String, Option<Py<PyAny>>)> {
        let message = self.replay.engine.fault(strategy)?.message.clone();
        let raised = self.replay.engine.strategy_mut(strategy).raised.take();
        Some((message, raised.map(Py::into_any)))
    }

    /// str: Hash that seals the journal, in hexadecimal.
    fn journal_hash(&self) -> String {
        self.replay
            .engine
            .desk
            .journal
            .chain_hash()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The equity curve: bytes of (int64 ts_ns, float64 equity, net, gross exposure) columns.
    fn equity_columns<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let samples = &self.replay.samples;
        let bytes = |value: &dyn Fn(&veloz_core::replay::Sample) -> [u8; 8]| {
            let mut out = Vec::with_capacity(samples.len() * 8);
            samples.iter().for_each(|sample| out.extend_from_slice(&value(sample)));
            PyBytes::new(py, &out)
        };
        vec![
            bytes(&|sample| sample.ts_ns.to_le_bytes()),
            bytes(&|sample| sample.equity.to_le_bytes()),
            bytes(&|sample| sample.net_exposure.to_le_bytes()),
            bytes(&|sample| sample.gross_exposure.to_le_bytes()),
        ]
    }

    /// str | None: Equity in the report currency now, exactly; None where a rate is missing.
    fn equity(&mut self, asset: &str) -> PyResult<Option<String>> {
        let desk = &mut self.replay.engine.desk;
        let row = desk.assets.iter().position(|row| row.name == asset);
        let Some(row) = row else { return Ok(None) };
        let worth = desk
            .worth(0, row as u16)
            .map_err(|error| errors::strategy_error(&error.to_string()))?;
        Ok(worth.equity.map(|equity| format_decimal(equity, COST_SCALE)))
    }

    /// dict[str, dict[str, str]]: The lines of the money identity of each asset, as exact decimal texts.
    fn ledger(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let desk = &self.replay.engine.desk;
        let all = PyDict::new(py);
        for (row, asset) in desk.assets.iter().enumerate() {
            let totals = desk
                .accounts
                .totals(0, row as u16)
                .map_err(|error| errors::strategy_error(&error.to_string()))?;
            let lines = PyDict::new(py);
            for line in veloz_core::account::Line::ALL {
                lines.set_item(line.name(), format_decimal(totals.lines.get(line), asset.scale))?;
            }
            lines.set_item("wallet", format_decimal(totals.wallet, asset.scale))?;
            lines.set_item("liability", format_decimal(totals.liability, asset.scale))?;
            lines.set_item("rounding", format_decimal(totals.rounding, COST_SCALE))?;
            lines.set_item("unrealised", format_decimal(totals.unrealised, COST_SCALE))?;
            lines.set_item("equity", format_decimal(totals.equity, COST_SCALE))?;
            all.set_item(&asset.name, lines)?;
        }
        Ok(all.unbind())
    }

    /// list[tuple[str, str]]: (symbol, signed quantity) of the account's open positions.
    fn positions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let desk = &self.replay.engine.desk;
        let open = PyList::empty(py);
        for (row, instrument) in desk.instruments.iter().enumerate() {
            let held = desk.net_qty(0, row as u32);
            if held != 0 {
                open.append((&instrument.symbol, instrument.qty_text(held)))?;
            }
        }
        Ok(open)
    }

    /// dict[str, Any]: Counts of what happened.
    fn counts(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let (counts, all) = (self.replay.engine.desk.counts, PyDict::new(py));
        all.set_item("orders", counts.orders)?;
        all.set_item("refused", counts.refused)?;
        all.set_item("rejected", counts.rejected)?;
        all.set_item("fills", counts.fills)?;
        all.set_item("cancels", counts.cancels)?;
        all.set_item("rows", self.replay.rows())?;
        all.set_item("ended_ns", self.replay.ended_ns)?;
        let evidence = self.replay.venue.evidence();
        let by_evidence = PyDict::new(py);
        for (name, count) in [
            ("through", evidence.through),
            ("queue", evidence.at_price),
            ("cross", evidence.crossing),
            ("walk", evidence.walk),
            ("path", evidence.path),
            ("own", evidence.own),
        ] {
            by_evidence.set_item(name, count)?;
        }
        all.set_item("evidence", by_evidence)?;
        Ok(all.unbind())
    }

    /// list[tuple[str, str, str, str, str]]: What the matching settings assume: (symbol, id, text, maker bias, taker bias).
    fn assumptions(&self) -> Vec<Assumed> {
        let [entry, report] = &self.latency;
        let mut all = Vec::new();
        for (row, instrument) in self.link.instruments.iter().enumerate() {
            let place = (row as u32, !instrument.tiers.is_empty());
            for one in assumptions(self.replay.venue.settings(), place, entry, report) {
                let (maker, taker) = (bias_text(one.maker), bias_text(one.taker));
                all.push((instrument.symbol.clone(), one.id, one.text, maker, taker));
            }
        }
        all
    }

    /// None: Raises if the money identity of the account does not hold exactly.
    fn check_identity(&self) -> PyResult<()> {
        let accounts = &self.replay.engine.desk.accounts;
        accounts.check_identity(0).map_err(|broken| {
            PyRuntimeError::new_err(format!("the money identity is broken: {broken}"))
        })
    }
}
