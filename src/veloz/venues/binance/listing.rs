//! Exchange information → instruments: scales, steps and limits as the venue states them.
//!
//! Scales are the venue's precisions, not the decimals of the present tick and lot: when a tick is
//! made coarser, orders at finer prices stay in the book, for years on spot, and must be read.

use std::fmt;

use veloz_core::instrument::{
    Asset, AssetId, Filters, Instrument, Kind, Origin, PercentPrice, Status,
};
use veloz_core::units::{parse_decimal, pow10, BadDecimal};

use super::json::{named_fields, DecodeError, Problem, Scanner, Type, Value};
use super::number::stamp;
use super::Market;

/// Decimals in which the body's figures are read before their scale is known.
const FINE: u8 = 18;

/// Fee rates of an account without a discount, maker and taker, at rate scale; the body has none.
#[must_use]
pub fn fees(market: Market) -> (i64, i64) {
    match market {
        Market::Spot => (1_000_000_000_000_000, 1_000_000_000_000_000),
        Market::UsdM | Market::CoinM => (200_000_000_000_000, 500_000_000_000_000),
    }
}

/// Why instruments could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingError {
    /// The body is not what it should be.
    Decode(DecodeError),
    /// The symbol does not show which two assets it is made of.
    Assets(String),
}

impl From<DecodeError> for ListingError {
    fn from(error: DecodeError) -> Self {
        ListingError::Decode(error)
    }
}

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListingError::Decode(error) => error.fmt(f),
            ListingError::Assets(symbol) => write!(
                f,
                "cannot tell the base and quote of {symbol}: give its instrument in a file"
            ),
        }
    }
}

impl std::error::Error for ListingError {}

/// Instruments and the assets that they name by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Assets by number.
    pub assets: Vec<Asset>,
    /// Instruments in the order of the body.
    pub instruments: Vec<Instrument>,
}

/// The number of an asset, which is added if it is new.
pub fn intern(assets: &mut Vec<Asset>, asset: &Asset) -> AssetId {
    let at = assets.iter().position(|known| known.name == asset.name).unwrap_or_else(|| {
        assets.push(asset.clone());
        assets.len() - 1
    });
    at as AssetId
}

/// Our name of an instrument.
#[must_use]
pub fn symbol(market: Market, base: &str, quote: &str, settle: &str, venue_symbol: &str) -> String {
    let dated = match venue_symbol.split_once('_') {
        Some((_, date)) if date.bytes().all(|byte| byte.is_ascii_digit()) => format!("-{date}"),
        _ => String::new(),
    };
    match market {
        Market::Spot => format!("binance:{base}/{quote}"),
        Market::UsdM | Market::CoinM => format!("binance:{base}/{quote}:{settle}{dated}"),
    }
}

/// Decimals that a figure at [`FINE`] scale needs.
pub(super) fn decimals(figure: i128) -> u8 {
    (0..FINE).find(|&scale| figure % pow10(FINE - scale) == 0).unwrap_or(FINE)
}

/// Decimals that a quantity may have so that volumes of many largest orders still fit an `i64`.
fn room(max_qty: i128) -> u8 {
    (0..8)
        .rev()
        .find(|&scale| max_qty / pow10(FINE) * pow10(scale + 1) <= pow10(13))
        .map_or(0, |s| s + 1)
}

const SYMBOL: [&str; 16] = [
    "symbol",
    "baseAsset",
    "quoteAsset",
    "marginAsset",
    "status",
    "contractStatus",
    "contractType",
    "contractSize",
    "deliveryDate",
    "baseAssetPrecision",
    "quotePrecision",
    "quoteAssetPrecision",
    "liquidationFee",
    "filters",
    "pricePrecision",
    "quantityPrecision",
];

const FILTER: [&str; 18] = [
    "filterType",
    "minPrice",
    "maxPrice",
    "tickSize",
    "minQty",
    "maxQty",
    "stepSize",
    "minNotional",
    "notional",
    "maxNotional",
    "limit",
    "maxNumOrders",
    "maxNumAlgoOrders",
    "multiplierUp",
    "multiplierDown",
    "bidMultiplierUp",
    "askMultiplierDown",
    "maxNumIcebergOrders",
];

/// The filters as they stand, at [`FINE`] scale; 0 where absent.
#[derive(Clone, Copy, Debug, Default)]
struct Raw {
    price: [i128; 3],
    lot: [i128; 3],
    market_lot: [i128; 3],
    notional: [i128; 2],
    orders: u32,
    conditional_orders: u32,
    iceberg_parts: u32,
    band: Option<(i128, i128)>,
}

