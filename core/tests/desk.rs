//! The desk by itself: what an account is worth, what the gate counts, what cannot be booked.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use proptest::prelude::*;
use scene::{coins, cost, limit, mark_of, market, BTC, ETH, INVERSE, PERPETUAL, SPOT, USDT};
use veloz_core::desk::{Command, Desk, Worth};
use veloz_core::market::{Bar, Funding, MarkPrice, Quote, Tick};
use veloz_core::market::{TICK_BUY, TICK_CLEAR, TICK_EMPTY, TICK_LAST, TICK_TRADE};
use veloz_core::order::{FillFact, OrderId, OrderSpec, Report, ReportKind, RequestKind, Side};
use veloz_core::order_state::Status;
use veloz_core::risk::Limits;

fn close_at(desk: &mut Desk, instrument: u32, price: i64) {
    let bar = Bar { ts_open: 0, ts_close: 60, instrument, close: price, ..Bar::default() };
    desk.bar(&bar).unwrap();
}

/// Places an order and gives its handle; the gate may refuse it.
fn place(desk: &mut Desk, spec: OrderSpec) -> OrderId {
    place_for(desk, 1, spec)
}

fn place_for(desk: &mut Desk, strategy: u16, spec: OrderSpec) -> OrderId {
    let id = desk.orders.insert(0, strategy, spec, desk.now_ns);
    desk.apply_command(Command::Place { id, text: None }).unwrap();
    id
}

fn fill(desk: &mut Desk, order: OrderId, trade_id: u64, qty: i64, price: i64) {
    let fact =
        FillFact { trade_id, qty, price, is_maker: false, fee: 0, fee_asset: USDT, realised: None };
    desk.report(&Report { order, ts_exchange: 1, kind: ReportKind::Filled(fact) }).unwrap();
}

/// Places a market order that fills at once.
fn trade(desk: &mut Desk, instrument: u32, side: Side, qty: i64, price: i64) {
    let id = place(desk, market(instrument, side, qty));
    assert_eq!(desk.orders.get(id).unwrap().refusal, None);
    fill(desk, id, id, qty, price);
}

fn worth(equity: i64, net: i64, gross: i64) -> Worth {
    Worth {
        equity: Some(cost(equity)),
        net_exposure: Some(cost(net)),
        gross_exposure: Some(cost(gross)),
    }
}

fn refusal(desk: &Desk, id: OrderId) -> &str {
    let order = desk.orders.get(id).unwrap();
    assert_eq!(order.status(), Status::Rejected);
    order.refusal.as_deref().unwrap()
}

#[test]
fn linear_contracts_are_worth_what_they_gained() {
    let mut desk = scene::desk(Limits::default());
    close_at(&mut desk, PERPETUAL, 100_00);
    trade(&mut desk, PERPETUAL, Side::Sell, 2_000, 100_00);
    assert_eq!(desk.worth(0, USDT).unwrap(), worth(1_000_000, -200, 200));
    close_at(&mut desk, PERPETUAL, 110_00);
    assert_eq!(desk.worth(0, USDT).unwrap(), worth(999_980, -220, 220));
    // A mark goes before the last price.
    let mark = MarkPrice { instrument: PERPETUAL, mark: mark_of(90), ..MarkPrice::default() };
    desk.mark(&mark).unwrap();
    assert_eq!(desk.reference_price(PERPETUAL), 90_00);
    assert_eq!(desk.worth(0, USDT).unwrap(), worth(1_000_020, -180, 180));
}

#[test]
fn coins_are_worth_the_middle_of_their_touch() {
    let mut desk = scene::desk(Limits::default());
    close_at(&mut desk, SPOT, 100_00);
    trade(&mut desk, SPOT, Side::Buy, 5_000, 100_00);
    assert_eq!(desk.worth(0, USDT).unwrap(), worth(1_000_000, 500, 500));
    let quote =
        Quote { instrument: SPOT, bid_price: 119_00, ask_price: 121_00, ..Quote::default() };
    desk.quote(&quote);
    assert_eq!(desk.worth(0, USDT).unwrap(), worth(1_000_100, 600, 600));
    // The same in the coin: a rate works both ways.
    let in_coin = desk.worth(0, BTC).unwrap().equity.unwrap();
    assert_eq!(in_coin, cost(1_000_100) / 120);
}

#[test]
fn a_coin_without_a_price_makes_the_worth_unknown() {
    let mut desk = scene::desk(Limits::default());
    desk.deposit(0, ETH, coins(1)).unwrap();
    assert_eq!(desk.worth(0, USDT).unwrap(), Worth::default());
    desk.deposit(0, ETH, -coins(1)).unwrap();
    assert_eq!(desk.worth(0, USDT).unwrap().equity, Some(cost(1_000_000)));
}

