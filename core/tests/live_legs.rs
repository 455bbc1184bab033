//! Amendments by another order in the place of the first: what leaves, what the journal says, and
//! that fees and names which come late end in the same books.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use scene::{limit, BTC, PERPETUAL, SPOT, USDT};
use veloz_core::desk::{Command, Desk, ExternalSpec, Input, Origin, Recovery, WireOwner};
use veloz_core::journal::Reader;
use veloz_core::market::Bar;
use veloz_core::order::{
    FillFact, OrderId, OrderSpec, OrderType, Reject, Report, ReportKind, Request, RequestKind,
    Side, FEE_UNSAID,
};
use veloz_core::order_state::{Asked, Pending, Status};
use veloz_core::risk::Limits;

fn limits() -> Limits {
    Limits { max_position: vec![100_000; 3], ..Limits::default() }
}

/// A live desk with prices, whose spot venue replaces.
fn desk() -> Desk {
    let mut desk = scene::live_desk(limits());
    desk.replace_orders(SPOT);
    for instrument in [PERPETUAL, SPOT] {
        desk.bar(&Bar { ts_close: 60, instrument, close: 100_00, ..Bar::default() }).unwrap();
    }
    desk
}

fn place(desk: &mut Desk, spec: OrderSpec) -> OrderId {
    let id = desk.orders.insert(0, 1, spec, desk.now_ns);
    desk.apply_command(Command::Place { id, text: None }).unwrap();
    desk.outbox.requests.clear();
    id
}

fn amend(desk: &mut Desk, id: OrderId, qty: i64, price: i64) -> Vec<Request> {
    desk.apply_command(Command::Amend { id, strategy: 1, qty, price }).unwrap();
    std::mem::take(&mut desk.outbox.requests)
}

fn cancel(desk: &mut Desk, id: OrderId) -> Vec<Request> {
    desk.apply_command(Command::Cancel { id, strategy: 1 }).unwrap();
    std::mem::take(&mut desk.outbox.requests)
}

fn tell(desk: &mut Desk, leg: u32, report: Report) {
    let input = Input::Report { report, words: None };
    desk.apply(&input.about(leg), desk.now_ns + 1).unwrap();
}

fn report(order: OrderId, ts_exchange: i64, kind: ReportKind) -> Report {
    Report { order, ts_exchange, kind }
}

fn fill(order: OrderId, trade_id: u64, qty: i64, (fee, fee_asset): (i128, u16)) -> Report {
    let fact =
        FillFact { trade_id, qty, price: 99_00, is_maker: true, fee, fee_asset, realised: None };
    report(order, 10 + trade_id as i64, ReportKind::Filled(fact))
}

const ACCEPTED: ReportKind = ReportKind::Accepted { qty: 0 };
const CANCELED: ReportKind = ReportKind::Canceled { left: 0, by_oco: false };

#[test]
fn a_new_price_on_spot_asks_for_another_order_and_less_of_it_does_not() {
    let mut desk = desk();
    let id = place(&mut desk, limit(SPOT, Side::Buy, 10_000, 99_00));
    tell(&mut desk, 0, report(id, 5, ACCEPTED));
    let less = amend(&mut desk, id, 8_000, 99_00);
    assert_eq!(less[0].kind, RequestKind::Amend { qty: 8_000, price: 99_00 });
    assert_eq!(less[0].leg, 0);
    tell(
        &mut desk,
        0,
        report(id, 6, ReportKind::Amended { qty: 8_000, price: 99_00, queue_kept: true }),
    );
    tell(&mut desk, 0, fill(id, 1, 3_000, (0, USDT)));
    let moved = amend(&mut desk, id, 8_000, 98_00);
    assert_eq!(moved[0].kind, RequestKind::Replace { qty: 8_000, price: 98_00, instead: 0 });
    let order = desk.orders.get(id).unwrap();
    assert_eq!((moved[0].leg, order.leg(1).unwrap().spec.qty), (1, 5_000));
    assert_eq!(desk.owner_of(1, 7, id, 1), WireOwner::Ours(id, 1));
    assert_eq!(desk.owner_of(1, 7, id, 2), WireOwner::Foreign);

    tell(&mut desk, 1, report(id, 30, ACCEPTED));
    tell(&mut desk, 0, report(id, 29, CANCELED));
    let order = desk.orders.get(id).unwrap();
    assert_eq!(order.status(), Status::PartiallyFilled);
    assert_eq!((order.spec.qty, order.spec.price, order.leaves_qty()), (8_000, 98_00, 5_000));
    let less = amend(&mut desk, id, 7_000, 98_00);
    assert_eq!((less[0].leg, less[0].kind), (1, RequestKind::Amend { qty: 7_000, price: 98_00 }));
    assert_eq!(cancel(&mut desk, id).iter().map(|r| r.leg).collect::<Vec<_>>(), [1]);
}

