//! The largest notional of one order.

use super::{Exposure, Refusal, Rule};
use crate::units::{format_decimal, COST_SCALE};

/// Refuses an order worth more than the limit.
#[derive(Clone, Debug)]
pub struct MaxNotional {
    /// At cost scale; 0 is no limit.
    pub limit: i128,
}

impl Rule for MaxNotional {
    #[inline]
    fn check(&self, e: &Exposure<'_>) -> Result<(), Refusal> {
        if self.limit == 0 || e.notional <= self.limit {
            return Ok(());
        }
        let value = format_decimal(e.notional, COST_SCALE);
        let limit = format_decimal(self.limit, COST_SCALE);
        let detail =
            format!("notional {value} exceeds the limit {limit} on {}", e.instrument.symbol);
        Err(Refusal { rule: "max_notional", detail })
    }
}
