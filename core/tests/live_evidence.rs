//! Doubt and evidence: every order and repetition of the same facts ends in one state, and risk
//! counts the worst case until then.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use scene::{coins, limit, PERPETUAL, USDT};
use veloz_core::desk::{Command, Desk, ExternalSpec, Input, Notice, Origin, Turn, ANY_STRATEGY};
use veloz_core::facts;
use veloz_core::market::Bar;
use veloz_core::order::{
    FillFact, OrderId, OrderSpec, OrderType, Reject, Report, ReportKind, RequestKind, Side,
};
use veloz_core::order_state::{Asked, Found, FoundStatus, Pending, Status};
use veloz_core::risk::Limits;

/// A desk with a price, and one order of 10 at 99 by strategy 1 on its way.
fn desk() -> (Desk, OrderId) {
    let mut desk = scene::live_desk(Limits { max_position: vec![15_000], ..Limits::default() });
    let bar = Bar { ts_close: 60, instrument: PERPETUAL, close: 100_00, ..Bar::default() };
    desk.bar(&bar).unwrap();
    let id = place(&mut desk, limit(PERPETUAL, Side::Buy, 10_000, 99_00));
    (desk, id)
}

fn place(desk: &mut Desk, spec: OrderSpec) -> OrderId {
    let id = desk.orders.insert(0, 1, spec, desk.now_ns);
    desk.apply_command(Command::Place { id, text: None }).unwrap();
    id
}

fn report(order: OrderId, ts_exchange: i64, kind: ReportKind) -> Input {
    Input::Report { report: Report { order, ts_exchange, kind }, words: None }
}

fn fill(order: OrderId, trade_id: u64, qty: i64) -> Input {
    let price = 99_00;
    let fact =
        FillFact { trade_id, qty, price, is_maker: true, fee: 5, fee_asset: USDT, realised: None };
    report(order, 10 + trade_id as i64, ReportKind::Filled(fact))
}

fn found(order: OrderId, status: FoundStatus, filled_qty: i64) -> Input {
    Input::Found(Found {
        order,
        ts_exchange: 30,
        ts_created: 8,
        status,
        reason: 1,
        filled_qty,
        avg_price: 99_00,
        qty: 10_000,
        price: 99_00,
        venue_order_id: 4_711,
    })
}

fn doubt(order: OrderId) -> Input {
    Input::Doubt { order, asked: Asked::Place, reason: "no answer".into() }
}

fn absent(order: OrderId) -> Input {
    let (asked, ts_exchange) = (Asked::Place, 40);
    Input::Absent { order, asked, ts_exchange, evidence: "in no listing".into() }
}

/// What must not depend on the order of arrival.
#[derive(Debug, PartialEq, Eq)]
struct End {
    status: Status,
    filled: (i64, i64),
    terms: (i64, i64),
    position: i64,
    wallet: i128,
    open: Vec<OrderId>,
    missing: Vec<OrderId>,
}

fn end(desk: &Desk, id: OrderId) -> End {
    let order = desk.orders.get(id).unwrap();
    End {
        status: order.status(),
        filled: (order.filled_qty, order.venue_filled_qty.max(order.filled_qty)),
        terms: (order.spec.qty, order.spec.price),
        position: desk.net_qty(0, PERPETUAL),
        wallet: desk.accounts.balance(0, USDT).unwrap().wallet(),
        open: desk.orders.open().to_vec(),
        missing: desk.needs_trades().collect(),
    }
}

/// Applies every permutation of the facts, each fact twice: at its place, and once more at the end.
fn every_order_ends_alike(facts: &[fn(OrderId) -> Input]) -> End {
    fn permute(n: usize, at: usize, picks: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
        if at == n {
            all.push(picks.clone());
            return;
        }
        for k in at..n {
            picks.swap(at, k);
            permute(n, at + 1, picks, all);
            picks.swap(at, k);
        }
    }
    let mut all = Vec::new();
    permute(facts.len(), 0, &mut (0..facts.len()).collect(), &mut all);
    let mut ends = all.iter().map(|picks| {
        let (mut desk, id) = desk();
        for (n, pick) in picks.iter().chain(picks).enumerate() {
            desk.apply(&facts[*pick](id), 100 + n as i64).unwrap();
            // The row is used again once nobody holds it: late facts find the tombstone.
            while let Some(turn) = desk.outbox.turns.pop_front() {
                if let Turn::Notice(Notice::Order { id, .. }) = turn {
                    desk.orders.forget(id);
                }
            }
        }
        (picks, end(&desk, id))
    });
    let (_, first) = ends.next().unwrap();
    for (picks, other) in ends {
        assert_eq!(other, first, "in the order {picks:?}");
    }
    first
}

