//! Whether the account can pay for an order.

use super::{Exposure, Refusal, Rule};
use crate::instrument::Kind;
use crate::units::{format_decimal, COST_SCALE};

/// Refuses an order that free coins (spot) or equity (contracts) cannot carry.
///
/// Contracts need the initial margin of position and open orders on their larger side (A25), at
/// the instrument's leverage; orders that shrink that figure always pass.
#[derive(Clone, Debug)]
pub struct Funds {
    /// Whether the rule is on.
    pub on: bool,
}

impl Rule for Funds {
    #[inline]
    fn check(&self, e: &Exposure<'_>) -> Result<(), Refusal> {
        if !self.on {
            return Ok(());
        }
        let (need, have) = match e.instrument.kind {
            Kind::Spot => (e.notional, e.free),
            Kind::Linear | Kind::Inverse => {
                if e.notional_after <= e.notional_before {
                    return Ok(());
                }
                // A division of 128 bits is dear, and most accounts trade without leverage.
                let margin = match e.leverage {
                    1 => e.notional_after,
                    leverage => e.notional_after / i128::from(leverage),
                };
                (margin, e.equity - e.other_margin)
            }
        };
        if need <= have {
            return Ok(());
        }
        let (need, have) = (format_decimal(need, COST_SCALE), format_decimal(have, COST_SCALE));
        let detail = format!("needs {need}, has {have} available on {}", e.instrument.symbol);
        Err(Refusal { rule: "funds", detail })
    }
}
