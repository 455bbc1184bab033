//! The laws of money, on random histories. Names follow the laws (L1 … L30) they test.

use proptest::prelude::*;
use veloz_core::account::{
    AccountError, Accounts, FillInput, FillOutcome, Line, OpenOrder, OrderHold, Position,
    LEVERAGE_SCALE,
};
use veloz_core::instrument::{Asset, Filters, Instrument, Kind, Origin, Status, Tier};
use veloz_core::order::{PositionSide, Side};
use veloz_core::units::{mul_div, pow10, Rounding, COST_SCALE, RATE_SCALE};

const USDT: u16 = 0;
const BTC: u16 = 1;
const LINEAR: u32 = 0;
const INVERSE: u32 = 1;
const SPOT: u32 = 2;
const BOTH: PositionSide = PositionSide::Both;
/// One unit of an asset at cost scale.
const UNIT: i128 = pow10(10);

fn instrument(kind: Kind, price_scale: u8, qty_scale: u8, multiplier: i64) -> Instrument {
    let settle = if kind == Kind::Inverse { BTC } else { USDT };
    let unit = pow10(COST_SCALE);
    let tier = |floor: i128, cap: Option<i128>, rate: i64, amount: i128| Tier {
        floor: floor * unit,
        cap: cap.map(|cap| cap * unit),
        rate: rate * pow10(RATE_SCALE - 4) as i64,
        amount: amount * unit,
        max_leverage: 0,
    };
    Instrument {
        symbol: format!("test:{kind:?}"),
        venue_symbol: format!("{kind:?}"),
        kind,
        base: BTC,
        quote: USDT,
        settle,
        price_scale,
        qty_scale,
        tick: 1,
        lot: 1,
        multiplier,
        multiplier_scale: 0,
        maker_fee: 0,
        taker_fee: 0,
        liquidation_fee: 125 * pow10(RATE_SCALE - 4) as i64,
        filters: Filters::default(),
        tiers: vec![
            tier(0, Some(10_000), 40, 0),
            tier(10_000, Some(100_000), 50, 10),
            tier(100_000, None, 250, 2_010),
        ],
        expiry_ns: None,
        valid_from_ns: 0,
        status: Status::Trading,
        origin: Origin::File,
    }
}

/// One account of each asset's wealth: linear at 2 and 3 decimals, inverse of face 100, spot.
fn accounts(hedge: bool) -> Accounts {
    let assets = ["USDT", "BTC"].map(|name| Asset { name: name.into(), scale: 8 });
    let instruments = [
        instrument(Kind::Linear, 2, 3, 1),
        instrument(Kind::Inverse, 1, 0, 100),
        instrument(Kind::Spot, 2, 5, 1),
    ];
    let mut accounts = Accounts::new(&assets, &instruments).unwrap();
    accounts.add_account(hedge, Some(USDT)).unwrap();
    accounts.rate(BTC, USDT, 30_000 * pow10(8) as i64).unwrap();
    for row in [LINEAR, INVERSE] {
        accounts.leverage(0, row, 10 * 10_i64.pow(u32::from(LEVERAGE_SCALE))).unwrap();
    }
    accounts.deposit(0, USDT, 1_000_000 * pow10(8)).unwrap();
    accounts.deposit(0, BTC, 1_000 * pow10(8)).unwrap();
    accounts
}

fn fill(instrument: u32, signed: i64, price: i64) -> FillInput {
    FillInput {
        account: 0,
        strategy: 0,
        instrument,
        position_side: BOTH,
        side: if signed > 0 { Side::Buy } else { Side::Sell },
        qty: signed.abs(),
        price,
        fee: 0,
        fee_asset: if instrument == INVERSE { BTC } else { USDT },
        reduce_only: false,
        order: 0,
        realised: None,
    }
}

fn trade(accounts: &mut Accounts, instrument: u32, signed: i64, price: i64) -> FillOutcome {
    accounts.fill(&fill(instrument, signed, price)).unwrap()
}

fn leg(accounts: &Accounts, instrument: u32) -> Position {
    accounts.account_position(0, instrument, BOTH)
}

/// The signed value of a fill at cost scale, formed anew from the rules.
fn value(instrument: u32, signed: i64, price: i64) -> i128 {
    if instrument == INVERSE {
        let face = i128::from(-signed) * 100 * pow10(COST_SCALE + 1);
        mul_div(face, 1, i128::from(price), Rounding::TowardZero).unwrap()
    } else {
        i128::from(signed) * i128::from(price) * pow10(COST_SCALE - 5)
    }
}