#[test]
fn inverse_contracts_are_told_in_their_coin_and_in_another() {
    let mut desk = scene::desk(Limits::default());
    desk.deposit(0, USDT, -coins(1_000_000)).unwrap();
    desk.deposit(0, BTC, coins(10)).unwrap();
    close_at(&mut desk, SPOT, 100_00);
    close_at(&mut desk, INVERSE, 100_00);
    // Two contracts of 100 USD each at 100: two coins.
    trade(&mut desk, INVERSE, Side::Buy, 2_000, 100_00);
    assert_eq!(desk.worth(0, BTC).unwrap(), worth(10, 2, 2));
    close_at(&mut desk, INVERSE, 200_00);
    // 200 USD are one coin now: the long gained one.
    assert_eq!(desk.worth(0, BTC).unwrap(), worth(11, 1, 1));
    let told = desk.worth(0, USDT).unwrap();
    assert_eq!(told.equity, Some(cost(1_100)));
}

#[test]
fn the_book_of_a_feed_is_followed_row_by_row() {
    let mut desk = scene::desk(Limits::default());
    let row = |flags, price, qty| Tick { instrument: SPOT, flags, price, qty, ..Tick::default() };
    desk.ticks(&[
        row(TICK_CLEAR | TICK_BUY, 99_00, 5),
        row(TICK_LAST, 101_00, 5),
        row(TICK_TRADE | TICK_BUY, 101_00, 1),
    ]);
    assert_eq!(desk.markets[SPOT as usize].touch(), Some((99_00, 101_00)));
    assert_eq!(desk.markets[SPOT as usize].last, 101_00);
    assert_eq!(desk.mid2(SPOT), 200_00);
    assert_eq!(desk.mid2(PERPETUAL), 0, "another instrument's book is another book");
    desk.ticks(&[row(TICK_BUY, 99_00, 0), row(TICK_BUY | TICK_LAST, 98_00, 1)]);
    assert_eq!(desk.markets[SPOT as usize].touch(), Some((98_00, 101_00)));
    // An empty snapshot leaves no touch: the last print is the reference.
    desk.ticks(&[row(TICK_CLEAR | TICK_EMPTY | TICK_LAST, 0, 0)]);
    assert_eq!(desk.markets[SPOT as usize].touch(), None);
    assert_eq!(desk.reference_price(SPOT), 101_00);
    assert_eq!(desk.market_seq(), 6);
}

#[test]
fn rows_of_two_instruments_in_one_batch_find_their_own_book() {
    let mut desk = scene::desk(Limits::default());
    let row =
        |instrument, flags, price| Tick { instrument, flags, price, qty: 1, ..Tick::default() };
    desk.ticks(&[
        row(SPOT, TICK_BUY, 99_00),
        row(PERPETUAL, TICK_BUY, 88_00),
        row(SPOT, TICK_LAST, 101_00),
        row(PERPETUAL, TICK_LAST, 90_00),
    ]);
    assert_eq!(desk.markets[SPOT as usize].touch(), Some((99_00, 101_00)));
    assert_eq!(desk.markets[PERPETUAL as usize].touch(), Some((88_00, 90_00)));
}

#[test]
fn open_orders_of_the_side_count_towards_the_largest_position() {
    let limits = Limits { max_position: vec![3_000], ..Limits::default() };
    let mut desk = scene::desk(limits);
    close_at(&mut desk, PERPETUAL, 100_00);
    let first = place(&mut desk, limit(PERPETUAL, Side::Buy, 2_000, 99_00));
    let second = place(&mut desk, limit(PERPETUAL, Side::Buy, 2_000, 98_00));
    assert_eq!(
        refusal(&desk, second),
        "max_position: position would be 4, limit 3 on test:BTC/USDT:USDT"
    );
    // Neither the other side nor another strategy is in its way.
    for (strategy, side) in [(1, Side::Sell), (2, Side::Buy)] {
        let id = place_for(&mut desk, strategy, limit(PERPETUAL, side, 3_000, 100_00));
        assert_eq!(desk.orders.get(id).unwrap().refusal, None);
    }
    // An amendment replaces its own order, it does not come on top of it.
    let amend = Command::Amend { id: first, strategy: 1, qty: 3_000, price: 99_00 };
    desk.apply_command(amend).unwrap();
    assert_eq!(desk.orders.get(first).unwrap().refusal, None);
}

#[test]
fn margin_of_other_contracts_is_not_available() {
    let mut desk = scene::desk(Limits::default());
    desk.instruments[INVERSE as usize].kind = veloz_core::instrument::Kind::Linear;
    desk.deposit(0, USDT, -coins(999_000)).unwrap();
    desk.set_leverage(0, PERPETUAL, 2);
    close_at(&mut desk, PERPETUAL, 100_00);
    close_at(&mut desk, INVERSE, 100_00);
    // 12 at 100 with leverage 2 binds 600 of 1,000.
    trade(&mut desk, PERPETUAL, Side::Buy, 12_000, 100_00);
    desk.instruments[INVERSE as usize].settle = USDT;
    let id = place(&mut desk, limit(INVERSE, Side::Buy, 50, 100_00));
    assert_eq!(refusal(&desk, id), "funds: needs 500, has 400 available on test:BTC/USD:BTC");
    let id = place(&mut desk, limit(INVERSE, Side::Buy, 40, 100_00));
    assert_eq!(desk.orders.get(id).unwrap().refusal, None);
}

