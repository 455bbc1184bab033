//! The equity curve's points, and the looks at margin that go with them.

use super::{Replay, ReplayError};
use crate::engine::EngineError;
use crate::matching::timeline::Key;
use crate::strategy::Strategy;
use crate::units::{to_f64, COST_SCALE};

/// Rank of equity samples: after all else of an instant but late bar openings.
const SAMPLE: u8 = 8;

/// One point of the equity curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Event time, ns.
    pub ts_ns: i64,
    /// Equity in the report currency; NaN where a rate is missing.
    pub equity: f64,
    /// Signed value of all positions in the report currency.
    pub net_exposure: f64,
    /// Absolute value of all positions in the report currency.
    pub gross_exposure: f64,
}

impl<S: Strategy> Replay<S> {
    /// Place of the next equity sample, [`Key::MAX`] if none is taken.
    #[inline]
    pub(super) fn next_sample(&self) -> Key {
        if self.next_sample_ns == i64::MAX {
            return Key::MAX;
        }
        Key::new(self.next_sample_ns, SAMPLE, 0)
    }

    /// Lets the venue take over what its margin carries no more; true if it did.
    pub(super) fn liquidates(&mut self) -> Result<bool, ReplayError> {
        let seized = self.liquidation.look(&mut self.engine.desk, &mut self.venue);
        let seized = seized.map_err(EngineError::from)?;
        self.schedule();
        Ok(seized)
    }

    /// Takes a point of the equity curve.
    pub(super) fn sample(&mut self, ts_ns: i64) -> Result<(), ReplayError> {
        let (account, asset) = self.settings.sampled;
        let worth = self.engine.desk.worth(account, asset).map_err(EngineError::from)?;
        let float = |value: Option<i128>| match value {
            Some(0) => 0.0,
            Some(value) => to_f64(value, COST_SCALE),
            None => f64::NAN,
        };
        let net_exposure = float(worth.net_exposure);
        let same = worth.net_exposure.map(i128::abs) == worth.gross_exposure;
        let gross_exposure = if same { net_exposure.abs() } else { float(worth.gross_exposure) };
        let equity = float(worth.equity);
        self.samples.push(Sample { ts_ns, equity, net_exposure, gross_exposure });
        Ok(())
    }
}
