//! The simulated exchange: when an order fills, for how much, at what price.
//!
//! ```text
//!  timeline ── what happens next ──► Venue ──► reports
//!  latency  ── when messages arrive     │
//!                                       ├ bar, trades, walking, waiting   how each level fills
//!                                       ├ queue, slippage, fees           models, one choice each
//!                                       ├ checks, triggers, entry         an order's way in
//!                                       └ closing, position, funds        what follows from a fill
//! ```
//!
//! The rules are those of the project's matching page. Three principles: a fill needs evidence,
//! and evidence is used once; the venue knows the present and the strategy the past; ties go
//! against us. Three users share it: the backtest loop, the paper gateway, the simulated exchange.

mod assumptions;
mod bar;
mod checks;
mod closing;
mod dice;
mod entry;
mod exact_float;
pub mod fees;
mod funds;
mod ghosts;
mod latency;
mod market;
mod position;
mod queue;
mod report;
mod settings;
mod slab;
mod slippage;
pub mod timeline;
mod trades;
mod triggers;
mod venue;
mod waiting;
mod walking;

pub use assumptions::{assumptions, Assumption, Bias};
pub use latency::{Channel, Latency, LatencyRow};
pub use queue::Queue;
pub use report::{AccountReport, Evidence as FillEvidence, EvidenceCounts, VenueEvent};
pub use settings::{
    parse_stp, AmendRule, BarSettings, BookSettings, Consumed, Evidence, ExecutionBand, FeeAsset,
    FeeRounding, FeeSettings, IsolatedMargin, Level, MarketSettings, Path, Rules, TradeAhead,
    TradeSettings, TradeTaker, VenueSettings, KEYS,
};
pub use slippage::Slippage;
pub use venue::Venue;
