//! What can be traded: units, limits, multiplier and settlement, as versions that never change.
//!
//! A scale belongs to an instrument *version*. When a venue changes what the scales cannot
//! express, a new row is opened under the same symbol; a row is never re-used or edited.

use crate::units::{div_round, format_decimal, pow10, Overflow, Rounding, COST_SCALE, POW10_F64};

/// Row of an [`Asset`] in its table.
pub type AssetId = u16;
/// Row of an [`Instrument`] in its table.
pub type InstrumentId = u32;

/// Something that balances are kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The venue's name of it, e.g. `USDT`.
    pub name: String,
    /// Decimals that a balance of it carries.
    pub scale: u8,
}

/// How an instrument's value and settlement work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Coins change hands.
    Spot = 0,
    /// A contract worth `qty × multiplier × price`, settled in the quote currency.
    Linear = 1,
    /// A contract worth `qty × face ÷ price`, settled in the base coin.
    Inverse = 2,
}

/// Whether an instrument may be traded now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Everything is possible.
    Trading = 0,
    /// Cancels only; nothing matches (`BREAK`, `END_OF_DAY`, `CANCEL_ONLY`, `PRE_SETTLE`).
    CancelOnly = 1,
    /// Nothing is possible.
    Halt = 2,
    /// Gone: open orders expire, positions settle.
    Closed = 3,
}

/// Where an instrument's figures come from; reports say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Origin {
    /// The venue's own exchange information.
    Venue = 0,
    /// A file or argument that the user gave.
    File = 1,
    /// Inferred from the data: tick and lot are the steps seen.
    Inferred = 2,
}

/// One maintenance-margin tier; it holds while the notional at mark is at most `cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Lower end of the notional, at cost scale.
    pub floor: i128,
    /// Upper end, inclusive, at cost scale; `None` for the last tier.
    pub cap: Option<i128>,
    /// Maintenance rate at rate scale.
    pub rate: i64,
    /// Maintenance amount at cost scale: `MM = N × rate − amount`.
    pub amount: i128,
    /// Highest leverage at rate scale; 0 where unknown.
    pub max_leverage: i64,
}

/// A venue's limits on what an order may say; zero or `None` switches a limit off.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filters {
    /// Lowest and highest price, in price units.
    pub min_price: i64,
    /// See `min_price`.
    pub max_price: i64,
    /// Smallest and largest quantity, in quantity units.
    pub min_qty: i64,
    /// See `min_qty`.
    pub max_qty: i64,
    /// Largest market order and its step, in quantity units.
    pub market_max_qty: i64,
    /// See `market_max_qty`.
    pub market_lot: i64,
    /// Smallest and largest notional, at cost scale of the quote currency.
    pub min_notional: i128,
    /// See `min_notional`.
    pub max_notional: i128,
    /// Most open orders, most armed conditional orders, most parts of an iceberg.
    pub max_orders: u32,
    /// See `max_orders`.
    pub max_conditional_orders: u32,
    /// See `max_orders`.
    pub max_iceberg_parts: u32,
    /// Price band around the reference price.
    pub percent_price: Option<PercentPrice>,
}

/// A number that is not a multiple of the step it must be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffGrid {
    /// Not a number, infinite, or beyond what an integer holds.
    NotANumber,
    /// The multiples below and above, in scaled units.
    Between(i64, i64),
}

/// A band around the reference price that limit prices must stay in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentPrice {
    /// Upper multiplier at rate scale.
    pub up: i64,
    /// Lower multiplier at rate scale.
    pub down: i64,
    /// Both bounds hold for both sides (spot); else buys are capped above and sells below.
    pub both_sides: bool,
}

/// One version of something tradable on a venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Our name: `binance:BTC/USDT` (spot), `binance:BTC/USDT:USDT` (linear), `binance:BTC/USD:BTC`
    /// (inverse), with `-YYMMDD` behind a dated contract.
    pub symbol: String,
    /// The venue's own string, e.g. `BTCUSDT`.
    pub venue_symbol: String,
    /// How value and settlement work.
    pub kind: Kind,
    /// The coin that is bought and sold.
    pub base: AssetId,
    /// The currency of the price.
    pub quote: AssetId,
    /// The currency of profit, fees and margin; for spot the quote.
    pub settle: AssetId,
    /// Decimals of a price.
    pub price_scale: u8,
    /// Decimals of a quantity.
    pub qty_scale: u8,
    /// Smallest price step, in price units.
    pub tick: i64,
    /// Smallest quantity step, in quantity units.
    pub lot: i64,
    /// Multiplier of a linear contract (base per unit of quantity) or face value of an inverse one
    /// (quote per contract), as a scaled integer; 1 at scale 0 for spot.
    pub multiplier: i64,
    /// Decimals of `multiplier`.
    pub multiplier_scale: u8,
    /// Fee rate of a maker fill, at rate scale; negative is a rebate.
    pub maker_fee: i64,
    /// Fee rate of a taker fill, at rate scale.
    pub taker_fee: i64,
    /// Clearance fee rate of a liquidation, at rate scale.
    pub liquidation_fee: i64,
    /// What an order may say.
    pub filters: Filters,
    /// Maintenance tiers by rising notional; empty where unknown.
    pub tiers: Vec<Tier>,
    /// Delivery of a dated contract.
    pub expiry_ns: Option<i64>,
    /// From when this version holds.
    pub valid_from_ns: i64,
    /// Whether it trades.
    pub status: Status,
    /// Where the figures come from.
    pub origin: Origin,
}

