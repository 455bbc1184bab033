//! Recovery: a desk that only reads the journal is in the state of the one that wrote it, at every
//! batch, whatever happened; and strategies give the same commands again.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use proptest::prelude::*;
use proptest::strategy::Strategy as Sampled;
use scene::{coins, limit, market, Scripted, BTC, PERPETUAL, SPOT, USDT};
use veloz_core::desk::{Desk, ExternalSpec, Input, Origin, Recovery, RecoveryError};
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::facts;
use veloz_core::journal::Reader;
use veloz_core::market::Bar;
use veloz_core::order::{
    Expiry, FillFact, OrderId, Reject, Report, ReportKind, Request, RequestKind, Side, FEE_UNSAID,
};
use veloz_core::order_state::{Asked, Found, FoundStatus, Status};
use veloz_core::risk::Limits;
use veloz_core::strategy::{wants, Event, Fault, Port};

const SECOND: i64 = 1_000_000_000;

/// One step of a random run: what kind, and dice.
type Step = (u8, u64);

fn steps(most: usize) -> impl Sampled<Value = Vec<Step>> {
    prop::collection::vec((any::<u8>(), any::<u64>()), 1..most)
}

fn bar(instrument: u32, now: i64, close: i64) -> Bar {
    Bar { ts_open: now - 60, ts_close: now, instrument, close, ..Bar::default() }
}

fn limits() -> Limits {
    Limits { max_orders_in_window: 6, max_position: vec![50_000; 3], ..Limits::default() }
}

/// Trades on bars and answers its own orders, by a small machine of its own.
fn busy(seed: u64) -> impl FnMut(&Event<'_>, &mut Port<'_>) -> Result<(), Fault> {
    let mut state = seed | 1;
    move |event, port| {
        let mut dice = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % n
        };
        match event {
            Event::Bar(bar) => {
                let side = if dice(2) == 0 { Side::Buy } else { Side::Sell };
                let qty = 1_000 + dice(9) as i64 * 500;
                match dice(6) {
                    0 => drop(port.place(market(bar.instrument, side, qty), None)),
                    1 => drop(port.cancel_all(None)),
                    2 => {
                        let open: Vec<OrderId> = port.own_open(None).collect();
                        for id in open {
                            port.amend(id, qty + 500, 99_00 + dice(200) as i64);
                        }
                    }
                    _ => {
                        let price = bar.close - 2_00 + dice(400) as i64;
                        let spec = limit(bar.instrument, side, qty, price);
                        port.place(spec, Some(Box::from(&b"why\0tag"[..])));
                    }
                }
            }
            Event::Order(id) if dice(5) == 0 => port.cancel(*id),
            Event::Timer(..) => port.set_timer(1, port.desk().now_ns + 5, 0),
            _ => {}
        }
        Ok(())
    }
}

