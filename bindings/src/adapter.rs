//! A Python strategy as the engine sees it: events to objects, callbacks to faults.

use std::sync::Arc;

use pyo3::exceptions::PyBaseException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use veloz_core::market::Published;
use veloz_core::strategy::{Event, Fault, Port, Strategy};

use crate::events::{
    Bar, Fill, Funding, IndexPrice, Liquidation, MarkPrice, OpenInterest, Quote, Ticker, Trade,
};
use crate::market::Book;
use crate::money::{Account, Position};
use crate::order::Order;
use crate::system::SystemEvent;
use crate::wiring::{Fed, Wiring};

/// The functions of a strategy's class that the engine calls; those that it does not define are
/// never called, and their events never made.
#[derive(Default)]
struct Callbacks {
    start: Option<Py<PyAny>>,
    bar: Option<Py<PyAny>>,
    trade: Option<Py<PyAny>>,
    quote: Option<Py<PyAny>>,
    book: Option<Py<PyAny>>,
    mark: Option<Py<PyAny>>,
    funding: Option<Py<PyAny>>,
    index: Option<Py<PyAny>>,
    open_interest: Option<Py<PyAny>>,
    liquidation: Option<Py<PyAny>>,
    ticker: Option<Py<PyAny>>,
    order: Option<Py<PyAny>>,
    fill: Option<Py<PyAny>>,
    position: Option<Py<PyAny>>,
    account: Option<Py<PyAny>>,
    system: Option<Py<PyAny>>,
    timer: Option<Py<PyAny>>,
    stop: Option<Py<PyAny>>,
}

/// A Python strategy as the engine sees it.
pub struct PyStrategy {
    pub object: Py<PyAny>,
    wiring: Arc<Wiring>,
    callbacks: Callbacks,
    spare_bar: Option<Py<Bar>>,
    spare_trade: Option<Py<Trade>>,
    spare_quote: Option<Py<Quote>>,
    /// What a callback raised, kept for the caller of the run.
    pub raised: Option<Py<PyBaseException>>,
}

impl PyStrategy {
    pub fn new(object: &Bound<'_, PyAny>, wiring: Arc<Wiring>) -> PyResult<Self> {
        let class = object.get_type();
        let base = class.py().import("veloz.strategy")?.getattr("Strategy")?;
        let find = |name: &str| -> PyResult<Option<Py<PyAny>>> {
            let own = class.getattr(name)?;
            let inherited = base.getattr(name)?;
            Ok((!own.is(&inherited)).then(|| own.unbind()))
        };
        let callbacks = Callbacks {
            start: find("on_start")?,
            bar: find("on_bar")?,
            trade: find("on_trade")?,
            quote: find("on_quote")?,
            book: find("on_book")?,
            mark: find("on_mark")?,
            funding: find("on_funding")?,
            index: find("on_index")?,
            open_interest: find("on_open_interest")?,
            liquidation: find("on_liquidation")?,
            ticker: find("on_ticker")?,
            order: find("on_order")?,
            fill: find("on_fill")?,
            position: find("on_position")?,
            account: find("on_account")?,
            system: find("on_system")?,
            timer: find("on_timer")?,
            stop: find("on_stop")?,
        };
        Ok(PyStrategy {
            object: object.clone().unbind(),
            wiring,
            callbacks,
            spare_bar: None,
            spare_trade: None,
            spare_quote: None,
            raised: None,
        })
    }