fn signed() -> impl Strategy<Value = i64> {
    (1_i64..5_000, any::<bool>()).prop_map(|(qty, buy)| if buy { qty } else { -qty })
}

/// Prices near 30,000 in units of a cent; a tenth of them for inverse.
fn price() -> impl Strategy<Value = i64> {
    2_500_000_i64..3_500_000
}

fn history() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((signed(), price()), 1..30)
}

/// Fills, and where each of them stands when they are booked in another order.
fn reordered() -> impl Strategy<Value = (Vec<(i64, i64)>, Vec<usize>)> {
    history().prop_flat_map(|fills| {
        let places: Vec<usize> = (0..fills.len()).collect();
        (Just(fills), Just(places).prop_shuffle())
    })
}

#[derive(Clone, Debug)]
enum Event {
    Fill { instrument: u32, strategy: u16, signed: i64, price: i64, fee: i128, reduce_only: bool },
    Mark { instrument: u32, price: i64 },
    Funding { instrument: u32, rate: i64, price: i64 },
    Cash { asset: u16, amount: i128 },
    Order { instrument: u32, signed: i64, price: i64 },
    Cancel { id: u64 },
    Borrow { amount: i128 },
    Cross { signed: i64, price: i64 },
    Liquidate { instrument: u32, price: i64 },
    Settle { instrument: u32, price: i64 },
    Rate { price: i64 },
}

fn event() -> impl Strategy<Value = Event> {
    let fee = -50_000_000_i128..500_000_000;
    prop_oneof![
        6 => (0_u32..3, 0_u16..4, signed(), price(), fee, any::<bool>()).prop_map(
            |(instrument, strategy, signed, price, fee, reduce_only)| Event::Fill {
                instrument, strategy, signed, price, fee, reduce_only,
            }),
        3 => (0_u32..3, price()).prop_map(|(instrument, price)| Event::Mark { instrument, price }),
        2 => (0_u32..2, -pow10(15) as i64..pow10(15) as i64, price()).prop_map(
            |(instrument, rate, price)| Event::Funding { instrument, rate, price }),
        1 => (0_u16..2, -pow10(12)..pow10(12)).prop_map(
            |(asset, amount)| Event::Cash { asset, amount }),
        2 => (0_u32..3, signed(), price()).prop_map(
            |(instrument, signed, price)| Event::Order { instrument, signed, price }),
        1 => (1_u64..10).prop_map(|id| Event::Cancel { id }),
        1 => (-pow10(11)..pow10(11)).prop_map(|amount| Event::Borrow { amount }),
        1 => (signed(), price()).prop_map(|(signed, price)| Event::Cross { signed, price }),
        1 => (0_u32..2, price()).prop_map(
            |(instrument, price)| Event::Liquidate { instrument, price }),
        1 => (0_u32..2, price()).prop_map(
            |(instrument, price)| Event::Settle { instrument, price }),
        1 => price().prop_map(|price| Event::Rate { price }),
    ]
}

