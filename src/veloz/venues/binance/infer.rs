//! Instruments from the data itself, for recordings that hold no exchange information.
//!
//! A first pass decodes everything at fine scales and takes, for each symbol, the greatest common
//! divisor of all prices and of all quantities: the steps seen. They may be coarser than the
//! venue's own (never finer), which is why such instruments are marked [`Origin::Inferred`].

use std::collections::BTreeMap;

use veloz_core::book::PriceLevel;
use veloz_core::instrument::{Asset, Filters, Instrument, Kind, Origin, Status};
use veloz_core::units::{pow10, NS_PER_S};

use super::decode::{Content, Decoder, Event, MessageKind};
use super::json::{DecodeError, Problem};
use super::listing::{decimals, fees, intern, symbol, Listing, ListingError};
use super::Market;

/// Scales of price and quantity that are tried for a symbol, in this order: the next pair when a
/// number does not fit. Coins of tiny value trade in quantities that 8 decimals cannot hold.
const SCALES: [(u8, u8); 4] = [(8, 8), (8, 4), (8, 0), (12, 0)];
const FINE: u8 = 18;

/// Quotes in which pairs are named, longest first.
const QUOTES: [&str; 25] = [
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "EURI", "BIDR", "IDRT", "RLUSD", "BTC", "ETH",
    "BNB", "EUR", "GBP", "TRY", "BRL", "AUD", "RUB", "UAH", "NGN", "ZAR", "PLN", "JPY", "USD",
];

/// What was seen of one symbol.
#[derive(Clone, Debug, Default)]
struct Steps {
    /// Place in [`SCALES`].
    scales: usize,
    price: i64,
    qty: i64,
    /// The steps at earlier scales, at [`FINE`] decimals.
    fine: (i128, i128),
}

/// Collects the steps of every symbol in a recording of one market.
#[derive(Clone, Debug)]
pub struct Inference {
    decoder: Decoder,
    names: Vec<String>,
    steps: Vec<Steps>,
    rows: BTreeMap<String, usize>,
}

impl Inference {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(market: Market) -> Self {
        Inference {
            decoder: Decoder::new(market),
            names: Vec::new(),
            steps: Vec::new(),
            rows: BTreeMap::new(),
        }
    }

    /// Looks at a WebSocket frame. One that does not decode shows nothing; the import names it.
    pub fn frame(&mut self, bytes: &[u8]) {
        self.look(bytes, None, |decoder| decoder.frame(bytes, i64::MAX));
    }

    /// Looks at the body that `url` answered with.
    pub fn rest(&mut self, url: &str, body: &[u8]) {
        let symbol = super::rest::request(url).1;
        self.look(body, symbol, |decoder| decoder.rest(url, body, i64::MAX));
    }

