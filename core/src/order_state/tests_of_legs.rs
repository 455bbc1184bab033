//! Two legs of one order: any order, repetition and loss of their reports ends in one order.

use proptest::prelude::*;

use super::*;
use crate::order::{OrderType, Side};

/// What became of the request that cancels leg 0 and places leg 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Replaced,
    /// The cancel was done, the new order refused (-2021).
    Halved,
    /// The order had ended; nothing was placed (-2022).
    Refused,
}

/// What the venue did, in its order: leg, time, what.
#[derive(Clone, Debug)]
struct Story {
    outcome: Outcome,
    reports: Vec<(u32, Report)>,
    /// What a query shows of each leg that exists, after all.
    found: Vec<(u32, Found)>,
}

fn fresh() -> Order {
    let spec = OrderSpec::new(0, Side::Buy, OrderType::Limit, 10, 100);
    let mut order = Order::new(1, 0, 1, spec, 5);
    order.place = Pending::Sent;
    order
}

/// `first` is filled of leg 0 before the request is made, `raced` between that and its arrival,
/// `second` of leg 1, which may then be cancelled.
fn story(
    outcome: Outcome,
    first: &[i64],
    raced: &[i64],
    second: &[i64],
    ends: bool,
) -> (Order, Story) {
    let (mut ts, mut trade) = (10, 0);
    let mut reports = Vec::new();
    let mut say = |leg, kind| {
        ts += 1;
        reports.push((leg, Report { order: 1, ts_exchange: ts, kind }));
    };
    let mut fill = |price, qty| {
        trade += 1;
        let (fee, fee_asset, is_maker, realised) = (0, 0, true, None);
        let trade_id = trade;
        ReportKind::Filled(FillFact { trade_id, qty, price, is_maker, fee, fee_asset, realised })
    };
    let mut order = fresh();
    say(0, ReportKind::Accepted { qty: 0 });
    first.iter().for_each(|&qty| say(0, fill(100, qty)));
    let heard: i64 = first.iter().sum();
    let qty0 = heard + raced.iter().sum::<i64>();
    raced.iter().for_each(|&qty| say(0, fill(100, qty)));
    let asked = 12;
    let left1 = asked - heard;
    let mut found = Vec::new();
    let mut show = |leg, status, filled_qty, qty, price, at| {
        let (order, reason, venue_order_id) = (1, 0, 70 + u64::from(leg));
        let avg_price = 0;
        let (ts_exchange, ts_created) = (at, 0);
        let row = Found {
            order,
            ts_exchange,
            ts_created,
            status,
            reason,
            filled_qty,
            avg_price,
            qty,
            price,
            venue_order_id,
        };
        found.push((leg, row));
    };
    let canceled = |left| ReportKind::Canceled { left, by_oco: false };
    match outcome {
        Outcome::Replaced => {
            say(0, canceled(10 - qty0));
            show(0, FoundStatus::Canceled, qty0, 10, 100, 500);
            say(1, ReportKind::Accepted { qty: 0 });
            second.iter().for_each(|&qty| say(1, fill(101, qty)));
            let qty1 = second.iter().sum();
            let status = if qty1 == left1 {
                FoundStatus::Filled
            } else if ends {
                say(1, canceled(left1 - qty1));
                FoundStatus::Canceled
            } else {
                FoundStatus::Open
            };
            show(1, status, qty1, left1, 101, 501);
        }
        Outcome::Halved => {
            say(0, canceled(10 - qty0));
            show(0, FoundStatus::Canceled, qty0, 10, 100, 500);
            say(1, ReportKind::AmendRejected { reason: Reject::InsufficientBalance });
        }
        Outcome::Refused => {
            let rest = 10 - qty0;
            if rest > 0 {
                say(0, fill(100, rest));
            }
            show(0, FoundStatus::Filled, 10, 10, 100, 500);
            say(1, ReportKind::AmendRejected { reason: Reject::UnknownOrder });
        }
    }
    // What was heard before the strategy asked for the amendment.
    for (leg, report) in &reports[..=first.len()] {
        order.learn_of(*leg, report);
    }
    assert_eq!(order.replace(asked, 101, 20), 1);
    let left = reports.split_off(first.len() + 1);
    (order, Story { outcome, reports: left, found })
}

/// What a strategy and the risk gate see.
fn seen(order: &Order) -> impl PartialEq + std::fmt::Debug {
    (
        (order.status(), order.spec.qty, order.spec.price, order.leaves_qty()),
        (order.filled_qty, order.filled_value, order.missing_qty()),
        (order.place, order.amend, order.cancel, order.disputed, order.accepted),
        order.worst_case(),
    )
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Outcome::Replaced), Just(Outcome::Halved), Just(Outcome::Refused)]
}

