//! The largest leverage of the account in one instrument.

use super::{Exposure, Refusal, Rule};
use crate::instrument::Kind;

/// Refuses an order that would take position and open orders past a multiple of equity.
#[derive(Clone, Debug)]
pub struct MaxLeverage {
    /// As a whole number; 0 is no limit.
    pub limit: i64,
}

impl Rule for MaxLeverage {
    #[inline]
    fn check(&self, e: &Exposure<'_>) -> Result<(), Refusal> {
        if self.limit == 0 || e.instrument.kind == Kind::Spot {
            return Ok(());
        }
        let grows = e.notional_after > e.notional_before;
        if !grows || e.notional_after <= e.equity.saturating_mul(i128::from(self.limit)) {
            return Ok(());
        }
        let leverage = e.notional_after as f64 / e.equity.max(1) as f64;
        let (limit, symbol) = (self.limit, &e.instrument.symbol);
        let detail = format!("leverage {leverage:.2} exceeds the limit {limit} on {symbol}");
        Err(Refusal { rule: "max_leverage", detail })
    }
}