    fn look(
        &mut self,
        bytes: &[u8],
        symbol: Option<&str>,
        decode: impl Fn(&mut Decoder) -> Result<(MessageKind, Content), DecodeError>,
    ) {
        // Each round adds a symbol or moves one to its next scales.
        for _ in 0..=SCALES.len() {
            match decode(&mut self.decoder) {
                Ok((kind, Content::UnknownSymbol(value))) => {
                    let text = match symbol {
                        Some(symbol) => symbol.as_bytes(),
                        None => value.of(bytes),
                    };
                    if !self.add(kind, text) {
                        return;
                    }
                }
                Ok((_, Content::Book(book))) => {
                    let steps = &mut self.steps[book.instrument as usize];
                    for level in self.decoder.bids.iter().chain(&self.decoder.asks) {
                        steps.see(*level);
                    }
                    return;
                }
                Ok(_) => {
                    for event in &self.decoder.events {
                        see_event(&mut self.steps, event);
                    }
                    return;
                }
                Err(DecodeError { problem: Problem::TooFine | Problem::TooLarge, .. }) => {
                    if !self.widen(bytes, symbol) {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Lists a symbol at the first scales.
    fn add(&mut self, kind: MessageKind, text: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(text) else { return false };
        let name = match (kind, self.decoder.market) {
            // The stream's name stands for the symbol.
            (MessageKind::PartialDepth, _) => {
                text.split('@').next().unwrap_or_default().to_ascii_uppercase()
            }
            (MessageKind::IndexPrice, Market::CoinM) => format!("{text}_PERP"),
            _ => text.to_owned(),
        };
        if name.is_empty() || self.rows.contains_key(&name) {
            return false;
        }
        self.rows.insert(name.clone(), self.names.len());
        self.names.push(name);
        self.steps.push(Steps::default());
        self.list(self.names.len() - 1);
        true
    }

    fn list(&mut self, row: usize) {
        let (price_scale, qty_scale) = SCALES[self.steps[row].scales];
        let market = self.decoder.market;
        let instrument = blank(market, &self.names[row], price_scale, qty_scale);
        self.decoder.symbols.add(row as u32, &instrument);
    }

    /// Moves the symbol of a message that did not fit to its next scales.
    fn widen(&mut self, bytes: &[u8], symbol: Option<&str>) -> bool {
        let text = String::from_utf8_lossy(bytes);
        let named = match symbol {
            Some(symbol) => self.rows.get(symbol).copied(),
            None => text
                .split_once("\"s\":\"")
                .and_then(|(_, rest)| rest.split('"').next())
                .and_then(|name| self.rows.get(name).copied()),
        };
        let Some(row) = named else { return false };
        let steps = &mut self.steps[row];
        if steps.scales + 1 == SCALES.len() {
            return false;
        }
        steps.settle();
        steps.scales += 1;
        self.list(row);
        true
    }

    /// The instruments of all symbols seen.
    ///
    /// # Errors
    ///
    /// [`ListingError::Assets`] if a symbol does not end in a known quote.
    pub fn listing(&self) -> Result<Listing, ListingError> {
        let market = self.decoder.market;
        let mut listing = Listing::default();
        for (name, &row) in &self.rows {
            let (base, quote) =
                assets(market, name).ok_or_else(|| ListingError::Assets(name.clone()))?;
            let mut steps = self.steps[row].clone();
            steps.settle();
            let (price, qty) = steps.fine;
            let one = |figure: i128| if figure == 0 { pow10(FINE) } else { figure };
            let (price, qty) = (one(price), one(qty));
            let mut instrument = blank(market, name, decimals(price), decimals(qty));
            instrument.tick = units(price, instrument.price_scale);
            instrument.lot = units(qty, instrument.qty_scale);
            let settle = if market == Market::CoinM { base } else { quote };
            let mut id = |name: &str| {
                intern(&mut listing.assets, &Asset { name: name.to_owned(), scale: 8 })
            };
            (instrument.base, instrument.quote) = (id(base), id(quote));
            instrument.settle = id(settle);
            instrument.symbol = symbol(market, base, quote, settle, name);
            instrument.expiry_ns = name.split_once('_').and_then(|(_, date)| delivery_ns(date));
            if market == Market::CoinM {
                // The face value is in no frame: the venue's two sizes.
                instrument.multiplier = if base == "BTC" { 100 } else { 10 };
            }
            listing.instruments.push(instrument);
        }
        Ok(listing)
    }
}

/// The delivery instant of a contract named `…_YYMMDD`: 08:00 UTC of that day.
fn delivery_ns(date: &str) -> Option<i64> {
    let number: i64 = date.parse().ok().filter(|_| date.len() == 6)?;
    let (year, month, day) = (2000 + number / 10_000, number / 100 % 100, number % 100);
    // Days since the epoch, with years that begin in March, so that a leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    Some((days * 24 + 8) * 3_600 * NS_PER_S)
}

fn units(figure: i128, scale: u8) -> i64 {
    i64::try_from(figure / pow10(FINE - scale)).unwrap_or(1)
}

impl Steps {
    #[inline]
    fn see(&mut self, level: PriceLevel) {
        narrow(&mut self.price, level.price);
        narrow(&mut self.qty, level.qty);
    }

    /// Folds the steps at the present scales into the fine ones.
    fn settle(&mut self) {
        let (price_scale, qty_scale) = SCALES[self.scales];
        let fine = |step: i64, scale: u8| i128::from(step) * pow10(FINE - scale);
        self.fine = (
            gcd(self.fine.0, fine(self.price, price_scale)),
            gcd(self.fine.1, fine(self.qty, qty_scale)),
        );
        (self.price, self.qty) = (0, 0);
    }
}

/// Makes `step` divide `value` too.
#[inline]
fn narrow(step: &mut i64, value: i64) {
    if *step == 0 || value % *step != 0 {
        *step = gcd(i128::from(*step), i128::from(value)) as i64;
    }
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn see_event(steps: &mut [Steps], event: &Event) {
    let mut see = |row: u32, price: i64, qty: i64| {
        steps[row as usize].see(PriceLevel { price, qty });
    };
    match *event {
        Event::Trade(t) => see(t.instrument, t.price, t.qty),
        Event::AggTrade(t) => see(t.instrument, t.price, t.qty),
        Event::Quote(q) => {
            see(q.instrument, q.bid_price, q.bid_qty);
            see(q.instrument, q.ask_price, q.ask_qty);
        }
        Event::Bar(b) => {
            see(b.instrument, b.open, b.volume);
            see(b.instrument, b.high, 0);
            see(b.instrument, b.low, 0);
            see(b.instrument, b.close, 0);
        }
        Event::Ticker(t) => {
            see(t.instrument, t.open, t.volume);
            see(t.instrument, t.high, 0);
            see(t.instrument, t.low, 0);
            see(t.instrument, t.last, 0);
        }
        Event::Liquidation(l) => see(l.instrument, 0, l.qty),
        Event::OpenInterest(o) => see(o.instrument, 0, o.qty),
        // Finer than the tick.
        Event::MarkPrice(_) | Event::IndexPrice(_) | Event::Funding(_) => {}
    }
}

/// Base and quote of a symbol; COIN-M pairs are all against the dollar.
fn assets(market: Market, name: &str) -> Option<(&str, &str)> {
    let pair = name.split('_').next()?;
    if market == Market::CoinM {
        return pair.strip_suffix("USD").filter(|base| !base.is_empty()).map(|base| (base, "USD"));
    }
    QUOTES
        .iter()
        .find_map(|quote| pair.strip_suffix(quote).map(|base| (base, *quote)))
        .filter(|(base, _)| !base.is_empty())
}

fn blank(market: Market, name: &str, price_scale: u8, qty_scale: u8) -> Instrument {
    let (maker_fee, taker_fee) = fees(market);
    Instrument {
        symbol: String::new(),
        venue_symbol: name.to_owned(),
        kind: match market {
            Market::Spot => Kind::Spot,
            Market::UsdM => Kind::Linear,
            Market::CoinM => Kind::Inverse,
        },
        base: 0,
        quote: 0,
        settle: 0,
        price_scale,
        qty_scale,
        tick: 1,
        lot: 1,
        multiplier: 1,
        multiplier_scale: 0,
        maker_fee,
        taker_fee,
        liquidation_fee: 0,
        filters: Filters::default(),
        tiers: Vec::new(),
        expiry_ns: None,
        valid_from_ns: 0,
        status: Status::Trading,
        origin: Origin::Inferred,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_symbol_names_its_delivery() {
        assert_eq!(delivery_ns("211231"), Some(1_640_937_600 * NS_PER_S));
        assert_eq!(delivery_ns("240229"), Some(1_709_193_600 * NS_PER_S));
        assert_eq!(delivery_ns("PERP"), None);
    }

    #[test]
    fn symbols_end_in_their_quote() {
        assert_eq!(assets(Market::Spot, "BTCFDUSD"), Some(("BTC", "FDUSD")));
        assert_eq!(assets(Market::UsdM, "BTCUSDT_261225"), Some(("BTC", "USDT")));
        assert_eq!(assets(Market::CoinM, "BTCUSD_PERP"), Some(("BTC", "USD")));
        assert_eq!(assets(Market::Spot, "USDT"), None);
    }

    #[test]
    fn steps_are_the_greatest_common_divisors_even_of_quantities_beyond_eight_decimals() {
        let mut inference = Inference::new(Market::Spot);
        for (price, qty) in [("1.50", "2.5"), ("2.25", "900000000000.0"), ("3.00", "7.5")] {
            let frame = format!(
                r#"{{"e":"trade","s":"XUSDT","t":1,"p":"{price}","q":"{qty}","T":1,"m":true}}"#
            );
            inference.frame(frame.as_bytes());
        }
        let listing = inference.listing().unwrap();
        let found = &listing.instruments[0];
        assert_eq!((found.price_scale, found.tick), (2, 75));
        assert_eq!((found.qty_scale, found.lot), (1, 25));
        assert_eq!(found.origin, Origin::Inferred);
    }
}
