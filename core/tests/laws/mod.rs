//! A generated market for the laws of the matching simulator: a book around 100/101 with prints,
//! and orders of three accounts that come, change and go.

#![allow(dead_code)] // each test file uses its part

use std::collections::BTreeMap;

use proptest::prelude::*;
use veloz_core::instrument::{Asset, Filters, Instrument, Kind, Origin, Status};
use veloz_core::market::{Tick, TICK_BUY, TICK_LAST, TICK_TRADE};
use veloz_core::matching::timeline::Key;
use veloz_core::matching::{AccountReport, Venue, VenueEvent, VenueSettings};
use veloz_core::order::{OrderId, OrderSpec, OrderType, ReportKind, Side, Stp, Tif};

/// One thing that happens; the n-th step happens at time n.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Level { side: Side, price: i64, qty: i64 },
    Print { price: i64, qty: i64, buy: bool },
    Place { account: u16, spec: OrderSpec },
    Cancel { nth: u64 },
    Amend { nth: u64, qty: i64, price: i64 },
    Status(Status),
}

pub fn instrument(lot: i64) -> Instrument {
    Instrument {
        symbol: "law:BTC/USDT:USDT".to_owned(),
        venue_symbol: "BTCUSDT".to_owned(),
        kind: Kind::Linear,
        base: 0,
        quote: 1,
        settle: 1,
        price_scale: 0,
        qty_scale: 0,
        tick: 1,
        lot,
        multiplier: 1,
        multiplier_scale: 0,
        maker_fee: 0,
        taker_fee: 0,
        liquidation_fee: 0,
        filters: Filters::default(),
        tiers: Vec::new(),
        expiry_ns: None,
        valid_from_ns: 0,
        status: Status::Trading,
        origin: Origin::File,
    }
}

pub fn venue(settings: &[&str], lot: i64) -> Venue {
    let mut chosen = VenueSettings::default();
    for setting in settings {
        chosen.set(setting).expect("a known setting");
    }
    let assets = ["BTC", "USDT"].map(|name| Asset { name: name.to_owned(), scale: 8 });
    Venue::new(chosen, &[instrument(lot)], &assets)
}

/// Applies one step at its time; the id of a placed order is its step's number plus one.
pub fn apply(venue: &mut Venue, now: i64, step: &Step, owners: &mut BTreeMap<OrderId, u16>) {
    let id_of = |nth: u64| owners.keys().nth(nth as usize % owners.len().max(1)).copied();
    while !venue.advance(Key::new(now, 2, 1)) {}
    match *step {
        Step::Level { side, price, qty } => {
            let flags = TICK_LAST | if side == Side::Buy { TICK_BUY } else { 0 };
            venue
                .ticks(&[Tick { ts_exchange: now, price, qty, flags, ..Tick::default() }], now + 1);
        }
        Step::Print { price, qty, buy } => {
            let flags = TICK_TRADE | if buy { TICK_BUY } else { 0 };
            venue
                .ticks(&[Tick { ts_exchange: now, price, qty, flags, ..Tick::default() }], now + 1);
        }
        Step::Place { account, spec } => {
            owners.insert(now as OrderId + 1, account);
            venue.place(now, account, now as OrderId + 1, &spec);
        }
        Step::Cancel { nth } => {
            if let Some(id) = id_of(nth) {
                venue.cancel(now, owners[&id], id);
            }
        }
        Step::Amend { nth, qty, price } => {
            if let Some(id) = id_of(nth) {
                venue.amend(now, owners[&id], id, qty, price);
            }
        }
        Step::Status(status) => venue.status(now, 0, status),
    }
}

/// All reports, with the step that made them.
pub fn play(mut venue: Venue, steps: &[Step]) -> Vec<(usize, AccountReport)> {
    let (mut owners, mut lines) = (BTreeMap::new(), Vec::new());
    for (n, step) in steps.iter().enumerate() {
        apply(&mut venue, n as i64, step, &mut owners);
        lines.extend(venue.reports.drain(..).map(|report| (n, report)));
    }
    lines
}

pub fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

/// Levels on their own side of the touch, so that the replayed book is rarely crossed.
pub fn level() -> impl Strategy<Value = Step> {
    (side(), -1_i64..5, 0_i64..9).prop_map(|(side, depth, qty)| {
        let price = if side == Side::Buy { 100 - depth } else { 101 + depth };
        Step::Level { side, price, qty }
    })
}

pub fn print() -> impl Strategy<Value = Step> {
    (96_i64..106, 1_i64..9, any::<bool>()).prop_map(|(price, qty, buy)| Step::Print {
        price,
        qty,
        buy,
    })
}