#[test]
fn elsewhere_an_order_is_changed_in_its_place() {
    let mut desk = desk();
    let id = place(&mut desk, limit(PERPETUAL, Side::Buy, 10_000, 99_00));
    let moved = amend(&mut desk, id, 12_000, 98_00);
    assert_eq!(moved[0].kind, RequestKind::Amend { qty: 12_000, price: 98_00 });
    assert_eq!(desk.orders.get(id).unwrap().last_leg(), 0);
}

#[test]
fn a_second_change_waits_for_the_answer_to_the_first() {
    let mut desk = desk();
    let id = place(&mut desk, limit(SPOT, Side::Buy, 10_000, 99_00));
    assert_eq!(amend(&mut desk, id, 10_000, 98_00).len(), 1);
    assert!(amend(&mut desk, id, 10_000, 97_00).is_empty());
    let text = desk.orders.get(id).unwrap().refusal.clone().unwrap();
    assert!(text.contains("amend_pending"), "{text}");
    let both: Vec<u32> = cancel(&mut desk, id).iter().map(|request| request.leg).collect();
    assert_eq!(both, [0, 1], "whichever is at work then");
}

#[test]
fn an_order_is_replaced_a_thousand_times_at_most() {
    let mut desk = desk();
    let id = place(&mut desk, limit(SPOT, Side::Buy, 10_000, 99_00));
    tell(&mut desk, 0, report(id, 5, ACCEPTED));
    for leg in 1..veloz_core::order_state::MOST_LEGS as u32 {
        assert_eq!(amend(&mut desk, id, 10_000, 98_00 + i64::from(leg % 2))[0].leg, leg);
        tell(&mut desk, leg, report(id, 5 + i64::from(leg), ACCEPTED));
    }
    assert!(amend(&mut desk, id, 10_000, 97_00).is_empty());
    let text = desk.orders.get(id).unwrap().refusal.clone().unwrap();
    assert!(text.contains("amend_limit"), "{text}");
}

#[test]
fn what_is_recovered_between_the_legs_is_doubted_and_asked_for_under_both() {
    let mut desk = desk();
    let id = place(&mut desk, limit(SPOT, Side::Buy, 10_000, 99_00));
    tell(&mut desk, 0, report(id, 5, ACCEPTED));
    amend(&mut desk, id, 12_000, 98_00);
    tell(&mut desk, 0, report(id, 29, CANCELED));
    let name = Input::Name { order: id, venue_order_id: 71 };
    desk.apply(&name.about(1), 40).unwrap();
    let (bytes, hash, snapshot) = (desk.journal.drain(), desk.state_hash(), desk.snapshot());

    let mut again = scene::blank_live_desk(limits());
    let mut recovery = Recovery::default();
    again.recover(&Reader::new(bytes).unwrap(), &mut recovery).unwrap();
    assert_eq!(again.state_hash(), hash);
    let mut restored = scene::blank_live_desk(limits());
    restored.restore(&snapshot).unwrap();
    assert_eq!(restored.state_hash(), hash);
    assert_eq!(restored.leg_by_venue_id(0, SPOT, 71), Some((id, 1)));

    assert_eq!(again.doubt_all("the engine started again"), 1);
    let order = again.orders.get(id).unwrap();
    assert_eq!((order.amend, order.status()), (Pending::Unknown, Status::Accepted));
    assert_eq!((order.current_leg(), order.awaited_leg()), (0, Some(1)));
    assert_eq!(again.needs_query().collect::<Vec<_>>(), [id]);
    // Neither the new one is there, nor may it come any more: the order ended with the old one.
    let (asked, ts_exchange) = (Asked::Place, 90);
    let absent = Input::Absent { order: id, asked, ts_exchange, evidence: "no listing".into() };
    again.apply(&absent.about(1), 90).unwrap();
    assert_eq!(again.orders.get(id).unwrap().status(), Status::Canceled);
    assert_eq!(again.orders.open(), []);
}