#[test]
fn every_order_of_facts_ends_alike() {
    let accepted: fn(OrderId) -> Input = |id| report(id, 9, ReportKind::Accepted { qty: 0 });
    let canceled: fn(OrderId) -> Input =
        |id| report(id, 35, ReportKind::Canceled { left: 4_000, by_oco: false });
    let some: fn(OrderId) -> Input = |id| fill(id, 1, 6_000);
    let rest: fn(OrderId) -> Input = |id| fill(id, 2, 4_000);
    let counted: fn(OrderId) -> Input =
        |id| Input::Cumulative { order: id, ts_exchange: 20, filled_qty: 6_000 };
    let shown: fn(OrderId) -> Input = |id| found(id, FoundStatus::Open, 6_000);
    let done: fn(OrderId) -> Input = |id| found(id, FoundStatus::Filled, 10_000);
    let gone: fn(OrderId) -> Input = |id| found(id, FoundStatus::Canceled, 6_000);

    let alive = every_order_ends_alike(&[doubt, absent, accepted, some, counted, shown]);
    assert_eq!((alive.status, alive.filled), (Status::PartiallyFilled, (6_000, 6_000)));
    assert_eq!((alive.open.len(), alive.position), (1, 6_000));

    let filled = every_order_ends_alike(&[doubt, absent, accepted, some, rest, counted, done]);
    assert_eq!((filled.status, filled.position), (Status::Filled, 10_000));
    assert!(filled.open.is_empty() && filled.missing.is_empty());

    let ended = every_order_ends_alike(&[doubt, accepted, some, canceled, gone, absent]);
    assert_eq!((ended.status, ended.position), (Status::Canceled, 6_000));

    let never = every_order_ends_alike(&[doubt, absent]);
    assert_eq!((never.status, never.position), (Status::Rejected, 0));

    // The venue counts a fill that nobody brought: it stays missing, whatever the order.
    let missing = every_order_ends_alike(&[doubt, accepted, some, done]);
    assert_eq!((missing.status, missing.position), (Status::Filled, 6_000));
    assert_eq!(missing.missing.len(), 1);
}

#[test]
fn an_unknown_order_counts_at_its_worst() {
    let (mut desk, id) = desk();
    desk.apply(&doubt(id), 70).unwrap();
    let order = desk.orders.get(id).unwrap();
    assert_eq!((order.status(), order.worst_case()), (Status::Unknown, (10_000, 99_00)));
    assert_eq!(desk.needs_query().collect::<Vec<_>>(), [id]);
    // 10 may be bought already: 6 more would break the limit of 15.
    let second = place(&mut desk, limit(PERPETUAL, Side::Buy, 6_000, 99_00));
    let refusal = desk.orders.get(second).unwrap().refusal.clone().unwrap();
    assert!(refusal.starts_with("max_position"), "{refusal}");
    desk.apply(&absent(id), 80).unwrap();
    assert_eq!(desk.orders.get(id).unwrap().status(), Status::Rejected);
    let third = place(&mut desk, limit(PERPETUAL, Side::Buy, 6_000, 99_00));
    assert_eq!(desk.orders.get(third).unwrap().refusal, None);
}

