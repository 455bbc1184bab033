//! The engine with strategies written in Rust, without any Python object (decision 0008), and laws
//! of orders that no sequence of calls from outside can reach.

use proptest::prelude::*;
use proptest::strategy::Strategy as Sampled;
use veloz_core::account::Accounts;
use veloz_core::desk::Desk;
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::facts;
use veloz_core::instrument::{Asset, Filters, Instrument, Kind, Origin, Status as Trading};
use veloz_core::journal::{Header, Journal, Stream};
use veloz_core::market::Bar;
use veloz_core::order::{
    Expiry, FillFact, OrderId, OrderSpec, OrderType, Reject, Report, ReportKind, RequestKind, Side,
};
use veloz_core::order_state::{Order, Status};
use veloz_core::risk::Limits;
use veloz_core::strategy::{wants, Event, Fault, Port, Strategy};
use veloz_core::units::pow10;

/// A strategy that is a function, and writes down what it heard.
struct Scripted<F> {
    act: F,
    heard: Vec<String>,
}

impl<F: FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault>> Strategy for Scripted<F> {
    fn on_event(&mut self, event: &Event<'_>, port: &mut Port<'_>) -> Result<(), Fault> {
        let seen = match event {
            Event::Order(id) => {
                let order =
                    port.desk().orders.get(*id).expect("told of an order that is not there");
                format!("order {id} {}", order.status().text())
            }
            Event::Fill(fill) => format!("fill {} {}", fill.order, fill.qty),
            other => other.callback().to_owned(),
        };
        self.heard.push(seen);
        (self.act)(event, port)
    }
}

type Act = Box<dyn FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault>>;

fn scripted(
    act: impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> + 'static,
) -> Scripted<Act> {
    Scripted { act: Box::new(act), heard: Vec::new() }
}

fn engine(limits: Limits) -> Engine<Scripted<Act>> {
    let assets =
        vec![Asset { name: "USDT".into(), scale: 8 }, Asset { name: "BTC".into(), scale: 8 }];
    let instruments = vec![Instrument {
        symbol: "test:BTC/USDT:USDT".into(),
        venue_symbol: "BTCUSDT".into(),
        kind: Kind::Linear,
        base: 1,
        quote: 0,
        settle: 0,
        price_scale: 2,
        qty_scale: 3,
        tick: 1,
        lot: 1,
        multiplier: 1,
        multiplier_scale: 0,
        maker_fee: 0,
        taker_fee: 0,
        liquidation_fee: 0,
        filters: Filters::default(),
        tiers: Vec::new(),
        expiry_ns: None,
        valid_from_ns: 0,
        status: Trading::Trading,
        origin: Origin::File,
    }];
    let mut accounts = Accounts::new(&assets, &instruments).unwrap();
    accounts.add_account(false, None).unwrap();
    let journal = Journal::new(&Header::first(Stream::Trading, &facts::RECORDS));
    let mut desk = Desk::new(assets, instruments, accounts, journal, limits);
    desk.check_identity = true;
    desk.deposit(0, 0, 1_000_000 * pow10(8)).unwrap();
    Engine::new(desk)
}

fn seat(engine: &mut Engine<Scripted<Act>>, strategy: Scripted<Act>, policy: StopPolicy) -> u16 {
    let row = engine.add(strategy, 0, wants::ORDERS | wants::FILLS, policy);
    engine.listen(row, 0, wants::BARS, 0);
    row
}

fn bar(n: i64) -> Bar {
    let mut bar = Bar { ts_open: n * 60, ts_close: n * 60 + 60, instrument: 0, ..Bar::default() };
    (bar.open, bar.high, bar.low, bar.close, bar.volume) = (10_000, 10_000, 10_000, 10_000, 1);
    bar
}

fn limit(qty: i64) -> OrderSpec {
    OrderSpec::new(0, Side::Buy, OrderType::Limit, qty, 9_000)
}

fn fill(trade_id: u64, qty: i64) -> ReportKind {
    let fact = FillFact {
        trade_id,
        qty,
        price: 9_000,
        is_maker: true,
        fee: 0,
        fee_asset: 0,
        realised: None,
    };
    ReportKind::Filled(fact)
}

fn report(order: OrderId, ts_exchange: i64, kind: ReportKind) -> Report {
    Report { order, ts_exchange, kind }
}

