//! `LiveEngine`: an engine that trades live or on paper, driven from Python by frames and inputs.
//!
//! Nothing of the hot path makes a Python object but what a strategy's callbacks are given.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};
use veloz_core::account::Accounts;
use veloz_core::desk::{Desk, Input, Recovery};
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::facts::{self};
use veloz_core::instrument::{Asset, Instrument};
use veloz_core::journal::{Header, Journal, Stream};
use veloz_core::live::Live;
use veloz_core::matching::{Channel, Latency, Venue};
use veloz_core::order::Request;
use veloz_core::order_state::Pending;
use veloz_core::paper::{Paper, PATIENCE_NS};
use veloz_venues::binance::encode::Encoder;
use veloz_venues::binance::user::UserDecoder;
use veloz_venues::binance::Market;

use crate::adapter::PyStrategy;
use crate::errors;
use crate::feed::failed;
use crate::link::Link;
use crate::live_latency::Latencies;
use crate::live_market::{Fault, FeedSeat, MarketJournal};
use crate::live_request::LiveRequest;
use crate::numbers::parse;
use crate::settings::{get, get_or, instrument_of, limits_of, venue_of};
use crate::signer::market_of;
use crate::strategy::StrategyBase;
use crate::wiring::Wiring;

/// How long an ended order is remembered by default: a day of event time, ns.
const DAY_NS: i64 = 86_400_000_000_000;

/// One account of the engine at a venue.
pub struct AccountSeat {
    pub market: Market,
    pub decoder: UserDecoder,
    /// Two legs a symbol.
    pub is_hedge: bool,
    /// Venue time of the last private event or listing that is booked, ns.
    pub confirmed_ns: i64,
}

/// A request that left.
pub struct Awaited {
    pub request: Request,
    /// No answer came in time: evidence about the order decides, not an answer.
    pub is_doubted: bool,
}

/// LiveEngine(assets: list[tuple[str, int]], instruments: list[dict[str, Any]], settings: dict[str, Any])
///
/// An engine that trades live or on paper.
///
/// Args:
///     assets (list[tuple[str, int]]): `(name, scale)` pairs.
///     instruments (list[dict[str, Any]]): Dicts with the fields of an instrument; scaled.
///     settings (dict[str, Any]): `accounts` (one market name each: "spot", "usdm", "coinm"), `hedge` (one bool each), `instance` and
///         `epoch` of the wire ids, `limits`, `leverage` (by instrument), `build`, `account`,
///         `remembers_ns`, `records_market`, `check_identity`, `rehearses` (what it asks is never sent); for paper also `paper` (True),
///         `venue`, `levels`, `entry_latency`, `report_latency`, `seed`, `patience_ns`.
#[pyclass(unsendable, module = "veloz._core")]
pub struct LiveEngine {
    pub live: Box<Live<PyStrategy>>,
    pub accounts: Vec<AccountSeat>,
    pub link: Arc<Link>,
    pub feeds: Vec<FeedSeat>,
    pub market: Option<MarketJournal>,
    pub encoders: [Encoder; 3],
    /// What each request that left asked, by its number.
    pub asked: BTreeMap<u64, Awaited>,
    pub next_number: u64,
    pub epoch: u32,
    pub instance: u32,
    pub recovery: Option<Recovery>,
    pub poison: Option<String>,
    pub rescued: BTreeSet<u64>,
    pub latencies: Latencies,
    /// What `next_ns` said when it was read last.
    pub told_next_ns: Option<i64>,
    /// Its requests are rehearsals, and are never sent.
    pub rehearses: bool,
}

impl Drop for LiveEngine {
    fn drop(&mut self) {
        self.link.rest(std::ptr::null_mut());
    }
}

impl LiveEngine {
    /// The desk, to look at.
    pub fn desk(&self) -> &Desk {
        &self.live.engine.desk
    }

    pub fn refuse_poisoned(&self) -> PyResult<()> {
        match &self.poison {
            None => Ok(()),
            Some(why) => Err(PyRuntimeError::new_err(format!(
                "the engine stopped for good, only cancels leave: {why}"
            ))),
        }
    }