/// A run under way: an engine, its clock, and the requests that nobody answered yet.
struct World {
    engine: Engine<Scripted>,
    now: i64,
    asked: Vec<Request>,
    trades: u64,
    /// A fill that was told without its fee, as it is with it, and its leg.
    unpaid: Option<(Report, u32)>,
    /// State hashes by sequence of the journal, after each input.
    hashes: Vec<(u64, [u8; 32])>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut engine = Engine::new(scene::live_desk(limits()));
        engine.desk.replace_orders(SPOT);
        for row in 0..2 {
            let act = busy(seed.wrapping_add(row));
            let seat = engine.add(Scripted::new(act), 0, u32::MAX, StopPolicy::Cancel);
            for instrument in [PERPETUAL, SPOT] {
                engine.listen(seat, instrument, wants::BARS, 0);
            }
        }
        engine.desk.now_ns = SECOND;
        engine.start().unwrap();
        World {
            engine,
            now: SECOND,
            asked: Vec::new(),
            trades: 0,
            unpaid: None,
            hashes: Vec::new(),
        }
    }

    fn fill(&mut self, order: OrderId, qty: i64, price: i64) -> Report {
        self.trades += 1;
        let fact = FillFact {
            trade_id: self.trades,
            qty,
            price,
            is_maker: self.trades % 2 == 0,
            fee: 1_000,
            fee_asset: USDT,
            realised: (price % 3 > 0).then_some(i128::from(price % 7 - 3) * 1_234_567),
        };
        Report { order, ts_exchange: self.now - 5, kind: ReportKind::Filled(fact) }
    }

    /// What the venue, or the gateway, says of a request.
    fn answer(&mut self, dice: u64) -> Option<Input> {
        if self.asked.is_empty() {
            return None;
        }
        let request = self.asked[dice as usize % self.asked.len()];
        let order = request.order;
        let whole = self.engine.desk.orders.get(order)?;
        // Of a replacement either leg is spoken of.
        let leg = match request.kind {
            RequestKind::Replace { instead, .. } if dice & 1 << 40 == 0 => instead,
            _ => request.leg,
        };
        let row = whole.leg(leg)?;
        let (qty, price) = (row.spec.qty, if row.spec.price > 0 { row.spec.price } else { 100_00 });
        let asked = match request.kind {
            RequestKind::Place(_) => Asked::Place,
            RequestKind::Amend { .. } | RequestKind::Replace { .. } => Asked::Amend,
            _ => Asked::Cancel,
        };
        let ts_exchange = self.now - 7;
        let report =
            |kind| Input::Report { report: Report { order, ts_exchange, kind }, words: None };
        let found = |status, filled_qty| {
            Input::Found(Found {
                order,
                ts_exchange,
                ts_created: ts_exchange - 3,
                status,
                reason: 1,
                filled_qty,
                avg_price: price,
                qty,
                price: row.spec.price,
                venue_order_id: order + 1_000 + u64::from(leg) * 100_000,
            })
        };
        let reason: Box<str> = "because".into();
        let said = match (dice >> 8) % 16 {
            0 | 1 => report(ReportKind::Accepted { qty }),
            2 => report(ReportKind::Canceled { left: qty / 2, by_oco: false }),
            3 => Input::Report {
                report: Report {
                    order,
                    ts_exchange,
                    kind: match asked {
                        Asked::Place => ReportKind::Rejected { reason: Reject::Margin },
                        Asked::Amend => ReportKind::AmendRejected { reason: Reject::NoChange },
                        Asked::Cancel => {
                            ReportKind::CancelRejected { reason: Reject::UnknownOrder }
                        }
                    },
                },
                words: Some((-2010, "Account has insufficient balance.".into())),
            },
            4 => Input::Doubt { order, asked, reason },
            5 => Input::NeverLeft { order, asked, reason },
            6 => Input::Absent { order, asked, ts_exchange, evidence: reason },
            7 => found(FoundStatus::Open, qty / 4),
            8 => found(FoundStatus::Filled, qty),
            9 => found(FoundStatus::Canceled, qty / 2),
            10 => Input::Cumulative { order, ts_exchange, filled_qty: qty / 2 },
            11 => Input::Name { order, venue_order_id: order + 1_000 + u64::from(leg) * 100_000 },
            12 => match request.kind {
                RequestKind::Amend { qty, price } => {
                    report(ReportKind::Amended { qty, price, queue_kept: true })
                }
                _ => report(ReportKind::Expired { reason: Expiry::Gtd, left: 1, prevented: 0 }),
            },
            13 => {
                let report = self.fill(order, qty, price);
                Input::Report { report, words: None }
            }
            _ => {
                let mut report = self.fill(order, (qty / 3).max(1), price);
                let whole = report;
                if let (ReportKind::Filled(fill), true) = (&mut report.kind, dice & 3 << 41 == 0) {
                    self.unpaid = Some((whole, leg));
                    (fill.fee, fill.fee_asset) = (0, FEE_UNSAID);
                }
                Input::Report { report, words: None }
            }
        };
        Some(said.about(leg))
    }

    /// Things that no request of ours asked for.
    fn surprise(&mut self, dice: u64) -> Input {
        let (ts_exchange, number) = (self.now - 3, 77 + dice % 5);
        let qty = 1_000 + (dice >> 16) as i64 % 3_000;
        let instrument = if dice & 64 == 0 { PERPETUAL } else { SPOT };
        match (dice >> 8) % 8 {
            0 | 1 => {
                let report = self.fill(0, qty, 100_00);
                let report = facts::ParkedReport::of(0, instrument, number, &report);
                Input::Park { report, client_id: "web_1".into() }
            }
            2 | 3 => {
                let origin = if dice & 128 == 0 { Origin::Hand } else { Origin::Liquidation };
                let side = if dice & 32 == 0 { 1 } else { -1 };
                let fact = facts::ExternalOrder {
                    account: 0,
                    instrument,
                    venue_order_id: number,
                    ts_exchange,
                    origin: origin as u8,
                    side,
                    kind: 1,
                    qty: qty * 4,
                    price: 100_00,
                    ..facts::ExternalOrder::default()
                };
                Input::External { fact, client_id: "web_1".into() }
            }
            4 => Input::Cash(facts::CashMoved {
                account: 0,
                asset: USDT,
                kind: (dice % 9) as u8,
                instrument: if dice & 1 == 0 { PERPETUAL } else { u32::MAX },
                amount: i128::from(dice % 1_000) - 500,
                ts_exchange,
                entry_id: dice % 4,
            }),
            5 => Input::Balance(facts::BalanceStated {
                account: 0,
                asset: BTC,
                wallet: coins(1_000) + i128::from(dice % 2),
                ts_exchange,
            }),
            6 => Input::Position(facts::PositionStated {
                account: 0,
                instrument: PERPETUAL,
                position_side: 0,
                qty: (dice % 3) as i64 * 1_000,
                ts_exchange,
            }),
            _ => {
                let scope = (0, 1 + (dice % 2) as u16, u32::MAX);
                Input::Freeze { scope, on: dice & 4 == 0, reason: "a test".into() }
            }
        }
    }

    fn step(&mut self, (kind, dice): Step) {
        self.now += 1 + (dice % 300_000_000) as i64;
        let input = match kind % 8 {
            0..=2 => {
                let row = if dice & 1 == 0 { PERPETUAL } else { SPOT };
                let close = 95_00 + (dice >> 9) as i64 % 1_000;
                self.engine.bar(&bar(row, self.now, close), self.now).unwrap();
                None
            }
            3 if self.unpaid.is_some() => self
                .unpaid
                .take()
                .map(|(report, leg)| Input::Report { report, words: None }.about(leg)),
            3..=5 => self.answer(dice),
            6 => Some(self.surprise(dice)),
            _ => {
                let due = facts::TimerDue { strategy: 1, timer: 1, due_ns: self.now };
                Some(Input::Timer(due))
            }
        };
        if let Some(input) = input {
            self.engine.input(&input, self.now).unwrap();
        }
        self.asked.append(&mut self.engine.desk.outbox.requests);
        self.engine.desk.outbox.timers.clear();
        let desk = &self.engine.desk;
        self.hashes.push((desk.journal.sequence(), desk.state_hash()));
    }

    fn run(seed: u64, steps: &[Step]) -> (World, Vec<u8>) {
        let mut world = World::new(seed);
        steps.iter().for_each(|step| world.step(*step));
        let bytes = world.engine.desk.journal.drain();
        (world, bytes)
    }
}