#[test]
fn a_strategy_needs_no_python() {
    let mut engine = engine(Limits::default());
    let row = seat(
        &mut engine,
        scripted(|event, port| {
            if matches!(event, Event::Bar(_)) {
                let id = port.place(limit(5), Some(Box::from(&b"why\0tag"[..])));
                assert_eq!(port.desk().orders.get(id).unwrap().status(), Status::New);
            }
            Ok(())
        }),
        StopPolicy::Cancel,
    );
    engine.start().unwrap();
    engine.bar(&bar(0), 60).unwrap();
    let sent = std::mem::take(&mut engine.desk.outbox.requests);
    assert!(matches!(sent[..], [r] if r.order == 1 && matches!(r.kind, RequestKind::Place(_))));
    engine.report(&report(1, 61, ReportKind::Accepted { qty: 5 }), 61).unwrap();
    engine.report(&report(1, 62, fill(1, 2)), 62).unwrap();
    engine.report(&report(1, 62, fill(1, 2)), 63).unwrap();
    engine.report(&report(1, 64, fill(2, 3)), 64).unwrap();
    assert_eq!(engine.desk.strategy_position(row, 0), 5);
    assert_eq!(
        engine.strategy(row).heard,
        [
            "on_start",
            "on_bar",
            "order 1 accepted",
            "fill 1 2",
            "order 1 partially_filled",
            "fill 1 3",
            "order 1 filled"
        ]
    );
}

#[test]
fn a_flood_stops_its_strategy_and_no_other() {
    // The rate limit is the account's; here it would refuse the calm one's order as well.
    let mut engine = engine(Limits { max_orders_in_window: 0, ..Limits::default() });
    let flood = scripted(|event, port| {
        if matches!(event, Event::Bar(_)) {
            for _ in 0..1_500 {
                port.place(limit(1), None);
            }
        }
        Ok(())
    });
    let calm = scripted(|event, port| {
        if matches!(event, Event::Bar(_)) {
            port.place(limit(7), None);
        }
        Ok(())
    });
    let flooding = seat(&mut engine, flood, StopPolicy::Cancel);
    let other = seat(&mut engine, calm, StopPolicy::Cancel);
    engine.start().unwrap();
    engine.bar(&bar(0), 60).unwrap();
    assert!(engine.fault(flooding).unwrap().message.contains("more than 1000 commands"));
    assert!(engine.fault(other).is_none());
    // Nothing of the flood is left in state New, and the other's order went out.
    let open: Vec<u16> = engine
        .desk
        .orders
        .open()
        .iter()
        .map(|&id| engine.desk.orders.get(id).unwrap().strategy)
        .collect();
    assert_eq!(open.iter().filter(|&&strategy| strategy == other).count(), 1);
    let places =
        engine.desk.outbox.requests.iter().filter(|r| matches!(r.kind, RequestKind::Place(_)));
    let cancels = engine.desk.outbox.requests.iter().filter(|r| r.kind == RequestKind::Cancel);
    let (places, cancels) = (places.count(), cancels.count());
    assert_eq!(cancels, places - 1, "all that the flood sent is cancelled");
    engine.bar(&bar(1), 120).unwrap();
    assert_eq!(engine.strategy(flooding).heard.iter().filter(|h| *h == "on_bar").count(), 1);
    assert_eq!(engine.strategy(other).heard.iter().filter(|h| *h == "on_bar").count(), 2);
}

#[test]
fn a_fault_stops_its_strategy_and_no_other() {
    for policy in [StopPolicy::Cancel, StopPolicy::Hold, StopPolicy::Flatten] {
        let mut engine = engine(Limits::default());
        let mut bars = 0;
        let broken = scripted(move |event, port| {
            if matches!(event, Event::Bar(_)) {
                bars += 1;
                if bars == 2 {
                    port.place(limit(4), None);
                    return Err(Fault { message: "enough".into() });
                }
                port.place(limit(5), None);
            }
            Ok(())
        });
        let broken = seat(&mut engine, broken, policy);
        let other = seat(&mut engine, scripted(|_, _| Ok(())), StopPolicy::Cancel);
        engine.start().unwrap();
        engine.bar(&bar(0), 60).unwrap();
        engine.report(&report(1, 61, fill(1, 2)), 61).unwrap();
        engine.desk.outbox.requests.clear();
        engine.bar(&bar(1), 120).unwrap();
        let message = "on_bar raised enough";
        assert_eq!(engine.fault(broken).unwrap().message, message);
        let kinds: Vec<_> = engine.desk.outbox.requests.iter().map(|r| (r.order, r.kind)).collect();
        // The order given before the fault stands: it leaves first.
        assert!(matches!(kinds[0], (2, RequestKind::Place(_))));
        match policy {
            StopPolicy::Hold => assert_eq!(kinds.len(), 1),
            StopPolicy::Cancel => {
                assert_eq!(kinds[1..], [(1, RequestKind::Cancel), (2, RequestKind::Cancel)]);
            }
            StopPolicy::Flatten => {
                assert_eq!(kinds[1..3], [(1, RequestKind::Cancel), (2, RequestKind::Cancel)]);
                let (_, RequestKind::Place(closing)) = kinds[3] else { panic!("{kinds:?}") };
                assert_eq!((closing.side, closing.qty, closing.reduce_only), (Side::Sell, 2, true));
            }
        }
        engine.bar(&bar(2), 180).unwrap();
        assert_eq!(engine.strategy(other).heard.len(), 4);
    }
}

