//! Facts of one order, in every order; rows of the table, used again.

use super::*;
use crate::order::{OrderType, Side};

fn order() -> Order {
    Order::new(1, 0, 1, OrderSpec::new(0, Side::Buy, OrderType::Limit, 10, 100), 5)
}

fn fill(trade_id: u64, qty: i64) -> ReportKind {
    let fact = FillFact {
        trade_id,
        qty,
        price: 100,
        is_maker: true,
        fee: 0,
        fee_asset: 0,
        realised: None,
    };
    ReportKind::Filled(fact)
}

/// Every permutation of `kinds`, learned by a fresh order, ends in one status.
fn status_of_all_orders(kinds: &[ReportKind]) -> Status {
    fn permute(rest: &mut Vec<ReportKind>, done: &mut Vec<ReportKind>, seen: &mut Vec<Status>) {
        if rest.is_empty() {
            let mut order = order();
            for (at, &kind) in done.iter().chain(done.iter()).enumerate() {
                order.learn(&Report { order: 1, ts_exchange: at as i64, kind });
            }
            seen.push(order.status());
        }
        for at in 0..rest.len() {
            let kind = rest.remove(at);
            done.push(kind);
            permute(rest, done, seen);
            done.pop();
            rest.insert(at, kind);
        }
    }
    let mut seen = Vec::new();
    permute(&mut kinds.to_vec(), &mut Vec::new(), &mut seen);
    assert!(seen.iter().all(|&status| status == seen[0]), "{kinds:?} gave {seen:?}");
    seen[0]
}

#[test]
fn any_order_and_repetition_of_reports_ends_in_one_status() {
    let accepted = ReportKind::Accepted { qty: 10 };
    let canceled = ReportKind::Canceled { left: 4, by_oco: false };
    let expired = ReportKind::Expired { reason: Expiry::Gtd, left: 4, prevented: 0 };
    let rejected = ReportKind::Rejected { reason: Reject::PostOnly };
    let refused_cancel = ReportKind::CancelRejected { reason: Reject::UnknownOrder };
    for (kinds, status) in [
        (vec![accepted, fill(1, 4), fill(2, 6), refused_cancel], Status::Filled),
        (vec![accepted, fill(1, 4), canceled], Status::Canceled),
        (vec![accepted, fill(1, 4), fill(2, 6), canceled], Status::Filled),
        (vec![accepted, fill(1, 6), expired, canceled], Status::Canceled),
        (vec![rejected], Status::Rejected),
        (vec![accepted, fill(1, 4)], Status::PartiallyFilled),
    ] {
        assert_eq!(status_of_all_orders(&kinds), status, "{kinds:?}");
    }
}

#[test]
fn a_fill_counts_once_whichever_way_it_comes() {
    let mut order = order();
    let report = Report { order: 1, ts_exchange: 1, kind: fill(7, 4) };
    assert!(matches!(order.learn(&report), Change::Fill(_)));
    assert_eq!(order.learn(&report), Change::None);
    assert_eq!(order.filled_qty, 4);
}

#[test]
fn absence_is_outweighed_by_a_sign_of_life() {
    let mut order = order();
    order.place = Pending::Unknown;
    assert_eq!(order.status(), Status::Unknown);
    order.ending = Some(Ending::Absent);
    assert_eq!(order.status(), Status::Rejected);
    let kind = ReportKind::Accepted { qty: 10 };
    order.learn(&Report { order: 1, ts_exchange: 1, kind });
    assert_eq!(order.status(), Status::Accepted);
}

#[test]
fn a_row_is_reused_only_when_nobody_holds_it() {
    let mut table = OrderTable::new();
    let spec = OrderSpec::new(0, Side::Buy, OrderType::Limit, 10, 100);
    let a = table.insert(0, 1, spec, 0);
    let b = table.insert(0, 1, spec, 0);
    for id in [a, b] {
        table.get_mut(id).unwrap().ending = Some(Ending::Canceled);
        table.close(id);
    }
    table.get_mut(a).unwrap().handles = 1;
    table.forget(a);
    table.forget(b);
    assert!(table.get(a).is_some());
    assert!(table.get(b).is_none());
    let c = table.insert(0, 1, spec, 0);
    assert_eq!((c, table.rows.len()), (3, 2));
    assert_eq!(table.open(), &[c]);
}

#[test]
fn two_fills_under_one_number_both_count_and_each_counts_once() {
    let mut order = order();
    for kind in [fill(7, 3), fill(7, 4), fill(7, 3), fill(7, 4)] {
        order.learn(&Report { order: 1, ts_exchange: 1, kind });
    }
    assert_eq!((order.filled_qty, order.status()), (7, Status::PartiallyFilled));
}
