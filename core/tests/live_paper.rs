//! Paper: the venue sees an event before the engine, requests and reports take their time, and what
//! happened can be recovered and verified without the venue.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use scene::{limit, Scripted, PERPETUAL};
use veloz_core::account::Accounts;
use veloz_core::desk::{Desk, Recovery};
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::instrument::Tier;
use veloz_core::journal::{Header, Journal, Reader, Stream};
use veloz_core::live::Live;
use veloz_core::market::{MarkPrice, Quote, Trade};
use veloz_core::matching::{Channel, Latency, Venue, VenueSettings};
use veloz_core::order::Side;
use veloz_core::paper::Paper;
use veloz_core::risk::Limits;
use veloz_core::strategy::{wants, Event, Fault, Port};

const MS: i64 = 1_000_000;

fn live(
    act: impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> + 'static,
) -> Live<Scripted> {
    let mut settings = VenueSettings::default();
    settings.set("level=quote").unwrap();
    let venue = Venue::new(settings, &scene::instruments(), &scene::assets());
    let way = |stream| Channel::new(Latency::constant(5 * MS), 1, stream);
    let paper = Paper::new(venue, way(1), way(2), 100 * MS);
    let mut engine = Engine::new(scene::live_desk(Limits::default()));
    let row = engine.add(Scripted::new(act), 0, u32::MAX, StopPolicy::Cancel);
    engine.listen(row, PERPETUAL, wants::QUOTES | wants::TRADES, 0);
    Live::new(engine, Some(paper))
}

fn quote(ts_exchange: i64, bid_price: i64) -> Quote {
    let (bid_qty, ask_qty, ask_price) = (50_000, 50_000, bid_price + 10);
    let ts_recv = ts_exchange + 20 * MS;
    Quote {
        ts_exchange,
        ts_recv,
        instrument: PERPETUAL,
        bid_price,
        bid_qty,
        ask_price,
        ask_qty,
        update_id: 0,
    }
}

/// Buys at the offer that it sees first, then waits; sets a timer that is due between events.
fn taker() -> impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> {
    let mut bought = false;
    move |event, port| {
        match event {
            Event::Quote(quote) if !bought => {
                bought = true;
                port.place(limit(PERPETUAL, Side::Buy, 1_000, quote.ask_price), None);
                let now = port.desk().now_ns;
                port.set_timer(3, now + 7 * MS, 0);
            }
            Event::Timer(3, _) => {
                port.place(limit(PERPETUAL, Side::Sell, 1_000, 300_00), None);
            }
            _ => {}
        }
        Ok(())
    }
}

fn hear(live: &mut Live<Scripted>, event: &Quote) {
    live.hear(event.ts_recv, None, |hearing| hearing.quote(event)).unwrap();
}

fn run() -> Live<Scripted> {
    let mut live = live(taker());
    live.start(1).unwrap();
    for n in 0..20 {
        let event = quote(1_000 * MS + n * 10 * MS, 100_00 - n);
        hear(&mut live, &event);
    }
    live.advance(2_000 * MS).unwrap();
    live
}

#[test]
fn a_request_is_matched_when_the_market_reached_its_arrival() {
    let live = run();
    let heard: Vec<&str> =
        live.engine.strategy(1).heard.iter().map(|line| line.split_once(' ').unwrap().1).collect();
    let fill = heard.iter().position(|line| line.starts_with("fill 1 ")).expect("it was filled");
    // Sent when the quote of 1,000 ms was heard at 1,020, there at 1,025: the offer has fallen
    // to 100.08 by then, and that is the price. The report takes 5 ms, but not before the market
    // that decided it was heard (1,050).
    assert_eq!(heard[fill], "fill 1 1000@10008", "{heard:#?}");
    let line = live.engine.strategy(1).heard.iter().find(|line| line.contains("fill 1"));
    let at: i64 = line.unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((1_030 * MS..=1_060 * MS).contains(&at), "told at {at}");
    assert_eq!(live.engine.desk.strategy_position(1, PERPETUAL), 1_000);
    assert!(heard.iter().any(|line| line.starts_with("timer 3")), "{heard:#?}");
}

#[test]
fn a_silent_market_keeps_nobody_waiting_for_ever() {
    let mut live = live(taker());
    live.start(1).unwrap();
    let event = quote(1_000 * MS, 100_00);
    hear(&mut live, &event);
    let mut steps = 0;
    while let Some(next) = live.next_ns() {
        live.advance(next).unwrap();
        steps += 1;
        assert!(steps < 50, "it never comes to rest");
    }
    assert_eq!(live.engine.desk.strategy_position(1, PERPETUAL), 1_000);
}