#[test]
fn what_shrinks_a_position_passes_without_funds() {
    let mut desk = scene::desk(Limits::default());
    desk.deposit(0, USDT, -coins(999_000)).unwrap();
    close_at(&mut desk, PERPETUAL, 100_00);
    trade(&mut desk, PERPETUAL, Side::Buy, 10_000, 100_00);
    close_at(&mut desk, PERPETUAL, 50_00);
    let grows = place(&mut desk, market(PERPETUAL, Side::Buy, 1));
    assert!(refusal(&desk, grows).starts_with("funds: needs 500.05, has 500 available"));
    let shrinks = place(&mut desk, market(PERPETUAL, Side::Sell, 10_000));
    assert_eq!(desk.orders.get(shrinks).unwrap().refusal, None);
}

#[test]
fn funding_is_paid_by_longs_and_journalled() {
    let mut desk = scene::desk(Limits::default());
    close_at(&mut desk, PERPETUAL, 100_00);
    trade(&mut desk, PERPETUAL, Side::Buy, 10_000, 100_00);
    let percent = 10_000_000_000_000_000;
    let funding =
        Funding { instrument: PERPETUAL, rate: percent, mark: mark_of(200), ..Funding::default() };
    desk.funding(0, &funding).unwrap();
    // 10 × 200 × 1 % = 20.
    assert_eq!(desk.accounts.balance(0, USDT).unwrap().wallet(), coins(1_000_000 - 20));
    let before = desk.journal.pending().len();
    desk.funding(0, &Funding { rate: 0, ..funding }).unwrap();
    assert_eq!(desk.journal.pending().len(), before, "nothing was exchanged");
    desk.funding(0, &Funding { rate: -percent, ..funding }).unwrap();
    assert_eq!(desk.accounts.balance(0, USDT).unwrap().wallet(), coins(1_000_000));
}

#[test]
fn what_cannot_be_booked_names_the_instrument() {
    let mut desk = scene::desk(Limits::default());
    let error = desk.deposit(0, USDT, -coins(2_000_000)).unwrap_err().to_string();
    assert!(error.starts_with("deposit refused: "), "{error}");
    // 10^17 at scale 2 has more digits than a mark of scale 8 holds.
    let bar = Bar { instrument: SPOT, close: 100_000_000_000_000_000, ..Bar::default() };
    let error = desk.bar(&bar).unwrap_err().to_string();
    assert_eq!(error, "test:BTC/USDT: a price does not fit mark scale");
}

#[test]
fn a_cancel_is_sent_once_and_never_for_an_ended_order() {
    let mut desk = scene::desk(Limits::default());
    close_at(&mut desk, PERPETUAL, 100_00);
    let id = place(&mut desk, limit(PERPETUAL, Side::Buy, 5, 99_00));
    for _ in 0..2 {
        desk.apply_command(Command::Cancel { id, strategy: 1 }).unwrap();
    }
    let cancels =
        |desk: &Desk| desk.outbox.requests.iter().filter(|r| r.kind == RequestKind::Cancel).count();
    assert_eq!((cancels(&desk), desk.counts.cancels), (1, 1));
    fill(&mut desk, id, 1, 5, 99_00);
    desk.apply_command(Command::Cancel { id, strategy: 1 }).unwrap();
    desk.apply_command(Command::Amend { id, strategy: 1, qty: 9, price: 99_00 }).unwrap();
    desk.apply_command(Command::Cancel { id: 77, strategy: 1 }).unwrap();
    assert_eq!((cancels(&desk), desk.outbox.requests.len()), (1, 2));
    assert!(desk.orders.open().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_quick_worth_is_the_thorough_one(
        trades in prop::collection::vec((any::<bool>(), 1_i64..5_000, 50_00_i64..150_00), 1..8),
        last in 50_00_i64..150_00,
    ) {
        let mut quick = scene::desk(Limits { check_funds: false, ..Limits::default() });
        close_at(&mut quick, PERPETUAL, 100_00);
        let mut held = 0_i128;
        let mut cash = 0_i128;
        for (is_buy, qty, price) in trades {
            let side = if is_buy { Side::Buy } else { Side::Sell };
            trade(&mut quick, PERPETUAL, side, qty, price);
            held += i128::from(side.sign() * qty);
            cash -= i128::from(side.sign() * qty) * i128::from(price);
        }
        close_at(&mut quick, PERPETUAL, last);
        let unit = veloz_core::units::pow10(18 - 5);
        let by_hand = cost(1_000_000) + (cash + held * i128::from(last)) * unit;
        let first = quick.worth(0, USDT).unwrap();
        prop_assert_eq!(first.equity, Some(by_hand));
        // A mark at the last price makes the desk take the thorough way.
        let mark = MarkPrice {
            instrument: PERPETUAL, mark: last * 1_000_000, ..MarkPrice::default()
        };
        quick.mark(&mark).unwrap();
        prop_assert_eq!(quick.worth(0, USDT).unwrap(), first);
    }
}