#[test]
fn fills_that_are_missing_count_in_risk_after_the_order_ended() {
    let (mut desk, id) = desk();
    desk.apply(&found(id, FoundStatus::Filled, 10_000), 70).unwrap();
    assert_eq!(desk.orders.get(id).unwrap().status(), Status::Filled);
    assert_eq!((desk.net_qty(0, PERPETUAL), desk.orders.open().len()), (0, 0));
    assert_eq!(desk.needs_trades().collect::<Vec<_>>(), [id]);
    let second = place(&mut desk, limit(PERPETUAL, Side::Buy, 6_000, 99_00));
    let refusal = desk.orders.get(second).unwrap().refusal.clone().unwrap();
    assert!(refusal.starts_with("max_position"), "{refusal}");
    desk.apply(&fill(id, 1, 10_000), 80).unwrap();
    assert_eq!((desk.needs_trades().count(), desk.net_qty(0, PERPETUAL)), (0, 10_000));
}

#[test]
fn an_amendment_under_way_counts_at_the_larger_terms_and_a_second_is_refused() {
    let (mut desk, id) = desk();
    desk.apply(&report(id, 9, ReportKind::Accepted { qty: 0 }), 61).unwrap();
    let amend = |qty| Command::Amend { id, strategy: 1, qty, price: 98_00 };
    desk.apply_command(amend(12_000)).unwrap();
    assert_eq!(desk.orders.get(id).unwrap().worst_case(), (12_000, 99_00));
    desk.outbox.turns.clear();
    desk.apply_command(amend(13_000)).unwrap();
    let order = desk.orders.get(id).unwrap();
    let reason = order.refusal.clone().unwrap();
    assert!(reason.starts_with("amendment refused: amend_pending"), "{reason}");
    assert_eq!(desk.outbox.turns.len(), 1, "the strategy is told");
    let amends = desk.outbox.requests.iter();
    assert_eq!(amends.filter(|r| matches!(r.kind, RequestKind::Amend { .. })).count(), 1);
    // Its outcome lost, the terms found are the old ones: still unknown until its deadline.
    let (asked, reason) = (Asked::Amend, "no answer".into());
    desk.apply(&Input::Doubt { order: id, asked, reason }, 70).unwrap();
    desk.apply(&found(id, FoundStatus::Open, 0), 71).unwrap();
    assert_eq!(desk.orders.get(id).unwrap().amend, Pending::Unknown);
    let lapsed = Input::Absent {
        order: id,
        asked: Asked::Amend,
        ts_exchange: 72,
        evidence: "its deadline passed".into(),
    };
    desk.apply(&lapsed, 72).unwrap();
    let order = desk.orders.get(id).unwrap();
    assert_eq!((order.amend, order.worst_case().0), (Pending::None, 10_000));
}

#[test]
fn a_request_that_never_left_goes_back_with_its_reason() {
    let (mut desk, id) = desk();
    let reason = "queued for 3 s";
    let never = Input::NeverLeft { order: id, asked: Asked::Place, reason: reason.into() };
    desk.apply(&never, 70).unwrap();
    let order = desk.orders.get(id).unwrap();
    assert_eq!(order.status(), Status::Rejected);
    assert_eq!(order.refusal.as_deref(), Some("order not sent: queued for 3 s"));
    assert!(desk.orders.open().is_empty());
}

#[test]
fn a_refusal_keeps_the_venues_words() {
    let (mut desk, id) = desk();
    let refused = Report {
        order: id,
        ts_exchange: 9,
        kind: ReportKind::Rejected { reason: Reject::InsufficientBalance },
    };
    desk.refused_by_venue(&refused, -2010, "Account has insufficient balance.").unwrap();
    let order = desk.orders.get(id).unwrap();
    assert_eq!(order.refusal.as_deref(), Some("Account has insufficient balance. (-2010)"));
    assert_eq!((order.status(), desk.counts.rejected), (Status::Rejected, 1));
}