    /// Shows the collector what is held: an error holds the frames it went through, and they a run.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)?;
        visit.call(&self.raised)
    }

    /// The bits of `veloz_core::strategy::wants` for the events that the class has callbacks for.
    pub fn own_wants(&self) -> u32 {
        use veloz_core::strategy::wants;
        let pairs = [
            (self.callbacks.order.is_some(), wants::ORDERS),
            (self.callbacks.fill.is_some(), wants::FILLS),
            (self.callbacks.position.is_some(), wants::POSITIONS),
            (self.callbacks.account.is_some(), wants::ACCOUNTS),
            (self.callbacks.system.is_some(), wants::SYSTEM),
        ];
        pairs.iter().filter(|(on, _)| *on).map(|(_, bit)| bit).sum()
    }

    /// True if the class has a callback for one of these market events.
    pub fn hears(&self, bits: u32) -> bool {
        use veloz_core::strategy::wants;
        let pairs = [
            // Bars always count: they feed indicators.
            (true, wants::BARS),
            (self.callbacks.trade.is_some(), wants::TRADES),
            (self.callbacks.quote.is_some(), wants::QUOTES),
            (self.callbacks.book.is_some(), wants::BOOKS),
            (self.callbacks.mark.is_some(), wants::MARKS),
            (self.callbacks.funding.is_some(), wants::FUNDING),
            (self.callbacks.index.is_some(), wants::INDEXES),
            (self.callbacks.open_interest.is_some(), wants::INTEREST),
            (self.callbacks.liquidation.is_some(), wants::LIQUIDATIONS),
            (self.callbacks.ticker.is_some(), wants::TICKERS),
        ];
        pairs.iter().any(|(on, bit)| *on && bits & bit != 0)
    }

    /// Calls `callback(self, argument)` with the port lent.
    #[inline]
    fn call(
        &mut self,
        callback: *mut ffi::PyObject,
        argument: *mut ffi::PyObject,
        port: &mut Port<'_>,
    ) -> Result<(), Fault> {
        self.wiring.link.note_call();
        let arguments = [self.object.as_ptr(), argument];
        let count = if argument.is_null() { 1 } else { 2 };
        let result = self.wiring.link.lend(port, || unsafe {
            ffi::PyObject_Vectorcall(callback, arguments.as_ptr(), count, std::ptr::null_mut())
        });
        if result.is_null() {
            return Err(self.fault(port));
        }
        unsafe { ffi::Py_DECREF(result) };
        Ok(())
    }

    #[cold]
    fn fault(&mut self, port: &mut Port<'_>) -> Fault {
        // Called by the engine on a thread that is attached.
        let py = unsafe { Python::assume_attached() };
        let error = PyErr::fetch(py);
        // Fetched apart from its value; whoever looks at the error looks for it there.
        if let Some(traceback) = error.traceback(py) {
            let _ = error.value(py).setattr("__traceback__", traceback);
        }
        let shown = py
            .import("veloz.strategy.faults")
            .and_then(|module| module.call_method1("describe", (error.value(py),)))
            .and_then(|text| text.extract::<String>());
        let message = shown.unwrap_or_else(|_| error.to_string());
        // A failing on_error must not hide the fault that it was told of.
        self.tell_error(error.value(py).as_any(), port);
        self.raised = Some(error.into_value(py));
        Fault { message }
    }

    /// Feeds indicators with a bar of history; no callback is called. Those that had it already,
    /// or a later one, are left alone.
    pub fn warm_up(&self, bar: &veloz_core::market::Bar) {
        self.feed_if(bar, |fed| fed.interval_ns == 0 || fed.last_ns.get() < bar.ts_close);
    }

    /// The end of the last bar of a kind that every indicator fed by it has had; `None` if the
    /// strategy has no such indicator.
    pub fn fed_until(&self, instrument: u32, interval_ns: i64) -> Option<i64> {
        let fed = self.wiring.fed.borrow();
        let mine =
            fed.iter().filter(|f| f.instrument == instrument && f.interval_ns == interval_ns);
        mine.map(|fed| fed.last_ns.get()).min()
    }

    /// Tells `on_error`; what it raises itself is noted on the error.
    fn tell_error(&self, error: &Bound<'_, PyAny>, port: &mut Port<'_>) {
        let py = error.py();
        let object = self.object.clone_ref(py);
        let link = Arc::clone(&self.wiring.link);
        let told = link.lend(port, || object.call_method1(py, "on_error", (error.clone(),)));
        if let Err(second) = told {
            let note = format!("on_error raised as well: {second}");
            let _ = error.call_method1("add_note", (note,));
        }
    }

    fn feed(&self, bar: &veloz_core::market::Bar) -> bool {
        self.feed_if(bar, |_| true)
    }

    #[inline]
    fn feed_if(&self, bar: &veloz_core::market::Bar, wanted: impl Fn(&Fed) -> bool) -> bool {
        let link = &self.wiring.link;
        let face = &link.faces[bar.instrument as usize];
        let sample = veloz_core::indicators::Sample::of_bar(bar, face.price_scale, face.qty_scale);
        // The engine runs inside a method that Python called: the thread is attached.
        let py = unsafe { Python::assume_attached() };
        let fed = self.wiring.fed.borrow();
        for fed in fed.iter() {
            let length = bar.ts_close - bar.ts_open;
            if fed.instrument == bar.instrument
                && (fed.interval_ns == 0 || fed.interval_ns == length)
                && wanted(fed)
            {
                fed.indicator.get().feed(py, &sample);
                fed.last_ns.set(bar.ts_close);
            }
        }
        if !self.wiring.warm.get() {
            self.wiring.warm.set(fed.iter().all(|fed| fed.indicator.get().ready()));
        }
        self.wiring.warm.get()
    }
}