impl Instrument {
    /// The venue's part of the symbol, e.g. `binance`.
    #[must_use]
    pub fn venue(&self) -> &str {
        self.symbol.split(':').next().unwrap_or_default()
    }

    /// True if another version counts in the same units of the same things: what the one says of a
    /// quantity or a price holds for the other.
    #[must_use]
    pub fn counts_like(&self, other: &Instrument) -> bool {
        let units = |i: &Instrument| {
            let of = (i.kind, i.base, i.quote, i.settle);
            (of, i.price_scale, i.qty_scale, i.multiplier, i.multiplier_scale)
        };
        self.symbol == other.symbol
            && self.venue_symbol == other.venue_symbol
            && units(self) == units(other)
    }

    /// A price as decimal text.
    #[must_use]
    pub fn price_text(&self, price: i64) -> String {
        format_decimal(i128::from(price), self.price_scale)
    }

    /// A quantity as decimal text.
    #[must_use]
    pub fn qty_text(&self, qty: i64) -> String {
        format_decimal(i128::from(qty), self.qty_scale)
    }

    /// Notional of a quantity at a price, at cost scale: in the quote currency for spot and linear
    /// instruments, in the base coin for inverse ones. Cut toward zero.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if it does not fit, or if an inverse contract has no price.
    #[inline]
    pub fn notional(&self, qty: i64, price: i64) -> Result<i128, Overflow> {
        let scales = self.qty_scale + self.multiplier_scale;
        // Three numbers whose product fits 64 bits, which all but the largest orders are, need no
        // 128-bit check; every order's verdict asks for a handful of notionals.
        let small = qty.checked_mul(self.multiplier).and_then(|units| units.checked_mul(price));
        if let (Some(value), Kind::Spot | Kind::Linear) = (small, self.kind) {
            let up = pow10(COST_SCALE.checked_sub(scales + self.price_scale).ok_or(Overflow)?);
            return Ok(i128::from(value) * i128::from(up as i64)); // up is 10^18 at most
        }
        let units = i128::from(qty).checked_mul(i128::from(self.multiplier)).ok_or(Overflow)?;
        match self.kind {
            Kind::Spot | Kind::Linear => {
                let up = pow10(COST_SCALE.checked_sub(scales + self.price_scale).ok_or(Overflow)?);
                let value = units.checked_mul(i128::from(price)).ok_or(Overflow)?;
                value.checked_mul(up).ok_or(Overflow)
            }
            Kind::Inverse => {
                let up = (COST_SCALE + self.price_scale).checked_sub(scales).ok_or(Overflow)?;
                let numerator = units.checked_mul(pow10(up)).ok_or(Overflow)?;
                div_round(numerator, i128::from(price), Rounding::TowardZero)
            }
        }
    }

    /// The price that a float stands for: a tick, if it lies within a millionth of a tick's width
    /// of one.
    ///
    /// # Errors
    ///
    /// [`OffGrid`] names the two nearest ticks, or says that the number is no price at all.
    #[inline]
    pub fn price_of(&self, value: f64) -> Result<i64, OffGrid> {
        Self::on_grid(value, self.price_scale, self.tick)
    }

    /// The quantity that a float stands for, by the same rule on lots.
    ///
    /// # Errors
    ///
    /// As [`price_of`](Self::price_of).
    #[inline]
    pub fn qty_of(&self, value: f64) -> Result<i64, OffGrid> {
        Self::on_grid(value, self.qty_scale, self.lot)
    }

    /// The multiple of `step` that a float stands for at a scale.
    ///
    /// # Errors
    ///
    /// [`OffGrid`] names the two nearest multiples, or says that the number is none at all.
    #[inline]
    pub fn on_grid(value: f64, scale: u8, step: i64) -> Result<i64, OffGrid> {
        let width = step as f64;
        let steps = value * POW10_F64[scale as usize] / width;
        if !steps.is_finite() || steps.abs() * width > 9e18 {
            return Err(OffGrid::NotANumber);
        }
        let nearest = steps.round();
        // A float carries 53 bits: beyond 2^33 steps its own spacing exceeds a millionth of a step.
        if (steps - nearest).abs() <= 1e-6_f64.max(steps.abs() * f64::EPSILON * 2.0) {
            return Ok(nearest as i64 * step);
        }
        Err(OffGrid::Between(steps.floor() as i64 * step, steps.ceil() as i64 * step))
    }

    /// True if every order that the filters allow has a cost that fits an `i128` (rule A3).
    #[must_use]
    pub fn fits(&self) -> bool {
        let max_qty =
            i128::from(if self.filters.max_qty > 0 { self.filters.max_qty } else { 1_000_000_000 });
        let max_price = i128::from(if self.filters.max_price > 0 {
            self.filters.max_price
        } else {
            1_000_000_000
        });
        let multiplier = i128::from(self.multiplier);
        let scales = self.price_scale + self.qty_scale + self.multiplier_scale;
        match self.kind {
            Kind::Spot | Kind::Linear => max_qty
                .checked_mul(max_price)
                .and_then(|v| v.checked_mul(multiplier))
                .is_some_and(|v| scales <= 18 && v.checked_mul(pow10(18 - scales)).is_some()),
            Kind::Inverse => max_qty
                .checked_mul(multiplier)
                .is_some_and(|v| v.checked_mul(pow10(18 + self.price_scale)).is_some()),
        }
    }
}
