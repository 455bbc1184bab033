//! Liquidation by the simulated venue of a replay: when, at what price, and what is left.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use proptest::prelude::*;
use scene::{coins, limit, mark_of, market, Scripted, BTC, INVERSE, PERPETUAL, USDT};
use veloz_core::account::Accounts;
use veloz_core::desk::Desk;
use veloz_core::engine::Engine;
use veloz_core::facts;
use veloz_core::instrument::{Instrument, InstrumentId, Kind, Tier};
use veloz_core::journal::{Header, Journal, Stream as JournalStream};
use veloz_core::market::{Bar, MarkPrice};
use veloz_core::matching::{Channel, Latency, Venue, VenueSettings};
use veloz_core::order::{PositionSide, Side};
use veloz_core::replay::{Fetch, Replay, ReplaySettings, Row, Source, Stream, TimedBar};
use veloz_core::risk::Limits;
use veloz_core::strategy::{wants, Event, Fault, Port};
use veloz_core::units::{pow10, COST_SCALE, RATE_SCALE};

/// Maintenance of the contracts here: 1 % up to a value of 1,000, then 2 % less 10.
const SECOND_TIER: i64 = 1_000;
const SECOND: u32 = 3;

fn tiers() -> Vec<Tier> {
    let percent = pow10(RATE_SCALE - 2) as i64;
    let border = scene::cost(SECOND_TIER);
    vec![
        Tier { floor: 0, cap: Some(border), rate: percent, amount: 0, max_leverage: 0 },
        Tier { floor: border, cap: None, rate: 2 * percent, amount: border / 100, max_leverage: 0 },
    ]
}

fn instruments(tiers: &[Tier]) -> Vec<Instrument> {
    let mut rows = scene::instruments();
    let mut second = rows[0].clone();
    (second.symbol, second.venue_symbol) = ("test:ETH/USDT:USDT".into(), "ETHUSDT".into());
    second.base = scene::ETH;
    rows.push(second);
    for row in rows.iter_mut().filter(|row| row.kind != Kind::Spot) {
        row.tiers = tiers.to_vec();
    }
    rows
}

type Told = Result<(), Fault>;

/// A replay over an account with these balances; every money change is checked.
fn replay(
    balances: &[(u16, i64)],
    hedge: bool,
    tiers: &[Tier],
    report: Latency,
    act: impl FnMut(&Event<'_>, &mut Port<'_>) -> Told + 'static,
) -> Replay<Scripted> {
    let (assets, instruments) = (scene::assets(), instruments(tiers));
    let mut accounts = Accounts::new(&assets, &instruments).unwrap();
    accounts.add_account(hedge, None).unwrap();
    let journal = Journal::new(&Header::first(JournalStream::Trading, &facts::LIVE_RECORDS));
    let mut desk =
        Desk::new(assets.clone(), instruments.clone(), accounts, journal, Limits::default());
    desk.check_identity = true;
    for &(asset, amount) in balances {
        desk.deposit(0, asset, coins(amount)).unwrap();
    }
    for row in [PERPETUAL, INVERSE, SECOND] {
        desk.set_leverage(0, row, 100);
    }
    let mut engine = Engine::new(desk);
    let strategy = scene::seat(&mut engine, wants::BARS | wants::MARKS, act);
    engine.listen(strategy, SECOND, wants::BARS, 0);
    let mut settings = VenueSettings::default();
    settings.set("level=bar").unwrap();
    settings.set("path=adaptive").unwrap();
    let venue = Venue::new(settings, &instruments, &assets);
    let settings = ReplaySettings {
        entry: Channel::new(Latency::None, 1, 1),
        report: Channel::new(report, 1, 2),
        sampled: (0, USDT),
        sample_every_ns: 10,
        open_last: false,
    };
    Replay::new(engine, venue, settings)
}

fn stream<T: Row + 'static>(rows: Vec<T>) -> Stream<T> {
    let mut rows = Some(rows);
    let fetch: Fetch<T> = Box::new(move |into| {
        into.extend(rows.take().unwrap_or_default());
        Ok(false)
    });
    Stream::new("a feed".into(), fetch, true)
}