fn blank() -> Desk {
    scene::blank_live_desk(limits())
}

fn reader(bytes: &[u8]) -> Reader<&[u8]> {
    Reader::new(bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 96, ..ProptestConfig::default()
    })]

    #[test]
    fn a_recovered_desk_is_the_one_that_wrote_the_journal(seed: u64, steps in steps(120)) {
        let (world, bytes) = World::run(seed, &steps);
        let whole = reader(&bytes);
        // Cut behind each batch: what a crash there would leave.
        let ends: Vec<(u64, usize)> = whole.batches().map(|b| (b.sequence, b.end)).collect();
        for (sequence, hash) in world.hashes.iter().step_by(7).chain(world.hashes.last()) {
            let Some((_, end)) = ends.iter().find(|(at, _)| at == sequence) else { continue };
            let mut desk = blank();
            let mut recovery = Recovery::default();
            desk.recover(&reader(&bytes[..*end]), &mut recovery).unwrap();
            prop_assert_eq!(recovery.sequence, *sequence);
            prop_assert_eq!(&desk.state_hash(), hash, "after batch {}", sequence);
        }
    }

    #[test]
    fn a_snapshot_and_the_tail_are_the_whole(seed: u64, steps in steps(90), at in 0_usize..90) {
        let mut world = World::new(seed);
        let mut snapshot = None;
        for (n, step) in steps.iter().enumerate() {
            world.step(*step);
            if n == at.min(steps.len() - 1) {
                snapshot = Some((world.engine.desk.snapshot(), world.engine.desk.state_hash()));
            }
        }
        let bytes = world.engine.desk.journal.drain();
        let (snapshot, hash) = snapshot.unwrap();
        let mut desk = blank();
        let mut recovery = desk.restore(&snapshot).unwrap();
        prop_assert_eq!(desk.state_hash(), hash);
        desk.recover(&reader(&bytes), &mut recovery).unwrap();
        prop_assert_eq!(desk.state_hash(), world.engine.desk.state_hash());
        prop_assert_eq!(desk.orders.next_id(), world.engine.desk.orders.next_id());
        // Any changed byte is found, and a foreign desk refuses.
        for place in [9, snapshot.len() / 2, snapshot.len() - 1] {
            let mut broken = snapshot.clone();
            broken[place] ^= 4;
            prop_assert!(blank().restore(&broken).is_err());
        }
    }

    #[test]
    fn strategies_give_the_same_commands_again(seed: u64, steps in steps(100), other: u64) {
        let (world, bytes) = World::run(seed, &steps);
        let bars: Vec<(u64, Bar, i64)> = market_of(&world, &steps);
        let again = |seed: u64| {
            let mut fresh = World::new(seed);
            let mut desk = blank();
            desk.replace_orders(SPOT);
            std::mem::swap(&mut fresh.engine.desk, &mut desk);
            let mut heard = 0;
            fresh.engine.verify(&reader(&bytes), None, |engine, to| {
                while let Some((sequence, bar, now)) = bars.get(heard).filter(|b| b.0 <= to) {
                    heard += 1;
                    engine.desk.pin_market(*sequence - 1);
                    engine.desk.unpin_market();
                    engine.bar(bar, *now).map_err(|error| error.to_string())?;
                }
                Ok(())
            })
        };
        prop_assert_eq!(again(seed), Ok(world.engine.desk.journal.sequence()));
        let placed = world.engine.desk.counts.orders;
        if placed > 5 && other | 1 != seed | 1 {
            prop_assert!(again(other).is_err(), "other dice gave the same {placed} orders");
        }
    }
}

