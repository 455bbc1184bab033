//! What a run's settings assume, and which way each assumption errs; every report prints this.

use super::latency::Latency;
use super::queue::Queue;
use super::settings::{
    Consumed, Level, MarketSettings, Path, TradeAhead, TradeTaker, VenueSettings,
};
use super::slippage::Slippage;

/// Which way a result is wrong if an assumption is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// It does not concern this role.
    None,
    /// The result looks better than it would have been.
    Flatters,
    /// The result looks much better than it would have been.
    FlattersMuch,
    /// The result looks worse than it would have been.
    Hurts,
    /// Either way.
    Either,
    /// Measured, not assumed.
    Fair,
}

impl Bias {
    /// A sign for tables.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Bias::None => "",
            Bias::Flatters => "+",
            Bias::FlattersMuch => "++",
            Bias::Hurts => "-",
            Bias::Either => "±",
            Bias::Fair => "fair",
        }
    }
}

/// One assumption of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// `A01` … `A24`, as in the matching page.
    pub id: &'static str,
    /// What is assumed.
    pub text: String,
    /// Which way it errs for resting orders.
    pub maker: Bias,
    /// Which way it errs for orders that take.
    pub taker: Bias,
}

/// Everything that the settings of one market assume, in the order of ids. `is_margined` says that
/// positions in it are liquidated ([`crate::liquidation`]).
#[must_use]
pub fn assumptions(
    settings: &VenueSettings,
    (instrument, is_margined): (u32, bool),
    entry: &Latency,
    report: &Latency,
) -> Vec<Assumption> {
    use Bias::{Either, Flatters, Hurts, None};
    let market = settings.of(instrument);
    let mut list = Vec::new();
    let mut add = |id, text: &str, maker, taker| {
        list.push(Assumption { id, text: text.to_owned(), maker, taker });
    };
    if market.level != Level::True {
        add("A01", "the market does not react to our orders", Flatters, Flatters);
    }
    match market.level {
        Level::Bar => bar_assumptions(market, &mut add),
        Level::Trade => trade_assumptions(market, &mut add),
        Level::Quote | Level::Book => book_assumptions(market, &mut add),
        Level::True => {}
    }
    add("A14", "at equal times the market moves before our requests", Hurts, Hurts);
    let (latency, bias) = latency_words(entry, report);
    add("A15", latency, bias, bias);
    add("A16", "latency does not grow with load", Flatters, Flatters);
    if matches!(market.level, Level::Quote | Level::Book) {
        add("A17", "level changes between two depth messages are unseen", Either, Flatters);
    }
    if market.level != Level::True {
        add("A18", "hidden, iceberg and retail-only liquidity is unseen", Either, Hurts);
    }
    add("A19", "stops act at the instant of their trigger", None, Flatters);
    add("A20", "funding uses the mark price of its instant", Either, Either);
    if is_margined || market.margin.is_some() {
        add("A21", "liquidation is at the bankruptcy price", Hurts, Hurts);
    }
    add("A22", "the venue is always reachable", Flatters, Flatters);
    add("A23", "fees are those of the instrument file for the whole run", Either, Either);
    add("A24", "our fill does not make the next trade less likely", Flatters, None);
    list
}

