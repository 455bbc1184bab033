//! How long an order's whole life takes in the engine, without Python: quote or command, risk,
//! journal, latency, matching, report, accounting.
//!
//! `cargo run --release -p veloz-core --example order_speed [ROWS] [ROUNDS] [CASE]`
//!
//! Two compiled strategies on the rows of the L2 benchmark's process: the market maker of W3 and
//! the submit-and-cancel of W7. The journal's hash is printed, so that a change which should only
//! be quicker can be seen to do the same.

mod l2;

use std::rc::Rc;
use std::time::Instant;

use veloz_core::account::Accounts;
use veloz_core::desk::Desk;
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::facts;
use veloz_core::journal::{Header, Journal, Stream as JournalStream};
use veloz_core::market::Tick;
use veloz_core::matching::{Channel, Latency, Level, Venue, VenueSettings};
use veloz_core::order::{OrderId, OrderSpec, OrderType, Side};
use veloz_core::replay::{Replay, ReplaySettings, Source, Stream};
use veloz_core::risk::Limits;
use veloz_core::strategy::{Event, Fault, Port, Strategy};

const QUOTE: u16 = 1;
const SIZE: i64 = 10;
const MS: i64 = 1_000_000;

/// What the strategy does at its timer.
#[derive(Clone, Copy)]
enum Work {
    Nothing,
    MakeMarket,
    SubmitCancel,
}

struct Trader {
    work: Work,
    every_ns: i64,
    order: Option<OrderId>,
}

impl Trader {
    fn make_market(port: &mut Port<'_>) {
        let Some((bid, ask)) = port.desk().markets[0].touch() else { return };
        let buy = if ask - bid > 1 { bid } else { bid - 1 };
        let sell = if ask - bid > 2 { ask } else { ask + 1 };
        let held = port.position(0);
        let bids: &[_] = if held < 1_000 { &[(buy, SIZE)] } else { &[] };
        let asks: &[_] = if held > -1_000 { &[(sell, SIZE)] } else { &[] };
        port.quote(0, bids, asks);
    }

    fn submit_cancel(&mut self, port: &mut Port<'_>) {
        if let Some(order) = self.order.take() {
            port.cancel(order);
            return;
        }
        let Some((bid, _)) = port.desk().markets[0].touch() else { return };
        let mut spec = OrderSpec::new(0, Side::Buy, OrderType::Limit, SIZE, bid - 5);
        spec.post_only = true;
        self.order = Some(port.place(spec, None));
    }
}

impl Strategy for Trader {
    fn on_event(&mut self, event: &Event<'_>, port: &mut Port<'_>) -> Result<(), Fault> {
        match (event, self.work) {
            (Event::Start, _) => {
                let first = port.desk().now_ns + self.every_ns;
                port.set_timer(0, first, self.every_ns);
            }
            (Event::Timer(..), Work::MakeMarket) => Trader::make_market(port),
            (Event::Timer(..), Work::SubmitCancel) => self.submit_cancel(port),
            _ => {}
        }
        Ok(())
    }
}

/// Rows of a piece, as a run from stored data has them.
const PIECE: usize = 16_384;

fn replay(rows: &Rc<[Tick]>, trader: Trader) -> Replay<Trader> {
    let (assets, instruments) = (l2::assets(), vec![l2::instrument()]);
    let mut accounts = Accounts::new(&assets, &instruments).expect("sound tables");
    accounts.add_account(false, None).expect("the first account");
    let header = Header::first(JournalStream::Trading, &facts::RECORDS);
    let desk = Desk::new(
        assets.clone(),
        instruments.clone(),
        accounts,
        Journal::new(&header),
        Limits::default(),
    );
    let mut engine = Engine::new(desk);
    engine.desk.deposit(0, QUOTE, 10_i128.pow(16)).expect("a deposit");
    engine.add(trader, 0, 0, StopPolicy::Cancel);
    let mut settings = VenueSettings::default();
    settings.set("queue=back").expect("a known setting");
    settings.market.level = Level::Book;
    let channel = |stream| Channel::new(Latency::constant(MS), 1, stream);
    let settings_of_replay = ReplaySettings {
        entry: channel(1),
        report: channel(2),
        sampled: (0, QUOTE),
        sample_every_ns: 60_000 * MS,
        open_last: false,
    };
    let venue = Venue::new(settings, &instruments, &assets);
    let mut replay = Replay::new(engine, venue, settings_of_replay);
    let (rows, mut at) = (Rc::clone(rows), 0);
    let fetch = Box::new(move |into: &mut Vec<Tick>| {
        let mut end = (at + PIECE).min(rows.len());
        // Rows of one instant come together.
        while end < rows.len() && rows[end].ts_exchange == rows[end - 1].ts_exchange {
            end += 1;
        }
        into.extend_from_slice(&rows[at..end]);
        at = end;
        Ok(at < rows.len())
    });
    replay.add(Source::Ticks(Stream::new("rows".to_owned(), fetch, true)));
    replay.sink = Some(Box::new(|_| Ok(())));
    replay
}

fn main() {
    let number = |at| std::env::args().nth(at).and_then(|n| n.parse().ok());
    let rows: Rc<[Tick]> = l2::rows(number(1).unwrap_or(1_000_000)).into();
    let rounds = number(2).unwrap_or(5);
    let only = number(3);
    let cases = [
        ("a timer each 100 ms", Work::Nothing, 100 * MS),
        ("W3, market maker", Work::MakeMarket, 100 * MS),
        ("a timer each 3 ms", Work::Nothing, 3 * MS),
        ("W7, submit and cancel", Work::SubmitCancel, 3 * MS),
    ];
    for (at, (name, work, every_ns)) in cases.into_iter().enumerate() {
        if only.is_some_and(|only| only != at) {
            continue;
        }
        let (mut best, mut line) = (f64::MAX, String::new());
        for _ in 0..rounds {
            let mut replay = replay(&rows, Trader { work, every_ns, order: None });
            let start = Instant::now();
            replay.run().expect("a sound replay");
            best = best.min(start.elapsed().as_secs_f64());
            let desk = &replay.engine.desk;
            let hash = desk.journal.chain_hash();
            line = format!(
                "{} orders, {} fills, journal {:02x}{:02x}{:02x}{:02x}",
                desk.counts.orders, desk.counts.fills, hash[0], hash[1], hash[2], hash[3]
            );
        }
        println!("{name:>24}: {:6.1} ns/row, {line}", best * 1e9 / rows.len() as f64);
    }
}