/// Makes the event object and calls the callback, if the class has one.
macro_rules! deliver {
    ($self:ident, $port:ident, $name:ident, $make:expr) => {{
        let Some(callback) = &$self.callbacks.$name else { return Ok(()) };
        let callback = callback.as_ptr();
        // The engine runs inside a method that Python called: the thread is attached.
        let py = unsafe { Python::assume_attached() };
        let event = match Py::new(py, $make) {
            Ok(event) => event,
            Err(error) => return Err(Fault { message: error.to_string() }),
        };
        let result = $self.call(callback, event.as_ptr(), $port);
        drop(event);
        result
    }};
}

/// As `deliver`, with an object that is used again unless the callback kept it.
macro_rules! deliver_renewed {
    ($self:ident, $port:ident, $name:ident, $class:ident, $spare:ident, $record:expr) => {{
        let Some(callback) = &$self.callbacks.$name else { return Ok(()) };
        let callback = callback.as_ptr();
        let py = unsafe { Python::assume_attached() };
        let record = $record;
        let face = &$self.wiring.link.faces[record.instrument as usize];
        let event = match $class::renew(py, &mut $self.$spare, record, face) {
            Ok(event) => event,
            Err(error) => return Err(Fault { message: error.to_string() }),
        };
        let result = $self.call(callback, event.as_ptr(), $port);
        $self.$spare = Some(event);
        result
    }};
}

/// Values positions at the present prices, so that what is shown of them is of now.
fn value(port: &mut Port<'_>, rows: std::ops::Range<u32>) -> Result<(), Fault> {
    for row in rows {
        port.desk_mut().value(row).map_err(|error| Fault { message: error.to_string() })?;
    }
    Ok(())
}

