//! The venues VeloZ speaks to, one folder each.
pub mod binance;
pub mod wire_id;