    /// Puts other versions in the places of instruments, wherever they are looked at.
    pub fn adopt_versions(&mut self, versions: &[Instrument]) {
        let live = &mut self.live;
        for (row, version) in versions.iter().enumerate() {
            match live.engine.desk.instruments.get_mut(row) {
                Some(own) if own.counts_like(version) && own != version => own.clone_from(version),
                _ => continue,
            }
            self.link.instruments.renew(row, version.clone());
            if let Some(paper) = &mut live.paper {
                paper.renew(row, version);
            }
        }
    }

    /// Runs something on the engine; a panic or an error that it cannot go on from poisons it.
    pub fn guarded<R>(
        &mut self,
        run: impl FnOnce(&mut Live<PyStrategy>, &mut Vec<FeedSeat>) -> Result<R, Fault>,
    ) -> PyResult<R> {
        self.refuse_poisoned()?;
        self.link.rest(std::ptr::null_mut());
        let (live, feeds) = (&mut self.live, &mut self.feeds);
        let result = catch_unwind(AssertUnwindSafe(|| run(live, feeds)));
        self.link.rest(&raw mut self.live.engine.desk);
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Fault::Decode(error))) => Err(failed(error)),
            Ok(Err(Fault::Engine(error))) => Err(self.poisoned_by(&error.to_string())),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()));
                Err(self.poisoned_by(&format!("it panicked: {}", text.unwrap_or_default())))
            }
        }
    }

    #[cold]
    fn poisoned_by(&mut self, why: &str) -> PyErr {
        self.poison = Some(why.to_owned());
        PyRuntimeError::new_err(format!("the engine stopped for good, only cancels leave: {why}"))
    }

    /// Applies inputs that a venue's decoder read; the seam for a decoder in Rust.
    pub fn take_inputs(&mut self, inputs: &[Input], now_ns: i64) -> PyResult<()> {
        self.guarded(|live, _| {
            inputs.iter().try_for_each(|input| live.input(input, now_ns)).map_err(Fault::from)
        })
    }

    /// The same of what came from a socket: what follows is timed from its receipt.
    pub fn take_received(&mut self, inputs: &[Input], ts_recv_ns: i64) -> PyResult<()> {
        self.latencies.begin(&self.link, ts_recv_ns);
        let taken = self.take_inputs(inputs, ts_recv_ns);
        self.latencies.end(&self.link, false, self.live.has_requests());
        taken
    }

    /// True until it is known what became of a request.
    pub fn is_pending(&self, awaited: &Awaited) -> bool {
        let about = LiveRequest::asked(&awaited.request).filter(|_| awaited.is_doubted);
        let Some((order, asked)) = about else { return true };
        let order = self.desk().orders.get(order);
        order.is_some_and(|order| order.is_open() && order.pending(asked) != Pending::None)
    }

    /// What the account of a row is at its venue.
    pub fn seat(&mut self, account: u16) -> PyResult<&mut AccountSeat> {
        let seat = self.accounts.get_mut(usize::from(account));
        seat.ok_or_else(|| PyValueError::new_err(format!("there is no account {account}")))
    }
}

/// The paper venue that the settings ask for.
fn paper_of(settings: &Bound<'_, PyDict>, desk: &Desk) -> PyResult<Option<Paper>> {
    if !get_or(settings, "paper", false)? {
        return Ok(None);
    }
    let seed: u64 = get_or(settings, "seed", 0)?;
    let channel = |key: &str, stream| -> PyResult<Channel> {
        let text: String = get_or(settings, key, "0ns".to_owned())?;
        let model = Latency::parse(&text).map_err(|error| errors::config_error(&error))?;
        Ok(Channel::new(model, seed, stream))
    };
    let (entry, report) = (channel("entry_latency", 1)?, channel("report_latency", 2)?);
    let venue = Venue::new(venue_of(settings)?, &desk.instruments, &desk.assets);
    Ok(Some(Paper::new(venue, entry, report, get_or(settings, "patience_ns", PATIENCE_NS)?)))
}