impl Strategy for PyStrategy {
    #[inline]
    fn on_event(&mut self, event: &Event<'_>, port: &mut Port<'_>) -> Result<(), Fault> {
        let none = std::ptr::null_mut();
        match event {
            Event::Bar(bar) => {
                if !self.feed(bar) {
                    return Ok(());
                }
                deliver_renewed!(self, port, bar, Bar, spare_bar, **bar)
            }
            Event::Trade(trade) => {
                deliver_renewed!(self, port, trade, Trade, spare_trade, **trade)
            }
            Event::Quote(quote) => {
                deliver_renewed!(self, port, quote, Quote, spare_quote, **quote)
            }
            Event::Book(instrument) => {
                deliver!(self, port, book, Book::new(*instrument, Arc::clone(&self.wiring.link)))
            }
            Event::Mark(mark) => {
                let face = self.wiring.link.faces[mark.instrument as usize].clone();
                deliver!(self, port, mark, MarkPrice::new(**mark, face))
            }
            Event::Funding(funding) => {
                let face = self.wiring.link.faces[funding.instrument as usize].clone();
                deliver!(self, port, funding, Funding::new(**funding, face))
            }
            Event::Published(row) => {
                let face = self.wiring.link.faces[row.instrument() as usize].clone();
                match **row {
                    Published::Index(row) => {
                        deliver!(self, port, index, IndexPrice::new(row, face))
                    }
                    Published::OpenInterest(row) => {
                        deliver!(self, port, open_interest, OpenInterest::new(row, face))
                    }
                    Published::Liquidation(row) => {
                        deliver!(self, port, liquidation, Liquidation::new(row, face))
                    }
                    Published::Ticker(row) => {
                        deliver!(self, port, ticker, Ticker::new(row, face))
                    }
                }
            }
            Event::Order(id) => {
                let Some(callback) = &self.callbacks.order else { return Ok(()) };
                let (callback, link) = (callback.as_ptr(), Arc::clone(&self.wiring.link));
                let py = unsafe { Python::assume_attached() };
                let made = link.lend(port, || Py::new(py, Order::new(*id, &link)));
                let order = made.map_err(|error| Fault { message: error.to_string() })?;
                let result = self.call(callback, order.as_ptr(), port);
                link.lend(port, || drop(order));
                result
            }
            Event::Fill(fill) => {
                let link = Arc::clone(&self.wiring.link);
                let face = link.faces[fill.instrument as usize].clone();
                let settle = link.instruments[fill.instrument as usize].settle;
                let py = unsafe { Python::assume_attached() };
                let (fee_asset, settle) =
                    (&link.assets[fill.fee_asset as usize], &link.assets[settle as usize]);
                let told = Fill::new(py, **fill, face, fee_asset, settle);
                if self.callbacks.fill.is_some() {
                    self.wiring.link.note_fill();
                }
                deliver!(self, port, fill, told)
            }
            Event::Position(instrument, leg) => {
                let (account, strategy) = (port.account_of(*instrument), port.strategy());
                value(port, *instrument..*instrument + 1)?;
                let leg = *leg;
                let position = Position::read(port.desk(), account, strategy, *instrument, leg);
                deliver!(self, port, position, position)
            }
            Event::Account(account) => {
                value(port, 0..self.wiring.link.instruments.len() as u32)?;
                let account = Account::read(port.desk(), *account);
                deliver!(self, port, account, account)
            }
            Event::System(event) => {
                let link = &self.wiring.link;
                let py = unsafe { Python::assume_attached() };
                let symbol =
                    event.instrument.map(|row| link.faces[row as usize].symbol.clone_ref(py));
                let told = SystemEvent::new(py, event, symbol, port.desk().now_ns);
                deliver!(self, port, system, told)
            }
            Event::Timer(number, _) => {
                let py = unsafe { Python::assume_attached() };
                let timers = self.wiring.timers.borrow();
                let Some((target, is_function)) = timers.get(*number as usize) else {
                    return Ok(());
                };
                let (target, is_function) = (target.clone_ref(py), *is_function);
                drop(timers);
                let result = if is_function {
                    let result = self.wiring.link.lend(port, || target.call0(py));
                    match result {
                        Ok(_) => Ok(()),
                        Err(error) => {
                            error.restore(py);
                            Err(self.fault(port))
                        }
                    }
                } else if let Some(callback) = &self.callbacks.timer {
                    let callback = callback.as_ptr();
                    self.call(callback, target.as_ptr(), port)
                } else {
                    Ok(())
                };
                drop(target);
                result
            }
            Event::Start => match &self.callbacks.start {
                Some(callback) => {
                    let callback = callback.as_ptr();
                    self.call(callback, none, port)
                }
                None => Ok(()),
            },
            Event::Stop => match &self.callbacks.stop {
                Some(callback) => {
                    let callback = callback.as_ptr();
                    self.call(callback, none, port)
                }
                None => Ok(()),
            },
        }
    }

    fn on_breaker(&mut self, message: &str, port: &mut Port<'_>) {
        // The engine runs inside a method that Python called: the thread is attached.
        let py = unsafe { Python::assume_attached() };
        let error = crate::errors::strategy_error(message);
        self.tell_error(error.value(py).as_any(), port);
        self.raised = Some(error.into_value(py));
    }

    fn save(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let py = unsafe { Python::assume_attached() };
        let saved = self.object.call_method0(py, "save");
        let saved = saved.and_then(|state| state.extract::<Option<Vec<u8>>>(py));
        saved.map_err(|error| Fault { message: error.to_string() })
    }

    fn load(&mut self, state: &[u8]) -> Result<(), Fault> {
        let py = unsafe { Python::assume_attached() };
        let state = pyo3::types::PyBytes::new(py, state);
        let loaded = self.object.call_method1(py, "load", (state,));
        loaded.map(|_| ()).map_err(|error| Fault { message: error.to_string() })
    }
}
