//! What a run says about its simulated venue, and the words by which it says so.
//!
//! Each setting is one value with one parser; `VenueSettings::set("queue=proportional")` is what
//! the command line calls. Defaults are the recommended ones of `matching.md` section 1.

use std::collections::BTreeMap;

use super::queue::Queue;
use super::slippage::Slippage;
use crate::instrument::AssetId;
use crate::order::Stp;
use crate::units::{parse_decimal, RATE_SCALE};

/// What the data can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Bars.
    Bar,
    /// Public trades.
    Trade,
    /// Best bid and ask, and public trades.
    Quote,
    /// Depth and public trades.
    Book,
    /// Orders of all participants; nothing is replayed.
    True,
}

/// The order of high and low inside a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the rule of its name in matching.md 4.2
pub enum Path {
    Ohlc,
    Olhc,
    Adaptive,
    Worst,
    Best,
}

/// How bars fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarSettings {
    /// Which extreme comes first.
    pub path: Path,
    /// Ticks by which the price must go through a resting limit; 0 fills on touch.
    pub penetration: i64,
    /// Share of a bar's volume that own fills may have, at rate scale; `None` for no cap.
    pub participation: Option<i64>,
    /// What a market order cannot get expires, instead of waiting for the next open.
    pub remainder_expires: bool,
    /// Slippage of takers.
    pub slip: Slippage,
    /// A bar's first point comes after all else of its instant: orders meet "this close".
    pub open_last: bool,
}

/// How takers fill from prints alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeTaker {
    /// They wait for the next prints of their own side.
    NextTrade,
    /// At once at the estimated quote, any quantity.
    Quote,
}

/// The queue before a resting order where no book is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeAhead {
    /// Unknown: only prints through the price fill.
    CrossOnly,
    /// Nobody.
    Zero,
    /// A stated quantity, as a decimal at rate scale.
    Stated(i128),
}

/// How trades-only markets fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeSettings {
    /// How takers fill.
    pub taker: TradeTaker,
    /// The queue before makers.
    pub ahead: TradeAhead,
}

/// What happens to the memory of quantity that our takers took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// It stays while the level shows it.
    Delta,
    /// As delta, and comes back at a rate: quantity units per ns at rate scale of one lot.
    Refill(i64),
    /// Forgotten whenever the level changes.
    Reset,
    /// Forgotten at the end of the event.
    None,
}

/// Which of a print and the diff that shows it comes first in the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The print.
    TradeFirst,
    /// The diff; a decrease waits this long (ns) for its print.
    BookFirst(i64),
}

/// How replayed books fill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BookSettings {
    /// Which cancellations advance us.
    pub queue: Queue,
    /// Memory of what we took.
    pub consumed: Consumed,
    /// A crossing or a print through the price fills the whole order, not its evidence.
    pub crossed_full: bool,
    /// Order of prints and diffs.
    pub evidence: Evidence,
}

/// What an amend does to the place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmendRule {
    /// Always lost.
    Lose,
    /// Kept when only the quantity falls.
    KeepOnDecrease,
    /// Kept when only the quantity falls; everything else is refused.
    DecreaseOnly,
}

/// The venue's own choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Amends and the queue.
    pub amend: AmendRule,
    /// A fill-or-kill order that cannot fill is rejected, instead of accepted and expired.
    pub fok_rejects: bool,
    /// A trigger that already holds acts at once, instead of being rejected.
    pub trigger_at_once: bool,
    /// Self-trade prevention of orders that state none.
    pub stp: Stp,
    /// Reduce-only orders are rejected when all open ones together exceed the position.
    pub reduce_only_sum: bool,
}

/// A price band around mark (else last), multipliers at rate scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionBand {
    /// Buys do not fill above this multiple.
    pub up: i64,
    /// Sells do not fill below it.
    pub down: i64,
}

/// Isolated margin, rates at rate scale. The clearance fee is the instrument's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsolatedMargin {
    /// Margin of an entry, as a fraction of its notional.
    pub initial: i64,
    /// Maintenance, as a fraction of the notional at mark.
    pub maintenance: i64,
}

