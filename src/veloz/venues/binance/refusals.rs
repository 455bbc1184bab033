//! What an error answer means for the request: it is certain, or it is not.
//!
//! The one question that matters for a write is whether it may have taken effect. A code stands in
//! the tables below only if the venue's documents or the protocol prove that it did not; everything
//! else is [`Verdict::Unknown`], which only evidence ends. The same code means different things on
//! spot and on futures (-2021, -2022, -2026), so the tables are per market.

use veloz_core::order::Reject;

use super::Market;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the request that its name says
pub enum Asked {
    Place,
    Amend,
    Cancel,
    Query,
    Setting,
}

impl Asked {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Asked); 5] = [
        ("place", Asked::Place),
        ("amend", Asked::Amend),
        ("cancel", Asked::Cancel),
        ("query", Asked::Query),
        ("setting", Asked::Setting),
    ];
}

/// Why a request was turned away before anyone looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Request weight; `Retry-After` says when to come back.
    Weight,
    /// Orders in a window.
    Orders,
    /// The address is banned.
    Banned,
    /// The venue sheds load.
    Overload,
    /// Its firewall.
    Firewall,
}

/// What an answer means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was done.
    Done,
    /// It was not done; sending it again changes nothing. `ask`: the order's state is in doubt all
    /// the same, and a query must tell.
    Refused {
        /// Why.
        reason: Reject,
        /// The order must be looked up.
        ask: bool,
    },
    /// A replacement's order was cancelled and the new one refused: its data say why.
    Halved,
    /// The order is not there: no proof soon after it was sent.
    Absent,
    /// It may have been done.
    Unknown,
    /// It was not done: slow down or stop.
    Limited(Limit),
    /// It was not done: the clock is off, or it came too late.
    Clock,
    /// It was not done, and nothing will be until a person changes key, address or permission.
    Fatal,
}

const fn refused(reason: Reject) -> Verdict {
    Verdict::Refused { reason, ask: false }
}

const fn doubted(reason: Reject) -> Verdict {
    Verdict::Refused { reason, ask: true }
}

/// What an answer means.
///
/// `status` is the HTTP status or that of a WebSocket API frame, `code` and `text` the venue's.
#[must_use]
pub fn judge(market: Market, asked: Asked, status: u16, code: Option<i64>, text: &str) -> Verdict {
    match (status, code) {
        (200..=299, None | Some(0 | 200)) => return Verdict::Done,
        (418, _) => return Verdict::Limited(Limit::Banned),
        (429, Some(-1015)) => return Verdict::Limited(Limit::Orders),
        (429, _) => return Verdict::Limited(Limit::Weight),
        _ => {}
    }
    let is_spot = market == Market::Spot;
    let by_code = code.and_then(|code| {
        both(asked, code, text).or_else(|| {
            if is_spot {
                spot(asked, code, text)
            } else {
                futures(asked, code)
            }
        })
    });
    if let Some(verdict) = by_code {
        return verdict;
    }
    match (status, code) {
        (403, None) => Verdict::Limited(Limit::Firewall),
        (401, None) => Verdict::Fatal,
        (503, _) if !is_spot => unavailable(text),
        _ => Verdict::Unknown,
    }
}

/// Codes that mean the same in all markets.
fn both(asked: Asked, code: i64, text: &str) -> Option<Verdict> {
    Some(match code {
        -1002 | -1022 | -2008 | -2014 | -2015 | -2017 => Verdict::Fatal,
        -1003 => Verdict::Limited(Limit::Weight),
        -1015 => Verdict::Limited(Limit::Orders),
        -1021 => Verdict::Clock,
        -1000 | -1001 | -1006 | -1007 => Verdict::Unknown,
        -1014 | -1020 | -1199..=-1100 => refused(Reject::BadRequest),
        -2011 if asked == Asked::Cancel || asked == Asked::Amend => doubted(by_text(text)),
        -2013 if asked == Asked::Query => Verdict::Absent,
        -2013 => doubted(Reject::UnknownOrder),
        _ => return None,
    })
}

