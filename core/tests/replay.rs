//! The replay: two clocks on one timeline, feeds that may be read late, and data that is refused.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;
use scene::{coins, limit, mark_of, market, Scripted, PERPETUAL, USDT};
use veloz_core::engine::Engine;
use veloz_core::market::{Bar, Funding, MarkPrice, Quote, Tick, Trade};
use veloz_core::market::{TICK_BUY, TICK_CLEAR, TICK_LAST, TICK_TRADE, TICK_UNKNOWN_TAKER};
use veloz_core::matching::{Channel, Latency, Venue, VenueSettings};
use veloz_core::order::Side;
use veloz_core::replay::{
    Fetch, Replay, ReplayError, ReplaySettings, Row, Source, Stream, TimedBar,
};
use veloz_core::risk::Limits;
use veloz_core::strategy::{wants, Event, Fault, Port};
use veloz_core::units::RATE_SCALE;

/// One at rate scale.
const ONE: i64 = 10_i64.pow(RATE_SCALE as u32);

/// How a test wants its replay.
struct Plan {
    venue: Vec<&'static str>,
    entry: Latency,
    report: Latency,
    sample_every_ns: i64,
    wants: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            venue: vec!["level=bar"],
            entry: Latency::None,
            report: Latency::None,
            sample_every_ns: 0,
            wants: wants::BARS,
        }
    }
}

type Told = Result<(), Fault>;

impl Plan {
    /// The replay of one strategy, with no feed yet; `open_last` follows the venue.
    fn replay(
        self,
        act: impl FnMut(&Event<'_>, &mut Port<'_>) -> Told + 'static,
    ) -> Replay<Scripted> {
        let mut settings = VenueSettings::default();
        for setting in self.venue {
            settings.set(setting).unwrap();
        }
        let open_last = settings.market.bar.open_last;
        let venue = Venue::new(settings, &scene::instruments(), &scene::assets());
        let mut engine: Engine<Scripted> = scene::engine(Limits::default());
        scene::seat(&mut engine, self.wants, act);
        let settings = ReplaySettings {
            entry: Channel::new(self.entry, 1, 1),
            report: Channel::new(self.report, 1, 2),
            sampled: (0, USDT),
            sample_every_ns: self.sample_every_ns,
            open_last,
        };
        Replay::new(engine, venue, settings)
    }
}

fn nothing(_: &Event<'_>, _: &mut Port<'_>) -> Told {
    Ok(())
}

/// A feed of rows that comes in chunks of `size`, longer where an instant would be cut.
fn chunked<T: Row + 'static>(rows: Vec<T>, size: usize) -> Stream<T> {
    let mut rows = rows.into_iter();
    let fetch: Fetch<T> = Box::new(move |into| {
        into.extend(rows.by_ref().take(size));
        let instant = into.last().map(Row::ts_exchange);
        while let Some(row) = rows.as_slice().first().copied() {
            if Some(row.ts_exchange()) != instant {
                break;
            }
            into.push(row);
            rows.next();
        }
        Ok(!rows.as_slice().is_empty())
    });
    Stream::new("a feed".into(), fetch, true)
}

fn stream<T: Row + 'static>(rows: Vec<T>) -> Stream<T> {
    chunked(rows, 1_000)
}

/// Bars of 10 ns with these closes, each opening at the close before.
fn bars(closes: &[i64]) -> Source {
    let mut open = closes[0];
    let rows = closes.iter().enumerate().map(|(n, &close)| {
        let (high, low, ts_open) = (open.max(close), open.min(close), n as i64 * 10);
        let bar = Bar {
            ts_open,
            ts_close: ts_open + 10,
            instrument: PERPETUAL,
            open: std::mem::replace(&mut open, close),
            high,
            low,
            close,
            volume: 1_000,
        };
        TimedBar { bar, ts_recv: ts_open + 10 }
    });
    Source::Bars(stream(rows.collect()))
}

fn heard(replay: &Replay<Scripted>) -> Vec<&str> {
    replay.engine.strategy(1).heard.iter().map(String::as_str).collect()
}

