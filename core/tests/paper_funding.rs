//! Funding on paper: announced by mark prices, exchanged at its instant, as in a replay.
//!
//! The figures are worked by hand: quantity × mark × rate, longs pay when the rate is positive.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use scene::{Scripted, PERPETUAL, USDT};
use veloz_core::account::EXTERNAL;
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::live::Live;
use veloz_core::market::{Funding, MarkPrice, Quote};
use veloz_core::matching::{Channel, Latency, Venue, VenueSettings};
use veloz_core::order::{OrderSpec, OrderType, PositionSide, Side};
use veloz_core::paper::Paper;
use veloz_core::risk::Limits;
use veloz_core::strategy::{wants, Event, Fault, Port};

const MS: i64 = 1_000_000;
const FIRST: i64 = 5_000 * MS;
const SECOND: i64 = 10_000 * MS;

/// Buys 1.000 with the first quote, and again with the first quote after 5,000 ms.
fn buyer() -> impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> {
    let mut bought = 0;
    move |event, port| {
        if let Event::Quote(quote) = event {
            if bought == 0 || (bought == 1 && quote.ts_exchange > FIRST) {
                bought += 1;
                let spec = OrderSpec::new(PERPETUAL, Side::Buy, OrderType::Market, 1_000, 0);
                port.place(spec, None);
            }
        }
        Ok(())
    }
}

fn live() -> Live<Scripted> {
    on_paper(buyer(), false)
}

fn on_paper(
    act: impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> + 'static,
    is_hedge: bool,
) -> Live<Scripted> {
    let mut settings = VenueSettings::default();
    settings.set("level=quote").unwrap();
    let venue = Venue::new(settings, &scene::instruments(), &scene::assets());
    let way = |stream| Channel::new(Latency::constant(5 * MS), 1, stream);
    let paper = Paper::new(venue, way(1), way(2), 100 * MS);
    let mut desk = scene::live_desk(Limits::default());
    desk.accounts.position_mode(0, is_hedge).unwrap();
    let mut engine = Engine::new(desk);
    let row = engine.add(Scripted::new(act), 0, u32::MAX, StopPolicy::Flatten);
    engine.listen(row, PERPETUAL, wants::QUOTES, 0);
    let mut live = Live::new(engine, Some(paper));
    live.start(1).unwrap();
    live
}

fn quote(live: &mut Live<Scripted>, at_ms: i64) {
    let quote = Quote {
        ts_exchange: at_ms * MS,
        ts_recv: (at_ms + 20) * MS,
        instrument: PERPETUAL,
        bid_price: 100_00,
        bid_qty: 50_000,
        ask_price: 100_10,
        ask_qty: 50_000,
        update_id: 0,
    };
    live.hear(quote.ts_recv, None, |hears| hears.quote(&quote)).unwrap();
}

/// A mark in whole units, with the rate in hundredths of a per cent.
fn mark(live: &mut Live<Scripted>, at_ms: i64, mark: i64, rate: i64, next: i64) {
    let mark = MarkPrice {
        ts_exchange: at_ms * MS,
        ts_recv: (at_ms + 20) * MS,
        instrument: PERPETUAL,
        mark: mark * 100_000_000,
        funding_rate: rate * 100_000_000_000_000,
        next_funding_ns: next,
        ..MarkPrice::default()
    };
    live.hear(mark.ts_recv, None, |hears| hears.mark(&mark)).unwrap();
}

/// Funding of the account and of the strategy, in hundred-millionths of USDT.
fn paid(live: &Live<Scripted>) -> (i128, i128) {
    let accounts = &live.engine.desk.accounts;
    let whole = accounts.totals(0, USDT).unwrap().lines;
    let funding = veloz_core::account::Line::Funding;
    let own = accounts.strategy_totals(0, 1, USDT).unwrap().funding;
    assert_eq!(accounts.strategy_totals(0, EXTERNAL, USDT).unwrap().funding, 0);
    (whole.get(funding), own)
}

