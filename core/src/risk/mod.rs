//! The risk gate: every order passes every rule before it may leave (EX10).
//!
//! A rule looks and judges; it changes nothing. It states the number that broke it and the limit,
//! because a trader will read it. Rules are a literal list; each is one small file.

mod funds;
mod leverage;
mod notional;
mod order_rate;
mod order_size;
mod position;
mod price_band;

pub use funds::Funds;
pub use leverage::MaxLeverage;
pub use notional::MaxNotional;
pub use order_rate::{OrderRate, RateWindow};
pub use order_size::MaxOrderQty;
pub use position::MaxPosition;
pub use price_band::PriceBand;

use crate::instrument::Instrument;
use crate::order::OrderSpec;

/// Why an order may not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that said no.
    pub rule: &'static str,
    /// One sentence with the value and the limit.
    pub detail: String,
}

/// What a rule may look at.
pub struct Exposure<'a> {
    /// What is traded.
    pub instrument: &'a Instrument,
    /// What is asked.
    pub spec: &'a OrderSpec,
    /// The strategy's own signed position, in quantity units.
    pub strategy_position: i64,
    /// The account's signed position, in quantity units.
    pub account_position: i64,
    /// Quantity of the strategy's open buys and sells in the instrument that may grow its position,
    /// this order left out.
    pub open_buy_qty: i64,
    /// See `open_buy_qty`.
    pub open_sell_qty: i64,
    /// Reference price in price units: mark, else mid, else last; 0 if there is none yet.
    pub reference_price: i64,
    /// Notional of the order at its price, else at the reference price, at cost scale of the
    /// quote currency (linear, spot) or the base coin (inverse).
    pub notional: i128,
    /// Notional of the account's position and open orders in the instrument after this order,
    /// on its larger side, at cost scale of the settlement currency.
    pub notional_after: i128,
    /// The same before this order.
    pub notional_before: i128,
    /// Equity in the settlement currency, at cost scale.
    pub equity: i128,
    /// Margin that the account's other instruments with this settlement currency need.
    pub other_margin: i128,
    /// What may be spent of the asset that a spot order pays with, at cost scale.
    pub free: i128,
    /// Leverage of the instrument on this account, at least 1.
    pub leverage: i64,
    /// Event time, ns.
    pub now_ns: i64,
    /// Orders sent by the account within the rate window before now.
    pub orders_in_window: u32,
}

/// One rule of the gate.
pub trait Rule {
    /// Judges an order.
    ///
    /// # Errors
    ///
    /// The [`Refusal`], if the order breaks the rule.
    fn check(&self, exposure: &Exposure<'_>) -> Result<(), Refusal>;
}

/// The limits of one account; zero switches a limit off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest quantity of one order, in quantity units, for every instrument.
    pub max_order_qty: Vec<i64>,
    /// Largest notional of one order, at cost scale.
    pub max_order_notional: i128,
    /// Largest absolute position of a strategy, in quantity units, for every instrument.
    pub max_position: Vec<i64>,
    /// Farthest that a limit price may lie on the wrong side of the reference, in hundredths of a
    /// per cent.
    pub price_band_bps: i64,
    /// Most orders within `rate_window_ns`.
    pub max_orders_in_window: u32,
    /// Length of the rate window, ns.
    pub rate_window_ns: i64,
    /// Largest leverage of the account, as a whole number.
    pub max_leverage: i64,
    /// Whether an order needs the funds to pay for it.
    pub check_funds: bool,
}

impl Default for Limits {
    /// On without being asked: funds, a price band of 10 %, 1,000 orders a second.
    fn default() -> Self {
        Limits {
            max_order_qty: Vec::new(),
            max_order_notional: 0,
            max_position: Vec::new(),
            price_band_bps: 1_000,
            max_orders_in_window: 1_000,
            rate_window_ns: 1_000_000_000,
            max_leverage: 0,
            check_funds: true,
        }
    }
}

/// All rules, in the order in which they judge.
#[derive(Clone, Debug)]
pub struct Gate {
    size: MaxOrderQty,
    notional: MaxNotional,
    position: MaxPosition,
    band: PriceBand,
    rate: OrderRate,
    leverage: MaxLeverage,
    funds: Funds,
}

impl Gate {
    /// The gate for `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Gate {
            size: MaxOrderQty { limits: limits.max_order_qty.clone() },
            notional: MaxNotional { limit: limits.max_order_notional },
            position: MaxPosition { limits: limits.max_position.clone() },
            band: PriceBand { band_bps: limits.price_band_bps },
            rate: OrderRate {
                limit: limits.max_orders_in_window,
                window_ns: limits.rate_window_ns,
            },
            leverage: MaxLeverage { limit: limits.max_leverage },
            funds: Funds { on: limits.check_funds },
        }
    }

    /// Judges an order by every rule; the first refusal counts.
    ///
    /// # Errors
    ///
    /// The first [`Refusal`].
    #[inline]
    pub fn check(&self, exposure: &Exposure<'_>) -> Result<(), Refusal> {
        self.size.check(exposure)?;
        self.notional.check(exposure)?;
        self.position.check(exposure)?;
        self.band.check(exposure)?;
        self.rate.check(exposure)?;
        self.leverage.check(exposure)?;
        self.funds.check(exposure)
    }
}