fn parts(most: i64) -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(1..=most, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_order_repetition_and_loss_of_two_legs_ends_in_one_order(
        outcome in outcomes(),
        (first, raced, second) in (parts(2), parts(2), parts(4)),
        ends: bool,
        doubts: bool,
        seed in prop::collection::vec((any::<u32>(), 0_u8..4), 0..24),
    ) {
        let (start, told) = story(outcome, &first, &raced, &second, ends);
        // As the venue did it.
        let mut plain = start.clone();
        for (leg, report) in &told.reports {
            plain.learn_of(*leg, report);
        }
        // As it may come: some of it lost, twice, or late; then what a query of both ids, the
        // trades, and the deadline of the request say.
        let mut order = start.clone();
        if doubts {
            order.doubt_of(1, Asked::Amend);
        }
        let mut left: Vec<_> = told.reports.clone();
        for (pick, fate) in seed {
            if left.is_empty() {
                break;
            }
            let at = pick as usize % left.len();
            let (leg, report) = left[at];
            match fate {
                0 => { left.remove(at); }
                1 => { order.learn_of(leg, &report); }
                2 => { order.learn_of(leg, &report); left.remove(at); }
                _ => { order.count_of(0, 0, 1); }
            }
            prop_assert!(order.filled_qty <= plain.filled_qty);
            // Never over while the venue still has an order at work.
            if !plain.status().is_final() {
                prop_assert!(order.is_open());
            }
        }
        for (leg, found) in told.found.iter().rev() {
            order.merge_of(*leg, found);
        }
        for (leg, report) in &told.reports {
            if matches!(report.kind, ReportKind::Filled(_)) {
                order.learn_of(*leg, report);
            }
        }
        if told.outcome != Outcome::Replaced {
            order.is_absent_of(1, Asked::Amend, 900);
        }
        prop_assert_eq!(seen(&order), seen(&plain), "{:?}", told);
        let expected = match (outcome, ends) {
            (Outcome::Halved, _) => Status::Canceled,
            (Outcome::Refused, _) => Status::Filled,
            (Outcome::Replaced, _) if plain.leaves_qty() == 0 && !ends => Status::Filled,
            _ => plain.status(),
        };
        prop_assert_eq!(order.status(), expected);
        prop_assert_eq!(order.amend, Pending::None);
    }

    #[test]
    fn an_order_with_legs_comes_back_from_its_bytes(
        outcome in outcomes(),
        (first, second) in (parts(2), parts(4)),
        upto in 0_usize..12,
    ) {
        let (mut order, told) = story(outcome, &first, &[], &second, true);
        for (leg, report) in told.reports.iter().take(upto) {
            order.learn_of(*leg, report);
        }
        let mut bytes = Vec::new();
        order.put(&mut bytes);
        let rest = &mut bytes.as_slice();
        let mut again = Order::take(rest).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(seen(&again), seen(&order));
        for (leg, report) in &told.reports {
            order.learn_of(*leg, report);
            again.learn_of(*leg, report);
        }
        prop_assert_eq!(seen(&again), seen(&order));
    }
}

#[test]
fn the_end_of_a_replaced_leg_is_not_the_end_of_the_order() {
    let (mut order, told) = story(Outcome::Replaced, &[2], &[], &[], false);
    assert_eq!(order.amend, Pending::Sent);
    let (leg, canceled) = told.reports[0];
    order.learn_of(leg, &canceled);
    assert_eq!(order.status(), Status::PartiallyFilled, "its new leg may be at work");
    assert!(order.is_open());
    let (leg, accepted) = told.reports[1];
    order.learn_of(leg, &accepted);
    assert_eq!((order.spec.qty, order.spec.price, order.filled_qty), (12, 101, 2));
    assert_eq!(order.amend, Pending::None);
    assert_eq!(order.open_legs(), [Some(1), None]);
}

#[test]
fn a_cancel_goes_to_every_leg_that_may_be_open() {
    let (mut order, _) = story(Outcome::Replaced, &[], &[], &[], false);
    assert_eq!(order.ask_cancel(), [Some(0), Some(1)]);
    let refused = ReportKind::CancelRejected { reason: Reject::UnknownOrder };
    order.learn_of(0, &Report { order: 1, ts_exchange: 30, kind: refused });
    assert_eq!(order.cancel, Pending::Sent, "that of the other leg is under way");
    let canceled = ReportKind::Canceled { left: 12, by_oco: false };
    order.learn_of(1, &Report { order: 1, ts_exchange: 31, kind: ReportKind::Accepted { qty: 0 } });
    order.learn_of(1, &Report { order: 1, ts_exchange: 32, kind: canceled });
    assert_eq!((order.status(), order.cancel), (Status::Canceled, Pending::None));
}

#[test]
fn a_leg_that_never_left_leaves_the_order_as_it_was() {
    let (mut order, _) = story(Outcome::Replaced, &[3], &[], &[], false);
    let before = (order.status(), order.spec, order.filled_qty);
    assert!(order.never_left_of(1, Asked::Amend, 40));
    assert_eq!((order.status(), order.spec, order.filled_qty), before);
    assert_eq!((order.amend, order.worst_case()), (Pending::None, (7, 100)));
    assert_eq!(order.replace(9, 99, 50), 2);
    assert_eq!(order.open_legs(), [Some(0), Some(2)]);
}

#[test]
fn what_may_be_filled_beyond_the_new_size_counts_in_the_worst_case() {
    // 3 of 10 are filled; more of the 7 may be before the cancel, and 9 are placed anew.
    let (order, _) = story(Outcome::Replaced, &[2, 1], &[], &[], false);
    assert_eq!(order.worst_case(), (7 + 9, 101));
    // Of an order that nothing is filled of the venue cancels only the whole.
    let (order, _) = story(Outcome::Replaced, &[], &[], &[], false);
    assert_eq!(order.worst_case(), (12, 101));
}
