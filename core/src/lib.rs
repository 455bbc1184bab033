//! VeloZ's core: every rule about markets, orders, money, risk and matching, and nothing else.
//!
//! ```text
//!  units ─► instrument ─► market events ─► book, bars, indicators
//!                     └─► order ─► order_state ─┐
//!                                   account ────┼─► desk ─► engine ─► replay, live
//!                                   risk ───────┘     │        │         │
//!                                                  journal  strategy  matching
//! ```
//!
//! The crate is pure: no I/O, clock, thread, dice or Python. Time and randomness are arguments,
//! so the same inputs give the same outputs, to the byte.

#![forbid(unsafe_code)]

pub mod account;
pub mod allowance;
pub mod bars;
pub mod book;
pub mod desk;
pub mod engine;
pub mod facts;
pub mod histogram;
pub mod indicators;
pub mod instrument;
pub mod journal;
pub mod ladder;
pub mod liquidation;
pub mod live;
pub mod market;
pub mod matching;
pub mod order;
pub mod order_state;
pub mod paper;
pub mod record;
pub mod replay;
pub mod risk;
pub mod strategy;
pub mod timers;
pub mod units;
