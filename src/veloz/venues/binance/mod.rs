//! Binance: spot, USDT-M and COIN-M.
//!
//! ```text
//!  exchangeInfo ─► listing ──► instruments          (or infer: the steps seen in the data)
//!  frame, body  ─► decode, rest ─► events, levels ─► feed: books, counts, columns
//!  order        ─► encode ─► draft ─► sign ─► frame or form
//!  private frame, answer ─► user, bodies ─► reports; refusals: what an error means
//! ```

pub mod bodies;
pub mod cell;
pub mod decode;
pub mod draft;
pub mod encode;
pub mod endpoint;
pub mod feed;
mod fields;
mod holdings;
pub mod infer;
pub mod inputs;
pub mod json;
pub mod listing;
mod mac;
mod message;
pub mod number;
mod order_words;
pub mod refusals;
pub mod report;
mod rest;
pub mod sign;
mod symbols;
pub mod user;

use veloz_core::book::Chain;

/// One of Binance's three markets: symbols, scales and sequence rules are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Market {
    /// Coins against coins.
    Spot,
    /// Linear contracts, margined in a stable coin.
    UsdM,
    /// Inverse contracts, margined in the base coin.
    CoinM,
}

impl Market {
    /// The name in paths and settings: `spot`, `usdm`, `coinm`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Market::Spot => "spot",
            Market::UsdM => "usdm",
            Market::CoinM => "coinm",
        }
    }

    /// The market of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Market> {
        [Market::Spot, Market::UsdM, Market::CoinM].into_iter().find(|m| m.name() == name)
    }

    /// What its instruments are.
    #[must_use]
    pub fn kind(self) -> veloz_core::instrument::Kind {
        match self {
            Market::Spot => veloz_core::instrument::Kind::Spot,
            Market::UsdM => veloz_core::instrument::Kind::Linear,
            Market::CoinM => veloz_core::instrument::Kind::Inverse,
        }
    }

    /// How depth updates of the market follow each other.
    #[must_use]
    pub fn chain(self) -> Chain {
        match self {
            Market::Spot => Chain::Contiguous,
            Market::UsdM | Market::CoinM => Chain::Linked,
        }
    }
}