#[test]
fn a_refused_replacement_whose_cancel_was_done_ends_the_order() {
    let mut desk = desk();
    let id = place(&mut desk, limit(SPOT, Side::Buy, 10_000, 99_00));
    tell(&mut desk, 0, report(id, 5, ACCEPTED));
    amend(&mut desk, id, 12_000, 98_00);
    tell(
        &mut desk,
        1,
        report(id, 30, ReportKind::AmendRejected { reason: Reject::InsufficientBalance }),
    );
    assert_eq!(desk.orders.get(id).unwrap().status(), Status::Accepted);
    tell(&mut desk, 0, report(id, 29, CANCELED));
    let order = desk.orders.get(id).unwrap();
    assert_eq!((order.status(), order.amend), (Status::Canceled, Pending::None));
    assert!(!order.disputed);
}

/// What is owned and owed of everything.
fn books(desk: &Desk) -> Vec<String> {
    let mut all = Vec::new();
    for asset in [USDT, BTC] {
        all.push(format!("{:?}", desk.accounts.balance(0, asset).unwrap()));
        all.push(format!("{:?}", desk.accounts.strategy_totals(0, 1, asset).unwrap()));
    }
    for row in [PERPETUAL, SPOT] {
        let side = veloz_core::order::PositionSide::Both;
        all.push(format!("{:?}", desk.accounts.position(0, 1, row, side)));
        all.push(format!("{:?}", desk.accounts.account_position(0, row, side)));
    }
    all
}

#[test]
fn a_fee_that_comes_after_its_fill_ends_in_the_books_of_one_that_came_with_it() {
    for (instrument, asset, fee) in
        [(PERPETUAL, USDT, 12_345), (SPOT, USDT, 777), (SPOT, BTC, 1_234), (SPOT, BTC, -9)]
    {
        let run = |late: bool| {
            let mut desk = desk();
            let id = place(&mut desk, limit(instrument, Side::Buy, 10_000, 99_00));
            tell(&mut desk, 0, report(id, 5, ACCEPTED));
            if late {
                tell(&mut desk, 0, fill(id, 1, 4_000, (0, FEE_UNSAID)));
                assert!(desk.owes_fee(id, 1));
                assert_eq!(desk.needs_trades().collect::<Vec<_>>(), [id], "it is asked for");
                let (bytes, hash) = (desk.snapshot(), desk.state_hash());
                let mut restored = scene::blank_live_desk(limits());
                restored.restore(&bytes).unwrap();
                assert_eq!(restored.state_hash(), hash);
                assert!(restored.owes_fee(id, 1));
            }
            for _ in 0..2 {
                tell(&mut desk, 0, fill(id, 1, 4_000, (fee, asset)));
            }
            assert!(!desk.owes_fee(id, 1));
            assert_eq!(desk.needs_trades().count(), 0);
            desk
        };
        let (late, mut at_once) = (run(true), run(false));
        assert_eq!(books(&late), books(&at_once), "{instrument} {asset} {fee}");
        assert!(at_once.journal.drain().len() < late_len(late), "the correction is a record");
    }
}

fn late_len(mut desk: Desk) -> usize {
    desk.journal.drain().len()
}

#[test]
fn an_order_shown_as_somebody_elses_goes_when_its_number_is_ours() {
    let mut desk = desk();
    let id = place(&mut desk, limit(SPOT, Side::Buy, 10_000, 99_00));
    let twin = ExternalSpec {
        account: 0,
        spec: OrderSpec::new(SPOT, Side::Buy, OrderType::Limit, 10_000, 99_00),
        venue_order_id: 9,
        ts_exchange: 5,
        origin: Origin::Hand,
        client_id: "x-brokerv0001",
    };
    let shown = desk.external_order(&twin).unwrap();
    assert_eq!(desk.orders.open(), [id, shown]);
    desk.apply(&Input::Name { order: id, venue_order_id: 9 }, 50).unwrap();
    assert_eq!(desk.orders.open(), [id]);
    assert_eq!(desk.by_venue_id(0, SPOT, 9), Some(id));
}