/// The market stream of a run: each bar with its sequence.
fn market_of(_: &World, steps: &[Step]) -> Vec<(u64, Bar, i64)> {
    let mut now = SECOND;
    let mut bars = Vec::new();
    for (kind, dice) in steps {
        now += 1 + (dice % 300_000_000) as i64;
        if kind % 8 <= 2 {
            let row = if dice & 1 == 0 { PERPETUAL } else { SPOT };
            let close = 95_00 + (dice >> 9) as i64 % 1_000;
            bars.push((bars.len() as u64 + 1, bar(row, now, close), now));
        }
    }
    bars
}

#[test]
fn recovery_goes_over_segments_and_refuses_gaps_and_other_tables() {
    let mut world = World::new(5);
    let mut segments = Vec::new();
    for n in 0..90_u64 {
        let dice = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        world.step(((dice >> 56) as u8, dice >> 3));
        if n % 30 == 29 {
            let desk = &mut world.engine.desk;
            let mut rest = Vec::new();
            let (assets, instruments) = (desk.assets.clone(), desk.instruments.clone());
            desk.journal.roll(&assets, &instruments, &mut rest);
            segments.push(rest);
        }
    }
    let (mut desk, mut recovery) = (blank(), Recovery::default());
    for segment in &segments {
        desk.recover(&reader(segment), &mut recovery).unwrap();
    }
    assert_eq!(desk.state_hash(), world.engine.desk.state_hash());
    assert_eq!(recovery.sequence, world.engine.desk.journal.sequence());
    assert!(recovery.batches > 30, "{recovery:?}");
    let (mut desk, mut recovery) = (blank(), Recovery::default());
    desk.recover(&reader(&segments[0]), &mut recovery).unwrap();
    let gap = desk.recover(&reader(&segments[2]), &mut recovery).unwrap_err();
    assert!(matches!(gap, RecoveryError::Gap(..)), "{gap}");
    // A filter that changed since is no obstacle: verdicts are in the journal. A scale is.
    let mut other = blank();
    other.instruments[0].filters.min_qty = 5;
    other.recover(&reader(&segments[0]), &mut Recovery::default()).unwrap();
    let mut other = blank();
    other.instruments[0].price_scale = 5;
    let error = other.recover(&reader(&segments[0]), &mut Recovery::default()).unwrap_err();
    assert_eq!(error, RecoveryError::Tables("instruments"));
}