#[test]
fn an_amendment_passes_the_gate_or_stays() {
    let limits = Limits { max_order_qty: vec![10], ..Limits::default() };
    let mut engine = engine(limits);
    let mut bars = 0;
    let act = scripted(move |event, port| {
        if matches!(event, Event::Bar(_)) {
            bars += 1;
            match bars {
                1 => drop(port.place(limit(5), None)),
                2 => port.amend(1, 11, 9_000),
                _ => port.amend(1, 10, 9_000),
            }
        }
        Ok(())
    });
    let row = seat(&mut engine, act, StopPolicy::Cancel);
    engine.start().unwrap();
    engine.bar(&bar(0), 60).unwrap();
    engine.report(&report(1, 61, ReportKind::Accepted { qty: 5 }), 61).unwrap();
    engine.desk.outbox.requests.clear();
    engine.bar(&bar(1), 120).unwrap();
    assert!(engine.desk.outbox.requests.is_empty());
    let order = engine.desk.orders.get(1).unwrap();
    assert_eq!((order.status(), order.spec.qty), (Status::Accepted, 5));
    assert!(order.refusal.as_ref().unwrap().starts_with("amendment refused: max_order_qty"));
    engine.bar(&bar(2), 180).unwrap();
    let sent = &engine.desk.outbox.requests;
    assert!(matches!(sent[..], [r] if r.kind == RequestKind::Amend { qty: 10, price: 9_000 }));
    assert_eq!(engine.strategy(row).heard[4], "order 1 accepted");
}

#[test]
fn subscriptions_change_in_the_order_of_the_calls() {
    let mut engine = engine(Limits::default());
    let mut bars = 0;
    let act = scripted(move |event, port| {
        if matches!(event, Event::Bar(_)) {
            bars += 1;
            port.listen(0, wants::BARS, 0, false);
            if bars == 1 {
                port.listen(0, wants::BARS, 0, true);
            }
        }
        Ok(())
    });
    let row = seat(&mut engine, act, StopPolicy::Cancel);
    engine.start().unwrap();
    for n in 0..4 {
        engine.bar(&bar(n), n * 60 + 60).unwrap();
    }
    assert_eq!(engine.strategy(row).heard, ["on_start", "on_bar", "on_bar"]);
}

/// What a venue may say about one order of ten, in the order in which it says it.
fn history() -> impl Sampled<Value = Vec<Report>> {
    let fills = prop::collection::vec(1_i64..4, 0..4);
    let ending = prop::sample::select(vec![0_u8, 1, 2, 3, 4]);
    (fills, ending, any::<bool>(), any::<bool>()).prop_map(|(fills, ending, amended, reduced)| {
        let mut kinds = vec![ReportKind::Accepted { qty: 10 }];
        if amended {
            kinds.push(ReportKind::Amended { qty: 12, price: 9_001, queue_kept: false });
        }
        let mut left = if amended { 12 } else { 10 };
        for (at, &qty) in fills.iter().enumerate() {
            left -= qty;
            kinds.push(fill(at as u64, qty));
            if reduced && at == 1 {
                left -= 1;
                kinds.push(ReportKind::Reduced { left });
            }
        }
        kinds.push(ReportKind::CancelRejected { reason: Reject::UnknownOrder });
        match ending {
            1 => kinds.push(ReportKind::Canceled { left, by_oco: false }),
            2 => kinds.push(ReportKind::Expired { reason: Expiry::Gtd, left, prevented: 0 }),
            3 => kinds.push(fill(99, left)),
            4 => kinds = vec![ReportKind::Rejected { reason: Reject::PostOnly }],
            _ => {}
        }
        kinds.iter().enumerate().map(|(ts, &kind)| report(1, ts as i64 + 1, kind)).collect()
    })
}

/// A history, and the same reports in another order, with some of them twice.
fn shuffled() -> impl Sampled<Value = (Vec<Report>, Vec<Report>)> {
    history().prop_flat_map(|told| {
        let again = prop::sample::subsequence(told.clone(), 0..=told.len());
        (Just(told.clone()), again).prop_flat_map(move |(told, again)| {
            let all: Vec<Report> = told.iter().chain(&again).copied().collect();
            (Just(told), Just(all).prop_shuffle())
        })
    })
}

fn facts(reports: &[Report]) -> (Status, i64, i64, i64, i128, i64) {
    let mut order = Order::new(1, 0, 1, limit(10), 0);
    for report in reports {
        order.learn(report);
    }
    let leaves = order.leaves_qty();
    (order.status(), order.spec.qty, order.spec.price, order.filled_qty, order.filled_value, leaves)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_order_and_repetition_of_reports_gives_the_same_facts((told, heard) in shuffled()) {
        prop_assert_eq!(facts(&told), facts(&heard));
    }

    #[test]
    fn a_final_status_stays_final((told, heard) in shuffled()) {
        let mut order = Order::new(1, 0, 1, limit(10), 0);
        for report in &told {
            order.learn(report);
        }
        let ended = order.status();
        for report in &heard {
            order.learn(report);
            prop_assert_eq!(order.status(), ended);
        }
    }
}
