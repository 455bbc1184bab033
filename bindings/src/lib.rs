//! `veloz._core`: the core seen from Python; it converts and calls, and decides nothing.

use pyo3::prelude::*;

mod adapter;
mod backtest;
mod bars;
mod columns;
mod declared;
mod errors;
mod events;
mod feed;
mod indicators;
mod journal;
mod journal_cursor;
#[cfg(unix)]
mod journal_tail;
mod leaving;
mod link;
mod live;
mod live_asking;
mod live_feeding;
mod live_fields;
mod live_latency;
mod live_leaving;
mod live_market;
mod live_request;
mod live_user;
mod live_views;
mod market;
mod money;
mod numbers;
mod order;
mod settings;
mod signer;
mod strategy;
mod system;
mod user_data;
mod views;
mod wiring;
mod words;

/// The compiled core.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    indicators::register(module)?;
    journal::register(module)?;
    journal_cursor::register(module)?;
    #[cfg(unix)]
    journal_tail::register(module)?;
    strategy::register(module)?;
    module.add_class::<declared::Declared>()?;
    module.add_class::<backtest::Backtest>()?;
    module.add_class::<events::Bar>()?;
    module.add_class::<events::Trade>()?;
    module.add_class::<events::Quote>()?;
    module.add_class::<events::MarkPrice>()?;
    module.add_class::<events::Funding>()?;
    module.add_class::<events::IndexPrice>()?;
    module.add_class::<events::OpenInterest>()?;
    module.add_class::<events::Liquidation>()?;
    module.add_class::<events::Ticker>()?;
    module.add_class::<events::Fill>()?;
    module.add_class::<system::SystemEvent>()?;
    module.add_class::<market::Book>()?;
    module.add_class::<money::Account>()?;
    module.add_class::<money::Position>()?;
    module.add_class::<order::Order>()?;
    bars::register(module)?;
    feed::register(module)?;
    leaving::register(module)?;
    live::register(module)?;
    signer::register(module)?;
    user_data::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