#[test]
fn a_late_fill_of_a_forgotten_order_is_booked_for_a_day() {
    let (mut desk, id) = desk();
    desk.apply(&report(id, 9, ReportKind::Canceled { left: 10_000, by_oco: false }), 61).unwrap();
    desk.orders.forget(id);
    for n in 0..50 {
        // Other orders use the row again.
        let other = place(&mut desk, limit(PERPETUAL, Side::Sell, 1_000, 101_00 + n));
        let gone = ReportKind::Rejected { reason: Reject::PostOnly };
        desk.apply(&report(other, 10, gone), 62).unwrap();
        desk.orders.forget(other);
    }
    desk.apply(&fill(id, 1, 2_000), scene::DAY_NS - 100).unwrap();
    assert_eq!(desk.net_qty(0, PERPETUAL), 2_000);
    assert_eq!(desk.orders.get(id).unwrap().filled_qty, 2_000);
    desk.name_order(id, 4_711).unwrap();
    // A day after its end it is gone, and its name with it.
    let last = place(&mut desk, limit(PERPETUAL, Side::Sell, 1_000, 101_00));
    let gone = ReportKind::Canceled { left: 0, by_oco: false };
    desk.apply(&report(last, 10, gone), 2 * scene::DAY_NS).unwrap();
    assert!(desk.orders.get(id).is_none());
    assert_eq!((desk.venue_id(id), desk.by_venue_id(0, PERPETUAL, 4_711)), (None, None));
}

#[test]
fn an_overfill_is_booked_and_freezes_its_strategy() {
    let (mut desk, id) = desk();
    desk.apply(&fill(id, 1, 10_000), 61).unwrap();
    desk.apply(&fill(id, 2, 500), 62).unwrap();
    assert_eq!(desk.net_qty(0, PERPETUAL), 10_500);
    assert!(desk.orders.get(id).unwrap().disputed);
    let sell = place(&mut desk, limit(PERPETUAL, Side::Sell, 1_000, 101_00));
    let refusal = desk.orders.get(sell).unwrap().refusal.clone().unwrap();
    assert!(refusal.starts_with("frozen: order 1 was filled beyond its quantity"), "{refusal}");
    let thaw = Input::Freeze { scope: (0, 1, u32::MAX), on: false, reason: "looked at".into() };
    desk.apply(&thaw, 63).unwrap();
    let sell = place(&mut desk, limit(PERPETUAL, Side::Sell, 1_000, 101_00));
    assert_eq!(desk.orders.get(sell).unwrap().refusal, None);
}

#[test]
fn a_liquidation_closes_what_strategies_hold_and_freezes_the_symbol() {
    let (mut desk, id) = desk();
    desk.apply(&fill(id, 1, 10_000), 61).unwrap();
    let other = desk.orders.insert(0, 2, limit(PERPETUAL, Side::Buy, 5_000, 99_00), 61);
    desk.apply_command(Command::Place { id: other, text: None }).unwrap();
    desk.apply(&fill(other, 2, 5_000), 62).unwrap();
    let spec = OrderSpec::new(PERPETUAL, Side::Sell, OrderType::Market, 15_000, 0);
    // Its fill comes first, under a number that nobody knows.
    let early = Report {
        order: 0,
        ts_exchange: 70,
        kind: ReportKind::Filled(FillFact {
            trade_id: 9,
            qty: 15_000,
            price: 90_00,
            is_maker: false,
            fee: 0,
            fee_asset: USDT,
            realised: Some(-coins(135)),
        }),
    };
    desk.park(&facts::ParkedReport::of(0, PERPETUAL, 77, &early), "autoclose-1");
    assert_eq!((desk.net_qty(0, PERPETUAL), desk.parked().len()), (15_000, 1));
    let seen = ExternalSpec {
        account: 0,
        spec,
        venue_order_id: 77,
        ts_exchange: 70,
        origin: Origin::Liquidation,
        client_id: "autoclose-1",
    };
    desk.external_order(&seen).unwrap();
    assert_eq!((desk.net_qty(0, PERPETUAL), desk.parked().len()), (0, 0));
    for strategy in 0..3 {
        assert_eq!(desk.strategy_position(strategy, PERPETUAL), 0, "strategy {strategy}");
    }
    // 15 bought at 99 and sold at 90, fees of 10 units.
    let wallet = desk.accounts.balance(0, USDT).unwrap().wallet();
    assert_eq!(wallet, coins(1_000_000) - coins(135) - 10);
    let told = desk.outbox.turns.iter().filter(|turn| {
        matches!(turn, Turn::Notice(Notice::Fill(fill)) if fill.order > other && fill.strategy > 0)
    });
    assert_eq!(told.count(), 2, "both holders are told of their part");
    assert!(desk.frozen_by(0, 1, PERPETUAL).is_some());
    let scopes: Vec<_> = desk.frozen().map(|(scope, _)| scope).collect();
    assert_eq!(scopes, [(0, ANY_STRATEGY, PERPETUAL)]);
}