impl Listing {
    /// Reads the body of `exchangeInfo`.
    ///
    /// # Errors
    ///
    /// What is wrong with the body, by field and byte.
    pub fn decode(market: Market, body: &[u8]) -> Result<Listing, ListingError> {
        super::decode::check_length(body)?;
        let mut scan = Scanner::new(body);
        let [symbols] = named_fields(&mut scan, &["symbols"])?;
        let missing = DecodeError { field: "symbols", offset: scan.at, problem: Problem::Missing };
        let symbols = symbols.ok_or(missing)?;
        scan.finish()?;
        let mut scan = Scanner::over(body, symbols);
        let mut listing = Listing::default();
        scan.expect(b'[', "symbols", "a list")?;
        if scan.eat(b']') {
            return Ok(listing);
        }
        loop {
            listing.add(market, &mut scan)?;
            if !scan.more(b']', "symbols")? {
                return Ok(listing);
            }
        }
    }

    fn add(&mut self, market: Market, scan: &mut Scanner<'_>) -> Result<(), DecodeError> {
        let body = Row { bytes: scan.bytes, found: named_fields(scan, &SYMBOL)?, end: scan.at };
        let venue_symbol = body.text(0)?;
        let (base, quote) = (body.text(1)?, body.text(2)?);
        let settle = if market == Market::Spot { quote.clone() } else { body.text(3)? };
        let raw = body.filters()?;
        let [_, _, tick] = raw.price;
        let precision = |at: usize| match body.found[at] {
            Some(value) => {
                super::number::whole(body.bytes, value, SYMBOL[at]).map(|n| n.min(8) as u8)
            }
            None => Ok(8),
        };
        let price_scale = decimals(tick).max(decimals(raw.price[0])).max(precision(14)?);
        let qty_scale = decimals(raw.lot[2])
            .max(decimals(raw.lot[0]))
            .max(precision(15)?.min(room(raw.lot[1])));
        let units = |figure: i128, scale: u8, field| {
            i64::try_from(figure / pow10(FINE - scale)).map_err(|_| DecodeError {
                field,
                offset: body.end,
                problem: Problem::TooLarge,
            })
        };
        let price = |figure| units(figure, price_scale, "PRICE_FILTER");
        let qty = |figure| units(figure, qty_scale, "LOT_SIZE");
        let (multiplier, multiplier_scale) = match body.found[7] {
            Some(size) => {
                let size = body.figure(size, 7)?;
                (units(size, decimals(size), "contractSize")?, decimals(size))
            }
            None => (1, 0),
        };
        let is_dated = body.found[6].is_some_and(|kind| {
            let kind = kind.of(body.bytes);
            !kind.is_empty() && !kind.ends_with(b"PERPETUAL")
        });
        let (maker_fee, taker_fee) = fees(market);
        let quote_scale = precision(11)?.min(precision(10)?);
        let base_scale = precision(9)?;
        let (base_id, quote_id) = (
            intern(&mut self.assets, &Asset { name: base.clone(), scale: base_scale }),
            intern(&mut self.assets, &Asset { name: quote.clone(), scale: quote_scale }),
        );
        let settle_id = intern(&mut self.assets, &Asset { name: settle.clone(), scale: 8 });
        let status = body.found[4].or(body.found[5]).map_or(&b""[..], |value| value.of(body.bytes));
        self.instruments.push(Instrument {
            symbol: symbol(market, &base, &quote, &settle, &venue_symbol),
            venue_symbol,
            kind: match market {
                Market::Spot => Kind::Spot,
                Market::UsdM => Kind::Linear,
                Market::CoinM => Kind::Inverse,
            },
            base: base_id,
            quote: quote_id,
            settle: settle_id,
            price_scale,
            qty_scale,
            tick: price(tick)?.max(1),
            lot: qty(raw.lot[2])?.max(1),
            multiplier,
            multiplier_scale,
            maker_fee,
            taker_fee,
            liquidation_fee: match body.found[12] {
                Some(rate) => units(body.figure(rate, 12)?, FINE, "liquidationFee")?,
                None => 0,
            },
            filters: Filters {
                min_price: price(raw.price[0])?,
                max_price: price(raw.price[1])?,
                min_qty: qty(raw.lot[0])?,
                max_qty: qty(raw.lot[1])?,
                market_max_qty: qty(raw.market_lot[1])?,
                market_lot: qty(raw.market_lot[2])?,
                min_notional: raw.notional[0],
                max_notional: raw.notional[1],
                max_orders: raw.orders,
                max_conditional_orders: raw.conditional_orders,
                max_iceberg_parts: raw.iceberg_parts,
                percent_price: match raw.band {
                    Some((up, down)) => Some(PercentPrice {
                        up: units(up, FINE, "PERCENT_PRICE")?,
                        down: units(down, FINE, "PERCENT_PRICE")?,
                        both_sides: market == Market::Spot,
                    }),
                    None => None,
                },
            },
            tiers: Vec::new(),
            expiry_ns: match body.found[8] {
                Some(date) if is_dated => Some(stamp(body.bytes, date, "deliveryDate")?),
                _ => None,
            },
            valid_from_ns: 0,
            status: match status {
                b"TRADING" => Status::Trading,
                b"BREAK" | b"END_OF_DAY" | b"CANCEL_ONLY" | b"PRE_SETTLE" => Status::CancelOnly,
                b"PRE_DELIVERING" | b"DELIVERING" | b"DELIVERED" | b"SETTLING" | b"CLOSE" => {
                    Status::Closed
                }
                _ => Status::Halt,
            },
            origin: Origin::Venue,
        });
        Ok(())
    }
}