fn data_error(replay: &mut Replay<Scripted>) -> String {
    match replay.run() {
        Err(ReplayError::Data(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_given_at_a_close_fills_at_the_next_open() {
    let plan = Plan { sample_every_ns: 10, ..Plan::default() };
    let mut replay = plan.replay(|event, port| {
        if matches!(event, Event::Bar(bar) if bar.close == 110_00) {
            port.place(market(PERPETUAL, Side::Buy, 2_000), None);
        }
        Ok(())
    });
    replay.add(bars(&[100_00, 110_00, 120_00, 105_00]));
    replay.run().unwrap();
    assert_eq!(
        heard(&replay),
        [
            "10 on_start",
            "10 bar 10000",
            "20 bar 11000",
            "20 order 1 accepted",
            "20 fill 1 2000@11000",
            "20 position 2000",
            "20 on_account",
            "20 order 1 filled",
            "30 bar 12000",
            "40 bar 10500",
            "40 on_stop"
        ]
    );
    let equity: Vec<(i64, f64)> = replay.samples.iter().map(|s| (s.ts_ns, s.equity)).collect();
    let expected = [(10, 0.0), (20, 0.0), (30, 20.0), (40, -10.0)];
    assert_eq!(equity, expected.map(|(ts, gain)| (ts, 1_000_000.0 + gain)));
    let last = replay.samples.last().unwrap();
    assert_eq!((last.net_exposure, last.gross_exposure), (210.0, 210.0));
    assert_eq!((replay.rows(), replay.ended_ns), (4, 40));
}

#[test]
fn latency_delays_requests_and_reports_but_not_the_market() {
    let book = |ts, flags, price, qty| Tick {
        ts_exchange: ts,
        ts_recv: ts,
        instrument: PERPETUAL,
        flags,
        price,
        qty,
    };
    let mut rows =
        vec![book(0, TICK_CLEAR | TICK_BUY, 99_00, 9_000), book(0, TICK_LAST, 100_00, 9_000)];
    // Every 10 ns the offer moves up by one.
    for n in 1..8 {
        rows.push(book(n * 10, 0, 99_00 + n * 100, 0));
        rows.push(book(n * 10, TICK_LAST, 100_00 + n * 100, 9_000));
    }
    let plan = Plan {
        venue: vec!["level=book"],
        entry: Latency::constant(25),
        report: Latency::constant(5),
        wants: wants::BOOKS,
        ..Plan::default()
    };
    let mut replay = plan.replay(|event, port| {
        if matches!(event, Event::Book(_)) && port.desk().now_ns == 10 {
            port.place(market(PERPETUAL, Side::Buy, 1_000), None);
        }
        Ok(())
    });
    replay.add(Source::Ticks(stream(rows)));
    replay.run().unwrap();
    // Sent at 10 with 101 on offer; at the venue at 35, where 103 is; known here at 40.
    let fills: Vec<_> = heard(&replay).into_iter().filter(|h| h.contains("fill 1 ")).collect();
    assert_eq!(fills, ["40 fill 1 1000@10300"]);
}

#[test]
fn timers_ring_at_their_time_until_they_are_stopped() {
    let mut replay = Plan::default().replay(|event, port| {
        match event {
            Event::Start => {
                port.set_timer(1, 15, 10);
                port.set_timer(2, 17, 0);
                port.set_timer(3, 18, 0);
                // Setting one anew forgets its former time; one in the past is due now.
                port.set_timer(3, 33, 0);
                port.set_timer(4, 0, 0);
            }
            Event::Timer(1, 35) => port.stop_timer(1),
            _ => {}
        }
        Ok(())
    });
    replay.add(bars(&[100_00; 6]));
    replay.run().unwrap();
    let rung: Vec<_> = heard(&replay).into_iter().filter(|h| h.contains("timer")).collect();
    assert_eq!(
        rung,
        [
            "10 timer 4 due 10",
            "15 timer 1 due 15",
            "17 timer 2 due 17",
            "25 timer 1 due 25",
            "33 timer 3 due 33",
            "35 timer 1 due 35"
        ]
    );
}

#[test]
fn every_kind_of_row_is_heard_at_its_own_arrival() {
    let plan = Plan { venue: vec!["level=quote"], wants: u32::MAX, ..Plan::default() };
    let mut replay = plan.replay(nothing);
    let (instrument, ts_exchange) = (PERPETUAL, 1);
    replay.add(Source::Trades(stream(vec![Trade {
        ts_exchange,
        ts_recv: 5,
        instrument,
        taker: -1,
        price: 99_00,
        qty: 3,
        trade_id: 1,
    }])));
    replay.add(Source::Quotes(stream(vec![Quote {
        ts_exchange,
        ts_recv: 4,
        instrument,
        bid_price: 98_00,
        ask_price: 99_00,
        bid_qty: 1,
        ask_qty: 1,
        update_id: 0,
    }])));
    replay.add(Source::Marks(stream(vec![MarkPrice {
        ts_exchange,
        ts_recv: 3,
        instrument,
        mark: mark_of(98),
        index: mark_of(97),
        ..MarkPrice::default()
    }])));
    replay.add(Source::Fundings(stream(vec![Funding {
        ts_exchange,
        ts_recv: 2,
        instrument,
        rate: 7,
        mark: 0,
    }])));
    replay.run().unwrap();
    assert_eq!(
        heard(&replay),
        [
            "2 on_start",
            "2 funding 7",
            "3 mark 9800000000",
            "4 quote 9800/9900",
            "5 trade 9900x3 -1",
            "5 on_stop"
        ]
    );
    assert_eq!(replay.rows(), 4);
}

#[test]
fn a_print_of_a_book_feed_is_told_with_its_taker() {
    let print = |flags| Tick {
        ts_exchange: 1,
        ts_recv: 1,
        instrument: PERPETUAL,
        price: 100_00,
        qty: 2,
        flags: flags | TICK_TRADE,
    };
    let plan =
        Plan { venue: vec!["level=book"], wants: wants::TRADES | wants::BOOKS, ..Plan::default() };
    let mut replay = plan.replay(nothing);
    let rows = vec![print(TICK_BUY), print(0), print(TICK_UNKNOWN_TAKER)];
    replay.add(Source::Ticks(stream(rows)));
    replay.run().unwrap();
    let told = ["1 trade 10000x2 1", "1 trade 10000x2 -1", "1 trade 10000x2 0"];
    assert_eq!(heard(&replay)[1..4], told);
}

fn held_through(funding: Funding, marks: Vec<MarkPrice>) -> Replay<Scripted> {
    let mut bought = false;
    let mut replay = Plan::default().replay(move |event, port| {
        if matches!(event, Event::Bar(_)) && !std::mem::replace(&mut bought, true) {
            port.place(market(PERPETUAL, Side::Sell, 10_000), None);
        }
        Ok(())
    });
    replay.add(bars(&[100_00; 6]));
    replay.add(Source::Fundings(stream(vec![funding])));
    if !marks.is_empty() {
        replay.add(Source::Marks(stream(marks)));
    }
    replay
}

#[test]
fn funding_is_exchanged_at_its_instant_on_the_mark_of_its_instant() {
    let funding = |mark| Funding {
        ts_exchange: 35,
        ts_recv: 35,
        instrument: PERPETUAL,
        rate: ONE / 100,
        mark,
    };
    let mark = MarkPrice {
        ts_exchange: 31,
        ts_recv: 31,
        instrument: PERPETUAL,
        mark: mark_of(50),
        ..MarkPrice::default()
    };
    // A short of 10 receives 1 % of 10 × mark: the source's own mark, else the last one known.
    for (funding, marks, paid) in
        [(funding(mark_of(200)), vec![mark], 20), (funding(0), vec![mark], 5)]
    {
        let mut replay = held_through(funding, marks);
        replay.run().unwrap();
        let wallet = replay.engine.desk.accounts.balance(0, USDT).unwrap().wallet();
        assert_eq!(wallet, coins(1_000_000 + paid));
    }
    let text = data_error(&mut held_through(funding(0), Vec::new()));
    assert!(text.starts_with("funding of test:BTC/USDT:USDT is due and no mark price is known"));
}

fn quote_at(ts_exchange: i64, ts_recv: i64, bid_price: i64) -> Quote {
    let ask_price = bid_price + 1;
    Quote { ts_exchange, ts_recv, bid_price, ask_price, ..Quote::default() }
}

fn quotes_of(rows: Vec<Quote>, size: usize, refuse_early: bool) -> Replay<Scripted> {
    let plan = Plan { venue: vec!["level=quote"], wants: wants::QUOTES, ..Plan::default() };
    let mut replay = plan.replay(nothing);
    let mut rows = rows.into_iter();
    let fetch: Fetch<Quote> = Box::new(move |into| {
        into.extend(rows.by_ref().take(size));
        Ok(!rows.as_slice().is_empty())
    });
    replay.add(Source::Quotes(Stream::new("quotes.parquet".into(), fetch, refuse_early)));
    replay
}

#[test]
fn rows_that_cannot_be_are_refused_with_their_number_and_file() {
    for size in [1, 2, 100] {
        let rows = vec![quote_at(1, 1, 10), quote_at(3, 3, 10), quote_at(2, 4, 10)];
        let text = data_error(&mut quotes_of(rows, size, true));
        let said = "row 2 of quotes.parquet is earlier than the row before it; sort the data";
        assert_eq!(text, said, "chunks of {size}");
        let rows = vec![quote_at(1, 1, 10), quote_at(5, 4, 10)];
        let text = data_error(&mut quotes_of(rows.clone(), size, true));
        assert!(text.starts_with("row 1 of quotes.parquet would reach the strategy before"));
        // Waived, the row is heard when it says it was.
        quotes_of(rows, size, false).run().unwrap();
    }
    assert_eq!(
        data_error(&mut quotes_of(Vec::new(), 1, true)),
        "there is no row of data in the range"
    );
}

#[test]
fn a_row_does_not_overtake_the_one_before_it() {
    for size in [1, 2, 100] {
        let rows = vec![quote_at(1, 9, 10), quote_at(2, 5, 11), quote_at(3, 12, 12)];
        let mut replay = quotes_of(rows, size, true);
        replay.run().unwrap();
        let told = ["9 quote 10/11", "9 quote 11/12", "12 quote 12/13"];
        assert_eq!(heard(&replay)[1..4], told, "chunks of {size}");
    }
}

#[test]
fn a_source_that_fails_ends_the_run_with_its_own_words() {
    let plan = Plan { venue: vec!["level=quote"], ..Plan::default() };
    let mut replay = plan.replay(nothing);
    let mut chunks = 0;
    let fetch: Fetch<Quote> = Box::new(move |into| {
        chunks += 1;
        if chunks == 3 {
            return Err("the disk is gone".into());
        }
        into.push(quote_at(chunks, chunks, 10));
        Ok(true)
    });
    replay.add(Source::Quotes(Stream::new("quotes".into(), fetch, true)));
    let error = replay.run().unwrap_err();
    assert_eq!(error, ReplayError::Source("the disk is gone".into()));
    assert_eq!(error.to_string(), "the disk is gone");
}

#[test]
fn the_sink_gets_the_journal_whole_and_in_order() {
    let run = |sink: bool| {
        let mut replay = Plan::default().replay(|event, port| {
            if matches!(event, Event::Bar(_)) {
                let text = Some(Box::from(vec![b'x'; 60_000]));
                port.place(limit(PERPETUAL, Side::Buy, 1, 50_00), text);
            }
            Ok(())
        });
        replay.add(bars(&[100_00; 60]));
        let poured = Rc::new(RefCell::new(Vec::new()));
        if sink {
            let into = Rc::clone(&poured);
            replay.sink = Some(Box::new(move |bytes| {
                into.borrow_mut().push(bytes.to_vec());
                Ok(())
            }));
        }
        replay.run().unwrap();
        let kept = replay.engine.desk.journal.drain();
        let poured = poured.borrow().clone();
        (kept, poured)
    };
    let (whole, none) = run(false);
    let (rest, poured) = run(true);
    assert!(none.is_empty() && rest.is_empty());
    assert!(poured.len() > 2, "more than three megabytes came in {} pieces", poured.len());
    assert!(poured.concat() == whole, "the pieces are not the journal");
}

#[test]
fn a_sink_that_fails_ends_the_run() {
    let mut replay = Plan::default().replay(nothing);
    replay.add(bars(&[100_00; 3]));
    replay.sink = Some(Box::new(|_| Err("no space left".into())));
    assert_eq!(replay.run(), Err(ReplayError::Source("no space left".into())));
}

#[test]
fn a_fault_ends_the_run_but_not_its_book_keeping() {
    let mut replay = Plan::default().replay(|event, port| match event {
        Event::Bar(bar) if bar.ts_open == 10 => Err(Fault { message: "enough".into() }),
        Event::Bar(_) => {
            port.place(limit(PERPETUAL, Side::Buy, 1, 50_00), None);
            Ok(())
        }
        _ => Ok(()),
    });
    replay.add(bars(&[100_00; 9]));
    replay.run().unwrap();
    assert_eq!(replay.engine.fault(1).unwrap().message, "on_bar raised enough");
    assert_eq!(replay.ended_ns, 20, "bars after the fault were not delivered");
    // The order that was open is cancelled at the venue as well.
    assert_eq!(replay.venue.open_order_count(), 0);
    assert!(replay.engine.desk.orders.open().is_empty());
}

#[test]
fn longer_bars_are_heard_and_do_not_trade_twice() {
    let mut replay = Plan::default().replay(|event, port| {
        if matches!(event, Event::Bar(bar) if bar.ts_close == 10) {
            port.place(limit(PERPETUAL, Side::Buy, 1_000, 90_00), None);
        }
        Ok(())
    });
    replay.add(bars(&[100_00, 100_00, 100_00, 100_00]));
    // Its low would fill the order, if its path were walked as well.
    let long = Bar {
        ts_open: 0,
        ts_close: 40,
        instrument: PERPETUAL,
        open: 100_00,
        high: 100_00,
        low: 80_00,
        close: 100_00,
        volume: 1,
    };
    replay.add(Source::Bars(stream(vec![TimedBar { bar: long, ts_recv: 40 }])));
    replay.run().unwrap();
    assert_eq!(heard(&replay).iter().filter(|h| h.starts_with("40 bar")).count(), 2);
    assert_eq!(replay.engine.desk.counts.fills, 0);
}

/// A message of a book feed: how long after the last, how late, the levels and a print.
type Message = (i64, i64, i64, i64, Option<bool>);

fn feed(messages: &[Message]) -> Vec<Tick> {
    let (mut ts, mut rows) = (0, Vec::new());
    for (at, &(gap, late, mid, qty, print)) in messages.iter().enumerate() {
        ts += gap;
        let row = |flags, price, qty| Tick {
            ts_exchange: ts,
            ts_recv: ts + late,
            instrument: PERPETUAL,
            flags,
            price,
            qty,
        };
        if let Some(is_buy) = print.filter(|_| at > 0) {
            let flags = TICK_TRADE | if is_buy { TICK_BUY } else { 0 };
            rows.push(row(flags, 100_00 + mid, qty));
        }
        rows.push(row(TICK_CLEAR | TICK_BUY, 99_99 + mid, qty));
        rows.push(row(TICK_LAST, 100_01 + mid, qty));
    }
    rows
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let print = prop::option::of(any::<bool>());
    prop::collection::vec((0_i64..15, 0_i64..30, -3_i64..4, 1_i64..20, print), 2..60)
}

/// Trades on timers alone over a book feed that is watched or not; gives journal and samples.
fn over_the_book(rows: &[Tick], size: usize, watched: bool) -> (Vec<u8>, Vec<(i64, u64, u64)>) {
    let plan = Plan {
        venue: vec!["level=book"],
        entry: Latency::constant(7),
        report: Latency::constant(4),
        sample_every_ns: 11,
        wants: if watched { wants::BOOKS | wants::TRADES } else { 0 },
    };
    let mut replay = plan.replay(|event, port| {
        match event {
            Event::Start => port.set_timer(1, 5, 13),
            Event::Timer(..) => {
                port.cancel_all(None);
                if let Some((bid, ask)) = port.desk().markets[PERPETUAL as usize].touch() {
                    port.quote(PERPETUAL, &[(bid, 3)], &[(ask, 3)]);
                    let side = if port.desk().now_ns % 2 == 0 { Side::Buy } else { Side::Sell };
                    port.place(market(PERPETUAL, side, 2), None);
                }
            }
            _ => {}
        }
        Ok(())
    });
    replay.add(Source::Ticks(chunked(rows.to_vec(), size)));
    replay.run().unwrap();
    let bits =
        |s: &veloz_core::replay::Sample| (s.ts_ns, s.equity.to_bits(), s.net_exposure.to_bits());
    let samples = replay.samples.iter().map(bits).collect();
    (replay.engine.desk.journal.drain(), samples)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_unwatched_feed_gives_the_same_run_as_a_watched_one(
        messages in messages(), size in 1_usize..50,
    ) {
        let rows = feed(&messages);
        let (journal, samples) = over_the_book(&rows, 10_000, true);
        for (size, watched) in [(size, true), (10_000, false), (size, false)] {
            let (other, others) = over_the_book(&rows, size, watched);
            prop_assert!(journal == other, "chunks of {size}, watched: {watched}");
            prop_assert_eq!(&samples, &others);
        }
    }
}