/// Applies an event; `Err` if the accounts refused it.
fn apply(accounts: &mut Accounts, event: &Event, number: u64) -> Result<(), AccountError> {
    // Inverse prices have one decimal, the generator's two.
    let at = |instrument: u32, price: i64| if instrument == INVERSE { price / 10 } else { price };
    match *event {
        Event::Fill { instrument, strategy, signed, price, fee, reduce_only } => {
            let mut input = fill(instrument, signed, at(instrument, price));
            (input.strategy, input.reduce_only) = (strategy, reduce_only);
            input.fee = if instrument == INVERSE { fee / 1_000 } else { fee };
            accounts.fill(&input).map(drop)
        }
        Event::Mark { instrument, price } => accounts.mark(instrument, price * 1_000_000),
        Event::Funding { instrument, rate, price } => {
            accounts.funding(0, instrument, rate, price * 1_000_000).map(drop)
        }
        Event::Cash { asset, amount } if amount > 0 => accounts.deposit(0, asset, amount),
        Event::Cash { asset, amount } => accounts.withdraw(0, asset, -amount),
        Event::Order { instrument, signed, price } => {
            let order = OpenOrder {
                id: number,
                instrument,
                position_side: BOTH,
                side: if signed > 0 { Side::Buy } else { Side::Sell },
                qty: signed.abs(),
                price: at(instrument, price),
                reduce_only: false,
            };
            accounts.order_open(0, &order).map(drop)
        }
        Event::Cancel { id } => accounts.order_close(0, id).map(drop),
        Event::Borrow { amount } if amount > 0 => accounts.borrow(0, USDT, amount),
        Event::Borrow { amount } => accounts.repay(0, USDT, -amount),
        Event::Cross { signed, price } => {
            accounts.internal_cross(0, (LINEAR, BOTH), (1, 2), signed.abs(), price)
        }
        Event::Settle { instrument, price } => {
            accounts.settle(0, instrument, price * 1_000_003, pow10(15) as i64 / 3).map(drop)
        }
        Event::Rate { price } => accounts.rate(BTC, USDT, price * 1_000_007),
        Event::Liquidate { instrument, price } => {
            accounts.liquidation(0, instrument, BOTH, None, at(instrument, price)).map(drop)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Rule A35: whatever order fills are booked in, the venue's profits give the venue's wallet.
    #[test]
    fn the_venues_profit_gives_its_wallet_in_any_order(
        (fills, places) in reordered(), inverse: bool, two: bool,
    ) {
        let instrument = if inverse { INVERSE } else { LINEAR };
        let asset = if inverse { BTC } else { USDT };
        let price = |price| if inverse { price / 10 } else { price };
        let mut venue = accounts(false);
        let said: Vec<FillInput> = fills
            .iter()
            .enumerate()
            .map(|(n, &(signed, at))| {
                let input = FillInput {
                    strategy: if two { n as u16 % 2 } else { 0 },
                    ..fill(instrument, signed, price(at))
                };
                let realised = venue.fill(&input).unwrap().realised / pow10(COST_SCALE - 8);
                FillInput { realised: Some(realised), ..input }
            })
            .collect();
        let mut same = accounts(false);
        said.iter().for_each(|fill| assert_eq!(same.fill(fill).unwrap().qty, fill.qty));
        prop_assert_eq!(leg(&same, instrument), leg(&venue, instrument));
        prop_assert_eq!(same.totals(0, asset), venue.totals(0, asset));
        let mut ours = accounts(false);
        for &place in &places {
            ours.fill(&said[place]).unwrap();
            ours.check_identity(0).unwrap();
        }
        prop_assert_eq!(ours.balance(0, asset).unwrap().wallet(),
            venue.balance(0, asset).unwrap().wallet());
        let (own, theirs) = (leg(&ours, instrument), leg(&venue, instrument));
        prop_assert_eq!((own.qty, own.realised), (theirs.qty, theirs.realised));
        if !inverse {
            // What did not stay in the cost is shown as rounding.
            prop_assert_eq!(own.cost - own.rounding, theirs.cost - theirs.rounding);
        }
    }

    /// L1, L17, L18, L19, L28, L30: after every event of any history the identity holds, a
    /// refused event left no trace, nothing is negative that cannot be, and a replay is equal.
    #[test]
    fn identity_after_every_event(events in prop::collection::vec(event(), 1..80)) {
        let (mut first, mut second) = (accounts(false), accounts(false));
        for (number, event) in events.iter().enumerate() {
            let before = format!("{first:?}");
            let refused = apply(&mut first, event, number as u64 + 1).is_err();
            if refused {
                prop_assert_eq!(&format!("{:?}", first), &before, "refused {:?}", event);
            }
            prop_assert_eq!(apply(&mut second, event, number as u64 + 1).is_err(), refused);
            prop_assert_eq!(first.check_identity(0), Ok(()));
            for asset in [USDT, BTC] {
                let totals = first.totals(0, asset).unwrap();
                prop_assert_eq!(Ok(totals.equity), totals.equity_by_lines(8));
                let row = first.balance(0, asset).unwrap();
                prop_assert!(row.locked >= 0);
                let pool = first.pool_margin(0, asset).unwrap();
                prop_assert!(pool.open_order_initial_margin >= 0);
            }
        }
        prop_assert_eq!(format!("{:?}", first), format!("{:?}", second));
        // L18: without orders nothing is locked and no margin is asked for.
        let open: Vec<u64> = first.open_orders(0).unwrap().iter().map(|o| o.id).collect();
        for id in open {
            first.order_close(0, id).unwrap();
        }
        for asset in [USDT, BTC] {
            prop_assert_eq!(first.balance(0, asset).unwrap().locked, 0);
            prop_assert_eq!(first.pool_margin(0, asset).unwrap().open_order_initial_margin, 0);
        }
    }

    /// L2, L5, L6: cost, exact profit and quantity follow from the fills alone.
    #[test]
    fn cost_law(fills in history(), inverse in any::<bool>()) {
        let row = if inverse { INVERSE } else { LINEAR };
        let mut books = accounts(false);
        let (mut qty, mut spent) = (0, 0);
        for (signed, price) in fills {
            let price = if inverse { price / 10 } else { price };
            let held = leg(&books, row).qty;
            trade(&mut books, row, signed, price);
            qty += signed;
            // A flip is two fills, each cut on its own (law L8).
            let closed = if held.signum() == -signed.signum() { held.abs().min(signed.abs()) } else { 0 };
            spent += value(row, closed * signed.signum(), price);
            spent += value(row, (signed.abs() - closed) * signed.signum(), price);
            let now = leg(&books, row);
            prop_assert_eq!(now.qty, qty);
            prop_assert_eq!(now.cost, spent + now.realised + now.rounding);
            prop_assert!(qty != 0 || now.cost == 0);
        }
    }

    /// L3: a flat linear account realised its cash flows exactly. L4: an inverse one to less than
    /// a unit of coin for each return to flat.
    #[test]
    fn flat_accounts_are_exact(fills in history()) {
        let mut books = accounts(false);
        let (mut spent, mut flats) = ([0_i128; 2], 0);
        for (signed, price) in fills {
            for (row, price) in [(LINEAR, price), (INVERSE, price / 10)] {
                trade(&mut books, row, signed, price);
                spent[row as usize] += value(row, signed, price);
            }
            flats += 1;
        }
        for (row, price) in [(LINEAR, 3_000_001), (INVERSE, 300_001)] {
            let left = leg(&books, row).qty;
            if left != 0 {
                trade(&mut books, row, -left, price);
                spent[row as usize] += value(row, -left, price);
            }
        }
        prop_assert_eq!(leg(&books, LINEAR).realised, -spent[0]);
        let missed = (leg(&books, INVERSE).realised + spent[1]).abs();
        prop_assert!(missed < (flats + 1) * UNIT, "{missed}");
        prop_assert!(books.pool_margin(0, USDT).unwrap().available == books.balance(0, USDT).unwrap().cross);
    }

    /// L7, L10: opening in lots, in any order, costs the same; inverse to a unit of 10^-18 a lot.
    #[test]
    fn lots_and_their_order(fills in prop::collection::vec((1_i64..500, price()), 1..12)) {
        let (mut forward, mut backward) = (accounts(false), accounts(false));
        for (qty, price) in &fills {
            trade(&mut forward, LINEAR, *qty, *price);
            trade(&mut forward, INVERSE, *qty, *price / 10);
        }
        for (qty, price) in fills.iter().rev() {
            for part in [qty / 2, qty - qty / 2].into_iter().filter(|&part| part > 0) {
                trade(&mut backward, LINEAR, part, *price);
                trade(&mut backward, INVERSE, part, *price / 10);
            }
        }
        prop_assert_eq!(leg(&forward, LINEAR), leg(&backward, LINEAR));
        let apart = (leg(&forward, INVERSE).cost - leg(&backward, INVERSE).cost).abs();
        prop_assert!(apart <= fills.len() as i128);
        // L9: the average lies within the prices that opened it.
        let average = forward.average_entry(&leg(&forward, LINEAR)).unwrap().unwrap();
        let prices = || fills.iter().map(|(_, price)| i128::from(*price) * pow10(6));
        prop_assert!(average >= prices().min().unwrap() && average <= prices().max().unwrap());
    }

    /// L8: one fill through zero does what closing and opening do.
    #[test]
    fn a_flip_is_a_close_and_an_open(
        open in 1_i64..5_000, more in 1_i64..5_000, entry in price(), exit in price(),
    ) {
        for (row, entry, exit) in [(LINEAR, entry, exit), (INVERSE, entry / 10, exit / 10)] {
            let (mut once, mut twice) = (accounts(false), accounts(false));
            for books in [&mut once, &mut twice] {
                trade(books, row, open, entry);
            }
            let outcome = trade(&mut once, row, -open - more, exit);
            trade(&mut twice, row, -open, exit);
            trade(&mut twice, row, -more, exit);
            prop_assert_eq!((outcome.closed, outcome.opened), (open, more));
            prop_assert_eq!(format!("{:?}", once), format!("{:?}", twice));
        }
    }

    /// L11: the mirror of a history has the mirrored position; exact profit is negated too.
    /// L12: k times the quantity costs k times as much.
    #[test]
    fn mirror_and_scale(fills in history(), k in 2_i64..50) {
        let (mut books, mut mirror, mut scaled) =
            (accounts(false), accounts(false), accounts(false));
        for (signed, price) in &fills {
            trade(&mut books, LINEAR, *signed, *price);
            trade(&mut mirror, LINEAR, -signed, *price);
            if fills.iter().all(|(s, _)| s.signum() == fills[0].0.signum()) {
                trade(&mut scaled, LINEAR, signed * k, *price);
            }
        }
        let (one, other) = (leg(&books, LINEAR), leg(&mirror, LINEAR));
        prop_assert_eq!((one.qty, one.cost, one.realised), (-other.qty, -other.cost, -other.realised));
        let many = leg(&scaled, LINEAR);
        prop_assert!(many.qty == 0 || many.cost == one.cost * i128::from(k));
    }

    /// L13: funding is antisymmetric in side and rate, linear in quantity to one unit, and zero
    /// when flat.
    #[test]
    fn funding_laws(qty in 1_i64..100_000, k in 2_i64..20, rate in 1_i64..10_000_000, at in price()) {
        let rate = rate * pow10(9) as i64;
        let mark = at * 1_000_000;
        for (row, at) in [(LINEAR, at), (INVERSE, at / 10)] {
            let paid = |signed: i64, rate: i64| {
                let mut books = accounts(false);
                trade(&mut books, row, signed, at);
                books.funding(0, row, rate, mark).unwrap()
            };
            let one = paid(qty, rate);
            prop_assert!(one <= 0);
            prop_assert_eq!(one, -paid(-qty, rate));
            prop_assert_eq!(one, -paid(qty, -rate));
            let apart = paid(qty * k, rate) - one * i128::from(k);
            prop_assert!(apart <= 0 && apart > -i128::from(k), "{apart}");
            prop_assert_eq!(accounts(false).funding(0, row, rate, mark).unwrap(), 0);
        }
    }

    /// L15: reduce-only never grows a position nor turns it. L16: hedge legs never change sign.
    #[test]
    fn reduce_only_and_hedge_legs(fills in prop::collection::vec((signed(), price(), any::<bool>()), 1..40)) {
        let (mut one_way, mut hedge) = (accounts(false), accounts(true));
        for (signed, price, flag) in fills {
            let before = leg(&one_way, LINEAR).qty;
            let mut input = fill(LINEAR, signed, price);
            input.reduce_only = flag;
            if one_way.fill(&input).is_ok() && flag {
                let after = leg(&one_way, LINEAR).qty;
                prop_assert!(after.abs() < before.abs() && after.signum() != -before.signum());
            }
            input.reduce_only = false;
            input.position_side = if flag { PositionSide::Long } else { PositionSide::Short };
            let _ = hedge.fill(&input);
            prop_assert!(hedge.account_position(0, LINEAR, PositionSide::Long).qty >= 0);
            prop_assert!(hedge.account_position(0, LINEAR, PositionSide::Short).qty <= 0);
            prop_assert_eq!(hedge.check_identity(0), Ok(()));
        }
    }

    /// L19: open-order margin grows with the order on the larger side.
    #[test]
    fn open_order_margin_is_monotone(held in signed(), small in 1_i64..1_000, more in 1_i64..1_000, at in price()) {
        let margin = |qty: i64| {
            let mut books = accounts(false);
            books.mark(LINEAR, at * 1_000_000).unwrap();
            trade(&mut books, LINEAR, held, at);
            let order = OpenOrder {
                id: 1, instrument: LINEAR, position_side: BOTH,
                side: if held > 0 { Side::Buy } else { Side::Sell },
                qty, price: at, reduce_only: false,
            };
            let hold = books.order_open(0, &order).unwrap();
            assert!(matches!(hold, OrderHold::Margin { .. }));
            books.pool_margin(0, USDT).unwrap().open_order_initial_margin
        };
        prop_assert!(margin(small) > 0 && margin(small + more) >= margin(small));
    }

    /// L20: maintenance margin grows without a jump over every tier border, ever steeper.
    #[test]
    fn maintenance_is_continuous_and_convex(at in prop::sample::select(vec![10_000_i64, 100_000])) {
        let needed = |notional_cents: i64| {
            let mut books = accounts(false);
            trade(&mut books, LINEAR, 1_000, 3_000_000);
            books.mark(LINEAR, notional_cents * 1_000_000).unwrap();
            let margin = books.position_margin(0, LINEAR, BOTH).unwrap().unwrap();
            margin.maintenance_margin.unwrap()
        };
        let cents = [-1, 0, 1].map(|step| needed(at * 100 + step));
        let (below, above) = (cents[1] - cents[0], cents[2] - cents[1]);
        prop_assert!(0 < below && below < above && above < pow10(6));
    }

    /// L21, L22, L23: at the liquidation price the margin is used up, a tick to either side
    /// decides, more money moves it away, and bankruptcy lies beyond.
    #[test]
    fn liquidation_price_is_the_border(qty in 1_i64..200, long in any::<bool>(), at in price(), isolated in any::<bool>()) {
        let mut books = accounts(false);
        books.margin_mode(0, LINEAR, isolated).unwrap();
        if !isolated {
            books.withdraw(0, USDT, 1_000_000 * pow10(8) - i128::from(qty * at) * 1_000 / 10).unwrap();
        }
        books.mark(LINEAR, at * 1_000_000).unwrap();
        trade(&mut books, LINEAR, if long { qty } else { -qty }, at);
        let margin = books.position_margin(0, LINEAR, BOTH).unwrap().unwrap();
        let (border, ruin) = (margin.liquidation_price.unwrap(), margin.bankruptcy_price.unwrap());
        let beyond = if long { ruin < border } else { ruin > border };
        prop_assert!(beyond);
        let broke = |mark: i64| {
            let mut books = books.clone();
            books.mark(LINEAR, mark).unwrap();
            let pool = books.pool_margin(0, USDT).unwrap();
            pool.cross_liquidatable || !pool.isolated_liquidatable.is_empty()
        };
        let (inside, outside) = if long { (1, 0) } else { (0, 1) };
        let border = border as i64;
        // The price shown is rounded at its last digit; a mark to either side of it decides.
        prop_assert!(!broke(border + 2 * inside - 2 * outside));
        prop_assert!(broke(border - 2 * inside + 2 * outside));
        if isolated {
            books.transfer_margin(0, LINEAR, BOTH, pow10(8)).unwrap();
        } else {
            books.deposit(0, USDT, pow10(8)).unwrap();
        }
        let moved = books.position_margin(0, LINEAR, BOTH).unwrap().unwrap().liquidation_price.unwrap();
        let away = if long { moved < i128::from(border) } else { moved > i128::from(border) };
        prop_assert!(away);
    }

    /// L24, L25: an isolated liquidation costs its wallet at most and leaves the cross wallet
    /// alone; a cross one never leaves less than nothing.
    #[test]
    fn liquidations_are_bounded(qty in 1_i64..200, at in price(), drop in 1_i64..2_000_000, isolated in any::<bool>()) {
        let mut books = accounts(false);
        books.margin_mode(0, LINEAR, isolated).unwrap();
        books.withdraw(0, USDT, 1_000_000 * pow10(8) - i128::from(qty * at) * 1_000 / 10).unwrap();
        trade(&mut books, LINEAR, qty, at);
        let before = *books.balance(0, USDT).unwrap();
        let out = books.liquidation(0, LINEAR, BOTH, None, (at - drop).max(1)).unwrap();
        let after = *books.balance(0, USDT).unwrap();
        prop_assert!(out.clearance >= 0 && out.insurance >= 0 && after.wallet() >= 0);
        prop_assert!(!isolated || after.cross >= before.cross);
        prop_assert!(before.wallet() - after.wallet() <= before.wallet());
        prop_assert_eq!(books.check_identity(0), Ok(()));
    }

    /// L26, L27: leverage changes initial margin only; margin moves leave wallet and equity.
    #[test]
    fn leverage_and_transfers(qty in signed(), at in price(), leverage in 1_i64..125, amount in 1_i128..10_000_000_000) {
        let mut books = accounts(false);
        books.margin_mode(0, LINEAR, true).unwrap();
        books.mark(LINEAR, at * 1_000_000).unwrap();
        trade(&mut books, LINEAR, qty, at);
        let (wallet, equity) = (books.balance(0, USDT).unwrap().wallet(), books.equity(0, USDT).unwrap());
        let before = books.position_margin(0, LINEAR, BOTH).unwrap().unwrap();
        books.leverage(0, LINEAR, leverage * 100).unwrap();
        let after = books.position_margin(0, LINEAR, BOTH).unwrap().unwrap();
        prop_assert_eq!(
            (before.maintenance_margin, before.liquidation_price),
            (after.maintenance_margin, after.liquidation_price)
        );
        books.transfer_margin(0, LINEAR, BOTH, amount).unwrap();
        prop_assert_eq!(books.balance(0, USDT).unwrap().wallet(), wallet);
        prop_assert_eq!(books.equity(0, USDT).unwrap(), equity);
    }

    /// L28, L29: strategies add up to the account, fees and funding to the last unit; internal
    /// crosses leave the account as it is.
    #[test]
    fn strategies_add_up(fills in prop::collection::vec((1_u16..5, signed(), price(), 0_i128..1_000_000), 2..40), rate in 1_i64..10_000_000) {
        let mut books = accounts(false);
        for (strategy, signed, price, fee) in &fills {
            for (row, price) in [(LINEAR, *price), (INVERSE, price / 10)] {
                let mut input = fill(row, *signed, price);
                (input.strategy, input.fee) = (*strategy, *fee);
                books.fill(&input).unwrap();
            }
        }
        for row in [LINEAR, INVERSE] {
            books.funding(0, row, rate * pow10(9) as i64, 3_012_345_678_901).unwrap();
        }
        let whole = books.totals(0, USDT).unwrap();
        let before = (whole, leg(&books, LINEAR));
        books.internal_cross(0, (LINEAR, BOTH), (1, 2), 77, 2_999_999).unwrap();
        prop_assert_eq!(before, (books.totals(0, USDT).unwrap(), leg(&books, LINEAR)));
        for (asset, row, slack) in [(USDT, LINEAR, 0), (BTC, INVERSE, 8 * fills.len() as i128)] {
            let whole = books.totals(0, asset).unwrap();
            let (mut profit, mut fees, mut funding) = (0, 0, 0);
            for strategy in 0..5 {
                let part = books.strategy_totals(0, strategy, asset).unwrap();
                profit += part.realised + part.rounding + part.unrealised;
                fees += part.fees;
                funding += part.funding;
            }
            prop_assert_eq!(fees, whole.line(Line::Fees));
            prop_assert_eq!(funding, whole.line(Line::Funding));
            let own = leg(&books, row).realised + whole.rounding + whole.unrealised;
            prop_assert!((own - profit).abs() <= slack, "{own} {profit}");
        }
        prop_assert_eq!(books.check_identity(0), Ok(()));
    }
}

/// Overflow names its instrument and changes nothing, wherever it happens.
#[test]
fn what_does_not_fit_is_refused() {
    let mut books = accounts(false);
    let before = format!("{books:?}");
    for row in [LINEAR, INVERSE] {
        let refused = books.fill(&fill(row, i64::MAX, i64::MAX));
        if row == LINEAR {
            assert!(matches!(refused, Err(AccountError::Overflow(name)) if name == "test:Linear"));
            assert_eq!(format!("{books:?}"), before);
        }
    }
    let refused = books.deposit(0, USDT, i128::MAX);
    assert!(matches!(refused, Err(AccountError::Overflow(name)) if name == "USDT"));
    assert!(matches!(books.fill(&fill(SPOT, 1, 0)), Err(AccountError::NotPositive(_))));
    assert!(matches!(books.fill(&fill(9, 1, 1)), Err(AccountError::UnknownInstrument(9))));
}

/// Decimals that the books cannot carry are refused when the row is added.
#[test]
fn scales_beyond_the_books_are_refused() {
    let assets = ["USDT", "BTC"].map(|name| Asset { name: name.into(), scale: 8 });
    let too_fine = instrument(Kind::Linear, 8, 11, 1);
    assert!(matches!(Accounts::new(&assets, &[too_fine]), Err(AccountError::BadScale(_))));
    let coins = instrument(Kind::Spot, 2, 9, 1);
    assert!(matches!(Accounts::new(&assets, &[coins]), Err(AccountError::BadScale(_))));
}