/// The named fields of one symbol.
struct Row<'a> {
    bytes: &'a [u8],
    found: [Option<Value>; SYMBOL.len()],
    end: usize,
}

/// A decimal, in quotes or not, at [`FINE`] scale.
fn figure(bytes: &[u8], value: Value, field: &'static str) -> Result<i128, DecodeError> {
    let fail = |problem| DecodeError { field, offset: value.start as usize, problem };
    let text = match value.kind {
        Type::String | Type::Number => std::str::from_utf8(value.of(bytes)).ok(),
        _ => None,
    };
    let figure = parse_decimal(text.ok_or(fail(Problem::WrongType("a decimal number")))?, FINE);
    let figure = figure.map_err(|bad| {
        fail(match bad {
            BadDecimal::Malformed => Problem::WrongType("a decimal number"),
            BadDecimal::TooFine => Problem::TooFine,
            BadDecimal::TooLarge => Problem::TooLarge,
        })
    })?;
    if figure < 0 {
        return Err(fail(Problem::Negative));
    }
    Ok(figure)
}

impl Row<'_> {
    fn text(&self, at: usize) -> Result<String, DecodeError> {
        let field = SYMBOL[at];
        let missing = DecodeError { field, offset: self.end, problem: Problem::Missing };
        let value = self.found[at].ok_or(missing)?;
        let text = std::str::from_utf8(value.of(self.bytes)).ok();
        match (value.kind, text) {
            (Type::String, Some(text)) => Ok(text.to_owned()),
            _ => {
                let problem = Problem::WrongType("text");
                Err(DecodeError { field, offset: value.start as usize, problem })
            }
        }
    }

    fn figure(&self, value: Value, at: usize) -> Result<i128, DecodeError> {
        figure(self.bytes, value, SYMBOL[at])
    }

    fn filters(&self) -> Result<Raw, DecodeError> {
        let mut raw = Raw::default();
        let missing = DecodeError { field: "filters", offset: self.end, problem: Problem::Missing };
        let mut scan = Scanner::over(self.bytes, self.found[13].ok_or(missing)?);
        scan.expect(b'[', "filters", "a list")?;
        if scan.eat(b']') {
            return Ok(raw);
        }
        loop {
            let found = named_fields(&mut scan, &FILTER)?;
            self.filter(&found, &mut raw)?;
            if !scan.more(b']', "filters")? {
                return Ok(raw);
            }
        }
    }

    fn filter(
        &self,
        found: &[Option<Value>; FILTER.len()],
        raw: &mut Raw,
    ) -> Result<(), DecodeError> {
        let read = |at: usize| match found[at] {
            Some(value) => figure(self.bytes, value, FILTER[at]),
            None => Ok(0),
        };
        let count =
            |at: usize| read(at).map(|n| u32::try_from(n / pow10(FINE)).unwrap_or(u32::MAX));
        match found[0].map_or(&b""[..], |name| name.of(self.bytes)) {
            b"PRICE_FILTER" => raw.price = [read(1)?, read(2)?, read(3)?],
            b"LOT_SIZE" => raw.lot = [read(4)?, read(5)?, read(6)?],
            b"MARKET_LOT_SIZE" => raw.market_lot = [read(4)?, read(5)?, read(6)?],
            b"MIN_NOTIONAL" => raw.notional = [read(7)?.max(read(8)?), 0],
            b"NOTIONAL" => raw.notional = [read(7)?, read(9)?],
            b"MAX_NUM_ORDERS" => raw.orders = count(10)?.max(count(11)?),
            b"MAX_NUM_ALGO_ORDERS" => raw.conditional_orders = count(10)?.max(count(12)?),
            b"ICEBERG_PARTS" => raw.iceberg_parts = count(10)?,
            b"PERCENT_PRICE" => raw.band = Some((read(13)?, read(14)?)),
            b"PERCENT_PRICE_BY_SIDE" => raw.band = Some((read(15)?, read(16)?)),
            _ => {}
        }
        Ok(())
    }
}
