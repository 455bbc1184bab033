//! What a snapshot must carry besides open orders: a desk that starts from one goes on as the desk
//! that wrote it does, long after.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use scene::{coins, limit, PERPETUAL, USDT};
use veloz_core::desk::{CashKind, Command, Desk, Input, Notice, Recovery, Turn};
use veloz_core::engine::{Engine, StopPolicy};
use veloz_core::facts;
use veloz_core::journal::Reader;
use veloz_core::market::Bar;
use veloz_core::order::{
    FillFact, OrderId, OrderSpec, OrderType, Report, ReportKind, Side, TriggerBy,
};
use veloz_core::risk::Limits;
use veloz_core::strategy::{Event, Fault, Port, Strategy};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A live desk that remembers ended orders for ten seconds.
fn blank() -> Desk {
    let mut desk = scene::blank_live_desk(Limits::default());
    desk.go_live(10 * SECOND);
    desk
}

fn begun() -> Desk {
    let mut desk = blank();
    desk.deposit(0, USDT, coins(1_000_000)).unwrap();
    desk.begin_epoch(1, 7).unwrap();
    let quiet = Bar { ts_close: 60, instrument: PERPETUAL, close: 100_00, ..Bar::default() };
    desk.bar(&quiet).unwrap();
    desk
}

fn place(desk: &mut Desk, spec: OrderSpec, now_ns: i64) -> OrderId {
    desk.now_ns = now_ns;
    let id = desk.orders.insert(0, 1, spec, now_ns);
    desk.apply_command(Command::Place { id, text: None }).unwrap();
    id
}

fn report(desk: &mut Desk, order: OrderId, kind: ReportKind, now_ns: i64) {
    let report = Report { order, ts_exchange: now_ns - 1, kind };
    desk.apply(&Input::Report { report, words: None }, now_ns).unwrap();
    turns(desk);
}

fn fill(trade_id: u64) -> ReportKind {
    let (qty, price, fee) = (400, 99_00, 0);
    let is_maker = true;
    ReportKind::Filled(FillFact {
        trade_id,
        qty,
        price,
        is_maker,
        fee,
        fee_asset: USDT,
        realised: None,
    })
}

/// Lets notices take their turn, as an engine whose strategies hear nothing does.
fn turns(desk: &mut Desk) {
    while let Some(turn) = desk.outbox.turns.pop_front() {
        if let Turn::Notice(Notice::Order { id, .. }) = turn {
            desk.orders.forget(id);
        }
    }
}

#[test]
fn an_order_that_outlived_its_memory_takes_its_last_report_behind_a_snapshot() {
    let mut first = begun();
    let order = place(&mut first, limit(PERPETUAL, Side::Buy, 1_000, 99_00), SECOND);
    report(&mut first, order, ReportKind::Accepted { qty: 1_000 }, SECOND + 1);
    report(&mut first, order, ReportKind::Canceled { left: 1_000, by_oco: false }, 2 * SECOND);
    // Its ten seconds are over, but nothing ended since: it is still there.
    let note = Input::Freeze { scope: (0, 9, u32::MAX), on: true, reason: "a clock".into() };
    first.apply(&note, 13 * SECOND).unwrap();
    let (snapshot, hash) = (first.snapshot(), first.state_hash());
    report(&mut first, order, fill(1), 14 * SECOND);
    assert_eq!(first.strategy_position(1, PERPETUAL), 400, "a fill that the cancel crossed");
    // Now another one ends, and both are beyond their time.
    let other = place(&mut first, limit(PERPETUAL, Side::Buy, 1_000, 98_00), 30 * SECOND);
    report(&mut first, other, ReportKind::Canceled { left: 1_000, by_oco: false }, 31 * SECOND);
    report(&mut first, order, fill(2), 32 * SECOND);
    let last = place(&mut first, limit(PERPETUAL, Side::Buy, 1_000, 98_00), 60 * SECOND);
    report(&mut first, last, ReportKind::Canceled { left: 1_000, by_oco: false }, 61 * SECOND);

    let bytes = first.journal.drain();
    let segment = Reader::new(bytes.as_slice()).unwrap();
    let mut desk = blank();
    let mut recovery = desk.restore(&snapshot).unwrap();
    assert_eq!(desk.state_hash(), hash);
    desk.recover(&segment, &mut recovery).unwrap();
    assert_eq!(desk.state_hash(), first.state_hash());
    for id in [order, other, last] {
        let known = |desk: &Desk| desk.orders.get(id).is_some();
        assert_eq!(known(&desk), known(&first), "order {id}");
    }
    assert!(desk.orders.get(other).is_none(), "forgotten in both");
}

#[test]
fn entries_of_cash_count_once_behind_a_snapshot_those_that_came_late_too() {
    let mut first = begun();
    let entry = |entry_id, day: i64| {
        Input::Cash(facts::CashMoved {
            account: 0,
            asset: USDT,
            kind: CashKind::Transfer as u8,
            instrument: u32::MAX,
            amount: coins(5),
            ts_exchange: day * DAY,
            entry_id,
        })
    };
    // The second one is of long ago, and came after the first.
    for (input, now) in [(entry(1, 40), 40 * DAY), (entry(2, 3), 40 * DAY + 1)] {
        first.apply(&input, now).unwrap();
    }
    let snapshot = first.snapshot();
    let mut desk = blank();
    let mut recovery = desk.restore(&snapshot).unwrap();
    assert_eq!(desk.state_hash(), first.state_hash());
    let before = desk.accounts.balance(0, USDT).unwrap().wallet();
    for id in [1, 2] {
        desk.apply(&entry(id, 40), 41 * DAY).unwrap();
    }
    assert_eq!(desk.accounts.balance(0, USDT).unwrap().wallet(), before, "each counts once");
    // Both desks forget the same ones when a month has gone by.
    first.apply(&entry(3, 90), 90 * DAY).unwrap();
    first.apply(&entry(1, 90), 90 * DAY + 1).unwrap();
    let bytes = first.journal.drain();
    desk.recover(&Reader::new(bytes.as_slice()).unwrap(), &mut recovery).unwrap();
    assert_eq!(desk.state_hash(), first.state_hash());
}