/// Bars of 10 ns with these (low, high, close), each opening at the close before.
fn bars(instrument: InstrumentId, rows: &[(i64, i64, i64)]) -> Source {
    let mut open = rows[0].2;
    let bar = |(n, &(low, high, close)): (usize, &(i64, i64, i64))| {
        let ts_open = n as i64 * 10;
        let open = std::mem::replace(&mut open, close);
        let (low, high) = (low.min(open).min(close), high.max(open).max(close));
        let bar = Bar {
            ts_open,
            ts_close: ts_open + 10,
            instrument,
            open,
            high,
            low,
            close,
            volume: 1_000,
        };
        TimedBar { bar, ts_recv: ts_open + 10 }
    };
    Source::Bars(stream(rows.iter().enumerate().map(bar).collect()))
}

fn flat(price: i64) -> (i64, i64, i64) {
    (price, price, price)
}

/// Takes a position at the end of the first bar: the fill is at the second one's opening.
fn takes(
    instrument: InstrumentId,
    qty: i64,
) -> impl FnMut(&Event<'_>, &mut Port<'_>) -> Told + 'static {
    let mut done = false;
    move |event, port| {
        if matches!(event, Event::Bar(_)) && !std::mem::replace(&mut done, true) {
            let side = if qty > 0 { Side::Buy } else { Side::Sell };
            port.place(market(instrument, side, qty.abs()), None);
        }
        Ok(())
    }
}

fn wallet(replay: &Replay<Scripted>, asset: u16) -> i128 {
    replay.engine.desk.accounts.balance(0, asset).unwrap().wallet()
}

fn heard(replay: &Replay<Scripted>) -> Vec<&str> {
    replay.engine.strategy(1).heard.iter().map(String::as_str).collect()
}

#[test]
fn a_long_position_goes_where_its_margin_is_used_up_and_nothing_is_left_of_it() {
    // 10 bought at 100 with 100 behind them: 1,000 - 10p = 100 - 0.01·10p at 90.909…
    let mut run = replay(&[(USDT, 100)], false, &tiers(), Latency::None, |event, port| {
        match event {
            Event::Bar(bar) if bar.ts_open == 0 => {
                port.place(market(PERPETUAL, Side::Buy, 10_000), None);
            }
            Event::Bar(bar) if bar.ts_open == 10 => {
                port.place(limit(PERPETUAL, Side::Sell, 10_000, 200_00), None);
            }
            _ => {}
        }
        Ok(())
    });
    let rows = [flat(100_00), (90_92, 100_00, 95_00), (90_90, 95_00, 95_00), flat(95_00)];
    run.add(bars(PERPETUAL, &rows));
    run.run().unwrap();
    let told: Vec<&str> =
        heard(&run).into_iter().filter(|t| t.contains(" fill ") || t.contains("expired")).collect();
    assert_eq!(told, ["10 fill 1 10000@10000", "29 order 2 expired", "29 fill 3 10000@9000"]);
    assert_eq!((run.engine.desk.net_qty(0, PERPETUAL), wallet(&run, USDT)), (0, 0));
    assert_eq!(run.venue.position(0, PERPETUAL), 0);
    assert!(run.engine.desk.frozen_by(0, 1, PERPETUAL).is_some());
    let ended = heard(&run);
    let at = |text: &str| ended.iter().position(|told| told.contains(text)).unwrap();
    assert!(at("fill 3") < at("30 bar"), "heard before the bar's end");
}

#[test]
fn a_short_position_goes_at_the_high() {
    let mut run = replay(&[(USDT, 100)], false, &tiers(), Latency::None, takes(PERPETUAL, -10_000));
    run.add(bars(PERPETUAL, &[flat(100_00), (100_00, 108_80, 100_00), (100_00, 108_84, 100_00)]));
    run.run().unwrap();
    // With a value above 1,000 the second tier counts: 100 + 1,000 - 10p = 0.02·10p - 10 at 108.82.
    assert_eq!((run.engine.desk.net_qty(0, PERPETUAL), wallet(&run, USDT)), (0, 0));
    let last = heard(&run).into_iter().rfind(|told| told.contains(" fill "));
    assert_eq!(last, Some("29 fill 2 10000@11000"));
}

#[test]
fn a_gap_beyond_the_bankruptcy_price_costs_no_more_than_there_was() {
    let mut run = replay(&[(USDT, 100)], false, &tiers(), Latency::None, takes(PERPETUAL, 10_000));
    run.add(bars(PERPETUAL, &[flat(100_00), flat(100_00), flat(50_00), flat(50_00)]));
    run.run().unwrap();
    assert_eq!((run.engine.desk.net_qty(0, PERPETUAL), wallet(&run, USDT)), (0, 0));
    assert!(run.samples.iter().all(|sample| sample.equity >= 0.0), "{:?}", run.samples);
}