#[test]
fn the_last_rate_before_and_the_mark_of_the_instant_count_and_later_orders_do_not() {
    let mut live = live();
    mark(&mut live, 900, 100, 1, FIRST);
    quote(&mut live, 1_000);
    quote(&mut live, 1_100);
    mark(&mut live, 4_000, 101, 2, FIRST);
    assert_eq!(live.engine.desk.strategy_position(1, PERPETUAL), 1_000);
    assert_eq!(paid(&live), (0, 0));
    // The quote shows that the instant has passed; what is bought on it has nothing to pay.
    quote(&mut live, 5_001);
    live.advance(5_060 * MS).unwrap();
    quote(&mut live, 5_100);
    live.advance(5_200 * MS).unwrap();
    assert_eq!(live.engine.desk.strategy_position(1, PERPETUAL), 2_000);
    // 1 × 101 × 0.0002 = 0.0202
    assert_eq!(paid(&live), (-2_020_000, -2_020_000));
    mark(&mut live, 6_000, 120, 5, SECOND);
    live.advance(7_000 * MS).unwrap();
    assert_eq!(paid(&live).0, -2_020_000);
    // A mark of the very instant is the one that counts: 2 × 130 × 0.0005 = 0.13
    mark(&mut live, 10_000, 130, 9, 15_000 * MS);
    live.advance(11_000 * MS).unwrap();
    assert_eq!(paid(&live), (-15_020_000, -15_020_000));
}

#[test]
fn a_mark_that_is_heard_with_the_report_does_not_change_what_was_exchanged() {
    let mut live = live();
    mark(&mut live, 900, 100, 1, FIRST);
    quote(&mut live, 1_000);
    quote(&mut live, 1_100);
    // Nothing is heard between the instant and the first mark behind it.
    mark(&mut live, 6_000, 200, 7, SECOND);
    live.advance(7_000 * MS).unwrap();
    // 1 × 100 × 0.0001 = 0.01
    assert_eq!(paid(&live), (-1_000_000, -1_000_000));
}

#[test]
fn a_settlement_that_is_published_besides_is_exchanged_once() {
    let mut live = live();
    mark(&mut live, 900, 100, 1, FIRST);
    quote(&mut live, 1_000);
    quote(&mut live, 1_100);
    mark(&mut live, 6_000, 200, 7, SECOND);
    let funding = Funding {
        ts_exchange: FIRST,
        ts_recv: 6_100 * MS,
        instrument: PERPETUAL,
        rate: 100_000_000_000_000,
        mark: 100 * 100_000_000,
    };
    live.hear(funding.ts_recv, None, |hears| hears.funding(&funding)).unwrap();
    live.advance(7_000 * MS).unwrap();
    assert_eq!(paid(&live).0, -1_000_000);
}

/// Opens 3.000 long and 1.000 short with the first quote; asks once without a leg.
fn both_legs() -> impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> {
    let mut has_opened = false;
    move |event, port| {
        if matches!(event, Event::Quote(_)) && !std::mem::replace(&mut has_opened, true) {
            let legs = [
                (Side::Buy, 3_000, PositionSide::Long),
                (Side::Sell, 1_000, PositionSide::Short),
                (Side::Buy, 1_000, PositionSide::Both),
            ];
            for (side, qty, leg) in legs {
                let mut spec = OrderSpec::new(PERPETUAL, side, OrderType::Market, qty, 0);
                spec.position_side = leg;
                port.place(spec, None);
            }
        }
        Ok(())
    }
}

#[test]
fn in_hedge_mode_both_legs_pay_once_and_a_flatten_closes_both() {
    let mut live = on_paper(both_legs(), true);
    mark(&mut live, 900, 100, 1, FIRST);
    quote(&mut live, 1_000);
    quote(&mut live, 1_100);
    let legs = |live: &Live<Scripted>| {
        let held = |leg| live.engine.desk.accounts.account_position(0, PERPETUAL, leg).qty;
        [held(PositionSide::Long), held(PositionSide::Short), held(PositionSide::Both)]
    };
    assert_eq!(legs(&live), [3_000, -1_000, 0]);
    let heard = &live.engine.strategy(1).heard;
    assert!(heard.iter().any(|line| line.contains("order 3 rejected")), "{heard:#?}");
    mark(&mut live, 6_000, 200, 7, SECOND);
    live.advance(7_000 * MS).unwrap();
    // 3 × 100 × 0.0001 = 0.03 is paid, 1 × 100 × 0.0001 = 0.01 is received
    assert_eq!(paid(&live), (-2_000_000, -2_000_000));
    live.wind_down(7_001 * MS).unwrap();
    quote(&mut live, 7_100);
    quote(&mut live, 7_200);
    live.advance(8_000 * MS).unwrap();
    assert_eq!(legs(&live), [0, 0, 0]);
}

#[test]
fn a_leg_is_refused_where_there_is_one_position() {
    let mut live = on_paper(both_legs(), false);
    quote(&mut live, 1_000);
    quote(&mut live, 1_100);
    live.advance(2_000 * MS).unwrap();
    assert_eq!(live.engine.desk.strategy_position(1, PERPETUAL), 1_000);
    assert_eq!(live.engine.desk.counts.refused, 2);
}
