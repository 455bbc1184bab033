//! The largest quantity of one order.

use super::{Exposure, Refusal, Rule};

/// Refuses an order of more than the instrument's limit.
#[derive(Clone, Debug)]
pub struct MaxOrderQty {
    /// Per row of the instrument table, in quantity units; 0 or absent is no limit.
    pub limits: Vec<i64>,
}

impl Rule for MaxOrderQty {
    #[inline]
    fn check(&self, e: &Exposure<'_>) -> Result<(), Refusal> {
        let limit = self.limits.get(e.spec.instrument as usize).copied().unwrap_or(0);
        if limit == 0 || e.spec.qty <= limit {
            return Ok(());
        }
        let (qty, limit) = (e.instrument.qty_text(e.spec.qty), e.instrument.qty_text(limit));
        let detail = format!("quantity {qty} exceeds the limit {limit} on {}", e.instrument.symbol);
        Err(Refusal { rule: "max_order_qty", detail })
    }
}