#[test]
fn a_desk_of_other_accounts_does_not_pass_for_the_writer() {
    let (_, bytes) = World::run(11, &[(0, 4_444_444), (3, 0xd00), (0, 8_888_888), (3, 0xe01)]);
    let mut desk = blank();
    // What the journal does not hold must be the same: another balance changes realised figures.
    desk.accounts = veloz_core::account::Accounts::new(&desk.assets, &desk.instruments).unwrap();
    let error = desk.recover(&reader(&bytes), &mut Recovery::default()).unwrap_err();
    assert!(matches!(error, RecoveryError::Desk(1, _)), "{error}");
}

#[test]
fn own_notices_after_the_saved_state_are_told_again() {
    let mut desk = scene::live_desk(Limits::default());
    desk.bar(&bar(PERPETUAL, 60, 100_00)).unwrap();
    let place = |desk: &mut Desk| {
        let id = desk.orders.insert(0, 1, limit(PERPETUAL, Side::Buy, 1_000, 99_00), desk.now_ns);
        desk.apply_command(veloz_core::desk::Command::Place { id, text: None }).unwrap();
        id
    };
    let first = place(&mut desk);
    desk.report(&Report { order: first, ts_exchange: 1, kind: ReportKind::Accepted { qty: 0 } })
        .unwrap();
    desk.apply(&Input::Saved { strategy: 1, state: Box::from(&b"seven"[..]) }, 70).unwrap();
    let told = desk.journal.sequence();
    let second = place(&mut desk);
    let fact = FillFact {
        trade_id: 1,
        qty: 400,
        price: 99_00,
        is_maker: true,
        fee: 0,
        fee_asset: USDT,
        realised: None,
    };
    desk.report(&Report { order: first, ts_exchange: 2, kind: ReportKind::Filled(fact) }).unwrap();
    let bytes = desk.journal.drain();
    let (mut recovered, mut recovery) = (blank_with_defaults(), Recovery::default());
    recovered.recover(&reader(&bytes), &mut recovery).unwrap();
    assert_eq!(recovery.saved_state(1), Some((told, &b"seven"[..])));
    let kinds: Vec<_> = recovery.notices_after(1, told).map(|n| n.notice.clone()).collect();
    assert_eq!(kinds.len(), 2, "the fill and the order it changed: {kinds:?}");
    // What was under way is doubted, whether or not it left.
    assert_eq!(recovered.doubt_all("the engine was restarted"), 1);
    assert_eq!(recovered.orders.get(second).unwrap().status(), Status::Unknown);
    assert_eq!(recovered.needs_query().collect::<Vec<_>>(), [second]);
    // A new epoch begins at the next handle; older orders keep the epoch of their wire id.
    recovered.begin_epoch(2, 7).unwrap();
    assert_eq!(recovered.wire_of(second), Some((1, 7)));
    assert_eq!(recovered.wire_of(second + 1), Some((2, 7)));
    assert!(recovered.begin_epoch(2, 7).is_err());
}

fn blank_with_defaults() -> Desk {
    scene::blank_live_desk(Limits::default())
}

#[test]
fn an_external_order_is_counted_and_shown() {
    let mut desk = scene::live_desk(Limits::default());
    let spec = limit(PERPETUAL, Side::Buy, 2_000, 99_00);
    let seen = ExternalSpec {
        account: 0,
        spec,
        venue_order_id: 9,
        ts_exchange: 5,
        origin: Origin::Hand,
        client_id: "web_9",
    };
    let id = desk.external_order(&seen).unwrap();
    assert_eq!(desk.external_order(&seen).unwrap(), id, "seen twice is one order");
    assert_eq!(desk.orders.open(), [id]);
    assert_eq!(desk.origin(id), Some((Origin::Hand, "web_9")));
    assert_eq!(desk.by_venue_id(0, PERPETUAL, 9), Some(id));
}