#[test]
fn a_paper_run_recovers_and_verifies_without_its_venue() {
    let mut first = run();
    let bytes = first.engine.desk.journal.drain();
    let segment = Reader::new(bytes.as_slice()).unwrap();
    let mut desk = scene::blank_live_desk(Limits::default());
    desk.recover(&segment, &mut Recovery::default()).unwrap();
    assert_eq!(desk.state_hash(), first.engine.desk.state_hash());

    let mut again = live(taker());
    again.engine.desk = scene::blank_live_desk(Limits::default());
    let mut n = 0;
    let verified = again.engine.verify(&segment, None, |engine, to| {
        while n < 20 && (n as u64) < to {
            let event = quote(1_000 * MS + n * 10 * MS, 100_00 - n);
            n += 1;
            engine.desk.pin_market(n as u64);
            engine.quote(&event, event.ts_recv).map_err(|error| error.to_string())?;
        }
        Ok(())
    });
    assert_eq!(verified, Ok(first.engine.desk.journal.sequence()));
}

#[test]
fn the_same_events_give_the_same_journal() {
    let hash = || run().engine.desk.journal.chain_hash();
    assert_eq!(hash(), hash());
    // A public trade is an event like any other.
    let mut live = live(taker());
    live.start(1).unwrap();
    let trade = Trade { instrument: PERPETUAL, price: 100_00, qty: 5, ..Trade::default() };
    live.hear(10, None, |hearing| hearing.trade(&trade)).unwrap();
    assert!(live.engine.strategy(1).heard.iter().any(|line| line.contains("trade 10000x5")));
}