/// How one instrument is simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketSettings {
    /// What its data can carry.
    pub level: Level,
    /// Half the spread in ticks, where bars or prints without side hide it.
    pub half_spread: i64,
    /// Bars.
    pub bar: BarSettings,
    /// Prints.
    pub trade: TradeSettings,
    /// Books.
    pub book: BookSettings,
    /// Bounds of execution.
    pub exec_band: Option<ExecutionBand>,
    /// Liquidation; `None` checks no margin.
    pub margin: Option<IsolatedMargin>,
    /// The run has a stream of marks; triggers on it are refused otherwise.
    pub has_mark: bool,
    /// The run has a stream of index prices; triggers on it are refused otherwise.
    pub has_index: bool,
}

/// How fees are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeRounding {
    /// At 8 decimals, against the trader; rebates too.
    AgainstTrader,
    /// At the asset's scale, toward zero (accounting rule A1).
    TowardZero,
}

/// What a spot fee is paid in; contracts always pay in their settlement asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeAsset {
    /// Buys in the base coin, sells in the quote currency.
    Received,
    /// The quote currency.
    Quote,
    /// A third asset at a fixed price.
    Other {
        /// Which.
        asset: AssetId,
        /// Quote currency per unit of it, at rate scale.
        price: i64,
    },
}

/// How fees are charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeSettings {
    /// Rounding, of funding payments too.
    pub rounding: FeeRounding,
    /// Asset of spot fees.
    pub asset: FeeAsset,
}

/// Everything that a run says about its venue.
#[derive(Clone, Debug, PartialEq)]
pub struct VenueSettings {
    /// How instruments are simulated.
    pub market: MarketSettings,
    /// Instruments that differ, by row.
    pub overrides: BTreeMap<u32, MarketSettings>,
    /// The venue's choices.
    pub rules: Rules,
    /// Fees.
    pub fees: FeeSettings,
}

impl Default for VenueSettings {
    fn default() -> Self {
        let bar = BarSettings {
            path: Path::Adaptive,
            penetration: 1,
            participation: None,
            remainder_expires: false,
            slip: Slippage::None,
            open_last: false,
        };
        let book = BookSettings {
            queue: Queue::Proportional,
            consumed: Consumed::Delta,
            crossed_full: false,
            evidence: Evidence::TradeFirst,
        };
        let market = MarketSettings {
            level: Level::Book,
            half_spread: 0,
            bar,
            trade: TradeSettings { taker: TradeTaker::NextTrade, ahead: TradeAhead::CrossOnly },
            book,
            exec_band: None,
            margin: None,
            has_mark: true,
            has_index: true,
        };
        let rules = Rules {
            amend: AmendRule::Lose,
            fok_rejects: false,
            trigger_at_once: false,
            stp: Stp::None,
            reduce_only_sum: false,
        };
        let fees = FeeSettings { rounding: FeeRounding::TowardZero, asset: FeeAsset::Received };
        VenueSettings { market, overrides: BTreeMap::new(), rules, fees }
    }
}

impl VenueSettings {
    /// How one instrument is simulated.
    #[must_use]
    pub fn of(&self, instrument: u32) -> &MarketSettings {
        self.overrides.get(&instrument).unwrap_or(&self.market)
    }