#[test]
fn cash_counts_once_and_funding_is_shared() {
    let (mut desk, id) = desk();
    desk.apply(&fill(id, 1, 10_000), 61).unwrap();
    let cash = facts::CashMoved {
        account: 0,
        asset: USDT,
        kind: veloz_core::desk::CashKind::Funding as u8,
        instrument: PERPETUAL,
        amount: -700,
        ts_exchange: 80,
        entry_id: 12,
    };
    for _ in 0..2 {
        desk.apply(&Input::Cash(cash), 81).unwrap();
    }
    let wallet = desk.accounts.balance(0, USDT).unwrap().wallet();
    assert_eq!(wallet, coins(1_000_000) - 5 - 700);
    assert_eq!(desk.net_qty(0, PERPETUAL), 10_000, "funding is no trade");
    let own = desk.accounts.position(0, 1, PERPETUAL, veloz_core::order::PositionSide::Both);
    assert!(own.funding < 0, "the holder's book shows it");
}

#[test]
fn a_statement_that_differs_is_shown_until_it_does_not() {
    let (mut desk, id) = desk();
    desk.apply(&fill(id, 1, 10_000), 61).unwrap();
    let stated = |qty| facts::PositionStated {
        account: 0,
        instrument: PERPETUAL,
        position_side: 0,
        qty,
        ts_exchange: 70,
    };
    assert!(!desk.position_stated(&stated(0)));
    let shown: Vec<_> = desk.differences().map(|d| (d.ours, d.theirs)).collect();
    assert_eq!(shown, [(10_000, 0)]);
    assert_eq!(desk.net_qty(0, PERPETUAL), 10_000, "an empty answer flattens nothing");
    assert!(desk.position_stated(&stated(10_000)));
    assert_eq!(desk.differences().count(), 0);
}

#[test]
fn a_stale_market_refuses_what_opens_and_lets_pass_what_closes() {
    let (mut desk, id) = desk();
    desk.apply(&fill(id, 1, 10_000), 61).unwrap();
    desk.markets[PERPETUAL as usize].is_stale = true;
    let opens = place(&mut desk, limit(PERPETUAL, Side::Buy, 1_000, 99_00));
    let refusal = desk.orders.get(opens).unwrap().refusal.clone().unwrap();
    assert!(refusal.starts_with("stale_market: the book of test:BTC/USDT:USDT"), "{refusal}");
    let mut spec = limit(PERPETUAL, Side::Sell, 1_000, 101_00);
    spec.reduce_only = true;
    let closes = place(&mut desk, spec);
    assert_eq!(desk.orders.get(closes).unwrap().refusal, None);
}

#[test]
fn a_fill_that_cannot_be_booked_waits_in_sight_and_freezes_its_account() {
    let mut desk = scene::live_desk(Limits::default());
    let bar = Bar { ts_close: 60, instrument: PERPETUAL, close: 100_00, ..Bar::default() };
    desk.bar(&bar).unwrap();
    let mut spec = limit(PERPETUAL, Side::Buy, 10_000, 99_00);
    // The account was switched to two legs by hand; ours is in one-way mode.
    spec.position_side = veloz_core::order::PositionSide::Long;
    let id = place(&mut desk, spec);
    for _ in 0..2 {
        desk.apply(&fill(id, 1, 6_000), 70).unwrap();
    }
    let order = desk.orders.get(id).unwrap();
    assert_eq!((order.filled_qty, desk.counts.fills, desk.parked().len()), (0, 0, 1));
    let (scope, reason) = desk.frozen().next().unwrap();
    assert_eq!(scope, (0, ANY_STRATEGY, u32::MAX));
    assert!(reason.contains("no such position side in this position mode"), "{reason}");
    let bytes = desk.journal.drain();
    let mut again = scene::blank_live_desk(Limits::default());
    let segment = veloz_core::journal::Reader::new(bytes.as_slice()).unwrap();
    again.recover(&segment, &mut veloz_core::desk::Recovery::default()).unwrap();
    assert_eq!(again.state_hash(), desk.state_hash());
}