fn spot(asked: Asked, code: i64, text: &str) -> Option<Verdict> {
    Some(match code {
        -1010 | -1013 | -2010 => match by_text(text) {
            Reject::DuplicateId => doubted(Reject::DuplicateId),
            Reject::UnknownOrder => doubted(Reject::UnknownOrder),
            reason => refused(reason),
        },
        -2011 => doubted(by_text(text)),
        -2021 => Verdict::Halved,
        -2022 if asked == Asked::Amend => doubted(Reject::BadRequest),
        -2026 if asked == Asked::Query => Verdict::Absent,
        -2035 | -2036 => Verdict::Done,
        -2043..=-2038 => doubted(Reject::KeepPriority),
        _ => return None,
    })
}

#[rustfmt::skip] // a table: the columns matter
fn futures(asked: Asked, code: i64) -> Option<Verdict> {
    Some(match code {
        -1008                         => Verdict::Limited(Limit::Overload),
        -2010                         => refused(Reject::BadRequest),
        -2018                         => refused(Reject::InsufficientBalance),
        -2019 | -2023 | -2027 | -2028 => refused(Reject::Margin),
        -2020                         => refused(Reject::Fok),
        -2021                         => refused(Reject::WouldTrigger),
        -2022 | -2024                 => refused(Reject::ReduceOnly),
        -2025                         => refused(Reject::MaxOrders),
        -2026                         => refused(Reject::BadRequest),
        -4001 | -4002 | -4006 | -4013 | -4014 => refused(Reject::PriceFilter),
        -4003 | -4004 | -4005 | -4023 => refused(Reject::LotSize),
        -4016 | -4024 | -4131         => refused(Reject::PercentPrice),
        -4045                         => refused(Reject::MaxAlgoOrders),
        -4046 | -4059                 => Verdict::Done,
        -4109                         => Verdict::Fatal,
        -4116                         => doubted(Reject::DuplicateId),
        -4164                         => refused(Reject::MinNotional),
        -4999..=-4000                 => refused(Reject::BadRequest),
        -5021                         => refused(Reject::Fok),
        -5022                         => refused(Reject::PostOnly),
        -5028                         => Verdict::Clock,
        -5027 if asked == Asked::Amend => refused(Reject::NoChange),
        -5047                         => doubted(Reject::ReduceOnly),
        -5026..=-5024 | -5041 | -5043 => doubted(Reject::BadRequest),
        _ => return None,
    })
}

/// The texts of HTTP 503 on futures: two of them say that the request failed, one that nobody knows.
fn unavailable(text: &str) -> Verdict {
    let failed = ["Service Unavailable", "Internal error; unable to process your request"];
    if failed.iter().any(|start| text.starts_with(start)) {
        Verdict::Limited(Limit::Overload)
    } else {
        Verdict::Unknown
    }
}