#[test]
fn an_older_amendment_does_not_change_an_external_order() {
    let mut desk = scene::live_desk(Limits::default());
    let spec = limit(PERPETUAL, Side::Buy, 2_000, 99_00);
    let seen = ExternalSpec {
        account: 0,
        spec,
        venue_order_id: 9,
        ts_exchange: 5,
        origin: Origin::Hand,
        client_id: "web_9",
    };
    let id = desk.external_order(&seen).unwrap();
    let amended = |ts_exchange, qty| Report {
        order: id,
        ts_exchange,
        kind: ReportKind::Amended { qty, price: 98_00, queue_kept: false },
    };
    desk.report(&amended(4, 3_000)).unwrap();
    assert_eq!(desk.orders.get(id).unwrap().spec, spec, "it was shown later than that");
    desk.report(&amended(6, 1_000)).unwrap();
    assert_eq!(desk.orders.get(id).unwrap().spec.qty, 1_000);
}

#[test]
fn random_runs_hold_every_record_that_they_could() {
    use veloz_core::facts::number;
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..12_u64 {
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let steps: Vec<Step> = (0..400)
            .map(|_| {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                ((dice >> 56) as u8, dice)
            })
            .collect();
        let (_, bytes) = World::run(seed, &steps);
        let numbers = |batch: veloz_core::journal::Batch<'_>| -> Vec<u16> {
            batch.rows().map(|row| row.number).collect()
        };
        seen.extend(reader(&bytes).batches().flat_map(numbers));
    }
    // Settings, parameters, saved states and funding of ours have tests of their own.
    let apart =
        [number::FUNDING, number::MARK, number::PARAMETER, number::SAVED_STATE, number::SETTING];
    let all = facts::LIVE_RECORDS.iter().map(|record| record.number);
    let never: Vec<u16> = all.filter(|n| !seen.contains(n) && !apart.contains(n)).collect();
    assert!(never.is_empty(), "records {never:?} never occur in {seen:?}");
}

#[test]
fn thousands_of_ended_orders_come_back_from_journal_and_snapshot() {
    let mut desk = blank_with_defaults();
    desk.check_identity = false;
    desk.deposit(0, USDT, coins(1_000_000)).unwrap();
    desk.begin_epoch(1, 7).unwrap();
    desk.bar(&bar(PERPETUAL, 60, 100_00)).unwrap();
    for n in 0..2_500_i64 {
        desk.now_ns = SECOND + n * 10_000_000;
        let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
        let id = desk.orders.insert(0, 1, limit(PERPETUAL, side, 10, 100_00), desk.now_ns);
        desk.apply_command(veloz_core::desk::Command::Place { id, text: None }).unwrap();
        let (trade_id, qty, price) = (n as u64 + 1, 10, 100_00);
        let fact = FillFact {
            trade_id,
            qty,
            price,
            is_maker: true,
            fee: 1,
            fee_asset: USDT,
            realised: Some(0),
        };
        for kind in [ReportKind::Accepted { qty: 0 }, ReportKind::Filled(fact)] {
            desk.report(&Report { order: id, ts_exchange: desk.now_ns, kind }).unwrap();
        }
        desk.name_order(id, n as u64 + 7_000).unwrap();
        desk.outbox.requests.clear();
        desk.outbox.turns.clear();
        desk.orders.forget(id);
    }
    let (bytes, hash) = (desk.journal.drain(), desk.state_hash());
    let snapshot = desk.snapshot();
    let (mut again, mut recovery) = (blank_with_defaults(), Recovery::default());
    again.check_identity = false;
    again.recover(&reader(&bytes), &mut recovery).unwrap();
    assert_eq!((again.state_hash(), recovery.batches), (hash, 10_002));
    let mut third = blank_with_defaults();
    third.restore(&snapshot).unwrap();
    assert_eq!(third.state_hash(), hash);
}