    /// Applies one `key=value`, e.g. `queue=proportional`, to the venue and all its instruments.
    ///
    /// # Errors
    ///
    /// A sentence that names what exists.
    pub fn set(&mut self, setting: &str) -> Result<(), String> {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("{setting:?} is not of the form key=value"))?;
        if !self.set_rule(key, value)? {
            self.market.set(key, value)?;
            for market in self.overrides.values_mut() {
                market.set(key, value)?;
            }
        }
        Ok(())
    }

    fn set_rule(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "amend" => self.rules.amend = AmendRule::parse(value)?,
            "fok" => self.rules.fok_rejects = pick(key, value, ["expire", "reject"])?,
            "would_trigger" => {
                self.rules.trigger_at_once = pick(key, value, ["reject", "trigger"])?;
            }
            "stp" => self.rules.stp = parse_stp(value)?,
            "reduce_only" => self.rules.reduce_only_sum = pick(key, value, ["clip", "sum"])?,
            "fee_rounding" => {
                let against = pick(key, value, ["toward_zero", "against_trader"])?;
                self.fees.rounding =
                    if against { FeeRounding::AgainstTrader } else { FeeRounding::TowardZero };
            }
            "fee_asset" => {
                let quote = pick(key, value, ["received", "quote"])?;
                self.fees.asset = if quote { FeeAsset::Quote } else { FeeAsset::Received };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Every key that [`VenueSettings::set`] knows.
pub const KEYS: &str = "level, half_spread, path, penetration, participation, remainder, slip, \
    tie, taker, ahead, queue, consumed, crossed, evidence, amend, fok, would_trigger, stp, \
    reduce_only, fee_rounding, fee_asset";

impl MarketSettings {
    /// Applies one setting to this instrument.
    ///
    /// # Errors
    ///
    /// A sentence that names what exists.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "level" => self.level = Level::parse(value)?,
            "half_spread" => self.half_spread = whole(key, value)?,
            "path" => self.bar.path = Path::parse(value)?,
            "penetration" => self.bar.penetration = whole(key, value)?,
            "participation" => self.bar.participation = participation(value)?,
            "remainder" => self.bar.remainder_expires = pick(key, value, ["carry", "expire"])?,
            "slip" => self.bar.slip = Slippage::parse(value)?,
            "tie" => self.bar.open_last = pick(key, value, ["after_open", "before_open"])?,
            "taker" => {
                let quote = pick(key, value, ["next_trade", "quote"])?;
                self.trade.taker = if quote { TradeTaker::Quote } else { TradeTaker::NextTrade };
            }
            "ahead" => self.trade.ahead = TradeAhead::parse(value)?,
            "queue" => self.book.queue = Queue::parse(value)?,
            "consumed" => self.book.consumed = Consumed::parse(value)?,
            "crossed" => self.book.crossed_full = pick(key, value, ["evidence", "full"])?,
            "evidence" => self.book.evidence = Evidence::parse(value)?,
            _ => return Err(format!("setting {key:?} is unknown; use one of {KEYS}")),
        }
        Ok(())
    }
}

impl Level {
    /// The level that a text names.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<Level, String> {
        let table = [
            ("bar", Level::Bar),
            ("trade", Level::Trade),
            ("quote", Level::Quote),
            ("book", Level::Book),
            ("true", Level::True),
        ];
        choice("level", text, &table, "bar, trade, quote, book, true")
    }
}

impl Path {
    /// The path that a text names.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<Path, String> {
        let table = [
            ("ohlc", Path::Ohlc),
            ("olhc", Path::Olhc),
            ("adaptive", Path::Adaptive),
            ("worst", Path::Worst),
            ("best", Path::Best),
        ];
        choice("path", text, &table, "ohlc, olhc, adaptive, worst, best")
    }
}

impl TradeAhead {
    /// The queue that a text names.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<TradeAhead, String> {
        match text {
            "cross_only" => Ok(TradeAhead::CrossOnly),
            "zero" => Ok(TradeAhead::Zero),
            number => {
                decimal(number).filter(|v| *v >= 0).map(TradeAhead::Stated).ok_or_else(|| {
                    format!("ahead {text:?} is unknown; use cross_only, zero or a quantity")
                })
            }
        }
    }
}