/// Spot says by text which filter or rule it was; see "Errors", messages for -1010, -2010, -2011.
fn by_text(text: &str) -> Reject {
    const TEXTS: [(&str, Reject); 20] = [
        ("PERCENT_PRICE", Reject::PercentPrice),
        ("PRICE_FILTER", Reject::PriceFilter),
        ("MARKET_LOT_SIZE", Reject::MarketLotSize),
        ("LOT_SIZE", Reject::LotSize),
        ("MIN_NOTIONAL", Reject::MinNotional),
        ("NOTIONAL", Reject::MinNotional),
        ("ICEBERG_PARTS", Reject::IcebergParts),
        ("MAX_NUM_ALGO_ORDERS", Reject::MaxAlgoOrders),
        ("MAX_NUM_", Reject::MaxOrders),
        ("MAX_POSITION", Reject::MaxNotional),
        ("immediately match", Reject::PostOnly),
        ("trigger immediately", Reject::WouldTrigger),
        ("insufficient balance", Reject::InsufficientBalance),
        ("Duplicate order", Reject::DuplicateId),
        ("Unknown order", Reject::UnknownOrder),
        ("Market is closed", Reject::MarketClosed),
        ("not trading", Reject::MarketClosed),
        ("Price * QTY is zero", Reject::MinNotional),
        ("IcebergQty exceeds QTY", Reject::IcebergParts),
        ("FOK", Reject::Fok),
    ];
    let found = TEXTS.iter().find(|(part, _)| text.contains(part));
    found.map_or(Reject::BadRequest, |(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Asked::*;

    fn of(market: Market, asked: Asked, status: u16, code: i64, text: &str) -> Verdict {
        judge(market, asked, status, Some(code), text)
    }

    #[test]
    fn a_write_is_in_doubt_unless_proven_otherwise() {
        for market in [Market::Spot, Market::UsdM, Market::CoinM] {
            for asked in [Place, Amend, Cancel] {
                for status in [0, 400, 408, 500, 502, 504] {
                    assert_eq!(judge(market, asked, status, None, "<html>"), Verdict::Unknown);
                }
                for code in [-1000, -1001, -1006, -1007, -9_999_999, 5, i64::MIN] {
                    assert_eq!(of(market, asked, 400, code, ""), Verdict::Unknown, "{code}");
                }
            }
        }
    }

    #[test]
    fn the_same_code_differs_by_market() {
        let (spot, usdm) = (Market::Spot, Market::UsdM);
        assert_eq!(of(spot, Amend, 409, -2021, ""), Verdict::Halved);
        assert_eq!(of(usdm, Place, 400, -2021, ""), refused(Reject::WouldTrigger));
        assert_eq!(of(spot, Amend, 400, -2022, ""), doubted(Reject::BadRequest));
        assert_eq!(of(usdm, Place, 400, -2022, ""), refused(Reject::ReduceOnly));
        assert_eq!(of(spot, Query, 400, -2026, ""), Verdict::Absent);
        assert_eq!(of(usdm, Place, 400, -2026, ""), refused(Reject::BadRequest));
        assert_eq!(of(spot, Place, 503, -1008, ""), Verdict::Unknown);
        assert_eq!(of(usdm, Place, 503, -1008, ""), Verdict::Limited(Limit::Overload));
    }

    #[test]
    fn texts_decide_where_the_code_does_not() {
        let spot = |code, text| of(Market::Spot, Place, 400, code, text);
        let insufficient = "Account has insufficient balance for requested action.";
        assert_eq!(spot(-2010, insufficient), refused(Reject::InsufficientBalance));
        let would_take = "Order would immediately match and take.";
        assert_eq!(spot(-2010, would_take), refused(Reject::PostOnly));
        assert_eq!(spot(-2010, "Duplicate order sent."), doubted(Reject::DuplicateId));
        assert_eq!(spot(-1013, "Filter failure: LOT_SIZE"), refused(Reject::LotSize));
        let market = spot(-1013, "Filter failure: MARKET_LOT_SIZE");
        assert_eq!(market, refused(Reject::MarketLotSize));
        let band = spot(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE");
        assert_eq!(band, refused(Reject::PercentPrice));
        let gone = of(Market::Spot, Cancel, 400, -2011, "Unknown order sent.");
        assert_eq!(gone, doubted(Reject::UnknownOrder));
        let busy = |text| judge(Market::UsdM, Place, 503, None, text);
        let unknown = "Unknown error, please check your request or try again later.";
        assert_eq!(busy(unknown), Verdict::Unknown);
        assert_eq!(busy("Service Unavailable."), Verdict::Limited(Limit::Overload));
    }

    #[test]
    fn limits_clock_and_keys() {
        for market in [Market::Spot, Market::UsdM, Market::CoinM] {
            assert_eq!(judge(market, Place, 429, None, ""), Verdict::Limited(Limit::Weight));
            assert_eq!(judge(market, Place, 418, None, ""), Verdict::Limited(Limit::Banned));
            assert_eq!(judge(market, Place, 403, None, ""), Verdict::Limited(Limit::Firewall));
            assert_eq!(of(market, Place, 429, -1015, ""), Verdict::Limited(Limit::Orders));
            assert_eq!(of(market, Place, 400, -1021, ""), Verdict::Clock);
            assert_eq!(of(market, Place, 401, -2015, ""), Verdict::Fatal);
            assert_eq!(of(market, Query, 400, -2013, ""), Verdict::Absent);
            assert_eq!(of(market, Place, 400, -1121, ""), refused(Reject::BadRequest));
            assert_eq!(judge(market, Place, 200, None, ""), Verdict::Done);
        }
        assert_eq!(of(Market::UsdM, Place, 400, -4116, ""), doubted(Reject::DuplicateId));
        assert_eq!(of(Market::CoinM, Setting, 400, -4046, ""), Verdict::Done);
        assert_eq!(of(Market::UsdM, Place, 400, -5022, ""), refused(Reject::PostOnly));
    }
}
