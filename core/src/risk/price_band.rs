//! How far a limit price may stray to the wrong side of the market.

use super::{Exposure, Refusal, Rule};
use crate::order::Side;

/// Refuses a buy far above, or a sell far below, the reference price: the slip of a digit.
///
/// Prices on the passive side are free: they cannot trade at a bad price.
#[derive(Clone, Debug)]
pub struct PriceBand {
    /// Width in hundredths of a per cent; 0 is no band.
    pub band_bps: i64,
}

impl Rule for PriceBand {
    #[inline]
    fn check(&self, e: &Exposure<'_>) -> Result<(), Refusal> {
        if self.band_bps == 0 || e.reference_price == 0 || !e.spec.kind.has_limit() {
            return Ok(());
        }
        let passive = match e.spec.side {
            Side::Buy => e.spec.price <= e.reference_price,
            Side::Sell => e.spec.price >= e.reference_price,
        };
        if passive && self.band_bps > 0 {
            return Ok(()); // most orders, and quicker to see than on which side of the edge
        }
        let reference = i128::from(e.reference_price);
        let (price, factor) = match e.spec.side {
            Side::Buy => (i128::from(e.spec.price), 10_000 + i128::from(self.band_bps)),
            Side::Sell => (-i128::from(e.spec.price), i128::from(self.band_bps) - 10_000),
        };
        if price * 10_000 <= reference * factor {
            return Ok(());
        }
        let detail = format!(
            "price {} is more than {} % beyond the reference {} on {}",
            e.instrument.price_text(e.spec.price),
            self.band_bps as f64 / 100.0,
            e.instrument.price_text(e.reference_price),
            e.instrument.symbol
        );
        Err(Refusal { rule: "price_band", detail })
    }
}