pub fn any_order() -> impl Strategy<Value = OrderSpec> {
    let kind = prop_oneof![
        4 => Just(OrderType::Limit),
        2 => Just(OrderType::Market),
        1 => Just(OrderType::Stop),
        1 => Just(OrderType::StopLimit),
        1 => Just(OrderType::TakeProfit),
        1 => Just(OrderType::TrailingStop),
    ];
    let stp = prop_oneof![
        3 => Just(Stp::None),
        1 => Just(Stp::ExpireMaker),
        1 => Just(Stp::ExpireTaker),
        1 => Just(Stp::ExpireBoth),
        1 => Just(Stp::Decrement),
    ];
    let tif = prop_oneof![4 => Just(Tif::Gtc), 1 => Just(Tif::Ioc), 1 => Just(Tif::Fok)];
    let options = (any::<bool>(), any::<bool>(), 0_i64..3, 0_u32..4);
    (side(), kind, 1_i64..9, 96_i64..106, 96_i64..106, tif, stp, options).prop_map(
        |(side, kind, qty, price, trigger, tif, stp, (post, reduce, show, group))| {
            let mut spec = OrderSpec::new(0, side, kind, qty, 0);
            spec.price = if kind.has_limit() { price } else { 0 };
            spec.trigger_price = if kind.is_conditional() { trigger } else { 0 };
            spec.trail_bps = if kind == OrderType::TrailingStop { 150 } else { 0 };
            spec.tif = if kind == OrderType::Limit { tif } else { Tif::Gtc };
            spec.post_only = post && kind == OrderType::Limit && tif == Tif::Gtc;
            spec.reduce_only = reduce;
            let shows = kind == OrderType::Limit && tif == Tif::Gtc && show > 0 && show <= qty;
            spec.display_qty = if shows { show } else { 0 };
            spec.stp = stp;
            spec.oco_group = if group == 1 { 1 } else { 0 };
            spec
        },
    )
}

pub fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => level(),
        4 => print(),
        5 => (0_u16..3, any_order()).prop_map(|(account, spec)| Step::Place { account, spec }),
        1 => (0_u64..30).prop_map(|nth| Step::Cancel { nth }),
        1 => (0_u64..30, 1_i64..9, 96_i64..106)
            .prop_map(|(nth, qty, price)| Step::Amend { nth, qty, price }),
    ]
}

pub fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(any_step(), 1..80)
}

pub const MODELS: [&str; 8] =
    ["back", "ahead", "proportional", "power:2", "power:0.5", "share:2", "sqrt", "log"];

pub fn any_settings() -> impl Strategy<Value = Vec<String>> {
    let queue = prop::sample::select(MODELS.to_vec());
    let consumed = prop::sample::select(vec!["delta", "reset", "none", "refill:0.3"]);
    let evidence = prop::sample::select(vec!["trade_first", "book_first:3"]);
    let amend = prop::sample::select(vec!["lose", "keep_on_decrease"]);
    let level = prop::sample::select(vec!["book", "book", "trade", "true"]);
    (queue, consumed, evidence, amend, level).prop_map(|(q, c, e, a, l)| {
        let pairs = [("queue", q), ("consumed", c), ("evidence", e), ("amend", a), ("level", l)];
        pairs.map(|(key, value)| format!("{key}={value}")).to_vec()
    })
}

pub fn with(settings: &[String]) -> Venue {
    venue(&settings.iter().map(String::as_str).collect::<Vec<_>>(), 1)
}

/// A passive order among book updates and prints; nobody else.
pub fn passive_story() -> impl Strategy<Value = Vec<Step>> {
    let market = prop::collection::vec(prop_oneof![3 => level(), 2 => print()], 5..60);
    (market, side(), 1_i64..9, 96_i64..106, 0_usize..10).prop_map(
        |(mut steps, side, qty, price, at)| {
            let mut spec = OrderSpec::new(0, side, OrderType::Limit, qty, price);
            spec.post_only = true;
            let at = at.min(steps.len());
            steps.insert(at, Step::Place { account: 0, spec });
            steps
        },
    )
}

/// Cumulative filled quantity after each step.
pub fn filled_over_time(venue: Venue, steps: &[Step]) -> Vec<i64> {
    let mut filled = vec![0; steps.len()];
    for (n, line) in play(venue, steps) {
        if let VenueEvent::Order(report) = line.event {
            if let ReportKind::Filled(fill) = report.kind {
                filled[n] += fill.qty;
            }
        }
    }
    let sum = |total: &mut i64, now: i64| {
        *total += now;
        Some(*total)
    };
    filled.into_iter().scan(0, sum).collect()
}

pub fn kinds(lines: &[(usize, AccountReport)]) -> Vec<(usize, OrderId, ReportKind)> {
    let kind = |(n, line): &(usize, AccountReport)| match line.event {
        VenueEvent::Order(report) => Some((*n, report.order, report.kind)),
        _ => None,
    };
    lines.iter().filter_map(kind).collect()
}