/// Orders at every other quote, and answers each fill with what the market shows at that moment.
fn answering() -> impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> {
    let mut seen = 0;
    move |event, port| {
        match event {
            Event::Quote(quote) => {
                seen += 1;
                if seen % 2 == 1 {
                    port.place(limit(PERPETUAL, Side::Buy, 1_000, quote.ask_price), None);
                }
            }
            Event::Fill(fill) => {
                let at = fill.price + 100 + seen;
                port.place(limit(PERPETUAL, Side::Sell, 1_000, at), None);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Three quotes of one instant, which come in one message.
fn message(n: i64) -> Vec<Quote> {
    let one = |k: i64| quote(1_000 * MS + n * 10 * MS, 100_00 - n - k);
    (0..3).map(one).collect()
}

#[test]
fn what_was_due_before_a_message_stands_before_it_however_late_the_timer_rings() {
    for report_ms in [0, 3, 5, 8] {
        let mut settings = VenueSettings::default();
        settings.set("level=quote").unwrap();
        let venue = Venue::new(settings, &scene::instruments(), &scene::assets());
        let way = |ms, stream| Channel::new(Latency::constant(ms * MS), 1, stream);
        let paper = Paper::new(venue, way(2, 1), way(report_ms, 2), 100 * MS);
        let seated = |paper| {
            let mut engine = Engine::new(scene::blank_live_desk(Limits::default()));
            let act = Scripted::new(answering());
            let row = engine.add(act, 0, u32::MAX, StopPolicy::Cancel);
            engine.listen(row, PERPETUAL, wants::QUOTES, 0);
            Live::new(engine, paper)
        };
        let mut first = seated(Some(paper));
        first.engine.desk.deposit(0, scene::USDT, 100_000_000_000_000).unwrap();
        first.start(1).unwrap();
        for n in 0..20 {
            // Nobody rings in time: what is due is found by the next message.
            let rows = message(n);
            let tell = |hearing: &mut veloz_core::live::Hearing<'_, Scripted>| {
                rows.iter().try_for_each(|row| hearing.quote(row))
            };
            first.hear(rows[0].ts_recv, Some(n as u64 + 1), tell).unwrap();
        }
        first.advance(3_000 * MS).unwrap();
        assert!(first.engine.desk.counts.fills > 5, "{:?}", first.engine.desk.counts);
        let last = first.engine.desk.journal.sequence();
        let bytes = first.engine.desk.journal.drain();
        let segment = Reader::new(bytes.as_slice()).unwrap();

        let mut n = 0;
        let verified = seated(None).engine.verify(&segment, None, |engine, to| {
            while n < 20 && (n as u64) < to {
                engine.desk.pin_market(n as u64 + 1);
                for row in message(n) {
                    engine.quote(&row, row.ts_recv).map_err(|error| error.to_string())?;
                }
                n += 1;
            }
            Ok(())
        });
        assert_eq!(verified, Ok(last), "with reports after {report_ms} ms");
    }
}

#[test]
fn what_its_margin_carries_no_more_is_taken_over_and_can_be_done_again() {
    let mut instruments = scene::instruments();
    let rate = 10_i64.pow(u32::from(veloz_core::units::RATE_SCALE) - 2); // 1 %
    let tier = Tier { floor: 0, cap: None, rate, amount: 0, max_leverage: 0 };
    instruments[PERPETUAL as usize].tiers = vec![tier];
    let seated = |paper| {
        let assets = scene::assets();
        let mut accounts = Accounts::new(&assets, &instruments).unwrap();
        accounts.add_account(false, None).unwrap();
        accounts.allow_overdraft();
        let mut header = Header::first(Stream::Trading, &veloz_core::facts::LIVE_RECORDS);
        header.assets.clone_from(&assets);
        header.instruments.clone_from(&instruments);
        let journal = Journal::new(&header);
        let mut desk = Desk::new(assets, instruments.clone(), accounts, journal, Limits::default());
        desk.check_identity = true;
        desk.go_live(scene::DAY_NS);
        desk.set_leverage(0, PERPETUAL, 20);
        let mut engine = Engine::new(desk);
        let row = engine.add(Scripted::new(taker()), 0, u32::MAX, StopPolicy::Cancel);
        engine.listen(row, PERPETUAL, wants::QUOTES, 0);
        Live::new(engine, paper)
    };
    let mark = |n: i64| MarkPrice {
        ts_exchange: 1_000 * MS + n * 10 * MS,
        ts_recv: 1_020 * MS + n * 10 * MS,
        instrument: PERPETUAL,
        mark: scene::mark_of(100 - n),
        ..MarkPrice::default()
    };
    let mut settings = VenueSettings::default();
    settings.set("level=quote").unwrap();
    let way = |stream| Channel::new(Latency::constant(5 * MS), 1, stream);
    let venue = Venue::new(settings, &instruments, &scene::assets());
    let mut first = seated(Some(Paper::new(venue, way(1), way(2), 100 * MS)));
    // 1 bought at 100.1 with 10 behind it: nothing is left of it at 90.1.
    first.engine.desk.deposit(0, scene::USDT, scene::coins(10)).unwrap();
    first.start(1).unwrap();
    for n in 0..20_i64 {
        let (event, at) = (quote(1_000 * MS + n * 10 * MS, 100_00), mark(n));
        first
            .hear(event.ts_recv, Some(n as u64 + 1), |hearing| {
                hearing.quote(&event)?;
                hearing.mark(&at)
            })
            .unwrap();
    }
    first.advance(3_000 * MS).unwrap();
    let desk = &first.engine.desk;
    let wallet = desk.accounts.balance(0, scene::USDT).unwrap().wallet();
    assert_eq!((desk.net_qty(0, PERPETUAL), wallet), (0, 0));
    assert_eq!(desk.strategy_position(1, PERPETUAL), 0);
    assert!(desk.frozen_by(0, 1, PERPETUAL).is_some());
    let heard = &first.engine.strategy(1).heard;
    let last = heard.iter().rfind(|line| line.contains(" fill ")).unwrap();
    // Seen at a mark of 91 (1,110 ms), told 5 ms later: 91 leaves 0.90 of 0.91 that it must.
    assert_eq!(last, &format!("{} fill 3 1000@9010", 1_115 * MS));

    let last = first.engine.desk.journal.sequence();
    let bytes = first.engine.desk.journal.drain();
    let segment = Reader::new(bytes.as_slice()).unwrap();
    let mut n = 0_i64;
    let verified = seated(None).engine.verify(&segment, None, |engine, to| {
        while n < 20 && (n as u64) < to {
            engine.desk.pin_market(n as u64 + 1);
            let (event, at) = (quote(1_000 * MS + n * 10 * MS, 100_00), mark(n));
            engine.quote(&event, event.ts_recv).map_err(|error| error.to_string())?;
            engine.mark(&at, at.ts_recv).map_err(|error| error.to_string())?;
            n += 1;
        }
        Ok(())
    });
    assert_eq!(verified, Ok(last));
}
