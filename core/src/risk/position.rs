//! The largest position a strategy may hold.

use super::{Exposure, Refusal, Rule};
use crate::order::Side;

/// Refuses an order whose full fill, with the open orders of its side, would grow the strategy's
/// position past the limit.
#[derive(Clone, Debug)]
pub struct MaxPosition {
    /// Absolute position per row of the instrument table; 0 or absent is no limit.
    pub limits: Vec<i64>,
}

impl Rule for MaxPosition {
    #[inline]
    fn check(&self, e: &Exposure<'_>) -> Result<(), Refusal> {
        let limit = self.limits.get(e.spec.instrument as usize).copied().unwrap_or(0);
        if limit == 0 || e.spec.reduce_only {
            return Ok(());
        }
        let open = match e.spec.side {
            Side::Buy => e.open_buy_qty,
            Side::Sell => e.open_sell_qty,
        };
        let after = e.strategy_position + e.spec.side.sign() * (open + e.spec.qty);
        let grows = after.abs() > e.strategy_position.abs();
        if !grows || after.abs() <= limit {
            return Ok(());
        }
        let (after, limit) = (e.instrument.qty_text(after), e.instrument.qty_text(limit));
        let symbol = &e.instrument.symbol;
        let detail = format!("position would be {after}, limit {limit} on {symbol}");
        Err(Refusal { rule: "max_position", detail })
    }
}
