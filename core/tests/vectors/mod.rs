//! What the accounting vectors need: tables from their JSON, events, and exact comparison.

pub mod compare;
pub mod runner;
pub mod tables;