#[test]
fn a_position_of_this_bar_is_looked_at_at_its_close() {
    // The low was before the fill, as far as anybody can tell.
    let rows = [flat(100_00), (80_00, 100_00, 99_00), flat(99_00)];
    let mut run = replay(&[(USDT, 100)], false, &tiers(), Latency::None, |event, port| {
        if matches!(event, Event::Bar(bar) if bar.ts_open == 0) {
            port.place(limit(PERPETUAL, Side::Buy, 10_000, 99_50), None);
        }
        Ok(())
    });
    run.add(bars(PERPETUAL, &rows));
    run.run().unwrap();
    assert_eq!(run.engine.desk.net_qty(0, PERPETUAL), 10_000);
}

#[test]
fn without_tiers_nothing_is_liquidated() {
    let mut run = replay(&[(USDT, 100)], false, &[], Latency::None, takes(PERPETUAL, 10_000));
    run.add(bars(PERPETUAL, &[flat(100_00), flat(100_00), flat(50_00)]));
    run.run().unwrap();
    assert_eq!(run.engine.desk.net_qty(0, PERPETUAL), 10_000);
}

#[test]
fn marks_decide_where_there_are_any() {
    let mark = |ts, price| MarkPrice {
        ts_exchange: ts,
        ts_recv: ts,
        instrument: PERPETUAL,
        mark: mark_of(price),
        ..MarkPrice::default()
    };
    for (lowest, left) in [(91, 10_000), (90, 0)] {
        let act = takes(PERPETUAL, 10_000);
        let mut run = replay(&[(USDT, 100)], false, &tiers(), Latency::None, act);
        // Trades at 50 alone close nothing.
        run.add(bars(
            PERPETUAL,
            &[flat(100_00), flat(100_00), (50_00, 100_00, 100_00), flat(100_00)],
        ));
        run.add(Source::Marks(stream(vec![mark(1, 100), mark(25, lowest), mark(26, 100)])));
        run.run().unwrap();
        assert_eq!(run.engine.desk.net_qty(0, PERPETUAL), left, "mark {lowest}");
    }
}

#[test]
fn the_pool_of_a_currency_goes_as_a_whole() {
    // 10 long at 100 and 10 short of the other at 100: as long as both move alike nothing happens.
    let act = |fell: bool| {
        let mut run = replay(&[(USDT, 100)], false, &tiers(), Latency::None, |event, port| {
            if matches!(event, Event::Bar(bar) if bar.ts_open == 0 && bar.instrument == PERPETUAL) {
                port.place(market(PERPETUAL, Side::Buy, 10_000), None);
                port.place(market(SECOND, Side::Sell, 10_000), None);
            }
            Ok(())
        });
        let second = if fell { flat(80_00) } else { flat(100_00) };
        run.add(bars(SECOND, &[flat(100_00), flat(100_00), second, second, second]));
        run.add(bars(
            PERPETUAL,
            &[flat(100_00), flat(100_00), flat(80_00), flat(80_00), flat(80_00)],
        ));
        run.run().unwrap();
        run
    };
    let run = act(true);
    assert_eq!(run.engine.desk.net_qty(0, PERPETUAL), 10_000);
    assert_eq!(run.engine.desk.net_qty(0, SECOND), -10_000);
    let run = act(false);
    let desk = &run.engine.desk;
    assert_eq!((desk.net_qty(0, PERPETUAL), desk.net_qty(0, SECOND)), (0, 0));
    assert_eq!(wallet(&run, USDT), 0);
}

#[test]
fn both_legs_of_a_hedge_go_together() {
    let mut run = replay(&[(USDT, 100)], true, &tiers(), Latency::None, |event, port| {
        if matches!(event, Event::Bar(bar) if bar.ts_open == 0) {
            for (side, leg, qty) in
                [(Side::Buy, PositionSide::Long, 15_000), (Side::Sell, PositionSide::Short, 5_000)]
            {
                let mut spec = market(PERPETUAL, side, qty);
                spec.position_side = leg;
                port.place(spec, None);
            }
        }
        Ok(())
    });
    run.add(bars(PERPETUAL, &[flat(100_00), flat(100_00), flat(90_50), flat(90_50)]));
    run.run().unwrap();
    for side in [PositionSide::Long, PositionSide::Short] {
        assert_eq!(run.engine.desk.accounts.account_position(0, PERPETUAL, side).qty, 0);
    }
    assert_eq!(wallet(&run, USDT), 0);
}