#[pymethods]
impl LiveEngine {
    /// Strategies may reach what owns their engine: the collector sees through it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.live.engine.strategies().try_for_each(|strategy| strategy.visit(&visit))
    }

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
        let wrong =
            |error: veloz_core::account::AccountError| errors::config_error(&error.to_string());
        let mut accounts = Accounts::new(&assets, &instruments).map_err(wrong)?;
        let markets: Vec<String> = get(settings, "accounts")?;
        let hedged: Vec<bool> = get_or(settings, "hedge", Vec::new())?;
        let mut seats = Vec::new();
        for (at, name) in markets.iter().enumerate() {
            let is_hedge = hedged.get(at).copied().unwrap_or(false);
            accounts.add_account(is_hedge, None).map_err(wrong)?;
            let (market, mut decoder) = (market_of(name)?, UserDecoder::new());
            for (row, instrument) in instruments.iter().enumerate() {
                if instrument.kind == market.kind() {
                    decoder.add(row as u32, instrument);
                }
            }
            seats.push(AccountSeat { market, decoder, is_hedge, confirmed_ns: 0 });
        }
        let is_paper: bool = get_or(settings, "paper", false)?;
        if !is_paper {
            accounts.allow_overdraft();
        }
        let (epoch, instance): (u32, u32) =
            (get_or(settings, "epoch", 1)?, get_or(settings, "instance", 0)?);
        let mut header = Header::first(Stream::Trading, &facts::LIVE_RECORDS);
        header.build = get_or(settings, "build", String::new())?;
        header.account = get_or(settings, "account", String::new())?;
        header.instance = instance.to_string();
        header.epoch = epoch;
        header.assets.clone_from(&assets);
        header.instruments.clone_from(&instruments);
        let mut desk = Desk::new(
            assets.clone(),
            instruments.clone(),
            accounts,
            Journal::new(&header),
            limits_of(settings)?,
        );
        desk.check_identity = get_or(settings, "check_identity", false)?;
        desk.go_live(get_or(settings, "remembers_ns", DAY_NS)?);
        let leverage: Vec<i64> = get_or(settings, "leverage", Vec::new())?;
        for account in 0..seats.len() as u16 {
            for (row, leverage) in leverage.iter().enumerate() {
                desk.set_leverage(account, row as u32, *leverage);
            }
        }
        if !is_paper && seats.iter().any(|seat| seat.market == Market::Spot) {
            // Binance changes a spot order in its place only by lowering its quantity.
            let spot = |row: &u32| instruments[*row as usize].kind == Market::Spot.kind();
            (0..instruments.len() as u32).filter(spot).for_each(|row| desk.replace_orders(row));
        }
        let market = get_or(settings, "records_market", false)?.then(|| {
            let mut header = header.clone();
            header.stream = Stream::Market;
            header.schemas = facts::MARKET_RECORDS.iter().map(Into::into).collect();
            MarketJournal::new(&header)
        });
        let paper = paper_of(settings, &desk)?;
        let mut live = Box::new(Live::new(Engine::new(desk), paper));
        live.engine.holds = true;
        let link = Arc::new(Link::new(py, instruments, assets));
        link.rest(&raw mut live.engine.desk);
        Ok(LiveEngine {
            live,
            accounts: seats,
            link,
            feeds: Vec::new(),
            market,
            encoders: [Market::Spot, Market::UsdM, Market::CoinM].map(Encoder::new),
            asked: BTreeMap::new(),
            next_number: 1,
            epoch,
            instance,
            recovery: None,
            poison: None,
            rescued: BTreeSet::new(),
            latencies: Latencies::default(),
            told_next_ns: None,
            rehearses: get_or(settings, "rehearses", false)?,
        })
    }

    /// add_strategy(strategy: Any, stop_policy: str, account: int = 0) -> int
    ///
    /// Seats a strategy on an account; gives its row of the strategy table.
    #[pyo3(signature = (strategy, stop_policy, account = 0))]
    fn add_strategy(
        &mut self,
        strategy: &Bound<'_, StrategyBase>,
        stop_policy: &str,
        account: u16,
    ) -> PyResult<u16> {
        self.seat(account)?;
        let policy = match stop_policy {
            "hold" => StopPolicy::Hold,
            "flatten" => StopPolicy::Flatten,
            _ => StopPolicy::Cancel,
        };
        let wiring = Arc::new(Wiring::new(Arc::clone(&self.link)));
        strategy.get().wire(Arc::clone(&wiring))?;
        let adapter = PyStrategy::new(strategy.as_any(), wiring)?;
        let own = adapter.own_wants();
        Ok(self.live.engine.add(adapter, account, own, policy))
    }

    /// route(strategy: int, symbol: str, account: int) -> None
    ///
    /// Makes a strategy trade an instrument on another account than its first.
    fn route(&mut self, strategy: u16, symbol: &Bound<'_, PyAny>, account: u16) -> PyResult<()> {
        let row = self.link.row(symbol)?;
        self.seat(account)?;
        self.live.engine.route(strategy, row, account);
        Ok(())
    }

    /// take_listens() -> list[tuple[int, str, str, int, bool]]
    ///
    /// Hands over the subscriptions that strategies began or ended since it was asked last:
    /// `(strategy, symbol, kind, interval_ns, on)`, oldest first.
    fn take_listens(&mut self) -> Vec<(u16, String, &'static str, i64, bool)> {
        let changes = std::mem::take(&mut self.live.engine.listens);
        let told = changes.into_iter().map(|change| {
            let symbol = self.link.instruments[change.instrument as usize].symbol.clone();
            let kind = crate::words::kind_of(change.wants);
            (change.strategy, symbol, kind, change.interval_ns, change.on)
        });
        told.collect()
    }

    /// fed_until(strategy: int, symbol: str, interval_ns: int) -> int | None
    ///
    /// The end, ns, of the last bar that every indicator of the strategy fed by these bars has had;
    /// None if it has no such indicator, or one that had none yet.
    fn fed_until(
        &self,
        strategy: u16,
        symbol: &Bound<'_, PyAny>,
        interval_ns: i64,
    ) -> PyResult<Option<i64>> {
        let row = self.link.row(symbol)?;
        let until = self.live.engine.strategy(strategy).fed_until(row, interval_ns);
        Ok(until.filter(|at| *at > i64::MIN))
    }

    /// listen(strategy: int, symbol: str, kind: str, interval_ns: int) -> None
    ///
    /// Makes a strategy hear "bars", "trades", "quotes", "books", "marks" or "funding".
    fn listen(
        &mut self,
        strategy: u16,
        symbol: &Bound<'_, PyAny>,
        kind: &str,
        interval_ns: i64,
    ) -> PyResult<()> {
        let row = self.link.row(symbol)?;
        let wants = crate::words::wants_of(kind)?;
        if self.live.engine.strategy(strategy).hears(wants) {
            self.live.engine.listen(strategy, row, wants, interval_ns);
        }
        Ok(())
    }

    /// add_feed(market: str, symbols: Sequence[str]) -> int
    ///
    /// Adds a feed of a market of Binance, of these instruments; gives its number.
    fn add_feed(&mut self, market: &str, symbols: Vec<Bound<'_, PyAny>>) -> PyResult<u16> {
        let rows = symbols.iter().map(|symbol| self.link.row(symbol));
        let rows = rows.collect::<PyResult<Vec<u32>>>()?;
        let desk = &self.live.engine.desk;
        let seat = FeedSeat::new(market_of(market)?, &desk.assets, &desk.instruments, rows);
        self.feeds.push(seat);
        Ok((self.feeds.len() - 1) as u16)
    }

    /// note_parameter(strategy: int, text: str) -> None
    ///
    /// Records a strategy's parameter in the journal.
    pub fn note_parameter(&mut self, strategy: u16, text: &str) -> PyResult<()> {
        let fact = facts::Parameter { strategy, version: 1 };
        let now = self.desk().now_ns;
        self.take_inputs(&[Input::Parameter { fact, text: text.into() }], now)
    }

    /// deposit(account: int, asset: str, amount: Any, now_ns: int) -> None
    ///
    /// Deposits an exact amount of an asset: the start of a paper account.
    fn deposit(
        &mut self,
        account: u16,
        asset: &str,
        amount: &Bound<'_, PyAny>,
        now_ns: i64,
    ) -> PyResult<()> {
        let row = self.desk().assets.iter().position(|row| row.name == asset);
        let row = row.ok_or_else(|| {
            errors::config_error(&format!("{asset:?} is no asset of the engine's instruments"))
        })?;
        let amount = parse(amount, self.desk().assets[row].scale)?;
        let deposit = facts::Deposit { account, asset: row as u16, amount };
        self.take_inputs(&[Input::Deposit(deposit)], now_ns)
    }

    /// start(now_ns: int) -> None
    ///
    /// Begins the epoch and starts the strategies, which heard nothing before. After `recover`:
    /// what was under way is doubted, saved states are loaded, and each own notice since is told,
    /// marked recovered; what was found out before the start is told behind it.
    fn start(&mut self, now_ns: i64) -> PyResult<()> {
        let epoch = (self.epoch, self.instance);
        let recovery = self.recovery.take();
        let unloaded = self.guarded(|live, _| {
            let unloaded = live.engine.begin(epoch, recovery.as_ref(), now_ns)?;
            if unloaded.is_none() {
                live.start(now_ns)?;
            }
            Ok(unloaded)
        })?;
        match unloaded {
            None => Ok(()),
            Some(fault) => Err(errors::strategy_error(&fault.message)),
        }
    }

    /// stop(now_ns: int) -> None
    ///
    /// Tells all strategies that the run ends.
    fn stop(&mut self, now_ns: i64) -> PyResult<()> {
        self.guarded(|live, _| Ok(live.stop(now_ns)?))
    }

    /// wind_down(now_ns: int) -> None
    ///
    /// Ends the run by the strategies' stop policies: each hears that it ends, then its orders are
    /// cancelled and its position is closed as its policy says. None is called again.
    fn wind_down(&mut self, now_ns: i64) -> PyResult<()> {
        self.guarded(|live, _| Ok(live.wind_down(now_ns)?))
    }

    /// still_to_unwind() -> list[int]
    ///
    /// Rows of strategies that have left and whose stop policy is not done: an order is open that
    /// nobody cancels, or something is held that can be closed.
    fn still_to_unwind(&mut self) -> Vec<u16> {
        self.live.engine.still_to_unwind()
    }

    /// unwind_rest(strategy: int, now_ns: int) -> None
    ///
    /// Cancels and closes what is left of such a strategy.
    fn unwind_rest(&mut self, strategy: u16, now_ns: i64) -> PyResult<()> {
        self.guarded(|live, _| Ok(live.unwind_rest(strategy, now_ns)?))
    }

    /// save_states(now_ns: int) -> None
    ///
    /// Lets every strategy save its state into the journal.
    fn save_states(&mut self, now_ns: i64) -> PyResult<()> {
        self.guarded(|live, _| Ok(live.engine.save_states(now_ns)?))
    }

    /// advance(now_ns: int) -> int
    ///
    /// Lets everything happen that is due by now: timers, and what the paper venue says.
    fn advance(&mut self, now_ns: i64) -> PyResult<usize> {
        self.latencies.rest();
        self.guarded(|live, _| Ok(live.advance(now_ns)?))
    }

    /// int | None: When something is due by itself, ns; call `advance` then.
    #[getter]
    fn next_ns(&mut self) -> Option<i64> {
        self.told_next_ns = self.live.next_ns();
        self.told_next_ns
    }
}

/// Adds what is here to `veloz._core`.
///
/// # Errors
///
/// What Python raises while the module is filled.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<LiveEngine>()?;
    module.add_class::<crate::live_request::LiveRequest>()
}