#[test]
fn a_price_protection_recovers_from_the_journal_and_from_a_snapshot() {
    let mut first = begun();
    let mut spec = OrderSpec::new(PERPETUAL, Side::Sell, OrderType::Stop, 1_000, 0);
    (spec.trigger_price, spec.trigger_by, spec.price_protect) = (95_00, TriggerBy::Mark, 500_000);
    let order = place(&mut first, spec, SECOND);
    report(&mut first, order, ReportKind::Accepted { qty: 1_000 }, SECOND + 1);
    let (snapshot, hash) = (first.snapshot(), first.state_hash());
    let bytes = first.journal.drain();
    let mut recovered = blank();
    let segment = Reader::new(bytes.as_slice()).unwrap();
    recovered.recover(&segment, &mut Recovery::default()).unwrap();
    let mut restored = blank();
    restored.restore(&snapshot).unwrap();
    for desk in [&recovered, &restored] {
        assert_eq!(desk.orders.get(order).unwrap().spec, spec);
        assert_eq!(desk.state_hash(), hash);
    }
}

/// Counts bars, and keeps the count when it is asked to.
struct Counting {
    seen: u8,
    /// Raises instead of saving.
    is_stuck: bool,
}

impl Strategy for Counting {
    fn on_event(&mut self, event: &Event<'_>, port: &mut Port<'_>) -> Result<(), Fault> {
        if let Event::Timer(..) = event {
            self.seen += 1;
            port.place(limit(PERPETUAL, Side::Buy, 1_000, 90_00 + i64::from(self.seen)), None);
        }
        Ok(())
    }

    fn save(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        if self.is_stuck {
            return Err(Fault { message: "no room".into() });
        }
        Ok(Some(vec![self.seen]))
    }

    fn load(&mut self, state: &[u8]) -> Result<(), Fault> {
        self.seen = state[0];
        Ok(())
    }
}

fn counting(is_stuck: bool) -> Engine<Counting> {
    let mut engine = Engine::new(blank());
    for is_stuck in [is_stuck, false] {
        let strategy = Counting { seen: 0, is_stuck };
        engine.add(strategy, 0, u32::MAX, StopPolicy::Cancel);
    }
    engine
}

fn ring(engine: &mut Engine<Counting>, now_ns: i64) {
    for strategy in [1, 2] {
        let due = facts::TimerDue { strategy, timer: 1, due_ns: now_ns };
        engine.input(&Input::Timer(due), now_ns).unwrap();
    }
}

#[test]
fn what_a_strategy_saved_outlives_the_snapshot_behind_it() {
    let mut first = counting(false);
    first.desk.deposit(0, USDT, coins(1_000_000)).unwrap();
    first.begin((1, 7), None, SECOND).unwrap();
    first.start().unwrap();
    (0..3).for_each(|n| ring(&mut first, (2 + n) * SECOND));
    first.save_states(6 * SECOND).unwrap();
    // The process dies behind this snapshot and before the next saving.
    let snapshot = first.desk.snapshot();
    let bytes = first.desk.journal.drain();
    let life_one = Reader::new(bytes.as_slice()).unwrap();

    let begin_again = |engine: &mut Engine<Counting>| {
        let mut recovery = engine.desk.restore(&snapshot).unwrap();
        engine.desk.recover(&life_one, &mut recovery).unwrap();
        engine.holds = true;
        recovery
    };
    let mut second = counting(false);
    let recovery = begin_again(&mut second);
    assert_eq!(recovery.saved_state(1).map(|(_, state)| state), Some(&[3][..]));
    let header = life_one.header();
    let check = life_one.check();
    let next = header.after(check.last_sequence, check.chain);
    second.desk.journal = veloz_core::journal::Journal::new(&next);
    assert!(second.begin((2, 7), Some(&recovery), 20 * SECOND).unwrap().is_none());
    second.start().unwrap();
    ring(&mut second, 21 * SECOND);
    assert_eq!(second.strategy(1).seen, 4, "it went on at three");

    // And this second life verifies from where it began.
    let last = second.desk.journal.sequence();
    let bytes = second.desk.journal.drain();
    let life_two = Reader::new(bytes.as_slice()).unwrap();
    let mut again = counting(false);
    let recovery = begin_again(&mut again);
    assert_eq!(again.verify(&life_two, Some(&recovery), |_, _| Ok(())), Ok(last));
    assert_eq!(again.desk.state_hash(), second.desk.state_hash());
}

#[test]
fn a_run_whose_strategy_raised_while_saving_verifies() {
    let mut first = counting(true);
    first.desk.deposit(0, USDT, coins(1_000_000)).unwrap();
    first.begin((1, 7), None, SECOND).unwrap();
    first.start().unwrap();
    ring(&mut first, 2 * SECOND);
    first.save_states(3 * SECOND).unwrap();
    assert!(first.fault(1).is_some() && first.fault(2).is_none());
    ring(&mut first, 4 * SECOND);
    let last = first.desk.journal.sequence();
    let bytes = first.desk.journal.drain();
    let segment = Reader::new(bytes.as_slice()).unwrap();
    let verified = counting(true).verify(&segment, None, |_, _| Ok(()));
    assert_eq!(verified, Ok(last));
    assert!(counting(false).verify(&segment, None, |_, _| Ok(())).is_err());
}