#[test]
fn an_inverse_position_goes_in_coin() {
    // 1,000 contracts of 100 USD at 100 are 1,000 BTC long, with 100 BTC behind them.
    let mut run = replay(&[(BTC, 100)], false, &tiers(), Latency::None, takes(INVERSE, 1_000_000));
    run.add(bars(INVERSE, &[flat(100_00), flat(100_00), flat(95_00), flat(91_00), flat(91_00)]));
    run.run().unwrap();
    assert_eq!(run.engine.desk.net_qty(0, INVERSE), 0);
    // 100,000 / p - 1,000 = 100 at 90.909…, cut to 90.91: what is left is less than its next unit.
    let left = wallet(&run, BTC);
    assert!((0..coins(1)).contains(&left), "{left}");
}

#[test]
fn reports_take_their_time() {
    let mut run = replay(
        &[(USDT, 100)],
        false,
        &tiers(),
        Latency::Constant { ns: 3 },
        takes(PERPETUAL, 10_000),
    );
    run.add(bars(PERPETUAL, &[flat(100_00), flat(100_00), flat(90_50), flat(90_50), flat(90_50)]));
    run.run().unwrap();
    let last = heard(&run).into_iter().rfind(|told| told.contains(" fill "));
    assert_eq!(last, Some("32 fill 2 10000@9000"));
    assert_eq!(wallet(&run, USDT), 0);
}

/// What is due by a rule of thumb that knows one linear contract: the bar in which it goes.
fn goes_in(rows: &[(i64, i64, i64)], qty: i64, balance: i64) -> Option<usize> {
    let entry = i128::from(rows[0].2); // the second bar opens where the first closed
    let unit = pow10(COST_SCALE - 5);
    (1..rows.len()).find(|&n| {
        let open = rows[n - 1].2;
        let worst = if qty > 0 {
            rows[n].0.min(open).min(rows[n].2)
        } else {
            rows[n].1.max(open).max(rows[n].2)
        };
        let value = i128::from(worst) * i128::from(qty.abs()) * unit;
        let profit = (i128::from(worst) - entry) * i128::from(qty) * unit;
        let border = scene::cost(SECOND_TIER);
        let kept = if value <= border { value / 100 } else { value / 50 - border / 100 };
        scene::cost(balance) + profit <= kept
    })
}

fn prices() -> impl proptest::strategy::Strategy<Value = Vec<(i64, i64, i64)>> {
    let bar = (70_00..130_00_i64, 0..10_00_i64, 0..10_00_i64);
    proptest::collection::vec(bar, 3..20).prop_map(|rows| {
        let mut close = 100_00;
        let step = |(at, down, up): (i64, i64, i64)| {
            close += (at - close) / 8;
            (close - down / 4, close + up / 4, close)
        };
        rows.into_iter().map(step).collect()
    })
}

proptest! {
    /// It goes in the bar whose worst price uses the margin up, at once and whole, whatever the
    /// leverage; the account never owes; before that bar nothing is touched.
    #[test]
    fn it_goes_in_the_bar_that_uses_its_margin_up(
        rows in prices(), qty in -30_000..30_000_i64, balance in 20..400_i64,
    ) {
        prop_assume!(qty != 0);
        // The gate lets nothing in that its margin does not carry at all.
        prop_assume!(rows[0].2 * qty.abs() < balance * 5_000_000);
        let mut run = replay(&[(USDT, balance)], false, &tiers(), Latency::None, takes(PERPETUAL, qty));
        run.add(bars(PERPETUAL, &rows));
        run.run().unwrap();
        let ended = goes_in(&rows, qty, balance);
        let fills: Vec<&str> =
            heard(&run).into_iter().filter(|told| told.contains(" fill ")).collect();
        prop_assert_eq!(fills.len(), if ended.is_some() { 2 } else { 1 }, "{:?}", fills);
        prop_assert_eq!(run.engine.desk.net_qty(0, PERPETUAL), if ended.is_some() { 0 } else { qty });
        if let Some(bar) = ended {
            let time: i64 = fills[1].split(' ').next().unwrap().parse().unwrap();
            prop_assert_eq!(time, bar as i64 * 10 + 9);
            // Less than a price unit of the position is left.
            let left = wallet(&run, USDT);
            prop_assert!(left >= 0 && left <= i128::from(qty.abs()) * pow10(3), "{}", left);
        }
        for sample in &run.samples {
            prop_assert!(sample.equity >= 0.0);
        }
    }
}