impl Consumed {
    /// The memory that a text names; `refill:R` is in lots per ns, `refill:R/s` per second.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<Consumed, String> {
        let names = "delta, reset, none, refill:R (lots per ns) or refill:R/s";
        if let Some(rate) = text.strip_prefix("refill:") {
            let (number, per) = match rate.strip_suffix("/s") {
                Some(number) => (number, 1_000_000_000),
                None => (rate, 1),
            };
            let value = decimal(number).filter(|v| *v >= 0).map(|v| v / per);
            return value
                .and_then(|v| i64::try_from(v).ok())
                .map(Consumed::Refill)
                .ok_or_else(|| format!("consumed {text:?} needs a rate; use {names}"));
        }
        let table =
            [("delta", Consumed::Delta), ("reset", Consumed::Reset), ("none", Consumed::None)];
        choice("consumed", text, &table, names)
    }
}

impl Evidence {
    /// The order that a text names; W in ns.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<Evidence, String> {
        match text.split_once(':') {
            None if text == "trade_first" => Ok(Evidence::TradeFirst),
            Some(("book_first", wait)) => whole("evidence", wait).map(Evidence::BookFirst),
            _ => Err(format!("evidence {text:?} is unknown; use trade_first or book_first:W (ns)")),
        }
    }
}

impl AmendRule {
    /// The rule that a text names.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<AmendRule, String> {
        let table = [
            ("lose", AmendRule::Lose),
            ("keep_on_decrease", AmendRule::KeepOnDecrease),
            ("decrease_only", AmendRule::DecreaseOnly),
        ];
        choice("amend", text, &table, "lose, keep_on_decrease, decrease_only")
    }
}

/// The self-trade prevention that a text names.
///
/// # Errors
///
/// A sentence that lists what exists.
pub fn parse_stp(text: &str) -> Result<Stp, String> {
    let table = [
        ("none", Stp::None),
        ("expire_maker", Stp::ExpireMaker),
        ("expire_taker", Stp::ExpireTaker),
        ("expire_both", Stp::ExpireBoth),
        ("decrement", Stp::Decrement),
        ("transfer", Stp::Transfer),
    ];
    let names = "none, expire_maker, expire_taker, expire_both, decrement, transfer";
    choice("stp", text, &table, names)
}

/// The value of a name in a table.
pub(super) fn choice<T: Copy>(
    what: &str,
    text: &str,
    table: &[(&str, T)],
    names: &str,
) -> Result<T, String> {
    let found = table.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| format!("{what} {text:?} is unknown; use {names}"))
}

/// A plain decimal at rate scale.
pub(super) fn decimal(text: &str) -> Option<i128> {
    parse_decimal(text, RATE_SCALE).ok()
}

/// True for the second of two words.
fn pick(key: &str, text: &str, words: [&str; 2]) -> Result<bool, String> {
    let table = [(words[0], false), (words[1], true)];
    choice(key, text, &table, &words.join(" or "))
}

fn whole(key: &str, text: &str) -> Result<i64, String> {
    let value = text.parse::<i64>().ok().filter(|n| *n >= 0);
    value.ok_or_else(|| format!("{key} {text:?} is not a whole number of at least 0"))
}

fn participation(text: &str) -> Result<Option<i64>, String> {
    if text == "none" {
        return Ok(None);
    }
    let rate = decimal(text).and_then(|v| i64::try_from(v).ok()).filter(|v| *v > 0);
    let error = || format!("participation {text:?} is unknown; use none or a share such as 0.1");
    rate.map(Some).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_and_an_unknown_one_lists_what_exists() {
        let mut settings = VenueSettings::default();
        for setting in ["queue=back", "level=bar", "path=worst", "consumed=refill:0.5", "stp=none"]
        {
            settings.set(setting).unwrap();
        }
        assert_eq!(settings.market.book.queue, Queue::Back);
        assert_eq!(settings.market.book.consumed, Consumed::Refill(500_000_000_000_000_000));
        for (bad, word) in [
            ("queue=fifo", "proportional"),
            ("level=tick", "book"),
            ("colour=red", "half_spread"),
            ("penetration=-1", "whole"),
            ("consumed=refill:x", "lots"),
            ("path", "key=value"),
        ] {
            let error = settings.set(bad).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