type Add<'a> = &'a mut dyn FnMut(&'static str, &str, Bias, Bias);

fn bar_assumptions(market: &MarketSettings, add: Add<'_>) {
    use Bias::{Either, Flatters, Hurts, None};
    let bar = &market.bar;
    match bar.path {
        Path::Ohlc | Path::Olhc => add("A02", "bars have a fixed path", Either, Either),
        Path::Adaptive => {
            add("A02", "inside a bar the extreme nearer to the open comes first", Either, Either);
        }
        Path::Worst => add("A03", "inside a bar the worse extreme comes first", Hurts, Hurts),
        Path::Best => add("A03", "inside a bar the better extreme comes first", Flatters, Flatters),
    }
    match bar.penetration {
        0 => add("A04", "a limit fills when it is touched", Flatters, None),
        n => add("A04", &format!("a limit fills when it is crossed by {n} ticks"), Hurts, None),
    }
    add("A05", "a limit that the price jumps over pays its limit", Hurts, None);
    if bar.open_last {
        add("A06", "market orders get the close that made the signal", None, Flatters);
    } else {
        add("A06", "market orders get the next open", None, Either);
    }
    let spread = match (market.half_spread, bar.slip) {
        (0, Slippage::None) => "takers pay no spread and no slippage",
        _ => "spread and slippage are constant",
    };
    add("A07", spread, None, Either);
    match (bar.participation, bar.remainder_expires) {
        (Option::None, _) => add("A08", "a bar fills any size", Flatters, Flatters),
        (Some(_), false) => add("A08", "what exceeds the volume cap waits", Either, Either),
        (Some(_), true) => add("A08", "what exceeds the volume cap expires", Hurts, Hurts),
    }
}

fn trade_assumptions(market: &MarketSettings, add: Add<'_>) {
    use Bias::{Either, Flatters, Hurts, None};
    match market.trade.ahead {
        TradeAhead::CrossOnly => add("A09", "only prints through a limit fill it", Hurts, None),
        TradeAhead::Zero => add("A09", "nobody waits before us", Flatters, None),
        TradeAhead::Stated(_) => add("A09", "a stated quantity waits before us", Either, None),
    }
    match market.trade.taker {
        TradeTaker::NextTrade => add("A10", "takers get the next prints", None, Hurts),
        TradeTaker::Quote => add("A10", "takers get the estimated quote", None, Flatters),
    }
}

fn book_assumptions(market: &MarketSettings, add: Add<'_>) {
    use Bias::{Either, Flatters, FlattersMuch, Hurts, None};
    match market.book.consumed {
        Consumed::Delta => add("A11", "what we took is gone until shown again", None, Hurts),
        Consumed::Refill(_) => add("A11", "what we took comes back at a rate", None, Either),
        Consumed::Reset => {
            add("A11", "what we took is back when its level changes", None, Flatters);
        }
        Consumed::None => add("A11", "what we took is back at once", None, FlattersMuch),
    }
    if market.book.crossed_full {
        add("A12", "a crossing or print through fills the whole order", Flatters, None);
    } else {
        add("A12", "a crossing or print through fills no more than it shows", Hurts, None);
    }
    let (text, bias) = match market.book.queue {
        Queue::Back => ("only prints advance us in the queue", Hurts),
        Queue::Ahead => ("all cancellations are ahead of us", Flatters),
        Queue::Proportional => ("cancellations fall evenly on the queue", Either),
        Queue::Power(_) | Queue::Sqrt | Queue::Log | Queue::Share(_) => {
            ("cancellations fall on the queue by a stated function", Either)
        }
    };
    add("A13", text, bias, None);
}

fn latency_words(entry: &Latency, report: &Latency) -> (&'static str, Bias) {
    let measured = |latency: &Latency| matches!(latency, Latency::Table(_));
    if entry.is_none() && report.is_none() {
        ("orders and reports take no time", Bias::Flatters)
    } else if measured(entry) && measured(report) {
        ("order and report latency are measured", Bias::Fair)
    } else {
        ("order and report latency follow a model", Bias::Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(settings: &[&str]) -> Vec<(&'static str, Bias, Bias)> {
        let mut venue = VenueSettings::default();
        for setting in settings {
            venue.set(setting).unwrap();
        }
        let all = assumptions(&venue, (0, false), &Latency::None, &Latency::None);
        all.into_iter().map(|a| (a.id, a.maker, a.taker)).collect()
    }

    #[test]
    fn settings_name_the_way_in_which_they_err() {
        let book = ids(&["queue=back"]);
        assert!(book.contains(&("A13", Bias::Hurts, Bias::None)));
        assert!(book.contains(&("A15", Bias::Flatters, Bias::Flatters)));
        assert!(ids(&["queue=ahead"]).contains(&("A13", Bias::Flatters, Bias::None)));
        let touched = ids(&["level=bar", "penetration=0"]);
        assert!(touched.contains(&("A04", Bias::Flatters, Bias::None)));
        assert!(ids(&["level=true"]).iter().all(|(id, _, _)| *id != "A01"));
    }
}
